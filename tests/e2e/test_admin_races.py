# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Two at once: one wins, the other hears so, nothing is lost or doubled."""

import hashlib
import os
import threading

import pytest

from support.centre import Centre

KIND = "application/octet-stream"


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("centre"), nginx=False) as c:
        c.api("POST", "/tenants", {"name": "t"})
        c.api("POST", "/products", {"name": "p"}, tenant="t")
        c.api("POST", "/products/p/firmware", {"version": "1.0"}, tenant="t")
        c.api("POST", "/devices", {"id": "d", "product": "p"}, tenant="t")
        c.api("POST", "/nodes", {"name": "n", "url": "https://n"})
        yield c


def at_once(calls):
    """The results of calls that begin at the same moment."""
    gate, out = threading.Barrier(len(calls)), [None] * len(calls)

    def one(i):
        gate.wait()
        out[i] = calls[i]()
    threads = [threading.Thread(target=one, args=(i,))
               for i in range(len(calls))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return out


def race(centre, method, path, json=None, n=6):
    return sorted(r.status for r in at_once([
        lambda: centre.request(method, "/api/v1" + path, json, tenant="t")
    ] * n))


ONCE = [
    ("POST", "/products", {"name": "r%d"}, 201, 409),
    ("POST", "/groups", {"name": "r%d"}, 201, 409),
    ("POST", "/products/r%d/firmware", {"version": "2.0"}, 201, 409),
    ("POST", "/devices", {"id": "r%d", "product": "p"}, 201, 409),
    ("POST", "/nodes", {"name": "r%d", "url": "https://r"}, 201, 409),
    ("POST", "/node-groups", {"name": "r%d", "id": "%d"}, 201, 409),
    ("POST", "/tenants", {"name": "r%d"}, 201, 409),
    ("POST", "/keys/download/1/next", None, 201, 409),
    ("POST", "/keys/download/1/activate", None, 200, 409),
    ("POST", "/rollouts/{rollout}/start", None, 200, 409),
    ("POST", "/rollouts/{rollout}/pause", None, 200, 409),
    ("POST", "/rollouts/{rollout}/resume", None, 200, 409),
    ("POST", "/rollouts/{rollout}/stop", None, 200, 409),
    ("DELETE", "/rollouts/{rollout}", None, 204, 404),
    ("DELETE", "/devices/r%d", None, 204, 404),
    ("DELETE", "/groups/r%d", None, 204, 404),
    ("DELETE", "/nodes/r%d", None, 204, 404),
    ("DELETE", "/products/r%d/firmware/2.0", None, 204, 404),
    ("DELETE", "/products/r%d", None, 204, 404),
]


def numbered(value, i):
    if isinstance(value, dict):
        return {k: numbered(v, i) for k, v in value.items()}
    if value == "%d":
        return 10 + i
    return value.replace("%d", str(i)) if value else value


def test_one_of_many_does_it(centre):
    wrong = []
    for i in range(3):
        roll = centre.api("POST", "/rollouts", {
            "product": "p", "name": "r", "target": "1.0"}, tenant="t")["id"]
        for method, path, body, done, late in ONCE:
            path = numbered(path, i).replace("{rollout}", str(roll))
            got = race(centre, method, path, numbered(body, i))
            if got != sorted([done] + [late] * 5):
                wrong.append((method, path, got))
    assert wrong == []


def test_keys_made_at_once(centre):
    """Each gets a number of its own."""
    for path in ("/operator-keys", "/tenants/t/device-keys"):
        made = at_once([lambda: centre.request("POST", "/api/v1" + path)] * 4)
        assert [r.status for r in made] == [201] * 4, path
        kids = [r.json["kid"] for r in made]
        assert len(set(kids)) == 4, kids
    made = at_once([lambda: centre.api("PUT", "/tenants/t/signer",
                                       {"mode": "centre"})] * 4)
    assert len({s["kid"] for s in made}) == 4
    assert len({s["public_key"] for s in made}) == 4


PAIRS = [
    ("/products/p", {"title": "t%d"}, {"poll_s": "%d"}),
    ("/products/p/firmware/1.0", {"notes": "t%d"}, {"release_order": "%d"}),
    ("/tenants/t", {"title": "t%d"}, {"approve_above": "%d"}),
    ("/nodes/n", {"site": "t%d"}, {"weight": "%d"}),
    ("/devices/d", {"pin": "1.%d"}, {"attributes": {"a": "t%d"}}),
]


def test_no_update_is_lost(centre):
    """Two members of one object, each set by another writer."""
    lost = []
    for path, a, b in PAIRS:
        for i in range(12):
            a1, b1 = numbered(a, i), numbered(b, i)
            at_once([lambda v=v: centre.api("PATCH", path, v, tenant="t")
                     for v in (a1, b1)])
            now = centre.api("GET", path, tenant="t")
            for k, v in list(a1.items()) + list(b1.items()):
                if now[k] != v:
                    lost.append((path, k, v, now[k]))
    assert lost == []


def test_members_are_counted_once(centre):
    for i in range(4):
        group = "/groups/m%d" % i
        centre.api("POST", "/groups", {"name": "m%d" % i}, tenant="t")
        at_once([lambda: centre.api("POST", group + "/members",
                                    {"add": ["d"]}, tenant="t")] * 5)
        assert centre.api("GET", group, tenant="t")["members"] == 1
        at_once([lambda: centre.api("POST", group + "/members",
                                    {"remove": ["d"]}, tenant="t")] * 5)
        assert centre.api("GET", group, tenant="t")["members"] == 0


def test_nothing_is_made_under_what_goes(centre):
    """A product goes while a version of it, a device, a rollout comes."""
    for i in range(8):
        centre.api("POST", "/products", {"name": "gone"}, tenant="t")
        at_once([
            lambda: centre.request("DELETE", "/api/v1/products/gone",
                                   tenant="t"),
            lambda: centre.request("POST", "/api/v1/products/gone/firmware",
                                   {"version": "1.0"}, tenant="t"),
            lambda: centre.request("POST", "/api/v1/devices",
                                   {"id": "g%d" % i, "product": "gone"},
                                   tenant="t")])
        for table in ("firmware", "device"):
            left = centre.sql("SELECT COUNT(*) FROM %s x LEFT JOIN product p"
                              " ON p.id = x.product_id WHERE p.id IS NULL"
                              % table)
            assert left[0][0] == "0", table
        centre.request("DELETE", "/api/v1/products/gone/firmware/1.0",
                       tenant="t")
        centre.request("DELETE", "/api/v1/devices/g%d" % i, tenant="t")
        centre.request("DELETE", "/api/v1/products/gone", tenant="t")


# Uploads


def begin(centre, data):
    return centre.api("POST", "/uploads", {
        "name": "i", "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest()}, tenant="t")["id"]


def patch(centre, up, offset, data):
    return centre.request("PATCH", "/api/v1/uploads/" + up, body=data,
                          headers={"Upload-Offset": str(offset),
                                   "Content-Type": KIND}, tenant="t")


def stored(centre, data):
    name = hashlib.sha256(data).hexdigest()
    path = os.path.join(centre.data, "objects", name)
    if not os.path.exists(path):
        return None
    with open(path, "rb") as f:
        return f.read()


def test_writers_at_one_offset(centre):
    """What was acknowledged stays; no object has other bytes than its
    name, which would be those of every tenant that has the file."""
    for i in range(40):
        data = os.urandom(3000)
        up = begin(centre, data)
        bad = os.urandom(3000)
        got = at_once([lambda d=d: patch(centre, up, 0, d)
                       for d in (data, bad, data, bad[:10])])
        assert {r.status for r in got} <= {200, 409}, got
        done = [r for r in got if r.status == 200]
        assert len(done) == 1
        size = os.path.getsize(os.path.join(centre.data, "uploads", up))
        assert size == done[0].json["offset"], i
        r = centre.request("POST", "/api/v1/uploads/%s/complete" % up,
                           tenant="t")
        assert r.status in (200, 409, 422), r.body
        assert stored(centre, data) == (data if r.status == 200 else None)
        assert stored(centre, bad) is None


def test_completed_by_many(centre):
    for i in range(10):
        data = os.urandom(2000)
        up = begin(centre, data)
        assert patch(centre, up, 0, data).status == 200
        got = race(centre, "POST", "/uploads/%s/complete" % up)
        assert got[0] == 200 and set(got) <= {200, 409}, got
        assert stored(centre, data) == data
        assert not os.path.exists(os.path.join(centre.data, "uploads", up))
        log = centre.api("GET", "/audit?object=upload/" + up, tenant="t")
        assert [e["action"] for e in log["items"]] == ["upload:complete",
                                                       "upload:create"]


def test_a_name_has_no_second_spelling(centre):
    """Text columns compare without trailing blanks; requests do not."""
    data = os.urandom(1000)
    up = begin(centre, data)
    r = patch(centre, up + "%20", 0, data)
    assert (r.status, r.json["field"]) == (400, "upload")
    assert up + " " not in os.listdir(os.path.join(centre.data, "uploads"))
    centre.api("POST", "/groups", {"name": "g"}, tenant="t")
    centre.api("POST", "/rollouts", {"product": "p", "name": "g",
                                     "target": "1.0", "filter": "group==g"},
               tenant="t")
    for method, path, field in (
            ("DELETE", "/groups/g%20", "group"),
            ("DELETE", "/devices/d%20", "device"),
            ("POST", "/devices/d%20/token", "device"),
            ("PATCH", "/products/p%20", "product"),
            ("DELETE", "/products/p/firmware/1.0%20", "version"),
            ("GET", "/tenants/t%20", "tenant"),
            ("DELETE", "/nodes/n%20", "node")):
        r = centre.request(method, "/api/v1" + path, {}, tenant="t")
        assert (r.status, r.json["field"]) == (400, field), path
    for path in ("/devices?product=p%20", "/rollouts?product=p%20",
                 "/devices?tenant=t%20"):
        r = centre.request("GET", "/api/v1" + path,
                           tenant=None if "tenant" in path else "t")
        assert r.status == 404, path
    assert centre.api("GET", "/devices/d", tenant="t")["id"] == "d"


def test_each_change_is_told_once(centre):
    """After all of the above; and in the log of whose it was."""
    told = centre.sql("SELECT request_id FROM audit_log WHERE request_id"
                      " <> REPEAT('0', 32)")
    assert len(told) == len({r[0] for r in told}) > 50
    t = centre.api("POST", "/tokens", {"name": "x", "permissions": ["*"]},
                   tenant="t")["id"]
    for _ in range(2):
        assert centre.request("DELETE",
                              "/api/v1/tokens/%d" % t).status == 204
    log = centre.api("GET", "/audit?object=token/x", tenant="t")["items"]
    assert [e["action"] for e in log] == ["token:delete", "token:create"]
    assert centre.api("GET", "/audit/verify")["ok"]
