#!/bin/sh
#
# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages that building, running and testing need and
# that are not there yet.  Asks nothing, starts no service, and does not
# touch the network when nothing is missing.

set -eu

BUILD="
    gcc clang make git dpkg-dev pkg-config ca-certificates libc6-dev
    nginx nginx-dev libluajit2-5.1-dev libnginx-mod-http-lua
    liblmdb-dev libmaxminddb-dev libssl-dev libjansson-dev
    libcurl4-openssl-dev libmicrohttpd-dev libmariadb-dev libsodium-dev
    libpcre2-dev zlib1g-dev
"

RUN="
    mariadb-server-core mariadb-client-core mmdb-bin squashfs-tools
    xdelta3 bsdiff zstd curl jq openssl procps tzdata iproute2
"

TEST="
    libcmocka-dev python3 python3-pytest python3-pytest-xdist
    python3-yaml python3-jsonschema
    wrk lmdb-utils valgrind gcovr cppcheck binutils liblua5.3-0
    libclang-rt-14-dev
"

set -- $BUILD $RUN $TEST ${FOTA_EXTRA_DEPS:-}
installed=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ' "$@" \
    2>/dev/null || true)"

missing=
for package in "$@"; do
    case $installed in
        *" installed=$package "*) ;;
        *) missing="$missing $package" ;;
    esac
done

if [ -z "$missing" ]; then
    exit 0
fi

echo "deps: installing$missing"

sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: run 'make deps' once as root, or install sudo" >&2
        exit 1
    }
    sudo="sudo"
fi

# Package scripts start daemons unless policy-rc.d forbids it (101).  One
# that the machine already has is its owner's and stays.

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$sudo rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
fi

$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q update
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    --no-install-recommends -o Dpkg::Options::=--force-confold \
    install $missing
