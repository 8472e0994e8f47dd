# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# Edges, sourced by run.sh: fota-agent and nginx with the module each.  The
# configurations are those of conf/ with other paths and ports.

edge_dir()
{
    echo "$RUN/$1"
}

# Plain HTTP for the laboratory, then HTTPS.
edge_ports()
{
    case $1 in
        tokyo-1)
            echo "${FOTA_RUN_PORTS_EDGE1:-8080} ${FOTA_RUN_PORTS_EDGE1_TLS:-8443}"
            ;;
        osaka-1)
            echo "${FOTA_RUN_PORTS_EDGE2:-8081} ${FOTA_RUN_PORTS_EDGE2_TLS:-8444}"
            ;;
    esac
}

edge_port()
{
    set -- $(edge_ports "$1")
    echo "$1"
}

edge_tls_port()
{
    set -- $(edge_ports "$1")
    echo "$2"
}

edge_agent_conf()
{
    # One "kid key" a line, any of which may sign.
    "$BUILD/fota-admin" sync-key -c "$RUN/centre/fota-admin.conf" \
        > "$EDGE/sync-keys"

    conf_from "$TOP/conf/fota-agent.conf" "$EDGE/fota-agent.conf" \
        "s|^#* *node = .*|node = $1|" \
        "s|^#* *centre = .*|centre = $CENTRE_URL|" \
        "s|^#* *ca = .*|ca = $PKI/ca.pem|" \
        "s|^#* *cert = .*|cert = $PKI/node-$1.pem|" \
        "s|^#* *key = .*|key = $PKI/node-$1.key|" \
        "s|^#* *policy_dir = .*|policy_dir = $EDGE/policy|" \
        "s|^#* *state_dir = .*|state_dir = $EDGE/state|" \
        "s|^#* *store_dir = .*|store_dir = $EDGE/store|" \
        "s|^#* *spool_dir = .*|spool_dir = $EDGE/spool|" \
        "s|^#* *status_socket = .*|status_socket = $SOCK/$1.sock|" \
        "s|^#* *status_url = .*|status_url = http://127.0.0.1:$(edge_port "$1")/fota/status|" \
        "s|^#* *log = .*|log = stderr|" \
        "s|^#* *map_size = .*|map_size = 256m|" \
        '/^#* *pidfile = /d' '/^#* *user = /d' '/^#* *group = /d' \
        '/^#* *disk_budget = /d' \
        '/^#* *sync_key = /d'
    sed 's/^\([0-9]*\) \(.*\)/sync_key = \1:\2/' "$EDGE/sync-keys" \
        >> "$EDGE/fota-agent.conf"
}

# The laboratory's plain port is of the same server as HTTPS, with "open"
# devices; what is for watchers stands on it too.
edge_nginx_conf()
{
    edge_module="load_module $BUILD/module/ngx_http_fota_module.so;"
    [ "${FOTA_ASAN:-}" != 1 ] || edge_module=

    edge_user=
    [ "$(id -u)" != 0 ] || edge_user="user root;"

    conf_from "$TOP/conf/nginx-edge.conf" "$EDGE/nginx.conf" \
        "s|^load_module .*|$edge_module|" \
        "s|^user .*|$edge_user|" \
        "s|^worker_processes .*|worker_processes 1;\\ndaemon off;|" \
        "/^worker_rlimit_nofile /d" \
        "s|^worker_shutdown_timeout .*|worker_shutdown_timeout 30s;|" \
        "s|^pid .*|pid $EDGE/server.id;|" \
        "s|^error_log .*|error_log $EDGE/error.log notice;|" \
        "s|worker_connections .*|worker_connections 1024;|" \
        "s|/var/log/nginx/fota.log|$EDGE/access.log|" \
        "s|/var/cache/nginx/fota|$EDGE/cache|" \
        "s|# fota_geoip .*|fota_geoip $RUN/geo.mmdb;|" \
        "s|map_size=2g|map_size=256m|" \
        "s|/var/lib/fota-edge/|$EDGE/|" \
        "s|fota_node_id .*|fota_node_id $1;|" \
        "s|listen 443 ssl|listen 127.0.0.1:$(edge_port "$1");\\n        listen 127.0.0.1:$(edge_tls_port "$1") ssl|" \
        '/listen \[::\]/d' \
        "s|^ *server_name .*|        server_name $1;|" \
        "s|/etc/fota-edge/tls/edge\\.|$PKI/edge-$1.|" \
        "s|/etc/fota-edge/tls/node\\.|$PKI/node-$1.|" \
        "s|/etc/fota-edge/tls/[a-z]*-ca.pem|$PKI/ca.pem|" \
        "s|centre.example.net:9443|127.0.0.1:$PORT_CENTRE|" \
        "s|centre.example.net|localhost|" \
        "s|fota_auth .*|fota_auth open gateway device mtls;|" \
        "s|interval=5m|interval=1s|" \
        "s|listen 127.0.0.1:9145;|listen unix:$SOCK/$1-watch.sock;|" \
        "s|allow 127.0.0.1;|allow unix:;|" \
        "s|^        location / {|        include $EDGE/watch.conf;\\n\\n&|" \
        "s|^    server_tokens off;|&\\n    include $EDGE/temp.conf;|"

    cat > "$EDGE/watch.conf" <<END
location = /healthz { fota_health on; }
location = /readyz { fota_ready on; }
location = /fota/status { fota_status on; }
location = /metrics { fota_metrics on; }
END

    for edge_part in client_body proxy fastcgi uwsgi scgi; do
        echo "${edge_part}_temp_path $EDGE/tmp/$edge_part;"
    done > "$EDGE/temp.conf"
}

edge_start()
{
    EDGE=$(edge_dir "$1")
    mkdir -p "$EDGE/policy" "$EDGE/state" "$EDGE/store" "$EDGE/spool" \
        "$EDGE/cache" "$EDGE/tmp"

    edge_agent_conf "$1"
    edge_nginx_conf "$1"

    say START "edge $1 on http://127.0.0.1:$(edge_port "$1")"
    proc_run "$EDGE/fota-agent.pid" "$EDGE/fota-agent.log" \
        "$BUILD/fota-agent" -c "$EDGE/fota-agent.conf"

    # One that was killed leaves its socket, and nginx takes no old one.
    proc_alive "$EDGE/nginx.pid" || rm -f "$SOCK/$1-watch.sock"
    nginx_start "$EDGE"
}

edge_wait()
{
    EDGE=$(edge_dir "$1")
    proc_wait 30 "$EDGE/nginx.pid" "$EDGE/error.log" \
        curl -sf "http://127.0.0.1:$(edge_port "$1")/healthz"
}

edge_stop()
{
    EDGE=$(edge_dir "$1")

    if [ -s "$EDGE/nginx.pid" ]; then
        say STOP "edge $1"
        proc_stop TERM "$EDGE/nginx.pid"
    fi

    proc_stop TERM "$EDGE/fota-agent.pid"
}
