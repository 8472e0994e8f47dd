# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""One nginx with the module on a policy written by policytool: an edge
without centre and agent.

    with Edge(policy(...)) as edge:
        edge.get("/fota/v1/check?tenant=acme&...")

Listens on 127.0.0.1 with free ports, keeps everything in a directory of its
own, ends by its own pid, and at the end holds the error log to have no alarm
that the test did not allow.
"""

import hashlib
import http.client
import json as jsonlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from .ports import free_port
from .sanitizer import without_leaks

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
BUILD = os.environ.get("FOTA_BUILD") or os.path.join(TOP, "build")
ASAN = os.environ.get("FOTA_ASAN") == "1"
NGINX = (os.environ.get("FOTA_NGINX")
         or (os.path.join(BUILD, "asan", "nginx") if ASAN else "nginx"))
MODULE = os.path.join(BUILD, "module", "ngx_http_fota_module.so")
POLICYTOOL = os.path.join(BUILD, "tests", "policytool")

BAD = re.compile(r"\[alert\]|\[emerg\]|\[crit\]|Sanitizer|runtime error:"
                 r"|exited on signal")

SLOW = 4 if ASAN else 1

ROOT = "00112233445566778899aabbccddeeff" * 2
DEVICE_KEY = "ffeeddccbbaa99887766554433221100" * 2
GATEWAY = "gateway-secret"
OPERATOR = "operator-secret"

VARIABLES = ("device tenant product deployment decision reason policy_seq "
             "policy_lag node geo_cc geo_src token_nonce token_error "
             "range_first range_last bytes_delivered report_seq lua_us "
             "sha256").split()


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return jsonlib.loads(self.body)

    def __repr__(self):
        return "%d %r %r" % (self.status, self.headers, self.body[:300])


def wait_for(what, probe, timeout=10, every=0.02):
    deadline = time.monotonic() + timeout * SLOW
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("no " + what)
        time.sleep(every)


def tool(*args, check=True):
    r = subprocess.run([POLICYTOOL, *map(str, args)], capture_output=True,
                       text=True, env=without_leaks())
    if check and r.returncode != 0:
        raise AssertionError(r.stderr)
    return r.stdout.strip()


def content(n, seed=1):
    """n bytes that do not repeat soon."""
    block = hashlib.shake_256(b"fota-%d" % seed).digest(min(n, 1 << 20))
    return (block * (n // len(block) + 1))[:n] if n else b""


def b64url(raw):
    import base64
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def artifact(n, seed=1, **more):
    """Description of an artifact and its bytes, under "data"."""
    data = content(n, seed)
    return dict({"sha256": hashlib.sha256(data).hexdigest(), "size": n,
                 "name": "fw-%d.bin" % seed, "data": data}, **more)


def policy(auth=("open",), artifacts=None, rollouts=None, nodes=None,
           **more):
    """A small policy: tenant acme (1), product cam, 1.0.0 -> 1.1.0."""
    if artifacts is None:
        artifacts = [artifact(200000, to="1.1.0")]
    if rollouts is None:
        rollouts = [{"id": 7, "name": "r", "target": "1.1.0"}]
    spec = {
        "epoch": 11, "seq": 5,
        "tenants": [{"name": "acme", "id": 1, "auth": list(auth),
                     "gateway_tokens": [GATEWAY]},
                    {"name": "other", "id": 2, "auth": list(auth)}],
        "products": [{"tenant": 1, "name": "cam", "id": 3, "poll": 600,
                      "firmware": [{"version": "1.0.0", "id": 1},
                                   {"version": "1.1.0", "id": 2}],
                      "artifacts": artifacts, "rollouts": rollouts}],
        "keys": [{"kind": "download", "scope": 1, "kid": 1, "secret": ROOT},
                 {"kind": "device", "scope": 1, "kid": 1,
                  "secret": DEVICE_KEY},
                 {"kind": "operator", "scope": 0, "kid": 1,
                  "token": OPERATOR}],
    }
    if nodes is not None:
        spec["nodes"] = nodes
    else:
        spec["nodes"] = [{"id": 1, "name": "edge-1", "group": 1,
                          "url": "http://127.0.0.1:%PORT%", "country": "JP",
                          "lat": 35.6, "lon": 139.7, "site": "a"}]
    spec.update(more)
    return spec


def strip(value):
    """Without the bytes of artifacts, for policytool."""
    if isinstance(value, dict):
        return {k: strip(v) for k, v in value.items() if k != "data"}
    if isinstance(value, list):
        return [strip(v) for v in value]
    return value


LOCATIONS = """
        location = /fota/v1/check { fota_check on; fota_auth %(auth)s; }
        location = /fota/v1/report { fota_report on; fota_auth %(auth)s; }
        location = /fota/v1/explain { fota_explain on; }
        location ~ "^/a/([\\w-]{43})(?:/[^/]*)?$" {
            alias %(store)s/$1;
            fota_download on;
            fota_token %(token)s;
        }
        location = /fota/status { fota_status on; }
        location = /metrics { fota_metrics on; }
        location = /healthz { fota_health on; }
        location = /readyz { fota_ready on; }
"""


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Adopted:
    """A daemon, which is not our child, handled like one."""

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        return None if alive(self.pid) else 0

    def send_signal(self, sig):
        os.kill(self.pid, sig)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout=15):
        deadline = time.monotonic() + timeout
        while alive(self.pid):
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("nginx", timeout)
            time.sleep(0.02)
        return 0


class Edge:
    def __init__(self, spec=None, http="", server="", main="", locations=None,
                 workers=1, token="required", auth="open gateway device mtls",
                 spool="", node="edge-1", tls=None, directory=None,
                 start=True, db=True, spool_dir=None, daemon=False,
                 listen=""):
        self.made = directory is None
        self.dir = directory or tempfile.mkdtemp(prefix="fota-edge-")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        self.tls_port = free_port() if tls else None
        self.tls = tls
        self.spec = spec
        self.extra = (http, server, main)
        self.locations = LOCATIONS if locations is None else locations
        self.workers = workers
        self.token = token
        self.auth = auth
        self.spool_args = spool
        self.node = node
        self.use_db = db
        self.daemon = daemon
        self.listen = listen
        self.db = os.path.join(self.dir, "policy")
        self.store = os.path.join(self.dir, "store")
        self.spool = spool_dir or os.path.join(self.dir, "spool")
        self.conf = os.path.join(self.dir, "nginx.conf")
        self.error_log = os.path.join(self.dir, "error.log")
        self.access_log = os.path.join(self.dir, "access.log")
        self.pid_file = os.path.join(self.dir, "nginx.pid")
        self.process = None
        self.allowed = []
        for d in (self.store, self.spool):
            os.makedirs(d, exist_ok=True)
        if spec is not None:
            self.write(spec)
        self.write_conf()
        if start:
            self.start()

    # Policy and files

    def write(self, spec, to=None):
        """A whole new policy; artifacts with data go into the store."""
        for p in spec.get("products", []):
            for a in p.get("artifacts", []):
                if "data" in a:
                    self.keep(a)
        text = jsonlib.dumps(strip(spec)).replace("%PORT%", str(self.port))
        path = os.path.join(self.dir, "spec.json")
        with open(path, "w") as f:
            f.write(text)
        tool("write", to or self.db, path)

    def patch(self, spec):
        path = os.path.join(self.dir, "patch.json")
        with open(path, "w") as f:
            f.write(jsonlib.dumps(strip(spec)).replace("%PORT%",
                                                       str(self.port)))
        tool("patch", self.db, path)

    def keep(self, a, mtime=None):
        path = os.path.join(self.store, b64url(bytes.fromhex(a["sha256"])))
        with open(path, "wb") as f:
            f.write(a["data"])
        if mtime:
            os.utime(path, (mtime, mtime))
        return path

    # Configuration

    def write_conf(self):
        http_conf, server, main = self.extra
        fields = {"store": self.store, "token": self.token,
                  "auth": self.auth}
        load = "" if ASAN else "load_module %s;" % MODULE
        user = "user root;" if os.getuid() == 0 else ""
        variables = ",".join('"%s":"$fota_%s"' % (v, v) for v in VARIABLES)
        fota = ""
        if self.use_db:
            fota += "fota_db %s map_size=1g;\n" % self.db
        if self.node:
            fota += "fota_node_id %s;\n" % self.node
        if self.spool_args is not None:
            fota += "fota_spool %s %s;\n" % (self.spool, self.spool_args)
        tls = ""
        if self.tls:
            tls = ("listen 127.0.0.1:%d ssl;\nssl_certificate %s;\n"
                   "ssl_certificate_key %s;\nssl_client_certificate %s;\n"
                   "ssl_verify_client optional;\n"
                   % (self.tls_port, self.tls["cert"], self.tls["key"],
                      self.tls["ca"]))
        text = """
%(load)s
%(user)s
daemon %(daemon)s;
worker_processes %(workers)d;
pid %(pid)s;
error_log %(error_log)s info;
working_directory %(dir)s;
env ASAN_OPTIONS;
env UBSAN_OPTIONS;
%(main)s
events { worker_connections 512; }
http {
    default_type application/octet-stream;
    client_body_temp_path %(dir)s/body;
    proxy_temp_path %(dir)s/proxy;
    fastcgi_temp_path %(dir)s/fastcgi;
    uwsgi_temp_path %(dir)s/uwsgi;
    scgi_temp_path %(dir)s/scgi;
    sendfile on;
    keepalive_timeout 60s;
    log_format fota escape=json '{"uri":"$fota_uri","status":"$status",'
        '"sent":"$body_bytes_sent",%(variables)s}';
    access_log %(access_log)s fota;
    %(fota)s
    %(http)s
    server {
        listen 127.0.0.1:%(port)d %(listen)s;
        %(tls)s
        %(server)s
        %(locations)s
    }
}
""" % {"load": load, "user": user, "workers": self.workers,
            "pid": self.pid_file, "error_log": self.error_log,
            "access_log": self.access_log, "dir": self.dir, "main": main,
            "fota": fota, "http": http_conf % fields
            if "%(" in http_conf else http_conf,
            "variables": variables, "port": self.port, "tls": tls,
            "server": server, "locations": self.locations % fields,
            "listen": self.listen,
            "daemon": "on" if self.daemon else "off"}
        with open(self.conf, "w") as f:
            f.write(text)
        return text

    def test(self):
        """nginx -t: its exit code and what it says."""
        r = subprocess.run([NGINX, "-t", "-c", self.conf, "-p", self.dir],
                           capture_output=True, text=True)
        return r.returncode, r.stderr

    # Life

    def start(self):
        self.stderr = open(os.path.join(self.dir, "stderr"), "ab")
        self.process = subprocess.Popen(
            [shutil.which(NGINX), "-c", self.conf, "-p", self.dir],
            stderr=self.stderr, stdout=self.stderr)
        wait_for("nginx at port %d: %s" % (self.port, self.conf), self._up)
        if "master_process off" not in self.extra[2]:
            wait_for("workers",
                     lambda: len(self.worker_pids()) >= self.workers)

    @property
    def pid(self):
        """Of the master, or of the only process."""
        return self.process.pid

    def pid_in_file(self):
        try:
            with open(self.pid_file) as f:
                return int(f.read())
        except (OSError, ValueError):
            return 0

    def adopt(self):
        """Takes the process named in the pid file for ours."""
        self.process = Adopted(self.pid_in_file())

    def _up(self):
        if self.daemon and not isinstance(self.process, Adopted):
            if self.process.poll() is None or not self.pid_in_file():
                return False
            if self.process.returncode == 0:
                self.adopt()
        if self.process.poll() is not None:
            with open(os.path.join(self.dir, "stderr")) as f:
                raise AssertionError("nginx ended: " + f.read()
                                     + self.log())
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def signal(self, sig):
        self.process.send_signal(sig)

    def worker_pids(self):
        r = subprocess.run(["pgrep", "-P", str(self.process.pid)],
                           capture_output=True, text=True)
        return [int(p) for p in r.stdout.split()]

    def reload(self):
        """SIGHUP, and wait until a worker is there that was not before."""
        before = set(self.worker_pids())
        self.signal(signal.SIGHUP)
        wait_for("new worker",
                 lambda: len(set(self.worker_pids()) - before)
                 >= self.workers)

    def log(self):
        try:
            with open(self.error_log, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def access(self):
        with open(self.access_log) as f:
            return [jsonlib.loads(line) for line in f if line.strip()]

    def stop(self, check=True):
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.stderr.close()
            self.process = None
        if check:
            with open(os.path.join(self.dir, "stderr"),
                      errors="replace") as f:
                text = self.log() + f.read()
            bad = [line for line in text.splitlines() if BAD.search(line)
                   and not any(re.search(a, line) for a in self.allowed)]
            assert not bad, "\n".join(bad)
        if self.made and not os.environ.get("FOTA_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop(check=kind is None)

    # Requests

    def connect(self, cert=None, timeout=30):
        timeout *= SLOW
        if self.tls and cert is not False:
            context = ssl.create_default_context(cafile=self.tls["ca"])
            context.check_hostname = False
            if cert:
                context.load_cert_chain(*cert)
            return http.client.HTTPSConnection(
                "127.0.0.1", self.tls_port, timeout=timeout, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port,
                                          timeout=timeout)

    def request(self, method, path, body=None, headers=None, cert=False,
                chunked=False):
        c = self.connect(cert)
        try:
            c.request(method, path, body=body, headers=headers or {},
                      encode_chunked=chunked)
            r = c.getresponse()
            return Answer(r.status, r.headers, r.read())
        finally:
            c.close()

    def get(self, path, headers=None, **more):
        return self.request("GET", path, headers=headers, **more)

    def check(self, device="dev-1", version="1.0.0", tenant="acme",
              product="cam", headers=None, cert=False, **more):
        body = dict({"tenant": tenant, "product": product, "device": device,
                     "version": version}, **more)
        return self.request("POST", "/fota/v1/check", jsonlib.dumps(body),
                            headers, cert)

    def report(self, device="dev-1", rollout=7, state="succeeded", seq=1,
               headers=None, cert=False, **more):
        body = dict({"tenant": "acme", "product": "cam", "device": device,
                     "rollout": rollout, "state": state, "seq": seq}, **more)
        return self.request("POST", "/fota/v1/report", jsonlib.dumps(body),
                            headers, cert)

    def path(self, a, name=True, **token):
        """URL path of an artifact with a token of this policy's key."""
        p = "/a/" + b64url(bytes.fromhex(a["sha256"]))
        if name:
            p += "/" + a["name"]
        if token is not None:
            p += "?t=" + self.mint(a, **token)
        return p

    def mint(self, a, **more):
        fields = dict({"root": ROOT, "artifact": a["sha256"], "scope": 1,
                       "kid": 1, "tenant": 1, "device": "dev-1",
                       "deployment": 7, "ttl": 3600}, **more)
        return tool("token", *("%s=%s" % i for i in fields.items()
                               if i[1] is not None))

    def metrics(self):
        values = {}
        for line in self.get("/metrics").body.decode().splitlines():
            if line and line[0] != "#":
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def status(self):
        return self.get("/fota/status").json


def spool_records(directory):
    """Every whole record of every segment: (seq, id, payload)."""
    out = []
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".seg"):
            continue
        with open(os.path.join(directory, name), "rb") as f:
            data = f.read()
        if data[:4] != b"FSS1":
            continue
        at = 28
        while at + 44 <= len(data):
            magic = int.from_bytes(data[at:at + 4], "little")
            n = int.from_bytes(data[at + 4:at + 8], "little")
            if magic != 0x53504652 or at + 44 + n > len(data):
                break
            seq = int.from_bytes(data[at + 12:at + 20], "little")
            out.append((seq, data[at + 20:at + 36].hex(),
                        jsonlib.loads(data[at + 44:at + 44 + n])))
            at += 44 + n
    return out


def certificates(directory):
    """A CA, a server and clients: ca, cert, key, and client(name)."""
    def run(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True,
                       cwd=directory)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem",
        "-days", "2", "-subj", "/O=Acme/CN=Device CA")

    def issue(name, subject):
        run("req", *key, "-keyout", name + ".key", "-out", name + ".csr",
            "-subj", subject)
        run("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey",
            "ca.key", "-CAcreateserial", "-days", "2", "-out", name + ".pem")
        return (os.path.join(directory, name + ".pem"),
                os.path.join(directory, name + ".key"))

    cert, keyfile = issue("server", "/CN=127.0.0.1")
    return {"ca": os.path.join(directory, "ca.pem"), "cert": cert,
            "key": keyfile, "issue": issue}
