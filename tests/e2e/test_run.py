# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""make run, make stop and make clean-run."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request

import pytest

from support.centre import TOP
from support.demo import Demo
from support.stack_edge import SLOW, wait_for


@pytest.fixture(scope="module")
def demo():
    demo = Demo()
    try:
        yield demo
    finally:
        demo.close()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as r:
        return json.loads(r.read())


def test_start(demo):
    begun = time.monotonic()
    said = demo.start()
    assert time.monotonic() - begun < 60 * SLOW
    assert "cam-0001: 1.0.0 -> 1.1.0 by delta" in said
    assert "cam-0001: 1.1.0 -> 1.2.0 by delta" in said
    assert "signature" in said
    assert "nothing to do: up_to_date" in said


def offered(demo, n, device):
    answer = get(demo.edge(n) + "/fota/v1/check?tenant=demo"
                 "&product=dashcam-x1&version=1.0.0&device=" + device)
    return answer["update"] and answer["target"] == "1.2.0"


def test_edges_answer(demo):
    for n in (1, 2):
        assert offered(demo, n, "cam-0042")


def test_device_is_counted(demo):
    done = demo.shell("fota rollout watch 1 --succeeded 1 --timeout 30 "
                      "--quiet && fota device show cam-0001 --json")
    assert done.returncode == 0, done.stderr
    device = json.loads(done.stdout)
    assert device["version"] == "1.2.0"
    assert "lab" in device["groups"]


def test_five_minutes_of_the_readme(demo):
    """Every line of the tour works as it stands."""
    with open(os.path.join(TOP, "README.md")) as f:
        text = f.read()
    tour = re.search(r"## Five minutes.*?```sh\n(.*?)```", text, re.S)
    lines = [line for line in tour.group(1).splitlines()
             if line and ". .run/env" not in line]
    assert len(lines) >= 6

    for line in lines:
        line = line.replace("http://127.0.0.1:8080", demo.edge(1))
        done = demo.shell(line)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert done.stdout or "curl" not in line, line

    assert demo.shell("fota rollout resume 1").returncode == 0
    for n in (1, 2):
        wait_for("offers again", lambda: offered(demo, n, "cam-0049"))


def test_centre_away(demo):
    """The edge decides and serves on."""
    with open(os.path.join(demo.run, "centre", "fota-admin.pid")) as f:
        pid = int(f.read())
    os.kill(pid, 15)
    wait_for("the end of the centre", lambda: pid not in demo.processes())
    assert offered(demo, 1, "cam-0050")
    done = demo.shell("fota device simulate --id cam-0050 --version 1.0.0")
    assert done.returncode == 0, done.stderr


def test_again(demo):
    """On data that is there, after a part of it has died."""
    said = demo.start()
    assert "cam-0002: 1.1.0 -> 1.2.0 by delta" in said
    assert "UPLOAD" not in said


def admin(demo, *args):
    return demo.shell("fota-admin %s -c '%s/centre/fota-admin.conf'"
                      % (" ".join(args), demo.run))


def test_sync_key_rotation(demo):
    """As docs/operations.md says; run.sh gives agents every key there is."""
    assert admin(demo, "sync-key", "--activate").returncode == 1
    made = admin(demo, "sync-key", "--next")
    assert made.returncode == 0
    assert [k.split()[0] for k in made.stdout.splitlines()] == ["1", "2"]
    assert admin(demo, "sync-key", "--next").returncode == 1

    demo.stop()
    demo.start()
    assert admin(demo, "sync-key", "--activate").returncode == 0
    time.sleep(6)

    assert demo.shell("fota rollout pause 1").returncode == 0
    for n in (1, 2):
        wait_for("the pause", lambda: not offered(demo, n, "cam-0060"))
    assert demo.shell("fota rollout resume 1").returncode == 0
    for n in (1, 2):
        wait_for("the rollout", lambda: offered(demo, n, "cam-0060"))


def database(demo, text):
    socket = os.path.join(demo.run, "sock", "db.sock")
    done = subprocess.run(
        ["mariadb", "--no-defaults", "--socket=" + socket, "--user=root",
         "fota", "--batch", "--skip-column-names", "-e", text],
        stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def test_restore_begins_a_new_epoch(demo):
    """An older state of the centre, as docs/operations.md says: edges load
    it as a snapshot, though they had got further."""
    tables = database(demo, "SHOW TABLES").split()
    for t in tables:
        database(demo, "CREATE TABLE kept_%s AS SELECT * FROM %s" % (t, t))
    before = get(demo.edge(1) + "/fota/status")["policy"]

    assert demo.shell("fota rollout stop 1").returncode == 0
    for n in (1, 2):
        wait_for("the end", lambda: not offered(demo, n, "cam-0061"))

    with open(os.path.join(demo.run, "centre", "fota-admin.pid")) as f:
        pid = int(f.read())
    os.kill(pid, 15)
    wait_for("the end of the centre", lambda: pid not in demo.processes())

    for t in tables:
        database(demo, "DELETE FROM %s; INSERT INTO %s SELECT * FROM kept_%s;"
                 " DROP TABLE kept_%s" % (t, t, t, t))
    database(demo, "DELETE FROM feed; DELETE FROM change_log")
    assert admin(demo, "init").returncode == 0
    demo.start()

    for n in (1, 2):
        wait_for("the restored state", lambda: offered(demo, n, "cam-0061"),
                 timeout=60)
    after = get(demo.edge(1) + "/fota/status")["policy"]
    assert after["epoch"] != before["epoch"]
    assert demo.shell("fota rollout pause 1").returncode == 0
    wait_for("a change", lambda: not offered(demo, 1, "cam-0061"))
    assert demo.shell("fota rollout resume 1").returncode == 0


def test_stop(demo):
    running = demo.processes()
    assert any("mariadbd" in c for c in running.values())
    assert any("fota-agent" in c for c in running.values())
    demo.stop()
    assert demo.processes() == {}
    assert demo.command("status") == ""
    demo.stop()


def kill_masters(demo):
    """kill -9 of each nginx's master, whose workers live on."""
    for name in ("tokyo-1", "osaka-1", "centre"):
        with open(os.path.join(demo.run, name, "nginx.pid")) as f:
            os.kill(int(f.read()), signal.SIGKILL)


def test_what_a_killed_master_leaves(demo):
    """Its workers, with their ports, are no obstacle and do not stay."""
    demo.start()
    kill_masters(demo)
    said = demo.start()
    assert "nothing to do: up_to_date" in said
    kill_masters(demo)
    demo.stop()
    assert demo.processes() == {}


def test_port_in_use(demo):
    import socket
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", demo.ports["EDGE2"]))
    s.listen()
    try:
        said = demo.command("start", check=False)
        assert "port %d is in use" % demo.ports["EDGE2"] in said
        assert demo.processes() == {}
    finally:
        s.close()


def test_clean(demo):
    demo.command("clean")
    assert not os.path.exists(demo.run)
