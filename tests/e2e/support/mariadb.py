# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""A private MariaDB on a unix socket in a directory of its own."""

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
import time

SMALL = [
    "--skip-networking", "--skip-name-resolve",
    "--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin",
    "--innodb-buffer-pool-size=64M", "--innodb-buffer-pool-size-max=256M",
    "--innodb-log-file-size=48M", "--performance-schema=OFF",
    "--innodb-flush-log-at-trx-commit=2", "--max-connections=300",
]


def _user():
    return pwd.getpwuid(os.getuid()).pw_name


def _template():
    """Path of a fresh data directory, made once per build directory."""
    build = os.environ.get("FOTA_BUILD") or tempfile.gettempdir()
    cache = os.path.join(build, "cache")
    os.makedirs(cache, exist_ok=True)
    final = os.path.join(cache, "mariadb-%d" % os.getuid())
    with open(final + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(final):
            work = final + ".new"
            shutil.rmtree(work, ignore_errors=True)
            subprocess.run(
                ["mariadb-install-db", "--no-defaults", "--skip-test-db",
                 "--auth-root-authentication-method=normal",
                 "--datadir=" + work, "--user=" + _user()],
                check=True, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
            os.rename(work, final)
    return final


class MariaDB:
    """start() and stop(); sql() runs statements as root."""

    def __init__(self, directory, args=()):
        self.dir = str(directory)
        self.data = os.path.join(self.dir, "data")
        # Socket paths are limited to 108 bytes, directories of tests not.
        self.run = tempfile.mkdtemp(prefix="fotadb-", dir="/tmp")
        self.socket = os.path.join(self.run, "s.sock")
        self.log = os.path.join(self.dir, "mariadb.log")
        self.args = list(args)
        self.process = None

    def start(self):
        os.makedirs(self.dir, exist_ok=True)
        if not os.path.isdir(self.data):
            subprocess.run(["cp", "-a", "--reflink=auto", _template(),
                            self.data], check=True)
        self.process = subprocess.Popen(
            ["mariadbd", "--no-defaults", "--datadir=" + self.data,
             "--socket=" + self.socket, "--user=" + _user(),
             "--pid-file=" + os.path.join(self.run, "pid"),
             "--log-error=" + self.log] + SMALL + self.args,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if os.path.exists(self.socket) and self._ping():
                return self
            time.sleep(0.05)
        raise RuntimeError("mariadbd did not start, see " + self.log)

    def _ping(self):
        return subprocess.run(self._client() + ["-e", "do 1"],
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def _client(self):
        return ["mariadb", "--no-defaults", "-u", "root", "-S", self.socket]

    def sql(self, text, database=None):
        """Runs text; the rows as lists of strings (NULL is "NULL")."""
        cmd = self._client() + ["-N", "-B", "--binary-as-hex"]
        if database:
            cmd += ["-D", database]
        out = subprocess.run(cmd, input=text, text=True, check=True,
                             stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE).stdout
        return [line.split("\t") for line in out.splitlines()]

    def stop(self, sig=15, timeout=30):
        """By its own pid; the data stays."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.run, ignore_errors=True)
