# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Tenants do not reach each other, permissions do not reach further.

Tenant two, with every permission, names what is tenant one's: in paths, in
bodies, in queries, in filters and in files.  Afterwards no row of tenant one
is another one.
"""

import hashlib
import re

import pytest

from support.centre import Centre
from support.contract import load, operations, resolved

CSV = {"Content-Type": "text/csv"}


@pytest.fixture(scope="module")
def spec():
    return load("admin/openapi.yaml")


def fill(centre, tenant, x):
    """One object of every kind; x ends all names."""
    def a(method, path, json=None):
        return centre.api(method, path, json, tenant=tenant)
    centre.api("POST", "/tenants", {"name": tenant})
    t = "/tenants/" + tenant
    ids = {"tenant": tenant, "product": "p" + x, "version": "1.0" + x,
           "device": "d" + x, "group": "g" + x}
    ids["gateway"] = a("POST", t + "/gateways", {"name": "gw"})["id"]
    a("POST", t + "/device-keys")
    a("POST", "/products", {"name": "p" + x})
    for v in ("1.0", "2.0"):
        a("POST", "/products/p%s/firmware" % x, {"version": v + x})
    for d in "de":
        a("POST", "/devices", {"id": d + x, "product": "p" + x,
                               "version": "1.0" + x,
                               "attributes": {"secret": "s" + x}})
    a("POST", "/groups", {"name": "g" + x})
    a("POST", "/groups", {"name": "dyn" + x, "filter": "product==p" + x})
    a("POST", "/groups/g%s/members" % x, {"add": ["d" + x]})
    data = (tenant * 500).encode()
    ids["sha256"] = centre.upload(data, tenant=tenant)
    up = a("GET", "/uploads")["items"][0]["id"]
    ids["upload"] = up
    ids["artifact"] = a("POST", "/products/p%s/artifacts" % x,
                        {"version": "2.0" + x, "upload": up})["id"]
    ids["rollout"] = a("POST", "/rollouts", {
        "name": "r" + x, "product": "p" + x, "target": "2.0" + x})["id"]
    ids["deny"] = a("POST", "/deny", {"kind": "device",
                                      "device": "d" + x})["id"]
    made = a("POST", "/tokens", {"name": "t" + x, "permissions": ["*"]})
    ids["token"], ids["secret"] = made["id"], made["token"]
    # Paused: what runs is changed by the controller, too.
    for act in ("start", "pause"):
        a("POST", "/rollouts/%d/%s" % (ids["rollout"], act))
    return ids


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("centre"), nginx=False) as c:
        c.one = fill(c, "one", "")
        c.two = fill(c, "two", "2")
        c.api("POST", "/nodes", {"name": "n", "url": "https://n"})
        c.shared = {"node": "n", "scope": 1, "key": 1, "prefix": "::%2F0"}
        yield c


def rows(centre, tenant):
    """All that the database holds of a tenant."""
    number = centre.api("GET", "/tenants/" + tenant)["id"]
    tables = [r[0] for r in centre.sql(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'fota' AND column_name = 'tenant_id'")]
    assert len(tables) > 12
    # The outbox is read and emptied beside us; what it led to stays.
    found = {t: centre.sql("SELECT * FROM %s WHERE tenant_id = %d"
                           % (t, number))
             for t in tables if t not in ("outbox", "api_token")}
    found["api_token"] = centre.sql(
        "SELECT id, name, permissions, revoked FROM api_token"
        " WHERE tenant_id = %d" % number)
    found["tenant"] = centre.sql("SELECT * FROM tenant WHERE id = %d"
                                 % number)
    for t, on in (("group_member", "device_group g ON g.id = x.group_id"),
                  ("rollout_stage", "rollout g ON g.id = x.rollout_id"),
                  ("device_attr", "device g ON g.id = x.device_id")):
        found[t] = centre.sql("SELECT x.* FROM %s x JOIN %s WHERE"
                              " g.tenant_id = %d" % (t, on, number))
    found["secret_key"] = centre.sql("SELECT * FROM secret_key WHERE kind = 2"
                                     " AND scope = %d" % number)
    return found


@pytest.fixture
def untouched(centre):
    before = rows(centre, "one")
    yield
    after = rows(centre, "one")
    for table, had in before.items():
        assert after[table] == had, table


def as_two(centre, method, path, json=None, **more):
    return centre.request(method, "/api/v1" + path, json,
                          token=centre.two["secret"], **more)


def example(op, centre):
    kind, = op["requestBody"]["content"]
    if kind != "application/json":
        return None, b"d\n", {"Content-Type": kind, "Upload-Offset": "0"}
    body = dict(op["requestBody"]["content"][kind].get("example", {}))
    fits = {"title": "taken", "name": "taken", "mode": "centre",
            "version": "6.6", "brake": "offers", "signature": "A" * 86 + "==",
            "sha256": centre.one["sha256"], "add": ["d"]}
    op_wants = {"patchTenant": ["title"], "setSigner": ["mode"],
                "createGateway": ["name"], "createFirmware": ["version"],
                "createArtifact": ["version", "sha256"],
                "setSignature": ["signature"], "changeMembers": ["add"],
                "brakeRollout": ["brake"], "brakeProduct": ["brake"],
                "brakeTenant": ["brake"]}
    wanted = op_wants.get(op["operationId"])
    return ({k: fits[k] for k in wanted} if wanted else body), None, {}


def test_paths(spec, centre, untouched):
    """Every operation, each part of its path that can be tenant one's: a
    product of two with a version of one, and so on."""
    tried = 0
    for path, method, op in operations(spec):
        names = re.findall(r"\{(\w+)\}", path)
        own = [n for n in names if n not in centre.shared]
        for foreign in own:
            ids = dict(centre.two, **centre.shared)
            ids[foreign] = centre.one[foreign]
            json, body, headers = None, None, {}
            if "requestBody" in op:
                json, body, headers = example(op, centre)
            url = re.sub(r"\{(\w+)\}", lambda m: str(ids[m[1]]), path)
            r = centre.request(method.upper(), url, json, body=body,
                               headers=headers, token=centre.two["secret"])
            assert r.status == 404, (method, url, r.status, r.body)
            assert r.json["code"].endswith("_unknown"), (url, r.body)
            tried += 1
    assert tried > 60


# Members of bodies and parameters that name an object: the operation, what
# tenant two says, and the refusal.
NAMED = [
    ("createProduct", "test_group", {"name": "x", "test_group": "g"}, 404),
    ("patchProduct", "test_group", {"test_group": "g"}, 404),
    ("createArtifact", "version", {"version": "2.0", "upload": "OWN"}, 404),
    ("createArtifact", "from", {"version": "2.02", "from": "1.0",
                                "upload": "OWN"}, 404),
    ("createArtifact", "upload", {"version": "2.02", "upload": "ONE"}, 404),
    ("createArtifact", "sha256", {"version": "2.02", "sha256": "SHA"}, 404),
    ("createArtifact", "requires", {"version": "2.02", "upload": "OWN",
                                    "requires": "group==g"}, 400),
    ("patchArtifact", "requires", {"requires": "group==g"}, 400),
    ("createDevice", "product", {"id": "x", "product": "p"}, 404),
    ("bulkDevices", "product", {"product": "p",
                                "devices": [{"id": "x"}]}, 404),
    ("createGroup", "filter", {"name": "x", "filter": "group==g"}, 400),
    ("patchGroup", "filter", {"filter": "group==g"}, 409),
    ("previewFilter", "filter", {"filter": "group==dyn"}, 400),
    ("createDeny", "rollout", {"kind": "rollout", "rollout": "ROLL"}, 404),
    ("createRollout", "product", {"name": "x", "product": "p",
                                  "target": "2.0"}, 404),
    ("createRollout", "target", {"name": "x", "product": "p2",
                                 "target": "2.0"}, 404),
    ("createRollout", "filter", {"name": "x", "product": "p2",
                                 "target": "2.02",
                                 "filter": "group==g"}, 400),
    ("createRollout", "stages", {
        "name": "x", "product": "p2", "target": "2.02",
        "stages": [{"percent": 1, "test_group": "g"}]}, 404),
    ("patchRollout", "target", {"target": "2.0"}, 404),
    ("patchRollout", "filter", {"filter": "group==dyn"}, 400),
    ("patchRollout", "stages", {"stages": [{"percent": 1,
                                            "test_group": "g"}]}, 404),
]

# Members of such names that are free text, or of what everybody has.
FREE = {
    ("createProduct", "name"), ("createFirmware", "version"),
    ("createUpload", "sha256"), ("createDevice", "version"),
    ("createDeny", "device"),           # ids are of the own tenant
    ("bulkDevices", "devices"),         # made in the own tenant
    ("changeMembers", "add"), ("changeMembers", "remove"),  # test_members
    ("createRollout", "sources"), ("patchRollout", "sources"),
    ("createNode", "group"), ("patchNode", "group"),        # of nodes
    ("createNode", "tenants"), ("patchNode", "tenants"),
    ("patchTenant", "default_nodes"), ("createTenant", "default_nodes"),
}
NAMES = {"product", "version", "from", "upload", "sha256", "device",
         "devices", "group", "test_group", "rollout", "target", "filter",
         "requires", "stages", "add", "remove", "sources", "tenants",
         "default_nodes"}


def test_bodies(spec, centre, untouched):
    fill_in = {"OWN": centre.two["upload"], "ONE": centre.one["upload"],
               "SHA": centre.one["sha256"], "ROLL": centre.one["rollout"]}
    by_id = {op["operationId"]: (path, method)
             for path, method, op in operations(spec)}
    draft = centre.api("POST", "/rollouts", {
        "name": "draft", "product": "p2", "target": "2.02"},
        tenant="two")["id"]
    ids = dict(centre.two, rollout=draft)
    for name, member, body, status in NAMED:
        path, method = by_id[name]
        url = re.sub(r"\{(\w+)\}", lambda m: str(ids[m[1]]), path)
        body = {k: fill_in.get(v, v) if isinstance(v, str) else v
                for k, v in body.items()}
        r = centre.request(method.upper(), url, body,
                           token=centre.two["secret"])
        assert r.status == status, (name, member, r.status, r.body)
    # A member that names an object and stands in no table is a new one.
    for path, method, op in operations(spec):
        media = op.get("requestBody", {}).get("content", {}).get(
            "application/json")
        if media is None or op.get("x-platform"):
            continue
        for m in resolved(spec, media["schema"]).get("properties", {}):
            key = (op["operationId"], m)
            assert m not in NAMES or key in FREE \
                or any(key == n[:2] for n in NAMED), key


QUERIES = [
    ("/devices?product=p", 404, None),
    ("/devices/count?product=p", 404, None),
    ("/rollouts?product=p", 404, None),
    ("/explain?product=p&device=d", 404, None),
    ("/devices?tenant=one", 403, None),
    ("/devices?q=product%3D%3Dp", 200, []),
    ("/devices?q=id%3D%3Dd", 200, []),
    ("/devices?q=attr.secret%3D%3Ds", 200, []),
    ("/devices?q=group%3D%3Dg", 400, None),
    ("/devices?after=c&limit=1", 200, ["d2"]),
    ("/audit?object=device/d", 200, []),
    ("/audit?object=rollout/ROLL", 200, []),
    ("/uploads?after=0", 200, None),
    ("/tenants?after=a", 200, ["two"]),
]


def test_queries(spec, centre, untouched):
    for url, status, found in QUERIES:
        url = url.replace("ROLL", str(centre.one["rollout"]))
        r = as_two(centre, "GET", url)
        assert r.status == status, (url, r.body)
        if found is not None:
            assert [i.get("id") if "devices" in url else i.get("name")
                    for i in r.json["items"]] == found, url
    r = as_two(centre, "GET", "/devices", headers={"X-Fota-Tenant": "one"})
    assert (r.status, r.json["code"]) == (403, "tenant")
    r = as_two(centre, "POST", "/groups/preview", {"filter": "id==d"})
    assert r.json == {"matches": 0, "examples": []}


def test_no_list_shows_another_tenant(spec, centre, untouched):
    """Nothing that is spelt as tenant one's stands in any answer."""
    one = centre.one
    marks = [one["sha256"], one["upload"], one["deny"], "token/%d/"
             % one["token"], '"p"', '"d"', '"e"', '"g"', '"dyn"', '"one"',
             '"r"', '"s"', '"2.0"', "t-one"]
    tried = 0
    for path, method, op in operations(spec):
        if method != "get" or op.get("x-platform"):
            continue
        ids = dict(centre.two, **centre.shared)
        url = re.sub(r"\{(\w+)\}", lambda m: str(ids[m[1]]), path)
        if path.endswith("/explain"):
            url += "?device=d2&product=p2"
        r = centre.request("GET", url, token=centre.two["secret"])
        assert r.status == 200, (url, r.body)
        text = r.body.decode()
        assert not [m for m in marks if m in text], (url, text)
        tried += 1
    assert tried > 25


def test_members(centre, untouched):
    """A list of one's devices fills no group of two."""
    for r in (as_two(centre, "POST", "/groups/g2/members",
                     {"add": ["d", "e"], "remove": ["d"]}),
              as_two(centre, "PUT", "/groups/g2/members?mode=add",
                     body=b"d\ne\n", headers=CSV)):
        assert (r.status, r.json["added"]) == (200, 0), r.body
        assert {e["code"] for e in r.json["errors"]} == {"unknown_device"}
    r = as_two(centre, "PUT", "/groups/g2/members?create=1&product=p",
               body=b"d\n", headers=CSV)
    assert (r.status, r.json["code"]) == (404, "product_unknown")
    r = as_two(centre, "PUT", "/groups/g2/members?create=1&product=p2",
               body=b"d\n", headers=CSV)
    assert (r.json["created"], r.json["added"]) == (1, 1)
    assert as_two(centre, "GET", "/devices/d").json["product"] == "p2"
    assert as_two(centre, "DELETE", "/devices/d").status == 204


def test_a_file_is_not_had_by_its_hash(centre, untouched):
    """Nor is another tenant's object changed by an upload of that hash."""
    data = b"one" * 500
    sha = hashlib.sha256(data).hexdigest()
    assert sha == centre.one["sha256"]
    r = as_two(centre, "POST", "/uploads", {"name": "i", "size": len(data),
                                            "sha256": sha})
    assert (r.status, r.json["state"]) == (201, "open")
    up = r.json["id"]
    r = as_two(centre, "PATCH", "/uploads/" + up, body=b"x" * len(data),
               headers={"Upload-Offset": "0",
                        "Content-Type": "application/octet-stream"})
    assert r.status == 200
    r = as_two(centre, "POST", "/uploads/%s/complete" % up)
    assert (r.status, r.json["code"]) == (422, "hash")
    with open("%s/objects/%s" % (centre.data, sha), "rb") as f:
        assert f.read() == data


def test_a_revocation_is_of_the_own_tenant(centre, untouched):
    r = as_two(centre, "POST", "/deny", {"kind": "device", "device": "d"})
    assert r.status == 201 and r.json["id"] != centre.one["deny"]
    r = as_two(centre, "POST", "/deny", {"kind": "tenant"})
    assert (r.status, r.json["subject"]) == (201, "two")
    for d in as_two(centre, "GET", "/deny").json["items"]:
        as_two(centre, "DELETE", "/deny/" + d["id"])


def test_platform_only(spec, centre):
    """Every permission of a tenant is none of the platform."""
    for path, method, op in operations(spec):
        if op.get("x-platform"):
            ids = dict(centre.two, **centre.shared)
            url = re.sub(r"\{(\w+)\}", lambda m: str(ids[m[1]]), path)
            r = centre.request(method.upper(), url, {},
                               token=centre.two["secret"])
            assert (r.status, r.json["code"]) == (403, "platform"), url


def test_permissions_are_one_by_one(spec, centre):
    """For each operation: all the other permissions do not suffice, the one
    it names does, and so does its resource's "*", no longer or shorter
    name."""
    ops = [(p, m, op["x-permission"]) for p, m, op in operations(spec)
           if op["x-permission"] not in ("public", "any")]
    every = sorted({p for _, _, p in ops})

    def token(permissions):
        return centre.api("POST", "/tokens", {
            "name": "m", "permissions": permissions}, tenant="two")["token"]

    def refused(path, method, t):
        url = re.sub(r"\{\w+\}", "none", path)
        r = centre.request(method.upper(), url, token=t)
        return r.status == 403 and r.json["code"] == "permission"
    for permission in every:
        resource = permission.split(":")[0]
        without = token([p for p in every if p != permission]
                        + [resource + ":x", resource + "x:*",
                           resource[:-1] + ":*"])
        only, star = token([permission]), token([resource + ":*"])
        for path, method, wants in ops:
            if wants != permission:
                continue
            assert refused(path, method, without), (method, path)
            assert not refused(path, method, only), (method, path)
            assert not refused(path, method, star), (method, path)
    assert len(every) > 30


def test_a_token_makes_none_above_itself(centre):
    t = centre.api("POST", "/tokens", {
        "name": "m", "permissions": ["token:create", "device:*"]},
        tenant="two")["token"]

    def make(permissions, **more):
        r = centre.request("POST", "/api/v1/tokens", {
            "name": "c", "permissions": permissions}, token=t, **more)
        return r.status
    assert make(["device:read"]) == 201 and make(["device:*"]) == 201
    assert make(["*"]) == 403 and make(["token:*"]) == 403
    assert make(["device:read", "group:read"]) == 403
    assert make(["device:read"], headers={"X-Fota-Tenant": "one"}) == 403
    for bad in (["device"], ["device:"], [":read"], ["**"], ["device:read,*"],
                ["DEVICE:read"], [None], [["*"]], ["device:read\0"]):
        assert make(bad) == 400, bad
