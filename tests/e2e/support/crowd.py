# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Many devices in one process: each checks, and reports what it did.

A device is an id and a version; what happens to an update is decided by the
test's outcome(device, offer): "ok", "fail", "download" (goes no further),
"install" (goes no further) or "none" (takes no notice).
"""

import collections
import concurrent.futures
import threading

from .edge import SLOW

THREADS = 6


class Crowd:
    def __init__(self, fleet, ids, version="1.0.0"):
        self.fleet = fleet
        self.versions = {i: version for i in ids}
        self.attempts = collections.Counter()
        self.lock = threading.Lock()
        self.clients = [[e.client() for _ in range(THREADS)]
                        for e in fleet.stack.edges]

    def round(self, outcome, ids=None):
        """Every device checks once; Counter of the reasons it heard."""
        ids = sorted(ids or self.versions)
        heard = collections.Counter()

        def run(n):
            edges = self.fleet.stack.edges
            mine = collections.Counter()
            for k, device in enumerate(ids[n::THREADS]):
                at = (n + k) % len(edges)
                mine[self.visit(edges[at], device, outcome)] += 1
            with self.lock:
                heard.update(mine)

        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            for done in [pool.submit(run, n) for n in range(THREADS)]:
                done.result(120 * SLOW)
        return heard

    def visit(self, edge, device, outcome):
        """One check and its consequences; the reason."""
        answer = edge.check(self.fleet.tenant, self.fleet.product, device,
                            self.versions[device])
        assert answer.status == 200, answer.body
        offer = answer.json
        if not offer["update"]:
            return offer["reason"]
        what = outcome(device, offer)
        if what == "none":
            return offer["reason"]

        with self.lock:
            self.attempts[device, offer["rollout"]] += 1
            attempt = self.attempts[device, offer["rollout"]]
        said = dict(attempt=attempt, version=self.versions[device],
                    artifact=offer["artifact"]["sha256"],
                    delta=offer["artifact"]["type"] == "delta")

        def report(state, seq, **more):
            got = edge.report(self.fleet.tenant, self.fleet.product, device,
                              offer["rollout"], state, seq=seq,
                              **dict(said, **more))
            assert got.status == 202, got.body

        report("downloading", 1, progress=10)
        if what == "download":
            return offer["reason"]
        report("installing", 2, progress=50)
        if what == "fail":
            report("failed", 3, error={"code": "E-VERIFY",
                                       "text": "does not start"})
        elif what == "ok":
            report("succeeded", 3, version=offer["version"], progress=100)
            self.versions[device] = offer["version"]
        return offer["reason"]


class Watch:
    """Looks at a rollout's counters all the time, and holds them to sum."""

    def __init__(self, fleet, rollout, total):
        self.fleet = fleet
        self.rollout = rollout
        self.total = total
        self.seen = 0
        self.states = []
        self.bad = None
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def look(self):
        p = self.fleet.api("GET", "/rollouts/%d/progress" % self.rollout)
        buckets = p["buckets"]
        assert set(buckets) == {"waiting", "offered", "downloading",
                                "installing", "succeeded", "failed",
                                "skipped"}
        assert all(n >= 0 for n in buckets.values()), p
        assert sum(buckets.values()) == p["total"] == self.total, p
        for name in buckets:
            if name != "waiting":
                assert buckets[name] == sum(s[name] for s in p["stages"]), p
        return p

    def run(self):
        while not self.end.wait(0.1):
            try:
                p = self.look()
                self.seen += 1
                if not self.states or self.states[-1] != (p["state"],
                                                          p["stage"]):
                    self.states.append((p["state"], p["stage"]))
            except Exception as e:      # told by the test itself
                self.bad = e
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *args):
        self.end.set()
        self.thread.join()
