# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Reload, binary upgrade, killed workers, life without a master."""

import os
import re
import signal
import subprocess
import threading
import time

import pytest

from support.edge import (ASAN, Edge, alive, artifact, certificates,
                          policy, wait_for)

BIG = artifact(8 << 20, to="1.1.0")
SLOWLY = "limit_rate 3m; sendfile_max_chunk 128k;"


def spec(**more):
    return policy(artifacts=[BIG], **more)


class Downloads:
    """Some downloads under way, each over a connection of its own."""

    def __init__(self, edge, n=4):
        self.good = []
        path = edge.path(BIG)

        def run():
            r = edge.get(path)
            self.good.append(r.status == 200 and r.body == BIG["data"])

        self.threads = [threading.Thread(target=run) for _ in range(n)]
        for t in self.threads:
            t.start()
        wait_for("downloads", lambda: edge.status()["transfers"] >= n)

    def join(self):
        for t in self.threads:
            t.join()
        return self.good == [True] * len(self.threads)


class Checks:
    """Checks all the time: whatever happens, none may fail."""

    def __init__(self, edge):
        self.bad, self.n, self.end = [], 0, False

        def run():
            while not self.end:
                try:
                    r = edge.check()
                    if r.status != 200:
                        self.bad.append(r)
                except OSError as e:
                    self.bad.append(e)
                self.n += 1

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def stop(self):
        self.end = True
        self.thread.join()
        assert self.n > 0 and self.bad == [], self.bad[:3]


def test_reload_under_downloads_loses_nothing():
    with Edge(spec(), workers=2, server=SLOWLY) as e:
        d = Downloads(e)
        c = Checks(e)
        before = e.metrics()["fota_tokens_minted_total"]
        for _ in range(3):
            e.reload()
            time.sleep(0.2)
        assert d.join()
        c.stop()
        # Counters outlive a reload.
        assert e.metrics()["fota_tokens_minted_total"] > before
        wait_for("old workers to end", lambda: len(e.worker_pids()) == 2)
        assert e.status()["transfers"] == 0


def test_reload_takes_new_settings():
    with Edge(spec(), workers=1) as e:
        e.extra = ("fota_lua %s/hook.lua;" % e.dir, "", "")
        with open(os.path.join(e.dir, "hook.lua"), "w") as f:
            f.write("return function(c) return {fields = {n = 2}} end")
        e.write_conf()
        e.reload()
        wait_for("hook", lambda: e.check().json.get("hook"))
        # A script that is wrong is not taken.
        with open(os.path.join(e.dir, "hook.lua"), "w") as f:
            f.write("return function(")
        e.allowed.append(r"hook\.lua:1:")
        e.signal(signal.SIGHUP)
        wait_for("refusal", lambda: "hook.lua:1:" in e.log())
        assert e.check().json["hook"] == {"n": "2"}


def test_binary_upgrade_under_downloads():
    with Edge(spec(), workers=2, server=SLOWLY, daemon=True) as e:
        d = Downloads(e)
        c = Checks(e)
        old = e.pid
        e.signal(signal.SIGUSR2)
        wait_for("new master", lambda: e.pid_in_file() not in (0, old))
        e.adopt()
        wait_for("new workers", lambda: len(e.worker_pids()) == 2)
        os.kill(old, signal.SIGWINCH)
        time.sleep(0.3)
        os.kill(old, signal.SIGQUIT)
        assert d.join()
        wait_for("old master to end", lambda: not alive(old))
        c.stop()
        assert e.check().status == 200
        assert e.report().status == 202


def readers(e):
    path = os.path.join(e.db, os.readlink(os.path.join(e.db, "current")))
    out = subprocess.run(["mdb_stat", "-r", path], capture_output=True,
                         text=True).stdout
    return {int(p) for p in re.findall(r"^\s+(\d+)\s+\w+\s+[-\d]+$", out,
                                       re.M)}


@pytest.mark.parametrize("round", range(3))
def test_killed_worker_leaves_no_reader_and_no_count(round):
    with Edge(spec(), workers=2, server=SLOWLY) as e:
        e.allowed.append("exited on signal 9")
        path = e.path(BIG)
        stop = []

        def run():
            while not stop:
                try:
                    e.check()
                    e.get(path, {"Range": "bytes=0-99999"})
                except OSError:
                    pass
                except Exception:       # half an answer
                    pass

        ts = [threading.Thread(target=run) for _ in range(4)]
        for t in ts:
            t.start()
        old = e.worker_pids()
        for pid in old:
            time.sleep(0.1)
            os.kill(pid, signal.SIGKILL)
        wait_for("workers", lambda: len(e.worker_pids()) == 2
                 and not set(e.worker_pids()) & set(old))
        wait_for("answer", lambda: e.check().status == 200)
        stop.append(1)
        for t in ts:
            t.join()
        # A writer clears what the dead have left.
        e.patch({"devices": [{"tenant": 1, "id": "x", "test": True}]})
        assert not readers(e) & set(old)
        wait_for("count", lambda: e.status()["transfers"] == 0)


def test_without_a_master():
    """For debugging; nginx itself cannot reload then."""
    with Edge(spec(), main="master_process off;") as e:
        assert e.check().json["update"]
        assert e.report().status == 202
        d = e.get(e.path(BIG))
        assert d.status == 200 and d.body == BIG["data"]
        assert e.status()["transfers"] == 0


def test_a_worker_that_may_not_lock_the_database():
    if os.getuid() != 0:
        pytest.skip("needs workers of another user")
    e = Edge(spec(), start=False)
    try:
        text = open(e.conf).read().replace("user root;",
                                           "user nobody nogroup;")
        with open(e.conf, "w") as f:
            f.write(text)
        for d in (e.spool,):
            os.chmod(d, 0o777)
        gen = os.path.join(e.db, os.readlink(os.path.join(e.db, "current")))
        os.chmod(e.db, 0o755)
        os.chmod(gen, 0o755)
        os.chmod(os.path.join(gen, "data.mdb"), 0o644)
        os.chmod(os.path.join(gen, "lock.mdb"), 0o644)
        e.start()
        r = e.check()
        assert r.status == 503
        os.chmod(os.path.join(gen, "lock.mdb"), 0o666)
        wait_for("policy", lambda: e.check().status == 200)
    finally:
        e.stop()


def test_no_memory_grows_with_requests():
    if ASAN:
        pytest.skip("a sanitizer keeps what was freed")
    with Edge(spec()) as e:
        pid, = e.worker_pids()

        def rss():
            with open("/proc/%d/statm" % pid) as f:
                return int(f.read().split()[1]) * 4096

        def load(n):
            c = e.connect()
            for i in range(n):
                c.request("GET", "/fota/v1/check?tenant=acme&product=cam"
                                 "&device=d%d&version=1.0.0" % i)
                r = c.getresponse()
                assert r.status == 200
                r.read()
            c.close()

        load(2000)
        before = rss()
        load(6000)
        assert rss() - before < 1 << 20


def curl(*args):
    r = subprocess.run(["curl", "-sk", "--max-time", "20", *args],
                       capture_output=True)
    return r.returncode, r.stdout


def test_http2(tmp_path):
    """Streams end, wait for the disk and are cut one by one."""
    tls = certificates(str(tmp_path))
    spec = policy(artifacts=[BIG], rollouts=[
        {"id": 7, "target": "1.1.0"}, {"id": 8, "target": "1.1.0"}])
    e = Edge(spec, tls=tls, start=False, server=SLOWLY)
    text = open(e.conf).read().replace(" ssl;", " ssl http2;")
    with open(e.conf, "w") as f:
        f.write(text)
    e.start()
    with e:
        base = "https://127.0.0.1:%d" % e.tls_port
        body = '{"tenant":"acme","product":"cam","device":"d",%s}'
        code, out = curl("--http2", "-d", body % '"version":"1.0.0"',
                         "-w", "%{http_version}", base + "/fota/v1/check")
        assert code == 0 and out.endswith(b"2") and b'"update":true' in out
        code, out = curl("--http2", "-w", " %{http_code}", "-d",
                         body % '"rollout":7,"state":"succeeded"',
                         base + "/fota/v1/report")
        assert code == 0 and out.endswith(b" 202"), out
        code, out = curl("--http2", base + e.path(BIG))
        assert code == 0 and out == BIG["data"]

        got = {}

        def run(rollout):
            got[rollout] = curl("--http2", base
                                + e.path(BIG, deployment=rollout))

        ts = [threading.Thread(target=run, args=(r,)) for r in (7, 8)]
        for t in ts:
            t.start()
        wait_for("downloads", lambda: e.status()["transfers"] == 2)
        e.patch({"deny": [{"kind": "deployment", "id": 7, "cut": True,
                           "not_before": 4000000000}]})
        for t in ts:
            t.join()
        assert got[7][0] != 0 and len(got[7][1]) < len(BIG["data"])
        assert got[8] == (0, BIG["data"])

        # A client that goes away while its report waits.
        for i in range(20):
            p = subprocess.Popen(
                ["curl", "-sk", "--http2", "-d", body
                 % ('"rollout":8,"state":"failed","seq":%d' % i),
                 base + "/fota/v1/report"], stdout=subprocess.DEVNULL)
            time.sleep(0.01 + i / 1000)
            p.kill()
            p.wait()
        assert e.report(seq=99).status == 202


def test_metrics_are_well_formed():
    with Edge(spec()) as e:
        e.check()
        e.report()
        text = e.get("/metrics").body.decode()
        seen, kind = set(), {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, what = line.split()[2:]
                assert name not in kind, name
                kind[name] = what
            elif not line.startswith("#"):
                m = re.match(r'([a-z_]+)(\{[a-z_]+="[^"]*"'
                             r'(,[a-z_]+="[^"]*")*\})? [-+0-9.e]+$', line)
                assert m, line
                name = re.sub("_(bucket|sum|count)$", "", m.group(1))
                assert name in kind or m.group(1) in kind, line
                assert line.rsplit(" ", 1)[0] not in seen, line
                seen.add(line.rsplit(" ", 1)[0])
        for name in ("fota_checks_total", "fota_check_duration_seconds",
                     "fota_tokens_total", "fota_download_bytes_total",
                     "fota_ranges_total", "fota_policy_seq",
                     "fota_policy_lag_seconds", "fota_lmdb_used_bytes",
                     "fota_lmdb_free_pages", "fota_lmdb_readers",
                     "fota_spool_bytes", "fota_spool_records",
                     "fota_spool_oldest_seconds", "fota_geo_lookups_total",
                     "fota_node_headroom", "fota_lua_errors_total",
                     "fota_ktls"):
            assert name in kind, name
