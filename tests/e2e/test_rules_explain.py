# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Explain is the decision: on one edge, between edge and centre, by command."""

import collections
import json
import os
import random
import time

import pytest

from support import bulk
from support import random_policy as gen
from support.edge import SLOW
from support.mmdb import write_mmdb
from support.rules import RuleEdge, bearer, package, query, rollout_policy
from support.stack import image
from support.world import explain, operator

DEVICES = 10000
SAMPLE = 300
# Rollouts of each product: with few of them rare reasons decide.
PRODUCTS = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5, 8, 12, 20, 40]


def random_spec(rnd, now):
    """Products with rollouts, and devices that differ."""
    spec = rollout_policy()
    spec["groups"] = gen.GROUPS
    spec["zones"] = gen.ZONES
    spec["products"] = []
    spec["devices"] = []
    seed = 1
    number = 0
    for p, count in enumerate(PRODUCTS):
        product = {"tenant": 1, "id": p + 1, "name": "p%d" % p, "poll": 600,
                   "firmware": [{"version": v, "id": i + 1,
                                 "must_pass": v == "1.2.0" and p % 2 == 0}
                                for i, v in enumerate(gen.VERSIONS)],
                   "artifacts": [], "rollouts": []}
        for i, v in enumerate(gen.VERSIONS):
            product["artifacts"].append(package(v, seed, 1000 + i))
            seed += 1
            if i and rnd.random() < 0.7:
                product["artifacts"].append(package(
                    v, seed, 100, **{"from": gen.VERSIONS[i - 1]}))
                seed += 1
        for _ in range(count):
            r = gen.rollout(rnd, now)
            number += 1
            r["id"] = number
            if rnd.random() < 0.1:
                r["state"] = "paused"
            product["rollouts"].append(r)
        spec["products"].append(product)
    devices = []
    for i in range(DEVICES):
        p = rnd.randrange(len(PRODUCTS))
        ids = [r["id"] for r in spec["products"][p]["rollouts"]]
        device = "dev-%05d" % i
        record = gen.record(rnd, ids)
        if record is not None:
            spec["devices"].append(dict(record, tenant=1, id=device))
        said, ip = gen.facts(rnd)
        devices.append((device, "p%d" % p, said, ip))
    return spec, devices


def outcome(check, explain):
    """(what was decided, what was explained), to be the same."""
    d = explain["decision"]
    path = d.get("path")
    told = [d["reason"], d["poll_s"], d["policy_seq"],
            explain["policy"]["seq"]]
    done = [check["reason"], check["poll_s"], check["policy_seq"],
            check["policy_seq"]]
    if check["reason"] == "offer":
        a = check["artifact"]
        done += [check["rollout"], check["version"], check["target"],
                 a["id"], a["type"], a["size"], check["hops"]]
        told += [d.get("decided_by"), path["version"], d.get("wanted"),
                 path["artifact"], path["type"], path["size"], path["hops"]]
    else:
        assert path is None
    return done, told


def consistent(explain, rollouts):
    """The list of rollouts leads to the decision."""
    reason = explain["decision"]["reason"]
    rows = explain["rollouts"]
    reasons = [r["reason"] for r in rows]
    if reason == "offer":
        assert reasons[-1] == "offer" and reasons.count("offer") == 1
        assert rows[-1]["id"] == explain["decision"]["decided_by"]
    elif reason == "no_rollout":
        assert not rows
    else:
        assert "offer" not in reasons and reason in reasons
        assert reason == "blocked" or len(rows) == rollouts


def test_explain_is_the_decision(tmp_path):
    """10 000 random devices against 107 random rollouts."""
    rnd = random.Random(20260310)
    now = int(time.time())
    spec, devices = random_spec(rnd, now)
    geo = os.path.join(str(tmp_path), "geo.mmdb")
    write_mmdb(geo, gen.database())
    seen = collections.Counter()
    operator = bearer()

    with RuleEdge(spec, http="fota_geoip %s; access_log off;" % geo) as edge:
        asked = []
        for device, product, said, ip in devices:
            members = dict(said, tenant="acme", product=product,
                           device=device)
            asked.append(("/fota/v1/check?" + query(**members),
                          {"X-Real-IP": ip}))
            asked.append(("/fota/v1/explain?" + query(ip=ip, **members),
                          operator))
        answers = edge.pipeline(asked)
        again = []
        for i, (check, explain) in enumerate(zip(answers, answers)):
            done, told = outcome(check, explain)
            if done != told:
                again.append((asked[2 * i], asked[2 * i + 1]))
                continue
            consistent(explain, PRODUCTS[int(devices[i][1][1:])])
            seen[check["reason"]] += 1

        # A window may have opened between the two questions: ask again.
        assert len(again) < DEVICES / 100, again[:3]
        for pair in again:
            check, explain = edge.pipeline(list(pair))
            done, told = outcome(check, explain)
            assert done == told, (pair, done, told)

    assert sum(seen.values()) >= DEVICES * 99 / 100
    for reason in ("offer", "up_to_date", "downgrade", "stage", "window",
                   "geo", "not_targeted", "blocked", "attempts"):
        assert seen[reason] > 10, seen


def test_explain_needs_an_operator():
    with RuleEdge(rollout_policy({"target": "1.1.0"})) as edge:
        path = "/fota/v1/explain?" + query(tenant="acme", product="cam",
                                           device="a", version="1.0.0")
        for headers in ({}, bearer("wrong"), {"Authorization": "Basic eA=="}):
            answer = edge.get(path, headers)
            assert answer.status == 401
            assert b"rollouts" not in answer.body
        # Strangers are not told what is wrong with their question either.
        assert edge.get("/fota/v1/explain").status == 401
        assert edge.get("/fota/v1/explain", bearer()).status == 400
        told = edge.get(path, bearer())
        assert told.status == 200
        assert b"?t=" not in told.body


@pytest.mark.parametrize("name, value, field", [
    ("ip", "300.1.1.1", "ip"), ("at", "tomorrow", "at"),
    ("at", "2026-13-01T00:00:00Z", "at"), ("at", "2026-02-30T00:00:00Z",
                                           "at"),
    ("version", "x" * 200, "version"),
])
def test_explain_names_the_wrong_field(name, value, field):
    with RuleEdge(rollout_policy({"target": "1.1.0"})) as edge:
        answer = edge.explain(**{name: value})
        assert answer.status == 400
        assert answer.json["field"] == field


def test_explain_tells_each_reason():
    """Rollouts in order of decision, each with the first rule against it."""
    rollouts = [
        {"name": "a", "weight": 9, "state": "paused"},
        {"name": "b", "weight": 8, "filter": "attr.hw==2"},
        {"name": "c", "weight": 7, "sources": ["0.*"]},
        {"name": "d", "weight": 6, "include": ["FR"],
         "geo_unknown_allow": False},
        {"name": "e", "weight": 5, "reached": 0},
        {"name": "f", "weight": 4, "end": 1},
        {"name": "g", "weight": 3, "start": 4000000000},
        {"name": "h", "weight": 2, "kind": "app"},
        {"name": "i", "weight": 1, "target": "1.1.0"},
        {"name": "j", "weight": 0, "target": "1.1.0"},
    ]
    with RuleEdge(rollout_policy(*rollouts)) as edge:
        told = edge.explain(attrs={"hw": "1"}).json
        rows = [(r["name"], r["reason"]) for r in told["rollouts"]]
        assert rows == [
            ("a", "paused"), ("b", "not_targeted"), ("c", "not_targeted"),
            ("d", "geo"), ("e", "stage"), ("f", "ended"),
            ("g", "not_started"), ("i", "offer")]
        details = {r["name"]: r.get("detail") for r in told["rollouts"]}
        assert "filter" in details["b"] and "source" in details["c"]
        assert "not known" in details["d"]
        assert [n["name"] for n in told["nodes"]] == ["edge-1"]
        assert told["nodes"][0]["reason"] == "picked"
        assert told["policy"]["seq"] == 5


# The whole system: the centre decides by the code and records of the edges.

@pytest.fixture(scope="module")
def crossed(rules):
    """A product with random rollouts, groups, and devices that differ."""
    rnd = random.Random(7)
    now = int(time.time())
    fleet = rules.fleet("crossed")
    for i, v in enumerate(gen.VERSIONS):
        fleet.firmware(v, image(1000 + i, i), must_pass=v == "1.2.0")
        if i:
            fleet.artifact(v, image(200 + i, 50 + i),
                           source=gen.VERSIONS[i - 1], fmt="xdelta3")
    for name, text in gen.GROUPS.items():
        body = {"name": name}
        if isinstance(text, str):
            body["filter"] = text
        fleet.api("POST", "/groups", body)
    fleet.devices = []
    members = collections.defaultdict(list)
    for i in range(SAMPLE):
        device = "dev-%05d" % i
        record = gen.record(rnd, [])
        if record is not None:
            for group in record.pop("groups", []):
                members[group].append(device)
            fleet.api("POST", "/devices", dict(
                {k: v for k, v in record.items() if k != "attrs"}, id=device,
                product=fleet.product, attributes=record.get("attrs", {})))
        said, ip = gen.facts(rnd)
        said.pop("delta", None)
        fleet.devices.append((device, said, ip))
    for group, ids in members.items():
        fleet.api("POST", "/groups/%s/members" % group, {"add": ids})
    for i in range(10):
        body = gen.api(gen.rollout(rnd, now), fleet.product)
        body["name"] = "random %d" % i
        for stage in body.get("stages", [])[:-1]:
            stage["auto_next"] = False
        made = fleet.api("POST", "/rollouts", body)
        fleet.api("POST", "/rollouts/%d/start" % made["id"])
        if i == 4:
            fleet.api("POST", "/rollouts/%d/pause" % made["id"])
    operator(rules)
    rules.ready(timeout=60)
    return fleet


def settled(rules):
    """The centre's position and that of every edge are one."""
    rules.ready()
    return rules.head()


def test_centre_and_edges_explain_alike(rules, crossed):
    seen = collections.Counter()
    head = settled(rules)
    for i, (device, said, ip) in enumerate(crossed.devices):
        said = dict(said)
        attrs = said.pop("attrs", {})
        members = dict(said, device=device, ip=ip,
                       at=1800000000 + 7919 * i,
                       **{"attr." + k: v for k, v in attrs.items()})
        ours = [explain(rules, crossed, edge=e, **members)
                for e in rules.edges]
        theirs = crossed.api("GET", "/explain?" + query(
            product=crossed.product, **members))
        for part in ours + [theirs]:
            part["policy"].pop("lag_s")
        for mine in ours:
            assert mine["policy"] == theirs["policy"], device
            assert mine["decision"] == theirs["decision"], (device, members)
            assert mine["rollouts"] == theirs["rollouts"], (device, members)
            assert mine["location"]["city"] == theirs["location"]["city"]
            assert sorted(n["name"] for n in mine["nodes"]) == sorted(
                n["name"] for n in theirs["nodes"])
            assert mine["policy"]["seq"] >= head
        seen[theirs["decision"]["reason"]] += 1
    assert len(seen) >= 5 and seen["offer"] > 10, seen


def test_explain_by_command(rules, crossed):
    args = ["explain", "cli-1", "--product", crossed.product, "--version",
            "1.0.0", "--ip", "203.0.113.1", "--at", "2027-03-10T22:00Z",
            "--attr", "hw=3", "--attr", "ring=beta"]
    told = json.loads(crossed.fota(*args, "--json"))
    at = 1804716000
    same = explain(rules, crossed, device="cli-1", version="1.0.0",
                   ip="203.0.113.1", at=at, **{"attr.hw": "3",
                                               "attr.ring": "beta"})
    assert told["decision"] == same["decision"]
    assert told["policy"]["now"] == at
    assert told["location"]["city"] == "Tokyo"

    text = crossed.fota(*args)
    assert told["decision"]["reason"] in text
    for r in told["rollouts"]:
        assert r["name"] in text and r["reason"] in text
    assert str(told["policy"]["seq"]) in text
    for n in told["nodes"]:
        assert n["name"] in text


# The plan

@pytest.fixture(scope="module")
def million():
    with bulk.alone("million") as fleet:
        bulk.firmware(fleet)
        bulk.devices(fleet)
        yield fleet


def test_plan_of_a_million_devices(million):
    """Under ten seconds, and every number is the one that was loaded."""
    made = million.api("POST", "/rollouts", {
        "product": million.product, "name": "plan", "target": "1.2.0",
        "geo": {"include": ["JP", "DE"]}, "filter": "id!=m-1",
        "max_bps": 1000000, "stages": [{"percent": 1}, {"percent": 100}]})
    started = time.monotonic()
    plan = million.api("POST", "/rollouts/%d/plan" % made["id"],
                       timeout=120)
    took = time.monotonic() - started
    assert took < 10 * SLOW, took

    want = collections.Counter()
    ways = {"full": [0, 0], "delta": [0, 0], "steps": [0, 0]}
    regions = collections.Counter()
    for seq in range(1, bulk.MILLION + 1):
        if seq % 1000 == 7:
            want["blocked"] += 1
        elif seq == 1:
            want["not_targeted"] += 1
        elif seq % 4 not in (0, 1):
            want["geo"] += 1
        elif seq % 10 == 9:
            want["up_to_date"] += 1
        else:
            want["matched"] += 1
            way = "full" if seq % 10 < 6 else "delta"
            ways[way][0] += 1
            ways[way][1] += 10000 if way == "full" else 1000
            regions["JP" if seq % 4 == 0 else "DE"] += 1

    assert plan["devices"] == bulk.MILLION
    assert plan["matched"] == want.pop("matched")
    assert plan["excluded"] == dict(want)
    for way, (devices, size) in ways.items():
        assert plan["bytes"][way] == {"devices": devices, "bytes": size}
    total = sum(size for _, size in ways.values())
    assert plan["bytes"]["total"] == total
    assert {r["country"]: r["devices"] for r in plan["regions"]} == regions
    assert sum(r["bytes"] for r in plan["regions"]) == total
    assert plan["stages"][1]["population"] == plan["matched"]
    share = plan["stages"][0]["population"] / plan["matched"]
    assert 0.009 < share < 0.011
    assert plan["limited_by"] == "max_bps"
    assert plan["duration_s"] >= total / 1000000
    assert plan["peak_bps"] <= 1000000
