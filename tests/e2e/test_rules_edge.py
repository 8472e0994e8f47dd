# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""What an edge decides by itself: cut off, stale, full."""

import json
import os
import time

import pytest

from support.edge import artifact, tool, wait_for
from support.rules import RuleEdge, rollout_policy
from support.stack import image
from support.transfer import Transfer
from support.world import SLOW_CLASS, explain, operator

AWAY = 120              # s of lag: the centre is out of reach


def decision(edge, device="probe", **more):
    d = edge.explain(device, **more).json
    return d["decision"]["reason"], {
        r["name"]: r.get("detail") for r in d["rollouts"]}


def fail(edge, n, first=0, rollout=1, state="failed"):
    for i in range(first, first + n):
        assert edge.report("dev-%d" % i, rollout=rollout, state=state,
                           error={"code": "E1"} if state == "failed"
                           else None).status == 202


# Cut off

def test_threshold_trips_only_while_cut_off():
    spec = rollout_policy({"target": "1.1.0", "error_permille": 100,
                           "error_min": 10})
    with RuleEdge(spec) as edge:
        fail(edge, 9)
        fail(edge, 20, 100, state="succeeded")
        # With the centre in reach the centre decides.
        assert edge.check().json["update"] is True

        edge.patch({"fresh": int(time.time()) - AWAY})
        wait_for("the trip", lambda: not edge.check().json["update"])
        assert edge.check().json["reason"] == "paused"
        reason, details = decision(edge)
        assert (reason, details["r1"]) == ("paused",
                                           "error threshold on this edge")

        # The centre is back, and with it its decision.
        edge.patch({"fresh": int(time.time())})
        wait_for("the offer", lambda: edge.check().json["update"])


@pytest.mark.parametrize("failed, ok, tripped", [
    (9, 0, False),              # fewer than the minimum count
    (10, 0, True),
    (1, 10, False),             # 1 of 11 is below 10 %
    (2, 18, True),              # 2 of 20 is 10 %
])
def test_threshold_counts(failed, ok, tripped):
    spec = rollout_policy({"target": "1.1.0", "error_permille": 100,
                           "error_min": 10}, fresh=int(time.time()) - AWAY)
    with RuleEdge(spec) as edge:
        fail(edge, ok, 100, state="succeeded")
        fail(edge, failed)
        assert edge.check().json["update"] is not tripped


def test_a_device_that_reports_again_counts_once():
    spec = rollout_policy({"target": "1.1.0", "error_permille": 100,
                           "error_min": 5}, fresh=int(time.time()) - AWAY)
    with RuleEdge(spec) as edge:
        for _ in range(20):
            fail(edge, 4)
        assert edge.check().json["update"] is True
        fail(edge, 1, 50)
        assert edge.check().json["reason"] == "paused"


def test_threshold_is_of_one_rollout():
    spec = rollout_policy(
        {"target": "1.1.0", "error_permille": 100, "error_min": 1,
         "weight": 1, "filter": "id==dev-*"},
        {"target": "1.1.0", "error_permille": 100, "error_min": 1},
        fresh=int(time.time()) - AWAY)
    with RuleEdge(spec) as edge:
        assert edge.check("dev-1").json["rollout"] == 1
        fail(edge, 1)
        assert edge.check("dev-1").json["rollout"] == 2
        assert edge.check("other").json["rollout"] == 2


# Stale policy

def test_require_fresh_stops_when_policy_is_old():
    spec = rollout_policy(
        {"target": "1.1.0", "require_fresh": True, "weight": 1,
         "filter": "attr.risky==1"},
        {"target": "1.1.0", "filter": "attr.risky!=1"},
        fresh=int(time.time()) - 30)
    with RuleEdge(spec, http="fota_max_stale_offer 60s;") as edge:
        risky = {"attrs": {"risky": "1"}}
        assert edge.check(**risky).json["update"] is True
        edge.patch({"fresh": int(time.time()) - 61})
        wait_for("the stop", lambda: not edge.check(**risky).json["update"])
        assert edge.check(**risky).json["reason"] == "stale_policy"
        reason, details = decision(edge, **risky)
        assert reason == "stale_policy" and "older" in details["r1"]
        # What does not ask for it goes on without the centre.
        assert edge.check().json["update"] is True
        edge.patch({"fresh": int(time.time())})
        wait_for("the offer", lambda: edge.check(**risky).json["update"])


def test_staleness_is_fifteen_minutes_unless_told():
    for lag, reason in ((880, "offer"), (910, "stale_policy")):
        spec = rollout_policy({"target": "1.1.0", "require_fresh": True},
                              fresh=int(time.time()) - lag)
        with RuleEdge(spec) as edge:
            assert edge.check().json["reason"] == reason


# Admission

def test_max_active_admits_and_says_when_to_come_back():
    """At most two at a time on this edge; the third comes back soon."""
    data = artifact(3000000, to="1.1.0")
    spec = rollout_policy({"target": "1.1.0", "max_active": 2,
                           "rate_class": 1, "filter": "id==dev-*"},
                          {"target": "1.1.0", "filter": "id==vip-*"},
                          artifacts=[data])
    with RuleEdge(spec, http="fota_rate_class 1 20k;") as edge:
        def ask(device):
            return edge.check(device).json

        running = []
        for i in range(2):
            offer = ask("dev-%d" % i)
            assert offer["update"] is True
            running.append(Transfer(offer["urls"][0]["url"]))

        polls = set()
        for i in range(40):
            answer = ask("dev-1%02d" % i)
            assert (answer["update"], answer["reason"]) == (False,
                                                            "capacity")
            assert 30 <= answer["poll_s"] <= 120
            polls.add(answer["poll_s"])
        # Spread, so that those refused do not come back as one.
        assert len(polls) > 20

        reason, details = decision(edge, "dev-9")
        assert reason == "capacity"
        assert "as many downloads" in details["r1"]
        assert ask("vip-1")["update"] is True, "another rollout has room"

        running.pop().close()
        wait_for("room", lambda: ask("dev-9")["update"])
        running.pop().close()


def test_max_bps_holds_new_downloads_back():
    data = artifact(400000, to="1.1.0")
    spec = rollout_policy({"target": "1.1.0", "max_bps": 25000},
                          artifacts=[data])
    with RuleEdge(spec) as edge:
        offer = edge.check("dev-0").json
        edge.get("/" + offer["urls"][0]["url"].split("/", 3)[3])
        wait_for("a full edge",
                 lambda: edge.check("dev-1").json["reason"] == "capacity",
                 5)
        _, details = decision(edge)
        assert "bytes per second" in details["r1"]
        assert 30 <= edge.check("dev-1").json["poll_s"] <= 120
        wait_for("room again", lambda: edge.check("dev-1").json["update"],
                 15)


def test_full_nodes_are_not_named():
    """A node near its capacity gets nobody new; without any, come back."""
    def nodes(*loads):
        return [{"id": i + 1, "name": "edge-%d" % (i + 1), "group": 1,
                 "url": "http://127.0.0.1:%PORT%", "country": "JP",
                 "lat": 35.6, "lon": 139.7, "site": str(i), "load": load}
                for i, load in enumerate(loads)]

    with RuleEdge(rollout_policy({"target": "1.1.0"},
                                 nodes=nodes(20, 95))) as edge:
        for i in range(10):
            answer = edge.check("dev-%d" % i).json
            assert [u["node"] for u in answer["urls"]] == ["edge-1"]
        told = {n["name"]: n["reason"]
                for n in edge.explain().json["nodes"]}
        assert told == {"edge-1": "picked", "edge-2": "full"}

        edge.patch({"nodes": nodes(95, 100)})
        wait_for("the word", lambda: not edge.check().json["update"])
        polls = {edge.check("dev-%d" % i).json["poll_s"] for i in range(20)}
        assert edge.check().json["reason"] == "capacity"
        assert max(polls) <= 330 and len(polls) > 5
        edge.patch({"nodes": nodes(95, 30)})
        wait_for("room", lambda: edge.check().json["update"])


def test_limits_of_the_fleet_are_shared_by_its_nodes(rules):
    """Two downloads at a time over two edges: one on each."""
    fleet = rules.fleet("shared")
    made = fleet.firmware("1.1.0", image(2000000, 5))
    fleet.rollout("1.1.0", max_active=2, max_bps=8000000,
                  rate_class=SLOW_CLASS)
    fleet.wait_offer()
    for edge in rules.edges:
        wait_for("the file", lambda e=edge: e.has(made["sha256"]), 20)
    rules.ready()
    running = []
    for n, edge in enumerate(rules.edges):
        offer = wait_for("an offer", lambda e=edge: fleet.offered(
            e, "dev-%d" % n))
        url = next(u["url"] for u in offer["urls"]
                   if u["node"] == edge.name)
        running.append(Transfer(url, fleet.centre.ca))
        wait_for("its refusal", lambda e=edge: not fleet.offered(
            e, "later"))
        answer = edge.check(fleet.tenant, fleet.product, "later").json
        assert answer["reason"] == "capacity"
        assert 30 <= answer["poll_s"] <= 120
        for other in rules.edges[n + 1:]:
            assert fleet.offered(other, "later"), "the share of " + edge.name
    for download in running:
        download.close()
    for edge in rules.edges:
        wait_for("room", lambda e=edge: fleet.offered(e, "later"))


def test_a_real_edge_that_is_cut_off(rules):
    """The centre's thresholds bind an edge that cannot hear it."""
    fleet = rules.fleet("cut-off")
    fleet.firmware("1.1.0", image(1000, 5))
    rollout = fleet.rollout("1.1.0", stages=[
        {"percent": 100, "error_pct": 20, "min_count": 5}])
    fresh = fleet.rollout("1.1.0", weight=9, filter="id==fresh-*",
                          require_fresh=True)
    edge, other = rules.edges
    operator(rules)
    fleet.wait_offer()
    rules.ready()
    assert fleet.offered(edge, "fresh-1")["rollout"] == fresh
    edge.stop_agent()
    try:
        lag(edge, 1000)
        wait_for("the age", lambda: fleet.offered(edge, "fresh-1")
                 ["rollout"] == rollout)
        told = explain(rules, fleet, edge=edge, device="fresh-1",
                       version="1.0.0")
        assert told["policy"]["lag_s"] >= 1000
        assert [r["reason"] for r in told["rollouts"]] == ["stale_policy",
                                                           "offer"]
        for i in range(5):
            assert fleet.offered(edge, "dev-%d" % i)
            assert edge.report(fleet.tenant, fleet.product, "dev-%d" % i,
                               rollout, "failed").status == 202
        wait_for("the trip", lambda: not fleet.offered(edge, "probe"))
        told = explain(rules, fleet, edge=edge, device="probe",
                       version="1.0.0")
        assert told["rollouts"][1]["reason"] == "paused"
        assert "on this edge" in told["rollouts"][1]["detail"]
        # The one that hears the centre goes on by the centre's word.
        assert fleet.offered(other, "probe")
    finally:
        edge.start_agent()
    # The reports arrive, and the centre pauses it for all.
    wait_for("the pause", lambda: fleet.show(rollout)["state"] == "paused",
             30)
    rules.ready()
    assert not fleet.offered(other, "probe")


def lag(edge, seconds):
    """As if the agent had not heard of the centre for so long."""
    meta = json.loads(tool("dump", edge.policy))
    path = os.path.join(edge.dir, "lag.json")
    with open(path, "w") as f:
        json.dump({"seq": meta["seq"], "head_ts": meta["head_ts"],
                   "fresh": int(time.time()) - seconds}, f)
    tool("patch", edge.policy, path)


# What the device may do without the edge

def test_answer_carries_the_devices_rules():
    spec = rollout_policy({"target": "1.1.0",
                           "windows": ["daily 00:00-24:00"]})
    spec["products"][0].update(retry_count=4, retry_min=15, retry_max=900,
                               install_window="daily 01:00-05:00", poll=1000)
    with RuleEdge(spec) as edge:
        answer = edge.check().json
        assert answer["retry"] == {"count": 4, "min_s": 15, "max_s": 900}
        assert answer["install_window"] == "daily 01:00-05:00"
        assert 900 <= answer["poll_s"] <= 1100
        polls = {edge.check("dev-%d" % i).json["poll_s"] for i in range(30)}
        assert len(polls) > 10 and min(polls) >= 900 and max(polls) <= 1100
        assert edge.check("dev-3").json["poll_s"] \
            == edge.check("dev-3").json["poll_s"]
