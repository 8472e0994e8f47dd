# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# The centre, sourced by run.sh: fota-admin on a unix socket behind nginx.
# The configurations are those of conf/ with other paths and ports.

# conf_from SOURCE TARGET EXPRESSION...: a copy in which no path of an
# installed system may be left.
conf_from()
{
    conf_source=$1; conf_target=$2
    shift 2

    printf '%s\n' "$@" > "$conf_target.sed"
    sed -f "$conf_target.sed" "$conf_source" > "$conf_target.new"
    rm -f "$conf_target.sed"

    if sed -e "s|$RUN||g" -e "s|$BUILD||g" -e "s|$SOCK||g" "$conf_target.new" \
        | grep -nE '^[^#]*(/etc/fota|/var/(lib|log|cache)/|/run/)' >&2
    then
        die "$conf_source names what the demonstration does not place"
    fi

    mv "$conf_target.new" "$conf_target"
}

# nginx_frame DIR SITE: nginx.conf around a site, everything it writes in DIR.
# As root the workers stay root, as everything here is root's then.
nginx_frame()
{
    mkdir -p "$1/tmp"

    {
        [ "$(id -u)" != 0 ] || echo "user root;"
        cat <<END
worker_processes 1;
daemon off;
pid $1/server.id;
error_log $1/error.log notice;

events {
    worker_connections 1024;
}

http {
    default_type application/octet-stream;
    server_tokens off;
    client_body_temp_path $1/tmp/body;
    proxy_temp_path $1/tmp/proxy;
    fastcgi_temp_path $1/tmp/fastcgi;
    uwsgi_temp_path $1/tmp/uwsgi;
    scgi_temp_path $1/tmp/scgi;
    access_log $1/access.log;

    include $2;
}
END
    } > "$1/nginx.conf"
}

nginx_start()
{
    "$NGINX" -t -q -p "$1/" -c "$1/nginx.conf" -e "$1/error.log" \
        2> "$1/test.log" || { cat "$1/test.log" >&2; die "$1/nginx.conf"; }
    proc_run "$1/nginx.pid" "$1/error.log" \
        "$NGINX" -p "$1/" -c "$1/nginx.conf" -e "$1/error.log"
}

centre_conf()
{
    if [ ! -s "$CENTRE/master.key" ]; then
        (umask 077; openssl rand -hex 32 > "$CENTRE/master.key")
    fi

    conf_from "$TOP/conf/fota-admin.conf" "$CENTRE/fota-admin.conf" \
        "s|^listen = .*|listen = $SOCK/admin.sock|" \
        "s|^data_dir = .*|data_dir = $CENTRE/data|" \
        "s|^master_key_file = .*|master_key_file = $CENTRE/master.key|" \
        "s|^db_socket = .*|db_socket = $SOCK/db.sock|" \
        "s|^db_user = .*|db_user = root|" \
        "s|^# geo_db = .*|geo_db = $RUN/geo.mmdb|"

    conf_from "$TOP/conf/nginx-centre.conf" "$CENTRE/site.conf" \
        "s|unix:/run/fota/admin.sock|unix:$SOCK/admin.sock|" \
        "s|listen 9443 |listen 127.0.0.1:$PORT_CENTRE |" \
        '/listen \[::\]/d' \
        "s|/etc/fota/tls/centre.crt|$PKI/centre.pem|" \
        "s|/etc/fota/tls/centre.key|$PKI/centre.key|" \
        "s|/etc/fota/tls/node-ca.crt|$PKI/ca.pem|" \
        "s|/var/lib/fota/|$CENTRE/data/|"

    nginx_frame "$CENTRE" "$CENTRE/site.conf"
}

# Addresses for documentation (RFC 5737), and those of a laboratory: every
# device of it comes from 127.0.0.1, or from where curl --interface says.
geo_make()
{
    [ -s "$RUN/geo.mmdb" ] && return 0

    cat > "$RUN/geo.json" <<'END'
{"ip_version": 6, "records": {
  "127.0.0.0/8": {"continent": {"code": "AS"},
    "country": {"iso_code": "JP", "names": {"en": "Japan"}},
    "subdivisions": [{"iso_code": "13", "names": {"en": "Tokyo"}}],
    "city": {"names": {"en": "Tokyo"}},
    "location": {"latitude": 35.69, "longitude": 139.69,
      "time_zone": "Asia/Tokyo"}},
  "127.0.1.0/24": {"continent": {"code": "EU"},
    "country": {"iso_code": "DE", "names": {"en": "Germany"}},
    "subdivisions": [{"iso_code": "BE", "names": {"en": "Land Berlin"}}],
    "city": {"names": {"en": "Berlin"}},
    "location": {"latitude": 52.52, "longitude": 13.40,
      "time_zone": "Europe/Berlin"}},
  "203.0.113.0/25": {"continent": {"code": "AS"},
    "country": {"iso_code": "JP", "names": {"en": "Japan"}},
    "subdivisions": [{"iso_code": "27", "names": {"en": "Osaka"}}],
    "city": {"names": {"en": "Osaka"}},
    "location": {"latitude": 34.69, "longitude": 135.50,
      "time_zone": "Asia/Tokyo"}},
  "203.0.113.128/25": {"continent": {"code": "EU"},
    "country": {"iso_code": "DE", "names": {"en": "Germany"}},
    "subdivisions": [{"iso_code": "HH", "names": {"en": "Hamburg"}}],
    "city": {"names": {"en": "Hamburg"}},
    "location": {"latitude": 53.55, "longitude": 9.99,
      "time_zone": "Europe/Berlin"}},
  "198.51.100.0/24": {"continent": {"code": "NA"},
    "country": {"iso_code": "US", "names": {"en": "United States"}},
    "subdivisions": [{"iso_code": "NY", "names": {"en": "New York"}}],
    "city": {"names": {"en": "New York"}},
    "location": {"latitude": 40.71, "longitude": -74.01,
      "time_zone": "America/New_York"}}
}}
END
    python3 "$TOP/tests/e2e/support/mmdb.py" "$RUN/geo.json" \
        "$RUN/geo.mmdb.new"
    mv "$RUN/geo.mmdb.new" "$RUN/geo.mmdb"
}

centre_start()
{
    CENTRE=$RUN/centre
    mkdir -p "$CENTRE"
    geo_make
    centre_conf

    "$BUILD/fota-admin" migrate -c "$CENTRE/fota-admin.conf" \
        > "$CENTRE/migrate.log" 2>&1 \
        || { cat "$CENTRE/migrate.log" >&2; die "no schema"; }

    # The first token is shown once; without ours another one is made.
    if [ ! -s "$CENTRE/token" ]; then
        (umask 077
         "$BUILD/fota-admin" init -c "$CENTRE/fota-admin.conf" \
             > "$CENTRE/token" 2> "$CENTRE/init.log"
         [ -s "$CENTRE/token" ] \
             || "$BUILD/fota-admin" init --new-token \
                 -c "$CENTRE/fota-admin.conf" \
                 > "$CENTRE/token" 2>> "$CENTRE/init.log") \
            || { cat "$CENTRE/init.log" >&2; die "no token"; }
    fi

    say START "the centre on $CENTRE_URL"
    proc_run "$CENTRE/fota-admin.pid" "$CENTRE/fota-admin.log" \
        "$BUILD/fota-admin" serve -c "$CENTRE/fota-admin.conf"
    nginx_start "$CENTRE"
    proc_wait 30 "$CENTRE/fota-admin.pid" "$CENTRE/fota-admin.log" \
        curl -sf --cacert "$PKI/ca.pem" "$CENTRE_URL/healthz"
}

centre_stop()
{
    if [ -s "$RUN/centre/nginx.pid" ]; then
        say STOP "the centre"
        proc_stop TERM "$RUN/centre/nginx.pid"
    fi

    proc_stop TERM "$RUN/centre/fota-admin.pid"
}
