# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Delivered bytes: all that a device has got, nothing that it has not, however
its requests share connections and however these end."""

import signal
import socket
import struct
import subprocess
import time

import pytest

from support.edge import Edge, artifact, certificates, policy, wait_for

SMALL = artifact(16000, to="1.1.0")
BIG = artifact(4 << 20, seed=2, to="1.1.0")
RANGE = "bytes=0-7999"
PART = 8000
MANY = 101


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    tls = certificates(str(tmp_path_factory.mktemp("tls")))
    e = Edge(policy(artifacts=[SMALL, BIG]), tls=tls, start=False,
             server="client_header_buffer_size 64k;")
    e.unix = e.dir + "/unix"
    text = open(e.conf).read().replace(" ssl;", " ssl http2;").replace(
        "listen 127.0.0.1:%d ;" % e.port,
        "listen 127.0.0.1:%d; listen unix:%s;" % (e.port, e.unix))
    with open(e.conf, "w") as f:
        f.write(text)
    e.start()
    with e:
        yield e


class Count:
    """What the counters say since it was made."""

    def __init__(self, edge):
        self.edge, self.before = edge, [0, 0]
        self.before = self.now()

    def now(self):
        m = self.edge.metrics()
        return [sum(v for k, v in m.items() if 'kind="%s"' % kind in k)
                - old for kind, old in zip(("delivered", "sent"),
                                           self.before)]

    def becomes(self, n):
        try:
            wait_for("bytes", lambda: self.now() == [n, n], timeout=3)
        except AssertionError:
            assert self.now() == [n, n]


def pipelined(edge, n, receive=None):
    s = socket.socket()
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(20)
    s.connect(("127.0.0.1", edge.port))
    s.sendall(("GET %s HTTP/1.1\r\nHost: x\r\nRange: %s\r\n\r\n"
               % (edge.path(SMALL), RANGE)).encode() * n)
    return s


@pytest.mark.parametrize("cert", [False, None], ids=["tcp", "tls"])
def test_many_small_ranges_of_one_connection(edge, cert):
    path, count = edge.path(SMALL), Count(edge)
    c = edge.connect(cert)
    for _ in range(MANY):
        c.request("GET", path, headers={"Range": RANGE})
        assert len(c.getresponse().read()) == PART
    count.becomes(MANY * PART)
    c.close()


@pytest.mark.parametrize("cert", [False, None], ids=["tcp", "tls"])
def test_devices_that_leave_at_once(edge, cert):
    path, count = edge.path(SMALL), Count(edge)
    for _ in range(10):
        assert edge.get(path, cert=cert).body == SMALL["data"]
    count.becomes(10 * SMALL["size"])


def test_pipelined_to_a_slow_reader(edge):
    count = Count(edge)
    s, got = pipelined(edge, MANY, 8192), b""
    while (got.count(b"206 Partial") < MANY
           or len(got.rsplit(b"\r\n\r\n", 1)[1]) < PART):
        got += s.recv(4096)
        time.sleep(0.001)
    count.becomes(MANY * PART)
    s.close()


@pytest.mark.parametrize("reset", [True, False])
def test_pipelined_and_given_up(edge, reset):
    """What nginx has answered and the socket holds never arrives."""
    count = Count(edge)
    s = pipelined(edge, 30, 8192)
    wait_for("answers", lambda: count.now()[1] == 30 * PART)
    time.sleep(0.1)
    if reset:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 0))
    s.close()
    time.sleep(0.2)
    # It was never read: at most what the receiver's buffer took.
    assert count.now()[0] <= 16384


def test_a_closing_request_after_a_download(edge):
    """nginx closes at once then, without a word to anybody."""
    path, count = edge.path(SMALL), Count(edge)
    c = edge.connect(False)
    for _ in range(10):
        c.request("GET", path)
        assert c.getresponse().read() == SMALL["data"]
        c.request("GET", "/healthz", headers={"Connection": "close"})
        c.getresponse().read()
    count.becomes(10 * SMALL["size"])


@pytest.mark.parametrize("how", [
    ["--http1.0"], ["--http1.1"], ["--http1.1", "-H", "Connection: close"],
    ["unix"], ["tls", "--http1.1"], ["tls", "--http2"],
], ids=" ".join)
def test_whole_files_in_every_way(edge, how):
    url = "http://127.0.0.1:%d" % edge.port
    how = list(how)
    if "tls" in how:
        how.remove("tls")
        url = "https://127.0.0.1:%d" % edge.tls_port
    if "unix" in how:
        how = ["--unix-socket", edge.unix]
    for a in SMALL, BIG:
        count = Count(edge)
        r = subprocess.run(["curl", "-sk", *how, url + edge.path(a)],
                           capture_output=True)
        assert r.stdout == a["data"]
        count.becomes(a["size"])


def test_many_streams(edge):
    url = "https://127.0.0.1:%d%s" % (edge.tls_port, edge.path(SMALL))
    count = Count(edge)
    assert subprocess.run(["curl", "-skZ", "--http2", "--parallel-max", "40",
                           *(["-o", "/dev/null", url] * 40)]).returncode == 0
    count.becomes(40 * SMALL["size"])


def test_a_reload_meanwhile():
    """The last bytes are counted by a worker that ends."""
    with Edge(policy(artifacts=[BIG]),
              server="limit_rate 2m; sendfile_max_chunk 64k;") as e:
        path, count = e.path(BIG), Count(e)
        c = e.connect()
        c.request("GET", path)
        r = c.getresponse()
        old, = e.worker_pids()
        e.signal(signal.SIGHUP)
        assert r.read() == BIG["data"]
        c.close()
        wait_for("end of the old worker", lambda: old not in e.worker_pids())
        count.becomes(BIG["size"])
