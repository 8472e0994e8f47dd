# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Wrong and hostile requests of devices and operators: clear answers."""

import json
import urllib.parse

import pytest

from support.stack import image, wait_for

LONG = "x" * 5000


@pytest.fixture(scope="module")
def fleet(stack):
    fleet = stack.fleet("input")
    fleet.data = image(200000, 80)
    fleet.firmware("1.1.0", fleet.data)
    fleet.running = fleet.rollout("1.1.0")
    fleet.wait_offer()
    return fleet


def problem(answer, status, field=None):
    assert answer.status == status, (answer.status, answer.body)
    kind = {k.lower(): v for k, v in answer.headers.items()}["content-type"]
    assert kind.split(";")[0] == "application/problem+json"
    body = answer.json
    assert body["status"] == status and body["code"] and body["title"]
    if field is not None:
        assert body["field"].startswith(field), body
        assert body["detail"]
    return body


CHECK = [
    ("tenant", "x" * 129, "tenant"), ("tenant", "", "tenant"),
    ("tenant", 7, "tenant"), ("tenant", None, "tenant"),
    ("product", "x" * 129, "product"), ("product", None, "product"),
    ("device", "x" * 257, "device"), ("device", "", "device"),
    ("device", "a\nb", "device"), ("device", None, "device"),
    ("version", "x" * 129, "version"), ("version", {}, "version"),
    ("tz", "x" * 49, "tz"), ("kind", "kernel", "kind"),
    ("kind", 1, "kind"), ("delta", "no", "delta"),
    ("avoid", "edge-1", "avoid"), ("avoid", ["n"] * 5, "avoid"),
    ("avoid", [1], "avoid"), ("avoid", ["x" * 129], "avoid"),
    ("attrs", [], "attrs"),
    ("attrs", {str(i): "v" for i in range(65)}, "attrs"),
    ("attrs", {"x" * 129: "v"}, "attrs"),
    ("attrs", {"hw": "v" * 257}, "attrs"), ("attrs", {"hw": {}}, "attrs"),
]

REPORT = [
    ("tenant", "x" * 129, "tenant"), ("product", "x" * 129, "product"),
    ("device", "x" * 257, "device"), ("rollout", 0, "rollout"),
    ("rollout", None, "rollout"), ("rollout", 1 << 32, "rollout"),
    ("rollout", "one", "rollout"), ("attempt", 65536, "attempt"),
    ("attempt", -1, "attempt"), ("seq", 1 << 32, "seq"),
    ("state", "done", "state"), ("state", None, "state"),
    ("progress", 101, "progress"), ("version", "x" * 129, "version"),
    ("artifact", "zz", "artifact"), ("artifact", "0" * 63, "artifact"),
    ("node", "x" * 129, "node"), ("error", "E", "error"),
    ("error", {"code": "x" * 65}, "error.code"),
    ("error", {"text": "x" * 513}, "error.text"),
    ("bytes", -1, "bytes"), ("ms", 1.5, "ms"),
]


def ids(cases):
    return ["%s-%d" % (c[0], i) for i, c in enumerate(cases)]


@pytest.mark.parametrize("name,value,field", CHECK, ids=ids(CHECK))
def test_check_field(stack, fleet, name, value, field):
    body = {"tenant": fleet.tenant, "product": fleet.product,
            "device": "in-1", "version": "1.0.0"}
    body[name] = value
    if value is None:
        del body[name]
    problem(stack.edges[0].request("POST", "/fota/v1/check", body), 400,
            field)


@pytest.mark.parametrize("name,value,field", REPORT, ids=ids(REPORT))
def test_report_field(stack, fleet, name, value, field):
    body = {"tenant": fleet.tenant, "product": fleet.product,
            "device": "in-1", "rollout": fleet.running,
            "state": "installing"}
    body[name] = value
    if value is None:
        del body[name]
    problem(stack.edges[0].request("POST", "/fota/v1/report", body), 400,
            field)


def test_check_query(stack, fleet):
    edge = stack.edges[0]
    good = {"tenant": fleet.tenant, "product": fleet.product,
            "device": "in-1", "version": "1.0.0"}

    def ask(**more):
        return edge.request("GET", "/fota/v1/check?" + urllib.parse.urlencode(
            dict(good, **more)))

    assert ask().status == 200 and ask().json["update"]
    for name, value in (("device", "x" * 257), ("version", "x" * 129),
                        ("tenant", "x" * 129), ("kind", "kernel"),
                        ("attr.hw", "x" * 257), ("tz", "x" * 49),
                        ("delta", "perhaps")):
        problem(ask(**{name: value}), 400, name.replace("attr.", "attrs."))
    problem(edge.request("GET", "/fota/v1/check"), 400, "tenant")
    problem(edge.request("GET", "/fota/v1/check?tenant=%zz"), 400)


def test_bodies(stack, fleet):
    edge = stack.edges[0]
    post = [b"", b"{", b"[]", b"\xff\xfe", b"null", b"{}" * 2,
            b'{"tenant":' * 30, b"[" * 100000]
    for path in ("/fota/v1/check", "/fota/v1/report"):
        for body in post[:7]:
            problem(edge.request("POST", path, body=body), 400)
        a = edge.request("POST", path, body=post[7])
        assert a.status in (400, 413), a.body
        edge.forget_client()
        problem(edge.request("DELETE", path), 405)
        edge.forget_client()


def test_chunked_body(stack, fleet):
    body = json.dumps({"tenant": fleet.tenant, "product": fleet.product,
                       "device": "in-1", "version": "1.0.0"}).encode()
    parts = iter([body[:10], body[10:11], body[11:]])
    a = stack.edges[0].request("POST", "/fota/v1/check", body=parts)
    assert a.status == 200 and a.json["update"]


def test_unknown_names(stack, fleet):
    edge = stack.edges[0]
    problem(edge.check("nobody", fleet.product, "in-1"), 404, "tenant")
    problem(edge.check("*", fleet.product, "in-1"), 404, "tenant")
    problem(edge.check(fleet.tenant, "nothing", "in-1"), 404, "product")
    problem(edge.report("nobody", fleet.product, "d", 1, "failed"), 404,
            "tenant")
    problem(edge.report(fleet.tenant, "nothing", "d", 1, "failed"), 404,
            "product")
    # A device nobody has heard of is decided from the product's policy.
    assert edge.check(fleet.tenant, fleet.product, "new").status == 200

    for method, path in (
            ("GET", "/products/nothing"), ("GET", "/devices/nobody"),
            ("GET", "/tenants/nobody"), ("GET", "/groups/none"),
            ("GET", "/artifacts/999999"), ("GET", "/nodes/none"),
            ("GET", "/rollouts/999999"), ("GET", "/nowhere"),
            ("GET", "/products/%s/firmware/9.9" % fleet.product),
            ("DELETE", "/devices/nobody")):
        problem(fleet.centre.request(method, "/api/v1" + path,
                                     tenant=fleet.tenant), 404)
    for body in ({"product": "nothing", "target": "1.1.0"},
                 {"product": fleet.product, "target": "9.9.9"}):
        problem(fleet.centre.request("POST", "/api/v1/rollouts",
                                     dict(body, name="r"),
                                     tenant=fleet.tenant), 404)
    a = fleet.centre.request("GET", "/api/v1/products", tenant="nobody")
    problem(a, 404)
    problem(fleet.centre.request("GET", "/api/v1/products", token="fota_x",
                                 tenant=fleet.tenant), 401)


API = [
    ("POST", "/products", {"name": ""}, "name"),
    ("POST", "/products", {"name": "x" * 129}, "name"),
    ("POST", "/products", {}, "name"),
    ("POST", "/products", {"name": "p", "poll_s": 1}, "poll_s"),
    ("POST", "/products", {"name": "p", "colour": 1}, "colour"),
    ("POST", "/devices", {"id": "x" * 257, "product": "p"}, "id"),
    ("POST", "/devices", {"id": "d", "product": "x" * 129}, "product"),
    ("POST", "/groups", {"name": "g", "filter": "x==" + LONG}, "filter"),
    ("POST", "/groups", {"name": "g", "filter": "a b"}, "filter"),
    ("POST", "/uploads", {"name": "u", "size": 0, "sha256": "0" * 64},
     "size"),
    ("POST", "/uploads", {"name": "u", "size": 1, "sha256": "0"}, "sha256"),
    ("POST", "/rollouts", {"name": "r", "product": "P", "target": "1.1.0",
                           "filter": "((("}, "filter"),
    ("POST", "/rollouts", {"name": "r", "product": "P", "target": "1.1.0",
                           "strategy": "fast"}, "strategy"),
    ("POST", "/rollouts", {"name": "r", "product": "P", "target": "1.1.0",
                           "windows": ["monday"]}, "windows"),
    ("POST", "/rollouts", {"name": "r", "product": "P", "target": "1.1.0",
                           "geo": {"include": [""]}}, "geo"),
]


@pytest.mark.parametrize("method,path,body,field", API,
                         ids=["%s-%d" % (c[1], i)
                              for i, c in enumerate(API)])
def test_api_field(fleet, method, path, body, field):
    body = dict(body)
    if body.get("product") == "P":
        body["product"] = fleet.product
    problem(fleet.centre.request(method, "/api/v1" + path, body,
                                 tenant=fleet.tenant), 400, field)


# Tokens and ranges

@pytest.fixture
def url(stack, fleet):
    edge = stack.edges[0]
    offer = fleet.offered(edge, "tok-1")
    u = next(u["url"] for u in offer["urls"] if u["node"] == edge.name)
    u = urllib.parse.urlsplit(u)
    return u.path, urllib.parse.parse_qs(u.query)["t"][0]


def test_wrong_tokens(stack, fleet, url):
    edge = stack.edges[0]
    path, token = url

    def get(path, token):
        return edge.request("GET", path + ("?t=" + token if token else ""),
                            headers={"Range": "bytes=0-9"})

    assert get(path, token).status == 206
    problem(get(path, None), 401)
    for bad in ("x", token[:-1], token + "A", "!" * 75, "A" * 75, LONG):
        problem(get(path, bad), 403)
    # The key id of a forged one may be unknown, which is told as such.
    for at in range(16, 75, 7):
        c = "A" if token[at] != "A" else "B"
        problem(get(path, token[:at] + c + token[at + 1:]), 403)
    other = "/a/" + "A" * 43
    problem(get(other, token), 403)


def test_ranges(stack, fleet, url):
    edge = stack.edges[0]
    path, token = url
    path += "?t=" + token
    size = len(fleet.data)

    def get(value, **more):
        return edge.request("GET", path, headers=dict({"Range": value},
                                                      **more))

    for value, first, last in (("bytes=0-0", 0, 0), ("bytes=-5", size - 5,
                                                     size - 1),
                               ("bytes=100-", 100, size - 1),
                               ("bytes=5-%d" % (size * 2), 5, size - 1)):
        a = get(value)
        assert a.status == 206 and a.body == fleet.data[first:last + 1]
        assert a.headers["Content-Range"] == "bytes %d-%d/%d" % (first, last,
                                                                 size)
    for value in ("bytes=%d-" % size, "bytes=5-2", "bytes=x-", "bytes=--1"):
        assert get(value).status == 416, value
    a = get("bytes=0-9,20-29")
    assert a.status == 206 and b"Content-Range: bytes 20-29" in a.body
    a = edge.request("GET", path)
    tag = a.headers["ETag"]
    assert a.status == 200 and a.body == fleet.data
    assert edge.request("GET", path, headers={
        "If-None-Match": tag}).status == 304
    assert get("bytes=0-9", **{"If-Range": '"other"'}).status == 200
    assert get("bytes=0-9", **{"If-Match": '"other"'}).status == 412
    a = edge.request("HEAD", path)
    assert a.status == 200 and a.headers["Content-Length"] == str(size)


def test_revoked_tokens(stack, fleet):
    edge = stack.edges[0]

    def get(offer):
        u = urllib.parse.urlsplit(next(
            u["url"] for u in offer["urls"] if u["node"] == edge.name))
        return edge.request("GET", u.path + "?" + u.query,
                            headers={"Range": "bytes=0-9"})

    mine = fleet.offered(edge, "rev-1")
    other = fleet.offered(edge, "rev-2")
    assert get(mine).status == 206

    deny = fleet.api("POST", "/deny", {"kind": "device", "device": "rev-1"})
    wait_for("the revocation", lambda: get(mine).status == 410)
    problem(get(mine), 410)
    assert get(other).status == 206
    fleet.api("DELETE", "/deny/" + deny["id"])
    wait_for("it is lifted", lambda: get(mine).status == 206)

    deny = fleet.api("POST", "/deny", {"kind": "rollout",
                                       "rollout": fleet.running})
    wait_for("the revocation", lambda: get(other).status == 410)
    fleet.api("DELETE", "/deny/" + deny["id"])
    wait_for("it is lifted", lambda: get(other).status == 206)


def test_rotation_of_download_keys(stack, fleet):
    """Tokens of the previous key are good until they expire."""
    edge = stack.edges[0]
    api = stack.centre.api

    def parts(offer):
        u = urllib.parse.urlsplit(next(
            u["url"] for u in offer["urls"] if u["node"] == edge.name))
        return u.path + "?" + u.query, u.query[2:]

    def kid(token):
        import base64
        return base64.urlsafe_b64decode(token + "=")[2:4]

    def get(path):
        return edge.request("GET", path,
                            headers={"Range": "bytes=0-9"}).status

    path, old = parts(fleet.offered(edge, "rot-1"))
    api("POST", "/keys/download/1/next")
    stack.ready()
    assert kid(parts(fleet.offered(edge, "rot-1"))[1]) == kid(old)
    api("POST", "/keys/download/1/activate")
    wait_for("tokens of the new key", lambda: kid(
        parts(fleet.offered(edge, "rot-1"))[1]) != kid(old))
    stack.ready()
    assert get(path) == 206
    fresh, _ = parts(fleet.offered(edge, "rot-1"))
    for e in stack.edges:
        assert e.request("GET", fresh,
                         headers={"Range": "bytes=0-9"}).status == 206
