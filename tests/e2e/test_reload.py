# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Reload and binary upgrade under running downloads lose nothing."""

import hashlib
import os
import signal
import ssl
import socket
import threading
import time
import urllib.parse

import pytest

from support.stack import image, sha, wait_for
from support.traffic import Traffic

SIZE = 3000000


@pytest.fixture(scope="module")
def fleet(rough):
    fleet = rough.fleet("reload")
    fleet.data = image(SIZE, 50)
    fleet.firmware("1.1.0", fleet.data)
    fleet.running = fleet.rollout("1.1.0")
    fleet.wait_offer()
    for edge in rough.edges:
        wait_for("prefetch", lambda e=edge: e.has(sha(fleet.data)))
    return fleet


class Slow(threading.Thread):
    """One download that takes its time, over one connection."""

    def __init__(self, fleet, edge, go):
        super().__init__(daemon=True)
        offer = fleet.offered(edge, "slow-%d" % id(self))
        self.url = urllib.parse.urlsplit(next(
            u["url"] for u in offer["urls"] if u["node"] == edge.name))
        self.ca = edge.centre.ca
        self.go = go
        self.started = threading.Event()
        self.ok = None
        self.start()

    def run(self):
        context = ssl.create_default_context(cafile=self.ca)
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.settimeout(60)
        raw.connect(("127.0.0.1", self.url.port))
        with context.wrap_socket(raw, server_hostname="localhost") as s:
            s.sendall(("GET %s?%s HTTP/1.1\r\nHost: localhost\r\n"
                       "Connection: close\r\n\r\n"
                       % (self.url.path, self.url.query)).encode())
            got = s.recv(50000)
            self.started.set()
            self.go.wait(60)
            while True:
                more = s.recv(65536)
                if not more:
                    break
                got += more
        body = bytes(got).split(b"\r\n\r\n", 1)[1]
        self.ok = (len(body), hashlib.sha256(body).hexdigest())


def reload(edge):
    old = edge.workers()
    os.kill(edge.master(), signal.SIGHUP)
    wait_for("new workers", lambda: set(edge.workers()) - set(old))


def upgrade(edge):
    """The sequence of nginx's manual; the new master is our child's."""
    old = edge.master()
    os.kill(old, signal.SIGUSR2)
    wait_for("a new master", lambda: edge.master() != old)
    wait_for("its workers", edge.workers)
    os.kill(old, signal.SIGWINCH)
    return old


@pytest.mark.parametrize("how", ["reload", "upgrade"])
def test_downloads_go_on(rough, fleet, how):
    edge = rough.edges[0]
    go = threading.Event()
    slow = [Slow(fleet, edge, go) for _ in range(4)]
    for s in slow:
        assert s.started.wait(30)

    with Traffic(fleet, fleet.running, fleet.data) as traffic:
        old = None
        if how == "reload":
            for _ in range(3):
                reload(edge)
                time.sleep(0.2)
        else:
            old = upgrade(edge)
            time.sleep(0.5)
        wait_for("new requests", lambda: traffic.downloads > 1)
        lost = traffic.lost
        go.set()
        for s in slow:
            s.join(60)
        if old is not None:
            os.kill(old, signal.SIGQUIT)
            edge.nginx.wait(60)
            edge.adopt()
        wait_for("more of them", lambda: (
            traffic.downloads > 3 and len(traffic.acked) > 50))

    for s in slow:
        assert s.ok == (SIZE, sha(fleet.data))
    # Kept connections of old workers are closed between requests only.
    assert lost <= 20, lost
    assert traffic.later == 0
    traffic.verify()
