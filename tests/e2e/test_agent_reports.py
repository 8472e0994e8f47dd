# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""What nginx acknowledged reaches the centre once, whatever happens."""

import fcntl
import json
import os
import random
import time

from support.agent import seeded, until
from support.fakecentre import tool
from support.lone import agent, centre, lone  # noqa: F401


class Writer:
    """A worker of nginx: one segment, locked while it is written."""

    def __init__(self, agent, boot, worker=0, number=1):
        os.makedirs(agent.spool, exist_ok=True)
        self.id = (boot, worker, number)
        self.path = os.path.join(agent.spool, "%016x-%04x-%016x.seg"
                                 % self.id)
        self.seq = 0
        whole = tool("spool", {"boot": boot, "worker": worker,
                               "number": number})
        self.file = open(self.path, "wb", buffering=0)
        fcntl.flock(self.file, fcntl.LOCK_EX)
        self.file.write(whole)

    def records(self, n):
        boot, worker, number = self.id
        first, self.seq = self.seq + 1, self.seq + n
        return tool("spool", {
            "boot": boot, "worker": worker, "number": number,
            "records": [{"seq": i, "ms": int(time.time() * 1000),
                         "payload": json.dumps({"t": "report", "seq": i})}
                        for i in range(first, first + n)]})[28:]

    def write(self, n):
        self.file.write(self.records(n))

    def close(self, age=0):
        self.file.close()
        if age and os.path.exists(self.path):
            old = time.time() - age
            os.utime(self.path, (old, old))

    def names(self):
        return {(*self.id, i) for i in range(1, self.seq + 1)}


def arrived(centre, *writers):
    wanted = set().union(*(w.names() for w in writers))
    return until("%d reports" % len(wanted),
                 lambda: set(centre.reports) >= wanted, 60)


def test_reports_of_a_live_writer(centre, agent):
    seeded(centre, agent)
    w = Writer(agent, 1)
    w.write(3)
    arrived(centre, w)
    w.write(2500)
    arrived(centre, w)
    assert max(len(seg["records"]) for _, seg in centre.batches) <= 1000
    time.sleep(0.6)
    assert os.path.exists(w.path)
    key, seg = centre.batches[0]
    assert key.split("/")[0] == "edge-1" and key.endswith("1-3")

    # It went on to another segment: the first one is done.
    w2 = Writer(agent, 1, number=2)
    w2.write(5)
    arrived(centre, w, w2)
    until("removed", lambda: not os.path.exists(w.path))
    assert os.path.exists(w2.path)

    # It died: what nobody locks is done after a while.
    w2.close(age=60)
    until("removed", lambda: not os.path.exists(w2.path))
    assert all(w == json.dumps({"t": "report", "seq": k[3]})
               for k, w in centre.reports.items())
    until("cursor", lambda: agent.status()["spool"]["segments"] == 0)


def test_reports_torn_and_damaged(centre, agent):
    seeded(centre, agent, start=False)
    torn = Writer(agent, 1)
    torn.write(4)
    torn.file.write(torn.records(1)[:-3])
    torn.seq = 4
    torn.close(age=60)

    damaged = Writer(agent, 2)
    damaged.write(3)
    bad = bytearray(damaged.records(1))
    bad[50] ^= 1
    damaged.file.write(bytes(bad))
    damaged.write(4)
    damaged.close(age=60)

    agent.start()
    arrived(centre, torn)
    wanted = damaged.names() - {(2, 0, 1, 4)}
    until("the rest", lambda: set(centre.reports) >= wanted)
    until("removed", lambda: not os.path.exists(torn.path)
          and not os.path.exists(damaged.path))
    agent.said("never acknowledged")
    agent.said("set aside")
    aside = os.path.join(agent.spool, "refused")
    name = os.path.basename(damaged.path) + ".damaged"
    with open(os.path.join(aside, name), "rb") as f:
        assert f.read() == bytes(bad)
    assert (2, 0, 1, 4) not in centre.reports


def test_reports_refused(centre, agent):
    seeded(centre, agent)
    centre.refuse = [{"seq": 2, "code": "bad", "detail": "no such device"}]
    w = Writer(agent, 1)
    w.write(3)
    arrived(centre, w)
    agent.said("record 2 set aside: bad: no such device")
    centre.refuse = []

    # A batch that the centre will never take.
    centre.faults["/sync/v1/reports"] = lambda h: h.problem(
        400, "bad_field") or True
    w.write(2)
    agent.said("records 4 to 5 set aside")
    centre.faults.clear()
    w.write(1)
    until("next", lambda: (1, 0, 1, 6) in centre.reports)
    path = os.path.join(agent.spool, "refused",
                        os.path.basename(w.path) + ".refused")
    with open(path, "rb") as f:
        data = f.read()
    head = tool("spool", {"boot": 1, "worker": 0, "number": 1})
    kept = json.loads(tool("unspool", None, head + data))["records"]
    assert [r["seq"] for r in kept] == [2, 4, 5]
    assert agent.status()["spool"]["refused"] == 3


def test_reports_survive_everything(centre, agent):
    """Kill at any moment, answers lost, centre down: all arrive, in order
    of their writer, and none is forgotten."""
    seeded(centre, agent)
    rng = random.Random(11)
    writers = []
    down = lambda h: h.problem(503, "down", Retry_After="1") or True  # noqa
    for round_ in range(8):
        w = Writer(agent, 1 + round_ % 2, number=1 + round_)
        writers.append(w)
        for _ in range(3):
            w.write(rng.randrange(1, 300))
            time.sleep(rng.uniform(0, 0.15))
        if round_ == 2:
            centre.forget_answer = 2
        if round_ == 4:
            centre.faults["/sync/v1/reports"] = down
        if round_ == 6:
            centre.faults.clear()
        agent.restart()
    for w in writers:
        w.close(age=60)
    arrived(centre, *writers)
    until("empty spool", lambda: not [
        n for n in os.listdir(agent.spool) if n.endswith(".seg")], 60)
    for (boot, worker, number, seq), text in centre.reports.items():
        assert json.loads(text)["seq"] == seq
