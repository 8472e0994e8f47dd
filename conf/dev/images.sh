#!/bin/sh
# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# Builds the demo's firmware: three squashfs images of real Debian packages,
# each package in the older or newer of the versions that are served, and
# xdelta3 deltas between neighbours.
#
#   images.sh OUTPUT CACHE
#
# OUTPUT/dashcam-x1-{1.0.0,1.1.0,1.2.0}.squashfs
# OUTPUT/dashcam-x1-{1.0.0-1.1.0,1.1.0-1.2.0}.xdelta

set -eu

out=${1:?usage: images.sh OUTPUT CACHE}
cache=${2:?usage: images.sh OUTPUT CACHE}

# Moves at 1.1.0, moves at 1.2.0, never moves.
early="libssl3 openssl libpython3.11-stdlib python3.11-minimal"
late="tzdata libc6 samba-libs bind9-libs"
still="busybox-static"

say()
{
    printf '  images: %s\n' "$*"
}

if [ -s "$out/done" ]; then
    exit 0
fi

mkdir -p "$out" "$cache"

if [ -z "$(apt-cache madison libc6)" ]; then
    say "fetching package lists"
    apt-get update -qq
fi

# Served versions of a package, oldest first.
versions()
{
    apt-cache madison "$1" | awk -F'|' '{ gsub(/ /, "", $2); print $2 }' \
        | sort -uV
}

# Unpacks a package in its oldest or newest version below a root.
add()
{
    add_root=$1; package=$2; which=$3

    served=$(versions "$package" | if [ "$which" = old ]; then head -n 1;
                                    else tail -n 1; fi)
    if [ -z "$served" ]; then
        say "$package is not served, left out"
        return
    fi

    dir=$cache/$package/$(printf %s "$served" | tr ':~' '__')

    if ! ls "$dir"/*.deb >/dev/null 2>&1; then
        mkdir -p "$dir"
        (cd "$dir" && apt-get download -qq -o APT::Sandbox::User=root \
            "$package=$served") || {
            rm -rf "$dir"
            # An index may be older than the pool: any version will do.
            say "$package $served cannot be fetched, left out"
            return 0
        }
    fi

    dpkg-deb -x "$dir"/*.deb "$add_root"
    printf '%s %s\n' "$package" "$served" >> "$add_root/etc/packages"
}

image()
{
    version=$1; early_at=$2; late_at=$3
    root=$out/root

    rm -rf "$root"
    mkdir -p "$root/etc"

    for p in $early; do add "$root" "$p" "$early_at"; done
    for p in $late; do add "$root" "$p" "$late_at"; done
    for p in $still; do add "$root" "$p" new; done

    rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale"
    printf 'PRODUCT=dashcam-x1\nVERSION=%s\n' "$version" \
        > "$root/etc/firmware-release"

    # Same bytes for same content: fixed times, owners and order.
    rm -f "$out/dashcam-x1-$version.squashfs"
    mksquashfs "$root" "$out/dashcam-x1-$version.squashfs" -comp zstd \
        -Xcompression-level 3 -b 128K -all-root -all-time 0 -mkfs-time 0 \
        -no-progress -quiet >/dev/null
    rm -rf "$root"
    say "$version: $(wc -c < "$out/dashcam-x1-$version.squashfs") bytes"
}

delta()
{
    xdelta3 -e -f -9 -S none -B 67108864 \
        -s "$out/dashcam-x1-$1.squashfs" "$out/dashcam-x1-$2.squashfs" \
        "$out/dashcam-x1-$1-$2.xdelta"
    say "$1 to $2: $(wc -c < "$out/dashcam-x1-$1-$2.xdelta") bytes"
}

image 1.0.0 old old
image 1.1.0 new old

# Beside the last image, which is half of the wait.
delta 1.0.0 1.1.0 &
image 1.2.0 new new
delta 1.1.0 1.2.0
wait $!

echo ok > "$out/done"
