# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Forged policy, full disks, a database that goes away under load."""

import base64
import contextlib
import os
import random
import subprocess
import time
import urllib.parse

import pytest

from support.centre import ApiError
from support.stack import image, serial, sha, wait_for
from support.stack_edge import name_of
from support.tamper import Tamper, flip, reframe
from support.traffic import Traffic

needs_mount = pytest.mark.skipif(
    os.getuid() != 0, reason="a small file system needs root")


@contextlib.contextmanager
def small_disk(path, size):
    """A tmpfs of that size at path; yields a switch: fill(True|False)."""
    os.makedirs(path, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s" % size,
                           "tmpfs", path], stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        pytest.skip("mount: " + done.stderr.strip())
    ballast = os.path.join(path, "ballast")

    def fill(on):
        if not on:
            os.unlink(ballast)
            return
        with open(ballast, "wb", buffering=0) as f:
            for piece in (65536, 1):
                try:
                    while True:
                        f.write(bytes(piece))
                except OSError:
                    pass

    try:
        yield fill
    finally:
        subprocess.run(["umount", "-l", path], check=False)


def node_error(stack, name):
    rows = stack.centre.sql(
        "SELECT s.nack_seq, s.error FROM node_status s JOIN node n "
        "ON n.id = s.node_id WHERE n.name = '%s'" % name)
    return (int(rows[0][0]), rows[0][1]) if rows else (0, "")


# What an agent must not apply

def truncated(body):
    return body[:len(body) - 20]


def bit_flipped(body):
    return flip(body, random.Random(len(body)).randrange(12, len(body)))


def forged(body):
    """A change with its checksum made right: the signature tells."""
    return reframe(flip(body, 60))


def resigned(body):
    return flip(body, len(body) - 1)


def test_bad_batches_are_refused(own_stack, tmp_path):
    stack = own_stack(edges=1)
    fleet = stack.fleet("tamper")
    fleet.firmware("1.1.0", image(50000, 60))
    rollout = fleet.rollout("1.1.0")
    edge = stack.edges[0]
    fleet.wait_offer()

    with Tamper(stack.centre, edge.name) as tamper:
        edge.stop_agent()
        edge.centre_url = tamper.url
        edge.start_agent()
        wait_for("a poll by the proxy", lambda: tamper.seen)
        stack.ready()

        for change in (truncated, bit_flipped, forged, resigned):
            before = edge.status()["policy"]["seq"]
            count = tamper.changed
            tamper.seen.clear()
            tamper.change = lambda path, body, change=change: (
                change(body) if "/sync/v1/log" in path and body[:4] == b"FSB1"
                else body)
            fleet.api("POST", "/rollouts/%d/pause" % rollout)
            wait_for("a " + change.__name__ + " batch",
                     lambda: tamper.changed > count + 1, 20)

            nacks = wait_for("a nack", lambda: [
                s for s in tamper.seen if "/sync/v1/nack" in s[1]])
            assert b'"seq"' in nacks[0][2]
            assert edge.status()["policy"]["seq"] == before
            assert fleet.offered(edge), "the last good state is kept"
            wait_for("the node is shown as failing", lambda: (
                node_error(stack, edge.name)[0] > before
                and node_error(stack, edge.name)[1]))

            tamper.change = None
            wait_for("recovery", lambda: not fleet.offered(edge), 40)
            fleet.api("POST", "/rollouts/%d/resume" % rollout)
            wait_for("an offer", lambda: fleet.offered(edge), 40)
            stack.ready()
            wait_for("the node is well", lambda: (
                node_error(stack, edge.name) == (0, "")), 30)

        # A snapshot is no better trusted than a batch.
        edge.stop_agent()
        stack.centre.sql("DELETE FROM change_log; "
                         "UPDATE feed SET floor = seq")
        fleet.api("POST", "/rollouts/%d/pause" % rollout)
        wait_for("the sequencer", stack.settled)
        stack.centre.sql("DELETE FROM change_log; "
                         "UPDATE feed SET floor = seq")
        # The poll of the stopped agent may have left the batch in memory.
        stack.centre.stop_admin()
        stack.centre.start_admin()
        count = tamper.changed
        tamper.change = lambda path, body: (
            flip(body, len(body) // 2) if "/sync/v1/snapshot" in path
            else body)
        edge.start_agent()
        wait_for("a broken snapshot", lambda: tamper.changed > count + 1, 40)
        assert fleet.offered(edge), "the last good state is kept"
        tamper.change = None
        wait_for("recovery", lambda: not fleet.offered(edge), 60)

    edge.stop_agent()
    edge.centre_url = stack.centre.url
    edge.start_agent()
    stack.ready()


def test_bad_artifacts_are_not_kept(rough):
    """What does not have the hash of its name never gets into the store."""
    fleet = rough.fleet("badfile")
    edge = rough.edges[0]
    data = image(300000, 61)
    with Tamper(rough.centre, edge.name) as tamper:
        edge.stop_agent()
        edge.centre_url = tamper.url
        edge.start_agent()
        tamper.change = lambda path, body: (
            flip(body, len(body) // 2) if "/sync/v1/artifact" in path
            else body)
        try:
            fleet.firmware("1.1.0", data)
            fleet.rollout("1.1.0")
            fleet.wait_offer([edge])
            wait_for("two tries", lambda: tamper.changed > 1, 20)
            assert not edge.has(sha(data))
            tamper.change = None
            wait_for("the file", lambda: edge.has(sha(data)), 40)
            assert stored(edge, data) == data
        finally:
            edge.stop_agent()
            edge.centre_url = rough.centre.url
            edge.start_agent()
    rough.ready()


def stored(edge, data):
    with open(os.path.join(edge.store, name_of(sha(data))), "rb") as f:
        return f.read()


def test_kill_while_fetching(rough):
    """A fetch goes on after kill -9; what is in the store is whole."""
    fleet = rough.fleet("killfetch")
    edge = rough.edges[0]
    rnd = random.Random(62)
    files = [image(4000000, 620 + i) for i in range(6)]
    for i, data in enumerate(files):
        fleet.firmware("1.0.%d" % i, data)
    fleet.rollout("1.0.5", strategy="sequential")
    for _ in range(8):
        time.sleep(rnd.uniform(0, 0.15))
        edge.kill_agent()
        edge.start_agent()
        for data in files:
            if edge.has(sha(data)):
                assert stored(edge, data) == data
    for data in files[1:]:
        wait_for("the file", lambda d=data: edge.has(sha(d)), 60)
        assert stored(edge, data) == data


def test_wrong_signing_key(rough):
    """An edge that trusts another centre takes nothing from this one."""
    other = base64.b64encode(bytes(range(32))).decode()
    kid = rough.centre.sync_key().split()[0]
    fleet = rough.fleet("wrongkey")
    edge = rough.add_edge("edge-wrong", sync_key="%s %s" % (kid, other))
    try:
        edge.start()
        wait_for("a complaint", lambda: edge.log_has(
            r"(?i)forged|signature"), 20)
        a = edge.check(fleet.tenant, fleet.product, "w-1")
        assert a.status == 503 and int(a.headers["Retry-After"]) > 0
        assert a.headers["Content-Type"] == "application/problem+json"
        a = edge.report(fleet.tenant, fleet.product, "w-1", 1, "succeeded")
        assert a.status == 503
        assert edge.plain("/healthz").status == 200
        assert edge.plain("/readyz").status == 503

        edge.stop_agent()
        edge.sync_key = None
        edge.start_agent()
        rough.ready([edge])
        assert edge.check(fleet.tenant, fleet.product, "w-1").status == 200
    finally:
        rough.edges.remove(edge)
        edge.close()
        rough.centre.api("DELETE", "/nodes/%s?confirm=%s" % (edge.name,
                                                             edge.name))


# Full disks

@pytest.fixture
def cramped(rough):
    """Makes an edge with small disks: cramped(spool="3m")."""
    with contextlib.ExitStack() as disks:
        made = []

        def make(stack=rough, **sizes):
            name = "edge-small-%d" % next(serial)
            dirs, fills = {}, {}
            for what, size in sizes.items():
                dirs[what] = os.path.join(stack.dir, name + "-" + what)
                fills[what] = disks.enter_context(
                    small_disk(dirs[what], size))
            edge = stack.add_edge(name, dirs=dirs)
            made.append((stack, edge))
            edge.start()
            stack.ready([edge])
            return edge, fills

        yield make

        for stack, edge in made:
            stack.edges.remove(edge)
            code = edge.close()
            alarms = [line for path in edge.logs() if os.path.exists(path)
                      for line in open(path, errors="replace")
                      if "[alert]" in line or "[emerg]" in line
                      or "Sanitizer" in line]
            stack.centre.api("DELETE", "/nodes/%s?confirm=%s" % (
                edge.name, edge.name))
            assert code == 0
            assert not alarms, alarms[:5]


def get(edge, offer):
    u = urllib.parse.urlsplit(next(
        u["url"] for u in offer["urls"] if u["node"] == edge.name))
    return edge.request("GET", u.path + "?" + u.query)


@needs_mount
def test_full_spool(rough, cramped):
    edge, fills = cramped(spool="4m")
    fleet = rough.fleet("fullspool")
    fleet.firmware("1.1.0", image(50000, 70))
    rollout = fleet.rollout("1.1.0")
    fleet.wait_offer([edge])
    acked = set()

    def report(seq):
        a = edge.report(fleet.tenant, fleet.product, "fs-1", rollout,
                        "installing", seq=seq)
        if a.status == 202:
            acked.add(("fs-1", 1, seq))
        return a

    for seq in range(1, 20):
        assert report(seq).status == 202

    rough.centre.stop_nginx()               # nothing drains meanwhile
    try:
        fills["spool"](True)
        refused = [report(seq) for seq in range(20, 120)]
        refused = [a for a in refused if a.status != 202]
        assert refused
        for a in refused:
            assert a.status in (429, 503), a.body
            assert int(a.headers["Retry-After"]) > 0
        for i in range(20):
            assert fleet.offered(edge, "fs-%d" % i)
        assert get(edge, fleet.offered(edge)).status == 200
        fills["spool"](False)
        wait_for("reports are taken again",
                 lambda: report(200).status == 202, 20)
    finally:
        rough.centre.start_nginx()
    wait_for("what was acknowledged", lambda: (
        acked <= set(fleet.events(rollout))), 60, every=0.2)
    assert set(fleet.events(rollout).values()) == {1}


@needs_mount
def test_full_policy_disk(rough, cramped):
    edge, fills = cramped(policy="16m")
    fleet = rough.fleet("fullpolicy")
    fleet.firmware("1.1.0", image(50000, 71))
    rollout = fleet.rollout("1.1.0")
    fleet.wait_offer([edge])

    fills["policy"](True)
    devices = [{"id": "fp-%d-%s" % (i, "x" * 200), "blocked": True}
               for i in range(3000)]
    fleet.api("POST", "/devices/bulk", {"product": fleet.product,
                                        "devices": devices})
    fleet.api("POST", "/rollouts/%d/pause" % rollout)
    rough.ready(rough.edges[:2])
    wait_for("a complaint of the agent", lambda: edge.log_has(
        r"(?i)no space|full|cannot write"), 20)
    assert edge.agent.poll() is None
    assert fleet.offered(edge), "the last good state is kept"

    fills["policy"](False)
    wait_for("recovery", lambda: not fleet.offered(edge), 60)
    rough.ready([edge], 60)


@needs_mount
def test_full_store(own_stack, cramped):
    # Other tests' artifacts would take the room of this one.
    stack = own_stack(edges=0)
    edge, fills = cramped(stack, store="24m")
    fleet = stack.fleet("fullstore")
    data = image(2500000, 72)
    fills["store"](True)
    fleet.firmware("1.1.0", data)
    fleet.rollout("1.1.0")
    offer = fleet.wait_offer([edge])[0]
    wait_for("a complaint of the agent",
             lambda: edge.log_has(r"(?i)no space|disk|room"), 20)
    a = get(edge, offer)
    assert a.status == 200 and a.body == data, "from the origin"

    # The agent looks at its disk every 30 s, and whenever artifacts change.
    fills["store"](False)
    fleet.firmware("1.2.0", image(1000, 73))
    wait_for("the file", lambda: edge.has(sha(data)), 20)
    a = get(edge, fleet.offered(edge))
    assert a.status == 200 and a.body == data


@needs_mount
def test_full_disk_of_the_centre(own_stack, tmp_path):
    with small_disk(str(tmp_path / "data"), "26m") as fill:
        stack = own_stack(edges=1, data_dir=tmp_path / "data")
        fleet = stack.fleet("fullcentre")
        fleet.firmware("1.1.0", image(50000, 73))
        fleet.firmware("1.2.0")
        rollout = fleet.rollout("1.1.0")
        fleet.wait_offer()

        data = image(4000000, 74)
        up = fleet.api("POST", "/uploads", {
            "name": "u", "size": len(data), "sha256": sha(data)})

        def append(offset, size):
            return fleet.centre.request(
                "PATCH", "/api/v1/uploads/" + up["id"],
                body=data[offset:offset + size], tenant=fleet.tenant,
                headers={"Content-Type": "application/octet-stream",
                         "Upload-Offset": str(offset)})

        assert append(0, 1000000).status in (200, 204)
        fill(True)
        assert append(1000000, 3000000).status in (503, 507)
        with pytest.raises(ApiError) as e:
            fleet.artifact("1.2.0", data)
        assert e.value.status == 507, e.value
        assert stack.centre.request("GET", "/healthz").status == 200

        # Policy and reports need no room there.
        fleet.api("POST", "/rollouts/%d/pause" % rollout)
        wait_for("policy flows", lambda: not fleet.offered(stack.edges[0]))
        a = stack.edges[0].report(fleet.tenant, fleet.product, "fc-1",
                                  rollout, "installing")
        assert a.status == 202
        wait_for("reports flow", lambda: fleet.events(rollout))

        # The upload goes on where the server stands.
        fill(False)
        offset = fleet.api("GET", "/uploads/" + up["id"])["offset"]
        assert append(offset, len(data)).status in (200, 204)
        fleet.api("POST", "/uploads/%s/complete" % up["id"])
        made = fleet.api("POST", "/products/%s/artifacts" % fleet.product,
                         {"version": "1.2.0", "upload": up["id"]})
        assert made["sha256"] == sha(data) and made["signed"]
        own_stack.end(stack)


@needs_mount
def test_full_disk_of_the_database(own_stack, tmp_path):
    """The API says so, edges go on, and what waited is taken after it."""
    with small_disk(str(tmp_path / "db"), "512m") as fill:
        stack = own_stack(edges=1, db_dir=tmp_path / "db")
        fleet = stack.fleet("fulldb")
        fleet.firmware("1.1.0", image(50000, 76))
        rollout = fleet.rollout("1.1.0")
        fleet.wait_offer()
        edge = stack.edges[0]
        fill(True)

        statuses = set()
        for i in range(40):
            devices = [{"id": "fd-%d-%d-%s" % (i, n, "x" * 200)}
                       for n in range(2000)]
            a = fleet.centre.request("POST", "/api/v1/devices/bulk", {
                "product": fleet.product, "devices": devices},
                tenant=fleet.tenant)
            statuses.add(a.status)
            if a.status >= 500:
                break
        assert statuses & {500, 503, 507}, statuses
        assert fleet.offered(edge)
        for seq in range(1, 30):
            assert edge.report(fleet.tenant, fleet.product, "fd-r", rollout,
                               "installing", seq=seq).status == 202
        fill(False)
        wait_for("the API again", lambda: fleet.centre.request(
            "PATCH", "/api/v1/products/" + fleet.product, {"poll_s": 77},
            tenant=fleet.tenant).status == 200, 30)
        wait_for("every report", lambda: {
            ("fd-r", 1, s) for s in range(1, 30)
        } <= set(fleet.events(rollout)), 60, every=0.2)
        assert set(fleet.events(rollout).values()) == {1}
        own_stack.end(stack)


def test_database_restarts_under_load(rough):
    fleet = rough.fleet("dbload")
    data = image(300000, 75)
    fleet.firmware("1.1.0", data)
    rollout = fleet.rollout("1.1.0")
    fleet.wait_offer()
    statuses = set()

    with Traffic(fleet, rollout, data) as traffic:
        for i in range(3):
            rough.centre.db.stop()
            for _ in range(5):
                statuses.add(fleet.centre.request(
                    "GET", "/api/v1/products", tenant=fleet.tenant).status)
            rough.centre.db.start()
            wait_for("the API", lambda: fleet.centre.request(
                "GET", "/api/v1/products",
                tenant=fleet.tenant).status == 200)
    assert statuses <= {200, 503}, statuses
    assert 503 in statuses
    assert traffic.later == 0 and traffic.lost == 0, "edges never noticed"
    traffic.verify()
