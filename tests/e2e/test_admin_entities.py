# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Entities of the REST API: made, changed, refused, kept apart."""

import base64
import hashlib
import json
import os
import re
import socket
import ssl
import subprocess

import pytest

from support.centre import ApiError, Centre


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("centre")) as c:
        c.api("POST", "/tenants", {"name": "acme"})
        c.api("POST", "/products", {"name": "x1"}, tenant="acme")
        yield c


def refused(centre, status, field, method, path, json=None, code=None,
            tenant="acme"):
    with pytest.raises(ApiError) as e:
        centre.api(method, path, json, tenant=tenant)
    assert e.value.status == status, e.value
    assert e.value.problem["status"] == status
    if field is not None:
        assert e.value.problem.get("field") == field, e.value.problem
    if code is not None:
        assert e.value.problem["code"] == code
    return e.value.problem


def test_tenant_life(centre):
    t = centre.api("POST", "/tenants", {
        "name": "globex", "title": "Globex 株式会社",
        "auth": ["gateway", "device", "mtls"], "token_bind": ["ip"],
        "issuers": ["CN=Globex CA"], "signer": "offline"})
    assert t["auth"] == ["gateway", "device", "mtls"]
    assert t["signer"] == {"public_key": None, "kid": 1, "at_centre": False}
    assert t["issuers"] == ["CN=Globex CA"]
    t = centre.api("PATCH", "/tenants/globex", {"approve_above": 1000,
                                                "issuers": []})
    assert t["approve_above"] == 1000 and t["issuers"] == []
    assert t["auth"] == ["gateway", "device", "mtls"]
    refused(centre, 409, "name", "POST", "/tenants", {"name": "globex"})
    refused(centre, 400, "name", "POST", "/tenants", {"name": "*"})
    refused(centre, 400, "name", "POST", "/tenants", {"name": "n" * 129})
    refused(centre, 400, "auth", "POST", "/tenants",
            {"name": "n", "auth": ["password"]})
    refused(centre, 404, None, "GET", "/tenants/nobody")
    names = [x["name"] for x in centre.api("GET", "/tenants")["items"]]
    assert names == sorted(names) and "globex" in names


def test_gateway_tokens(centre):
    made = [centre.api("POST", "/tenants/acme/gateways", {"name": "g%d" % i})
            for i in range(4)]
    assert made[0]["token"].startswith("fota_gw_")
    refused(centre, 409, None, "POST", "/tenants/acme/gateways",
            {"name": "g5"}, code="gateway_limit")
    rows = centre.sql("SELECT token_sha256 FROM tenant_gateway ORDER BY id")
    assert rows[0][0].lower() == "0x" + hashlib.sha256(
        made[0]["token"].encode()).hexdigest()
    shown = centre.api("GET", "/tenants/acme/gateways")["items"]
    assert len(shown) == 4 and all("token" not in g for g in shown)
    centre.api("DELETE", "/tenants/acme/gateways/%d" % made[0]["id"])
    refused(centre, 404, None, "DELETE",
            "/tenants/acme/gateways/%d" % made[0]["id"])


def test_product_life(centre):
    p = centre.api("POST", "/products", {
        "name": "dash/cam é", "poll_s": 600,
        "install_window": "mon-fri 22:00-05:00; sun 01:00-06:00"},
        tenant="acme")
    assert p["poll_s"] == 600 and p["retry_count"] == 5
    path = "/products/dash%2Fcam%20%C3%A9"
    assert centre.api("GET", path, tenant="acme") == p
    p = centre.api("PATCH", path, {"title": "Dash"}, tenant="acme")
    assert p["title"] == "Dash" and p["poll_s"] == 600
    refused(centre, 400, "poll_s", "PATCH", path, {"poll_s": 1})
    refused(centre, 400, "poll_s", "PATCH", path, {"poll_s": "600"})
    refused(centre, 400, "retry_min_s", "PATCH", path,
            {"retry_min_s": 100, "retry_max_s": 10})
    refused(centre, 400, "install_window", "PATCH", path,
            {"install_window": "someday"})
    refused(centre, 400, "colour", "PATCH", path, {"colour": "red"})
    refused(centre, 404, "group", "PATCH", path, {"test_group": "none"})
    centre.api("DELETE", path, tenant="acme")
    refused(centre, 404, None, "GET", path)


def test_device_life(centre):
    d = centre.api("POST", "/devices", {
        "id": "A/1 ü", "product": "x1", "version": "1.0.0",
        "attributes": {"hw": "3", "name": "left"}}, tenant="acme")
    assert d["attributes"] == {"hw": "3", "name": "left"}
    path = "/devices/A%2F1%20%C3%BC"
    assert centre.api("GET", path, tenant="acme") == d
    d = centre.api("PATCH", path, {"blocked": True, "pin": "1.1.0",
                                   "attributes": {"hw": None, "ram": "2.5"}},
                   tenant="acme")
    assert d["blocked"] and d["pin"] == "1.1.0"
    assert d["attributes"] == {"name": "left", "ram": "2.5"}
    d = centre.api("PATCH", path, {"pin": None}, tenant="acme")
    assert d["pin"] is None and d["blocked"]
    assert centre.sql("SELECT value_num FROM device_attr WHERE name='ram'"
                      ) == [["2.5"]]
    refused(centre, 409, "id", "POST", "/devices",
            {"id": "A/1 ü", "product": "x1"})
    refused(centre, 400, "id", "POST", "/devices",
            {"id": "i" * 257, "product": "x1"})
    refused(centre, 404, "product", "POST", "/devices",
            {"id": "B", "product": "zz"})
    refused(centre, 400, "attributes", "PATCH", path,
            {"attributes": {"n" * 129: "v"}})
    refused(centre, 400, "attributes", "PATCH", path,
            {"attributes": {"n": "v" * 257}})
    refused(centre, 400, "attributes", "PATCH", path,
            {"attributes": {"n%d" % i: "v" for i in range(65)}})
    refused(centre, 400, "pin", "PATCH", path, {"pin": "with blank"})
    centre.api("DELETE", path, tenant="acme")
    refused(centre, 404, None, "GET", path)


def test_device_search(centre):
    centre.api("POST", "/products", {"name": "s1"}, tenant="acme")
    r = centre.api("POST", "/devices/bulk", {
        "product": "s1", "devices": [
            {"id": "S-%03d" % i, "version": "1.%d.0" % i} for i in range(30)
        ]}, tenant="acme")
    assert r == {"created": 30, "existing": 0}
    refused(centre, 409, "devices", "POST", "/devices/bulk",
            {"product": "s1", "devices": [{"id": "new"}, {"id": "S-001"}]})
    refused(centre, 404, None, "GET", "/devices/new")
    r = centre.api("POST", "/devices/bulk", {
        "product": "s1", "skip_existing": True,
        "devices": [{"id": "S-030"}, {"id": "S-001"}]}, tenant="acme")
    assert r == {"created": 1, "existing": 1}

    q = "/devices?q=product%3D%3Ds1%20and%20version%3Dlt%3D1.10.0"
    ids = [d["id"] for d in centre.api("GET", q, tenant="acme")["items"]]
    assert ids == ["S-%03d" % i for i in range(10)]
    count = centre.api("GET", q.replace("?", "/count?"), tenant="acme")
    assert count == {"count": 10}

    seen, after = [], ""
    while after is not None:
        page = centre.api("GET", "/devices?product=s1&limit=7&after=" + after,
                          tenant="acme")
        seen += [d["id"] for d in page["items"]]
        after = page["next"]
    assert seen == ["S-%03d" % i for i in range(31)]

    p = refused(centre, 400, "q", "GET", "/devices?q=modle%3D%3D1")
    assert "column 1" in p["detail"]
    refused(centre, 400, "limit", "GET", "/devices?limit=1001")
    refused(centre, 400, "q", "GET", "/devices?q=id%3D%3D" + "a" * 5000)
    long = "%E5%A4%A7" * 60
    q = "id=in=(" + ",".join([long] * 20) + ")"
    assert centre.api("GET", "/devices?q=" + q, tenant="acme")["items"] == []


def test_every_field_of_a_filter(centre):
    """What the map of columns says, field by field."""
    centre.api("POST", "/products", {"name": "q1"}, tenant="acme")
    for i in (1, 2):
        centre.api("POST", "/devices", {
            "id": "Q-%d" % i, "product": "q1", "version": "%d.0" % i,
            "attributes": {"hw": "1%d" % i, "odd name": "v%d" % i}},
            tenant="acme")
    centre.api("POST", "/groups", {"name": "q-group"}, tenant="acme")
    centre.api("POST", "/groups/q-group/members", {"add": ["Q-1"]},
               tenant="acme")
    centre.sql("UPDATE device SET kind='os', country='JP', continent='AS',"
               " region_code='13', region='Tokyo', city='Shinjuku',"
               " tz='Asia/Tokyo', asn=64500 WHERE ext_id='Q-1'")

    def ids(text):
        r = centre.api("POST", "/groups/preview",
                       {"filter": "product==q1 and (%s)" % text},
                       tenant="acme")
        assert r["matches"] == len(r["examples"])
        return sorted(r["examples"])
    for text in ("id==Q-1", "version==1.0.0", "version=lt=2", "kind==os",
                 "group==q-group", "country==jp", "region==tokyo",
                 "region==13", "city=in=(x,Shinjuku)", "tz==Asia/*",
                 "asn==64500", "attr.hw==11", "attr.hw=lt=12",
                 "country=not=null", "group=not=null", "asn=ge=1",
                 "version!=2.0", "id=out=(Q-2)"):
        assert ids(text) == ["Q-1"], text
    for text in ("country=is=null", "group!=q-group", "group=is=null",
                 "asn=is=null", "city!=Shinjuku", "attr.hw==12",
                 "attr.hw=gt=11.5"):
        assert ids(text) == ["Q-2"], text
    assert ids("product==q*") == ids("attr.nope=is=null") == ["Q-1", "Q-2"]
    assert ids("id=='%'") == ids("id=='Q_1'") == ids("id==\"' or 1=1\"") == []


def test_a_device_called_count(centre):
    """A fixed word of a path wins; an escaped letter names the device."""
    centre.api("POST", "/devices", {"id": "count", "product": "x1"},
               tenant="acme")
    assert "count" in centre.api("GET", "/devices/count", tenant="acme")
    d = centre.api("GET", "/devices/%63ount", tenant="acme")
    assert d["id"] == "count"


def test_device_tokens(centre):
    centre.api("POST", "/devices", {"id": "tok", "product": "x1"},
               tenant="acme")
    refused(centre, 409, None, "POST", "/devices/tok/token",
            code="no_device_key")
    k1 = centre.api("POST", "/tenants/acme/device-keys")
    assert (k1["kid"], k1["state"]) == (1, "current")
    t1 = centre.api("POST", "/devices/tok/token", tenant="acme")
    assert len(t1["token"]) == 43 and t1["kid"] == 1
    centre.api("POST", "/tenants/acme/device-keys")
    centre.api("POST", "/tenants/acme/device-keys")
    keys = centre.api("GET", "/tenants/acme/device-keys")["items"]
    assert [(k["kid"], k["state"]) for k in keys] == [
        (2, "previous"), (3, "current")]
    t3 = centre.api("POST", "/devices/tok/token", tenant="acme")
    assert t3["token"] != t1["token"] and t3["kid"] == 3

    own = centre.api("PUT", "/devices/tok/own-token", {}, tenant="acme")
    assert centre.api("GET", "/devices/tok", tenant="acme")["own_token"]
    row = centre.sql("SELECT token_sha256 FROM device WHERE ext_id='tok'")
    assert row[0][0].lower() == "0x" + hashlib.sha256(
        own["token"].encode()).hexdigest()
    refused(centre, 400, "token", "PUT", "/devices/tok/own-token",
            {"token": "short"})
    centre.api("DELETE", "/devices/tok/own-token", tenant="acme")
    assert not centre.api("GET", "/devices/tok", tenant="acme")["own_token"]


def test_groups(centre):
    centre.api("POST", "/products", {"name": "g1"}, tenant="acme")
    centre.api("POST", "/devices/bulk", {"product": "g1", "devices": [
        {"id": "G-%d" % i, "version": "1.%d" % i} for i in range(5)]},
        tenant="acme")
    g = centre.api("POST", "/groups", {"name": "pilot"}, tenant="acme")
    assert (g["type"], g["members"]) == ("static", 0)
    r = centre.api("POST", "/groups/pilot/members",
                   {"add": ["G-1", "G-2", "G-2", "nope"]}, tenant="acme")
    assert (r["added"], r["existing"], r["bad"]) == (2, 1, 1)
    assert r["errors"] == [{"line": 4, "code": "unknown_device",
                            "id": "nope"}]
    assert centre.api("GET", "/devices/G-1", tenant="acme")["groups"] == [
        "pilot"]
    m = centre.api("GET", "/groups/pilot/members", tenant="acme")
    assert [x["id"] for x in m["items"]] == ["G-1", "G-2"]
    r = centre.api("POST", "/groups/pilot/members", {"remove": ["G-1"]},
                   tenant="acme")
    assert r["removed"] == 1
    assert centre.api("GET", "/groups/pilot", tenant="acme")["members"] == 1

    p = centre.api("POST", "/groups/preview",
                   {"filter": "product==g1 and group==pilot"}, tenant="acme")
    assert p == {"matches": 1, "examples": ["G-2"]}
    d = centre.api("POST", "/groups",
                   {"name": "new-ones", "filter": "product==g1 and "
                    "version=ge=1.3"}, tenant="acme")
    assert (d["type"], d["members"]) == ("dynamic", 2)
    p = centre.api("POST", "/groups/preview",
                   {"filter": 'group==new-ones'}, tenant="acme")
    assert p["matches"] == 2
    refused(centre, 409, "group", "POST", "/groups/new-ones/members",
            {"add": ["G-1"]}, code="group_dynamic")
    refused(centre, 400, "filter", "POST", "/groups",
            {"name": "twice", "filter": 'group==new-ones'})
    refused(centre, 404, None, "GET", "/groups/twice")
    refused(centre, 400, "name", "POST", "/groups", {"name": "a*"})
    refused(centre, 400, "filter", "POST", "/groups",
            {"name": "bad", "filter": "city=="})
    centre.api("PATCH", "/groups/new-ones", {"filter": "product==g1"},
               tenant="acme")
    assert centre.api("GET", "/groups/new-ones",
                      tenant="acme")["members"] == 5
    centre.api("PATCH", "/products/g1", {"test_group": "pilot"},
               tenant="acme")
    refused(centre, 409, None, "DELETE", "/groups/pilot",
            code="group_in_use")
    centre.api("PATCH", "/products/g1", {"test_group": None}, tenant="acme")
    centre.api("DELETE", "/groups/pilot", tenant="acme")
    assert centre.api("GET", "/devices/G-2", tenant="acme")["groups"] == []


def test_csv_import(centre):
    centre.api("POST", "/products", {"name": "c1"}, tenant="acme")
    centre.api("POST", "/groups", {"name": "csv"}, tenant="acme")

    def put(text, query=""):
        return centre.api("PUT", "/groups/csv/members" + query, body=text,
                          headers={"Content-Type": "text/csv"},
                          tenant="acme")
    lines = ["\ufeffid,comment"] + ["C-%05d,x" % i for i in range(5000)]
    lines[7] = "c" * 300
    lines[9] = '"open'
    lines[11] = '"C,""quoted""",y'
    r = put("\r\n".join(lines).encode(), "?create=1&product=c1")
    assert r["lines"] == 5001 and r["added"] == r["created"] == 4998
    assert [(e["line"], e["code"]) for e in r["errors"]] == [
        (8, "bad_id"), (10, "quote")]
    r = put(b"C-00000\nC-00001\nC-99999\n\nC-00001\n")
    assert (r["added"], r["existing"], r["bad"]) == (0, 3, 1)
    r = put(b"C-00001\nC-00002\n", "?mode=replace")
    assert (r["added"], r["existing"], r["removed"]) == (0, 2, 4996)
    out = centre.request("GET", "/api/v1/groups/csv/export", tenant="acme")
    assert out.body == b"C-00001\nC-00002\n"
    put(b'"C,""quoted"""\n')
    out = centre.request("GET", "/api/v1/groups/csv/export", tenant="acme")
    assert b'"C,""quoted"""\n' in out.body
    assert centre.api("GET", "/groups/csv", tenant="acme")["members"] == 3
    bad = b"".join(b"nobody-%d\n" % i for i in range(1500))
    r = put(bad)
    assert r["bad"] == 1500 and len(r["errors"]) == 1000 and r["truncated"]


def test_firmware_and_artifacts(centre):
    centre.api("POST", "/products", {"name": "f1"}, tenant="acme")
    for v in ("1.10.0", "1.9.0", "1.0.0"):
        centre.api("POST", "/products/f1/firmware", {"version": v},
                   tenant="acme")
    fw = centre.api("GET", "/products/f1/firmware", tenant="acme")["items"]
    assert [f["version"] for f in fw] == ["1.0.0", "1.9.0", "1.10.0"]
    refused(centre, 409, "version", "POST", "/products/f1/firmware",
            {"version": "1.0.0"})
    refused(centre, 400, "version", "POST", "/products/f1/firmware",
            {"version": "1 0"})
    refused(centre, 400, "kind", "POST", "/products/f1/firmware",
            {"version": "1", "kind": "game"})
    f = centre.api("PATCH", "/products/f1/firmware/1.9.0",
                   {"must_pass": True, "notes": "n", "release_order": 7},
                   tenant="acme")
    assert f["must_pass"] and f["release_order"] == 7
    f = centre.api("PATCH", "/products/f1/firmware/1.9.0",
                   {"release_order": None, "withdrawn": True}, tenant="acme")
    assert f["release_order"] is None and f["withdrawn"] and f["notes"] == "n"

    data = os.urandom(100000)
    sha = centre.upload(data, "my image!.bin", tenant="acme")
    up = centre.api("GET", "/uploads", tenant="acme")["items"][-1]
    a = centre.api("POST", "/products/f1/artifacts",
                   {"version": "1.10.0", "upload": up["id"]}, tenant="acme")
    assert a["sha256"] == sha and a["type"] == "full"
    assert a["name"] == "my_image_.bin" and a["signed"]
    d = centre.api("POST", "/products/f1/artifacts",
                   {"version": "1.10.0", "from": "1.9.0", "sha256": sha,
                    "format": "xdelta3", "requires": "attr.hw=ge=3"},
                   tenant="acme")
    assert (d["type"], d["from"]) == ("delta", "1.9.0")
    text = centre.request("GET", "/api/v1/artifacts/%d/manifest" % d["id"],
                          tenant="acme").body.decode()
    assert text == ("fota-artifact/1\ntenant=acme\nproduct=f1\n"
                    "version=1.10.0\nkind=os\ntype=delta\nfrom=1.9.0\n"
                    "format=xdelta3\nsha256=%s\nsize=100000\n" % sha)
    got = centre.request("GET", "/api/v1/artifacts/%d/content" % a["id"],
                         tenant="acme", headers={"Range": "bytes=10-19"})
    assert (got.status, got.body) == (206, data[10:20])
    got = centre.request("GET", "/api/v1/artifacts/%d/content" % a["id"],
                         tenant="acme", headers={"Range": "bytes=100000-"})
    assert (got.status, got.json["code"]) == (416, "range")
    got = centre.api("PATCH", "/artifacts/%d" % a["id"], {"name": "x.bin"},
                     tenant="acme")
    assert got["name"] == "x.bin" and got["sha256"] == sha
    refused(centre, 409, "sha256", "POST", "/products/f1/artifacts",
            {"version": "1.10.0", "sha256": sha})
    refused(centre, 400, "requires", "POST", "/products/f1/artifacts",
            {"version": "1.9.0", "sha256": sha, "requires": "x=="})
    refused(centre, 404, "sha256", "POST", "/products/f1/artifacts",
            {"version": "1.9.0", "sha256": "00" * 32})
    refused(centre, 400, "name", "POST", "/products/f1/artifacts",
            {"version": "1.9.0", "sha256": sha, "name": "a/b"})
    refused(centre, 409, None, "DELETE", "/products/f1/firmware/1.10.0",
            code="firmware_in_use")
    centre.api("DELETE", "/artifacts/%d" % d["id"], tenant="acme")
    refused(centre, 404, None, "GET", "/artifacts/%d" % d["id"])
    centre.api("DELETE", "/products/f1/firmware/1.9.0", tenant="acme")
    refused(centre, 404, None, "GET", "/products/f1/firmware/1.9.0")


def test_offline_signature(centre, tmp_path):
    """A key that the centre never sees, made and used with openssl."""
    key, pub = tmp_path / "k.pem", tmp_path / "p.der"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out",
                    key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform",
                    "DER", "-out", pub], check=True)
    raw = base64.b64encode(pub.read_bytes()[-32:]).decode()
    centre.api("POST", "/tenants", {"name": "off", "signer": "offline"})
    centre.api("POST", "/products", {"name": "p"}, tenant="off")
    centre.api("POST", "/products/p/firmware", {"version": "1"},
               tenant="off")
    centre.upload(b"image", tenant="off")
    up = centre.api("GET", "/uploads", tenant="off")["items"][0]
    a = centre.api("POST", "/products/p/artifacts",
                   {"version": "1", "upload": up["id"]}, tenant="off")
    assert not a["signed"]
    refused(centre, 400, "public_key", "PUT", "/tenants/off/signer",
            {"mode": "offline"}, tenant="off")
    s = centre.api("PUT", "/tenants/off/signer",
                   {"mode": "offline", "public_key": raw})
    assert s == {"public_key": raw, "kid": 1, "at_centre": False}
    path = "/artifacts/%d" % a["id"]
    text = tmp_path / "m.txt"
    text.write_bytes(centre.request("GET", "/api/v1" + path + "/manifest",
                                    tenant="off").body)
    sig = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey",
                          key, "-in", text], check=True,
                         stdout=subprocess.PIPE).stdout
    wrong = base64.b64encode(bytes([sig[0] ^ 1]) + sig[1:]).decode()
    refused(centre, 422, "signature", "PUT", path + "/signature",
            {"signature": wrong}, tenant="off")
    refused(centre, 400, "signature", "PUT", path + "/signature",
            {"signature": "AAAA"}, tenant="off")
    a = centre.api("PUT", path + "/signature",
                   {"signature": base64.b64encode(sig).decode()},
                   tenant="off")
    assert a["signed"] and a["kid"] == 1


def test_nodes(centre):
    n = centre.api("POST", "/nodes", {
        "name": "edge-1", "url": "https://e1.example:8443", "country": "JP",
        "lat": 35.5, "lon": 139.7, "asns": [64500, 64501],
        "tenants": ["acme"], "excluded": ["KP"]})
    assert n["asns"] == [64500, 64501] and n["tenants"] == ["acme"]
    assert n["families"] == ["v4", "v6"] and n["status"] is None
    n = centre.api("PATCH", "/nodes/edge-1", {"state": "drain",
                                              "families": ["v4"]})
    assert n["state"] == "drain" and n["families"] == ["v4"]
    assert n["asns"] == [64500, 64501] and n["excluded"] == ["KP"]
    refused(centre, 400, "url", "PATCH", "/nodes/edge-1", {"url": "ftp://x"})
    refused(centre, 400, "name", "POST", "/nodes",
            {"name": "a b", "url": "https://x"})
    refused(centre, 404, "group", "PATCH", "/nodes/edge-1", {"group": 9})
    g = centre.api("POST", "/node-groups", {"id": 9, "name": "nine"})
    assert g == {"id": 9, "name": "nine"}
    centre.api("PATCH", "/nodes/edge-1", {"group": 9})
    centre.api("PATCH", "/tenants/acme",
               {"default_nodes": [{"country": "JP", "node": "edge-1"}]})
    refused(centre, 404, "node", "PATCH", "/tenants/acme",
            {"default_nodes": [{"country": "JP", "node": "edge-9"}]})
    centre.api("DELETE", "/nodes/edge-1")
    assert centre.api("GET", "/tenants/acme")["default_nodes"] == []


def test_keys(centre):
    refused(centre, 409, None, "POST", "/keys/download/1/activate",
            code="no_next_key")
    k = centre.api("POST", "/keys/download/1/next")
    assert (k["kid"], k["state"]) == (2, "next")
    refused(centre, 409, None, "POST", "/keys/download/1/next")
    centre.api("POST", "/keys/download/1/activate")
    keys = [(k["kid"], k["state"]) for k in
            centre.api("GET", "/keys")["items"]
            if (k["kind"], k["scope"]) == ("download", 1)]
    assert keys == [(1, "previous"), (2, "current")]
    o = centre.api("POST", "/operator-keys")
    assert o["token"].startswith("fota_op_")
    assert len(centre.api("GET", "/operator-keys")["items"]) == 1
    centre.api("DELETE", "/operator-keys/%d" % o["kid"])
    refused(centre, 404, None, "DELETE", "/operator-keys/%d" % o["kid"])


def test_deny_and_prefixes(centre):
    d = centre.api("POST", "/deny", {"kind": "device", "device": "Z-1",
                                     "cut": True}, tenant="acme")
    assert d["subject"] == "Z-1" and d["cut"]
    tid = centre.api("GET", "/tenants/acme")["id"]
    tag = hashlib.sha256(b"dev\0" + tid.to_bytes(4, "big") + b"Z-1").digest()
    assert d["id"] == "device-" + tag[:8].hex()
    refused(centre, 400, "device", "POST", "/deny", {"kind": "device"})
    refused(centre, 404, "rollout", "POST", "/deny",
            {"kind": "rollout", "rollout": 4711})
    centre.api("DELETE", "/deny/" + d["id"], tenant="acme")
    refused(centre, 404, None, "DELETE", "/deny/" + d["id"])

    p = centre.api("PUT", "/geo-prefixes", {
        "prefix": "10.8.7.6/16", "location": {"country": "JP",
                                              "city": "大阪"}})
    assert p["prefix"] == "10.8.0.0/16" and p["location"]["city"] == "大阪"
    refused(centre, 400, "prefix", "PUT", "/geo-prefixes",
            {"prefix": "10.8.7.6/33"})
    refused(centre, 400, "location", "PUT", "/geo-prefixes",
            {"prefix": "10.0.0.0/8", "location": {"planet": "Mars"}})
    centre.api("DELETE", "/geo-prefixes/10.8.0.0%2F16")
    assert centre.api("GET", "/geo-prefixes")["items"] == []


def test_tokens_and_permissions(centre):
    t = centre.api("POST", "/tokens", {
        "name": "ci", "permissions": ["device:read", "token:*"]},
        tenant="acme")
    tok = t["token"]
    assert t["tenant"] == "acme" and t["expires_ms"] == 0
    centre.api("GET", "/devices", token=tok)
    with pytest.raises(ApiError) as e:
        centre.api("GET", "/products", token=tok)
    assert (e.value.status, e.value.problem["code"]) == (403, "permission")
    with pytest.raises(ApiError) as e:
        centre.api("POST", "/tokens", {"name": "x", "permissions": ["*"]},
                   token=tok)
    assert e.value.problem["code"] == "permission"
    with pytest.raises(ApiError) as e:
        centre.api("GET", "/nodes", token=tok)
    assert e.value.status == 403
    sub = centre.api("POST", "/tokens", {
        "name": "sub", "permissions": ["device:read"], "expires_in_s": 60},
        token=tok)
    centre.api("GET", "/devices", token=sub["token"])
    centre.sql("UPDATE api_token SET expires = 1 WHERE id = %d" % sub["id"])
    with pytest.raises(ApiError) as e:
        centre.api("GET", "/devices", token=sub["token"])
    assert e.value.status == 401
    centre.api("DELETE", "/tokens/%d" % t["id"], tenant="acme")
    with pytest.raises(ApiError) as e:
        centre.api("GET", "/devices", token=tok)
    assert e.value.status == 401
    listed = centre.api("GET", "/tokens", tenant="acme")["items"]
    assert all("token" not in x for x in listed)
    for word in ("device", "device:", ":read", "Device:read", "a:b:c"):
        refused(centre, 400, "permissions", "POST", "/tokens",
                {"name": "x", "permissions": [word]})


def test_bad_requests(centre):
    r = centre.request("POST", "/api/v1/products", body=b"{bad",
                       headers={"Content-Type": "application/json"},
                       tenant="acme")
    assert (r.status, r.json["code"]) == (400, "bad_json")
    r = centre.request("POST", "/api/v1/products", body=b'{"a":1,"a":2}',
                       headers={"Content-Type": "application/json"},
                       tenant="acme")
    assert r.json["code"] == "bad_json"
    r = centre.request("POST", "/api/v1/products", body=b'name=x',
                       headers={"Content-Type":
                                "application/x-www-form-urlencoded"},
                       tenant="acme")
    assert (r.status, r.json["code"]) == (415, "content_type")
    r = centre.request("POST", "/api/v1/products", body=b'[]',
                       headers={"Content-Type": "application/json"},
                       tenant="acme")
    assert r.status == 400
    r = centre.request("POST", "/api/v1/products", body=b'"%s"' % (b"x" * 300000),
                       headers={"Content-Type": "application/json"},
                       tenant="acme")
    assert (r.status, r.json["code"]) == (413, "body_too_large")
    r = centre.request("GET", "/api/v1/products/%ff%fe", tenant="acme")
    assert (r.status, r.json["code"]) == (400, "path")
    r = centre.request("GET", "/api/v1/products/a%00b", tenant="acme")
    assert r.status == 400
    r = centre.request("DELETE", "/api/v1/status")
    assert r.status == 405 and r.headers["Allow"] == "GET"
    r = centre.request("GET", "/api/v1/products")
    assert (r.status, r.json["code"]) == (400, "tenant_needed")
    r = centre.request("GET", "/api/v1/products?tenant=nobody")
    assert (r.status, r.json["code"]) == (404, "tenant_unknown")
    for path, field in (("products?tenant=" + "x" * 129, "tenant"),
                        ("products/" + "x" * 129, "product"),
                        ("devices?product=" + "x" * 129, "product"),
                        ("devices/" + "x" * 257, "device"),
                        ("groups/" + "x" * 129, "group"),
                        ("nodes/" + "x" * 129, "node")):
        r = centre.request("GET", "/api/v1/" + path,
                           tenant=None if field == "tenant" else "acme")
        assert (r.status, r.json["code"]) == (400, "field_limit"), path
        assert r.json["field"] == field and "limit" in r.json["detail"]
    r = centre.request("GET", "/api/v1/status", token="fota_pat_wrong")
    assert r.status == 401 and "Bearer" in r.headers["WWW-Authenticate"]
    assert len(r.json["request_id"]) == 32
    assert r.headers["X-Request-Id"] == r.json["request_id"]


def test_node_header_from_outside_is_dropped(centre):
    centre.api("POST", "/nodes", {"name": "edge-n", "url": "https://n"})
    r = centre.request("GET", "/sync/v1/keys",
                       headers={"X-Fota-Node": "edge-n"})
    assert r.status == 403
    r = centre.request("GET", "/sync/v1/keys", node="edge-n")
    assert r.status == 200
    r = centre.request("GET", "/sync/v1/keys", node="edge-unknown")
    assert r.status == 403
    r = centre.request("GET", "/_objects/" + "0" * 64)
    assert r.status == 404


def raw(centre, lines):
    """Status and body of a request that no client library would send."""
    context = ssl.create_default_context(cafile=centre.ca)
    with socket.create_connection(("127.0.0.1", centre.port)) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as s:
            s.settimeout(10)
            s.sendall(lines)
            answer = b""
            while b"}" not in answer:
                piece = s.recv(65536)
                if not piece:
                    break
                answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("line,code", [
    (b"GET /api/v1/products/%zz HTTP/1.1", 400),
    (b"GET /api/v1/products/a%00b HTTP/1.1", 400),
    (b"GET /../etc/passwd HTTP/1.1", 400),
    (b"GET /nothing HTTP/1.1", 404),
    (b"GET /_problem HTTP/1.1", 404),
    (b"TRACE /api/v1/products HTTP/1.1", 405),
    (b"GET /" + b"a" * 40000 + b" HTTP/1.1", 414),
    (b"GET / HTTP/1.1\r\nX: " + b"a" * 40000, 400),
    (b"GET /sync/v1/keys HTTP/1.1", 403),
    (b"POST /healthz HTTP/1.1\r\nContent-Length: 2000000", 413),
])
def test_what_nginx_refuses_is_a_problem_too(centre, line, code):
    status, problem = raw(centre, line + b"\r\nHost: a\r\n\r\n")
    assert status == code == problem["status"]
    assert problem["code"] and problem["detail"]
    assert len(problem["request_id"]) == 32


def test_dead_centre_is_a_problem_too(centre):
    centre.kill_admin()
    r = centre.request("GET", "/api/v1/status")
    centre.start_admin()
    assert (r.status, r.json["code"]) == (502, "unavailable")
    assert r.headers["Content-Type"] == "application/problem+json"
    assert int(r.headers["Retry-After"]) > 0
    centre.api("GET", "/status")


def test_every_change_is_audited(centre):
    """One row for each request that changed something, by request id."""
    line = re.compile(r"info: (POST|PUT|PATCH|DELETE) (\S+) 2\d\d .* "
                      r"([0-9a-f]{32})$")
    reads = re.compile(r"/groups/preview$|/devices/[^/]+/token$")
    audited = {r[0] for r in centre.sql("SELECT request_id FROM audit_log")}
    seen, missing = set(), []
    with open(centre.log) as f:
        for text in f:
            m = line.search(text.rstrip("\n"))
            if not m or reads.search(m[2]):
                continue
            if m[1] == "PATCH" and "/uploads/" in m[2]:
                continue        # bytes of an upload that is audited
            seen.add((m[1], re.sub(r"[^/]*[0-9%-][^/]*", "*", m[2][8:])))
            if m[3] not in audited:
                missing.append(m[0])
    assert missing == []
    assert len(seen) > 40


def test_audit_chain(centre):
    centre.api("POST", "/products", {"name": "aud"}, tenant="acme")
    centre.api("PATCH", "/products/aud", {"title": "T"}, tenant="acme")
    log = centre.api("GET", "/audit?object=product/aud",
                     tenant="acme")["items"]
    assert [e["action"] for e in log] == ["product:update", "product:create"]
    assert log[0]["before"]["title"] == "" and log[0]["after"]["title"] == "T"
    assert log[0]["actor"].endswith("/init") and log[0]["address"] != ""
    v = centre.api("GET", "/audit/verify")
    assert v["ok"] and v["first_bad"] is None and v["rows"] > 10
    text = "".join(r[0] for r in centre.sql(
        "SELECT CONCAT(COALESCE(before_json,''), COALESCE(after_json,''))"
        " FROM audit_log"))
    assert "fota_pat_" not in text and "fota_gw_" not in text
    row = log[1]["id"]
    centre.sql("UPDATE audit_log SET actor='nobody' WHERE id=%d" % row)
    v = centre.api("GET", "/audit/verify")
    assert not v["ok"] and v["first_bad"] == row
    centre.sql("UPDATE audit_log SET actor='%s' WHERE id=%d"
               % (log[1]["actor"], row))
    last = centre.sql("SELECT MAX(id) FROM audit_log")[0][0]
    assert centre.api("GET", "/audit/verify")["ok"]
    centre.sql("DELETE FROM audit_log WHERE id=" + last)
    v = centre.api("GET", "/audit/verify")
    assert not v["ok"] and v["first_bad"] == int(last)


def test_no_secret_in_log(centre):
    with open(centre.log) as f:
        text = f.read()
    assert "fota_pat_" not in text and "fota_gw_" not in text
    assert centre.token not in text
