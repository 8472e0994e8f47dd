#!/bin/bash
#
# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# The demonstration system: a private MariaDB, the centre, two edges in
# different cities, certificates, a tenant with real firmware and a running
# rollout; all on loopback, all below one folder.
#
#   run.sh start|stop|status|clean
#
# FOTA_BUILD   programs (default: build)
# FOTA_RUN     folder (default: .run)
# FOTA_RUN_PORTS_CENTRE, _EDGE1, _EDGE1_TLS, _EDGE2, _EDGE2_TLS   ports

set -eu

DEV=$(cd "$(dirname "$0")" && pwd)
TOP=${FOTA_TOP:-$(cd "$DEV/../.." && pwd)}
BUILD=${FOTA_BUILD:-$TOP/build}
RUN=${FOTA_RUN:-$TOP/.run}
NGINX=${FOTA_NGINX:-/usr/sbin/nginx}

PORT_CENTRE=${FOTA_RUN_PORTS_CENTRE:-9443}
EDGES="tokyo-1 osaka-1"

case $RUN in /*) ;; *) RUN=$PWD/$RUN ;; esac

umask 022
LC_ALL=C.UTF-8
export LC_ALL

. "$DEV/run_proc.sh"
. "$DEV/run_pki.sh"
. "$DEV/run_db.sh"
. "$DEV/run_centre.sh"
. "$DEV/run_edge.sh"
. "$DEV/run_demo.sh"

CENTRE_URL=https://127.0.0.1:$PORT_CENTRE


# A unix socket's path has room for 107 bytes.
sockets()
{
    if [ ${#RUN} -le 80 ]; then
        SOCK=$RUN/sock
        mkdir -p "$SOCK"
        return
    fi

    if [ ! -d "$(cat "$RUN/sockets" 2>/dev/null)" ]; then
        mktemp -d /tmp/fota-run.XXXXXX > "$RUN/sockets"
    fi

    SOCK=$(cat "$RUN/sockets")
}

needed()
{
    for file in "$BUILD/fota" "$BUILD/fota-admin" "$BUILD/fota-agent" \
        "$NGINX"
    do
        [ -x "$file" ] || die "$file is missing, run make build"
    done

    for edge_name in $EDGES; do
        for port in $(edge_ports "$edge_name"); do
            port_free "$port" "$(edge_dir "$edge_name")/nginx.pid"
        done
    done

    port_free "$PORT_CENTRE" "$RUN/centre/nginx.pid"
}

# A port that another program holds is told before anything is started.
port_free()
{
    if proc_alive "$2"; then
        return 0
    fi

    # What a killed nginx left holds its ports.
    proc_stop TERM "$2"

    if (: < "/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
        die "port $1 is in use by another program"
    fi
}

environment()
{
    cat > "$RUN/env.new" <<END
# Settings for the fota command; read with: . $RUN/env
export PATH="$BUILD:\$PATH"
export FOTA_CENTRE="$CENTRE_URL"
export FOTA_CA="$RUN/pki/ca.pem"
export FOTA_TOKEN="$(cat "$RUN/centre/token")"
export FOTA_TENANT="demo"
export FOTA_PRODUCT="dashcam-x1"
export FOTA_EDGE="http://127.0.0.1:$(edge_port tokyo-1)"
export FOTA_SIGNER="$RUN/centre/signer.pub"
export FOTA_DEVICES="$RUN/devices"
END
    chmod 600 "$RUN/env.new"
    mv "$RUN/env.new" "$RUN/env"
}

start()
{
    begun=$(date +%s)
    mkdir -p "$RUN"
    sockets
    needed

    # Images take longest and need nothing of the rest.
    images_start

    say PKI "$RUN/pki"
    pki_all
    db_start
    centre_start
    environment
    . "$RUN/env"

    demo_nodes
    for edge_name in $EDGES; do
        edge_start "$edge_name"
    done
    for edge_name in $EDGES; do
        edge_wait "$edge_name"
    done

    demo_tenant
    images_wait
    demo_firmware
    demo_rollout
    demo_ready
    demo_device
    say READY "in $(($(date +%s) - begun)) s"
    demo_next
}

# Edges first, so that their last words reach the centre.
stop()
{
    images_stop

    for edge_name in $EDGES; do
        edge_stop "$edge_name"
    done

    centre_stop
    db_stop

    if [ -s "$RUN/sockets" ]; then
        rm -rf "$(cat "$RUN/sockets")"
        rm -f "$RUN/sockets"
    fi
}

# Every process of ours, by its pid file: "NAME PID alive|gone".
status()
{
    find "$RUN" -name '*.pid' 2>/dev/null | sort | while read -r file; do
        if proc_alive "$file"; then state=alive; else state=gone; fi
        printf '%s %s %s\n' "${file#"$RUN"/}" "$(cat "$file")" "$state"
    done
}

case ${1:-} in
    start)
        start
        ;;
    stop)
        stop
        left=$(status | grep alive || true)
        [ -z "$left" ] || die "still running: $left"
        say STOPPED "data stays in $RUN"
        ;;
    status)
        status
        ;;
    clean)
        stop
        rm -rf "$RUN"
        ;;
    *)
        echo "usage: run.sh start|stop|status|clean" >&2
        exit 2
        ;;
esac
