# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""A whole system: MariaDB, fota-admin, nginx with TLS, and edges.

    with Stack(tmp_path, edges=2) as stack:
        fleet = stack.fleet("dash")
        fleet.firmware("1.1.0", image)
        rollout = fleet.rollout("1.1.0")
        stack.edges[0].check(fleet.tenant, fleet.product, "cam-1")

close() fails when any log has an alarm that no test asked for.
"""

import base64
import itertools
import json as jsonlib
import os
import random
import re
import subprocess

from .centre import BUILD, Centre
from .mmdb import maxmind, write_mmdb
from .stack_edge import SLOW, Edge, wait_for

ALARM = re.compile(r"\[alert\]|\[emerg\]|Sanitizer|runtime error:"
                   r"|exited on signal|stack smashing|Assertion")
KILLED = re.compile(r"exited on signal 9\b")
# What a killed worker leaves to its master.
HELD = re.compile(r"shared memory zone .* was locked by")

PLACES = [("AS", "JP", "Tokyo", 35.69, 139.69),
          ("AS", "JP", "Osaka", 34.69, 135.50),
          ("AS", "KR", "Seoul", 37.57, 126.98)]

serial = itertools.count(1)


def image(size, seed, base=None):
    """Bytes that do not compress; with base, a version a tenth away."""
    rnd = random.Random(seed)
    if base is None:
        return rnd.randbytes(size)
    out = bytearray(base)
    for _ in range(10):
        n = size // 100
        at = rnd.randrange(0, len(out) - n)
        out[at:at + n] = rnd.randbytes(n)
    return bytes(out)


def xdelta(old, new, directory):
    """The delta as a device applies it."""
    paths = [os.path.join(directory, n) for n in ("old", "new", "delta")]
    for path, data in zip(paths, (old, new)):
        with open(path, "wb") as f:
            f.write(data)
    subprocess.run(["xdelta3", "-e", "-f", "-q", "-S", "none", "-s"] + paths,
                   check=True)
    with open(paths[2], "rb") as f:
        return f.read()


class Fleet:
    """A tenant of its own with one product."""

    def __init__(self, stack, name, auth=("open",), poll_s=60):
        self.stack = stack
        self.centre = stack.centre
        n = next(serial)
        self.tenant = "t%d-%s" % (n, name)
        self.product = "p%d-%s" % (n, name)
        made = self.centre.api("POST", "/tenants", {
            "name": self.tenant, "auth": list(auth), "signer": "centre"})
        self.id = made["id"]
        self.signer = base64.b64decode(
            made["signer"]["public_key"]).hex()
        self.api("POST", "/products", {"name": self.product,
                                       "poll_s": poll_s})

    def api(self, method, path, json=None, **more):
        return self.centre.api(method, path, json, tenant=self.tenant, **more)

    def firmware(self, version, data=None, **more):
        """Names a version; with data, a full package of it."""
        self.api("POST", "/products/%s/firmware" % self.product,
                 dict(version=version, **more))
        if data is not None:
            return self.artifact(version, data)
        return None

    def artifact(self, version, data, source=None, fmt="raw"):
        """The artifact as the centre shows it; source makes it a delta."""
        body = {"name": "image.bin", "size": len(data), "sha256": sha(data)}
        up = self.api("POST", "/uploads", body)
        for at in range(up["offset"], len(data), 8 << 20):
            self.api("PATCH", "/uploads/" + up["id"],
                     body=data[at:at + (8 << 20)], headers={
                         "Content-Type": "application/octet-stream",
                         "Upload-Offset": str(at)})
        self.api("POST", "/uploads/%s/complete" % up["id"])
        body = {"version": version, "upload": up["id"], "format": fmt}
        if source is not None:
            body["from"] = source
        return self.api("POST", "/products/%s/artifacts" % self.product, body)

    def rollout(self, target, start=True, **more):
        """Its id; open for devices to come, started unless told otherwise."""
        body = dict(product=self.product, name="to " + target, target=target,
                    stages=[{"percent": 100, "auto_next": False}])
        body.update(more)
        made = self.api("POST", "/rollouts", body)
        if start:
            self.api("POST", "/rollouts/%d/start" % made["id"])
        return made["id"]

    def fota(self, *args):
        """What "fota ..." prints for the tenant."""
        env = dict(os.environ, FOTA_CENTRE=self.centre.url,
                   FOTA_TOKEN=self.centre.token, FOTA_TENANT=self.tenant,
                   FOTA_CA=self.centre.ca, FOTA_CONF="/nonexistent")
        done = subprocess.run([os.path.join(BUILD, "fota"), *args], env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60 * SLOW)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    def show(self, rollout):
        return self.api("GET", "/rollouts/%d" % rollout)

    def count(self, rollout, state):
        """Devices in a state, over all stages."""
        rows = self.centre.sql(
            "SELECT COALESCE(SUM(devices), 0) FROM rollout_counter WHERE "
            "rollout_id = %d AND state = '%s'" % (rollout, state))
        return int(rows[0][0])

    def events(self, rollout):
        """{(device, attempt, seq): times} of reports at the centre."""
        rows = self.centre.sql(
            "SELECT d.ext_id, e.attempt, e.seq, COUNT(*) FROM report_event e "
            "JOIN device d ON d.id = e.device_id WHERE e.rollout_id = %d "
            "GROUP BY d.ext_id, e.attempt, e.seq" % rollout)
        return {(r[0], int(r[1]), int(r[2])): int(r[3]) for r in rows}

    def offered(self, edge, device="probe", version="1.0.0", **more):
        """The answer of a check when it offers, else None."""
        edge.alive()
        answer = edge.check(self.tenant, self.product, device, version,
                            **more)
        if answer.status == 200 and answer.json["update"]:
            return answer.json
        return None

    def wait_offer(self, edges=None, version="1.0.0", **more):
        """Until the edges offer; the answers."""
        edges = edges or self.stack.edges
        return [wait_for("an offer by " + e.name,
                         lambda e=e: self.offered(e, version=version, **more))
                for e in edges]

    def simulate(self, device, *args, edge=None, check=True, version="1.0.0"):
        """Runs "fota device simulate"; what it says about itself."""
        edge = edge or self.stack.edges[0]
        cmd = [os.path.join(BUILD, "fota"), "device", "simulate",
               "--edge", edge.url, "--ca", self.centre.ca,
               "--tenant", self.tenant, "--product", self.product,
               "--id", device, "--signer", self.signer, "--json",
               "--dir", os.path.join(self.stack.devices, device)]
        if version:
            cmd += ["--version", version]
        os.makedirs(self.stack.devices, exist_ok=True)
        done = subprocess.run(cmd + list(args), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True,
                              timeout=120 * SLOW)
        said = done.stdout.strip().splitlines()
        out = jsonlib.loads(said[-1]) if said else {}
        out["exit"] = done.returncode
        out["stderr"] = done.stderr
        if check:
            assert done.returncode == 0 and out.get("ok"), (out, done.stderr)
        return out


def sha(data):
    import hashlib
    return hashlib.sha256(data).hexdigest()


class Stack:
    """edges: how many; their names are edge-1, edge-2, ..."""

    def __init__(self, directory, edges=2, centre_conf=None, edge_conf=None,
                 data_dir=None, db_dir=None, **edge_more):
        self.dir = str(directory)
        self.n = edges
        self.centre_conf = centre_conf
        self.data_dir = data_dir    # of the centre
        self.db_dir = db_dir
        self.edge_conf = edge_conf
        self.edge_more = edge_more
        self.centre = None
        self.edges = []
        self.devices = os.path.join(self.dir, "devices")
        self.allowed = []           # patterns of alarms that a test wants

    def __enter__(self):
        os.makedirs(self.dir, exist_ok=True)
        self.geo = os.path.join(self.dir, "geo.mmdb")
        write_mmdb(self.geo, {
            "127.0.0.0/8": maxmind("JP", city="Tokyo", lat=35.69, lon=139.69,
                                   tz="Asia/Tokyo", continent="AS")})
        self.centre = Centre(os.path.join(self.dir, "centre"),
                             conf=self.centre_conf,
                             data_dir=self.data_dir)
        if self.db_dir is not None:
            self.centre.db.data = os.path.join(str(self.db_dir), "data")
        self.centre.start()
        try:
            for i in range(self.n):
                self.add_edge("edge-%d" % (i + 1))
            for edge in self.edges:
                edge.start()
            self.ready()
        except BaseException:
            self.close(check=False)
            raise
        return self

    def add_edge(self, name, **more):
        place = PLACES[len(self.edges) % len(PLACES)]
        args = dict(geo=self.geo, conf=self.edge_conf)
        args.update(self.edge_more)
        args.update(more)
        edge = Edge(os.path.join(self.dir, name), name, self.centre, **args)
        made = self.centre.api("POST", "/nodes", {
            "name": name, "url": edge.url, "continent": place[0],
            "country": place[1], "city": place[2], "lat": place[3],
            "lon": place[4], "site": "site-" + name})
        edge.id = made["id"]
        self.edges.append(edge)
        return edge

    def __exit__(self, kind, value, trace):
        self.close(check=kind is None)

    def head(self):
        return int(self.centre.sql("SELECT seq FROM feed")[0][0])

    def settled(self):
        """Nothing waits for the sequencer; the head of the log."""
        if self.centre.sql("SELECT COUNT(*) FROM outbox")[0][0] != "0":
            return 0
        return self.head()

    def at_head(self, edge):
        edge.alive()
        head = self.settled()
        return head and edge.status()["policy"].get("seq", 0) >= head

    def ready(self, edges=None, timeout=30):
        """Until every edge answers from the head of the log."""
        for edge in edges or self.edges:
            wait_for("policy at " + edge.name, lambda: self.at_head(edge),
                     timeout, every=0.1)

    def fleet(self, name, **more):
        return Fleet(self, name, **more)

    def drained(self, edge):
        """Every report of an edge is at the centre."""
        return edge.spooled() == 0

    def tail(self):
        return self.centre._tail() + "".join(e.tail() for e in self.edges)

    def alarms(self):
        """Lines of any log that nobody asked for."""
        bad = []
        c = self.centre
        logs = [(p, 0, []) for p in (
            c.log, c.stderr, os.path.join(c.nginx_dir, "error.log"))]
        for e in self.edges:
            logs += [(p, e.killed, e.allowed) for p in e.logs()]
        for path, killed, allowed in logs:
            if not os.path.exists(path):
                continue
            with open(path, errors="replace") as f:
                for line in f:
                    if not ALARM.search(line):
                        continue
                    if KILLED.search(line) and killed > 0:
                        killed -= 1
                        continue
                    if HELD.search(line) and killed > 0:
                        continue
                    if any(re.search(p, line)
                           for p in list(allowed) + self.allowed):
                        continue
                    bad.append("%s: %s" % (path, line.rstrip()))
        return bad

    def close(self, check=True):
        codes = []
        errors = []
        for edge in self.edges:
            try:
                codes.append((edge.name, edge.close()))
            except Exception as e:          # the others are to end as well
                errors.append(repr(e))
        if self.centre is not None:
            c = self.centre
            try:
                c.stop_nginx()
                codes.append(("fota-admin", c.stop_admin()))
            except Exception as e:
                errors.append(repr(e))
            c.close(check=False)
        if check:
            assert not errors, errors
            for name, code in codes:
                assert code in (0, None), "%s ended with %r" % (name, code)
            bad = self.alarms()
            assert not bad, "\n".join(bad[:20])
