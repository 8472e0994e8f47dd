# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The module among nginx's own: other guards, sub-requests, error pages,
filters and limits in the same place, as operators combine them."""

import socket
import threading
import time

import pytest

from support.edge import LOCATIONS, Edge, artifact, policy, wait_for

FILE = artifact(100000, to="1.1.0")
OTHER = artifact(1000, seed=5, to="1.1.0")
GONE = artifact(1000, seed=6, to="1.1.0")
COMPRESS = {"Accept-Encoding": "gzip, br, zstd, *"}
MANY = "bytes=" + ",".join("%d-%d" % (i, i) for i in range(0, 80, 2))


def place(name, text):
    return ('location ~ "^/%s/([\\w-]{43})(?:/[^/]*)?$" { alias %%(store)s/$1;'
            ' fota_download on; fota_token required; %s }\n' % (name, text))


PLACES = LOCATIONS + """
        location = /yes { internal; return 204; }
        location = /no { internal; return 403; }
        location = /ready { internal; fota_ready on; }
        location = /sub { internal; fota_check on; fota_auth open; }
        location @else { return 418 else; }
        location @token { fota_token required; return 200 passed; }
        location = /iffy/check {
            fota_check on;
            fota_auth open;
            if ($arg_x) { set $y 1; }
            if ($arg_z) { return 204; }
        }
        location = /ssi/page { ssi on; ssi_types *; alias %(store)s/page; }
""" + place("yes", "auth_request /yes;") \
    + place("no", "auth_request /no;") \
    + place("ready", "auth_request /ready;") \
    + place("sub", "auth_request /sub;") \
    + place("any", "satisfy any; allow 127.0.0.1; deny all;") \
    + place("none", "satisfy any; deny all;") \
    + place("all", "deny all;") \
    + place("page", "error_page 404 = @else;") \
    + place("again", "error_page 404 /a/$1;") \
    + place("guarded", "error_page 404 = @token;") \
    + place("if", 'if ($arg_x) { set $y 1; } if ($arg_z) { return 403; }') \
    + place("gzip", "gzip on; gzip_min_length 1; gzip_types *;"
            " gzip_vary on;") \
    + place("rate", "limit_rate 50k;") \
    + place("conn", "limit_rate 50k; limit_conn conn 1;"
            " limit_conn_status 429;") \
    + place("req", "limit_req zone=req; limit_req_status 429;") \
    + place("try", "try_files /nowhere @else;")


@pytest.fixture(scope="module")
def edge():
    with Edge(policy(artifacts=[FILE, OTHER, GONE]), locations=PLACES,
              http="limit_conn_zone $server_addr zone=conn:1m;"
                   "limit_req_zone $server_addr zone=req:1m rate=1r/m;"
                   "fota_rate_class 3 100k;") as e:
        with open(e.store + "/page", "w") as f:
            f.write('a<!--# include virtual="/fota/v1/check?tenant=acme&'
                    'product=cam&device=s&version=1.0.0" -->'
                    '<!--# include virtual="/healthz" -->b')
        yield e


def at(edge, where, a=FILE, **more):
    return edge.path(a, **more).replace("/a/", "/%s/" % where, 1)


def bare(edge, where, a=FILE):
    return at(edge, where, a).split("?")[0]


def missing(edge, where):
    return at(edge, where, dict(FILE, sha256="ab" * 32))


@pytest.mark.parametrize("where", ["a", "yes", "ready", "any", "page", "if",
                                   "again", "guarded", "gzip"])
def test_downloads_are_the_same_behind_other_guards(edge, where):
    url = at(edge, where)
    whole = edge.get(url, COMPRESS)
    assert whole.status == 200 and whole.body == FILE["data"]
    assert whole.headers["ETag"] == '"sha256-%s"' % FILE["sha256"]
    assert "Content-Encoding" not in whole.headers
    part = edge.get(url, dict(COMPRESS, Range="bytes=10-19"))
    assert part.status == 206 and part.body == FILE["data"][10:20]
    for value in (MANY, "bytes=0-,0-", "bytes=200000-"):
        answer = edge.get(url, {"Range": value})
        assert answer.status == 416, answer
        assert answer.headers["Content-Range"] == "bytes */100000"


@pytest.mark.parametrize("where,status", [("no", 403), ("all", 403),
                                          ("try", 418)])
def test_what_others_refuse_is_refused_with_a_token(edge, where, status):
    assert edge.get(at(edge, where)).status == status


@pytest.mark.parametrize("where", ["a", "yes", "ready", "page", "if", "again",
                                   "guarded", "gzip", "all", "no", "none",
                                   "rate", "try"])
def test_a_token_is_wanted_everywhere(edge, where):
    answer = edge.get(bare(edge, where))
    assert answer.status == 401, answer
    assert answer.headers.get_all("WWW-Authenticate") == ["FOTA"]


def test_any_of_two_guards(edge):
    """As nginx's own modules do it: one that lets pass is enough."""
    answer = edge.get(bare(edge, "any"), {"Range": "bytes=5-9"})
    assert answer.status == 206 and answer.body == FILE["data"][5:10]
    assert "WWW-Authenticate" not in answer.headers
    assert edge.get(at(edge, "any") + "x").status == 200
    assert edge.get(at(edge, "none")).status == 200
    answer = edge.get(at(edge, "none") + "x")
    assert answer.status == 403
    assert answer.headers["WWW-Authenticate"] == 'FOTA error="malformed"'
    answer = edge.get(at(edge, "none", nbf=1000, exp=2000))
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'FOTA error="expired"'


def test_error_pages(edge):
    answer = edge.get(missing(edge, "page"))
    assert (answer.status, answer.body) == (418, b"else")
    # Asked once for a request: a token that is good once would be used up.
    answer = edge.get(missing(edge, "guarded"))
    assert (answer.status, answer.body) == (200, b"passed")
    assert edge.get(missing(edge, "again")).status == 404
    once = at(edge, "guarded", dict(FILE, sha256="ab" * 32), flags=8)
    assert edge.get(once).body == b"passed"
    assert edge.get(once).status == 403


def test_a_check_that_nobody_sees(edge):
    """auth_request on a check: a 400 of it is an error of the place."""
    with open(edge.error_log, errors="replace") as f:
        at_byte = len(f.read())
    assert edge.get(at(edge, "sub")).status == 500
    assert "auth request unexpected status: 400" in edge.log()[at_byte:]
    assert edge.get("/healthz").status == 200


def test_included_in_a_page(edge):
    answer = edge.get("/ssi/page")
    assert answer.status == 200
    assert answer.body.startswith(b'a{"') and answer.body.endswith(b"b")
    assert b'"update":true' in answer.body


def test_in_a_place_with_if(edge):
    q = "tenant=acme&product=cam&device=i&version=1.0.0"
    for more, status in (("", 200), ("&x=1", 200), ("&z=1", 204)):
        assert edge.get("/iffy/check?%s%s" % (q, more)).status == status
    assert edge.get(at(edge, "if") + "&z=1").status == 403
    assert edge.get(at(edge, "if") + "&x=1").body == FILE["data"]


def test_rates(edge):
    """The token's class is the rate where it has one."""
    def seconds(where, **more):
        t = time.monotonic()
        assert edge.get(at(edge, where, **more)).body == FILE["data"]
        return time.monotonic() - t

    assert seconds("a") < 0.8
    assert 0.8 < seconds("rate") < 4
    assert seconds("rate", **{"class": 3}) < seconds("rate")


def test_limits_of_requests_and_connections(edge):
    slow = threading.Thread(target=edge.get, args=(at(edge, "conn"),))
    before = edge.status()["transfers"]
    slow.start()
    wait_for("download", lambda: edge.status()["transfers"] == before + 1)
    for _ in range(5):
        assert edge.get(at(edge, "conn")).status == 429
    slow.join()
    assert edge.get(at(edge, "conn", OTHER)).status == 200
    got = [edge.get(at(edge, "req", OTHER)).status for _ in range(4)]
    assert sorted(got) == [200, 429, 429, 429]
    wait_for("end", lambda: edge.status()["transfers"] == before)
