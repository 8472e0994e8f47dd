# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Reports: 202 means durable, a full spool refuses instead of losing."""

import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from support.edge import Edge, policy, spool_records, wait_for


@pytest.fixture
def edge():
    with Edge(policy()) as e:
        yield e


def reports(edge):
    return [r for r in spool_records(edge.spool) if r[2]["t"] == "report"]


def test_what_is_kept(edge):
    r = edge.report(
        device="d-1", rollout=7, attempt=2, seq=9, state="failed",
        progress=40, version="1.0.0", artifact="ab" * 32, delta=True,
        node="tokyo", bytes=123, ms=456,
        error={"code": "E_FLASH", "text": 'bad "block"'})
    assert r.status == 202, r
    assert r.headers["Cache-Control"] == "no-store"
    (seq, rid, payload), = reports(edge)
    assert r.json == {"id": rid, "seq": seq}
    assert payload == {
        "t": "report", "tenant": 1, "device": "d-1", "product": "cam",
        "node": 1, "rollout": 7, "attempt": 2, "seq": 9, "state": "failed",
        "progress": 40, "version": "1.0.0", "artifact": "ab" * 32,
        "delta": True, "served_by": "tokyo", "bytes": 123, "ms": 456,
        "error": {"code": "E_FLASH", "text": 'bad "block"'}}


def test_a_retry_has_the_same_id_at_every_edge(edge):
    ids = {edge.report(seq=4).json["id"] for _ in range(3)}
    with Edge(policy()) as other:
        ids.add(other.report(seq=4).json["id"])
    assert len(ids) == 1
    assert edge.report(seq=5).json["id"] not in ids


@pytest.mark.parametrize("more,name", [
    ({"rollout": 0}, "rollout"), ({"state": "great"}, "state"),
    ({"progress": 101}, "progress"), ({"artifact": "xyz"}, "artifact"),
    ({"device": ""}, "device"), ({"seq": -1}, "seq"),
    ({"error": {"code": "x" * 65}}, "error.code"),
])
def test_a_bad_field_is_named(edge, more, name):
    r = edge.report(**more)
    assert r.status == 400, r
    assert r.json["field"] == name
    assert reports(edge) == []


def test_unknown(edge):
    assert edge.report(tenant="x").json["code"] == "unknown_tenant"
    assert edge.report(product="x").json["code"] == "unknown_product"


def load(edge, n, threads=8, ok=None, begin=0):
    """Reports from several clients: seq of each that got its 202."""
    acked, lock = [], threading.Lock()

    def run(part):
        c = edge.connect()
        for i in range(begin + part, begin + n, threads):
            body = json.dumps({
                "tenant": "acme", "product": "cam", "device": "d-%d" % i,
                "rollout": 7, "state": "downloading", "seq": i})
            try:
                c.request("POST", "/fota/v1/report", body)
                r = c.getresponse()
                answer = json.loads(r.read())
            except (OSError, ValueError, http.client.HTTPException):
                return
            if r.status == 202:
                with lock:
                    acked.append((i, answer["id"]))

    ts = [threading.Thread(target=run, args=(p,)) for p in range(threads)]
    for t in ts:
        t.start()
    return ts, acked


def held(edge):
    """seq and id of every report in the spool; segments are whole."""
    return {(r[2]["seq"], r[1]) for r in reports(edge)}


def test_group_commit(edge):
    ts, acked = load(edge, 400)
    for t in ts:
        t.join()
    assert len(acked) == 400
    assert held(edge) == set(acked)
    commits = edge.metrics()["fota_spool_commits_total"]
    assert commits < 200
    seqs = [r[0] for r in spool_records(edge.spool)]
    assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize("round", range(3))
def test_killed_right_after_202(round):
    with Edge(policy(), workers=2) as e:
        e.allowed.append("exited on signal 9")
        ts, acked = load(e, 3000)
        wait_for("some", lambda: len(acked) > 100 + 50 * round)
        for pid in e.worker_pids():
            os.kill(pid, signal.SIGKILL)
        for t in ts:
            t.join()
        assert set(acked) <= held(e)
        # The master has made new workers, which write segments of their own.
        wait_for("worker", lambda: e.report(seq=77777).status == 202)
        assert set(acked) <= held(e)


def test_master_killed_too():
    e = Edge(policy())
    try:
        ts, acked = load(e, 2000)
        wait_for("some", lambda: len(acked) > 100)
        pids = e.worker_pids()
        e.process.kill()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for t in ts:
            t.join()
        assert set(acked) <= held(e)
        os.remove(e.pid_file)
        e.process.wait()
        e.start()
        assert e.report(seq=77777).status == 202
        assert set(acked) <= held(e)
    finally:
        e.allowed.append("exited on signal")
        e.stop()


def test_the_writer_holds_its_segment(edge):
    """An uploader may take a segment away when its lock is free."""
    edge.report()
    name, = os.listdir(edge.spool)
    path = os.path.join(edge.spool, name)
    with open(path, "rb") as f:
        with pytest.raises(BlockingIOError):
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        edge.allowed.append("exited on signal 9")
        os.kill(edge.worker_pids()[0], signal.SIGKILL)

        def free():
            try:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                return False

        wait_for("free lock", free)


def test_a_fast_stop_keeps_what_waits(edge):
    for i in range(5):
        edge.check(device="d-%d" % i)
    edge.report()
    edge.process.send_signal(signal.SIGQUIT)
    edge.process.wait(15)
    assert len(reports(edge)) == 1


def test_an_answer_that_waits_for_its_reader_is_not_the_last():
    """Refused at once, while the answers before it fill the socket."""
    n = 400
    bad = (b"POST /fota/v1/report HTTP/1.1\r\nHost: edge\r\n"
           b"Content-Length: 1\r\n\r\n{")
    with Edge(policy(), listen=" sndbuf=4k") as e, socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(20)
        s.connect(("127.0.0.1", e.port))
        sender = threading.Thread(target=s.sendall, args=(bad * n,))
        sender.start()
        time.sleep(1)
        got = b""
        while got.count(b"HTTP/1.1 400 ") < n:
            more = s.recv(65536)
            assert more, got.count(b"HTTP/1.1 400 ")
            got += more
        sender.join()


def test_memory_acknowledges_before_the_disk():
    with Edge(policy(), spool="ack=memory commit=10ms") as e:
        r = e.report(seq=3)
        assert r.status == 202 and r.json["seq"] == 0
        got = wait_for("record", lambda: reports(e))
        assert got[0][1] == r.json["id"]


def filler(directory, n, number=1):
    """Somebody else's segment of n bytes, as an absent agent leaves them."""
    name = "%016x-%04x-%016x.seg" % (1, 99, number)
    path = os.path.join(directory, name)
    with open(path, "wb") as f:
        f.truncate(n)
    return path


def level(edge, low, high):
    return wait_for("level", lambda: low <= edge.status()["spool"]
                    ["level_percent"] <= high)


def test_backpressure():
    size = 4 << 20
    with Edge(policy(), spool="size=4m") as e:
        progress = dict(state="downloading")
        assert e.report(**progress).status == 202

        name = filler(e.spool, size * 88 // 100)
        level(e, 85, 97)
        r = e.report(seq=2, **progress)
        assert r.status == 429 and r.json["code"] == "spool_busy"
        assert 15 <= int(r.headers["Retry-After"]) < 45
        for state in ("succeeded", "failed", "rejected"):
            assert e.report(seq=3, state=state).status == 202
        assert e.get("/readyz").status == 200

        os.truncate(name, size * 99 // 100)
        level(e, 98, 100)
        r = e.report(seq=4)
        assert r.status == 503 and r.json["code"] == "spool_full"
        assert int(r.headers["Retry-After"]) > 0
        assert e.get("/readyz").status == 503
        assert e.check().status == 200

        os.remove(name)
        level(e, 0, 10)
        assert e.report(seq=5, **progress).status == 202
        assert len(reports(e)) == 5
        m = e.metrics()
        assert m['fota_reports_total{result="busy"}'] == 1
        assert m['fota_reports_total{result="full"}'] == 1


def test_progress_is_merged_when_it_gets_tight():
    with Edge(policy(), spool="size=4m commit=300ms") as e:
        filler(e.spool, (4 << 20) * 75 // 100)
        level(e, 70, 84)
        got = []

        def run(i):
            got.append(e.report(state="downloading", seq=i, progress=i))

        ts = []
        for i in range(6):
            ts.append(threading.Thread(target=run, args=(i,)))
            ts[-1].start()
            time.sleep(0.02)
        for t in ts:
            t.join()
        assert [r.status for r in got] == [202] * 6
        kept = reports(e)
        assert len(kept) < 6
        assert kept[-1][2]["progress"] == 5
        assert {r.json["seq"] for r in got} <= {r[0] for r in kept}
        assert e.metrics()['fota_reports_total{result="merged"}'] > 0


@pytest.fixture
def small(tmp_path):
    """A file system of 1 MiB."""
    where = str(tmp_path / "small")
    os.mkdir(where)
    if (os.getuid() != 0
            or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m",
                               "none", where], capture_output=True)
            .returncode != 0):
        pytest.skip("needs to mount")
    yield where
    subprocess.run(["umount", "-l", where], check=False)


def test_a_full_disk_refuses_and_recovers(small):
    with Edge(policy(), spool_dir=small) as e:
        e.allowed.append("No space left|records were not kept")
        worker = e.worker_pids()
        assert e.report(seq=1).status == 202
        blob = os.path.join(small, "blob")
        with open(blob, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
        acked = 1
        for i in range(2, 60):
            r = e.report(seq=i, state="failed",
                         error={"code": "x", "text": "y" * 500})
            assert r.status in (202, 503), r
            acked += r.status == 202
            if r.status == 503:
                assert int(r.headers["Retry-After"]) > 0
        assert r.status == 503
        assert e.check().status == 200
        assert len(reports(e)) >= acked
        os.remove(blob)
        wait_for("recovery", lambda: e.report(seq=99).status == 202)
        assert e.worker_pids() == worker
        assert any(p["seq"] == 99 for _, _, p in reports(e))


def test_a_removed_spool_acknowledges_nothing(tmp_path):
    where = str(tmp_path / "spool")
    os.mkdir(where)
    with Edge(policy(), spool_dir=where) as e:
        e.allowed.append("No such file|were not kept")
        assert e.report(seq=1).status == 202
        mode = os.stat(where)
        shutil.rmtree(where)
        assert e.report(seq=2).status == 503
        os.mkdir(where)
        os.chown(where, mode.st_uid, mode.st_gid)
        os.chmod(where, mode.st_mode & 0o7777)
        wait_for("recovery", lambda: e.report(seq=3).status == 202)
        assert [p["seq"] for _, _, p in reports(e)] == [3]


def test_failures_trip_a_rollout_that_is_cut_off():
    """Without the centre nobody else would stop it."""
    rollouts = [{"id": 7, "target": "1.1.0", "error_permille": 200,
                 "error_min": 5}]
    spec = policy(rollouts=rollouts)
    spec["fresh"] = int(time.time()) - 3600
    with Edge(spec, workers=2) as e:
        assert e.check().json["update"]
        for i in range(3):
            for _ in range(3):
                # Asked again, a device still counts once.
                e.report(device="bad-%d" % i, state="failed")
        e.report(device="good", state="succeeded")
        assert e.check().json["update"]
        e.report(device="bad-4", state="failed")
        assert not e.check().json["update"]
