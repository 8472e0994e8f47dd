# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""One edge of a whole system: fota-agent and nginx with the module.

Daemons are Processes of this test; kill_*() is what a crash does and start_*()
what the service manager does about it.
"""

import base64
import contextlib
import http.client
import json as jsonlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

from .centre import BUILD, TOP, Answer
from .ports import free_port

# An upgrade executes it again, by its path.
NGINX = os.environ.get("FOTA_NGINX") or shutil.which(
    "nginx", path=os.environ["PATH"] + ":/usr/sbin")
ASAN = os.environ.get("FOTA_ASAN") == "1"
MODULE = os.path.join(BUILD, "module", "ngx_http_fota_module.so")

# What a sanitizer costs, for every deadline.
SLOW = 4 if ASAN else 1


def wait_for(what, probe, timeout=15, every=0.02):
    """What probe returns as soon as it is true."""
    deadline = time.monotonic() + timeout * SLOW
    error = None
    while True:
        try:
            value = probe()
            error = None
            if value:
                return value
        except (OSError, http.client.HTTPException, ValueError,
                KeyError) as e:
            error = e
        if time.monotonic() > deadline:
            raise AssertionError("%s: not within %d s%s" % (
                what, timeout * SLOW, " (%r)" % error if error else ""))
        time.sleep(every)


def name_of(sha256_hex):
    """File name of an artifact: base64url of its SHA-256."""
    raw = base64.urlsafe_b64encode(bytes.fromhex(sha256_hex))
    return raw.decode().rstrip("=")


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except FileNotFoundError:
        return []


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Daemon:
    """A process that is not our child: nginx's master.

    In the foreground it would refuse to be upgraded.
    """

    def __init__(self, pid):
        self.pid = pid
        self.returncode = None

    def poll(self):
        try:
            os.kill(self.pid, 0)
            with open("/proc/%d/stat" % self.pid) as f:
                if f.read().rsplit(")", 1)[1].split()[0] != "Z":
                    return None
        except (ProcessLookupError, FileNotFoundError):
            pass
        self.returncode = 0
        return 0

    def send_signal(self, sig):
        os.kill(self.pid, sig)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout=30):
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("nginx", timeout)
            time.sleep(0.02)
        return 0


class Client:
    """Kept connections to one edge over HTTPS, one a thread."""

    def __init__(self, port, ca=None, cert=None, timeout=30):
        self.port = port
        self.timeout = timeout * SLOW
        self.context = None
        self.local = threading.local()
        if ca is not None:
            self.context = ssl.create_default_context(cafile=ca)
            if cert is not None:
                self.context.load_cert_chain(*cert)

    def connect(self):
        if self.context is None:
            return http.client.HTTPConnection("127.0.0.1", self.port,
                                              timeout=self.timeout)
        return http.client.HTTPSConnection("127.0.0.1", self.port,
                                           timeout=self.timeout,
                                           context=self.context)

    def close(self):
        c = getattr(self.local, "c", None)
        if c is not None:
            c.close()
            self.local.c = None

    def request(self, method, path, body=None, headers=None, again=True):
        """An idle connection may be gone: such a one is made anew, once."""
        c = getattr(self.local, "c", None)
        kept = c is not None
        if c is None:
            c = self.local.c = self.connect()
        try:
            c.request(method, path, body=body, headers=headers or {})
            r = c.getresponse()
            answer = Answer(r.status, dict(r.getheaders()), r.read())
            if r.will_close:
                self.close()
            return answer
        except (OSError, http.client.HTTPException):
            self.close()
            if kept and again:
                return self.request(method, path, body, headers, False)
            raise


class Edge:
    """An edge node; the centre has to know its name beforehand."""

    def __init__(self, directory, name, centre, geo=None, conf=None,
                 spool_size="32m", centre_url=None, sync_key=None,
                 dirs=None, http=""):
        self.dir = str(directory)
        self.name = name
        self.centre = centre
        self.centre_url = centre_url or centre.url
        self.sync_key = sync_key
        self.geo = geo
        self.conf = dict(conf or {})
        self.spool_size = spool_size
        self.http = http            # more directives of nginx
        self.port = free_port()
        self.tls_port = free_port()
        self.id = 0
        self.binary = os.path.join(BUILD, "fota-agent")
        self.agent = None
        self.nginx = None
        self.nginx_dir = os.path.join(self.dir, "nginx")
        self.log = os.path.join(self.dir, "agent.log")
        self.stderr = os.path.join(self.dir, "agent.stderr")
        self.error_log = os.path.join(self.nginx_dir, "error.log")
        self.killed = 0             # workers and masters that a test killed
        self.allowed = []           # patterns of alarms that a test wants
        for what in ("policy", "state", "store", "spool", "cache"):
            path = (dirs or {}).get(what) or os.path.join(self.dir, what)
            setattr(self, what, path)
            os.makedirs(path, exist_ok=True)
        os.makedirs(self.nginx_dir, exist_ok=True)
        self.run = os.path.join(centre.run, name)
        os.makedirs(self.run, exist_ok=True)
        self.status_socket = os.path.join(self.run, "agent.sock")
        self._client = None

    @property
    def url(self):
        return "https://127.0.0.1:%d" % self.tls_port

    # The agent

    def write_agent_conf(self):
        cert, key = self.centre.node_cert(self.name)
        os.chmod(key, 0o600)
        conf = {
            "node": self.name,
            "centre": self.centre_url,
            "ca": self.centre.ca,
            "cert": cert,
            "key": key,
            "policy_dir": self.policy,
            "state_dir": self.state,
            "store_dir": self.store,
            "spool_dir": self.spool,
            "status_socket": self.status_socket,
            "status_url": "http://127.0.0.1:%d/fota/status" % self.port,
            "log": self.log,
            "log_level": "debug",
            "map_size": "64m",
        }
        conf.update(self.conf)
        path = os.path.join(self.dir, "fota-agent.conf")
        if self.sync_key is None:
            self.sync_key = self.centre.sync_key()
        with open(path, "w") as f:
            for name, value in conf.items():
                f.write("%s = %s\n" % (name, value))
            for line in self.sync_key.splitlines():
                kid, key = line.split()[:2]
                f.write("sync_key = %s:%s\n" % (kid, key))
        return path

    def start_agent(self):
        conf = self.write_agent_conf()
        with open(self.stderr, "a") as err:
            self.agent = subprocess.Popen(
                [self.binary, "-c", conf], stdin=subprocess.DEVNULL,
                stdout=err, stderr=err)

    def stop_agent(self, sig=signal.SIGTERM, timeout=30):
        """Its exit code."""
        if self.agent is None:
            return None
        if self.agent.poll() is None:
            self.agent.send_signal(sig)
        try:
            code = self.agent.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            self.agent.kill()
            self.agent.wait()
            self.agent = None
            raise
        self.agent = None
        return code

    def kill_agent(self):
        self.stop_agent(signal.SIGKILL)

    # nginx, from the example of conf/

    def start_nginx(self):
        conf = self.write_nginx_conf()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.nginx_dir, "pid"))  # of a killed one
        with open(os.path.join(self.nginx_dir, "stderr"), "a") as err:
            done = subprocess.run(
                [NGINX, "-p", self.nginx_dir, "-c", conf, "-e",
                 self.error_log], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=err)
        assert done.returncode == 0, self.tail()
        wait_for("the pid of nginx", self.master)
        self.adopt()
        wait_for("nginx of " + self.name, self._listens)

    def _listens(self):
        assert self.nginx.poll() is None, self.tail()
        socket.create_connection(("127.0.0.1", self.port), 1).close()
        return True

    def write_nginx_conf(self):
        cert, key = self.centre.node_cert(self.name)
        crt, crt_key = self.centre.pki.issue(
            self.name + "-tls", "ca", san="DNS:localhost,IP:127.0.0.1")
        d = self.nginx_dir
        lab = "/var/lib/fota-edge/"
        tls = "/etc/fota-edge/tls/"
        temp = "".join("    %s_temp_path %s/%s;\n" % (n, d, n) for n in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        rules = [
            (r"load_module .*", "" if ASAN else "load_module %s;" % MODULE),
            (r"user .*", "user root;" if os.getuid() == 0 else ""),
            (r"worker_processes .*", "worker_processes 1;\n"
             "env ASAN_OPTIONS;\nenv UBSAN_OPTIONS;"),
            (r"worker_rlimit_nofile .*", ""),
            (r"worker_shutdown_timeout .*", "worker_shutdown_timeout 30s;"),
            (r"worker_connections .*", "worker_connections 1024;"),
            (r"pid .*", "pid %s/pid;" % d),
            (r"error_log .*", "error_log %s;" % (self.error_log + " notice")),
            (r"http {", "http {\n" + temp + self.http),
            (r"fota_db \S+ .*", "fota_db %s map_size=64m;" % self.policy),
            (r"(fota_spool) \S+ (.*) size=.*", r"\1 %s \2 size=%s;"
             % (self.spool, self.spool_size)),
            (r"fota_node_id .*", "fota_node_id %s;" % self.name),
            (r"# fota_geoip \S+ (.*)", r"fota_geoip %s \1" % self.geo
             if self.geo else ""),
            (r"fota_auth .*", "fota_auth open gateway device mtls;"),
            (r"fota_seen on .*", "fota_seen on interval=1s;"),
            (r"access_log /\S+ fota .*", "access_log %s/access.log fota;"
             % d),
            (r"(proxy_cache_path) \S+ ", r"\1 %s " % self.cache),
            (r"listen 443 ", "listen 127.0.0.1:%d " % self.tls_port),
            (r"listen \[::\].*", ""),
            (r"listen 127.0.0.1:9145;", "listen 127.0.0.1:%d;" % self.port),
            (tls + "edge.pem", crt), (tls + "edge.key", crt_key),
            (tls + "device-ca.pem", self.centre.ca),
            (tls + "centre-ca.pem", self.centre.ca),
            (tls + "node.pem", cert), (tls + "node.key", key),
            (lab + "store/", self.store + "/"),
            (r"centre\.example\.net:9443", "127.0.0.1:%d"
             % self.centre.port),
            (r"centre\.example\.net", "localhost"),
        ]
        with open(os.path.join(TOP, "conf/nginx-edge.conf")) as f:
            text = f.read()
        paths = r"(?m)^(?!\s*#).*?(/(?:etc|var|run)/[^\s;]+)"
        shipped = set(re.findall(paths, text))
        for pattern, value in rules:
            text, n = re.subn("(?m)" + pattern if pattern[0] in "(#/"
                              else r"(?m)\b" + pattern, value, text)
            assert n, "nginx-edge.conf has no " + pattern
        left = shipped & set(re.findall(paths, text))
        assert shipped and not left, left
        conf = os.path.join(d, "nginx.conf")
        with open(conf, "w") as f:
            f.write(text)
        return conf

    def master(self):
        """Pid of the master that serves now (it moves on an upgrade)."""
        with open(os.path.join(self.nginx_dir, "pid")) as f:
            return int(f.read())

    def adopt(self):
        """Goes on with the master that an upgrade has left."""
        self.nginx = Daemon(self.master())

    def workers(self):
        """Pids of those that take requests."""
        found = []
        for pid in children(self.master()):
            try:
                with open("/proc/%d/cmdline" % pid) as f:
                    title = f.read()
            except OSError:
                continue
            if "worker process" in title and "shutting" not in title:
                found.append(pid)
        return found

    def kill_worker(self, wait=True):
        old = self.workers()
        if not old:
            return
        self.killed += 1
        try:
            os.kill(old[0], signal.SIGKILL)
        except ProcessLookupError:
            return
        if wait:
            wait_for("a new worker",
                     lambda: set(self.workers()) - set(old))

    def kill_nginx(self):
        """Master and workers at once, as when memory runs out."""
        pids = [self.nginx.pid] + children(self.nginx.pid)
        self.killed += len(pids)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            Daemon(pid).wait()
        # A thread of one that counts as dead may hold the addresses still.
        for port in (self.port, self.tls_port):
            wait_for("the end of nginx", lambda p=port: not listens(p))
        self.nginx = None
        self.forget_client()

    def stop_nginx(self, sig=signal.SIGQUIT, timeout=20):
        if self.nginx is None:
            return
        pid = self.nginx.pid
        if self.nginx.poll() is None:
            self.nginx.send_signal(sig)
        try:
            self.nginx.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            for child in children(pid):
                self.killed += 1
                os.kill(child, signal.SIGKILL)
            self.nginx.kill()
            self.nginx.wait()
            raise
        finally:
            self.nginx = None
            self.forget_client()

    # Life

    def start(self):
        self.start_agent()
        self.start_nginx()

    def alive(self):
        """Nothing that runs has ended by itself."""
        code = self.agent.poll() if self.agent is not None else None
        assert code is None, "agent of %s ended with %d\n%s" % (
            self.name, code, self.tail())

    def close(self):
        """Exit code of the agent."""
        self.stop_nginx(signal.SIGTERM)
        return self.stop_agent()

    def tail(self, lines=25):
        out = []
        for path in (self.stderr, self.log,
                     os.path.join(self.nginx_dir, "stderr"), self.error_log):
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    out += ["-- %s\n" % path] + f.readlines()[-lines:]
        return "".join(out)

    def logs(self):
        return [self.log, self.stderr, self.error_log,
                os.path.join(self.nginx_dir, "stderr")]

    def log_has(self, pattern, path=None):
        with open(path or self.log, errors="replace") as f:
            return re.search(pattern, f.read())

    # Requests

    def client(self, **more):
        return Client(self.tls_port, self.centre.ca, **more)

    def forget_client(self):
        self._client = None

    def request(self, method, path, json=None, headers=None, body=None):
        if self._client is None:
            self._client = self.client()
        headers = dict(headers or {})
        if json is not None:
            body = jsonlib.dumps(json).encode()
            headers.setdefault("Content-Type", "application/json")
        return self._client.request(method, path, body, headers)

    def plain(self, path, timeout=10):
        """A GET of the local listener."""
        return Client(self.port, timeout=timeout).request("GET", path)

    def check(self, tenant, product, device, version="1.0.0", headers=None,
              **more):
        body = dict(tenant=tenant, product=product, device=device, **more)
        if version is not None:
            body["version"] = version
        return self.request("POST", "/fota/v1/check", body, headers)

    def report(self, tenant, product, device, rollout, state, attempt=1,
               seq=1, headers=None, **more):
        return self.request(
            "POST", "/fota/v1/report",
            dict(tenant=tenant, product=product, device=device,
                 rollout=rollout, state=state, attempt=attempt, seq=seq,
                 **more), headers)

    def status(self):
        return self.plain("/fota/status").json

    def spooled(self):
        """Bytes of records that the agent knows of and the centre has not."""
        return self.agent_status()["spool"]["bytes"]

    def has(self, sha256_hex):
        return os.path.exists(os.path.join(self.store, name_of(sha256_hex)))

    def agent_status(self):
        """What "fota-agent status --json" says."""
        done = subprocess.run(
            [self.binary, "status", "--json", "-c",
             os.path.join(self.dir, "fota-agent.conf")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr
        return jsonlib.loads(done.stdout)
