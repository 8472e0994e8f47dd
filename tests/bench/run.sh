#!/bin/sh
# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# make bench: all rows, one table in BUILD/bench/result.md.  A slow machine
# is no broken build, so the result is always 0.

here=$(cd "$(dirname "$0")" && pwd)
top=${FOTA_TOP:-$(cd "$here/../.." && pwd)}
FOTA_BUILD=${FOTA_BUILD:-$top/build}
export FOTA_BUILD

make --no-print-directory -C "$top" B="$FOTA_BUILD" tools || {
    echo 'bench: the tools cannot be built, nothing is measured'
    exit 0
}

command -v wrk > /dev/null || {
    echo 'bench: wrk is not installed, nothing is measured'
    exit 0
}

${PYTHON:-/usr/bin/python3} "$here/bench.py" "$@" \
    || echo 'bench: not all could be measured'

exit 0
