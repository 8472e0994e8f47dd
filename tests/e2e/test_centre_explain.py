# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Explain and plan at the centre."""

import os
import time

import pytest

from support.centre import ApiError, Centre
from support.mmdb import maxmind, write_mmdb
from support.sync import Agent, artifact, seen

T = "acme"


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("explain"), nginx=False) as c:
        c.api("POST", "/tenants", {"name": T, "signer": "centre"})
        for i, (n, cc, lat, lon) in enumerate((("tokyo", "JP", 35.7, 139.7),
                                               ("berlin", "DE", 52.5, 13.4))):
            c.api("POST", "/nodes", {
                "name": n, "url": "https://%s.test" % n, "country": cc,
                "lat": lat, "lon": lon, "site": n})
        c.api("POST", "/products", {"name": "cam", "poll_s": 600}, tenant=T)
        for v in ("1.0.0", "1.1.0", "1.2.0"):
            c.api("POST", "/products/cam/firmware", {"version": v}, tenant=T)
        artifact(c, T, "cam", "1.1.0", os.urandom(3000))
        artifact(c, T, "cam", "1.2.0", os.urandom(5000))
        artifact(c, T, "cam", "1.2.0", os.urandom(700), "1.1.0")
        yield c


def rollout(c, start=True, **more):
    body = {"name": "r", "product": "cam", "target": "1.2.0"}
    body.update(more)
    r = c.api("POST", "/rollouts", body, tenant=T)
    if start:
        c.api("POST", "/rollouts/%d/start" % r["id"], tenant=T)
    return r["id"]


def stop(c, *ids):
    for i in ids:
        c.api("POST", "/rollouts/%d/stop" % i, tenant=T)
        c.api("DELETE", "/rollouts/%d" % i, tenant=T)
    published(c)


def published(c):
    deadline = time.monotonic() + 10
    while c.sql("SELECT COUNT(*) FROM outbox")[0][0] != "0":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def explain(c, **query):
    published(c)
    args = "&".join("%s=%s" % (k.replace("__", "."), v)
                    for k, v in query.items())
    return c.api("GET", "/explain?" + args, tenant=T)


def test_every_rollout_and_why(centre):
    a = rollout(centre, name="japan", weight=3, geo={"include": ["JP"]},
                filter="attr.hw=ge=3")
    b = rollout(centre, name="night", weight=2, time_mode="zone",
                zone="Asia/Tokyo", windows=["daily 01:00-04:00"])
    d = rollout(centre, name="never", weight=1, filter="id==other")
    noon = "2026-03-04T12:00:00%2B09:00"
    night = "2026-03-04T02:00:00%2B09:00"
    ask = {"device": "new-1", "product": "cam", "version": "1.0.0"}
    got = explain(centre, at=noon, **ask)
    assert got["decision"]["reason"] == "window"
    assert [(r["id"], r["reason"]) for r in got["rollouts"]] == [
        (a, "not_targeted"), (b, "window"), (d, "not_targeted")]
    assert got["policy"]["seq"] == int(
        centre.sql("SELECT seq FROM feed")[0][0])
    got = explain(centre, at=night, **ask)
    assert got["decision"]["reason"] == "offer"
    assert got["decision"]["decided_by"] == b
    assert {n["name"]: n["reason"] for n in got["nodes"]}.keys() == {
        "tokyo", "berlin"}
    got = explain(centre, at=noon, attr__hw=4, country="JP", city="Tokyo",
                  **ask)
    assert got["decision"]["decided_by"] == a
    assert got["location"]["city"] == "Tokyo"
    got = explain(centre, at=noon, attr__hw=4, country="DE", **ask)
    assert got["rollouts"][0]["reason"] == "geo"
    stop(centre, a, b, d)


def test_registered_device(centre):
    tenant = int(centre.sql("SELECT id FROM tenant WHERE name='acme'")[0][0])
    Agent(centre, "tokyo").send([seen(tenant, "cam", "reg-1",
                                      version="1.1.0", country="JP",
                                      city="Osaka", tz="Asia/Tokyo")])
    a = rollout(centre, geo={"include": ["JP/Osaka"]})
    # Region is part of the scope's text: country and city need both.
    got = explain(centre, device="reg-1")
    assert got["device"]["version"] == "1.1.0"
    assert got["rollouts"][0]["reason"] in ("geo", "offer")
    centre.api("PATCH", "/devices/reg-1", {"blocked": True}, tenant=T)
    got = explain(centre, device="reg-1")
    assert got["decision"]["reason"] == "blocked"
    centre.api("PATCH", "/devices/reg-1", {
        "blocked": False, "attributes": {"hw": "9"}}, tenant=T)
    b = rollout(centre, weight=9, filter="attr.hw==9")
    got = explain(centre, device="reg-1")
    assert got["decision"]["decided_by"] == b
    stop(centre, a, b)


def test_refused(centre):
    for query, status, field in (
            ("", 400, "device"), ("device=" + "x" * 257, 400, "device"),
            ("device=nobody", 404, "device"),
            ("device=d&product=none", 404, "product"),
            ("device=d&product=cam&kind=toy", 400, "kind"),
            ("device=d&product=cam&at=tomorrow", 400, "at"),
            ("device=d&product=cam&at=2026-02-30T00:00:00Z", 400, "at"),
            ("device=d&product=cam&ip=1.2.3", 400, "ip"),
            ("device=d&product=cam&country=JAPAN", 400, "country"),
            ("device=d&product=cam&attr.x=" + "y" * 257, 400, "attr")):
        with pytest.raises(ApiError) as e:
            centre.api("GET", "/explain?" + query, tenant=T)
        assert e.value.status == status, (query, e.value)
        assert e.value.problem["field"] == field, query


def test_plan(centre):
    centre.api("POST", "/products", {"name": "fleet", "poll_s": 600},
               tenant=T)
    for v in ("1.0.0", "1.1.0", "1.2.0"):
        centre.api("POST", "/products/fleet/firmware", {"version": v},
                   tenant=T)
    artifact(centre, T, "fleet", "1.2.0", os.urandom(5000))
    artifact(centre, T, "fleet", "1.2.0", os.urandom(700), "1.1.0")
    product = centre.sql("SELECT id FROM product WHERE name='fleet'")[0][0]
    tenant = centre.sql("SELECT id FROM tenant WHERE name='acme'")[0][0]
    centre.sql("INSERT INTO device (tenant_id, product_id, ext_id, version,"
               " country, continent, created) SELECT %s, %s,"
               " CONCAT('pl-', seq), ELT(1 + seq %% 4, '1.0.0', '1.1.0',"
               " '1.2.0', '1.1.0'), IF(seq %% 5 = 0, 'DE', 'JP'), 'AS', 0"
               " FROM seq_1_to_2000" % (tenant, product))
    centre.sql("UPDATE device SET blocked = 1 WHERE ext_id IN"
               " ('pl-1', 'pl-3')")
    centre.sql("INSERT INTO device_attr (device_id, name, value) SELECT id,"
               " 'hw', IF(id %% 2 = 0, '3', '2') FROM device WHERE"
               " product_id = %s" % product)
    r = rollout(centre, start=False, product="fleet",
                stages=[{"percent": 10}, {"percent": 100, "soak_s": 60}])
    p = centre.api("POST", "/rollouts/%d/plan" % r, tenant=T)
    assert p["devices"] == 2000
    assert p["matched"] == 1500 - 2
    assert p["excluded"] == {"up_to_date": 500, "blocked": 2}
    assert p["bytes"]["full"] == {"devices": 500, "bytes": 500 * 5000}
    assert p["bytes"]["delta"] == {"devices": 998, "bytes": 998 * 700}
    assert p["bytes"]["total"] == 500 * 5000 + 998 * 700
    assert 100 < p["stages"][0]["population"] < 210
    assert p["stages"][1]["population"] == p["matched"]
    assert [x["country"] for x in p["regions"]] == ["JP", "DE"]
    assert sum(x["devices"] for x in p["regions"]) == p["matched"]
    assert p["duration_s"] >= 1260
    # Attributes and groups are looked at when the filter names them.
    half = rollout(centre, start=False, product="fleet",
                   filter="attr.hw=ge=3", geo={"include": ["DE"]},
                   windows=["daily 01:00-04:00"])
    p = centre.api("POST", "/rollouts/%d/plan" % half, tenant=T)
    want = int(centre.sql(
        "SELECT COUNT(*) FROM device d JOIN device_attr a ON a.device_id ="
        " d.id AND a.value = '3' WHERE d.product_id = %s AND d.country = 'DE'"
        " AND d.version <> '1.2.0' AND d.blocked = 0" % product)[0][0])
    assert p["matched"] == want and p["open_s_per_week"] == 7 * 3 * 3600
    assert p["excluded"]["not_targeted"] > 900 and p["excluded"]["geo"] > 0
    centre.api("POST", "/groups", {"name": "few"}, tenant=T)
    centre.sql("INSERT INTO group_member SELECT g.id, d.id FROM device_group"
               " g, device d WHERE g.name = 'few' AND d.ext_id IN ('pl-5',"
               " 'pl-6', 'pl-7')")
    few = rollout(centre, start=False, product="fleet", filter="group==few")
    p = centre.api("POST", "/rollouts/%d/plan" % few, tenant=T)
    # pl-6 has the target already.
    assert p["matched"] == 2


def test_plan_of_many(centre):
    """Streaming: 200 000 devices in a few seconds and little memory."""
    centre.api("POST", "/products", {"name": "huge"}, tenant=T)
    for v in ("1.0.0", "1.2.0"):
        centre.api("POST", "/products/huge/firmware", {"version": v},
                   tenant=T)
    artifact(centre, T, "huge", "1.2.0", os.urandom(4000))
    product = centre.sql("SELECT id FROM product WHERE name='huge'")[0][0]
    tenant = centre.sql("SELECT id FROM tenant WHERE name='acme'")[0][0]
    centre.sql("INSERT INTO device (tenant_id, product_id, ext_id, version,"
               " country, created) SELECT %s, %s, CONCAT('hg-', seq),"
               " '1.0.0', 'JP', 0 FROM seq_1_to_200000" % (tenant, product))
    r = rollout(centre, start=False, product="huge",
                filter="version=lt=1.2.0 and country==JP")
    p = centre.api("POST", "/rollouts/%d/plan" % r, tenant=T)
    assert p["matched"] == 200000
    assert p["took_ms"] < 10000, p["took_ms"]
    with open("/proc/%d/status" % centre.admin.pid) as f:
        peak = [line for line in f if line.startswith("VmHWM")][0]
    print("plan of 200000: %d ms, %s" % (p["took_ms"], peak.strip()))
    assert int(peak.split()[1]) < 300 * 1024


def test_located_by_address(tmp_path):
    """"ip" is looked up as an edge does it; a prefix comes first."""
    write_mmdb(str(tmp_path / "geo.mmdb"), {
        "192.0.2.0/24": maxmind("JP", city="Tokyo"),
        "198.51.100.0/24": maxmind("DE", city="Berlin")})
    with Centre(tmp_path / "c", nginx=False,
                conf={"geo_db": str(tmp_path / "geo.mmdb")}) as c:
        c.api("POST", "/tenants", {"name": T, "signer": "centre"})
        c.api("POST", "/products", {"name": "cam"}, tenant=T)
        c.api("POST", "/products/cam/firmware", {"version": "1.2.0"},
              tenant=T)
        artifact(c, T, "cam", "1.2.0", os.urandom(100))
        r = rollout(c, geo={"include": ["JP"]})
        ask = {"device": "d", "product": "cam", "version": "1.0.0"}
        got = explain(c, ip="192.0.2.7", **ask)
        assert got["location"]["country"] == "JP"
        assert got["decision"]["decided_by"] == r
        got = explain(c, ip="198.51.100.7", **ask)
        assert got["rollouts"][0]["reason"] == "geo"
        got = explain(c, ip="203.0.113.7", **ask)
        assert got["rollouts"][0]["reason"] == "geo"
        c.api("PUT", "/geo-prefixes", {
            "prefix": "203.0.113.0/24",
            "location": {"country": "JP", "city": "Osaka"}})
        got = explain(c, ip="203.0.113.7", **ask)
        assert got["location"]["city"] == "Osaka"
