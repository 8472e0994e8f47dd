# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""admin/openapi.yaml is the contract: routes, live answers, tenancy."""

import os
import re
import subprocess

import jsonschema
import pytest

from support import answers
from support.centre import BUILD, TOP, Answer, Centre
from support.contract import (beyond, check, load, operations, resolved,
                              well_formed)


@pytest.fixture(scope="module")
def spec():
    return load("admin/openapi.yaml")


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("centre")) as c:
        yield c


def routes():
    out = subprocess.run([os.path.join(BUILD, "fota-admin"), "routes"],
                         check=True, stdout=subprocess.PIPE,
                         text=True).stdout
    for line in out.splitlines():
        words = line.split()
        yield words[0], words[1], words[2], "platform" in words[3:]


def test_routes_are_the_contract(spec):
    """Both ways: method, path, permission, platform."""
    have = {(m, p): (perm, plat) for m, p, perm, plat in routes()
            if not p.startswith("/sync/")}
    want = {(m.upper(), p): (op["x-permission"],
                             op.get("x-platform", False))
            for p, m, op in operations(spec)}
    assert sorted(set(want) - set(have)) == [], "in openapi.yaml only"
    assert sorted(set(have) - set(want)) == [], "in the program only"
    assert {k: (have[k], want[k]) for k in want if have[k] != want[k]} == {}


def test_contract_is_well_formed(spec):
    well_formed(spec)
    for path, _, _ in operations(spec):
        params = re.findall(r"\{(\w+)\}", path)
        given = [p["$ref"].rsplit("/", 1)[1] for p in
                 spec["paths"][path].get("parameters", [])]
        assert given == ["path_" + p for p in params], path


def fill(centre):
    """One object of every kind in tenant one; the path of each."""
    api = centre.api

    def a(method, path, json=None):
        return api(method, path, json, tenant="one")
    api("POST", "/tenants", {"name": "one"})
    gw = api("POST", "/tenants/one/gateways", {"name": "gw"})
    api("POST", "/tenants/one/device-keys")
    a("POST", "/products", {"name": "p"})
    for v in ("1.0", "2.0"):
        a("POST", "/products/p/firmware", {"version": v})
    a("POST", "/devices", {"id": "d", "product": "p", "version": "1.0",
                           "attributes": {"hw": "1"}})
    a("POST", "/groups", {"name": "g"})
    a("POST", "/groups", {"name": "dyn", "filter": "product==p"})
    a("POST", "/groups/g/members", {"add": ["d"]})
    centre.upload(b"x" * 1000, tenant="one")
    up = a("GET", "/uploads")["items"][0]["id"]
    art = a("POST", "/products/p/artifacts",
            {"version": "2.0", "upload": up})["id"]
    node = api("POST", "/nodes", {"name": "e", "url": "https://e"})
    tok = a("POST", "/tokens", {"name": "t", "permissions": ["*"]})
    deny = a("POST", "/deny", {"kind": "device", "device": "d"})["id"]
    api("PUT", "/geo-prefixes", {"prefix": "10.0.0.0/8"})
    roll = a("POST", "/rollouts", {
        "name": "r", "product": "p", "target": "2.0",
        "stages": [{"percent": 100}]})
    return {"tenant": "one", "product": "p", "version": "2.0", "device": "d",
            "group": "g", "upload": up, "artifact": art, "node": node["name"],
            "gateway": gw["id"], "token": tok["id"], "deny": deny,
            "scope": 1, "key": 1, "prefix": "10.0.0.0%2F8",
            "rollout": roll["id"], "secret": tok["token"]}


@pytest.fixture(scope="module")
def ids(centre):
    return fill(centre)


def concrete(path, ids):
    return re.sub(r"\{(\w+)\}", lambda m: str(ids[m.group(1)]), path)


QUERIES = {"explain": "?device=d", "explainDevice": "?device=d"}


def test_live_answers_are_as_described(spec, centre, ids):
    """Every GET, and the examples of what makes something."""
    for path, method, op in operations(spec):
        if method != "get":
            continue
        r = centre.request("GET", concrete(path, ids)
                           + QUERIES.get(op["operationId"], ""),
                           tenant="one")
        assert r.status < 400, (path, r.body)
        want = op["responses"].get(str(r.status))
        assert want is not None, (path, r.status)
        (kind, media), = want["content"].items()
        assert r.headers["Content-Type"].split(";")[0] == kind, path
        if kind == "application/json":
            try:
                check(spec, media["schema"], r.json)
            except jsonschema.ValidationError as e:
                raise AssertionError("%s: %s" % (path, e.message)) from e


@pytest.mark.parametrize("status,kind,body", [
    (200, "application/json", b"{}"),
    (200, "text/html", b"hello"),
    (299, "application/json", b"{}"),
    (400, "application/problem+json", b'{"title":"no"}'),
    (502, "text/html", b"<html>"),
])
def test_every_answer_of_every_test_is_held(status, kind, body):
    """support/centre.py gives each answer to support/answers.py."""
    assert answers.wrong == []
    answers.hold("GET", "/api/v1/whoami",
                 Answer(status, {"Content-Type": kind}, body))
    wrong, answers.wrong[:] = list(answers.wrong), []
    assert len(wrong) == 1


def test_what_is_beyond_a_limit_is_named(spec, centre, ids):
    """Each member of each body, the others as they should be."""
    tried, wrong = 0, []
    for path, method, op in operations(spec):
        media = op.get("requestBody", {}).get("content", {}).get(
            "application/json")
        if media is None:
            continue
        members = resolved(spec, media["schema"]).get("properties", {})
        base = dict(media.get("example", {}))
        known = {"product": "p", "target": "2.0", "version": "2.0"}
        base.update({k: v for k, v in known.items() if k in base})
        for name, schema in members.items():
            for value in beyond(resolved(spec, schema)):
                r = centre.request(method.upper(), concrete(path, ids),
                                   dict(base, **{name: value}), tenant="one")
                tried += 1
                if r.status != 400 or not r.json["field"].startswith(name):
                    wrong.append((method, path, name, str(value)[:20],
                                  r.status, r.body))
    assert tried > 150
    assert not wrong, "\n".join(map(str, wrong))


def test_refusals_are_problems(spec, centre, ids):
    for path, method, op in operations(spec):
        if op["x-permission"] == "public":
            continue
        r = centre.request(method.upper(), concrete(path, ids), token="none")
        assert r.status == 401, (path, r.status)
        assert r.headers["Content-Type"] == "application/problem+json"
        check(spec, {"$ref": "#/components/schemas/Problem"}, r.json)


def test_every_route_wants_its_permission(spec, centre, ids):
    t = centre.api("POST", "/tokens", {"name": "none",
                                       "permissions": ["nothing:at_all"]},
                   tenant="one")["token"]
    for path, method, op in operations(spec):
        if op["x-permission"] in ("public", "any"):
            continue
        r = centre.request(method.upper(), concrete(path, ids), token=t)
        assert (r.status, r.json["code"]) == (403, "permission"), path


BODIES = {
    "patchTenant": {"title": "taken"},
    "setSigner": {"mode": "centre"},
    "createGateway": {"name": "taken"},
    "createFirmware": {"version": "6.6.6"},
    "createArtifact": {"version": "2.0", "sha256": "0" * 64},
    "setSignature": {"signature": "A" * 86 + "=="},
    "setOwnToken": {},
    "changeMembers": {"add": ["d"]},
}


def test_another_tenant_sees_nothing(spec, centre, ids):
    """As tenant two, every route with an object of tenant one in its path."""
    centre.api("POST", "/tenants", {"name": "two"})
    t = centre.api("POST", "/tokens", {"name": "all", "permissions": ["*"]},
                   tenant="two")["token"]
    before = centre.request("GET", "/api/v1/devices/d", tenant="one").body
    tried = 0
    for path, method, op in operations(spec):
        if not re.search(r"\{(tenant|product|device|group|upload|artifact|"
                         r"token|deny|rollout|node|scope|key|prefix)\}",
                         path):
            continue
        headers, body, json = {}, None, None
        if "requestBody" in op:
            kind, = op["requestBody"]["content"]
            if kind == "application/json":
                media = op["requestBody"]["content"][kind]
                json = BODIES.get(op["operationId"],
                                  media.get("example", {}))
            else:
                body = b"d\n"
                headers = {"Content-Type": kind, "Upload-Offset": "0"}
        r = centre.request(method.upper(), concrete(path, ids), json,
                           body=body, headers=headers, token=t)
        assert r.status in (403, 404), (method, path, r.status, r.body)
        tried += 1
    assert tried > 40
    r = centre.request("GET", "/api/v1/devices?tenant=one", token=t)
    assert r.status == 403
    for path in ("devices", "products", "groups", "uploads", "tokens",
                 "deny", "audit", "tenants"):
        items = centre.api("GET", "/" + path, token=t)["items"]
        if path in ("tokens", "tenants", "audit"):
            assert {i.get("tenant", i["name"] if path == "tenants" else 0)
                    for i in items} <= {"two"}, path
        else:
            assert items == [], path
    assert centre.api("GET", "/status", token=t)["nodes"] == []
    after = centre.request("GET", "/api/v1/devices/d", tenant="one").body
    assert before == after


TABLES = {"product", "device", "device_group", "firmware", "artifact",
          "upload", "rollout"}


def unbound(sql):
    """Does a statement over a tenant's table lack its tenant?"""
    used = set(re.findall(r"(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)", sql))
    return bool(used & TABLES) and "tenant_id" not in sql \
        and "device_id = ?" not in sql \
        and sql != "DELETE FROM device WHERE id = ?"


def statements(text):
    """SQL literals of a C file, its own macros put in."""
    macros = {
        name: "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', value))
        for name, value in re.findall(
            r"#define (\w+)\s*((?:\\\n|[^\n])*\n)", text)}
    for m in re.finditer(r'(?:"(?:[^"\\]|\\.)*"|FOTA_\w+|\s)+', text):
        sql = "".join(macros.get(t, t) if t[0] != '"' else t[1:-1]
                      for t in re.findall(r'"(?:[^"\\]|\\.)*"|FOTA_\w+',
                                          m.group()))
        if re.match(r"(SELECT|UPDATE|DELETE|INSERT) ", sql):
            yield sql


def test_statements_name_the_tenant():
    """Every statement over a tenant's table is bound to a tenant or row."""
    assert unbound("SELECT name FROM product WHERE name = ?")
    assert not unbound("SELECT name FROM product WHERE tenant_id = ?")
    folder = os.path.join(TOP, "admin/server")
    seen, bad = 0, []
    for name in sorted(os.listdir(folder)):
        if name.startswith("api_") and name.endswith(".c"):
            with open(os.path.join(folder, name)) as f:
                for sql in statements(f.read()):
                    seen += 1
                    if unbound(sql):
                        bad.append((name, sql[:120]))
    assert bad == []
    assert seen > 100
