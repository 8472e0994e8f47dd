# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Only city A and B, only at night there: where and when, on real addresses."""

import datetime
import os
import threading
import time

import pytest

from support.edge import wait_for
from support.mmdb import maxmind, write_mmdb
from support.rules import RuleEdge, rollout_policy
from support.stack import image
from support.world import explain

TOKYO, OSAKA = "203.0.113.10", "203.0.113.140"
BERLIN, NEW_YORK = "198.51.100.10", "198.51.100.140"
SYDNEY, NOWHERE = "192.0.2.10", "192.0.2.200"
UTC = datetime.timezone.utc


def unix(text):
    return int(datetime.datetime.fromisoformat(text).timestamp())


@pytest.fixture(scope="module")
def city(rules):
    """1.1.0 for Tokyo and Berlin between 22 and 5 o'clock."""
    fleet = rules.fleet("city", poll_s=86400)
    fleet.firmware("1.0.0", image(2000, 1))
    fleet.firmware("1.1.0", image(2000, 2))
    fleet.running = fleet.rollout(
        "1.1.0", name="city night", windows=["daily 22:00-05:00"],
        zone="UTC", geo={"include": ["JP/Tokyo", "DE/Land Berlin/Berlin"],
                         "unknown": "deny"})
    rules.ready()
    return fleet


def told(rules, fleet, ip, at, device="cam-1", **more):
    d = explain(rules, fleet, device=device, version="1.0.0", ip=ip,
                at=unix(at), **more)["decision"]
    return d["reason"], d["poll_s"]


@pytest.mark.parametrize("ip, at, reason", [
    (TOKYO, "2026-11-10T21:59:59+09:00", "window"),
    (TOKYO, "2026-11-10T22:00:00+09:00", "offer"),
    (TOKYO, "2026-11-11T04:59:59+09:00", "offer"),
    (TOKYO, "2026-11-11T05:00:00+09:00", "window"),
    (BERLIN, "2026-11-10T22:00:00+09:00", "window"),
    (BERLIN, "2026-11-10T22:00:00+01:00", "offer"),
    (BERLIN, "2026-07-10T22:00:00+02:00", "offer"),
    (BERLIN, "2026-07-10T21:59:59+02:00", "window"),
    (OSAKA, "2026-11-10T23:00:00+09:00", "geo"),
    (NEW_YORK, "2026-11-10T23:00:00-05:00", "geo"),
    (NOWHERE, "2026-11-10T23:00:00+00:00", "geo"),
])
def test_city_and_night(rules, city, ip, at, reason):
    assert told(rules, city, ip, at)[0] == reason


def test_the_whole_day_in_each_city(rules, city):
    """Seven hours are open, in the time of the place, and no others."""
    for ip, offset in ((TOKYO, 9), (BERLIN, 1)):
        zone = datetime.timezone(datetime.timedelta(hours=offset))
        for hour in range(24):
            at = datetime.datetime(2026, 11, 10, hour, 30, tzinfo=zone)
            reason, _ = told(rules, city, ip, at.isoformat())
            night = hour >= 22 or hour < 5
            assert reason == ("offer" if night else "window"), (ip, hour)


def test_poll_wakes_the_device_just_inside_the_window(rules, city):
    """Spread over ten minutes, the same for the same device."""
    opens = unix("2026-11-10T22:00:00+09:00")
    wakes = set()
    for at in ("2026-11-10T06:00:00+09:00", "2026-11-10T15:17:11+09:00",
               "2026-11-10T21:59:59+09:00"):
        for i in range(40):
            reason, poll = told(rules, city, TOKYO, at, device="w-%d" % i)
            assert reason == "window"
            wake = unix(at) + poll - opens
            assert 0 <= wake < 600, (at, i, wake)
            wakes.add((i, wake))
    assert len(wakes) == 40, "a device's moment moves"
    assert len({w for _, w in wakes}) > 30
    late = max(w for _, w in wakes)
    early = min(w for _, w in wakes)
    assert early < 100 and late > 500


def test_window_until_and_device_time_of_a_check(rules, city):
    """A real check: the clock is now, so the zone is chosen to suit it."""
    edge = rules.edges[1]
    now = datetime.datetime.now(UTC)

    def check(hour, **more):
        offset = (hour - now.hour + 36) % 24 - 12
        tz = "%+03d:%02d" % (offset, 0)
        return edge.check(city.tenant, city.product, "real-1", tz=tz,
                          headers={"X-Real-IP": BERLIN}).json

    night, day = check(1), check(12)
    assert night["update"] is True and night["reason"] == "offer"
    assert 0 < night["window_until"] - time.time() <= 5 * 3600
    assert (day["update"], day["reason"]) == (False, "window")
    assert 9 * 3600 <= day["poll_s"] <= 10 * 3600 + 600

    other = edge.check(city.tenant, city.product, "real-1", tz="+00:00",
                       headers={"X-Real-IP": OSAKA}).json
    assert other["reason"] == "geo"


def test_prefix_of_the_operator_overrides_the_database(rules, city):
    """The longest prefix wins, and only its addresses move."""
    api = rules.centre.api
    night = "2026-11-10T23:00:00+09:00"
    assert told(rules, city, OSAKA, night)[0] == "geo"

    api("PUT", "/geo-prefixes", {
        "prefix": "203.0.113.128/25",
        "location": {"country": "JP", "region": "Tokyo", "city": "Tokyo",
                     "tz": "Asia/Tokyo"}})
    api("PUT", "/geo-prefixes", {
        "prefix": "203.0.113.141/32",
        "location": {"country": "JP", "region": "Osaka", "tz":
                     "Asia/Tokyo"}})
    try:
        rules.ready()
        d = explain(rules, city, device="cam-1", version="1.0.0", ip=OSAKA,
                    at=unix(night))
        assert d["decision"]["reason"] == "offer"
        assert d["location"]["source"] == "prefix"
        assert told(rules, city, "203.0.113.141", night)[0] == "geo"
        assert told(rules, city, TOKYO, night)[0] == "offer"
    finally:
        for p in ("203.0.113.128%2F25", "203.0.113.141%2F32"):
            api("DELETE", "/geo-prefixes/" + p)
    rules.ready()
    assert told(rules, city, OSAKA, night)[0] == "geo"


def test_unknown_places_are_allowed_where_said(rules):
    fleet = rules.fleet("unknown")
    fleet.firmware("1.1.0", image(2000, 2))
    fleet.rollout("1.1.0", geo={"include": ["JP/Tokyo"],
                                "unknown": "allow"})
    rules.ready()

    def reason(ip):
        return explain(rules, fleet, device="d", version="1.0.0",
                       ip=ip)["decision"]["reason"]

    assert reason(NOWHERE) == "offer"
    assert reason(TOKYO) == "offer"
    assert reason(OSAKA) == "geo"


# Replacing the database needs no centre.

def record(city_name):
    return {"203.0.113.0/24": maxmind("JP", city=city_name,
                                      tz="Asia/Tokyo")}


def replace(path, records):
    """As geoipupdate does: a new file renamed over the old one."""
    write_mmdb(path + ".new", records)
    os.rename(path + ".new", path)


def test_database_is_replaced_while_serving(tmp_path):
    """No check fails while the file changes, and no broken one is taken."""
    path = os.path.join(str(tmp_path), "geo.mmdb")
    write_mmdb(path, record("Tokyo"))
    spec = rollout_policy({"target": "1.1.0", "filter": "city==Tokyo"})
    ip = {"X-Real-IP": TOKYO}
    bad = []
    stop = threading.Event()

    with RuleEdge(spec, http="fota_geoip %s auto_reload=1s;"
                  % path) as edge:
        def traffic():
            while not stop.is_set():
                answer = edge.check("busy", headers=ip)
                if answer.status != 200:
                    bad.append(answer)

        def reason():
            return edge.check("cam-1", headers=ip).json["reason"]

        workers = edge.worker_pids()
        threads = [threading.Thread(target=traffic) for _ in range(2)]
        for t in threads:
            t.start()
        try:
            assert reason() == "offer"
            replace(path, record("Osaka"))
            wait_for("the new file", lambda: reason() == "not_targeted", 5)
            replace(path, record("Tokyo"))
            wait_for("the third file", lambda: reason() == "offer", 5)

            with open(path + ".new", "wb") as f:
                f.write(b"this is no database" * 1000)
            os.rename(path + ".new", path)
            wait_for("a refusal in the log",
                     lambda: "refused, the old one stays" in edge.log(), 5)
            assert reason() == "offer"

            os.unlink(path)
            time.sleep(1.5)
            assert reason() == "offer"

            replace(path, record("Osaka"))
            wait_for("the last file", lambda: reason() == "not_targeted", 5)
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert not bad, bad[0]
        assert edge.worker_pids() == workers
        assert edge.metrics()["fota_geo_reloads_total"] == 3
