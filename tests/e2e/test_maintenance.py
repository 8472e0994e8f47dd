# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""What grows is cut: partitions, keys of reports, the change log."""

import time

import pytest

from support.centre import Centre
from support.sync import Agent, chain_start, seen

T = "acme"
DAY = 86400000


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("maint"), nginx=False,
                conf={"report_days": 30, "change_log_hours": 24}) as c:
        c.api("POST", "/tenants", {"name": T})
        c.api("POST", "/products", {"name": "cam"}, tenant=T)
        c.api("POST", "/nodes", {"name": "edge-1", "url": "https://a.test"})
        yield c


def partitions(centre):
    return centre.sql(
        "SELECT PARTITION_NAME, PARTITION_DESCRIPTION FROM"
        " information_schema.PARTITIONS WHERE TABLE_SCHEMA = 'fota' AND"
        " TABLE_NAME = 'report_event' ORDER BY PARTITION_ORDINAL_POSITION")


def wait(probe, timeout=20):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if probe():
            return
        time.sleep(0.1)
    raise AssertionError("not within %d s" % timeout)


def test_partitions_ahead(centre):
    wait(lambda: len(partitions(centre)) >= 9)
    rows = partitions(centre)
    assert rows[-1] == ["pmax", "MAXVALUE"]
    today = int(time.time() * 1000) // DAY
    limits = [int(r[1]) // DAY for r in rows[:-1]]
    assert limits == list(range(limits[0], limits[0] + len(limits)))
    assert limits[-1] >= today + 8
    assert rows[0][0] == time.strftime("p%Y%m%d", time.gmtime(
        (limits[0] - 1) * 86400))


def test_old_things_go(centre):
    now = int(time.time() * 1000)
    old = now - 40 * DAY
    # As after a month: an old day's partition, old keys, an old revocation.
    first = partitions(centre)[0]
    centre.sql("ALTER TABLE report_event REORGANIZE PARTITION %s INTO"
               " (PARTITION p20200101 VALUES LESS THAN (%d), PARTITION %s"
               " VALUES LESS THAN (%s))" % (first[0], now - 31 * DAY,
                                            first[0], first[1]))
    for ts in (old, now):
        centre.sql("INSERT INTO report_event (device_id, ts, report_id,"
                   " rollout_id, attempt, seq, state) VALUES (1, %d,"
                   " REPEAT('r', 16), 1, 1, 1, 'failed')" % ts)
        centre.sql("INSERT INTO report_seen VALUES (0x%s, %d)"
                   % (("%016x" % ts) * 2, ts))
        centre.sql("INSERT INTO ingest_batch VALUES (1, 'k%d', '{}', %d)"
                   % (ts, ts))
        centre.sql("INSERT INTO deny (kind, id, not_before_s, created)"
                   " VALUES (2, 0x%s, 0, %d)"
                   % ("%016x" % ts, ts))
    centre.restart_admin()
    wait(lambda: "p20200101" not in [p[0] for p in partitions(centre)])
    wait(lambda: centre.sql("SELECT COUNT(*) FROM deny") == [["1"]])
    for table in ("report_event", "report_seen", "ingest_batch", "deny"):
        column = {"report_event": "ts", "report_seen": "ts"}.get(
            table, "created")
        assert centre.sql("SELECT %s FROM %s" % (column, table)) == [
            [str(now)]], table


def test_change_log_is_trimmed(centre):
    agent = Agent(centre, "edge-1")
    agent.snapshot()
    while agent.pull():
        pass
    whole = agent.seq
    base = int(centre.sql("SELECT CAST(SUBSTRING_INDEX(SUBSTRING_INDEX("
                          "CONVERT(value USING utf8mb4), ' ', 3), ' ', -1)"
                          " AS UNSIGNED) FROM setting WHERE"
                          " name = 'snapshot'")[0][0])
    centre.sql("UPDATE change_log SET ts = ts - %d" % (2 * DAY))
    centre.restart_admin()
    wait(lambda: centre.sql("SELECT MIN(seq) FROM change_log WHERE seq > 0")
         != [["1"]])
    floor = int(centre.sql("SELECT floor FROM feed")[0][0])
    # Never beyond what the newest snapshot holds.
    assert 0 < floor <= base or floor == whole
    old = Agent(centre, "edge-1")
    old.epoch, old.seq, old.chain = agent.epoch, 0, chain_start(agent.epoch)
    a = old.log()
    assert a.status == 409 and a.json["code"] == "truncated"
    old.snapshot()
    while old.pull():
        pass
    assert old.seq >= whole
    centre.api("PATCH", "/products/cam", {"poll_s": 777}, tenant=T)
    assert agent.pull(wait=5)


def test_reports_go_to_their_day(centre):
    """Nothing is left to pmax."""
    tenant = int(centre.sql("SELECT id FROM tenant WHERE name='acme'")[0][0])
    Agent(centre, "edge-1").send([seen(tenant, "cam", "d1")])
    count = centre.sql("SELECT COUNT(*) FROM report_event"
                       " PARTITION (pmax)")
    assert count == [["0"]]
