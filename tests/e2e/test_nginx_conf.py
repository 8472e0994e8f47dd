# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""nginx -t names file and line of whatever is wrong in a directive."""

import os
import re
import subprocess

import pytest

from support.edge import (ASAN, MODULE, NGINX, TOP, Edge,
                          certificates, policy)
from support.mmdb import maxmind, write_mmdb

# Directive in the http block (spool "" is left out), and what is said of it.
HTTP = [
    ("fota_db;", "invalid number of arguments"),
    ("fota_db /etc/hostname;", "is not a directory"),
    ("fota_db %(dir)s/policy size=1;", 'at least "map_size='),
    ("fota_db %(dir)s/policy map_size=10k;", 'at least "map_size='),
    ("fota_db %(dir)s/policy map_size=65t;", "at (most|least)"),
    ("fota_db %(dir)s/policy map_size=99999g;", "at most"),
    ("fota_db %(dir)s/policy; fota_db %(dir)s/policy;", "is duplicate"),
    ("fota_zone a 10k;", "too small"),
    ("fota_zone a x;", "invalid zone size"),
    ("fota_spool /nonexistent;", "cannot be used"),
    ("fota_spool /etc/hostname;", "is not a directory"),
    ("fota_spool %(dir)s/spool ack=never;", 'must be "ack=disk"'),
    ("fota_spool %(dir)s/spool commit=0;", "must lie between"),
    ("fota_spool %(dir)s/spool commit=1h;", "must lie between"),
    ("fota_spool %(dir)s/spool size=1;", "at least"),
    ("fota_spool %(dir)s/spool foo=1;", "invalid parameter"),
    ("fota_geoip /nonexistent.mmdb;", "cannot be opened"),
    ("fota_geoip /tmp;", "not a regular file"),
    ("fota_geoip %(dir)s/bad.mmdb;", "location database"),
    ("fota_geoip %(dir)s/geo.mmdb fields=x;", 'must be "fields=auto"'),
    ("fota_geoip %(dir)s/geo.mmdb auto_reload=x;", "invalid time"),
    ("fota_geoip asn=%(dir)s/geo.mmdb;", "needs a file in front"),
    ("fota_geoip %(dir)s/geo.mmdb %(dir)s/geo.mmdb x;",
     "invalid parameter"),
    ("fota_node_id %s;" % ("n" * 129), "1 to 128 bytes"),
    ("fota_select band=0.5;", "must lie between"),
    ("fota_select min=x;", "must lie between"),
    ("fota_select min=2.5;", "must lie between"),
    ("fota_select foo=1;", "invalid parameter"),
    ("fota_select band=2; fota_select min=3;", "is duplicate"),
    ("fota_rate_class 1 1m; fota_rate_class 2 1m; fota_rate_class 1 2m;",
     "is duplicate"),
    ("fota_rate_class 256 1m;", "must be 0 to 255"),
    ("fota_rate_class 1 fast;", "invalid rate"),
    ("fota_max_stale_offer x;", "invalid value"),
    ("fota_lua /nonexistent.lua;", "cannot be opened"),
    ("fota_lua %(dir)s/bad.lua;", r"bad\.lua:2:"),
    ("fota_lua %(dir)s/good.lua; fota_lua_trusted %(dir)s/good.lua;",
     "is duplicate"),
    ("fota_lua_fail maybe;", "invalid value"),
    ("fota_lua_limits instructions=1;", "must lie between"),
    ("fota_lua_limits memory=1k;", "at least"),
    ("fota_lua_limits time=1;", "invalid parameter"),
    ("fota_lua_limits memory=1m; fota_lua_limits memory=1m;",
     "is duplicate"),
]

LOCATION = [
    ("fota_check maybe;", 'must be "on" or "off"'),
    ("fota_check on; fota_report on;", "another content handler"),
    ("fota_check on; proxy_pass http://127.0.0.1:1;",
     "another content handler"),
    ("fota_metrics on; proxy_pass http://127.0.0.1:1;",
     "another content handler"),
    ("fota_auth password;", "invalid value"),
    ("fota_token maybe;", "invalid value"),
    ("fota_token_bind ip=24;", 'must be "ip=V4,V6"'),
    ("fota_token_bind ip=33,48;", 'must be "ip=V4,V6"'),
    ("fota_token_bind mac;", "invalid parameter"),
    ("fota_max_ranges 0;", "must be between 1 and 256"),
    ("fota_seen maybe;", 'must be "on" or "off"'),
    ("fota_seen on interval=0;", "must lie between"),
    ("fota_seen on foo;", "invalid parameter"),
]

# What needs something else to be configured.
NEED = [
    ("fota_check on;", 'needs "fota_db"'),
    ("fota_explain on;", 'needs "fota_db"'),
    ("fota_report on;", 'needs "fota_db"'),
    ("fota_token required;", 'needs "fota_db"'),
    ("fota_seen on;", 'needs "fota_spool"'),
]


def bare(http="", location="", **more):
    return Edge(http=http, locations="location /x { %s }" % location,
                start=False, spool=None, node=None, db=False, **more)


def files(edge):
    with open(os.path.join(edge.dir, "bad.mmdb"), "wb") as f:
        f.write(b"no database")
    write_mmdb(os.path.join(edge.dir, "geo.mmdb"),
               {"192.0.2.0/24": maxmind("JP", city="Tokyo")})
    with open(os.path.join(edge.dir, "bad.lua"), "w") as f:
        f.write("return function(ctx)\n  if then\nend\n")
    with open(os.path.join(edge.dir, "good.lua"), "w") as f:
        f.write("return function(ctx) return nil end\n")


def refused(edge, says):
    code, text = edge.test()
    try:
        assert code != 0, text
        first = [line for line in text.splitlines() if "[emerg]" in line][0]
        assert re.search(says, first), first
        assert re.search(r" in \S*nginx\.conf:\d+$", first), first
    finally:
        edge.stop(check=False)


@pytest.mark.parametrize("directive,says", HTTP)
def test_http_directive_refused(directive, says):
    edge = bare()
    files(edge)
    edge.extra = (directive % {"dir": edge.dir}, "", "")
    edge.write_conf()
    refused(edge, says)


@pytest.mark.parametrize("directive,says", LOCATION)
def test_location_directive_refused(directive, says):
    edge = bare(location=directive)
    edge.extra = ("fota_db %s; fota_spool %s;" % (edge.db, edge.spool), "",
                  "")
    edge.write_conf()
    refused(edge, says)


@pytest.mark.parametrize("directive,says", NEED)
def test_what_is_needed_is_named(directive, says):
    refused(bare(location=directive), says)


def test_a_spool_that_workers_may_not_write():
    if os.getuid() != 0:
        pytest.skip("only root has workers of another user")
    edge = bare()
    os.chmod(edge.spool, 0o700)
    edge.extra = ("fota_spool %s;" % edge.spool, "", "")
    text = edge.write_conf().replace("user root;", "user nobody nogroup;")
    with open(edge.conf, "w") as f:
        f.write(text)
    refused(edge, "workers may not write")


def as_nobody(edge):
    text = edge.write_conf().replace("user root;", "user nobody nogroup;")
    with open(edge.conf, "w") as f:
        f.write(text)


@pytest.mark.parametrize("what,mode", [("geo.mmdb", 0o600), ("", 0o700)])
def test_places_that_workers_may_not_read(what, mode):
    """root may, who checks the configuration."""
    if os.getuid() != 0:
        pytest.skip("only root has workers of another user")
    edge = bare()
    files(edge)
    os.chmod(os.path.join(edge.dir, what), mode)
    edge.extra = ("fota_geoip %s/geo.mmdb;" % edge.dir, "", "")
    as_nobody(edge)
    refused(edge, r"workers may not read .*geo\.mmdb")


@pytest.mark.parametrize("what,mode,says", [
    ("", 0o700, "enter"), ("current", 0o700, "enter"),
    ("current/data.mdb", 0o600, "read"), ("current/lock.mdb", 0o644, "write"),
])
def test_a_policy_that_workers_may_not_read(what, mode, says):
    """It is data: told of, and no reason not to start."""
    if os.getuid() != 0:
        pytest.skip("only root has workers of another user")
    edge = Edge(policy(), locations="location /x { fota_check on; }",
                start=False, spool=None, node=None)
    for name, usual in (("", 0o755), ("current", 0o755),
                        ("current/data.mdb", 0o644),
                        ("current/lock.mdb", 0o666)):
        os.chmod(os.path.join(edge.db, name), usual)
    as_nobody(edge)
    assert "workers" not in edge.test()[1]
    os.chmod(os.path.join(edge.db, what), mode)
    code, text = edge.test()
    assert code == 0, text
    assert re.search(r"workers may not %s .* in \S*nginx\.conf:\d+" % says,
                     text), text
    edge.stop(check=False)


def test_a_policy_that_is_not_there_yet_is_no_error():
    edge = bare(location="fota_check on;")
    edge.extra = ("fota_db %s;" % edge.db, "", "")
    edge.write_conf()
    code, text = edge.test()
    assert code == 0, text
    assert "does not exist yet" in text
    assert not os.path.exists(edge.db)
    edge.stop(check=False)


def test_everything_right_is_accepted():
    edge = bare(location="fota_check on; fota_auth device mtls; "
                         "fota_seen on interval=10m; "
                         "fota_token_bind ip=24,48 cert;")
    files(edge)
    edge.extra = ("""
        fota_db %(dir)s/policy map_size=64m;
        fota_zone edge 2m;
        fota_node_id tokyo-1;
        fota_spool %(dir)s/spool ack=disk commit=5ms size=16m;
        fota_geoip %(dir)s/geo.mmdb auto_reload=5s fields=maxmind;
        fota_select band=2 min=4 band_km=50 max_km=5000 health=30s;
        fota_rate_class 1 64k;
        fota_rate_class 2 1m;
        fota_max_stale_offer 1h;
        fota_lua %(dir)s/good.lua;
        fota_lua_fail closed;
        fota_lua_limits instructions=50000 memory=1m;
        """ % {"dir": edge.dir}, "", "")
    edge.write_conf()
    code, text = edge.test()
    assert code == 0, text
    edge.stop(check=False)


def test_the_example_is_accepted(tmp_path):
    """conf/nginx-edge.conf with the paths of this test."""
    d = str(tmp_path)
    tls = certificates(d)
    with open(os.path.join(TOP, "conf", "nginx-edge.conf")) as f:
        text = f.read()
    for name in ("policy", "spool", "store", "log"):
        os.mkdir(os.path.join(d, name))
    # The laboratory's server and the optional files are tried as well.
    text = re.sub(r"^    # (?=server \{|}|    |fota_)", "    ", text,
                  flags=re.M)
    for a, b in (("modules/ngx_http_fota_module.so", MODULE),
                 ("/var/lib/fota-edge/geo/city.mmdb", d + "/geo.mmdb"),
                 ("/etc/fota-edge/policy.lua", TOP + "/lua/policy.lua"),
                 ("/var/lib/fota-edge", d), ("/var/log/nginx", d + "/log"),
                 ("/var/cache/nginx", d), ("/run/nginx.pid", d + "/pid"),
                 ("/etc/fota-edge/tls/device-ca.pem", tls["ca"]),
                 ("/etc/fota-edge/tls/centre-ca.pem", tls["ca"]),
                 ("centre.example.net:9443", "127.0.0.1:9443")):
        assert a in text, a
        text = text.replace(a, b)
    text = re.sub(r"/etc/fota-edge/tls/\w+\.pem", tls["cert"], text)
    text = re.sub(r"/etc/fota-edge/tls/\w+\.key", tls["key"], text)
    if os.getuid() == 0:
        text = text.replace("user www-data;", "user root;")
    if ASAN:
        text = re.sub("(?m)^load_module.*$", "", text)
    write_mmdb(d + "/geo.mmdb", {"192.0.2.0/24": maxmind("JP")})
    conf = os.path.join(d, "nginx.conf")
    with open(conf, "w") as f:
        f.write(text)
    r = subprocess.run([NGINX, "-t", "-c", conf, "-p", d],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    # 8080 of the laboratory is there, so the comments were opened.
    assert re.search(r"^\s*listen 127\.0\.0\.1:8080;", text, re.M)
