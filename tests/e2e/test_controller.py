# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The controller: a thousand simulated devices move a rollout."""

import time

import pytest

from support.centre import Centre
from support.sync import Agent, artifact, check_log, report, seen

T = "acme"
N = 1000


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("ctl"), nginx=False) as c:
        c.api("POST", "/tenants", {"name": T, "signer": "centre"})
        c.api("POST", "/nodes", {"name": "edge-1", "url": "https://a.test"})
        yield c


class Fleet:
    serial = 0

    def __init__(self, centre, n=N, testers=0):
        Fleet.serial += 1
        self.centre = centre
        self.product = "cam%d" % Fleet.serial
        self.tenant = int(centre.sql("SELECT id FROM tenant WHERE"
                                     " name='acme'")[0][0])
        self.agent = Agent(centre, "edge-1")
        self.api("POST", "/products", {"name": self.product})
        for v in ("1.0.0", "1.1.0"):
            self.api("POST", "/products/%s/firmware" % self.product,
                     {"version": v})
        artifact(centre, T, self.product, "1.1.0",
                 self.product.encode() * 50)
        self.devices = ["%s-%d" % (self.product, i) for i in range(n)]
        self.agent.send([seen(self.tenant, self.product, d, version="1.0.0",
                              country="JP") for d in self.devices])
        for d in self.devices[:testers]:
            self.api("PATCH", "/devices/" + d, {"test": True})

    def api(self, method, path, body=None):
        return self.centre.api(method, path, body, tenant=T)

    def rollout(self, stages, **more):
        body = dict(name="r", product=self.product, target="1.1.0",
                    stages=stages, max_attempts=1)
        body.update(more)
        self.id = self.api("POST", "/rollouts", body)["id"]
        self.api("POST", "/rollouts/%d/start" % self.id)
        return self.show()

    def show(self):
        return self.api("GET", "/rollouts/%d" % self.id)

    def progress(self):
        p = self.api("GET", "/rollouts/%d/progress" % self.id)
        assert sum(p["buckets"].values()) == p["total"], p
        return p

    def until(self, what, timeout=20):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            r = self.show()
            if what(r):
                return r
            time.sleep(0.1)
        raise AssertionError(r)

    def reached(self):
        """Devices that the running stage offers to, as the edge decides."""
        salt, stage = self.centre.sql("SELECT salt, stage FROM rollout WHERE"
                                      " id=%d" % self.id)[0]
        return self.progress()["stages"][int(stage)]["population"]

    def report(self, devices, state, seq=1, attempt=1, **more):
        self.agent.send([report(self.tenant, self.product, d, self.id, state,
                                attempt, seq, **more) for d in devices])

    def succeed(self, devices):
        self.report(devices, "succeeded", 3, version="1.1.0")


def test_stages_advance_to_the_end(centre):
    f = Fleet(centre, testers=5)
    r = f.rollout([{"test_only": True, "success_pct": 100, "error_pct": 50},
                   {"percent": 10, "success_pct": 90, "error_pct": 5,
                    "min_count": 10},
                   {"percent": 100, "error_pct": 5, "min_count": 50}])
    assert r["stage"] == 0
    p = f.progress()
    assert p["total"] == N and p["buckets"]["waiting"] == N
    assert p["stages"][0]["population"] == 5
    tenth = p["stages"][1]["population"]
    assert 60 < tenth < 150 and p["stages"][2]["population"] == N
    f.succeed(f.devices[:4])
    time.sleep(1.5)
    assert f.show()["stage"] == 0
    assert "4 of 5" in f.show()["state_reason"]
    f.succeed(f.devices[4:5])
    assert f.until(lambda r: r["stage"] == 1)["state"] == "running"
    need = -(-tenth * 9 // 10)
    f.succeed(f.devices[5:need - 1])
    time.sleep(1.5)
    assert f.show()["stage"] == 1
    f.succeed(f.devices[need - 1:need + 1])
    f.until(lambda r: r["stage"] == 2)
    f.report(f.devices[need + 1:500], "downloading")
    f.succeed(f.devices[need + 1:N - 20])
    time.sleep(1.5)
    assert f.show()["state"] == "running"
    f.report(f.devices[N - 20:N - 10], "failed", 2,
             error={"code": "E-FLASH", "text": "x"})
    f.report(f.devices[N - 10:], "rejected", 2)
    r = f.until(lambda r: r["state"] == "finished")
    assert r["finished_ms"] > 0
    assert r["state_reason"] == "Finished: 980 of 1000 succeeded"
    p = f.progress()
    assert p["buckets"] == {"waiting": 0, "offered": 0, "downloading": 0,
                            "installing": 0, "succeeded": 980, "failed": 10,
                            "skipped": 10}
    assert p["errors"] == [{"code": "E-FLASH", "devices": 10}]
    audit = f.api("GET", "/audit?object=rollout/%d" % f.id)["items"]
    assert [a["action"] for a in audit
            if a["actor"] == "system/controller"].count(
                "rollout:next-stage") == 2


def test_pause_by_errors(centre):
    f = Fleet(centre)
    f.rollout([{"percent": 100, "error_pct": 2, "min_count": 100}])
    # Below the minimum nothing is judged, however bad.
    f.report(f.devices[:50], "failed", 2)
    time.sleep(2.2)
    assert f.show()["state"] == "running"
    f.succeed(f.devices[50:110])
    r = f.until(lambda r: r["state"] == "paused")
    assert r["state_reason"] == (
        "Paused: 50 of 110 failed (45.5 %), the limit is 2 %")
    # Whoever resumes has seen these; only new ones count.
    f.api("POST", "/rollouts/%d/resume" % f.id)
    time.sleep(2.2)
    assert f.show()["state"] == "running"
    f.succeed(f.devices[110:207])
    f.report(f.devices[207:208], "failed", 2)
    time.sleep(2.2)
    assert f.show()["state"] == "running"
    f.report(f.devices[208:210], "failed", 2)
    r = f.until(lambda r: r["state"] == "paused")
    assert "3 of 100 failed (3.0 %)" in r["state_reason"]
    p = f.progress()
    assert p["buckets"]["failed"] == 53 and p["buckets"]["succeeded"] == 157
    check_log(centre)


def test_soak_and_manual_step(centre):
    f = Fleet(centre, n=100)
    f.rollout([{"percent": 50, "success_pct": 10, "soak_s": 4},
               {"percent": 60, "success_pct": 10, "auto_next": False},
               {"percent": 100}])
    start = time.monotonic()
    f.succeed(f.devices[:20])
    time.sleep(1.5)
    assert "watched for 4 s" in f.show()["state_reason"]
    f.until(lambda r: r["stage"] == 1)
    assert time.monotonic() - start > 2.5
    r = f.until(lambda r: "operator" in r["state_reason"])
    assert r["stage"] == 1
    f.api("POST", "/rollouts/%d/next-stage" % f.id)
    assert f.show()["stage"] == 2


def test_end_and_start_time(centre):
    f = Fleet(centre, n=10)
    now = int(time.time())
    f.rollout([{"percent": 100}], start_s=now + 2, end_s=now + 5)
    f.until(lambda r: r["state_reason"] == "Waiting for its start time")
    r = f.until(lambda r: r["state"] == "finished")
    assert r["state_reason"] == "Finished: its end time has come"
    assert time.time() >= now + 5


def test_behind_many_others(centre):
    """More run than are looked at in one tick: the newest is, too."""
    f = Fleet(centre, n=1)
    f.rollout([{"percent": 100}])
    first = f.id
    clone = ("CREATE TEMPORARY TABLE c SELECT * FROM rollout WHERE id=%d;"
             "ALTER TABLE c MODIFY id INT UNSIGNED NULL;"
             "UPDATE c SET id=NULL;" % first)
    centre.sql(clone + "INSERT INTO rollout SELECT * FROM c;" * 1024)
    try:
        f.rollout([{"percent": 100}], end_s=int(time.time()) + 1)
        f.until(lambda r: r["state"] == "finished", timeout=30)
    finally:
        centre.sql("UPDATE rollout SET state='stopped' WHERE id >= %d"
                   " AND state='running'" % first)


def test_last_stage_stays_open(centre):
    f = Fleet(centre, n=10)
    f.rollout([{"percent": 100, "auto_next": False}])
    f.succeed(f.devices)
    r = f.until(lambda r: "All done" in r["state_reason"])
    assert r["state"] == "running"


def test_no_test_devices(centre):
    f = Fleet(centre, n=10)
    f.rollout([{"test_only": True}, {"percent": 100}])
    r = f.until(lambda r: "no test devices" in r["state_reason"])
    assert r["stage"] == 0


def test_controller_moves_to_another_process(centre):
    """After kill -9 a rollout goes on where it was."""
    f = Fleet(centre, n=100)
    f.rollout([{"percent": 50, "success_pct": 10}, {"percent": 100}])
    centre.kill_admin()
    centre.start_admin()
    f.succeed(f.devices[:30])
    f.until(lambda r: r["stage"] == 1)
