# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""fota device simulate before an edge that is slow, broken or hostile."""

import base64
import hashlib
import http.server
import json
import os
import resource
import signal
import subprocess
import threading
import time

import pytest

from support.centre import BUILD

FOTA = os.path.join(BUILD, "fota")
DATA = hashlib.sha256(b"seed").digest() * 40000
SIZE = len(DATA)


class Edge(http.server.ThreadingHTTPServer):
    """Offers DATA at the nodes "a" and "b" and takes reports; a test says
    what a node sends in place of the range."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        self.sends = {}             # node: (handler, first, last)
        self.wrong = {}             # members of the offer's artifact
        self.refuse = None          # status of a report
        self.asked, self.reports, self.sent = [], [], 0
        self.updated = False
        threading.Thread(target=self.serve_forever, args=(0.05,),
                         daemon=True).start()

    def handle_error(self, request, address):
        pass                        # the device hung up

    def offer(self, avoid):
        if self.updated:
            return {"update": False, "reason": "current", "poll_s": 60}
        artifact = {"type": "full", "format": "raw", "size": SIZE,
                    "sha256": hashlib.sha256(DATA).hexdigest(),
                    "signature": base64.b64encode(bytes(64)).decode()}
        artifact.update(self.wrong)
        nodes = [n for n in "ab" if n not in avoid] or ["b"]
        return {"update": True, "reason": "offer", "poll_s": 60,
                "version": "2.0", "kind": "os", "rollout": 1,
                "artifact": artifact,
                "urls": [{"url": "%s/%s" % (self.url, n), "node": n}
                         for n in nodes]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.sent += len(body)

    def do_POST(self):
        body = json.loads(self.rfile.read(
            int(self.headers["Content-Length"])))
        if self.path.endswith("/report"):
            self.server.reports.append(body)
            return self.answer(self.server.refuse or 202)
        self.answer(200, json.dumps(
            self.server.offer(body.get("avoid", []))).encode())

    def do_GET(self):
        node = self.path[1:2]
        first, last = [int(n) for n in
                       self.headers["Range"][6:].split("-")]
        self.server.asked.append((node, first, last))
        self.server.sends.get(node, good)(self, first, last)


def good(h, first, last, data=DATA):
    h.answer(206, data[first:last + 1], Content_Range="bytes %d-%d/%d" % (
        first, last, SIZE))


def endless(h, first, last):
    h.send_response(206)
    h.send_header("Content-Range", "bytes %d-%d/%d" % (first, last, SIZE))
    h.end_headers()
    h.close_connection = True
    for _ in range(4000):
        h.wfile.write(bytes(65536))
        h.server.sent += 65536


def longer(h, first, last):
    h.answer(206, DATA[first:last + 1] + b"more",
             Content_Range="bytes %d-%d/%d" % (first, last, SIZE))


def shorter(h, first, last):
    h.answer(206, DATA[first:last],
             Content_Range="bytes %d-%d/%d" % (first, last - 1, SIZE))


def other_range(h, first, last):
    h.answer(206, DATA[:last + 1 - first],
             Content_Range="bytes 7-%d/%d" % (last + 7 - first, SIZE))


def whole(h, first, last):
    h.answer(200, bytes(SIZE))


def elsewhere(h, first, last):
    h.answer(302, Location=h.server.url + "/c")


def zipped(h, first, last):
    h.answer(206, b"\x1f\x8b" + bytes(last - first - 1),
             Content_Encoding="gzip",
             Content_Range="bytes %d-%d/%d" % (first, last, SIZE))


def broken(h, first, last):
    h.send_response(206)
    h.send_header("Content-Range", "bytes %d-%d/%d" % (first, last, SIZE))
    h.send_header("Content-Length", str(last + 1 - first))
    h.end_headers()
    h.wfile.write(DATA[first:first + (last - first) // 2])
    h.close_connection = True


def colours(h, first, last):
    h.answer(403, b"", WWW_Authenticate="FOTA \x1b[31mred")


@pytest.fixture
def edge():
    server = Edge()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def command(edge, folder, *args):
    return [FOTA, "device", "simulate", "--id", "cam-1", "--edge", edge.url,
            "--tenant", "acme", "--product", "cam", "--version", "1.0",
            "--dir", str(folder), "--once", *args]


def env():
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FOTA_")}
    return {**kept, "FOTA_CONF": "/nonexistent"}


def be(edge, folder, *args, limit=None):
    def before():
        # As a full disk: a write fails, nobody is killed.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(command(edge, folder, *args), env=env(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120,
                          preexec_fn=before if limit else None)


@pytest.mark.parametrize("sends", [
    endless, longer, shorter, other_range, whole, elsewhere, zipped, broken,
    colours])
def test_one_hostile_node(edge, tmp_path, sends):
    """What one node does wrongly another makes good, at a small price."""
    edge.sends["a"] = sends
    done = be(edge, tmp_path / "d", "--json", "--range", "400000")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["ok"] and said["version"] == "2.0" and said["node"] == "b"
    assert (tmp_path / "d" / "image").read_bytes() == DATA
    assert edge.sent < 12 << 20
    assert "\x1b" not in done.stderr
    assert [r["state"] for r in edge.reports] == [
        "downloading", "downloaded", "installing", "succeeded"]
    assert not [n for n, _, _ in edge.asked if n == "c"]


def test_what_is_held_outlives_a_hostile_node(edge, tmp_path):
    """A node that sends another range costs nothing that came before."""
    be(edge, tmp_path / "d", "--range", "100000", "--stop-after", "500000")
    held = max(last + 1 for _, _, last in edge.asked)
    assert held >= 500000
    edge.asked.clear()
    edge.sends["a"] = whole
    assert be(edge, tmp_path / "d", "--range", "100000").returncode == 0
    assert min(first for n, first, _ in edge.asked if n == "b") >= 500000


def test_no_room(edge, tmp_path):
    done = be(edge, tmp_path / "d", limit=SIZE // 2)
    assert done.returncode == 1
    assert "cannot be written: File too large" in done.stderr
    assert {n for n, _, _ in edge.asked} == {"a"} and len(edge.asked) == 1
    assert edge.reports[-1]["error"]["code"] == "E-SPACE"
    # And goes on where it was when there is room again.
    edge.asked.clear()
    assert be(edge, tmp_path / "d").returncode == 0
    assert edge.asked[0][1] == SIZE // 2


@pytest.mark.parametrize("wrong, says, code", [
    ({"sha256": "00" * 32}, "hash or size", "E-HASH"),
    ({"size": SIZE - 1}, "hash or size", "E-HASH"),
    ({"size": -1}, "lacks a member", None),
    ({"size": 0}, "lacks a member", None),
    ({"sha256": "../../x"}, "lacks a member", None),
    ({"format": "\x1b[31m", "type": "delta"}, "cannot apply", "E-APPLY"),
])
def test_wrong_offer(edge, tmp_path, wrong, says, code):
    edge.wrong = wrong
    done = be(edge, tmp_path / "d")
    assert done.returncode == 1 and says in done.stderr
    assert "\x1b" not in done.stderr
    assert not (tmp_path / "d" / "image").exists()
    if code:
        assert edge.reports[-1]["error"]["code"] == code


def test_wrong_signature(edge, tmp_path):
    done = be(edge, tmp_path / "d", "--signer", "11" * 32)
    assert done.returncode == 1 and "signature does not verify" in done.stderr
    assert edge.reports[-1]["error"]["code"] == "E-SIGNATURE"
    assert sorted(os.listdir(tmp_path / "d")) == ["state.json"]


def test_refused_report_is_told(edge, tmp_path):
    edge.refuse = 400
    done = be(edge, tmp_path / "d")
    assert done.returncode == 1 and "report was refused with 400" in \
        done.stderr


def test_offers_without_end(edge, tmp_path):
    args = [a for a in command(edge, tmp_path / "d") if a != "--once"]
    done = subprocess.run(args, env=env(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 1 and "no end after" in done.stderr


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGKILL])
def test_goes_on_after_a_signal(edge, tmp_path, sig):
    def slow(h, first, last):
        h.send_response(206)
        h.send_header("Content-Range", "bytes %d-%d/%d" % (first, last, SIZE))
        h.send_header("Content-Length", str(last + 1 - first))
        h.end_headers()
        for at in range(first, last + 1, 20000):
            h.wfile.write(DATA[at:min(at + 20000, last + 1)])
            time.sleep(0.02)

    edge.sends["a"] = slow
    process = subprocess.Popen(command(edge, tmp_path / "d"), env=env(),
                               stderr=subprocess.DEVNULL)
    part = tmp_path / "d" / (hashlib.sha256(DATA).hexdigest() + ".part")
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 100000):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(sig)
    assert process.wait(20) == -sig
    held = part.stat().st_size
    assert held < SIZE
    edge.sends.clear()
    edge.asked.clear()
    done = be(edge, tmp_path / "d", "--json")
    assert json.loads(done.stdout)["resumed"]
    assert edge.asked[0][1] == held
    assert (tmp_path / "d" / "image").read_bytes() == DATA


@pytest.mark.parametrize("args, rc, says", [
    (["here"], 2, '"here" is one argument too many'),
    (["--attr", "=x"], 2, "NAME=VALUE"),
    (["--attr", b"x=\xff"], 2, "UTF-8"),
    (["--version", b"\xff"], 1, "no UTF-8"),
    (["--auth", "x" * 600], 2, "--auth wants one line"),
    (["--auth", "a\r\nX: y"], 2, "--auth wants one line"),
    (["--json=no"], 2, '"--json" takes no value'),
    (["--range", "0"], 2, "--range wants"),
])
def test_bad_usage(edge, tmp_path, args, rc, says):
    done = be(edge, tmp_path / "d", *args)
    assert done.returncode == rc and says in done.stderr, done.stderr


def test_always_a_result(edge, tmp_path):
    """Also of a device that could not begin."""
    for args, want in ((["--json"], None), (["--quiet"], "cam-1 \n")):
        done = be(edge, "/nonexistent/x", *args)
        assert done.returncode == 1 and "(null)" not in done.stdout
        if want is None:
            assert json.loads(done.stdout)["ok"] is False
        else:
            assert done.stdout == want


def test_no_edge_there(tmp_path):
    gone = Edge()
    gone.shutdown()
    gone.server_close()
    done = be(gone, tmp_path / "d")
    assert done.returncode == 1 and "connect" in done.stderr.lower()
