# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Reports at the centre: once, in order, in exactly one bucket."""

import json
import random
import threading
import time

import pytest

from support.centre import Centre
from support.sync import (Agent, artifact, report, report_id, seen,
                          segment)

T = "acme"


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("ingest"), nginx=False) as c:
        c.api("POST", "/tenants", {"name": T})
        for n in ("edge-1", "edge-2"):
            c.api("POST", "/nodes", {"name": n, "url": "https://%s.test" % n})
        yield c


class World:
    serial = 0

    def __init__(self, centre, **product):
        World.serial += 1
        self.centre = centre
        self.name = "cam%d" % World.serial
        self.tenant = int(centre.sql("SELECT id FROM tenant WHERE"
                                     " name='acme'")[0][0])
        self.api("POST", "/products", dict(name=self.name, **product))
        for v in ("1.0.0", "1.1.0", "1.2.0"):
            self.api("POST", "/products/%s/firmware" % self.name,
                     {"version": v})
        self.rollout = self.api("POST", "/rollouts", {
            "name": "r", "product": self.name, "target": "1.2.0",
            "max_attempts": 3})["id"]
        self.api("POST", "/rollouts/%d/start" % self.rollout)
        self.agents = [Agent(centre, "edge-1"), Agent(centre, "edge-2")]

    def api(self, method, path, body=None):
        return self.centre.api(method, path, body, tenant=T)

    def report(self, device, state, attempt=1, seq=1, **more):
        return report(self.tenant, self.name, device, self.rollout, state,
                      attempt, seq, **more)

    def seen(self, device, **more):
        return seen(self.tenant, self.name, device, **more)

    def send(self, *records, key=None, edge=0):
        return self.agents[edge].send(list(records), key)

    def device(self, device, columns="version"):
        rows = self.centre.sql("SELECT %s FROM device WHERE ext_id='%s'"
                               % (columns, device))
        return rows[0] if rows else None

    def standing(self, device, columns="rd.state"):
        rows = self.centre.sql(
            "SELECT %s FROM rollout_device rd JOIN device d ON d.id ="
            " rd.device_id WHERE rd.rollout_id=%d AND d.ext_id='%s'"
            % (columns, self.rollout, device))
        return rows[0] if rows else None

    def progress(self):
        return self.api("GET", "/rollouts/%d/progress" % self.rollout)

    def check_counters(self):
        """The counters are what counting the rows gives."""
        rows = {(s, t): int(n) for s, t, n in self.centre.sql(
            "SELECT stage, state, COUNT(*) FROM rollout_device WHERE"
            " rollout_id=%d GROUP BY stage, state" % self.rollout)}
        kept = {(s, t): int(n) for s, t, n in self.centre.sql(
            "SELECT stage, state, devices FROM rollout_counter WHERE"
            " rollout_id=%d AND devices <> 0 AND state IN ('offered',"
            " 'downloading', 'installing', 'succeeded', 'failed', 'skipped')"
            % self.rollout)}
        assert rows == kept
        p = self.progress()
        assert sum(p["buckets"].values()) == p["total"]
        return p


def test_registers_and_locates(centre):
    w = World(centre)
    a = w.send(w.seen("n1", version="1.0.0", kind="os", country="JP",
                      city="Tokyo", region="Tokyo", region_code="13",
                      continent="AS", tz="Asia/Tokyo", asn=2516,
                      reason="no_rollout"),
               w.seen("n2", version="1.0.0"))
    assert a == {"accepted": 2, "duplicate": 0, "refused": []}
    assert w.device("n1", "version, country, city, tz, asn, last_reason") == [
        "1.0.0", "JP", "Tokyo", "Asia/Tokyo", "2516", "no_rollout"]
    now = int(time.time() * 1000)
    w.send(w.seen("n1", recv=now + 1000, version="1.1.0", country="DE",
                  city="Berlin"))
    assert w.device("n1", "version, country, city, tz") == [
        "1.1.0", "DE", "Berlin", "Asia/Tokyo"]
    # A record that was stuck in an edge for an hour is old news.
    w.send(w.seen("n1", recv=now - 3600000, version="1.0.0", country="US"))
    assert w.device("n1", "version, country") == ["1.1.0", "DE"]


def test_places_by_code_are_counted(centre):
    """Who is in a scope of GeoNames ids is no secret of the edges."""
    w = World(centre)
    ids = "country_id, region_id, city_id"
    tokyo = {"country": "JP", "city": "Tokyo", "country_id": 1861060,
             "region_id": 1850144, "city_id": 1850147}
    now = int(time.time() * 1000)
    w.send(w.seen("c1", version="1.0.0", **tokyo),
           w.seen("c2", version="1.0.0", **tokyo),
           w.seen("c3", version="1.0.0", country="JP", city="Osaka",
                  country_id=1861060, city_id=1853909),
           w.seen("c4", version="1.0.0", country="DE"))
    assert w.device("c1", ids) == ["1861060", "1850144", "1850147"]

    artifact(centre, T, w.name, "1.2.0", b"x" * 1000)

    def matched(*include, **more):
        made = w.api("POST", "/rollouts", {
            "name": "p", "product": w.name, "target": "1.2.0",
            "geo": dict(more, include=list(include))})
        return w.api("POST", "/rollouts/%d/plan" % made["id"])["matched"]

    assert matched("geoname:1861060") == 3
    assert matched("geoname:1850144") == 2
    assert matched("geoname:1853909", "DE") == 2
    assert matched("JP", exclude=["geoname:1850147"]) == 1
    told = w.api("GET", "/explain?device=c3")
    assert told["location"]["city_id"] == 1853909

    # Who moved is not in the old place any more; what is silent on places
    # leaves them alone.
    w.send(w.seen("c1", recv=now + 1000, country="JP", city="Kyoto"),
           w.seen("c2", recv=now + 1000, version="1.1.0"))
    assert w.device("c1", ids) == ["0", "0", "0"]
    assert w.device("c2", ids) == ["1861060", "1850144", "1850147"]
    assert matched("geoname:1850147") == 1


def test_attributes_are_what_devices_say(centre):
    """Filters of the centre see them; an operator's word stands above."""
    w = World(centre)
    w.api("POST", "/devices", {"id": "a2", "product": w.name,
                               "attributes": {"hw": "9"}})
    w.send(w.seen("a1", version="1.0.0", attrs=["hw", "3", "net", ""]),
           w.seen("a2", version="1.0.0", attrs=["hw", "2", "net", "lte"]))

    def count(text):
        return w.api("POST", "/groups/preview", {
            "filter": "id=in=(a1,a2) and " + text})["matches"]

    assert count("attr.hw=ge=3") == 2
    assert count("attr.hw==3") == 1
    assert count("attr.hw==9") == 1
    assert count("attr.net==lte") == 1
    w.send(w.seen("a1", version="1.0.0", attrs=["hw", "rev-b"]))
    assert count("attr.hw=lt=9") == 0
    assert count("attr.hw==rev-b") == 1

    a = w.send(*[w.seen("a3", version="1.0.0", attrs=bad) for bad in (
        "hw", ["hw"], ["hw", 3], ["", "x"], ["x" * 129, "x"],
        ["x", "x" * 257], ["x", "y"] * 65)])
    assert [r["code"] for r in a["refused"]] == ["bad_field"] * 7
    w.send(w.seen("a3", version="1.0.0",
                  attrs=[str(i // 2) for i in range(128)]))
    assert centre.sql("SELECT COUNT(*) FROM device_attr a JOIN device d ON"
                      " d.id = a.device_id WHERE d.ext_id = 'a3'") == [["64"]]


def test_not_registered(centre):
    w = World(centre, auto_register=False)
    a = w.send(w.seen("stranger", version="1.0.0"))
    assert a["refused"][0]["code"] == "no_device" and a["accepted"] == 0
    assert w.device("stranger") is None


def test_refusals_name_the_record(centre):
    w = World(centre)
    good = w.report("r1", "downloading")
    other = seen(w.tenant, "nothing", "r2")
    bad = w.report("r3", "flying")
    norollout = report(w.tenant, w.name, "r4", 999999, "downloading")
    a = w.send(good, other, bad, norollout,
               (1, b"x" * 16, b"not json"),
               (2, b"y" * 16, {"t": "seen", "tenant": w.tenant}))
    assert a["accepted"] == 1
    assert {r["seq"]: r["code"] for r in a["refused"]} == {
        2: "no_product", 3: "bad_field", 4: "no_rollout", 5: "bad_json",
        6: "bad_field"}
    assert w.standing("r1") == ["downloading"]


def test_bad_frames(centre):
    w = World(centre)
    agent = w.agents[0]
    good = segment([w.report("f1", "downloading")])
    for body in (b"", b"x" * 100, good[:-3],
                 good[:60] + bytes([good[60] ^ 1]) + good[61:]):
        a = agent.request("POST", "/sync/v1/reports", body=body,
                          headers={"Idempotency-Key": "bad/%d" % len(body)})
        assert a.status == 400, (a.status, a.body)
    assert agent.request("POST", "/sync/v1/reports", body=good).status == 400
    assert w.device("f1") is None


def test_same_key_same_answer(centre):
    w = World(centre)
    records = [w.report("k1", "downloading"), w.report("k2", "flying")]
    first = w.agents[0].reports(records, "edge-1/k/1")
    again = w.agents[0].reports(records, "edge-1/k/1")
    assert first.status == again.status == 200
    assert first.body == again.body
    # The device's retry through another edge has the same id.
    other = w.send(records[0], edge=1)
    assert other["duplicate"] == 1 and other["accepted"] == 0
    twice = w.send(w.report("k3", "downloading"),
                   w.report("k3", "downloading"))
    assert twice == {"accepted": 1, "duplicate": 1, "refused": []}
    w.check_counters()


def test_way_of_a_device(centre):
    w = World(centre)
    w.send(w.seen("w1", version="1.0.0", reason="offer", rollout=w.rollout))
    assert w.standing("w1", "rd.state, rd.from_version") == ["offered",
                                                             "1.0.0"]
    for seq, state, bucket in ((1, "downloading", "downloading"),
                               (2, "downloaded", "downloading"),
                               (3, "installing", "installing")):
        w.send(w.report("w1", state, seq=seq))
        assert w.standing("w1") == [bucket]
    w.send(w.report("w1", "succeeded", seq=4, version="1.2.0"))
    assert w.standing("w1", "rd.state, rd.progress, rd.from_version") == [
        "succeeded", "100", "1.0.0"]
    assert w.device("w1") == ["1.2.0"]
    p = w.check_counters()
    assert p["buckets"]["succeeded"] == 1


def test_late_and_reordered(centre):
    """Any order of a device's reports ends in the same place."""
    w = World(centre)
    base = int(time.time() * 1000)
    story = [("downloading", 1, 1), ("failed", 1, 2), ("downloading", 2, 1),
             ("installing", 2, 2), ("succeeded", 2, 3)]
    rng = random.Random(7)
    for n in range(12):
        device = "o%d" % n
        records = [w.report(device, s, a, q, recv=base + i,
                            **({"version": "1.2.0"} if s == "succeeded"
                               else {}))
                   for i, (s, a, q) in enumerate(story)]
        records += rng.sample(records, 2)
        rng.shuffle(records)
        cut = rng.randrange(len(records))
        for part in (records[:cut], records[cut:]):
            if part:
                w.send(*part, edge=rng.randrange(2))
        assert w.standing(device, "rd.state, rd.attempt, rd.seq,"
                          " rd.attempts_failed") == ["succeeded", "2", "3",
                                                     "1"]
    w.check_counters()


def test_steps_on_the_way(centre):
    """Sequential: the step is a success of the device, not of the rollout."""
    w = World(centre)
    w.send(w.seen("s1", version="1.0.0"))
    w.send(w.report("s1", "succeeded", 1, 3, version="1.1.0"))
    assert w.standing("s1") == ["offered"]
    assert w.device("s1") == ["1.1.0"]
    w.send(w.report("s1", "downloading", 2, 1))
    w.send(w.report("s1", "succeeded", 2, 2, version="1.2.0"))
    assert w.standing("s1") == ["succeeded"]
    w.check_counters()


def test_failures_reach_the_edges(centre):
    w = World(centre)
    w.send(w.report("x1", "failed", 1, 2, delta=True,
                    error={"code": "E-VERIFY", "text": "hash"}))
    assert w.standing("x1", "rd.state, rd.attempts_failed, rd.delta_failed,"
                      " rd.error_code") == ["failed", "1", "1", "E-VERIFY"]
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        row = centre.sql("SELECT HEX(value_bytes) FROM policy_state WHERE"
                         " tbl=3 AND key_bytes LIKE '%x1'")
        if row:
            break
        time.sleep(0.05)
    assert row
    p = w.check_counters()
    assert p["errors"] == [{"code": "E-VERIFY", "devices": 1}]
    w.send(w.report("x1", "rejected", 2, 1))
    assert w.standing("x1") == ["skipped"]
    got = w.api("GET", "/rollouts/%d/devices?state=skipped" % w.rollout)
    assert [d["device"] for d in got["items"]] == ["x1"]


def test_bytes(centre):
    w = World(centre)
    rec = {"t": "bytes", "tenant": w.tenant, "node": 1, "tag": "00" * 8,
           "rollout": w.rollout, "first": 0, "last": 99, "delivered": 80,
           "sent": 100}
    w.send((1, b"1" * 16, rec), (2, b"2" * 16, rec))
    b = w.progress()["bytes"]
    assert (b["delivered"], b["sent"], b["requests"]) == (160, 200, 2)
    assert b["nodes"][0]["node"] == "edge-1"


def test_parallel_batches(centre):
    """Two edges with the same devices at once: no loss, no double."""
    w = World(centre)
    states = ["downloading", "installing", "succeeded"]
    records = [w.report("p%d" % d, s, 1, q + 1)
               for d in range(60) for q, s in enumerate(states)]
    answers = []

    def go(edge, part):
        for i in range(0, len(part), 30):
            answers.append(w.agents[edge].send(part[i:i + 30]))

    shuffled = records[:]
    random.Random(1).shuffle(shuffled)
    threads = [threading.Thread(target=go, args=(0, records)),
               threading.Thread(target=go, args=(1, shuffled))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(a["accepted"] for a in answers) == len(records)
    assert sum(a["duplicate"] for a in answers) == len(records)
    p = w.check_counters()
    assert p["buckets"]["succeeded"] == 60
    assert centre.sql("SELECT COUNT(*) FROM report_event WHERE rollout_id=%d"
                      % w.rollout)[0][0] == str(len(records))


def test_retry_meets_a_report(centre):
    """An operator retries the failed while one of them reports: a lock on
    the row lets both wait, the retry first."""
    w = World(centre)
    w.send(w.report("m1", "failed", 3, 1))
    jobs = [
        lambda: centre.sql(
            "START TRANSACTION; SELECT * FROM rollout_device WHERE"
            " rollout_id=%d FOR UPDATE; DO SLEEP(1.5); COMMIT" % w.rollout),
        lambda: w.api("POST", "/rollouts/%d/retry-failed" % w.rollout),
        lambda: w.send(w.report("m1", "downloading", 4, 1), edge=1)]
    threads = [threading.Thread(target=job) for job in jobs]
    for t in threads:
        t.start()
        time.sleep(0.4)
    for t in threads:
        t.join()
    assert w.standing("m1") == ["downloading"]
    w.check_counters()


def test_full_batch_is_fast(centre):
    w = World(centre)
    w.send(*[w.seen("q%d" % i, version="1.0.0") for i in range(1000)])
    start = time.monotonic()
    a = w.send(*[w.report("q%d" % i, "downloading") for i in range(1000)])
    took = time.monotonic() - start
    assert a["accepted"] == 1000
    assert took < 5, took
    p = w.check_counters()
    assert p["buckets"]["downloading"] == 1000
    many = segment([w.report("q%d" % i, "installing", 1, 2)
                    for i in range(1001)])
    a = w.agents[0].request("POST", "/sync/v1/reports", body=many,
                            headers={"Idempotency-Key": "many"})
    assert a.status in (400, 413)


def test_killed_while_ingesting(centre):
    """kill -9 at any moment: a batch is in or not, and a retry settles it."""
    w = World(centre)
    w.send(*[w.seen("z%d" % i, version="1.0.0") for i in range(300)])
    batches = [[w.report("z%d" % i, "downloading", 1, k + 1)
                for i in range(300)] for k in range(6)]
    for k, batch in enumerate(batches):
        got = []

        def go():
            try:
                got.append(w.agents[0].reports(batch, "z/%d" % k).status)
            except OSError:
                got.append(0)

        t = threading.Thread(target=go)
        t.start()
        time.sleep(0.005 + 0.012 * k)
        centre.kill_admin()
        t.join(30)
        centre.start_admin()
        a = w.agents[0].send(batch, "z/%d" % k)
        assert a["accepted"] + a["duplicate"] == 300, a
    p = w.check_counters()
    assert p["buckets"]["downloading"] == 300
    assert centre.sql("SELECT COUNT(*), COUNT(DISTINCT report_id) FROM"
                      " report_event WHERE rollout_id=%d" % w.rollout)[0] == [
                          "1800", "1800"]


def test_ids_match_the_contract():
    """The record id is what core's fota_report_id says (spool tests)."""
    a = report_id(7, "dev-0001", 42, 1, 3)
    assert len(a) == 16 and a != report_id(7, "dev-0001", 42, 1, 4)
    assert json.dumps(a.hex())
