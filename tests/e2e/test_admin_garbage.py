# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Whatever a request says, the answer is clear and never 500."""

import itertools
import os
import random
import re
import socket

import pytest
import yaml

from support.centre import TOP, Centre

VALUES = [
    None, True, False, 0, -1, 1, 7, 2 ** 31, 2 ** 53, 2 ** 63 - 1, -2 ** 63,
    0.5, 1e308, "", " ", "x", "x" * 128, "x" * 129, "x" * 5000, "\n", "\x7f",
    "é\u0301", "𝄞", "../../etc", "%00", "'; DROP TABLE device; --", "*", "{}",
    "1.0", "1 0", "a==b", "(" * 40, [], [None], [1, "a", {}], ["x" * 600],
    ["a"] * 2000, {}, {"a": {"b": {"c": []}}}, {"x" * 200: "y"},
    {"country": "JP", "node": "nobody"}, [{"country": 5}], [{"id": 5}],
    [{"id": "ok", "evil": 1}], [{"percent": "x"}], [[[[[]]]]],
]

PATHS = ["", "x", "d", "p", "1", "0", "-1", "99999999999999999999", "%2F",
         "%F0%9D%84%9E", "x" * 300, "device-0000000000000000", "10.0.0.0%2F8",
         "1" * 32, "%25", ";", "..%2F.."]


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with Centre(tmp_path_factory.mktemp("centre"), nginx=False) as c:
        c.api("POST", "/tenants", {"name": "t"})
        c.api("POST", "/products", {"name": "p"}, tenant="t")
        c.api("POST", "/products/p/firmware", {"version": "1.0"}, tenant="t")
        c.api("POST", "/devices", {"id": "d", "product": "p"}, tenant="t")
        c.api("POST", "/groups", {"name": "x"}, tenant="t")
        c.api("POST", "/nodes", {"name": "x", "url": "https://x"})
        yield c


@pytest.fixture(scope="module")
def spec():
    with open(os.path.join(TOP, "admin/openapi.yaml")) as f:
        return yaml.safe_load(f)


def operations(spec):
    for path, item in spec["paths"].items():
        for method, op in item.items():
            if method != "parameters":
                yield path, method.upper(), op


def properties(spec, schema):
    while "$ref" in schema:
        schema = spec["components"]["schemas"][
            schema["$ref"].rsplit("/", 1)[1]]
    return list(schema.get("properties", {}))


def good(r, what):
    assert r.status < 500 or r.status == 507, (what, r.status, r.body)
    if r.status >= 400:
        p = r.json
        assert p["status"] == r.status and p["code"] and p["detail"], what


def resolved(spec, node):
    while "$ref" in node:
        name = node["$ref"]
        node = spec
        for part in name[2:].split("/"):
            node = node[part]
    return node


def beyond(schema):
    """Texts that the contract does not allow for a query parameter."""
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if "maximum" in schema:
        yield str(schema["maximum"] + 1)
    if "minimum" in schema:
        yield str(schema["minimum"] - 1)
    if schema["type"] == "integer" or "enum" in schema:
        yield "nonsense"


def test_queries_are_held_to_the_contract(centre, spec):
    """Every parameter of every query: 400 that names it.  The name of what
    is not there, however long, may be 404."""
    tried, wrong = 0, []
    for path, method, op in operations(spec):
        url = re.sub(r"\{(\w+)\}", lambda m: {
            "tenant": "t", "product": "p", "version": "1.0", "device": "d",
            "group": "x", "node": "x"}.get(m[1], "1"), path)
        for param in spec["paths"][path].get("parameters", []) \
                + op.get("parameters", []):
            param = resolved(spec, param)
            if param["in"] != "query" or method not in ("GET", "PUT"):
                continue
            name = param["name"].replace("attr", "attr.x")
            texts = [(v, True) for v in beyond(resolved(spec,
                                                        param["schema"]))]
            for text, plain in texts + [("%zz", False), ("%00", False),
                                        ("%ff", False), ("%4", False)]:
                query = "?%s=%s" % (name, text)
                if path == "/api/v1/explain" and name != "device":
                    query += "&device=d"
                if name == "product" and method == "PUT":
                    query += "&create=1"
                r = centre.request(
                    method, url + query, tenant="t",
                    body=b"d\n" if method == "PUT" else None,
                    headers={"Content-Type": "text/csv"}
                    if method == "PUT" else {})
                good(r, (method, url + query))
                tried += 1
                fields = {name, name.split(".")[0]}
                if r.status == 404 and r.json["field"] in fields and plain \
                        and name in ("tenant", "product", "device"):
                    continue
                if r.status == 404 and "{rollout}" in path and plain:
                    continue    # there is none
                if r.status != 400 or r.json["field"] not in fields:
                    wrong.append((method, url, name, text[:20], r.status,
                                  r.body[:200]))
    assert tried > 300
    assert not wrong, "\n".join(map(str, wrong))


def test_wrong_members(centre, spec):
    """Each member of each body takes each value, the others as they should.
    """
    for path, method, op in operations(spec):
        media = op.get("requestBody", {}).get("content", {}).get(
            "application/json")
        if media is None:
            continue
        url = re.sub(r"\{(\w+)\}", lambda m: {
            "tenant": "t", "product": "p", "version": "1.0", "device": "d",
            "group": "x", "node": "x"}.get(m[1], "1"), path)
        base = media.get("example", {})
        for name in properties(spec, media["schema"]):
            for value in VALUES:
                body = dict(base)
                body[name] = value
                r = centre.request(method, url, body, tenant="t")
                good(r, (method, url, body))
        for body in VALUES:
            if body is not None:
                good(centre.request(method, url, body, tenant="t"),
                     (method, url, body))


def test_wrong_paths_and_queries(centre, spec):
    rnd = random.Random(1)
    queries = ["after", "limit", "q", "kind", "mode", "create", "product",
               "object", "tenant", "device", "state"]
    for path, method, op in operations(spec):
        n = len(re.findall(r"\{", path))
        for words in itertools.islice(
                itertools.product(PATHS, repeat=n), 40):
            it = iter(words)
            url = re.sub(r"\{\w+\}", lambda m: next(it), path)
            if method == "GET":
                url += "?" + "&".join(
                    "%s=%s" % (q, rnd.choice(PATHS))
                    for q in rnd.sample(queries, 3))
            elif method == "DELETE" and "/products/p" in url:
                continue
            r = centre.request(method, url, tenant="t")
            if r.status == 200 and "X-Accel-Redirect" in r.headers:
                continue
            good(r, (method, url))


@pytest.mark.parametrize("text", [
    b"", b"{", b"[" * 100000, b'{"name":"\xff"}', b'{"name":"\\u0000"}',
    b'{"name":1e999}', b"\0" * 100, b"nul", b'{"a":' * 3000,
    b'"\\ud800"', b"123456789012345678901234567890", b"\xef\xbb\xbf{}",
])
def test_broken_json(centre, text):
    for url in ("/api/v1/products", "/api/v1/tokens", "/api/v1/nodes"):
        r = centre.request("POST", url, body=text, tenant="t",
                           headers={"Content-Type": "application/json"})
        assert r.status == 400, (url, r.body)
        good(r, url)


@pytest.mark.parametrize("raw", [
    b"GET / HTTP/9.9\r\n\r\n", b"\0\1\2\3\r\n\r\n", b"GET\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/v1/products HTTP/1.1\r\nHost: a\r\nContent-Length: 99999"
    b"999999999999999999\r\n\r\n",
    b"POST /api/v1/products HTTP/1.1\r\nHost: a\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: \xff\xfe\r\n\r\n",
])
def test_broken_http(centre, raw):
    """nginx lets none of this through; the daemon lives all the same."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(centre.socket)
        try:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except OSError:
            pass
    assert centre.request("GET", "/healthz", token="").status == 200


def test_still_well(centre):
    assert centre.api("GET", "/audit/verify")["ok"]
    assert centre.api("GET", "/products/p", tenant="t")["name"] == "p"
    centre.api("GET", "/status")
