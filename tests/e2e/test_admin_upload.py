# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Uploads: large ones in little memory, resumed, refused, cleaned."""

import hashlib
import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

from support.centre import ApiError, Centre


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("centre")) as c:
        c.api("POST", "/tenants", {"name": "t"})
        yield c


def begin(centre, data=None, size=None, sha=None):
    return centre.api("POST", "/uploads", {
        "name": "i.bin", "size": size or len(data),
        "sha256": sha or hashlib.sha256(data).hexdigest()}, tenant="t")["id"]


def patch(centre, up, offset, body, tenant="t", **more):
    return centre.request(
        "PATCH", "/api/v1/uploads/" + up, body=body, tenant=tenant, headers={
            "Content-Type": "application/octet-stream",
            "Upload-Offset": str(offset)}, **more)


def begin_patch(centre, up, data, n):
    """The connection of a part of which the centre has n bytes so far."""
    c = centre.connection(unix=True)
    c.putrequest("PATCH", "/api/v1/uploads/" + up)
    for k, v in (("Authorization", "Bearer " + centre.token),
                 ("X-Fota-Tenant", "t"), ("Upload-Offset", "0"),
                 ("Content-Length", str(len(data)))):
        c.putheader(k, v)
    c.endheaders()
    c.send(data[:n])
    time.sleep(0.3)
    return c


def state(centre, up):
    return centre.api("GET", "/uploads/" + up, tenant="t")


def peak_rss(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def test_two_gib_in_little_memory(centre):
    # Sanitizers keep what was freed, up to 256 MiB: less would tell nothing.
    asan = os.environ.get("FOTA_ASAN") == "1"
    limit = (640 if asan else 32) << 20
    size, block = 2 << 30, bytes(4 << 20)
    h = hashlib.sha256()
    for _ in range(size // len(block)):
        h.update(block)
    centre.restart_admin()
    up = begin(centre, size=size, sha=h.hexdigest())
    for part in range(4):
        def body():
            for _ in range(size // 4 // len(block)):
                yield block
        r = centre.request(
            "PATCH", "/api/v1/uploads/" + up, body=body(), tenant="t",
            timeout=300, headers={
                "Content-Type": "application/octet-stream",
                "Content-Length": str(size // 4),
                "Upload-Offset": str(part * size // 4)})
        assert r.status == 200, r.body
    r = centre.api("POST", "/uploads/%s/complete" % up, tenant="t",
                   timeout=300)
    assert r["state"] == "complete"
    path = os.path.join(centre.data, "objects", h.hexdigest())
    assert os.path.getsize(path) == size
    assert peak_rss(centre.admin.pid) < limit
    os.unlink(path)


def test_resume_after_kill(centre):
    """kill -9 in the middle of a part: the upload goes on and is right."""
    data = os.urandom(1 << 20) * 96
    up = begin(centre, data)
    assert patch(centre, up, 0, data[:10 << 20]).status == 200

    sent = threading.Event()

    def slow():
        for i in range(10, 90):
            if i == 80:
                sent.set()
                time.sleep(30)
            yield data[i << 20:(i + 1) << 20]

    def send():
        try:
            centre.request("PATCH", "/api/v1/uploads/" + up, body=slow(),
                           tenant="t", headers={
                               "Content-Length": str(80 << 20),
                               "Content-Type": "application/octet-stream",
                               "Upload-Offset": str(10 << 20)})
        except (OSError, http.client.HTTPException):
            pass
    t = threading.Thread(target=send, daemon=True)
    t.start()
    assert sent.wait(30)
    time.sleep(0.5)
    centre.kill_admin()
    centre.start_admin()
    offset = state(centre, up)["offset"]
    # A checkpoint of 64 MiB was passed on the way.
    assert (10 << 20) + (64 << 20) <= offset <= 90 << 20
    r = patch(centre, up, 0, b"x")
    assert r.status == 409 and r.json["code"] == "offset"
    assert r.headers["Upload-Offset"] == str(offset)
    assert patch(centre, up, offset, data[offset:]).status == 200
    done = centre.api("POST", "/uploads/%s/complete" % up, tenant="t")
    assert done["state"] == "complete"
    name = hashlib.sha256(data).hexdigest()
    with open(os.path.join(centre.data, "objects", name), "rb") as f:
        assert hashlib.file_digest(f, "sha256").hexdigest() == name


def test_stop_lets_a_request_end(centre):
    """SIGTERM in the middle of a part: it is answered, then the end."""
    data = os.urandom(2 << 20)
    up = begin(centre, data)
    c = begin_patch(centre, up, data, 1 << 20)
    centre.admin.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    with pytest.raises(OSError):
        centre.request("GET", "/healthz", unix=True, token="", timeout=2)
    c.send(data[1 << 20:])
    assert c.getresponse().status == 200
    c.close()
    assert centre.stop_admin() == 0
    centre.start_admin()
    assert state(centre, up)["offset"] == len(data)


def test_broken_connection_keeps_what_came(centre):
    data = os.urandom(4 << 20)
    up = begin(centre, data)
    c = begin_patch(centre, up, data, 1 << 20)
    c.close()
    deadline = time.monotonic() + 10
    while state(centre, up)["offset"] < 1 << 20:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert patch(centre, up, 1 << 20, data[1 << 20:]).status == 200
    centre.api("POST", "/uploads/%s/complete" % up, tenant="t")


def test_state_of_the_hash_is_not_needed(centre):
    """Without it the file is read again."""
    data = os.urandom(3 << 20)
    up = begin(centre, data)
    assert patch(centre, up, 0, data[:2 << 20]).status == 200
    centre.sql("UPDATE upload SET hash_state = NULL WHERE id = '%s'" % up)
    assert patch(centre, up, 2 << 20, data[2 << 20:]).status == 200
    centre.sql("UPDATE upload SET hash_state = 'rubbish' WHERE id = '%s'"
               % up)
    done = centre.api("POST", "/uploads/%s/complete" % up, tenant="t")
    assert done["state"] == "complete"


def test_wrong_bytes(centre):
    data = os.urandom(1000)
    up = begin(centre, data)
    assert patch(centre, up, 0, data[:999] + b"?").status == 200
    with pytest.raises(ApiError) as e:
        centre.api("POST", "/uploads/%s/complete" % up, tenant="t")
    assert (e.value.status, e.value.problem["code"]) == (422, "hash")
    assert state(centre, up)["state"] == "failed"
    name = hashlib.sha256(data).hexdigest()
    assert not os.path.exists(os.path.join(centre.data, "objects", name))
    assert not os.path.exists(os.path.join(centre.data, "uploads", up))
    assert patch(centre, up, 1000, b"").status == 409


def test_refusals(centre):
    data = os.urandom(1000)
    up = begin(centre, data)
    r = patch(centre, up, 0, data + b"more")
    assert (r.status, r.json["code"]) == (400, "upload_size")
    r = centre.request("PATCH", "/api/v1/uploads/" + up, body=data,
                       tenant="t")
    assert (r.status, r.json["field"]) == (400, "Upload-Offset")
    with pytest.raises(ApiError) as e:
        centre.api("POST", "/uploads/%s/complete" % up, tenant="t")
    assert e.value.problem["code"] == "upload_incomplete"
    for bad in ({"name": "i", "size": 0, "sha256": "0" * 64},
                {"name": "i", "size": 1 << 60, "sha256": "0" * 64},
                {"name": "i", "size": 1, "sha256": "0" * 63},
                {"name": "", "size": 1, "sha256": "0" * 64}):
        with pytest.raises(ApiError) as e:
            centre.api("POST", "/uploads", bad, tenant="t")
        assert e.value.status == 400 and e.value.problem["field"] in bad
    centre.api("DELETE", "/uploads/" + up, tenant="t")
    assert patch(centre, up, 0, data).status == 404
    assert patch(centre, "../../etc/passwd", 0, data).status == 404
    assert not os.path.exists(os.path.join(centre.data, "uploads", up))


def test_two_writers(centre):
    data = os.urandom(1 << 20)
    up = begin(centre, data)
    c = begin_patch(centre, up, data, 1000)
    r = patch(centre, up, 0, data)
    assert (r.status, r.json["code"]) == (409, "upload_busy")
    c.send(data[1000:])
    assert c.getresponse().status == 200
    c.close()


def test_known_file_is_not_sent_twice(centre):
    """Only when the tenant itself has it: a hash tells nothing of others."""
    data = os.urandom(5000)
    sha = centre.upload(data, tenant="t")
    up = next(u["id"] for u in centre.api("GET", "/uploads",
                                          tenant="t")["items"]
              if u["sha256"] == sha)
    centre.api("POST", "/products", {"name": "p"}, tenant="t")
    centre.api("POST", "/products/p/firmware", {"version": "1"}, tenant="t")
    centre.api("POST", "/products/p/artifacts", {"version": "1",
                                                 "upload": up}, tenant="t")
    r = centre.api("POST", "/uploads", {"name": "n", "size": len(data),
                                        "sha256": sha}, tenant="t")
    assert (r["state"], r["offset"]) == ("complete", len(data))
    centre.api("POST", "/tenants", {"name": "u"})
    r = centre.api("POST", "/uploads", {"name": "n", "size": len(data),
                                        "sha256": sha}, tenant="u")
    assert (r["state"], r["offset"]) == ("open", 0)


def test_crash_between_rename_and_row(centre):
    data = os.urandom(2000)
    sha = hashlib.sha256(data).hexdigest()
    up = begin(centre, data)
    assert patch(centre, up, 0, data).status == 200
    os.rename(os.path.join(centre.data, "uploads", up),
              os.path.join(centre.data, "objects", sha))
    done = centre.api("POST", "/uploads/%s/complete" % up, tenant="t")
    assert done["state"] == "complete"


def test_idle_uploads_are_removed(centre):
    data = os.urandom(2000)
    old = begin(centre, data)
    assert patch(centre, old, 0, data[:1000]).status == 200
    path = os.path.join(centre.data, "uploads", old)
    assert os.path.exists(path)
    centre.sql("UPDATE upload SET touched = 1 WHERE id = '%s'" % old)
    centre.restart_admin()
    begin(centre, data)
    assert not os.path.exists(path)
    r = centre.request("GET", "/api/v1/uploads/" + old, tenant="t")
    assert r.status == 404


@pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")
def test_full_disk(tmp_path):
    """507, nothing half-visible, and it goes on when there is room."""
    mount = tempfile.mkdtemp(prefix="fotafull-", dir="/tmp")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs",
                       mount], stderr=subprocess.DEVNULL).returncode != 0:
        shutil.rmtree(mount)
        pytest.skip("no tmpfs may be mounted here")
    try:
        with Centre(tmp_path / "c", data_dir=mount) as centre:
            centre.api("POST", "/tenants", {"name": "t"})
            data = os.urandom(20 << 20)
            r = centre.request("POST", "/api/v1/uploads", {
                "name": "b", "size": 100 << 20, "sha256": "0" * 64},
                tenant="t")
            assert (r.status, r.json["code"]) == (507, "disk_full")
            up = begin(centre, data)
            filler = os.path.join(mount, "filler")
            with open(filler, "wb") as f:
                f.write(bytes(30 << 20))
            r = patch(centre, up, 0, data)
            assert (r.status, r.json["code"]) == (507, "disk_full"), r.body
            assert os.listdir(os.path.join(mount, "objects")) == []
            offset = state(centre, up)["offset"]
            assert 0 < offset < len(data)
            os.unlink(filler)
            assert patch(centre, up, offset, data[offset:]).status == 200
            centre.api("POST", "/uploads/%s/complete" % up, tenant="t")
    finally:
        subprocess.run(["umount", mount], check=True)
        shutil.rmtree(mount)
