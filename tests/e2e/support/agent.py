# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""fota-agent alone, before a centre of the test's own."""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from .fakecentre import BUILD, FakeCentre, policy_of

AGENT = os.path.join(BUILD, "fota-agent")
SLOW = 4 if os.environ.get("FOTA_ASAN") == "1" else 1

TENANT = {"tenants": [{"name": "demo", "id": 1}]}


def devices(first, n):
    return {"devices": [{"tenant": 1, "id": "dev-%06d" % i, "blocked": True}
                        for i in range(first, first + n)]}


def b64name(sha256_hex):
    raw = base64.urlsafe_b64encode(bytes.fromhex(sha256_hex))
    return raw.decode().rstrip("=")


def until(what, probe, timeout=20):
    deadline = time.monotonic() + timeout * SLOW
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class Agent:
    def __init__(self, directory, centre, **conf):
        self.dir = directory
        self.centre = centre
        self.process = None
        for name in ("policy", "store", "spool", "state"):
            setattr(self, name, os.path.join(directory, name))
        self.log = os.path.join(directory, "agent.log")
        self.conf = {
            "node": "edge-1", "centre": centre.url,
            "ca": os.path.join(centre.pki, "ca.crt"),
            "cert": os.path.join(centre.pki, "node.crt"),
            "key": os.path.join(centre.pki, "node.key"),
            "policy_dir": self.policy, "state_dir": self.state,
            "store_dir": self.store, "spool_dir": self.spool,
            "map_size": "16m", "log": self.log, "log_level": "debug",
            "status_socket": os.path.join(directory, "s"),
            "sync_key": "1:" + centre.pub, "poll_wait": "2",
        }
        self.conf.update(conf)

    def write(self):
        path = os.path.join(self.dir, "agent.conf")
        # One that has just begun may be reading it.
        with open(path + ".new", "w") as f:
            for name, value in self.conf.items():
                f.write("%s = %s\n" % (name, value))
        os.rename(path + ".new", path)
        return path

    def start(self, wrapper=()):
        self.process = subprocess.Popen(
            [*wrapper, AGENT, "-c", self.write()], stdin=subprocess.DEVNULL)
        return self

    def stop(self, sig=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(sig)
        code = self.process.wait(20 * SLOW)
        self.process = None
        return code

    def kill(self):
        self.stop(signal.SIGKILL)

    def restart(self):
        self.kill()
        self.start()

    def status(self):
        def probe():
            out = subprocess.run(
                [AGENT, "status", "--json", "-c", self.write()],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            return json.loads(out.stdout) if out.returncode == 0 else None
        return until("status", probe)

    def held(self):
        return policy_of(self.policy)

    def at(self, seq):
        def probe():
            held = self.held()
            return held if held and held["seq"] == seq else None
        return until("seq %d" % seq, probe)

    def text(self):
        try:
            with open(self.log) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def said(self, words, timeout=20):
        return until("log: " + words, lambda: words in self.text(), timeout)

    def stored(self, sha256_hex):
        path = os.path.join(self.store, b64name(sha256_hex))
        return path if os.path.exists(path) else None


def seeded(centre, agent, start=True):
    """A snapshot at seq 1, loaded by the agent."""
    centre.publish(TENANT)
    centre.snapshot(TENANT)
    if start:
        agent.start()
        agent.at(1)


@contextlib.contextmanager
def lone_agent():
    """(directory, centre, agent); nothing of it is left afterwards."""
    directory = tempfile.mkdtemp(prefix="fota-agent-", dir="/tmp")
    centre = FakeCentre(directory)
    agent = Agent(directory, centre)
    try:
        yield directory, centre, agent
        # A killed one would not tell of its leaks.  -SIGTERM: it has only
        # just begun.
        assert agent.stop() in (0, None, -signal.SIGTERM), agent.text()
    finally:
        agent.kill()
        centre.close()
        shutil.rmtree(directory, ignore_errors=True)
