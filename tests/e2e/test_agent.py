# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""fota-agent against a centre that misbehaves, and against crashes.

Whatever happens, the agent keeps its last good state, loses no report that
nginx acknowledged, serves nothing unverified, and goes on by itself.
"""

import base64
import hashlib
import http.server
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from support.agent import (AGENT, SLOW, TENANT, Agent, b64name, devices,
                           seeded, until)
from support.fakecentre import tool
from support.lone import agent, centre, lone, place  # noqa: F401


# Sync

def test_first_start_and_log(centre, agent):
    seeded(centre, agent)
    before = agent.held()
    centre.publish({"products": [{"tenant": 1, "name": "cam"}]})
    held = agent.at(2)
    assert held["generation"] == before["generation"] + 1
    assert held["chain"] == centre.chain

    # Devices alone do not make workers decode policy anew.
    last = centre.publish(devices(0, 50))
    held2 = agent.at(last)
    assert held2["generation"] == held["generation"]
    assert len(held2["tables"]["device"]) == 50

    centre.publish({"delete": devices(0, 10)})
    assert len(agent.at(centre.seq)["tables"]["device"]) == 40
    assert agent.status()["connected"]
    assert agent.stop() == 0


def test_spoilt_batches_are_refused(centre, agent):
    seeded(centre, agent)
    rng = random.Random(1)
    good = agent.held()
    spoils = [
        lambda d: d[:-1],
        lambda d: d[:20],
        lambda d: d + b"x",
        lambda d: bytes([d[0] ^ 1]) + d[1:],
    ]
    for _ in range(6):
        at = rng.randrange(12, 90)
        spoils.append(lambda d, at=at: d[:at] + bytes([d[at] ^ 4])
                      + d[at + 1:])
    for i, spoil in enumerate(spoils):
        centre.spoil = spoil
        centre.nacks.clear()
        if i == 0:
            centre.publish(devices(0, 3))
        until("nack of spoil %d" % i, lambda: centre.nacks, 60)
        # A whole batch in front of rubbish is good.
        if i == 2:
            good = agent.held()
            centre.publish(devices(10, 3))
            continue
        held = agent.held()
        assert held["seq"] == good["seq"] and held["chain"] == good["chain"]
        agent.restart()
    assert centre.nacks[0]["epoch"] == centre.epoch
    centre.spoil = None
    assert len(agent.at(centre.seq)["tables"]["device"]) == 6


def test_wrong_key_and_unknown_key(centre, agent):
    seeded(centre, agent)
    other = json.loads(tool("keys", None, b""))
    forged, _, _ = centre.batch(devices(0, 1), sec=other["sec"])
    unknown, _, _ = centre.batch(devices(0, 1), kid=9)
    centre.spoil = lambda d: forged
    centre.publish(devices(0, 1))
    until("nack", lambda: any("forged" in n["error"]
                              for n in centre.nacks), 40)
    centre.spoil = lambda d: unknown
    until("nack", lambda: any("unknown_key" in n["error"]
                              for n in centre.nacks), 60)
    assert agent.held()["seq"] == 1
    centre.spoil = None
    agent.restart()
    agent.at(centre.seq)


def test_duplicates_and_reordered(centre, agent):
    seeded(centre, agent)
    first, chain, last = centre.batch(devices(0, 5))
    second = centre.batch(devices(5, 5), prev=last, chain=chain)[0]
    centre.spoil = lambda d: second          # what comes after a gap
    centre.publish(devices(0, 5))
    until("nack", lambda: any("gap" in n["error"] for n in centre.nacks), 40)
    assert agent.held()["seq"] == 1

    centre.spoil = lambda d: first + first   # twice the same
    agent.restart()
    agent.at(6)
    centre.spoil = None
    centre.publish(devices(5, 5))
    assert len(agent.at(11)["tables"]["device"]) == 10


def test_record_that_no_reader_takes(centre, agent):
    seeded(centre, agent)
    data, _, _ = centre.batch({}, raw=[{"table": 3, "key": "00000001" + "61",
                                        "value": "03ff00"}])
    centre.spoil = lambda d: data
    centre.publish(devices(0, 1))
    until("nack", lambda: any("record refused at seq 2" in n["error"]
                              for n in centre.nacks), 40)
    assert agent.held()["seq"] == 1
    assert agent.status()["faults"][0]["now"]
    centre.spoil = None
    agent.restart()
    agent.at(2)


def test_epoch_change_and_divergence(centre, agent):
    seeded(centre, agent)
    centre.publish(devices(0, 5))
    agent.at(6)

    # The centre was restored: 409, and all of it is loaded anew.
    centre.new_history("00000000000000bb")
    centre.publish(TENANT)
    centre.snapshot({**TENANT, **devices(0, 2)})
    with centre.changed:
        centre.changed.notify_all()
    held = until("new epoch", lambda: (agent.held() or {}).get("epoch")
                 == centre.epoch and agent.held(), 40)
    assert len(held["tables"]["device"]) == 2
    assert held["dir"].endswith("gen-2")

    # The same epoch and seq, but other operations before it.
    chain = centre.chain
    other, _, _ = centre.batch(devices(7, 1), chain="11" * 32)
    centre.spoil = lambda d: other
    centre.publish(devices(7, 1))
    centre.snapshot({"tenants": TENANT["tenants"], "devices":
                     devices(0, 2)["devices"] + devices(7, 1)["devices"]})
    assert chain != centre.chain
    held = agent.at(centre.seq)
    assert len(held["tables"]["device"]) == 3
    assert held["dir"].endswith("gen-3")
    centre.spoil = None
    centre.publish(devices(20, 1))
    agent.at(centre.seq)


def test_sealed_keys(centre, agent):
    secret, wrap0, wrap5 = "aa" * 32, "01" * 32, "05" * 32
    centre.wrap = [{"scope": 0, "kid": 1, "key": base64.b64encode(
        bytes.fromhex(wrap0)).decode()}]
    key = {"keys": [{"kind": "download", "scope": 5, "kid": 1,
                     "secret": secret}]}
    seeded(centre, agent)
    centre.publish(key, wrap=wrap0, wrap_scope=0)
    held = agent.at(2)
    assert secret in list(held["tables"]["key"].values())[0]

    # Sealed for a scope that this node was not granted: kept, not opened.
    key["keys"][0]["kid"] = 2
    centre.publish(key, wrap=wrap5, wrap_scope=5)
    held = agent.at(3)
    assert sum(secret in v for v in held["tables"]["key"].values()) == 1

    # Granted later: opened when the next record asks for it.
    centre.wrap.append({"scope": 5, "kid": 1, "key": base64.b64encode(
        bytes.fromhex(wrap5)).decode()})
    key["keys"][0]["kid"] = 3
    centre.publish(key, wrap=wrap5, wrap_scope=5)
    agent.at(4)
    until("opened", lambda: sum(
        secret in v for v in agent.held()["tables"]["key"].values()) == 3)
    path = os.path.join(agent.state, "keys.json")
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert wrap0 not in agent.text() and secret not in agent.text()


def test_map_grows(centre, place):
    agent = Agent(place, centre, map_size="1m")
    seeded(centre, agent)
    try:
        attrs = {"a%02d" % i: "v" * 200 for i in range(20)}
        for start in range(0, 1000, 100):
            batch = devices(start, 100)
            for d in batch["devices"]:
                d["attrs"] = attrs
            centre.publish(batch)
        held = agent.at(centre.seq)
        assert len(held["tables"]["device"]) == 1000
        assert not held["dir"].endswith("gen-1")
        assert agent.status()["policy"]["map_size"] >= 4 << 20
        agent.restart()
        centre.publish(devices(2000, 10))
        assert len(agent.at(centre.seq)["tables"]["device"]) == 1010
    finally:
        agent.kill()


def test_snapshot_faults(centre, agent):
    policy = {**TENANT, **devices(0, 3000)}
    centre.publish(TENANT)
    centre.snapshot(policy, chunk=16384)
    assert len(centre.chunks) > 3

    # A manifest of another key, then one whose counts are wrong.
    good, chunks = centre.manifest, centre.chunks
    other = json.loads(tool("keys", None, b""))
    centre.snapshot(policy, chunk=16384, sec=other["sec"],
                    name=centre.snapshot_id)
    agent.start()
    agent.said("forged")
    assert agent.held() is None
    centre.snapshot(policy, chunk=16384, miscount=1)
    agent.said("counts differ", 40)
    assert agent.held() is None

    # A chunk with a flipped bit: fetched again, never loaded.
    agent.kill()
    centre.snapshot(policy, chunk=16384)
    good, chunks = centre.manifest, list(centre.chunks)
    bad = bytearray(chunks[1])
    bad[100] ^= 1
    centre.chunks[1] = bytes(bad)
    agent.start()
    agent.said("once more")
    assert agent.held() is None
    centre.chunks[1] = chunks[1]
    assert len(agent.at(1)["tables"]["device"]) == 3000
    assert centre.manifest == good


def test_snapshot_resumes_after_kill(centre, agent):
    policy = {**TENANT, **devices(0, 20000)}
    centre.publish(TENANT)
    centre.snapshot(policy, chunk=190000)
    # Chunk 2 is to take a second, as a part of it has to be seen.
    assert len(centre.chunks) > 3
    centre.piece, centre.delay = 8192, 0.05
    agent.start()
    top = os.path.join(agent.state, "snapshot")
    for i in range(3):
        until("a part of chunk %d" % i, lambda: [
            n for d, _, names in os.walk(top) for n in names
            if int(n) >= i and 0 < os.path.getsize(os.path.join(d, n))
            < len(centre.chunks[int(n)])])
        agent.restart()
    centre.delay = 0
    assert len(agent.at(1)["tables"]["device"]) == 20000
    assert any(start > 0 for _, start in centre.ranges)


def test_kill_at_any_moment_of_apply(centre, agent):
    seeded(centre, agent)
    rng = random.Random(3)
    wanted = 0
    for _ in range(12):
        for _ in range(4):
            centre.publish(devices(wanted, 25))
            wanted += 25
        time.sleep(rng.uniform(0, 0.25))
        agent.restart()
    held = agent.at(centre.seq)
    assert held["chain"] == centre.chain
    assert len(held["tables"]["device"]) == wanted


def test_broken_database_is_replaced(centre, agent):
    seeded(centre, agent)
    agent.stop()
    data = os.path.join(agent.held()["dir"], "data.mdb")
    with open(data, "r+b") as f:
        f.write(b"\xff" * 8192)
    agent.start()
    agent.at(1)
    os.unlink(os.path.join(agent.policy, "current"))
    agent.restart()
    agent.at(1)


def test_centre_away(centre, agent):
    seeded(centre, agent)
    centre.faults["/"] = lambda h: h.problem(503, "down",
                                             Retry_After="1") or True
    until("fault", lambda: not agent.status()["connected"])
    centre.publish(devices(0, 1))
    held = agent.held()
    assert held["seq"] == 1
    centre.faults.clear()
    agent.at(2)
    until("well", lambda: not any(f["now"] for f in
                                  agent.status()["faults"]
                                  if f["part"] == "sync"))


def test_stops_in_a_long_poll(centre, place):
    agent = Agent(place, centre, poll_wait="60")
    seeded(centre, agent)
    until("poll", lambda: centre.polls > 0)
    time.sleep(0.3)
    start = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - start < 2 * SLOW


def test_policy_may_be_read_by_a_group(centre, agent):
    seeded(centre, agent)
    directory = agent.held()["dir"]
    assert os.stat(agent.policy).st_mode & 0o7777 == 0o2770
    for name in ("lock.mdb", "data.mdb"):
        mode = os.stat(os.path.join(directory, name)).st_mode
        assert mode & 0o777 == 0o660


# Artifacts

def artifact_policy(*items):
    return {"artifacts": [{"tenant": 1, "sha256": sha, "size": size,
                           "prefetch": wanted}
                          for sha, size, wanted in items]}


def test_fetch_resumes_and_verifies(centre, agent):
    data = os.urandom(3 << 20)
    sha = centre.artifact(data)
    seeded(centre, agent)
    centre.piece, centre.delay, centre.cut_after = 65536, 0.005, 1 << 20
    centre.publish(artifact_policy((sha, len(data), True)))
    path = until("artifact", lambda: agent.stored(sha), 60)
    with open(path, "rb") as f:
        assert hashlib.sha256(f.read()).hexdigest() == sha
    assert [s for p, s in centre.ranges if sha in p and s > 0]
    assert not os.listdir(os.path.join(agent.store, ".part"))
    until("status", lambda: agent.status()["artifacts"]["missing"] == 0)


def test_fetch_wrong_bytes(centre, agent):
    data = os.urandom(200000)
    sha = hashlib.sha256(data).hexdigest()
    bad = bytearray(data)
    bad[1000] ^= 1
    centre.artifacts[sha] = bytes(bad)
    seeded(centre, agent)
    centre.publish(artifact_policy((sha, len(data), True)))
    agent.said("wrong SHA-256")
    assert agent.stored(sha) is None
    centre.artifacts[sha] = data + b"more"
    agent.said("longer than", 40)
    assert agent.stored(sha) is None
    centre.artifacts[sha] = data
    agent.restart()
    until("artifact", lambda: agent.stored(sha), 60)


def test_fetch_killed(centre, agent):
    data = os.urandom(2 << 20)
    sha = centre.artifact(data)
    seeded(centre, agent)
    centre.piece, centre.delay = 16384, 0.01
    centre.publish(artifact_policy((sha, len(data), True)))
    part = os.path.join(agent.store, ".part", b64name(sha))
    for i in range(4):
        until("a part", lambda: os.path.exists(part)
              and os.path.getsize(part) > i * 300000)
        agent.restart()
    centre.delay = 0
    path = until("artifact", lambda: agent.stored(sha), 60)
    with open(path, "rb") as f:
        assert f.read() == data


def test_budget(centre, place):
    agent = Agent(place, centre, disk_budget="1m")
    blobs = [os.urandom(400000) for _ in range(4)]
    shas = [centre.artifact(b) for b in blobs]
    seeded(centre, agent)
    try:
        centre.publish(artifact_policy((shas[0], 400000, True),
                                       (shas[1], 400000, True)))
        until("both", lambda: agent.stored(shas[0])
              and agent.stored(shas[1]))
        os.utime(agent.stored(shas[0]), (1, 1))

        # All that is there is needed: no room, and it says so.
        centre.publish(artifact_policy((shas[2], 400000, True)))
        agent.said("no room for")
        assert agent.stored(shas[2]) is None
        assert agent.stored(shas[0]) and agent.stored(shas[1])
        until("heartbeat", lambda: any(
            "no room" in h.get("error", "") for h in centre.heartbeats), 30)

        # The oldest that is needed no more goes.
        centre.publish(artifact_policy((shas[0], 400000, False)))
        until("third", lambda: agent.stored(shas[2]), 60)
        assert agent.stored(shas[0]) is None and agent.stored(shas[1])
    finally:
        agent.kill()


@pytest.mark.parametrize("limits, load", [
    ({"cap_mbps": "100"}, 10.0),
    ({"cap_mbps": "100", "max_transfers": "50"}, 90.0),
    ({"cap_mbps": "10", "max_transfers": "50"}, 100.0),
    ({"cap_mbps": "0", "max_transfers": "0"}, 0.0),
])
def test_load_is_the_nearer_limit(centre, place, limits, load):
    """45 downloads and 10 Mbit/s are told in percent of what is allowed."""
    class Status(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"transfers": 45, "egress_bps": 1250000})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Status) as nginx:
        thread = threading.Thread(target=nginx.serve_forever)
        thread.start()
        agent = Agent(place, centre, status_url="http://127.0.0.1:%d/"
                      % nginx.server_port, **limits)
        seeded(centre, agent)
        try:
            beat = until("heartbeat", lambda: centre.heartbeats)[-1]
            assert beat["egress_bps"] == 1250000
            assert beat["load"] == load
        finally:
            agent.kill()
            nginx.shutdown()
            thread.join()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_full_disk(centre, place):
    small = os.path.join(place, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs",
                       small], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no mount here")
    agent = Agent(place, centre, policy_dir=os.path.join(small, "policy"),
                  state_dir=os.path.join(small, "state"),
                  store_dir=os.path.join(small, "store"), map_size="64m")
    agent.policy = os.path.join(small, "policy")
    agent.store = os.path.join(small, "store")
    try:
        seeded(centre, agent)
        filler = os.path.join(small, "filler")
        with open(filler, "wb") as f:
            try:
                while True:
                    f.write(b"x" * 65536)
                    f.flush()
            except OSError:
                pass
        data = os.urandom(1 << 20)
        sha = centre.artifact(data)
        batch = devices(0, 900)
        for d in batch["devices"]:
            d["attrs"] = {"a": "v" * 250, "b": "v" * 250}
        batch.update(artifact_policy((sha, len(data), True)))
        last = centre.publish(batch)
        agent.said("no space left for the policy", 40)
        assert agent.held()["seq"] == 1
        assert agent.process.poll() is None
        os.unlink(filler)
        held = until("applied", lambda: (agent.held() or {}).get("seq")
                     == last and agent.held(), 60)
        assert len(held["tables"]["device"]) == 900
        if not agent.stored(sha):
            agent.restart()
        until("artifact", lambda: agent.stored(sha), 60)
    finally:
        agent.kill()
        subprocess.run(["umount", "-l", small])


# Configuration

def conf_error(place, fake, **conf):
    agent = Agent(place, fake)
    agent.conf.update(conf)
    for name in [n for n, v in conf.items() if v is None]:
        del agent.conf[name]
    out = subprocess.run([AGENT, "-t", "-c", agent.write()],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    assert out.returncode == (1 if out.stderr else 0)
    return out.stderr


def test_configuration(place, centre):
    assert conf_error(place, centre) == ""
    assert '"node" is missing' in conf_error(place, centre, node=None)
    error = conf_error(place, centre, colour="red")
    assert 'agent.conf:' in error and 'unknown key "colour"' in error
    assert "https://" in conf_error(place, centre, centre="http://x")
    assert "absolute" in conf_error(place, centre, policy_dir="policy")
    assert "size" in conf_error(place, centre, disk_budget="lots")
    assert "32 bytes" in conf_error(place, centre, sync_key="1:abcd")
    assert "cannot read" in conf_error(place, centre, ca="/nonexistent")
    done = subprocess.run([AGENT, "-t", "-c"], stderr=subprocess.PIPE,
                          text=True)
    assert done.returncode == 2 and '"-c" wants a file' in done.stderr
    key = os.path.join(place, "open.key")
    shutil.copy(os.path.join(centre.pki, "node.key"), key)
    os.chmod(key, 0o644)
    assert "can be read by others" in conf_error(place, centre, key=key)


def test_second_agent(centre, agent):
    seeded(centre, agent)
    out = subprocess.run([AGENT, "-c", agent.write()],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, timeout=20)
    assert out.returncode == 1 and "another agent" in out.stderr


def test_log_is_opened_anew(centre, agent):
    seeded(centre, agent)
    os.rename(agent.log, agent.log + ".1")
    agent.process.send_signal(signal.SIGHUP)
    agent.said("log opened anew")


def test_tells_systemd(centre, agent, place):
    path = os.path.join(place, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(20 * SLOW)
        agent.start(["env", "NOTIFY_SOCKET=" + path,
                     "WATCHDOG_USEC=3000000"])
        assert sock.recv(100) == b"READY=1"
        assert sock.recv(100) == b"WATCHDOG=1"
        assert agent.stop() == 0
        said = sock.recv(100)
        while said == b"WATCHDOG=1":
            said = sock.recv(100)
        assert said == b"STOPPING=1"


def test_previous_generation_stays_for_its_readers(centre, agent):
    seeded(centre, agent)
    first = agent.held()["dir"]
    for epoch in ("00000000000000bb", "00000000000000cc"):
        centre.new_history(epoch)
        centre.publish(TENANT)
        centre.snapshot(TENANT)
        until("epoch " + epoch, lambda: (agent.held() or {}).get("epoch")
              == epoch)

    # Of three the last two are there; a start takes no more away.
    assert sorted(n for n in os.listdir(agent.policy)
                  if n.startswith("gen-")) == ["gen-2", "gen-3"]
    assert first.endswith("gen-1")
    os.mkdir(os.path.join(agent.policy, "gen-4"))       # begun, not finished
    agent.restart()
    until("clean", lambda: sorted(
        n for n in os.listdir(agent.policy) if n.startswith("gen-"))
        == ["gen-2", "gen-3"])
    assert os.readlink(os.path.join(agent.policy, "current")) == "gen-3"


def test_status_for_people(centre, agent):
    seeded(centre, agent)
    until("poll", lambda: centre.polls > 0)
    out = subprocess.run([AGENT, "status", "-c", agent.write()],
                         stdout=subprocess.PIPE, text=True)
    assert out.returncode == 0
    assert "edge-1" in out.stdout and "seq 1" in out.stdout
    agent.stop()
    out = subprocess.run([AGENT, "status", "-c", agent.write()],
                         stderr=subprocess.PIPE, text=True)
    assert out.returncode == 1 and "cannot reach" in out.stderr
