# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The fota command at a terminal, in a pipe and in a script, before a
server that a test answers for: text of others, odd answers, closed ends."""

import http.server
import json
import os
import pty
import re
import shlex
import ssl
import subprocess
import threading

import pytest

from support.centre import BUILD
from support.fakecentre import openssl
from test_cli import FOTA, commands, run

EVIL = "a\x1b[31m\x9b31m\x7f\u202e\u2066z 東京 🚗"


class Api(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {}           # path: (status, document or bytes)
        self.asked = []
        self.hang_up = False
        scheme = "http"
        if context is not None:
            scheme = "https"
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = "%s://127.0.0.1:%d" % (scheme, self.server_address[1])
        threading.Thread(target=self.serve_forever, args=(0.05,),
                         daemon=True).start()

    def handle_error(self, request, address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_any(self):
        path = self.path.split("?")[0]
        self.server.asked.append((self.command, self.path))
        if self.command == "PATCH" and self.server.hang_up:
            self.rfile.read(100000)
            self.close_connection = True
            self.connection.close()
            return
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body = self.server.answers.get(
            path, (404, {"code": "no_route", "detail": "nothing here"}))
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        if status // 100 == 3:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any


@pytest.fixture
def api():
    server = Api()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def at(api, *args):
    return run(*args, env={"FOTA_CENTRE": api.url, "FOTA_TENANT": "acme",
                           "FOTA_PRODUCT": "cam"})


def harmless(text):
    return not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e"
                         "\u2066-\u2069]", text)


def test_version():
    said = {subprocess.run([os.path.join(BUILD, name), "--version"],
                           stdout=subprocess.PIPE, text=True,
                           check=True).stdout.split()[1]
            for name in ("fota", "fota-admin", "fota-agent")}
    assert len(said) == 1 and re.fullmatch(r"\d+\.\d+\.\d+", said.pop())
    # In a command it is an option.
    assert run("firmware", "upload", "x", "--version").returncode == 2


def test_help_of_what_there_is_not():
    assert run("-h").stdout == run("--help").stdout == run("help").stdout
    assert run("status", "-h").stdout == run("status", "--help").stdout
    for args in (["help", "nothing"], ["nothing", "--help"]):
        done = run(*args)
        assert done.returncode == 2 and done.stdout == ""
        assert 'no command "nothing' in done.stderr
    assert harmless(run("\x1b[31m").stderr)


def test_examples_can_be_pasted(tmp_path):
    """Each is a request that only the missing centre ends."""
    for name in ("x1-1.2.0.img", "1.1-1.2.xdelta", "ids.csv", "lab.csv"):
        (tmp_path / name).write_text("one\n")
    env = {"PATH": os.environ["PATH"], "FOTA_CONF": "/nonexistent",
           "FOTA_CENTRE": "https://127.0.0.1:1", "FOTA_TENANT": "acme",
           "FOTA_EDGE": "http://127.0.0.1:1", "FOTA_PRODUCT": "cam"}
    key = str(tmp_path / "acme.key")
    subprocess.run([FOTA, "key", "generate", key], env=env, check=True,
                   stdout=subprocess.DEVNULL)
    tried = 0
    for name in commands():
        for line in run(*name.split(), "--help").stdout.split(
                "Examples:\n")[1].splitlines():
            # These reach no centre, or wait for an edge.
            if not line or name.split()[0] == "key" or name in (
                    "device simulate", "firmware manifest", "firmware sign"):
                continue
            # What other programs do with the answer is theirs.
            words = re.split(r" \|\|? | > ", " ".join(
                shlex.quote(w) if w not in ("|", "||", ">") else w
                for w in shlex.split(re.sub(r"\$\([^)]*\)", "x", line))))
            args = shlex.split(words[0])
            assert args[0] == "fota", line
            done = subprocess.run([FOTA, *args[1:]], env=env, cwd=tmp_path,
                                  stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True,
                                  timeout=60)
            tried += 1
            assert done.returncode == 1, (line, done.stderr)
            assert "cannot be reached" in done.stderr, (line, done.stderr)
    assert tried > 80


def test_one_argument_too_many(tmp_path):
    for name in commands():
        usage = run(*name.split(), "--help").stdout.splitlines()[0]
        if "..." in usage:
            continue
        done = run(*name.split(), *["x"] * 9, env={
            "FOTA_CENTRE": "https://127.0.0.1:1"})
        assert done.returncode == 2, (name, done.stderr)


def test_text_of_others_is_harmless(api):
    """Neither tables, errors nor JSON carry what a terminal obeys."""
    api.answers["/api/v1/products"] = (200, {"items": [
        {"name": EVIL, "title": EVIL}], "next": None})
    assert harmless(at(api, "product", "list").stdout)
    raw = at(api, "product", "list", "--json").stdout
    assert harmless(raw) and "東京 🚗" in raw
    assert json.loads(raw)[0]["name"] == EVIL

    for problem in ({"field": EVIL, "detail": EVIL}, {"code": EVIL},
                    {"title": EVIL, "field": EVIL}):
        api.answers["/api/v1/products"] = (400, problem)
        done = at(api, "product", "list", "--json")
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.startswith("fota: a") and harmless(done.stderr)


@pytest.mark.parametrize("status, body, says", [
    (200, b"<html>", "is no JSON"), (200, b"[1", "is no JSON"),
    (302, b"", "HTTP 302"), (502, b"<html>bad gateway", "HTTP 502"),
    (503, {"code": "starting"}, "starting (HTTP 503)"),
    (500, {"detail": ""}, "it failed (HTTP 500)"), (500, b"null", "HTTP 500"),
])
def test_odd_answers(api, status, body, says):
    api.answers["/api/v1/status"] = (status, body)
    done = at(api, "status", "--json")
    assert done.returncode == 1 and done.stdout == ""
    assert says in done.stderr and len(done.stderr.splitlines()) == 1
    assert [p for _, p in api.asked] == ["/api/v1/status"]


def test_full_disk_and_closed_pipe(api):
    api.answers["/api/v1/products"] = (200, {"items": [
        {"name": "n%d" % i} for i in range(5000)]})
    env = {"PATH": os.environ["PATH"], "FOTA_CONF": "/nonexistent",
           "FOTA_CENTRE": api.url}
    for args in (["product", "list", "--all"], ["--help"], ["--version"],
                 ["product", "list", "--help"], ["help", "--operations"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([FOTA, *args], env=env, stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1, args
        assert "cannot be written" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", FOTA + " product list --all | "
         "head -n 1"], env=env, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    assert done.returncode in (0, 141) and done.stderr == ""


def test_bytes_that_are_no_text_are_not_left_out(api, tmp_path):
    """A filter, a signature that cannot be sent: not an artifact without."""
    path = tmp_path / "x.img"
    path.write_bytes(b"firmware")
    api.answers["/api/v1/products/cam/firmware"] = (201, {})
    api.answers["/api/v1/uploads"] = (200, {"items": [{
        "id": "00", "state": "open", "size": 8, "offset": 8,
        "sha256": subprocess.run(
            ["sha256sum", str(path)], stdout=subprocess.PIPE,
            text=True).stdout.split()[0]}]})
    api.answers["/api/v1/uploads/00/complete"] = (200, {})
    api.answers["/api/v1/products/cam/artifacts"] = (201, {"id": 1})
    for option in ("--version", "--kind", "--requires", "--signature",
                   "--from", "--format", "--name"):
        api.asked.clear()
        done = at(api, "firmware", "upload", str(path), "--version", "1",
                  "--quiet", option, b"\xff")
        assert done.returncode in (1, 2), (option, done.returncode)
        assert "no UTF-8" in done.stderr, (option, done.stderr)
        assert not [p for _, p in api.asked if "artifacts" in p], option
    done = at(api, "firmware", "upload", str(path), "--version", "1",
              "--requires", "attr.hw==3")
    assert done.returncode == 0, done.stderr


def test_one_complaint_is_enough():
    for args in (["device", "import", "x"], ["device", "import"],
                 ["firmware", "upload", "x", "--version", "1"],
                 ["firmware", "upload"]):
        done = run(*args, env={"FOTA_CENTRE": "https://127.0.0.1:1"})
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr


def test_nodes_in_the_order_of_their_rank(api):
    def node(name, reason, site="", weight=1.0, score=0.0):
        return {"id": len(name), "name": name, "site": site, "country": "JP",
                "reason": reason, "km": 1, "weight": weight, "score": score}

    api.answers["/api/v1/explain"] = (200, {
        "decision": {"reason": "offer"}, "policy": {"seq": 1}, "rollouts": [],
        "location": {}, "device": {}, "nodes": [
            node("far", "far", weight=0), node("third", "candidate",
                                               "s4", 1, 9.5),
            node("same", "picked", "s1", 1, 0.6),
            node("best", "picked", "s1", 1, 0.5),
            node("down", "state", weight=0),
            node("beside", "site", "s1", 1, 0.7),
            node("next", "picked", "s2", 1, 3.5)]})
    want = ["best", "next", "same", "beside", "third", "far", "down"]
    table = at(api, "explain", "d-1").stdout
    lines = table[table.index("\nNODE "):].split("\n")[2:]
    assert [line.split()[0] for line in lines if line] == want
    shown = json.loads(at(api, "explain", "d-1", "--json").stdout)
    assert [n["name"] for n in shown["nodes"]] == want


def test_bar_at_a_terminal_only(api, tmp_path):
    path = tmp_path / "ids.csv"
    path.write_text("one\n")
    api.answers["/api/v1/devices/bulk"] = (201, {"created": 1, "existing": 0})
    args = ["device", "import", str(path), "--product", "cam"]
    assert "\r" not in at(api, *args).stderr
    assert at(api, *args, "--quiet").stderr == ""
    assert at(api, *args, "--json").stderr == ""
    ours, theirs = pty.openpty()
    subprocess.run([FOTA, *args], stderr=theirs, stdout=subprocess.DEVNULL,
                   check=True, env={"FOTA_CONF": "/nonexistent", "NO_COLOR":
                                    "1", "FOTA_CENTRE": api.url})
    os.close(theirs)
    said = os.read(ours, 4096).decode()
    os.close(ours)
    assert said.startswith("\r") and said.endswith("\n")
    assert not re.search(r"\x1b\[[0-9;]*m", said)


def make_ca(d, *names):
    for ca in names:
        openssl(d, "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=" + ca, "-keyout", ca + ".key", "-out", ca + ".crt",
                "-addext", "subjectAltName=IP:127.0.0.1")


def tls(d, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(d, name + ".crt"),
                            os.path.join(d, name + ".key"))
    return context


def test_a_server_that_hangs_up(tmp_path):
    """In the middle of an upload: an error that is told, no SIGPIPE."""
    make_ca(str(tmp_path), "ca")
    path = tmp_path / "x.img"
    path.write_bytes(bytes(8 << 20))
    sha = subprocess.run(["sha256sum", str(path)], stdout=subprocess.PIPE,
                         text=True).stdout.split()[0]
    server = Api(tls(str(tmp_path), "ca"))
    server.answers["/api/v1/products/cam/firmware"] = (201, {})
    server.answers["/api/v1/uploads"] = (200, {"items": [{
        "id": "00", "state": "open", "size": 8 << 20, "offset": 0,
        "sha256": sha}]})
    server.hang_up = True
    try:
        for _ in range(4):
            done = run("firmware", "upload", str(path), "--product", "cam",
                       "--version", "1", "--tries", "0", "--ca",
                       str(tmp_path / "ca.crt"),
                       env={"FOTA_CENTRE": server.url})
            assert done.returncode == 1, done
            assert "the same command goes on" in done.stderr
    finally:
        server.shutdown()
        server.server_close()


def test_certificates(tmp_path):
    """What is wrong with TLS is said, and no request is sent."""
    d = str(tmp_path)
    make_ca(d, "ca", "other")
    for name, san, days in (("good", "IP:127.0.0.1", "2"),
                            ("else", "DNS:example.org", "2"),
                            ("old", "IP:127.0.0.1", "-1")):
        (tmp_path / "ext").write_text("subjectAltName=%s\n" % san)
        openssl(d, "req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                "-keyout", name + ".key", "-out", name + ".csr")
        openssl(d, "x509", "-req", "-in", name + ".csr", "-CA", "ca.crt",
                "-CAkey", "ca.key", "-CAcreateserial", "-days", days,
                "-extfile", "ext", "-out", name + ".crt")
    for name, ca, says in (("good", "ca", None),
                           ("good", "other", "certificate"),
                           ("good", "nothing", "nothing.crt"),
                           ("else", "ca", "subject name"),
                           ("old", "ca", "expired")):
        server = Api(tls(d, name))
        server.answers["/api/v1/status"] = (200, {"database": "ok"})
        try:
            done = run("status", "--ca", os.path.join(d, ca + ".crt"),
                       env={"FOTA_CENTRE": server.url, "FOTA_TOKEN": "t"})
        finally:
            server.shutdown()
            server.server_close()
        assert done.returncode == (0 if says is None else 1), done.stderr
        assert says is None or says in done.stderr, done.stderr
        assert bool(server.asked) == (says is None)
