# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The centre as it is deployed: MariaDB, fota-admin, nginx with TLS.

    with Centre(tmp_path) as centre:
        centre.api("POST", "/api/v1/tenants", {"name": "acme"})
        cert, key = centre.node_cert("edge-1")
"""

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

from .mariadb import MariaDB
from .ports import free_port

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
BUILD = os.environ.get("FOTA_BUILD") or os.path.join(TOP, "build")

BAD = re.compile(r"\[alert\]|\[emerg\]|\[crit\]|AddressSanitizer"
                 r"|runtime error:|LeakSanitizer|UndefinedBehavior")


class ApiError(AssertionError):
    """An answer of 400 or above; status, problem (dict or text)."""

    def __init__(self, method, path, answer):
        super().__init__("%s %s: %d %s" % (method, path, answer.status,
                                           answer.body[:500]))
        self.status = answer.status
        self.problem = answer.json


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        try:
            return jsonlib.loads(self.body)
        except ValueError:
            return None


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Pki:
    """A server CA and a node CA, made with openssl, valid for a day."""

    def __init__(self, directory):
        self.dir = str(directory)
        os.makedirs(self.dir, exist_ok=True)
        for ca in ("ca", "node-ca"):
            self._run("req", "-x509", "-newkey", "ec", "-pkeyopt",
                      "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                      "-subj", "/O=FOTA test/CN=" + ca,
                      "-keyout", self.path(ca + ".key"),
                      "-out", self.path(ca + ".crt"))
        self.issue("centre", "ca", san="DNS:localhost,IP:127.0.0.1")

    def path(self, name):
        return os.path.join(self.dir, name)

    def _run(self, *args):
        subprocess.run(("openssl",) + args, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def issue(self, name, ca, san=None, subject=None):
        """(certificate, key) of name, signed by ca ("ca" or "node-ca")."""
        crt, key = self.path(name + ".crt"), self.path(name + ".key")
        if os.path.exists(crt):
            return crt, key
        self._run("req", "-new", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:prime256v1", "-nodes",
                  "-subj", subject or "/O=FOTA test/CN=" + name,
                  "-keyout", key, "-out", self.path(name + ".csr"))
        ext = self.path(name + ".ext")
        with open(ext, "w") as f:
            f.write("basicConstraints=CA:FALSE\n")
            if san:
                f.write("subjectAltName=%s\n" % san)
        self._run("x509", "-req", "-in", self.path(name + ".csr"),
                  "-CA", self.path(ca + ".crt"), "-CAkey",
                  self.path(ca + ".key"), "-CAcreateserial", "-days", "1",
                  "-extfile", ext, "-out", crt)
        return crt, key


class Centre:
    """nginx=False: without TLS, only the unix socket (faster)."""

    def __init__(self, directory, nginx=True, conf=None, port=None,
                 data_dir=None):
        self.dir = str(directory)
        os.makedirs(self.dir, exist_ok=True)
        self.data = str(data_dir or os.path.join(self.dir, "data"))
        self.run = tempfile.mkdtemp(prefix="fotac-", dir="/tmp")
        self.socket = os.path.join(self.run, "admin.sock")
        self.binary = os.path.join(BUILD, "fota-admin")
        self.conf_file = os.path.join(self.dir, "fota-admin.conf")
        self.log = os.path.join(self.dir, "fota-admin.log")
        self.stderr = os.path.join(self.dir, "fota-admin.stderr")
        self.nginx_dir = os.path.join(self.dir, "nginx")
        self.with_nginx = nginx
        self.conf = dict(conf or {})
        self.port = port or free_port()
        self.db = MariaDB(os.path.join(self.dir, "db"))
        self.admin = None
        self.nginx = None
        self.pki = None
        self.token = None

    # Life

    def start(self):
        try:
            self.db.start()
            self.db.sql("CREATE DATABASE IF NOT EXISTS fota")
            self._write_conf()
            self.command("migrate")
            out = self.command("init").strip()
            self.token = out or self.token
            self.start_admin()
            if self.with_nginx:
                self.pki = Pki(os.path.join(self.dir, "pki"))
                self.start_nginx()
        except BaseException:
            self.close(check=False)
            raise
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        self.close(check=kind is None)

    def close(self, check=True):
        self.stop_nginx()
        code = self.stop_admin()
        self.db.close()
        shutil.rmtree(self.run, ignore_errors=True)
        if check:
            assert code in (0, None), "fota-admin ended with %r" % code
            self.check_logs()
            self.check_answers()

    def check_answers(self):
        """All that was answered is as admin/openapi.yaml says."""
        from . import answers
        wrong, answers.wrong[:] = list(answers.wrong), []
        assert not wrong, "\n".join(wrong[:20])

    def check_logs(self):
        """No alarm of nginx, no sanitizer report anywhere."""
        for path in (self.log, self.stderr,
                     os.path.join(self.nginx_dir, "error.log")):
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    for line in f:
                        assert not BAD.search(line), path + ": " + line

    def _write_conf(self):
        key = os.path.join(self.dir, "master.key")
        if not os.path.exists(key):
            fd = os.open(key, os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(fd, os.urandom(32).hex().encode())
            os.close(fd)
        conf = {
            "listen": self.socket,
            "data_dir": self.data,
            "master_key_file": key,
            "db_socket": self.db.socket,
            "db_user": "root",
            "db_name": "fota",
            "db_connections": "16",
            "log_file": self.log,
            "log_level": "debug",
        }
        conf.update(self.conf)
        with open(self.conf_file, "w") as f:
            for name, value in conf.items():
                f.write("%s = %s\n" % (name, value))

    def command(self, *args):
        """Runs "fota-admin ARGS -c CONF"; its standard output."""
        done = subprocess.run([self.binary, *args, "-c", self.conf_file],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start_admin(self, wait=True):
        with open(self.stderr, "a") as err:
            self.admin = subprocess.Popen(
                [self.binary, "serve", "-c", self.conf_file],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        if wait:
            self.wait_admin()

    def wait_admin(self, timeout=30):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            assert self.admin.poll() is None, self._tail()
            try:
                if self.request("GET", "/healthz", unix=True,
                                token="").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError("fota-admin does not answer\n" + self._tail())

    def _tail(self):
        out = []
        for path in (self.stderr, self.log):
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    out += f.readlines()[-15:]
        return "".join(out)

    def stop_admin(self, sig=signal.SIGTERM, timeout=45):
        if self.admin is None:
            return None
        if self.admin.poll() is None:
            self.admin.send_signal(sig)
        try:
            code = self.admin.wait(timeout)
        except subprocess.TimeoutExpired:
            self.admin.kill()
            self.admin.wait()
            raise
        self.admin = None
        return code

    def kill_admin(self):
        """kill -9, as a crash would."""
        self.stop_admin(signal.SIGKILL)

    def restart_admin(self):
        self.stop_admin()
        self.start_admin()

    # nginx, from the example of conf/

    def start_nginx(self):
        os.makedirs(self.nginx_dir, exist_ok=True)
        with open(os.path.join(TOP, "conf/nginx-centre.conf")) as f:
            text = f.read()
        text = text.replace("/run/fota/admin.sock", self.socket)
        text = text.replace("/etc/fota/tls", self.pki.dir)
        text = text.replace("/var/lib/fota", self.data)
        text = text.replace("    listen [::]:9443 ssl http2;\n", "")
        text = text.replace("listen 9443", "listen 127.0.0.1:%d" % self.port)
        conf = os.path.join(self.nginx_dir, "nginx.conf")
        temp = "".join("    %s_temp_path %s/%s;\n" % (n, self.nginx_dir, n)
                       for n in ("client_body", "proxy", "fastcgi", "uwsgi",
                                 "scgi"))
        with open(conf, "w") as f:
            if os.getuid() == 0:
                f.write("user root;\n")
            f.write("daemon off;\nworker_processes 1;\n"
                    "pid %s/pid;\nerror_log %s/error.log notice;\n"
                    "events { worker_connections 1024; }\n"
                    "http {\n%s    access_log %s/access.log;\n%s}\n"
                    % (self.nginx_dir, self.nginx_dir, temp, self.nginx_dir,
                       text))
        self.nginx = subprocess.Popen(
            ["nginx", "-p", self.nginx_dir, "-c", conf],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            assert self.nginx.poll() is None, self.nginx.stderr.read()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("nginx does not listen")

    def stop_nginx(self):
        if self.nginx is not None:
            self.nginx.terminate()
            self.nginx.wait(20)
            self.nginx.stderr.close()
            self.nginx = None

    # Addresses and credentials

    @property
    def url(self):
        return "https://127.0.0.1:%d" % self.port

    @property
    def ca(self):
        """CA of the centre's server certificate."""
        return self.pki.path("ca.crt")

    def node_cert(self, name):
        """(certificate, key) of an edge's agent."""
        return self.pki.issue(name, "node-ca")

    def sync_key(self):
        """Public sync keys, lines "KID BASE64"."""
        return self.command("sync-key").strip()

    def sql(self, text):
        return self.db.sql(text, "fota")

    # Requests

    def connection(self, unix=False, node=None, timeout=60):
        if unix or not self.with_nginx or self.nginx is None:
            return UnixConnection(self.socket, timeout)
        context = ssl.create_default_context(cafile=self.ca)
        if node is not None:
            context.load_cert_chain(*self.node_cert(node))
        return http.client.HTTPSConnection("127.0.0.1", self.port,
                                           timeout=timeout, context=context)

    def request(self, method, path, json=None, body=None, headers=None,
                token=None, tenant=None, unix=False, node=None, timeout=60):
        """One request, any status; json or body (bytes, file, iterator)."""
        headers = dict(headers or {})
        if token is None:
            token = self.token
        if token:
            headers.setdefault("Authorization", "Bearer " + token)
        if tenant:
            headers["X-Fota-Tenant"] = tenant
        if json is not None:
            body = jsonlib.dumps(json).encode()
            headers.setdefault("Content-Type", "application/json")
        if node is not None and (unix or self.nginx is None):
            headers["X-Fota-Node"] = node
        c = self.connection(unix, node, timeout)
        try:
            c.request(method, path, body=body, headers=headers)
            r = c.getresponse()
            answer = Answer(r.status, dict(r.getheaders()), r.read())
        finally:
            c.close()
        from . import answers
        answers.hold(method, path, answer)
        return answer

    def api(self, method, path, json=None, tenant=None, token=None, **more):
        """The decoded answer of a request that must succeed."""
        if not path.startswith("/api/"):
            path = "/api/v1" + path
        answer = self.request(method, path, json, token=token, tenant=tenant,
                              **more)
        if answer.status >= 400:
            raise ApiError(method, path, answer)
        return answer.json

    def upload(self, path_or_bytes, name="image.bin", tenant=None,
               part=8 << 20):
        """Uploads a file through the resumable API; its SHA-256 in hex."""
        import hashlib
        data = path_or_bytes
        if not isinstance(data, bytes):
            with open(data, "rb") as f:
                data = f.read()
        sha = hashlib.sha256(data).hexdigest()
        up = self.api("POST", "/uploads", {"name": name, "size": len(data),
                                           "sha256": sha}, tenant=tenant)
        offset = up["offset"]
        while offset < len(data):
            piece = data[offset:offset + part]
            self.api("PATCH", "/uploads/" + up["id"], tenant=tenant,
                     body=piece, headers={
                         "Content-Type": "application/octet-stream",
                         "Upload-Offset": str(offset)})
            offset += len(piece)
        self.api("POST", "/uploads/%s/complete" % up["id"], tenant=tenant)
        return sha
