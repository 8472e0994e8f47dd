# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Stages that go on by success and stop by errors, with 1 000 devices."""

import threading
import time
import zlib

import pytest

from support.centre import ApiError
from support.crowd import Crowd, Watch
from support.edge import wait_for
from support.stack import image

N = 1000
LAB = 10
IDS = ["unit-%04d" % i for i in range(N)]


def product(fleet, delta=True):
    fleet.firmware("1.0.0", image(3000, 1))
    fleet.firmware("1.1.0", image(3000, 2))
    if delta:
        fleet.artifact("1.1.0", image(500, 3), source="1.0.0", fmt="xdelta3")


def register(fleet, ids, version="1.0.0"):
    fleet.api("POST", "/devices/bulk", {
        "product": fleet.product,
        "devices": [{"id": i, "version": version} for i in ids]})


def show(fleet, rollout):
    return fleet.api("GET", "/rollouts/%d" % rollout)


def act(fleet, rollout, action, **more):
    return fleet.api("POST", "/rollouts/%d/%s" % (rollout, action), **more)


def buckets(fleet, rollout):
    return fleet.api("GET", "/rollouts/%d/progress" % rollout)["buckets"]


def wait_bucket(fleet, rollout, timeout=20, **wanted):
    wait_for("%r" % wanted, lambda: all(
        buckets(fleet, rollout)[k] == v for k, v in wanted.items()), timeout,
        every=0.1)


def reached(fleet, rollout, stage=None, state="running"):
    def probe():
        r = show(fleet, rollout)
        return r["state"] == state and stage in (None, r["stage"]) and r
    return wait_for("stage %r, %s" % (stage, state), probe, 20, every=0.1)


def at_edges(fleet):
    """What the centre has decided so far is known everywhere."""
    fleet.stack.ready()


def drained(fleet):
    wait_for("reports at the centre", lambda: all(
        fleet.stack.drained(e) for e in fleet.stack.edges), 20, every=0.1)


def ok(device, offer):
    return "ok"


def test_thousand_devices(rules):
    """Test group, 10 %, a pause, resume, next stage now, all, finished."""
    fleet = rules.fleet("stages")
    product(fleet)
    register(fleet, IDS)
    fleet.api("POST", "/groups", {"name": "lab"})
    fleet.api("POST", "/groups/lab/members", {"add": IDS[:LAB]})
    rollout = fleet.rollout("1.1.0", strategy="full", max_attempts=1, stages=[
        {"test_only": True, "test_group": "lab", "success_pct": 100,
         "error_pct": 10, "min_count": 5},
        {"percent": 10, "success_pct": 95, "error_pct": 10, "min_count": 20,
         "soak_s": 2},
        {"percent": 50, "success_pct": 100, "error_pct": 10,
         "min_count": 20},
        {"percent": 100, "success_pct": 90, "error_pct": 10,
         "min_count": 20}])
    fleet.wait_offer(device=IDS[0])
    crowd = Crowd(fleet, IDS)

    with Watch(fleet, rollout, N) as watch:
        # The test group, and nobody else: the others ask before it is done,
        # as the next stage comes at once.
        assert crowd.round(ok, IDS[LAB:]) == {"stage": N - LAB}
        assert crowd.round(ok, IDS[:LAB]) == {"offer": LAB}
        started = reached(fleet, rollout, 1)
        assert started["state_reason"].startswith("Stage 2 of 4 (10 %)") or \
            started["state_reason"] == ""
        at_edges(fleet)

        # A tenth, of which a fifth fails: the limit is a tenth.
        heard = crowd.round(lambda d, o: "fail" if zlib.crc32(
            d.encode()) % 5 == 0 else "ok")
        share = heard["offer"]
        assert 10 <= share <= 140, heard
        assert heard["up_to_date"] == LAB
        paused = reached(fleet, rollout, 1, "paused")
        assert "failed" in paused["state_reason"]
        assert "the limit is 10 %" in paused["state_reason"]
        at_edges(fleet)
        heard = crowd.round(ok)
        assert heard["offer"] == 0
        assert heard["paused"] == N, "a paused rollout tells so first"

        drained(fleet)
        failed = buckets(fleet, rollout)["failed"]
        assert failed >= 2
        assert buckets(fleet, rollout) == {
            "waiting": N - LAB - share, "offered": 0, "downloading": 0,
            "installing": 0, "succeeded": LAB + share - failed,
            "failed": failed, "skipped": 0}

        # Resumed: what failed before counts no more, but has no attempt left.
        act(fleet, rollout, "resume")
        at_edges(fleet)
        heard = crowd.round(ok)
        assert heard["attempts"] == failed
        assert heard["up_to_date"] == LAB + share - failed
        # The pause may have come before all of the tenth had asked.
        share += heard["offer"]

        # 95 % have not succeeded: only when the failed ones are retried.
        assert show(fleet, rollout)["stage"] == 1
        act(fleet, rollout, "retry-failed")
        at_edges(fleet)
        wait_bucket(fleet, rollout, failed=0, offered=failed)
        # Only they ask: the next stage comes as soon as they are done, and
        # its devices must be there for the slow ones below.
        again = [d for d, _ in crowd.attempts if crowd.versions[d] == "1.0.0"]
        assert crowd.round(ok, again) == {"offer": failed}
        reached(fleet, rollout, 2)
        at_edges(fleet)

        # Half: a few are slow, so an operator goes on without them.
        slow = []
        lock = threading.Lock()

        def some_slow(device, offer):
            with lock:
                if len(slow) == 30:
                    return "ok"
                slow.append(device)
                return "download"

        heard = crowd.round(some_slow)
        assert 420 <= LAB + share + heard["offer"] <= 580, heard
        wait_bucket(fleet, rollout, downloading=30,
                    succeeded=LAB + share + heard["offer"] - 30)
        assert show(fleet, rollout)["stage"] == 2
        act(fleet, rollout, "next-stage")
        assert show(fleet, rollout)["stage"] == 3
        with pytest.raises(ApiError) as e:
            act(fleet, rollout, "next-stage")
        assert e.value.status == 409
        at_edges(fleet)

        # Everybody: finished when all are done.
        crowd.round(ok)
        done = reached(fleet, rollout, 3, "finished")
        assert "1000 of 1000" in done["state_reason"]
        wait_for("the last look", lambda: watch.bad or watch.states[-1] == (
            "finished", 3))

    assert watch.bad is None, watch.bad
    assert watch.seen > 20
    assert [s for s in watch.states if s[0] == "paused"] == [("paused", 1)]
    assert set(crowd.versions.values()) == {"1.1.0"}
    final = fleet.api("GET", "/rollouts/%d/progress" % rollout)
    assert final["buckets"]["succeeded"] == N
    rows = fleet.centre.sql(
        "SELECT COUNT(*), COUNT(DISTINCT device_id) FROM rollout_device "
        "WHERE rollout_id = %d AND state = 'succeeded'" % rollout)
    assert rows == [[str(N), str(N)]]
    roll_back(fleet, crowd, rollout)


def roll_back(fleet, crowd, rollout):
    """Back to the version that each came from."""
    made = act(fleet, rollout, "rollback")["items"]
    assert [m["target"] for m in made] == ["1.0.0"]
    assert made[0]["state"] == "draft"
    assert made[0]["rollback_of"] == rollout
    back = made[0]["id"]
    act(fleet, back, "start")
    at_edges(fleet)
    heard = crowd.round(ok, IDS[:100])
    assert heard == {"offer": 100}
    wait_bucket(fleet, back, succeeded=100)
    assert {crowd.versions[i] for i in IDS[:100]} == {"1.0.0"}
    # Back where they were nobody takes the finished rollout again.
    heard = crowd.round(ok, IDS[:20])
    assert heard["offer"] == 0


def test_failed_delta_gets_the_full_package(rules):
    fleet = rules.fleet("delta-fails")
    product(fleet)
    register(fleet, IDS[:2])
    rollout = fleet.rollout("1.1.0", strategy="auto", max_attempts=5)
    types = [o["artifact"]["type"]
             for o in fleet.wait_offer(device=IDS[0])]
    assert types == ["delta", "delta"]

    crowd = Crowd(fleet, IDS[:2])
    crowd.round(lambda d, o: "fail", IDS[:1])
    wait_bucket(fleet, rollout, failed=1)
    at_edges(fleet)
    for edge in rules.edges:
        again = fleet.offered(edge, IDS[0])
        assert again["artifact"]["type"] == "full"
        # Others still get the delta.
        assert fleet.offered(edge, IDS[1])["artifact"]["type"] == "delta"
    crowd.round(ok, IDS[:1])
    wait_bucket(fleet, rollout, failed=0, succeeded=1)


def test_attempts_end(rules):
    fleet = rules.fleet("attempts")
    product(fleet, delta=False)
    register(fleet, IDS[:2])
    rollout = fleet.rollout("1.1.0", max_attempts=2)
    fleet.wait_offer(device=IDS[0])
    crowd = Crowd(fleet, IDS[:1])
    for n, wanted in ((1, "offer"), (2, "attempts")):
        assert crowd.round(lambda d, o: "fail") == {"offer": 1}
        drained(fleet)
        at_edges(fleet)
        wait_for("what is left after attempt %d" % n, lambda: crowd.round(
            lambda d, o: "none") == {wanted: 1}, 10)
    d = fleet.api("GET", "/rollouts/%d/devices?state=failed" % rollout)
    assert [(i["device"], i["attempts_failed"]) for i in d["items"]] == [
        (IDS[0], 2)]
    progress = fleet.api("GET", "/rollouts/%d/progress" % rollout)
    assert progress["errors"] == [{"code": "E-VERIFY", "devices": 1}]


def test_soak_and_minimum_count_hold_a_stage(rules):
    """Success alone is not enough: enough of them, and long enough."""
    fleet = rules.fleet("soak")
    product(fleet, delta=False)
    register(fleet, IDS[:100])
    rollout = fleet.rollout("1.1.0", stages=[
        {"percent": 50, "success_pct": 1, "min_count": 10, "soak_s": 4},
        {"percent": 100}])
    at_edges(fleet)
    crowd = Crowd(fleet, IDS[:100])
    left = [9]

    def nine(device, offer):
        if left[0] > 0:
            left[0] -= 1
            return "ok"
        return "none"

    started = time.monotonic()
    crowd.round(nine)
    wait_bucket(fleet, rollout, succeeded=9)
    time.sleep(4)
    assert show(fleet, rollout)["stage"] == 0, "nine are fewer than ten"
    assert "10 needed" in show(fleet, rollout)["state_reason"]
    left[0] = 1
    crowd.round(nine)
    reached(fleet, rollout, 1)
    assert time.monotonic() - started >= 4


def test_big_rollouts_need_a_second_person(rules):
    fleet = rules.fleet("approval")
    product(fleet, delta=False)
    register(fleet, IDS[:20])
    rules.centre.api("PATCH", "/tenants/" + fleet.tenant,
                     {"approve_above": 10})

    def token(name):
        return fleet.api("POST", "/tokens", {
            "name": name, "permissions": ["rollout:*"]})["token"]

    maker, other = token("maker"), token("other")
    body = {"product": fleet.product, "name": "big", "target": "1.1.0"}
    made = rules.centre.api("POST", "/rollouts", body, token=maker)
    path = "/api/v1/rollouts/%d/" % made["id"]

    answer = rules.centre.request("POST", path + "start", token=maker)
    assert answer.status == 202
    assert answer.json["state"] == "pending"
    assert "20 devices match" in answer.json["state_reason"]

    answer = rules.centre.request("POST", path + "approve", token=maker)
    assert (answer.status, answer.json["code"]) == (403, "same_person")
    assert show(fleet, made["id"])["state"] == "pending"
    at_edges(fleet)
    assert not fleet.offered(rules.edges[0], IDS[0])

    answer = rules.centre.request("POST", path + "approve", token=other)
    assert answer.status == 200 and answer.json["state"] == "running"
    assert "other" in answer.json["approved_by"]
    fleet.wait_offer(device=IDS[0])

    # A small one needs nobody else.
    small = rules.centre.api("POST", "/rollouts", dict(
        body, name="small", filter="id=in=(%s)" % ",".join(IDS[:5])),
        token=maker)
    answer = rules.centre.request(
        "POST", "/api/v1/rollouts/%d/start" % small["id"], token=maker)
    assert answer.status == 200 and answer.json["state"] == "running"
