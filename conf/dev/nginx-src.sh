#!/bin/sh
#
# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# nginx-src.sh CACHE OUT: unpacks the source of the distribution's nginx into
# OUT.  The tarball is kept in CACHE.  apt gets its own source list and state
# there, so the machine's package configuration stays as it is.

set -eu

mkdir -p "$1"
cache=$(cd "$1" && pwd)
out=$2

version=$(dpkg-query -W -f '${source:Upstream-Version}' nginx)

tarball() {
    find "$cache" -maxdepth 1 -name "nginx_$version.orig.tar.*" \
        ! -name '*.asc' | head -n 1
}

if [ -z "$(tarball)" ]; then
    mkdir -p "$cache/lists/partial" "$cache/archives/partial"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    test -e "$keyring" && trust="[signed-by=$keyring] " || trust=

    # The same mirrors and suites that packages come from.

    apt-get indextargets 'Created-By: Packages' 'Origin: Debian' --format \
        "deb-src $trust"'$(REPO_URI) $(RELEASE) $(COMPONENT)' \
        | sort -u > "$cache/sources.list"

    if [ ! -s "$cache/sources.list" ]; then
        echo "nginx-src: apt knows no Debian mirror: apt-get update" >&2
        exit 1
    fi

    set -- -q -o "Dir::Etc::sourcelist=$cache/sources.list" \
        -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$cache/lists" \
        -o "Dir::Cache=$cache" -o APT::Sandbox::User=root

    apt-get "$@" update
    (cd "$cache" && apt-get "$@" source --download-only --tar-only nginx)
fi

file=$(tarball)
if [ -z "$file" ]; then
    echo "nginx-src: no source of nginx $version was found" >&2
    exit 1
fi

rm -rf "$out.tmp" "$out"
mkdir -p "$out.tmp"
tar -xf "$file" -C "$out.tmp" --strip-components=1
mv "$out.tmp" "$out"
