# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""fota-agent before a centre that answers wrongly, again and again.

It keeps what it has, says why, asks no more often than it should, stays
small, and goes on when the centre is well.
"""

import gzip
import os
import time

import pytest

from support.agent import Agent, TENANT, devices, seeded, until
from support.lone import agent, centre, lone, place  # noqa: F401
from test_agent_reports import Writer, arrived

LOG = "/sync/v1/log"


class Count:
    """A fault that counts its requests by path."""

    def __init__(self, answer):
        self.answer = answer
        self.paths = []

    def __call__(self, handler):
        self.paths.append(handler.path.split("?")[0])
        return self.answer(handler) or True

    def per_second(self, seconds=2):
        before = len(self.paths)
        time.sleep(seconds)
        return (len(self.paths) - before) / seconds


def faulty(centre, fault):
    """From here on polls are answered wrongly; none is still parked."""
    centre.faults[LOG] = fault
    until("poll", lambda: fault.paths)


def empty(handler):
    """Nothing new, and no waiting for it."""
    handler.reply(204, b"", handler.position(handler.server.centre))


def page(status):
    return lambda h: h.reply(status, b"<html>" + b"x" * 5000,
                             [("Content-Type", "text/html")])


def elsewhere(handler):
    c = handler.server.centre
    handler.reply(302, b"", [("Location", c.url + "/sync/v1/moved")])


def zipped(handler):
    c = handler.server.centre
    handler.reply(200, gzip.compress(c.log[-1][2]),
                  [("Content-Encoding", "gzip")] + handler.position(c))


def endless(handler):
    """Bytes until the agent has enough of them."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    while True:
        handler.wfile.write(b"\0" * 65536)


def again(handler):
    """A batch that the agent has."""
    c = handler.server.centre
    handler.reply(200, c.log[0][2], handler.position(c))


def odd_position(handler):
    handler.reply(204, b"", [("Fota-Epoch", "ff" * 8),
                             ("Fota-Head", str(2 ** 64 - 1)),
                             ("Fota-Time", "1")])


@pytest.mark.parametrize("answer, words", [
    (empty, "was to wait"),
    (odd_position, "was to wait"),
    (page(200), "batch refused at seq 2"),
    (elsewhere, "HTTP 302"),
    (zipped, "batch refused at seq 2"),
    (endless, "limit"),
    (again, "nothing beyond seq 1"),
], ids=["empty", "odd_position", "page", "elsewhere", "zipped", "endless",
        "again"])
def test_wrong_answers_are_not_asked_for_in_a_circle(centre, agent, answer,
                                                     words):
    seeded(centre, agent)
    fault = Count(answer)
    faulty(centre, fault)
    centre.publish(devices(0, 3))
    agent.said(words)
    assert fault.per_second() <= 2
    assert agent.held()["seq"] == 1
    with open("/proc/%d/status" % agent.process.pid) as f:
        size = [int(x.split()[1]) for x in f if x.startswith("VmHWM")][0]
    assert os.environ.get("FOTA_ASAN") == "1" or size < 96 << 10
    assert not any("moved" in p for p in fault.paths)
    centre.faults.clear()
    until("well", lambda: (agent.held() or {}).get("seq") == 4, 60)
    assert len(agent.held()["tables"]["device"]) == 3


def test_sent_from_log_to_snapshot_and_back(centre, agent):
    """The log and the snapshot of a restored centre are of two histories:
    all of it is not loaded again and again."""
    seeded(centre, agent)
    faulty(centre, Count(lambda h: h.problem(409, "diverged")))
    manifests = Count(lambda h: h.reply(200, centre.manifest))
    centre.faults["/sync/v1/snapshot"] = lambda h: (
        manifests(h) if h.path.endswith("/snapshot") else False)
    until("loads", lambda: len(manifests.paths) >= 3, 60)
    assert manifests.per_second(5) <= 1.2
    assert agent.held()["seq"] == 1
    centre.publish(devices(0, 3))
    centre.faults.clear()
    until("well", lambda: (agent.held() or {}).get("seq") == 4, 60)


def test_one_early_answer_costs_little(centre, agent):
    """A centre that is restarted answers early; policy comes on at once."""
    seeded(centre, agent)
    centre.faults[LOG] = fault = Count(empty)
    until("early", lambda: fault.paths)
    centre.faults.clear()
    start = time.monotonic()
    agent.at(centre.publish(devices(0, 3)))
    assert time.monotonic() - start < 6


def test_snapshot_while_changes_come(centre, place):
    """What is published while a snapshot is loaded comes from the log."""
    agent = Agent(place, centre)
    centre.publish(TENANT)
    centre.snapshot({**TENANT, **devices(0, 3000)}, chunk=16384)
    assert len(centre.chunks) > 3
    seen = []

    def chunk(handler):
        if handler.path.count("/") == 5:
            centre.publish(devices(10001 + len(seen), 1))
            seen.append(handler.path)
        return False

    centre.faults["/sync/v1/snapshot"] = chunk
    try:
        agent.start()
        until("chunks", lambda: len(seen) >= len(centre.chunks), 40)
        held = agent.at(centre.seq)
        assert held["chain"] == centre.chain
        assert len(held["tables"]["device"]) == 3000 + len(seen)
        assert agent.stop() == 0
    finally:
        agent.kill()


def test_manifest_of_other_digests(centre, agent):
    """Chunks that are not those of the manifest are never loaded."""
    seeded(centre, agent)
    centre.new_history("00000000000000dd")
    centre.publish(TENANT)
    centre.snapshot({**TENANT, **devices(0, 2000)}, chunk=16384)
    chunks = list(centre.chunks)
    centre.chunks = chunks[1:] + chunks[:1]
    agent.said("snapshot", 40)
    time.sleep(1)
    held = agent.held()
    assert held["epoch"] == "00000000000000aa" and held["seq"] == 1
    assert len(centre.ranges) < 40
    centre.chunks = chunks
    until("new epoch", lambda: (agent.held() or {}).get("epoch")
          == centre.epoch, 60)


@pytest.mark.parametrize("answer", [
    page(400),
    lambda h: h.problem(400, "bad_request"),
    page(200),
], ids=["page", "certificate", "ok"])
def test_reports_wait_for_the_centre_itself(centre, agent, answer):
    """nginx says 400 when a node's certificate has expired: that is no word
    on the reports, which wait."""
    seeded(centre, agent)
    fault = Count(answer)
    centre.faults["/sync/v1/reports"] = fault
    w = Writer(agent, 1)
    w.write(5)
    until("two tries", lambda: len(fault.paths) >= 2)
    assert fault.per_second() <= 2
    assert agent.status()["spool"]["refused"] == 0
    assert any(f["now"] and f["part"] == "upload"
               for f in agent.status()["faults"])
    centre.faults.clear()
    w.close(age=60)
    arrived(centre, w)
    assert not os.path.exists(os.path.join(agent.spool, "refused"))


@pytest.mark.parametrize("answer", [
    page(200), endless, lambda h: h.reply(
        206, b"x" * 100, [("Content-Range", "bytes 50-149/200000")]),
], ids=["page", "endless", "range"])
def test_artifacts_that_never_come_right(centre, agent, answer):
    data = os.urandom(200000)
    sha = centre.artifact(data)
    seeded(centre, agent)
    fault = Count(answer)
    centre.faults["/sync/v1/artifact"] = fault
    agent.at(centre.publish({"artifacts": [
        {"tenant": 1, "sha256": sha, "size": len(data), "prefetch": True}]}))
    until("a try", lambda: fault.paths)
    assert fault.per_second(4) <= 1
    assert agent.stored(sha) is None
    assert agent.held()["seq"] == 2
    # Policy does not wait for artifacts.
    agent.at(centre.publish(devices(0, 1)))
    centre.faults.clear()
    until("artifact", lambda: agent.stored(sha), 90)


def test_keys_and_heartbeats_refused(centre, agent):
    """Neither stands in the way of policy."""
    faults = {p: Count(a) for p, a in (
        ("/sync/v1/keys", page(500)), ("/sync/v1/heartbeat", endless))}
    centre.faults.update(faults)
    seeded(centre, agent)
    agent.at(centre.publish(devices(0, 3)))
    for fault in faults.values():
        assert fault.per_second(3) <= 1
    agent.said("wrapping keys")


def test_centre_of_an_older_backup(centre, agent):
    """It kept its epoch and lost its last changes: what it has is the
    policy, and what it says from then on."""
    seeded(centre, agent)
    log, seq, chain = list(centre.log), centre.seq, centre.chain
    agent.at(centre.publish(devices(0, 3)))
    before = agent.held()
    with centre.changed:
        centre.log, centre.seq, centre.chain = log, seq, chain
    centre.faults[LOG] = lambda h: (
        h.problem(409, "diverged") or True
        if int(h.path.split("after=")[1].split("&")[0]) > centre.seq
        else False)
    held = agent.at(1)
    assert held["generation"] > before["generation"]
    assert "device" not in held["tables"] or not held["tables"]["device"]
    held = agent.at(centre.publish(devices(50, 2)))
    assert held["chain"] == centre.chain
    assert len(held["tables"]["device"]) == 2
