# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""A centre that misbehaves on order.

It speaks docs/sync.md over mutual TLS with batches that core's encoders made
and signed (tests/tools/batchtool.c).  Only for faults that a real centre does
not have: batches with flipped bits, wrong keys, cut answers.
"""

import base64
import hashlib
import http.server
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.parse

from .sanitizer import without_leaks

BUILD = os.environ.get("FOTA_BUILD", "build")
TOOL = os.path.join(BUILD, "tests", "batchtool")


def tool(command, doc=None, raw=None, *args):
    """Output of batchtool; doc goes in as JSON, raw as it is."""
    data = json.dumps(doc).encode() if doc is not None else raw
    done = subprocess.run([TOOL, command, *args], input=data,
                          env=without_leaks(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError("batchtool %s: %s" % (command,
                                                 done.stderr.decode()))
    return done.stdout


def policy_of(directory):
    """What the policy database holds; None while there is none."""
    try:
        return json.loads(tool("policy", None, b"", directory))
    except RuntimeError:
        return None


def openssl(directory, *args):
    subprocess.run(["openssl", *args], cwd=directory, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_pki(directory):
    """ca.crt, server.crt/.key for 127.0.0.1, node.crt/.key."""
    os.makedirs(directory, exist_ok=True)
    openssl(directory, "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            "/CN=test CA", "-keyout", "ca.key", "-out", "ca.crt")
    for name, subject, extra in (
            ("server", "/CN=127.0.0.1", "subjectAltName=IP:127.0.0.1"),
            ("node", "/CN=edge-1", "extendedKeyUsage=clientAuth")):
        with open(os.path.join(directory, name + ".ext"), "w") as f:
            f.write(extra + "\n")
        openssl(directory, "req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
                "-keyout", name + ".key", "-out", name + ".csr")
        openssl(directory, "x509", "-req", "-in", name + ".csr", "-CA",
                "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "30", "-extfile", name + ".ext", "-out", name + ".crt")
        os.chmod(os.path.join(directory, name + ".key"), 0o600)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def problem(self, status, code, **more):
        body = json.dumps({"title": code, "code": code}).encode()
        headers = [("Content-Type", "application/problem+json")]
        headers += [(k.replace("_", "-"), v) for k, v in more.items()]
        self.reply(status, body, headers)

    def ranged(self, data):
        """The bytes wanted; slowed and cut as the centre was told to."""
        want = self.headers.get("Range")
        start = int(want[6:].split("-")[0]) if want else 0
        self.server.centre.ranges.append((self.path, start))
        if start >= len(data) and data:
            return self.problem(416, "range")
        self.send_response(206 if want else 200)
        if want:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (
                start, len(data) - 1, len(data)))
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        centre = self.server.centre
        sent = 0
        while start < len(data):
            if centre.cut_after is not None and sent >= centre.cut_after:
                self.close_connection = True
                self.connection.close()
                return
            n = min(centre.piece, len(data) - start)
            self.wfile.write(data[start:start + n])
            self.wfile.flush()
            start += n
            sent += n
            if centre.delay:
                time.sleep(centre.delay)

    def handle_any(self):
        centre = self.server.centre
        path = urllib.parse.urlsplit(self.path).path
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else b""
        try:
            for prefix, fault in list(centre.faults.items()):
                if path.startswith(prefix) and fault(self):
                    return
            getattr(self, "on_" + path.split("/")[3])(centre, path)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    do_GET = handle_any
    do_POST = handle_any

    def position(self, centre):
        return [("Fota-Epoch", centre.epoch), ("Fota-Head",
                                               str(centre.seq)),
                ("Fota-Time", str(int(time.time() * 1000)))]

    def on_log(self, centre, path):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        after = int(query["after"][0])
        centre.polls += 1
        if query["epoch"][0] != centre.epoch:
            return self.problem(409, "epoch")
        deadline = time.monotonic() + int(query["wait"][0])
        with centre.changed:
            while centre.seq <= after and not centre.closing:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                centre.changed.wait(left)
            data = b"".join(b for prev, last, b in centre.log if last > after)
        if not data:
            return self.reply(204, b"", self.position(centre))
        if centre.spoil is not None:
            data = centre.spoil(data)
        self.reply(200, data, self.position(centre))

    def on_nack(self, centre, path):
        centre.nacks.append(json.loads(self.body))
        self.reply(204)

    def on_snapshot(self, centre, path):
        parts = path.split("/")
        if len(parts) == 4:
            if centre.manifest is None:
                return self.problem(503, "busy", Retry_After="1")
            return self.reply(200, centre.manifest)
        if parts[4] != centre.snapshot_id:
            return self.problem(404, "not_found")
        self.ranged(centre.chunks[int(parts[5])])

    def on_keys(self, centre, path):
        self.reply(200, json.dumps({"wrap": centre.wrap, "group": 1,
                                    "node": 1}).encode())

    def on_heartbeat(self, centre, path):
        centre.heartbeats.append(json.loads(self.body))
        self.reply(200, b'{"now_ms":1}')

    def on_artifact(self, centre, path):
        data = centre.artifacts.get(path.split("/")[4])
        if data is None:
            return self.problem(404, "not_found")
        self.ranged(data)

    def on_reports(self, centre, path):
        key = self.headers["Idempotency-Key"]
        seg = json.loads(tool("unspool", None, self.body))
        new = 0
        with centre.changed:
            centre.batches.append((key, seg))
            for record in seg["records"]:
                name = (seg["boot"], seg["worker"], seg["number"],
                        record["seq"])
                if name not in centre.reports:
                    centre.reports[name] = record["payload"]
                    new += 1
        if centre.forget_answer:
            centre.forget_answer -= 1
            self.close_connection = True
            self.connection.close()
            return
        self.reply(200, json.dumps({
            "accepted": new, "duplicate": len(seg["records"]) - new,
            "refused": [r for r in centre.refuse
                        if any(x["seq"] == r["seq"]
                               for x in seg["records"])]}).encode())


class FakeCentre:
    def __init__(self, directory, epoch="00000000000000aa"):
        self.pki = os.path.join(directory, "pki")
        if not os.path.exists(self.pki):
            make_pki(self.pki)
        keys = json.loads(tool("keys", None, b""))
        self.sec, self.pub, self.kid = keys["sec"], keys["pub"], 1
        self.changed = threading.Condition()
        self.closing = False
        self.new_history(epoch)
        self.wrap = []
        self.artifacts = {}
        self.faults = {}
        self.spoil = None
        self.cut_after = None
        self.piece = 65536
        self.delay = 0
        self.polls = 0
        self.forget_answer = 0
        self.refuse = []
        self.nacks, self.heartbeats, self.batches = [], [], []
        self.ranges = []
        self.reports = {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.server.daemon_threads = True
        self.server.centre = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.pki, "server.crt"),
                                os.path.join(self.pki, "server.key"))
        context.load_verify_locations(os.path.join(self.pki, "ca.crt"))
        context.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True,
            do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = "https://127.0.0.1:%d" % self.port
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def close(self):
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def new_history(self, epoch):
        self.epoch = epoch
        self.seq = 0
        self.chain = json.loads(tool("start", None, b"", epoch))["chain"]
        self.log = []
        self.manifest, self.chunks, self.snapshot_id = None, [], None

    def batch(self, policy, sec=None, kid=None, prev=None, chain=None,
              **more):
        """A signed batch after the head, not yet published."""
        doc = {"policy": policy, "sec": sec or self.sec,
               "kid": self.kid if kid is None else kid, "epoch": self.epoch,
               "prev": self.seq if prev is None else prev,
               "ts": int(time.time() * 1000), "chain": chain or self.chain}
        doc.update(more)
        out = json.loads(tool("batch", doc))
        return base64.b64decode(out["batch"]), out["chain"], out["last"]

    def publish(self, policy, **more):
        """Appends a batch to the log; its last seq."""
        data, chain, last = self.batch(policy, **more)
        with self.changed:
            self.log.append((self.seq, last, data))
            self.seq, self.chain = last, chain
            self.changed.notify_all()
        return last

    def snapshot(self, policy, name=None, **more):
        """All of policy as the snapshot at the head."""
        self.snapshot_id = name or hashlib.md5(
            os.urandom(8)).hexdigest()
        doc = {"policy": policy, "sec": self.sec, "kid": self.kid,
               "epoch": self.epoch, "seq": self.seq,
               "ts": int(time.time() * 1000), "chain": self.chain,
               "id": self.snapshot_id}
        doc.update(more)
        out = json.loads(tool("snapshot", doc))
        self.manifest = base64.b64decode(out["manifest"])
        self.chunks = [base64.b64decode(c) for c in out["chunks"]]

    def artifact(self, data):
        """Puts bytes on offer; their SHA-256."""
        name = hashlib.sha256(data).hexdigest()
        self.artifacts[name] = data
        return name
