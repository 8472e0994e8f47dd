# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The demonstration of "make run" in a folder and on ports of its own.

Its firmware is small here: run.sh takes any images of the right names.
"""

import os
import random
import shutil
import subprocess
import tempfile

from .centre import BUILD, TOP
from .ports import free_port
from .stack import ALARM
from .stack_edge import SLOW

RUN_SH = os.path.join(TOP, "conf", "dev", "run.sh")
SIZE = 3000000


def small_images(directory):
    os.makedirs(directory)
    rnd = random.Random(7)
    data = bytearray(rnd.randbytes(SIZE))
    last = None

    for version in ("1.0.0", "1.1.0", "1.2.0"):
        at = rnd.randrange(0, SIZE - 50000)
        data[at:at + 50000] = rnd.randbytes(50000)
        path = os.path.join(directory, "dashcam-x1-%s.squashfs" % version)
        with open(path, "wb") as f:
            f.write(data)
        if last is not None:
            subprocess.run(
                ["xdelta3", "-e", "-f", "-S", "none", "-s", last[1], path,
                 os.path.join(directory, "dashcam-x1-%s-%s.xdelta"
                              % (last[0], version))], check=True)
        last = (version, path)

    with open(os.path.join(directory, "done"), "w") as f:
        f.write("ok\n")


class Demo:
    """With run.sh in it, start and stop as a person would."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="fota-run-", dir="/tmp")
        self.run = os.path.join(self.dir, "run")
        self.images = os.path.join(self.dir, "images")
        small_images(self.images)
        names = ("CENTRE", "EDGE1", "EDGE1_TLS", "EDGE2", "EDGE2_TLS")
        self.ports = {n: free_port() for n in names}
        self.environ = dict(os.environ, FOTA_RUN=self.run, FOTA_BUILD=BUILD,
                            FOTA_TOP=TOP, FOTA_RUN_IMAGES=self.images,
                            FOTA_CONF="/nonexistent")
        for name, port in self.ports.items():
            self.environ["FOTA_RUN_PORTS_" + name] = str(port)

    def command(self, what, check=True, timeout=180):
        """Output goes to a file: daemons would keep a pipe open."""
        path = os.path.join(self.dir, "run-%s.log" % what)
        with open(path, "w") as out:
            done = subprocess.run([RUN_SH, what], env=self.environ,
                                  stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.STDOUT,
                                  timeout=timeout * SLOW)
        with open(path, errors="replace") as f:
            text = f.read()
        assert not check or done.returncode == 0, text
        return text

    def start(self):
        return self.command("start")

    def stop(self):
        said = self.command("stop")
        bad = self.alarms()
        assert not bad, "\n".join(bad[:20])
        return said

    def alarms(self):
        """Lines of the daemons' logs that nobody wants to see."""
        bad = []
        for where, _, names in os.walk(self.run):
            for name in names:
                if not name.endswith(".log"):
                    continue
                path = os.path.join(where, name)
                with open(path, errors="replace") as f:
                    bad += [path + ": " + line.rstrip() for line in f
                            if ALARM.search(line)]
        return bad

    def processes(self):
        """{pid: command line} of what runs from our folder, or has files
        of it open."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    line = f.read().replace(b"\0", b" ").decode(errors="replace")
                with open("/proc/%s/stat" % pid) as f:
                    state = f.read().rsplit(")", 1)[1].split()[0]
                files = [os.readlink("/proc/%s/fd/%s" % (pid, fd))
                         for fd in os.listdir("/proc/%s/fd" % pid)]
            except (OSError, LookupError):
                continue
            ours = self.run in line or any(f.startswith(self.run + "/")
                                           for f in files)
            if ours and state != "Z":
                found[int(pid)] = line
        return found

    def shell(self, text, directory=None, timeout=60):
        """Runs it with .run/env read; the finished process."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c",
             ". '%s/env'\n%s" % (self.run, text)],
            env=self.environ, cwd=directory or self.dir,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=timeout * SLOW)

    def edge(self, n):
        return "http://127.0.0.1:%d" % self.ports["EDGE%d" % n]

    def close(self, keep=False):
        self.command("stop", check=False)
        bad = self.alarms()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not bad, "\n".join(bad[:20])
