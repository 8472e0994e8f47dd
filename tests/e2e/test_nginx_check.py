# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Checks at a real nginx: forms of requests, bad input, authentication,
databases that are missing, broken, replaced or too new, explain."""

import http.client
import json
import os
import re
import shutil
import socket
import time

import pytest

from support.edge import (DEVICE_KEY, GATEWAY, OPERATOR, Edge,
                          certificates, policy, spool_records, tool,
                          wait_for)
from support.mmdb import maxmind, write_mmdb

Q = "/fota/v1/check?tenant=acme&product=cam&device=dev-1&version=1.0.0"


@pytest.fixture(scope="module")
def edge():
    with Edge(policy()) as e:
        yield e


# Requests

def test_get_and_post_decide_the_same(edge):
    one = edge.get(Q)
    two = edge.check()
    assert one.status == two.status == 200
    a, b = one.json, two.json
    for j in (a, b):
        assert j["update"] and j["version"] == "1.1.0"
        assert [u["pri"] for u in j.pop("urls")] == [1]
    assert a == b
    assert one.headers["Content-Type"] == "application/json"
    assert one.headers["Cache-Control"] == "no-store"


def test_head_has_no_body(edge):
    r = edge.request("HEAD", Q)
    assert r.status == 200 and r.body == b""


def test_chunked_body(edge):
    body = json.dumps({"tenant": "acme", "product": "cam", "device": "d",
                       "version": "1.0.0"}).encode()
    chunks = (body[i:i + 7] for i in range(0, len(body), 7))
    r = edge.request("POST", "/fota/v1/check", chunks,
                     {"Transfer-Encoding": "chunked"}, chunked=True)
    assert r.status == 200 and r.json["update"]


def test_a_body_that_comes_slowly(edge):
    body = json.dumps({"tenant": "acme", "product": "cam", "device": "d",
                       "version": "1.1.0"}).encode()
    with socket.create_connection(("127.0.0.1", edge.port)) as s:
        s.sendall(b"POST /fota/v1/check HTTP/1.1\r\nHost: x\r\n"
                  b"Content-Length: %d\r\n\r\n" % len(body))
        for i in range(len(body)):
            s.sendall(body[i:i + 1])
            if i % 20 == 0:
                time.sleep(0.01)
        r = http.client.HTTPResponse(s)
        r.begin()
        assert r.status == 200
        assert json.loads(r.read())["reason"] == "up_to_date"


def test_keepalive_after_every_kind_of_answer(edge):
    c = edge.connect()
    for i in range(20):
        c.request("POST", "/fota/v1/check", '{"tenant":"acme"}')
        r = c.getresponse()
        r.read()
        assert r.status == 400
        c.request("GET", Q)
        r = c.getresponse()
        assert r.status == 200 and json.loads(r.read())["update"]
    c.close()


HIDDEN = b"GET /fota/v1/check HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("line,n,status", [
    (b"POST /fota/v1/check", 2000, b"413"),
    (b"PUT /fota/v1/check", 3, b"405"),
    (b"POST /fota/v1/report", 2000, b"413"),
    (b"GET /fota/v1/report", 3, b"405"),
    (b"POST /fota/v1/explain", 3, b"405"),
    (b"POST /metrics", 3, b"405"),
    (b"GET /healthz", 3, b"200"),
    (b"GET /a/" + b"A" * 43, 3, b"401"),
    (b"GET /a/" + b"A" * 43 + b"?t=x", 3, b"403"),
])
def test_a_body_that_is_not_wanted_is_no_request(edge, line, n, status):
    """What a proxy in front takes for a body must be one for us as well."""
    body = HIDDEN * n
    with socket.create_connection(("127.0.0.1", edge.port)) as s:
        s.settimeout(20)
        s.sendall(line + b" HTTP/1.1\r\nHost: x\r\nContent-Length: %d"
                  b"\r\n\r\n%sGET /last HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: close\r\n\r\n" % (len(body), body))
        got = b""
        while more := s.recv(65536):
            got += more
    assert re.findall(rb"HTTP/1.1 (\d+)", got) == [status, b"404"]


def test_a_body_that_is_announced_is_refused_unseen(edge):
    with socket.create_connection(("127.0.0.1", edge.port)) as s:
        s.settimeout(20)
        s.sendall(b"POST /fota/v1/check HTTP/1.1\r\nHost: x\r\n"
                  b"Expect: 100-continue\r\nContent-Length: 70000\r\n\r\n")
        got = s.recv(65536)
        assert got.startswith(b"HTTP/1.1 413 "), got
        assert b"Connection: close" in got


def field(answer, status, code, name):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    j = answer.json
    assert j["status"] == status
    assert j["code"] == code
    assert j.get("field") == name
    return j


@pytest.mark.parametrize("more,name", [
    ({"device": ""}, "device"),
    ({"device": "x" * 257}, "device"),
    ({"device": 7}, "device"),
    ({"version": "x" * 129}, "version"),
    ({"kind": "bios"}, "kind"),
    ({"attrs": [1]}, "attrs"),
    ({"attrs": {"a": "x" * 257}}, "attrs.a"),
    ({"avoid": ["n"] * 5}, "avoid"),
])
def test_a_bad_field_is_named(edge, more, name):
    j = field(edge.check(**more), 400, "bad_field", name)
    assert j["detail"]


@pytest.mark.parametrize("body", [
    "", "{", "[]", "nul", '{"tenant":"acme","tenant":"x"}',
    '{"tenant":"\ud800"}'.encode("utf-8", "surrogatepass"),
    "[" * 40, '{"a":' * 20 + "1" + "}" * 20,
])
def test_a_body_that_is_no_request(edge, body):
    r = edge.request("POST", "/fota/v1/check", body)
    assert r.status == 400, r
    assert r.json["code"] == "bad_field"


def test_body_limit(edge):
    big = '{"x":"' + "y" * 65529 + '"}'
    assert len(big) == 65537
    field(edge.request("POST", "/fota/v1/check", big), 413, "too_large",
          "body")
    r = edge.request("POST", "/fota/v1/check", iter([big.encode()]),
                     {"Transfer-Encoding": "chunked"}, chunked=True)
    field(r, 413, "too_large", "body")
    r = edge.request("POST", "/fota/v1/check", big[:65534] + '"}')
    assert r.status == 400


def test_unknown_tenant_and_product(edge):
    field(edge.check(tenant="nobody"), 404, "unknown_tenant", "tenant")
    field(edge.check(tenant="*"), 404, "unknown_tenant", "tenant")
    field(edge.check(product="toaster"), 404, "unknown_product", "product")
    field(edge.check(tenant="other"), 404, "unknown_product", "product")


def test_method(edge):
    for method, path, allowed in (
            ("DELETE", "/fota/v1/check", "GET, HEAD, POST"),
            ("GET", "/fota/v1/report", "POST"),
            ("POST", "/fota/v1/explain", "GET, HEAD")):
        r = edge.request(method, path)
        field(r, 405, "method", None)
        assert r.headers["Allow"] == allowed


def test_variables_are_logged(edge):
    edge.check(device="logged-device")
    line = wait_for("line", lambda: [
        v for v in edge.access() if v["device"] == "logged-device"])[0]
    assert line["tenant"] == "acme" and line["product"] == "cam"
    assert line["decision"] == "update" and line["reason"] == "offer"
    assert line["deployment"] == "7" and line["policy_seq"] == "5"
    assert line["node"] == "edge-1"
    assert len(line["token_nonce"]) == 16


def test_the_token_never_reaches_the_log(edge):
    url = edge.check().json["urls"][0]["url"]
    token = url.split("?t=")[1]
    edge.get(url.split(str(edge.port))[1])
    edge.get(url.split(str(edge.port))[1] + "&x=1")
    wait_for("line", lambda: [v for v in edge.access()
                              if v["uri"].endswith("?x=1")])
    with open(edge.access_log) as f:
        text = f.read() + edge.log()
    assert token not in text


# Authentication

def derived(device, tenant=1):
    return tool("device-token", "key=" + DEVICE_KEY,
                "tenant=%d" % tenant, "device=" + device)


def bearer(token, scheme="Bearer"):
    return {"Authorization": "%s %s" % (scheme, token)}


@pytest.fixture(scope="module")
def guarded():
    spec = policy(auth=("gateway", "device"))
    spec["devices"] = [{"tenant": 1, "id": "own", "token": "my-own-token"}]
    with Edge(spec) as e:
        yield e


@pytest.mark.parametrize("device,headers,status", [
    ("dev-1", {}, 401),
    ("dev-1", bearer(""), 401),
    ("dev-1", bearer("wrong"), 401),
    ("dev-1", {"Authorization": "Basic " + GATEWAY}, 401),
    ("dev-1", {"Authorization": GATEWAY}, 401),
    ("dev-1", bearer(GATEWAY), 200),
    ("dev-1", bearer(GATEWAY, "GatewayToken"), 200),
    ("dev-1", bearer(GATEWAY, "gatewaytoken"), 200),
    ("dev-1", bearer(GATEWAY, "TargetToken"), 401),
    ("dev-1", bearer(OPERATOR), 401),
    ("dev-1", "derived:dev-1", 200),
    ("dev-1", "derived:dev-2", 401),
    ("dev-1", "derived2:dev-1", 401),
    ("own", "derived:own", 401),
    ("own", bearer("my-own-token"), 200),
    ("own", bearer("my-own-token", "TargetToken"), 200),
    ("own", bearer("my-own-token", "GatewayToken"), 401),
    ("dev-1", bearer("my-own-token"), 401),
])
def test_tokens_of_devices(guarded, device, headers, status):
    if isinstance(headers, str):
        kind, name = headers.split(":")
        headers = bearer(derived(name, 2 if kind == "derived2" else 1))
    for r in (guarded.check(device=device, headers=headers),
              guarded.report(device=device, headers=headers)):
        assert r.status == (202 if status == 200 and "id" in r.json
                            else status), r
        if status == 401:
            assert r.headers["WWW-Authenticate"].startswith("Bearer")
            assert r.json["code"] == "unauthorized"


def test_the_place_must_allow_a_method_too():
    spec = policy(auth=("open", "gateway", "device"))
    with Edge(spec, auth="device") as e:
        assert e.check().status == 401
        assert e.check(headers=bearer(GATEWAY)).status == 401
        assert e.check(headers=bearer(derived("dev-1"))).status == 200


def test_mutual_tls(tmp_path):
    tls = certificates(str(tmp_path))
    mine = tls["issue"]("mine", "/O=Acme/CN=dev-1")
    odd = tls["issue"]("odd", "/O=Acme/CN=dev,1\\+x")
    two = tls["issue"]("two", "/O=Acme/CN=dev-1/CN=dev-2")
    spec = policy(auth=("mtls",))
    spec["tenants"][0]["issuers"] = ["CN=Device CA,O=Acme"]
    spec["products"].append(dict(spec["products"][0], tenant=2, id=9))
    with Edge(spec, tls=tls) as e:
        assert e.check(cert=mine).status == 200
        assert e.check(cert=None).status == 401
        assert e.check(cert=False).status == 401
        assert e.report(cert=mine).status == 202

        r = e.check(device="dev-2", cert=mine)
        assert (r.status, r.json["code"]) == (403, "wrong_device")
        assert e.check(device="dev,1\\+x", cert=odd).status in (200, 403)
        assert e.check(device="dev-1", cert=two).status == 403

        # The same authority is not one of the other tenant.
        r = e.check(tenant="other", cert=mine)
        assert (r.status, r.json["code"]) == (403, "wrong_issuer")


# The database

def no_policy(edge):
    r = edge.check()
    return (r.status == 503 and r.json["code"] == "no_policy"
            and int(r.headers["Retry-After"]) > 0 and r)


def well(edge):
    return edge.check().status == 200


def test_missing_then_there_then_missing():
    with Edge(None) as e:
        assert no_policy(e)
        assert e.get("/healthz").status == 200
        assert e.get("/readyz").status == 503
        worker = e.worker_pids()
        e.write(policy())
        wait_for("policy", lambda: well(e))
        assert e.get("/readyz").status == 200
        shutil.rmtree(e.db)
        wait_for("503", lambda: no_policy(e))
        e.write(policy())
        wait_for("policy", lambda: well(e))
        assert e.worker_pids() == worker


def test_broken_and_mended():
    with Edge(policy()) as e:
        assert well(e)
        worker = e.worker_pids()
        gen = os.path.join(e.db, "gen-77")
        for garbage in (b"", b"x", b"not a database" * 1000,
                        os.urandom(1 << 20)):
            os.makedirs(gen, exist_ok=True)
            with open(os.path.join(gen, "data.mdb"), "wb") as f:
                f.write(garbage)
            link = os.path.join(e.db, "current")
            os.symlink("gen-77", link + ".x")
            os.replace(link + ".x", link)
            wait_for("503", lambda: no_policy(e))
            shutil.rmtree(gen)
            e.write(policy())
            wait_for("policy", lambda: well(e))
        assert e.worker_pids() == worker


def spoil(path, offset, byte):
    """Over what is there, without a change of size."""
    with open(path, "r+b") as f:
        n = os.path.getsize(path) - offset
        f.seek(offset)
        f.write(bytes([byte]) * n)


@pytest.mark.parametrize("damage", [
    lambda path: os.truncate(path, 0),
    lambda path: os.truncate(path, 2 * 4096),
    lambda path: os.truncate(path, os.path.getsize(path) // 2),
    lambda path: shutil.copyfile("/etc/passwd", path),
    lambda path: spoil(path, 0, 0),
    lambda path: spoil(path, 8192, 0xff),
    lambda path: spoil(path, 8192, 0x55),
], ids=["emptied", "tables", "half", "other", "zeros", "ones", "garbage"])
def test_damaged_where_it_lies(damage):
    """Under the map of a running worker, and for a worker that starts."""
    spec = policy()
    spec["devices"] = [{"tenant": 1, "id": "dev-%d" % i, "test": True}
                       for i in range(1000)]
    with Edge(spec) as e:
        path = os.path.join(e.db, "current", "data.mdb")
        good = path + ".good"
        shutil.copyfile(path, good)
        worker, = e.worker_pids()

        def bad():
            for i in range(0, 1000, 50):
                r = e.check(device="dev-%d" % i)
                assert r.status in (200, 503), r
                if r.status == 503:
                    assert int(r.headers["Retry-After"]) > 0
                    return True
            return e.get("/metrics").status != 200

        assert e.check(device="dev-999").status == 200
        damage(path)
        wait_for("503", bad)
        assert e.get("/healthz").status == 200
        assert e.get("/metrics").status == 200

        e.reload()
        wait_for("503", bad)
        newer, = set(e.worker_pids()) - {worker}

        # Mended in its place, then by a new one.
        shutil.copyfile(good, path)
        wait_for("policy", lambda: well(e))
        damage(path)
        wait_for("503", bad)
        shutil.rmtree(os.path.join(e.db, os.readlink(
            os.path.join(e.db, "current"))))
        os.remove(os.path.join(e.db, "current"))
        e.write(spec)
        wait_for("policy", lambda: well(e))
        assert newer in e.worker_pids()
        assert "exited on signal" not in e.log()


def test_replaced_by_a_new_generation():
    with Edge(policy(seq=5)) as e:
        assert e.check().json["policy_seq"] == 5
        e.write(policy(seq=6, epoch=12))
        wait_for("seq 6", lambda: e.check().json["policy_seq"] == 6)
        assert e.check().json["policy_epoch"] == "000000000000000c"


def test_too_new_and_back():
    with Edge(policy()) as e:
        assert well(e)
        e.write(policy(seq=6))
        path = os.path.join(e.db, os.readlink(os.path.join(e.db,
                                                           "current")))
        # The head record: table 0, version, format u32, epoch, seq.
        head = (b"\x00\x01" + (1).to_bytes(4, "little")
                + (11).to_bytes(8, "little") + (6).to_bytes(8, "little"))
        with open(os.path.join(path, "data.mdb"), "rb") as f:
            data = f.read()
        assert head in data
        newer = data.replace(head, b"\x00\x01" + (2).to_bytes(4, "little")
                             + head[6:])
        os.makedirs(path + "0")
        with open(os.path.join(path + "0", "data.mdb"), "wb") as f:
            f.write(newer)
        link = os.path.join(e.db, "current")
        os.symlink(os.path.basename(path) + "0", link + ".x")
        os.replace(link + ".x", link)
        wait_for("503", lambda: no_policy(e))
        assert "too old" in e.check().json["detail"]
        e.write(policy(seq=7))
        wait_for("policy", lambda: well(e))


def test_a_change_is_seen_at_once():
    with Edge(policy()) as e:
        assert e.check().json["update"]
        e.patch({"devices": [{"tenant": 1, "id": "dev-1",
                              "blocked": True}]})
        assert e.check().json["reason"] == "blocked"
        spec = policy()
        spec["products"][0]["rollouts"][0]["state"] = "paused"
        e.patch({"products": spec["products"]})
        r = e.check(device="dev-9").json
        assert (r["update"], r["reason"]) == (False, "paused")


# Places and nodes

NODES = [
    {"id": 1, "name": "tokyo", "group": 1, "url": "https://t", "lat": 35.6,
     "lon": 139.7, "country": "JP", "continent": "AS", "site": "a",
     "cap_mbps": 1000},
    {"id": 2, "name": "berlin", "group": 2, "url": "https://b", "lat": 52.5,
     "lon": 13.4, "country": "DE", "continent": "EU", "site": "b",
     "cap_mbps": 1000},
]


def test_prefix_table_before_database_and_only_known_groups():
    spec = policy(nodes=NODES, prefixes=[
        {"prefix": "127.0.0.0/8",
         "location": {"country": "DE", "city": "Berlin", "lat": 52.5,
                      "lon": 13.4}}])
    with Edge(spec, node="tokyo") as e:
        # No key of Berlin's group here, so it cannot be named.
        r = e.check().json
        assert [u["node"] for u in r["urls"]] == ["tokyo"]
        e.patch({"keys": [{"kind": "download", "scope": 2, "kid": 4,
                           "secret": "22" * 32}]})
        r = e.check().json
        assert r["urls"][0]["node"] == "berlin"
        assert e.check(avoid=["berlin"]).json["urls"][0]["node"] == "tokyo"
        line = wait_for("line", e.access)[-1]
        assert (line["geo_cc"], line["geo_src"]) == ("DE", "prefix")


def test_no_node_may_serve():
    spec = policy(nodes=[dict(NODES[0], tenants=[2])])
    with Edge(spec, node="tokyo") as e:
        r = e.check().json
        assert (r["update"], r["reason"]) == (False, "capacity")
        assert 0 < r["poll_s"] <= 330


def test_the_database_of_places_is_replaced_while_serving(tmp_path):
    name = str(tmp_path / "geo.mmdb")
    write_mmdb(name, {"127.0.0.0/8": maxmind("JP", city="Tokyo")})
    rollouts = [{"id": 7, "target": "1.1.0", "include": ["JP"],
                 "geo_unknown_allow": False}]
    with Edge(policy(rollouts=rollouts),
              http="fota_geoip %s auto_reload=1s;" % name) as e:
        assert e.check().json["reason"] == "offer"
        write_mmdb(name + ".new", {"127.0.0.0/8": maxmind("DE")})
        os.replace(name + ".new", name)
        wait_for("DE", lambda: e.check().json["reason"] == "geo")
        with open(name + ".new", "wb") as f:
            f.write(b"broken")
        os.replace(name + ".new", name)
        wait_for("refusal", lambda: "the old one stays" in e.log())
        assert e.check().json["reason"] == "geo"


# Explain

EXPLAIN = "/fota/v1/explain" + Q[len("/fota/v1/check"):]


def test_explain_wants_an_operator(edge):
    for headers in ({}, bearer("wrong"), bearer(GATEWAY)):
        r = edge.get(EXPLAIN, headers)
        assert r.status == 401 and r.json["code"] == "unauthorized"
    # A stranger does not even learn that a field is missing.
    assert edge.get("/fota/v1/explain").status == 401


def test_explain_equals_the_decision_and_offers_nothing(edge):
    r = edge.get(EXPLAIN, bearer(OPERATOR))
    assert r.status == 200, r
    j = r.json
    assert j["decision"]["reason"] == edge.get(Q).json["reason"] == "offer"
    assert j["rollouts"][0]["reason"] == "offer"
    assert j["nodes"][0]["reason"] == "picked"
    assert j["policy"]["seq"] == 5
    assert b"?t=" not in r.body and b"urls" not in r.body


def test_explain_takes_time_and_address(edge):
    j = edge.get(EXPLAIN + "&at=2027-01-31T23:00:00%2B09:00",
                 bearer(OPERATOR)).json
    assert j["policy"]["now"] == 1801404000
    assert edge.get(EXPLAIN + "&at=1234567890",
                    bearer(OPERATOR)).json["policy"]["now"] == 1234567890
    for bad, name in (("&at=yesterday", "at"), ("&ip=1.2.3", "ip"),
                      ("&at=2027-13-01T00:00:00Z", "at")):
        field(edge.get(EXPLAIN + bad, bearer(OPERATOR)), 400, "bad_field",
              name)
    assert edge.get(EXPLAIN + "&ip=2001:db8::1",
                    bearer(OPERATOR)).status == 200


# The hook

@pytest.fixture
def hooked(tmp_path):
    made = []

    def make(text, http="", rollouts=None):
        name = str(tmp_path / "hook.lua")
        with open(name, "w") as f:
            f.write(text)
        e = Edge(policy(rollouts=rollouts),
                 http="fota_lua %s; %s" % (name, http))
        made.append(e)
        return e

    yield make
    for e in made:
        e.stop()


def test_hook_denies_defers_and_adds(hooked):
    e = hooked("""return function(ctx)
        if ctx.device.id == "deny" then return {action = "deny"} end
        if ctx.device.id == "defer" then
            return {action = "defer", after = 1000} end
        return {fields = {note = "hi"}, rate_class = 3}
    end""")
    r = e.check(device="deny").json
    assert (r["update"], r["reason"]) == (False, "hook")
    r = e.check(device="defer").json
    assert r["reason"] == "hook" and 900 <= r["poll_s"] <= 1100
    r = e.check(device="x").json
    assert r["update"] and r["hook"] == {"note": "hi"}
    assert e.metrics()["fota_lua_calls_total"] == 3


@pytest.mark.parametrize("body", [
    "while true do end",
    "local t = {} while true do t[#t + 1] = ('x'):rep(1) .. #t end",
    "pcall(function() while true do end end) return {action = 'deny'}",
    "error('oops')",
    "return {action = 'explode'}",
])
@pytest.mark.parametrize("closed", [False, True])
def test_hook_that_fails_leaves_the_worker_serving(hooked, body, closed):
    e = hooked("return function(ctx) %s end" % body,
               "fota_lua_fail closed;" if closed else "")
    worker = e.worker_pids()
    for i in range(5):
        r = e.check().json
        assert r["reason"] == ("hook" if closed else "offer")
        assert r["update"] is not closed
    assert e.worker_pids() == worker
    assert e.metrics()["fota_lua_errors_total"] == 5


def test_hook_sees_local_time(hooked):
    e = hooked("""return function(ctx)
        return {fields = {hour = ctx.local_time.hour}} end""")
    utc = time.gmtime().tm_hour
    r = e.check(tz="+09:00").json
    assert int(r["hook"]["hour"]) in ((utc + 9) % 24, (utc + 10) % 24)


def test_beside_debians_lua_module(tmp_path):
    so = "/usr/lib/nginx/modules/ngx_http_lua_module.so"
    ndk = "/usr/lib/nginx/modules/ndk_http_module.so"
    if os.environ.get("FOTA_ASAN") == "1":
        pytest.skip("the distribution's module does not load into an nginx "
                    "of another build")
    if not os.path.exists(so):
        pytest.skip("not installed")
    name = str(tmp_path / "hook.lua")
    with open(name, "w") as f:
        f.write("return function(ctx) return {fields = {a = 1}} end")
    e = Edge(policy(), start=False, http="fota_lua %s;" % name,
             server='location /lua { content_by_lua_block '
                    '{ ngx.print("lua") } }')
    text = open(e.conf).read()
    with open(e.conf, "w") as f:
        f.write("load_module %s;\nload_module %s;\n" % (ndk, so) + text)
    e.allowed.append("lua_resty_core|resty.core|alert.*lua")
    e.start()
    with e:
        assert e.get("/lua").body == b"lua"
        assert e.check().json["hook"] == {"a": "1"}


# Seen

def test_seen_is_said_once_and_on_change():
    with Edge(policy(), server="fota_seen on interval=1h;") as e:
        for version in ("1.0.0", "1.0.0", "1.1.0", "1.1.0"):
            e.check(version=version)
        e.check(device="dev-2")
        e.report()
        got = [r[2] for r in spool_records(e.spool) if r[2]["t"] == "seen"]
        assert [(r["device"], r["version"], r["reason"]) for r in got] == [
            ("dev-1", "1.0.0", "offer"), ("dev-1", "1.1.0", "up_to_date"),
            ("dev-2", "1.0.0", "offer")]
