# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Clients that speak HTTP in ways that no good one does: old, slow, doubled,
forged and too much of it.  The worker answers as it should or closes, serves
the next, and the end of each test holds its log to have no alarm."""

import http.client
import json
import re
import socket
import time

import pytest

from support.edge import GATEWAY, Edge, artifact, policy, wait_for

FILE = artifact(100000, to="1.1.0")
CHECK = json.dumps({"tenant": "acme", "product": "cam", "device": "d",
                    "version": "1.0.0"}).encode()
REPORT = json.dumps({"tenant": "acme", "product": "cam", "device": "d",
                     "rollout": 7, "state": "succeeded", "seq": 1}).encode()
Q = "/fota/v1/check?tenant=acme&product=cam&device=d&version=1.0.0"


@pytest.fixture(scope="module")
def edge():
    with Edge(policy(artifacts=[FILE]), start=False,
              server="client_body_timeout 1s; client_header_timeout 1s;"
                     " keepalive_requests 100000;") as e:
        text = open(e.conf).read()
        with open(e.conf, "w") as f:
            f.write(text.replace("listen 127", "listen [::1]:%d; listen 127"
                                 % e.port, 1))
        e.start()
        yield e
        wait_for("all to end", lambda: e.status()["transfers"] == 0)


def talk(edge, *parts, host="127.0.0.1", pause=0):
    """What comes until the edge closes."""
    with socket.create_connection((host, edge.port)) as s:
        s.settimeout(20)
        for p in parts:
            s.sendall(p)
            time.sleep(pause)
        got = b""
        try:
            while more := s.recv(65536):
                got += more
        except ConnectionResetError:
            pass
        return got


def codes(got):
    return [int(c) for c in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


def post(where, body, more=b"", last=True):
    return (b"POST %s HTTP/1.1\r\nHost: x\r\n%s%sContent-Length: %d\r\n\r\n%s"
            % (where, b"Connection: close\r\n" if last else b"", more,
               len(body), body))


def chunked(where, body, more=b"", last=True):
    return (b"POST %s HTTP/1.1\r\nHost: x\r\n%s%s"
            b"Transfer-Encoding: chunked\r\n\r\n%s"
            % (where, b"Connection: close\r\n" if last else b"", more, body))


def get(path, *headers, version="1.1", method="GET", last=True):
    lines = ["%s %s HTTP/%s" % (method, path, version), *headers]
    if not any(h.lower().startswith("host:") for h in headers):
        lines.append("Host: x")
    if last:
        lines.append("Connection: close")
    return "\r\n".join(lines + ["", ""]).encode()


LAST = get("/healthz")


# Old and odd forms

def test_http_1_0(edge):
    got = talk(edge, b"GET %s HTTP/1.0\r\n\r\n" % Q.encode())
    assert codes(got) == [200] and b'"update":true' in got
    got = talk(edge, b"GET %s HTTP/1.0\r\nRange: bytes=7-16\r\n\r\n"
               % edge.path(FILE).encode())
    assert codes(got) == [206] and got.endswith(FILE["data"][7:17])
    got = talk(edge, b"POST /fota/v1/report HTTP/1.0\r\nContent-Length: %d"
               b"\r\n\r\n%s" % (len(REPORT), REPORT))
    assert codes(got) == [202]
    one = b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    assert codes(talk(edge, one + one + b"GET /healthz HTTP/1.0\r\n\r\n")) \
        == [200] * 3


def test_http_0_9(edge):
    got = talk(edge, b"GET %s\r\n" % edge.path(FILE).encode())
    assert got == FILE["data"]
    assert json.loads(talk(edge, b"GET %s\r\n" % Q.encode()))["update"]
    assert b'"code":"missing"' in talk(
        edge, b"GET %s\r\n" % edge.path(FILE).split("?")[0].encode())


def test_all_in_one_go(edge):
    """Pipelined, answered in order, the bodies where they belong."""
    a, b, path = [], [], edge.path(FILE)
    for i in range(30):
        a += [post(b"/fota/v1/check", CHECK, last=False),
              get(path, "Range: bytes=%d-%d" % (i, i + 9), last=False),
              get(path, method="HEAD", last=False),
              post(b"/fota/v1/report", REPORT, last=False),
              get(path, "Range: bytes=x", last=False),
              chunked(b"/fota/v1/check", b"0\r\n\r\n", last=False),
              get(Q, method="DELETE", last=False)]
        b += [200, 206, 200, 202, 416, 400, 405]
    got = talk(edge, b"".join(a) + LAST)
    assert codes(got) == b + [200]
    for i in range(30):
        assert FILE["data"][i:i + 10] + b"HTTP/1.1 200" in got


@pytest.mark.parametrize("form", ["http://other.example%s",
                                  "http://[::1]:1%s", "HTTP://x%s"])
def test_absolute_addresses(edge, form):
    path = edge.path(FILE)
    got = talk(edge, get(form % path))
    assert codes(got) == [200] and got.endswith(FILE["data"])
    assert codes(talk(edge, get(form % Q))) == [200]
    secret = path.split("t=")[1]
    assert secret not in edge.log()
    with open(edge.access_log) as f:
        assert secret not in f.read()


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PATCH",
                                    "PROPFIND", "M-SEARCH", "get", "LOCK",
                                    "PURGE", "GETX"])
@pytest.mark.parametrize("path", ["check", "report", "explain", "a",
                                  "/metrics", "/healthz", "/readyz",
                                  "/fota/status"])
def test_odd_methods(edge, method, path):
    path = {"check": Q, "a": edge.path(FILE)}.get(
        path, path if path[0] == "/" else "/fota/v1/" + path)
    got = talk(edge, get(path, method=method))
    assert codes(got) in ([405], [400]), got
    assert FILE["data"][:50] not in got
    assert codes(talk(edge, get("*", method="OPTIONS"))) in ([400], [404],
                                                             [405])


def test_head(edge):
    """As GET, without a body and with nothing delivered."""
    before = edge.metrics()
    for path, headers, status in (
            (Q, [], 200), (edge.path(FILE), [], 200),
            (edge.path(FILE), ["Range: bytes=1-5"], 206),
            (edge.path(FILE), ["Range: bytes=1-5,7-9"], 206),
            (edge.path(FILE), ["Range: bytes=999999-"], 416),
            (edge.path(FILE).split("?")[0], [], 401),
            ("/fota/v1/report", [], 405), ("/healthz", [], 200),
            ("/metrics", [], 200), ("/fota/status", [], 200)):
        got = talk(edge, get(path, *headers, method="HEAD"))
        assert codes(got) == [status], (path, got)
        assert got.endswith(b"\r\n\r\n") and got.count(b"\r\n\r\n") == 1
        want = talk(edge, get(path, *headers))
        assert codes(want) == codes(got) or path == "/fota/v1/report"
    after = edge.metrics()
    name = 'fota_download_bytes_total{class="0",kind="sent"}'
    # What GET was sent: a whole file, one range and a multipart answer.
    assert 100000 + 5 + 8 <= after[name] - before[name] < 101000


# Bodies

@pytest.mark.parametrize("where,body,status", [
    (b"/fota/v1/check", CHECK, 200), (b"/fota/v1/report", REPORT, 202)])
def test_chunks_with_extensions_and_trailers(edge, where, body, status):
    parts = b"".join(b"%x;name=\"v;\\\"\";x\r\n%s\r\n" % (1, body[i:i + 1])
                     for i in range(len(body)))
    got = talk(edge, chunked(where, parts + b"000;end\r\nX-Fota-Node: 9\r\n"
                             b"Authorization: Bearer x\r\n\r\n", last=False)
               + LAST)
    assert codes(got) == [status, 200], got


@pytest.mark.parametrize("body,status", [
    (b"zz\r\n", 400), (b"-1\r\n", 400), (b"\r\n", 400), (b"1\r\nab\r\n", 400),
    (b"ffffffffffffffff\r\n", 413), (b"fffffffffffffffff\r\n", 400),
    (b"7fffffffffffffff\r\n", 413),
    (b"5;" + b"x" * 70000 + b"\r\n", None),
])
@pytest.mark.parametrize("where", [b"/fota/v1/check", b"/fota/v1/report",
                                   b"/a/" + b"A" * 43])
def test_chunks_that_are_none(edge, where, body, status):
    method = b"GET" if where[1:2] == b"a" else b"POST"
    got = talk(edge, chunked(where, body).replace(b"POST", method))
    seen = codes(got)
    if method == b"GET":
        assert seen in ([401], [400], [413]), got
    else:
        assert seen == [status] or (status is None or status == 413) \
            and seen in ([], [400], [408], [413]), got


@pytest.mark.parametrize("more", [
    b"Transfer-Encoding: gzip\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: +5\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
])
def test_two_lengths_are_none(edge, more):
    got = talk(edge, post(b"/fota/v1/check", CHECK, more, last=False) + LAST)
    assert len(codes(got)) == 1 and codes(got)[0] in (400, 501), got


def test_expect_continue(edge):
    for where, body, status in ((b"/fota/v1/check", CHECK, 200),
                                (b"/fota/v1/report", REPORT, 202)):
        with socket.create_connection(("127.0.0.1", edge.port)) as s:
            s.settimeout(20)
            head = post(where, body, b"Expect: 100-continue\r\n")
            s.sendall(head[:-len(body)])
            assert s.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
            s.sendall(body)
            r = http.client.HTTPResponse(s)
            r.begin()
            assert r.status == status
            r.read()
    # A promise without a body, and one that nobody wants to be kept.
    for path in (edge.path(FILE), Q):
        assert codes(talk(edge, get(path, "Expect: 100-continue")))[-1] == 200
    assert codes(talk(edge, get(Q, "Expect: 200-maybe"))) == [200]


def test_bodies_that_never_come(edge):
    """Slow ones are 408 after the time nginx gives, and hold nobody up."""
    slow = []
    for i in range(60):
        s = socket.create_connection(("127.0.0.1", edge.port))
        s.settimeout(20)
        where, body = ((b"/fota/v1/check", CHECK) if i % 2
                       else (b"/fota/v1/report", REPORT))
        s.sendall(post(where, body)[:-10] if i % 3
                  else chunked(where, b"%x\r\n%s" % (len(body), body[:-9])))
        slow.append(s)
    t = time.monotonic()
    for _ in range(20):
        assert edge.check().status == 200
        assert edge.report(seq=3).status == 202
    assert time.monotonic() - t < 5
    for s in slow:
        got = b""
        while more := s.recv(4096):
            got += more
        assert codes(got) in ([408], []), got
        s.close()


# Doubled

def test_headers_twice(edge):
    """One of two counts, the same one always; never both, never a mix."""
    path = edge.path(FILE)
    bare, token = path.split("?t=")
    for lines in (["Range: bytes=0-9", "Range: bytes=50-59"],
                  ["Range: bytes=0-9", "X: y", "range: bytes=50-"],
                  ["Range: bytes=0-9", "If-Range: \"sha256-%s\""
                   % FILE["sha256"], "If-Range: W/\"x\""]):
        got = talk(edge, get(path, *lines))
        assert codes(got) in ([206], [400]), got
        if codes(got) == [206]:
            assert got.endswith(b"\r\n\r\n" + FILE["data"][:10])
    good, bad = "Authorization: FOTA " + token, "Authorization: FOTA AQAA"
    assert codes(talk(edge, get(bare, good, bad))) in ([200], [400])
    assert codes(talk(edge, get(bare, bad, good))) in ([403], [400])
    assert codes(talk(edge, get(bare + "?t=AQAA&t=" + token))) == [403]
    assert codes(talk(edge, get(bare + "?t=%s&t=AQAA" % token))) == [200]
    assert codes(talk(edge, get(bare + "?t=AQAA", good))) == [403]
    assert codes(talk(edge, get(path, "Host: a", "Host: b"))) == [400]


def test_credentials_twice():
    with Edge(policy(auth=("gateway",))) as e:
        good, bad = "Authorization: Bearer " + GATEWAY, "Authorization: Bearer x"
        assert codes(talk(e, get(Q, good))) == [200]
        assert codes(talk(e, get(Q, bad, good))) in ([401], [400])
        assert codes(talk(e, get(Q, good, bad))) in ([200], [400])
        for forged in ("X-Fota-Node: edge-1", "X-Fota-Tenant: acme",
                       "X-Fota-Device: d", "X-SSL-Client-Verify: SUCCESS",
                       "X-Client-Cert: x", "Proxy-Authorization: Bearer "
                       + GATEWAY):
            assert codes(talk(e, get(Q, forged))) == [401], forged


@pytest.mark.parametrize("n,size,status", [(200, 20, 200), (3000, 4, 400),
                                           (3, 8000, 200), (1, 9000, 400),
                                           (100, 3000, 400)])
def test_many_headers(edge, n, size, status):
    lines = ["X-%d: %s" % (i, "v" * size) for i in range(n)]
    for path in (Q, edge.path(FILE)):
        assert codes(talk(edge, get(path, *lines))) == [status]
    if status == 400:
        got = talk(edge, get(edge.path(FILE), "Range: bytes=" + ",".join(
            ["0-1"] * 4000)))
        assert codes(got) == [400]


@pytest.mark.parametrize("path", [
    "/a/%00", "/a/" + "A" * 42 + "%00", "/a//////", "/a/../fota/status/..",
    "/%2e%2e/%2e%2e/etc/passwd", "/a/" + "A" * 43 + "/..%2f..%2fx",
    "/a/" + "A" * 43 + "/" + "n" * 7000, "/a/" + "A" * 9000, "/a/%zz",
    "/fota/v1/check?" + "&" * 5000, "/fota/v1/check?=&==&t=",
    "/fota/v1/check?tenant=%00&product=%ff&device=%zz",
    "/a/" + "A" * 43 + "?t=" + "%41" * 2000,
])
def test_odd_addresses(edge, path):
    got = talk(edge, get(path))
    assert len(codes(got)) == 1 and codes(got)[0] in (400, 401, 403, 404,
                                                      414), got


# Where from

def test_an_address_is_what_the_connection_says(edge):
    """Unless nginx is told whom to believe (set_real_ip_from)."""
    near = edge.path(FILE, flags=1, ip="127.0.0.1", plen=120)
    far = edge.path(FILE, flags=1, ip="203.0.113.9", plen=120)
    forged = ["X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9",
              "Forwarded: for=203.0.113.9", "Client-IP: 203.0.113.9",
              "True-Client-IP: 203.0.113.9"]
    assert codes(talk(edge, get(near, *forged))) == [200]
    assert codes(talk(edge, get(far, *forged))) == [403]


def test_an_address_that_is_believed():
    """The last hop that is not ours; what the client wrote before it not."""
    with Edge(policy(artifacts=[FILE]), server="set_real_ip_from 127.0.0.1;"
              " set_real_ip_from 198.51.100.0/24; real_ip_recursive on;"
              " real_ip_header X-Forwarded-For;") as e:
        path = e.path(FILE, flags=1, ip="203.0.113.9", plen=120)
        six = e.path(FILE, flags=1, ip="2001:db8:1:2::3", plen=48)
        for hops, want, want6 in (
                ("203.0.113.77", 200, 403),
                ("192.0.2.1, 203.0.113.77, 198.51.100.7", 200, 403),
                ("203.0.113.77, 192.0.2.1", 403, 403),
                ("203.0.113.77, garbage", 403, 403),
                ("2001:db8:1:ffff::1", 403, 200), ("", 403, 403),
                ("::ffff:203.0.113.7", 200, 403)):
            got = [codes(talk(e, get(p, "X-Forwarded-For: " + hops)))
                   for p in (path, six)]
            assert got == [[want], [want6]], hops


def test_ipv6(edge):
    got = talk(edge, get(Q), host="::1")
    assert codes(got) == [200] and b'"update":true' in got
    for ip, plen, status in (("::1", 128, 200), ("::2", 127, 403),
                             ("::2", 48, 200), ("127.0.0.1", 128, 403),
                             ("2001:db8::1", 16, 403)):
        path = edge.path(FILE, flags=1, ip=ip, plen=plen)
        got = talk(edge, get(path, "Range: bytes=5-9"), host="::1")
        assert codes(got) == [206 if status == 200 else 403], ip
