# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""HTTP/2 frame by frame: streams that share a connection, windows that stay
shut, streams that are reset at every moment, and what is counted of them."""

import json
import time

import pytest

from support.edge import (Edge, artifact, certificates, policy, spool_records,
                          wait_for)
from support.h2 import DATA, END_STREAM, WINDOW_DEFAULT, H2

BIG = artifact(4 << 20, to="1.1.0")
Q = "/fota/v1/check?tenant=acme&product=cam&device=d&version=1.0.0"
CHECK = json.dumps({"tenant": "acme", "product": "cam", "device": "d",
                    "version": "1.0.0"}).encode()
REPORT = json.dumps({"tenant": "acme", "product": "cam", "device": "d",
                     "rollout": 7, "state": "succeeded", "seq": 1}).encode()


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    tls = certificates(str(tmp_path_factory.mktemp("tls")))
    e = Edge(policy(artifacts=[BIG]), tls=tls, start=False,
             server="client_body_timeout 1s; send_timeout 2s;"
                    " keepalive_requests 100000;")
    text = open(e.conf).read().replace(" ssl;", " ssl http2;")
    with open(e.conf, "w") as f:
        f.write(text)
    e.start()
    with e:
        yield e
        wait_for("all to end", lambda: e.status()["transfers"] == 0)


def bytes_of(edge, kind):
    return sum(v for k, v in edge.metrics().items()
               if 'kind="%s"' % kind in k)


def idle(edge):
    wait_for("all to end", lambda: edge.status()["transfers"] == 0)


def test_all_kinds_on_one_connection(edge):
    with H2(edge.tls_port) as c:
        path = edge.path(BIG)
        want = {}
        for i in range(20):
            want[c.ask(Q)] = 200
            want[c.ask("/fota/v1/check", "POST", body=CHECK)] = 200
            want[c.ask("/fota/v1/report", "POST", body=REPORT)] = 202
            want[c.ask(path, headers=[("range", "bytes=%d-%d"
                                       % (i, i + 99))])] = 206
            want[c.ask(path, "HEAD")] = 200
            want[c.ask(path, headers=[("range", "bytes=0-,0-")])] = 416
            want[c.ask("/fota/v1/check", "POST", body=b"{")] = 400
            want[c.ask(path.split("?")[0])] = 401
        c.end(*want)
        assert {n: c.status[n] for n in want} == want
        for n in want:
            if want[n] == 206:
                i = (n - 7) // 16
                assert c.body[n] == BIG["data"][i:i + 100]
        assert not c.reset


def test_a_stream_that_is_reset(edge):
    """Its window was all it got; another stream goes on."""
    idle(edge)
    before = {k: bytes_of(edge, k) for k in ("sent", "delivered")}
    path = edge.path(BIG, deployment=77)
    with H2(edge.tls_port) as c:
        c.give(0, 1 << 24)
        a, b = c.ask(path), c.ask(path)
        c.until(lambda: len(c.body.get(a, b"")) == WINDOW_DEFAULT
                and len(c.body.get(b, b"")) == WINDOW_DEFAULT)
        assert edge.status()["transfers"] == 2
        c.cancel(a)
        wait_for("end of one", lambda: edge.status()["transfers"] == 1)
        c.give(b, 1 << 23)
        c.end(b)
        assert c.body[b] == BIG["data"] and a not in c.reset
        assert c.body[a] == BIG["data"][:WINDOW_DEFAULT]
        n = c.ask(Q)
        c.end(n)
        assert c.status[n] == 200
    total = BIG["size"] + WINDOW_DEFAULT
    wait_for("bytes", lambda: bytes_of(edge, "delivered")
             - before["delivered"] == total, timeout=3)
    assert bytes_of(edge, "sent") - before["sent"] == total
    wait_for("records", lambda: sorted(
        r["delivered"] for _, _, r in spool_records(edge.spool)
        if r["rollout"] == 77) == [WINDOW_DEFAULT, BIG["size"]])


def test_reset_at_every_moment(edge):
    """Before the answer, while the disk is waited for, in the middle."""
    idle(edge)
    path = edge.path(BIG)
    before = bytes_of(edge, "delivered")
    with H2(edge.tls_port) as c:
        c.give(0, 1 << 30)
        for i in range(100):
            for n in (c.ask(path), c.ask(Q), c.ask(
                    "/fota/v1/report", "POST", body=REPORT), c.ask(
                    "/fota/v1/check", "POST", body=CHECK[:20], end=False)):
                if i % 3:
                    c.give(n, 1 + i * 999) if i % 2 else None
                c.cancel(n)
        # While reports wait for the disk their streams count as open: more
        # than http2_max_concurrent_streams are refused (7).
        for _ in range(100):
            n = c.ask(Q)
            c.end(n)
            if c.reset.get(n) != 7:
                break
            time.sleep(0.05)
        assert c.status[n] == 200
        idle(edge)
        got = sum(len(b) for s, b in c.body.items() if s != n)
        time.sleep(0.3)
        assert bytes_of(edge, "delivered") - before <= got
    assert edge.report(seq=9).status == 202


def test_a_window_that_stays_shut(edge):
    """nginx gives the reader send_timeout, then lets it go, not the edge."""
    idle(edge)
    path = edge.path(BIG)
    before = bytes_of(edge, "delivered")
    with H2(edge.tls_port, window=0) as c:
        for _ in range(20):
            c.ask(path)
        wait_for("streams", lambda: edge.status()["transfers"] == 20)
        for _ in range(10):
            assert edge.check().status == 200
        idle(edge)
    assert bytes_of(edge, "delivered") == before


def test_bodies_in_drops_and_bodies_that_lie(edge):
    with H2(edge.tls_port) as c:
        n = c.ask("/fota/v1/check", "POST", end=False)
        for i in range(len(CHECK)):
            c.frame(DATA, END_STREAM if i == len(CHECK) - 1 else 0, n,
                    CHECK[i:i + 1])
        c.end(n)
        assert c.status[n] == 200
        # Shorter and longer than announced.
        for body in (CHECK[:-5], CHECK + b"     "):
            n = c.ask("/fota/v1/check", "POST", body=body, headers=[
                ("content-length", str(len(CHECK)))])
            c.end(n)
            assert c.status.get(n, 400) == 400 and (n in c.status
                                                    or n in c.reset)
        # One that never comes.
        n = c.ask("/fota/v1/report", "POST", body=REPORT[:9], end=False)
        m = c.ask(Q)
        c.end(m)
        assert c.status[m] == 200
        c.until(lambda: n in c.status or n in c.reset)
        assert c.status.get(n, 408) == 408


def test_a_connection_that_goes_while_all_runs(edge):
    idle(edge)
    path = edge.path(BIG)
    before = bytes_of(edge, "delivered")
    for i in range(10):
        with H2(edge.tls_port) as c:
            c.give(0, 1 << 24)
            streams = [c.ask(path) for _ in range(5)]
            c.ask("/fota/v1/report", "POST", body=REPORT)
            for n in streams[:i % 5]:
                c.cancel(n)
            if i % 2:
                c.until(lambda: len(c.body.get(streams[-1], b"")) > 30000)
    idle(edge)
    time.sleep(0.3)
    assert bytes_of(edge, "delivered") - before <= 50 * WINDOW_DEFAULT
    assert edge.check().status == 200


def test_fields_that_are_doubled_or_unknown(edge):
    with H2(edge.tls_port) as c:
        path = edge.path(BIG)
        for headers, status in (
                ([("range", "bytes=0-9"), ("range", "bytes=50-59")], 206),
                ([("x-%d" % i, "v") for i in range(500)], 200),
                ([("te", "trailers"), ("x-fota-node", "edge-1")], 200)):
            n = c.ask(path, "GET" if status == 206 else "HEAD",
                      headers=headers)
            c.end(n)
            assert c.status[n] == status or c.status[n] == 400
            if c.status[n] == 206:
                assert c.body[n] == BIG["data"][:10]
        for method in ("CONNECT", "OPTIONS", "TRACE", "PATCH"):
            n = c.ask(path, method)
            c.end(n)
            assert c.status.get(n, 400) in (400, 405)
