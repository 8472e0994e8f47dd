# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The database away, restarted, migrated; a master key that is wrong."""

import os
import signal
import subprocess
import threading
import time

import pytest

from support.centre import Centre


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("centre"), nginx=False) as c:
        c.api("POST", "/tenants", {"name": "t"})
        c.api("POST", "/products", {"name": "p"}, tenant="t")
        yield c


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_restart_under_load(centre, sig):
    """503 while it is away, then on as before; what was answered 201 stays.
    """
    stop = threading.Event()
    made, codes, errors = [], set(), []

    def work(n):
        i = 0
        while not stop.is_set():
            name = "L-%d-%d-%d" % (sig, n, i)
            i += 1
            try:
                r = centre.request("POST", "/api/v1/devices",
                                   {"id": name, "product": "p"}, tenant="t")
            except OSError as e:
                errors.append(e)
                return
            codes.add(r.status)
            if r.status == 201:
                made.append(name)
            elif r.status == 503:
                assert int(r.headers["Retry-After"]) > 0
                time.sleep(0.05)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    time.sleep(0.7)
    before = len(made)
    centre.db.stop(sig)
    time.sleep(0.5)
    # Accepted during the outage: nothing.
    r = centre.request("GET", "/healthz", token="")
    assert r.status == 503
    centre.db.start()
    deadline = time.monotonic() + 20
    middle = len(made)
    while len(made) < middle + 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    for t in threads:
        t.join()
    assert errors == [] and codes <= {201, 503}, codes
    assert before > 0 and len(made) >= middle + 20
    rows = {r[0] for r in centre.sql("SELECT ext_id FROM device")}
    lost = [n for n in made if n not in rows]
    # flush_log_at_trx_commit=2 of the tests survives a killed process.
    assert lost == []
    assert centre.request("GET", "/healthz", token="").status == 200
    assert centre.api("GET", "/audit/verify")["ok"]


def test_more_requests_than_connections(tmp_path):
    """Who gets no connection in time is told to come again; then all is
    well."""
    codes, wrong = set(), []

    def work(c):
        for _ in range(12):
            r = c.request("GET", "/api/v1/devices?q=id==d*&limit=1000",
                          tenant="t")
            codes.add(r.status)
            if r.status == 503 and int(r.headers["Retry-After"]) <= 0:
                wrong.append(r.headers)
    with Centre(tmp_path, nginx=False, conf={"db_connections": "4",
                                             "db_wait_ms": "10"}) as c:
        c.api("POST", "/tenants", {"name": "t"})
        c.api("POST", "/products", {"name": "p"}, tenant="t")
        c.api("POST", "/devices/bulk", {
            "product": "p", "devices": [{"id": "d%d" % i}
                                        for i in range(2000)]}, tenant="t")
        threads = [threading.Thread(target=work, args=(c,))
                   for _ in range(40)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert codes == {200, 503} and not wrong
        for _ in range(8):
            c.api("GET", "/status")


def test_slow_imports_leave_connections(tmp_path):
    """A client that sends a line an hour keeps a connection; one tenant's
    many such clients do not keep them all."""
    with Centre(tmp_path, nginx=False, conf={"db_connections": "8"}) as c:
        c.api("POST", "/tenants", {"name": "t"})
        c.api("POST", "/groups", {"name": "g"}, tenant="t")
        slow = []
        for _ in range(10):
            conn = c.connection()
            conn.putrequest("PUT", "/api/v1/groups/g/members")
            for name, value in (("Authorization", "Bearer " + c.token),
                                ("X-Fota-Tenant", "t"),
                                ("Content-Type", "text/csv"),
                                ("Content-Length", "8")):
                conn.putheader(name, value)
            conn.endheaders(b"one\n")
            slow.append(conn)
        for _ in range(20):
            c.api("GET", "/groups/g", tenant="t")
        codes = []
        for conn in slow:
            conn.send(b"two\n")
            codes.append(conn.getresponse().status)
            conn.close()
        assert sorted(codes) == [200] * 4 + [503] * 6
        r = c.request("PUT", "/api/v1/groups/g/members", body=b"one\n",
                      headers={"Content-Type": "text/csv"}, tenant="t")
        assert r.status == 200


def test_start_before_the_database(centre):
    centre.stop_admin()
    centre.db.stop()
    centre.start_admin(wait=False)
    time.sleep(1.2)
    assert centre.admin.poll() is None
    centre.db.start()
    centre.wait_admin()
    centre.api("GET", "/status")


def test_many_writers_one_chain(centre):
    """Deadlocks and lock waits are tried again, not shown."""
    centre.api("POST", "/groups", {"name": "g"}, tenant="t")
    codes = []

    def work(n):
        ids = ["W-%d" % ((n * 37 + i) % 200) for i in range(60)]
        for _ in range(4):
            r = centre.request(
                "PUT", "/api/v1/groups/g/members?create=1&product=p",
                body="\n".join(ids).encode(), tenant="t",
                headers={"Content-Type": "text/csv"})
            codes.append(r.status)
            r = centre.request("PATCH", "/api/v1/products/p",
                               {"title": "n%d" % n}, tenant="t")
            codes.append(r.status)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert set(codes) == {200}, codes
    n = centre.api("GET", "/groups/g", tenant="t")["members"]
    assert [[str(n)]] == centre.sql(
        "SELECT COUNT(*) FROM group_member m JOIN device_group g"
        " ON g.id = m.group_id WHERE g.name = 'g'")
    assert centre.api("GET", "/audit/verify")["ok"]


def run(centre, *args):
    return subprocess.run([centre.binary, *args, "-c", centre.conf_file],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)


def test_schema_is_guarded(centre):
    assert "at step" in run(centre, "migrate", "--plan").stdout
    last = centre.sql("SELECT MAX(version) FROM schema_version")[0][0]
    centre.sql("INSERT INTO schema_version VALUES (999,'x',REPEAT('a',32),"
               "0,0)")
    try:
        for args in (("migrate",), ("serve",)):
            done = run(centre, *args)
            assert done.returncode == 1, args
        assert "step 999" in run(centre, "migrate").stderr
    finally:
        centre.sql("DELETE FROM schema_version WHERE version = 999")
    keep = centre.sql("SELECT HEX(sha256) FROM schema_version"
                      " WHERE version = " + last)[0][0]
    centre.sql("UPDATE schema_version SET sha256 = REPEAT('a', 32)"
               " WHERE version = " + last)
    try:
        assert "another text" in run(centre, "migrate").stderr
    finally:
        centre.sql("UPDATE schema_version SET sha256 = UNHEX('%s')"
                   " WHERE version = %s" % (keep, last))
    assert run(centre, "migrate").returncode == 0


def test_migration_may_run_twice(centre):
    """A step that was cut off is applied again over what is there."""
    centre.sql("DELETE FROM schema_version")
    done = run(centre, "migrate")
    assert done.returncode == 0 and "applied 001" in done.stdout
    centre.api("GET", "/products/p", tenant="t")


def test_init_again(centre):
    done = run(centre, "init")
    assert done.returncode == 0 and done.stdout == ""
    done = run(centre, "init", "--new-token")
    token = done.stdout.strip()
    assert token.startswith("fota_pat_")
    assert centre.api("GET", "/whoami", token=token)["platform"]


def test_master_key(centre):
    key = os.path.join(centre.dir, "master.key")
    os.chmod(key, 0o644)
    try:
        done = run(centre, "-t")
        assert done.returncode == 1 and "0600" in done.stderr
    finally:
        os.chmod(key, 0o600)
    assert run(centre, "-t").returncode == 0
    # Another key: secrets stay closed, and no answer shows why.
    keep = open(key).read()
    centre.api("POST", "/tenants/t/device-keys")
    centre.api("POST", "/devices", {"id": "mk", "product": "p"}, tenant="t")
    centre.stop_admin()
    with open(key, "w") as f:
        f.write("0" * 64)
    try:
        centre.start_admin()
        r = centre.request("POST", "/api/v1/devices/mk/token", tenant="t")
        assert r.status == 500 and r.json["code"] == "internal"
    finally:
        with open(key, "w") as f:
            f.write(keep)
        centre.restart_admin()
    centre.api("POST", "/devices/mk/token", tenant="t")


def test_secrets_are_sealed(centre):
    """Nothing of 32 plain bytes: every sealed value has 60."""
    assert centre.sql("SELECT COUNT(*) FROM secret_key WHERE LENGTH(secret)"
                      " <> 60") == [["0"]]
    assert centre.sql("SELECT COUNT(*) FROM node_group WHERE"
                      " LENGTH(wrap_key) <> 60") == [["0"]]
    assert centre.sql("SELECT COUNT(*) FROM tenant WHERE signer_sec IS NOT"
                      " NULL AND LENGTH(signer_sec) <> 60") == [["0"]]
