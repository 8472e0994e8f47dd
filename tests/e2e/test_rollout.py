# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Rollouts through the API: making, changing, acting, braking."""

import struct
import time

import pytest

from support.centre import ApiError, Centre
from support.sync import Agent, artifact, check_log, report, seen

T = "acme"


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("rollout"), nginx=False) as c:
        c.api("POST", "/tenants", {"name": T, "signer": "centre"})
        c.api("POST", "/nodes", {"name": "edge-1", "url": "https://a.test"})
        c.api("POST", "/products", {"name": "cam"}, tenant=T)
        for v in ("1.0.0", "1.1.0", "1.2.0"):
            c.api("POST", "/products/cam/firmware", {"version": v}, tenant=T)
        c.api("POST", "/groups", {"name": "beta"}, tenant=T)
        c.api("POST", "/groups", {"name": "asia",
                                  "filter": "country=in=(JP,KR)"}, tenant=T)
        yield c


def make(centre, **more):
    body = {"name": "r", "product": "cam", "target": "1.2.0"}
    body.update(more)
    return centre.api("POST", "/rollouts", body, tenant=T)


def act(centre, rollout, action, body=None, token=None):
    return centre.api("POST", "/rollouts/%d/%s" % (rollout["id"], action),
                      body, tenant=T if token is None else None, token=token)


def show(centre, rollout):
    return centre.api("GET", "/rollouts/%d" % rollout["id"], tenant=T)


def state_of(centre, table, key):
    rows = centre.sql("SELECT HEX(value_bytes) FROM policy_state WHERE tbl=%d"
                      " AND key_bytes=0x%s" % (table, key.hex()))
    return bytes.fromhex(rows[0][0]) if rows else None


def published(centre, timeout=5):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if centre.sql("SELECT COUNT(*) FROM outbox")[0][0] == "0":
            return
        time.sleep(0.02)
    raise AssertionError("not published")


def product_record(centre):
    tenant = int(centre.sql("SELECT id FROM tenant WHERE name='acme'")[0][0])
    return state_of(centre, 2, struct.pack(">I", tenant) + b"cam")


def test_life(centre):
    r = make(centre, filter="group==beta or group==asia", weight=5,
             geo={"include": ["JP", "KR/Seoul"], "unknown": "allow"},
             windows=["mon-fri 22:00-05:00"], time_mode="zone",
             zone="Asia/Tokyo", sources=["1.0*", "1.1.0"], strategy="full",
             stages=[{"test_only": True, "test_group": "beta",
                      "success_pct": 100, "min_count": 1},
                     {"percent": 0.5, "soak_s": 10, "error_pct": 2.5},
                     {"percent": 100}])
    assert r["state"] == "draft" and r["target"] == "1.2.0"
    assert r["geo"] == {"include": ["JP", "KR/Seoul"], "exclude": [],
                        "unknown": "allow"}
    assert [s["percent"] for s in r["stages"]] == [0, 0.5, 100]
    assert r["stages"][0]["test_group"] == "beta"
    assert r["stages"][1]["error_pct"] == 2.5
    assert show(centre, r) == r
    r = centre.api("PATCH", "/rollouts/%d" % r["id"],
                   {"name": "other", "weight": 9}, tenant=T)
    assert (r["name"], r["weight"], r["strategy"]) == ("other", 9, "full")
    # All that was given back unchanged is no change.
    same = {k: v for k, v in r.items() if k in (
        "name", "kind", "target", "strategy", "filter", "sources", "geo",
        "stages")}
    r = act(centre, r, "start")
    assert r["state"] == "running" and r["started_ms"] > 0
    centre.api("PATCH", "/rollouts/%d" % r["id"], same, tenant=T)
    with pytest.raises(ApiError) as e:
        centre.api("PATCH", "/rollouts/%d" % r["id"],
                   {"filter": "country==DE"}, tenant=T)
    assert e.value.status == 409
    centre.api("PATCH", "/rollouts/%d" % r["id"], {"max_bps": 1000},
               tenant=T)
    published(centre)
    assert b"other" in product_record(centre)
    assert act(centre, r, "pause")["state"] == "paused"
    assert act(centre, r, "resume")["state"] == "running"
    assert act(centre, r, "next-stage")["stage"] == 1
    assert act(centre, r, "next-stage")["stage"] == 2
    with pytest.raises(ApiError) as e:
        act(centre, r, "next-stage")
    assert e.value.problem["code"] == "last_stage"
    with pytest.raises(ApiError) as e:
        centre.api("DELETE", "/rollouts/%d" % r["id"], tenant=T)
    assert e.value.status == 409
    assert act(centre, r, "stop")["state"] == "stopped"
    for action in ("start", "pause", "resume", "next-stage", "retry-failed"):
        with pytest.raises(ApiError) as e:
            act(centre, r, action)
        assert e.value.status == 409, action
    centre.api("DELETE", "/rollouts/%d" % r["id"], tenant=T)
    published(centre)
    assert b"other" not in product_record(centre)
    with pytest.raises(ApiError) as e:
        show(centre, r)
    assert e.value.status == 404
    actions = [a["action"] for a in centre.api(
        "GET", "/audit?object=rollout/%d" % r["id"], tenant=T)["items"]]
    assert {"rollout:create", "rollout:update", "rollout:start",
            "rollout:pause", "rollout:resume", "rollout:next-stage",
            "rollout:stop", "rollout:delete"} <= set(actions)


WRONG = [
    ({"name": ""}, "name"), ({"name": "x" * 129}, "name"),
    ({"product": "none"}, "product"), ({"target": "9.9"}, "firmware"),
    ({"kind": "toy"}, "kind"), ({"strategy": "fast"}, "strategy"),
    ({"filter": "modle==x"}, "filter"), ({"filter": "group==nobody"},
                                         "filter"),
    ({"filter": "x" * 4097}, "filter"),
    ({"sources": ["x" * 129]}, "sources"), ({"sources": "1.0"}, "sources"),
    ({"sources": ["a"] * 65}, "sources"),
    ({"geo": {"include": ["Japan/Tokyo/a/b"]}}, "geo.include"),
    ({"geo": {"unknown": "maybe"}}, "geo.unknown"),
    ({"geo": {"inside": []}}, "geo"), ({"geo": []}, "geo"),
    ({"windows": ["monday"]}, "windows"), ({"windows": [7]}, "windows"),
    ({"time_mode": "zone"}, "zone"),
    ({"time_mode": "zone", "zone": "Europe/Nowhere"}, "zone"),
    ({"zone": "../../etc/passwd"}, "zone"),
    ({"start_s": 10, "end_s": 5}, "end_s"), ({"end_s": -1}, "end_s"),
    ({"max_attempts": 65536}, "max_attempts"), ({"weight": 1.5}, "weight"),
    ({"stages": []}, "stages"), ({"stages": [{"percent": 0}]}, "stages"),
    ({"stages": [{"percent": 101}]}, "stages"),
    ({"stages": [{"percent": 50}, {"percent": 50}]}, "stages"),
    ({"stages": [{"percent": 5}, {"test_only": True}]}, "stages"),
    ({"stages": [{"percent": 5, "colour": 1}]}, "stages"),
    ({"stages": [{"percent": 5, "test_group": "nobody"}]}, "group"),
    ({"stages": [{"percent": i / 10 + 0.1} for i in range(33)]}, "stages"),
    ({"colour": "red"}, "colour"), ({"allow_downgrade": 1},
                                    "allow_downgrade"),
]


@pytest.mark.parametrize("more,field", WRONG,
                         ids=["%d-%s" % (i, w[1])
                              for i, w in enumerate(WRONG)])
def test_refused(centre, more, field):
    with pytest.raises(ApiError) as e:
        make(centre, **more)
    assert e.value.status in (400, 404), e.value
    assert e.value.problem["field"] == field, e.value.problem
    assert e.value.problem["detail"]


def test_filter_error_has_a_column(centre):
    with pytest.raises(ApiError) as e:
        make(centre, filter="version==1.0 and modle==x")
    assert "column 18" in e.value.problem["detail"]
    assert "modle" in e.value.problem["detail"]


def test_list(centre):
    ids = [make(centre, name="l%d" % i)["id"] for i in range(5)]
    page = centre.api("GET", "/rollouts?limit=2&product=cam", tenant=T)
    assert [r["id"] for r in page["items"]] == [ids[4], ids[3]]
    page = centre.api("GET", "/rollouts?limit=2&after=" + page["next"],
                      tenant=T)
    assert [r["id"] for r in page["items"]] == [ids[2], ids[1]]
    assert centre.api("GET", "/rollouts?state=running", tenant=T)["items"] \
        == []
    for i in ids:
        centre.api("DELETE", "/rollouts/%d" % i, tenant=T)


def test_other_tenant(centre):
    r = make(centre)
    centre.api("POST", "/tenants", {"name": "other"})
    for method, path in (("GET", ""), ("POST", "/start"), ("POST", "/plan"),
                         ("GET", "/progress"), ("DELETE", "")):
        with pytest.raises(ApiError) as e:
            centre.api(method, "/rollouts/%d%s" % (r["id"], path),
                       tenant="other")
        assert e.value.status == 404
    centre.api("DELETE", "/rollouts/%d" % r["id"], tenant=T)


def test_approval(centre):
    for i in range(12):
        centre.api("POST", "/devices", {"id": "ap%d" % i, "product": "cam"},
                   tenant=T)
    centre.api("PATCH", "/tenants/acme", {"approve_above": 10})
    artifact(centre, T, "cam", "1.2.0", b"image" * 100)
    tokens = [centre.api("POST", "/tokens", {
        "name": n, "permissions": ["rollout:*", "product:read"]},
        tenant=T)["token"] for n in ("ann", "bob")]
    r = centre.api("POST", "/rollouts", {
        "name": "big", "product": "cam", "target": "1.2.0"},
        token=tokens[0])
    r = act(centre, r, "start", token=tokens[0])
    if r["state"] == "running":
        pytest.fail("12 devices match, 10 need a second person: %r" % r)
    assert r["state"] == "pending" and "second person" in r["state_reason"]
    with pytest.raises(ApiError) as e:
        act(centre, r, "approve", token=tokens[0])
    assert e.value.status == 403
    assert e.value.problem["code"] == "same_person"
    # Nor by who has put something else into it.
    r = centre.api("PATCH", "/rollouts/%d" % r["id"], {"filter": "id==ap*"},
                   token=tokens[1])
    assert r["state"] == "draft"
    act(centre, r, "start", token=tokens[0])
    for t in tokens:
        with pytest.raises(ApiError) as e:
            act(centre, r, "approve", token=t)
        assert e.value.problem["code"] == "same_person"
    third = centre.api("POST", "/tokens", {
        "name": "cem", "permissions": ["rollout:*"]}, tenant=T)["token"]
    r = act(centre, r, "approve", token=third)
    assert r["state"] == "running" and "cem" in r["approved_by"]
    act(centre, r, "stop", token=tokens[1])
    # Within the limit nobody else is needed.
    r = make(centre, filter="id==ap1*")
    assert act(centre, r, "start")["state"] == "running"
    act(centre, r, "stop")
    centre.api("PATCH", "/tenants/acme", {"approve_above": 0})


def test_brake(centre):
    r = make(centre)
    act(centre, r, "start")
    agent = Agent(centre, "edge-1")
    agent.snapshot()
    while agent.pull():
        pass
    start = time.monotonic()
    assert act(centre, r, "brake", {"brake": "offers"})["brake"] == "offers"
    assert agent.pull(wait=5)
    assert time.monotonic() - start < 1
    asked = time.time()
    act(centre, r, "brake", {"brake": "cut"})
    done = time.time()
    published(centre)
    deny = state_of(centre, 6, bytes([1]) + struct.pack(">Q", r["id"]))
    table, version, before, cut = struct.unpack("<BBIB", deny)
    assert table == 6 and cut == 1 and asked <= before < done + 3
    with pytest.raises(ApiError) as e:
        act(centre, r, "brake", {"brake": "hard"})
    assert e.value.problem["field"] == "brake"
    act(centre, r, "brake", {"brake": "none"})
    centre.api("POST", "/products/cam/brake", {"brake": "cut"}, tenant=T)
    assert centre.api("GET", "/products/cam", tenant=T)["brake"] == "cut"
    centre.api("POST", "/products/cam/brake", {"brake": "none"}, tenant=T)
    centre.api("POST", "/tenants/acme/brake", {"brake": "offers"})
    assert centre.api("GET", "/tenants/acme")["brake"] == "offers"
    centre.api("POST", "/tenants/acme/brake", {"brake": "none"})
    centre.api("POST", "/brake", {"brake": "cut"})
    assert centre.api("GET", "/brake")["brake"] == "cut"
    published(centre)
    assert state_of(centre, 1, b"*")[7] == 2
    centre.api("POST", "/brake", {"brake": "none"})
    published(centre)
    assert state_of(centre, 1, b"*")[7] == 0
    token = centre.api("POST", "/tokens", {
        "name": "t", "permissions": ["*"]}, tenant=T)["token"]
    for path in ("/brake", "/tenants/other/brake"):
        with pytest.raises(ApiError) as e:
            centre.api("POST", path, {"brake": "cut"}, token=token)
        assert e.value.status in (403, 404)
    act(centre, r, "stop")


def test_rollback(centre):
    tenant = int(centre.sql("SELECT id FROM tenant WHERE name='acme'")[0][0])
    agent = Agent(centre, "edge-1")
    for v in ("1.0.0", "1.1.0"):
        centre.sql("INSERT INTO artifact (tenant_id, product_id, firmware_id,"
                   " sha256, size, name, sig, published) SELECT tenant_id,"
                   " product_id, id, UNHEX(SHA2(version, 256)), 10, 'x',"
                   " REPEAT('s', 64), 0 FROM firmware WHERE version='%s'" % v)
    r = make(centre, filter="id==rb*")
    act(centre, r, "start")
    with pytest.raises(ApiError) as e:
        act(centre, r, "rollback")
    assert e.value.problem["code"] == "nothing_to_roll_back"
    old = {"rb1": "1.0.0", "rb2": "1.0.0", "rb3": "1.1.0"}
    agent.send([seen(tenant, "cam", d, version=v) for d, v in old.items()])
    agent.send([report(tenant, "cam", d, r["id"], "succeeded", 1, 1,
                       version="1.2.0") for d in old])
    act(centre, r, "stop")
    back = act(centre, r, "rollback")["items"]
    assert sorted(b["target"] for b in back) == ["1.0.0", "1.1.0"]
    for b in back:
        assert b["allow_downgrade"] and b["rollback_of"] == r["id"]
        assert b["state"] == "draft"
        plan = act(centre, b, "plan")
        want = sum(v == b["target"] for v in old.values())
        assert plan["matched"] == want, (b, plan)
        act(centre, b, "start")
    published(centre)
    for b in back:
        act(centre, b, "stop")
    published(centre)
    check_log(centre)


def test_fault_is_shown(centre):
    """A rollout that cannot be published says so; the feed goes on."""
    centre.api("POST", "/groups", {"name": "gone"}, tenant=T)
    r = make(centre, filter="group==gone")
    act(centre, r, "start")
    other = make(centre, name="healthy")
    act(centre, other, "start")
    published(centre)
    centre.sql("DELETE FROM device_group WHERE name='gone'")
    centre.api("PATCH", "/products/cam", {"poll_s": 77}, tenant=T)
    published(centre)
    now = show(centre, r)
    assert now["state"] == "paused"
    assert now["state_reason"].startswith("Not published: "), now
    record = product_record(centre)
    assert struct.pack("<I", 77) in record and b"healthy" in record
    centre.api("POST", "/groups", {"name": "gone"}, tenant=T)
    act(centre, r, "resume")
    published(centre)
    assert show(centre, r)["state"] == "running"
    act(centre, r, "stop")
    act(centre, other, "stop")


def test_retry_failed(centre):
    tenant = int(centre.sql("SELECT id FROM tenant WHERE name='acme'")[0][0])
    agent = Agent(centre, "edge-1")
    r = make(centre, filter="id==rf*")
    act(centre, r, "start")
    agent.send([report(tenant, "cam", "rf%d" % i, r["id"],
                       "failed" if i < 4 else "succeeded", 1, 1)
                for i in range(6)])
    p = centre.api("GET", "/rollouts/%d/progress" % r["id"], tenant=T)
    assert p["buckets"]["failed"] == 4 and p["buckets"]["succeeded"] == 2
    act(centre, r, "retry-failed")
    p = centre.api("GET", "/rollouts/%d/progress" % r["id"], tenant=T)
    assert p["buckets"]["failed"] == 0 and p["buckets"]["offered"] == 4
    assert sum(p["buckets"].values()) == p["total"]
    rows = centre.sql("SELECT attempts_failed FROM rollout_device WHERE"
                      " rollout_id=%d AND state='offered'" % r["id"])
    assert [x[0] for x in rows] == ["0"] * 4
    agent.send([report(tenant, "cam", "rf0", r["id"], "succeeded", 2, 1)])
    p = centre.api("GET", "/rollouts/%d/progress" % r["id"], tenant=T)
    assert p["buckets"]["succeeded"] == 3 and p["buckets"]["offered"] == 3
    act(centre, r, "stop")
