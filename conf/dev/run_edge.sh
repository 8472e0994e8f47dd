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
        berlin-1)
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

edge_nginx_conf()
{
    cat > "$EDGE/site.conf" <<END
fota_db $EDGE/policy map_size=256m;
fota_zone fota 4m;
fota_node_id $1;
fota_spool $EDGE/spool size=64m;
fota_seen on interval=1s;
fota_auth open gateway device mtls;
fota_geoip $RUN/geo.mmdb;
proxy_cache_path $EDGE/cache levels=1:2 keys_zone=origin:1m use_temp_path=off;

server {
    listen 127.0.0.1:$(edge_port "$1");
    listen 127.0.0.1:$(edge_tls_port "$1") ssl http2;
    ssl_certificate $PKI/edge-$1.pem;
    ssl_certificate_key $PKI/edge-$1.key;
    ssl_client_certificate $PKI/ca.pem;
    ssl_verify_client optional;
    ssl_session_cache shared:edge:1m;

    location = /fota/v1/check { fota_check on; }
    location = /fota/v1/report { fota_report on; }
    location = /fota/v1/explain { fota_explain on; }
    location = /fota/status { fota_status on; }
    location = /metrics { fota_metrics on; }
    location = /healthz { fota_health on; }
    location = /readyz { fota_ready on; }

    location ~ "^/a/([\\w-]{43})(?:/[^/]*)?\$" {
        alias $EDGE/store/\$1;
        fota_token required;
        fota_download on;
        error_page 404 = @origin;
        log_not_found off;
    }

    location @origin {
        fota_token required;
        fota_digest on;
        proxy_pass $CENTRE_URL/sync/v1/artifact/\$fota_sha256;
        proxy_ssl_certificate $PKI/node-$1.pem;
        proxy_ssl_certificate_key $PKI/node-$1.key;
        proxy_ssl_trusted_certificate $PKI/ca.pem;
        proxy_ssl_verify on;
        proxy_ssl_name localhost;
        proxy_cache origin;
        proxy_cache_key \$fota_sha256;
        proxy_cache_valid 200 1h;
        proxy_cache_lock on;
        proxy_cache_lock_timeout 30s;
        proxy_force_ranges on;
    }
}
END

    nginx_frame "$EDGE" "$BUILD/module/ngx_http_fota_module.so" \
        "$EDGE/site.conf"
}

edge_start()
{
    EDGE=$(edge_dir "$1")
    mkdir -p "$EDGE/policy" "$EDGE/state" "$EDGE/store" "$EDGE/spool" \
        "$EDGE/cache"

    edge_agent_conf "$1"
    edge_nginx_conf "$1"

    say START "edge $1 on http://127.0.0.1:$(edge_port "$1")"
    proc_run "$EDGE/fota-agent.pid" "$EDGE/fota-agent.log" \
        "$BUILD/fota-agent" -c "$EDGE/fota-agent.conf"
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
