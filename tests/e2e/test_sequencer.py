# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Outbox, sequencer, long poll and snapshots on a real database."""

import os
import signal
import subprocess
import threading
import time

import pytest

from support.centre import Centre, UnixConnection
from support.sync import Agent, TABLES, check_log

T = "acme"


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("seq"), nginx=False) as c:
        c.api("POST", "/tenants", {"name": T})
        c.api("POST", "/products", {"name": "cam"}, tenant=T)
        c.api("POST", "/nodes", {"name": "edge-1", "url": "https://a.test"})
        yield c


def settle(centre, timeout=15):
    """Until the outbox is empty."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if centre.sql("SELECT COUNT(*) FROM outbox")[0][0] == "0":
            return
        time.sleep(0.02)
    raise AssertionError("the outbox is not emptied")


def agent_of(centre):
    a = Agent(centre, "edge-1")
    deadline = time.monotonic() + 15
    while a.request("GET", "/sync/v1/snapshot").status == 503:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return a


def change(centre, i):
    centre.api("PATCH", "/products/cam", {"poll_s": 1000 + i}, tenant=T)


def test_chain_and_state(centre):
    for i in range(20):
        change(centre, i)
        centre.api("POST", "/devices", {"id": "d%d" % i, "product": "cam"},
                   tenant=T)
        centre.api("PATCH", "/devices/d%d" % i, {"blocked": i % 2 == 0},
                   tenant=T)
    centre.api("PATCH", "/devices/d0", {"blocked": False}, tenant=T)
    centre.api("DELETE", "/devices/d2", tenant=T)
    settle(centre)
    seq, state = check_log(centre)
    named = {}
    for table, key in state:
        named.setdefault(TABLES[table], []).append(key)
    assert sorted(named["tenant"]) == [b"*", T.encode()]
    # Only devices that differ: the odd ones and d0, d2 do not.
    assert sorted(k[4:].decode() for k in named["device"]) == sorted(
        "d%d" % i for i in range(4, 20, 2))
    assert len(named["zone"]) > 350 and b"Europe/Berlin" in named["zone"]
    assert len(named["node"]) == 1


def test_coalesced_and_equal(centre):
    """Many changes of one object are few operations; none is no change."""
    settle(centre)
    before, _ = check_log(centre)
    change(centre, 5000)
    settle(centre)
    change(centre, 5000)
    settle(centre)
    after, _ = check_log(centre)
    assert after == before + 1


def test_long_poll(centre):
    """Seen within 250 ms of the commit, signed, and linked."""
    settle(centre)
    agent = agent_of(centre)
    keys = centre.sync_key()
    agent.snapshot(keys)
    while agent.pull(keys=keys):
        pass
    took = []
    for i in range(20):
        got = []

        def wait():
            got.append(agent.pull(wait=10, keys=None))
            got.append(time.monotonic())

        t = threading.Thread(target=wait)
        t.start()
        time.sleep(0.05)
        change(centre, 100 + i)
        committed = time.monotonic()
        t.join(20)
        assert got[0] and got[0][-1][2] == TABLES.index("product")
        took.append(got[1] - committed)
    took.sort()
    assert took[len(took) // 2] < 0.25, took
    a = agent.log(wait=1)
    assert a.status == 204 and a.headers["Fota-Head"] == str(agent.seq)
    assert a.headers["Fota-Epoch"] == "%016x" % agent.epoch
    assert abs(int(a.headers["Fota-Time"]) / 1000 - time.time()) < 10
    row = centre.sql("SELECT acked FROM node_status")[0]
    assert int(row[0]) == agent.seq


def test_long_poll_refusals(centre):
    agent = agent_of(centre)
    agent.snapshot()
    for epoch, after, code in ((1, 0, "epoch"),
                               (agent.epoch, agent.seq + 10 ** 6,
                                "diverged")):
        a = agent.request("GET", "/sync/v1/log?epoch=%016x&after=%d&wait=0"
                          % (epoch, after))
        assert a.status == 409 and a.json["code"] == code
    for query in ("epoch=1&after=0", "epoch=%016x" % agent.epoch,
                  "epoch=%016x&after=x" % agent.epoch):
        assert agent.request("GET", "/sync/v1/log?" + query).status == 400
    agent.name = "nobody"
    assert agent.request("GET", "/sync/v1/log?epoch=0&after=0").status in (
        401, 403)


def test_small_answers(centre):
    """max cuts the answer, never an operation."""
    settle(centre)
    agent = agent_of(centre)
    m, _ = agent.snapshot()
    agent.seq = 0
    from support.sync import chain_start
    agent.chain = chain_start(agent.epoch)
    total = 0
    while True:
        a = agent.log(max=3000)
        if a.status == 204:
            break
        total += len(agent.pull())
        assert len(a.body) < 8000
    assert total == int(centre.sql("SELECT seq FROM feed")[0][0])


def test_snapshot(centre):
    settle(centre)
    agent = agent_of(centre)
    keys = centre.sync_key()
    m, state = agent.snapshot(keys)
    for op in iter(agent.pull, []):
        for seq, kind, table, key, value in op:
            if kind == 1:
                state[table, key] = value
            else:
                del state[table, key]
    _, held = check_log(centre)
    assert state == held
    assert sum(m["counts"].values()) >= len(TABLES)
    path = "/sync/v1/snapshot/%s/0" % m["id"]
    whole = agent.request("GET", path).body
    part = agent.request("GET", path, headers={"Range": "bytes=100-"})
    assert part.status == 206 and part.body == whole[100:]
    assert part.headers["Content-Range"] == "bytes 100-%d/%d" % (
        len(whole) - 1, len(whole))
    part = agent.request("GET", path, headers={"Range": "bytes=-7"})
    assert part.status == 206 and part.body == whole[-7:]
    part = agent.request("GET", path, headers={"Range": "bytes=%d-"
                                               % len(whole)})
    assert part.status == 416
    assert agent.request("GET", "/sync/v1/snapshot/%s/0"
                         % ("0" * 32)).status == 404
    assert agent.request("GET", "/sync/v1/snapshot/..%2f..%2fx/0"
                         ).status == 404


def test_keys_and_nack(centre):
    agent = agent_of(centre)
    agent.snapshot()
    keys = agent.request("GET", "/sync/v1/keys").json
    assert [k["scope"] for k in keys["wrap"]] == [0, 1]
    assert keys["group"] == 1 and keys["node"] >= 1
    a = agent.request("POST", "/sync/v1/nack", json={
        "epoch": "%016x" % agent.epoch, "seq": agent.seq + 1,
        "error": "record is corrupt"})
    assert a.status == 204
    assert centre.sql("SELECT nack_seq, error FROM node_status")[0] == [
        str(agent.seq + 1), "record is corrupt"]
    assert agent.heartbeat(load=42).status == 200
    row = centre.sql("SELECT load_pct, error FROM node_status")[0]
    assert row == ["42", "record is corrupt"]
    change(centre, 9000)
    settle(centre)
    agent.pull()
    agent.pull()
    assert centre.sql("SELECT nack_seq, error FROM node_status")[0] == [
        "0", ""]


def test_heartbeats_are_quiet(centre):
    """A load that trembles is no operation; one that jumps is."""
    agent = agent_of(centre)
    agent.snapshot()
    agent.heartbeat(load=42)
    settle(centre)
    before = int(centre.sql("SELECT seq FROM feed")[0][0])
    for load in (43, 41, 44, 40, 45):
        agent.heartbeat(load=load)
    settle(centre)
    assert int(centre.sql("SELECT seq FROM feed")[0][0]) == before
    agent.heartbeat(load=95)
    settle(centre)
    assert int(centre.sql("SELECT seq FROM feed")[0][0]) == before + 1


class Second:
    """Another fota-admin on the same database and directory."""

    def __init__(self, centre):
        self.centre = centre
        self.socket = os.path.join(centre.run, "second.sock")
        self.conf = os.path.join(centre.dir, "second.conf")
        self.log = os.path.join(centre.dir, "second.log")
        with open(centre.conf_file) as f:
            text = f.read()
        text = text.replace(centre.socket, self.socket)
        text = text.replace(centre.log, self.log)
        with open(self.conf, "w") as f:
            f.write(text)
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [self.centre.binary, "serve", "-c", self.conf],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                c = UnixConnection(self.socket, 5)
                c.request("GET", "/healthz")
                if c.getresponse().status == 200:
                    return self
            except OSError:
                time.sleep(0.02)
        raise AssertionError("the second instance does not answer")

    def stop(self, sig=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(sig)
            self.process.wait(45)
            self.process = None


def owners(centre, job):
    return [r[0] for r in centre.sql(
        "SELECT IS_USED_LOCK('fota/fota/%s')" % job)]


def test_two_instances_and_takeover(centre):
    settle(centre)
    second = Second(centre).start()
    try:
        first_owner = owners(centre, "sequencer")[0]
        assert first_owner not in ("", "NULL", None)
        time.sleep(1)
        assert owners(centre, "sequencer")[0] == first_owner
        agent = agent_of(centre)
        agent.snapshot()
        while agent.pull():
            pass
        centre.kill_admin()
        agent.centre_socket, centre_socket = centre.socket, centre.socket
        centre.socket = second.socket
        try:
            start = time.monotonic()
            change(centre, 7000)
            assert agent.pull(wait=10)
            assert time.monotonic() - start < 5
            assert owners(centre, "sequencer")[0] not in (
                first_owner, "", "NULL", None)
            check_log(centre)
        finally:
            centre.socket = centre_socket
        centre.start_admin()
        # The change of one instance reaches a poll of the other.
        other = Agent(centre, "edge-1")
        other.epoch, other.seq, other.chain = (agent.epoch, agent.seq,
                                               agent.chain)
        change(centre, 7001)
        assert other.pull(wait=5)
    finally:
        second.stop()
        if centre.admin is None:
            centre.start_admin()
    settle(centre)
    check_log(centre)


def test_killed_while_sequencing(centre):
    """Whatever was committed is published once, gapless, after kill -9."""
    settle(centre)
    last = 0
    for round in range(4):
        stop = threading.Event()
        done = []

        def write():
            i = 0
            while not stop.is_set():
                i += 1
                try:
                    change(centre, 20000 + round * 1000 + i)
                    done.append(20000 + round * 1000 + i)
                except Exception:
                    return

        threads = [threading.Thread(target=write)]
        threads[0].start()
        time.sleep(0.15 + 0.07 * round)
        centre.kill_admin()
        stop.set()
        threads[0].join(20)
        centre.start_admin()
        last = done[-1] if done else last
    settle(centre)
    seq, state = check_log(centre)
    poll = int(centre.sql("SELECT poll_s FROM product")[0][0])
    assert poll >= 1000 + last
    change(centre, 60000)
    settle(centre)
    assert check_log(centre)[0] == seq + 1


def test_bulk_of_devices(centre):
    """Thousands of devices in a group are sequenced together."""
    centre.api("POST", "/groups", {"name": "many"}, tenant=T)
    group = centre.sql("SELECT id FROM device_group WHERE name='many'")[0][0]
    product = centre.sql("SELECT id FROM product WHERE name='cam'")[0][0]
    tenant = centre.sql("SELECT id FROM tenant WHERE name='%s'" % T)[0][0]
    centre.sql("INSERT INTO device (tenant_id, product_id, ext_id, created)"
               " SELECT %s, %s, CONCAT('bulk-', seq), 0 FROM seq_1_to_5000"
               % (tenant, product))
    start = time.monotonic()
    centre.sql("INSERT INTO group_member SELECT %s, id FROM device WHERE"
               " ext_id LIKE 'bulk-%%'" % group)
    centre.sql("INSERT INTO outbox (tbl, tenant_id, object_id, created)"
               " SELECT 3, tenant_id, id, 0 FROM device"
               " WHERE ext_id LIKE 'bulk-%'")
    settle(centre, 60)
    took = time.monotonic() - start
    _, state = check_log(centre)
    assert sum(1 for t, k in state if t == 3 and b"bulk-" in k) == 5000
    assert took < 30, took
