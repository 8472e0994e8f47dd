# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Downloads from a real nginx: conditions and ranges, tokens, resume across
nodes and the origin, accounting, cutting."""

import base64
import os
import re
import socket
import struct
import time

import pytest

from support.edge import (ROOT, Edge, artifact, b64url, certificates,
                          free_port, policy, spool_records, wait_for)

SIZE = 300001
FW = artifact(SIZE, to="1.1.0")
DATA = FW["data"]
ETAG = '"sha256-%s"' % FW["sha256"]
DIGEST = "sha-256=:%s:" % base64.b64encode(
    bytes.fromhex(FW["sha256"])).decode()
PUBLISHED = "Thu, 01 Jan 2026 00:00:00 GMT"
SECOND = 1767225600


def spec(**more):
    return policy(artifacts=[FW], **more)


@pytest.fixture(scope="module")
def edge():
    with Edge(spec(), http="fota_rate_class 2 100k;") as e:
        e.url = e.path(FW)
        yield e


def same_headers(r):
    assert r.headers["ETag"] == ETAG
    assert r.headers["Repr-Digest"] == DIGEST
    assert r.headers["Last-Modified"] == PUBLISHED


# Conditions and ranges

RANGES = [
    ("bytes=0-0", 0, 0),
    ("bytes=0-", 0, SIZE - 1),
    ("bytes=100-199", 100, 199),
    ("bytes=%d-" % (SIZE - 1), SIZE - 1, SIZE - 1),
    ("bytes=-1", SIZE - 1, SIZE - 1),
    ("bytes=-500", SIZE - 500, SIZE - 1),
    ("bytes=-%d" % (SIZE + 5), 0, SIZE - 1),
    ("bytes=200000-99999999", 200000, SIZE - 1),
    ("bytes= 5 - 9", 5, 9),
    ("Bytes=5-9", 5, 9),
]


@pytest.mark.parametrize("value,first,last", RANGES)
def test_single_range(edge, value, first, last):
    r = edge.get(edge.url, {"Range": value})
    assert r.status == 206, r
    assert r.headers["Content-Range"] == "bytes %d-%d/%d" % (first, last,
                                                             SIZE)
    assert r.body == DATA[first:last + 1]
    same_headers(r)


@pytest.mark.parametrize("value", [
    "bytes=%d-" % SIZE, "bytes=99999999999999999999-", "bytes=9-5",
    "bytes=", "bytes=-", "bytes=a-b", "bytes=0-5,x", "bytes=0-5;6-7",
    "bytes=%d-,%d-" % (SIZE, SIZE + 1),
])
def test_unsatisfiable_range(edge, value):
    r = edge.get(edge.url, {"Range": value})
    assert r.status == 416, r
    assert r.headers["Content-Range"] == "bytes */%d" % SIZE
    assert len(r.body) < 2000


def test_another_unit_is_ignored(edge):
    r = edge.get(edge.url, {"Range": "pages=1-2"})
    assert r.status == 200 and r.body == DATA


def parts(r):
    boundary = re.match(r"multipart/byteranges; boundary=(\S+)",
                        r.headers["Content-Type"]).group(1).encode()
    out = []
    for part in r.body.split(b"\r\n--" + boundary)[1:-1]:
        head, body = part.split(b"\r\n\r\n", 1)
        m = re.search(rb"Content-Range: bytes (\d+)-(\d+)/(\d+)", head)
        assert int(m.group(3)) == SIZE
        out.append((int(m.group(1)), body))
    return out


@pytest.mark.parametrize("value,want", [
    ("bytes=0-9,100-109", [(0, 10), (100, 10)]),
    ("bytes=-10,0-0", [(SIZE - 10, 10), (0, 1)]),
    ("bytes=0-9,5-14", [(0, 10), (5, 10)]),
    (",".join(["bytes=0-0"] + ["%d-%d" % (i, i) for i in range(10, 25)]),
     [(0, 1)] + [(i, 1) for i in range(10, 25)]),
])
def test_several_ranges(edge, value, want):
    r = edge.get(edge.url, {"Range": value})
    assert r.status == 206, r
    same_headers(r)
    assert parts(r) == [(f, DATA[f:f + n]) for f, n in want]


@pytest.mark.parametrize("value", [
    "bytes=" + ",".join("%d-%d" % (i, i) for i in range(17)),
    "bytes=" + ",".join("0-" for i in range(17)),
    "bytes=0-,0-", "bytes=0-%d,1-" % SIZE,
])
def test_never_more_than_was_asked_for(edge, value):
    """nginx by itself answers these with 200 and the whole file."""
    r = edge.get(edge.url, {"Range": value})
    assert r.status == 416, r
    assert r.headers["Content-Range"] == "bytes */%d" % SIZE
    assert len(r.body) < 2000


def test_fota_max_ranges():
    with Edge(spec(), server="fota_max_ranges 2; max_ranges 5;") as e:
        url = e.path(FW)
        assert e.get(url, {"Range": "bytes=0-0,2-2"}).status == 206
        assert e.get(url, {"Range": "bytes=0-0,2-2,4-4"}).status == 416


def test_whole_file_and_head(edge):
    r = edge.get(edge.url)
    assert (r.status, r.body) == (200, DATA)
    assert r.headers["Accept-Ranges"] == "bytes"
    assert r.headers["Content-Type"] == "application/octet-stream"
    same_headers(r)
    h = edge.request("HEAD", edge.url)
    assert (h.status, h.body) == (200, b"")
    assert h.headers["Content-Length"] == str(SIZE)
    same_headers(h)
    h = edge.request("HEAD", edge.url, headers={"Range": "bytes=5-9"})
    assert h.status in (200, 206)


@pytest.mark.parametrize("headers,status", [
    ({"If-None-Match": ETAG}, 304),
    ({"If-None-Match": "W/" + ETAG}, 304),
    ({"If-None-Match": '"x", ' + ETAG}, 304),
    ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": '"x"'}, 200),
    ({"If-Match": ETAG}, 200),
    ({"If-Match": '"x", ' + ETAG}, 200),
    ({"If-Match": "*"}, 200),
    ({"If-Match": '"x"'}, 412),
    ({"If-Match": "W/" + ETAG}, 412),
    ({"If-Modified-Since": PUBLISHED}, 304),
    ({"If-Modified-Since": "Wed, 31 Dec 2025 00:00:00 GMT"}, 200),
    ({"If-Unmodified-Since": PUBLISHED}, 200),
    ({"If-Unmodified-Since": "Wed, 31 Dec 2025 00:00:00 GMT"}, 412),
])
def test_conditions(edge, headers, status):
    r = edge.get(edge.url, headers)
    assert r.status == status, r
    if status == 304:
        assert r.headers["ETag"] == ETAG and r.body == b""


@pytest.mark.parametrize("value,status", [
    (ETAG, 206),
    (PUBLISHED, 206),
    ('"sha256-other"', 200),
    ("W/" + ETAG, 200),
    ("Thu, 01 Jan 2026 00:00:01 GMT", 200),
])
def test_if_range(edge, value, status):
    r = edge.get(edge.url, {"Range": "bytes=5-9", "If-Range": value})
    assert r.status == status, r
    assert r.body == (DATA[5:10] if status == 206 else DATA)


def test_if_range_that_fails_wants_the_whole_file(edge):
    r = edge.get(edge.url, {"Range": "bytes=0-,0-", "If-Range": '"x"'})
    assert (r.status, r.body) == (200, DATA)


def test_methods_and_names(edge):
    r = edge.request("POST", edge.url)
    assert (r.status, r.headers["Allow"]) == (405, "GET, HEAD")
    # The name behind the hash is for people.
    r = edge.get(edge.path(FW, name=False))
    assert (r.status, r.body) == (200, DATA)
    assert edge.get("/a/short").status == 404


def test_a_name_that_is_empty(edge):
    """Not an index of something, which nginx would look for."""
    path, query = edge.path(FW, name=False).split("?")
    r = edge.get(path + "/?" + query)
    assert (r.status, r.body) == (200, DATA)
    assert edge.get(path + "/x/?" + query).status == 404


def test_a_file_whose_name_is_no_hash():
    locations = """
        location /files/ { root %(store)s; fota_download on; }
        location /off/ { root %(store)s; fota_download off; }
    """
    with Edge(spec(), locations=locations) as e:
        for d in ("files", "off"):
            os.makedirs(os.path.join(e.store, d))
            with open(os.path.join(e.store, d, "a.bin"), "wb") as f:
                f.write(DATA)
        r = e.get("/files/a.bin", {"Range": "bytes=5-9"})
        assert (r.status, r.body) == (206, DATA[5:10])
        assert not r.headers["ETag"].startswith('"sha256')
        assert r.headers["Repr-Digest"] is None
        assert e.get("/files/").status in (403, 404)
        assert e.get("/files").status in (301, 404)
        assert e.get("/off/a.bin").body == DATA


def test_a_file_of_the_wrong_size_is_never_served():
    with Edge(spec()) as e:
        path = os.path.join(e.store, b64url(bytes.fromhex(FW["sha256"])))
        with open(path, "ab") as f:
            f.write(b"x")
        e.allowed.append("an artifact of %d bytes has a file of" % SIZE)
        assert e.get(e.path(FW)).status == 500
        assert "has a file of %d bytes" % (SIZE + 1) in e.log()


def test_without_policy_the_store_is_served_unless_tokens_are_wanted():
    with Edge(None, token="off") as e:
        e.keep(FW)
        r = e.get(e.path(FW, ttl=1))
        assert (r.status, r.body) == (200, DATA)
        assert r.headers["ETag"] == ETAG
        # No date that all nodes agree on is known.
        assert r.headers["Last-Modified"] is None
    with Edge(None) as e:
        e.keep(FW)
        r = e.get(e.path(FW))
        assert r.status == 503 and int(r.headers["Retry-After"]) > 0


# Tokens

def refused(r, status, error):
    assert r.status == status, r
    assert r.json["code"] == error
    if error != "missing":
        assert r.headers["WWW-Authenticate"] == 'FOTA error="%s"' % error
    assert r.headers["Content-Type"] == "application/problem+json"


NOW = int(time.time())


@pytest.mark.parametrize("fields,status,error", [
    ({"nbf": NOW - 7200, "exp": NOW - 3600, "ttl": None}, 401, "expired"),
    ({"nbf": NOW + 3600, "exp": NOW + 7200, "ttl": None}, 401, "expired"),
    ({"kid": 9}, 401, "unknown_kid"),
    ({"root": "11" * 32}, 403, "mac"),
    ({"flip": 30}, 403, "mac"),
    ({"flip": 70}, 403, "mac"),
    ({"artifact": "00" * 32}, 403, "mac"),
    ({"scope": 2}, 403, "scope"),
    ({"ip": "192.0.2.0", "plen": 120}, 403, "ip"),
    ({"cert": "00" * 32}, 403, "cert"),
    ({"flags": 0x80, "flip": 0}, 403, "malformed"),
])
def test_wrong_tokens(edge, fields, status, error):
    if "flags" in fields:
        t = bytearray(base64.urlsafe_b64decode(edge.mint(FW) + "="))
        t[1] = 0x80
        url = edge.path(FW).split("?")[0] + "?t=" + b64url(bytes(t))
    else:
        url = edge.path(FW, **fields)
    refused(edge.get(url), status, error)


@pytest.mark.parametrize("text", [
    "", "x", "A" * 74, "A" * 76, "!" * 75, "%41" * 75,
])
def test_malformed_tokens(edge, text):
    url = edge.url.split("?")[0]
    r = edge.get(url + "?t=" + text)
    if text == "":
        assert r.status in (401, 403)
    else:
        refused(r, 403, "malformed")


def test_missing_token(edge):
    url = edge.url.split("?")[0]
    refused(edge.get(url), 401, "missing")


def test_token_in_a_header(edge):
    url, t = edge.url.split("?t=")
    r = edge.get(url, {"Authorization": "FOTA " + t})
    assert (r.status, r.body) == (200, DATA)
    refused(edge.get(url, {"Authorization": "FOTA x"}), 403, "malformed")


def test_skew_is_allowed(edge):
    assert edge.get(edge.path(FW, nbf=NOW - 900, exp=int(time.time()) - 20,
                              ttl=None)).status == 200
    assert edge.get(edge.path(FW, nbf=int(time.time()) + 30,
                              exp=NOW + 900, ttl=None)).status == 200


def test_a_token_expires_that_was_used_before(edge):
    url = edge.path(FW, nbf=NOW - 900, exp=int(time.time()) - 57, ttl=None)
    assert edge.get(url).status == 200
    end = time.time() + 30
    while edge.get(url).status == 200 and time.time() < end:
        time.sleep(0.1)
    refused(edge.get(url), 401, "expired")


def test_a_token_is_of_one_artifact_also_when_it_was_used(edge):
    url, token = edge.path(FW).split("?t=")
    assert edge.get(url + "?t=" + token).status == 200
    other = "/a/" + b64url(bytes(32))
    refused(edge.get(other + "?t=" + token), 403, "mac")
    last = "Q" if token[-1] == "A" else "A"
    refused(edge.get(url + "?t=" + token[:-1] + last), 403, "mac")


def test_bound_to_an_address(edge):
    ok = edge.path(FW, ip="127.0.0.0", plen=120)
    assert edge.get(ok).status == 200


def test_bound_to_a_certificate(tmp_path):
    import hashlib
    import ssl
    tls = certificates(str(tmp_path))
    mine = tls["issue"]("mine", "/O=Acme/CN=dev-1")
    other = tls["issue"]("other", "/O=Acme/CN=dev-2")
    with open(mine[0]) as f:
        der = ssl.PEM_cert_to_DER_cert(f.read())
    with Edge(spec(), tls=tls) as e:
        url = e.path(FW, cert=hashlib.sha256(der).hexdigest())
        assert e.get(url, cert=mine).body == DATA
        refused(e.get(url, cert=other), 403, "cert")
        refused(e.get(url, cert=None), 403, "cert")
        refused(e.get(url, cert=False), 403, "cert")


def test_tokens_are_bound_as_the_place_says(tmp_path):
    tls = certificates(str(tmp_path))
    mine = tls["issue"]("mine", "/O=Acme/CN=dev-1")
    with Edge(spec(auth=("open",)), tls=tls,
              server="fota_token_bind ip=24,48 cert;") as e:
        r = e.check(cert=mine).json
        url = "/" + r["urls"][0]["url"].split("/", 3)[3]
        token = base64.urlsafe_b64decode(url.split("?t=")[1] + "=")
        assert token[1] == 3 and token[31] == 120
        assert e.get(url, cert=mine).body == DATA
        refused(e.get(url, cert=None), 403, "cert")
        assert e.check(cert=None).json["code"] == "no_certificate"


def test_single_range_flag(edge):
    url = edge.path(FW, flags=4)
    assert edge.get(url, {"Range": "bytes=0-5"}).status == 206
    assert edge.get(url, {"Range": "bytes=0-5,7-8"}).status == 416
    assert edge.get(url).status == 200


def test_good_once(edge):
    url = edge.path(FW, flags=8)
    assert edge.get(url, {"Range": "bytes=0-5"}).status == 206
    refused(edge.get(url), 403, "used")
    assert edge.get(edge.path(FW, flags=8)).status == 200


def test_revoked():
    with Edge(spec()) as e:
        old, other = e.path(FW), e.path(FW, deployment=8)
        mine = e.path(FW, device="dev-2", deployment=9)
        assert e.get(old).status == 200
        e.patch({"deny": [{"kind": "deployment", "id": 7,
                           "not_before": int(time.time()) + 5}]})
        refused(e.get(old), 410, "revoked")
        assert e.get(other).status == 200
        assert e.get(e.path(FW, nbf=int(time.time()) + 10, ttl=None,
                            exp=int(time.time()) + 3600)).status == 200
        e.patch({"deny": [{"kind": "device", "tenant": 1, "device": "dev-2",
                           "not_before": int(time.time()) + 5}]})
        refused(e.get(mine), 410, "revoked")
        assert e.get(other).status == 200
        e.patch({"deny": [{"kind": "tenant", "id": 1,
                           "not_before": int(time.time()) + 5}]})
        refused(e.get(other), 410, "revoked")


def test_rotation_of_keys():
    with Edge(spec()) as e:
        old = e.path(FW)
        e.patch({"keys": [
            {"kind": "download", "scope": 1, "kid": 1, "secret": ROOT,
             "state": "previous"},
            {"kind": "download", "scope": 1, "kid": 2, "secret": "33" * 32},
        ]})
        new = e.check().json["urls"][0]["url"].split(str(e.port))[1]
        assert base64.urlsafe_b64decode(
            new.split("?t=")[1] + "=")[2:4] == b"\0\2"
        assert e.get(new).status == 200
        assert e.get(old).status == 200
        e.patch({"delete": {"keys": [{"kind": "download", "scope": 1,
                                      "kid": 1}]}})
        refused(e.get(old), 401, "unknown_kid")
        assert e.get(new).status == 200


def test_optional_token():
    with Edge(spec(), token="optional") as e:
        url = e.path(FW)
        assert e.get(url.split("?")[0]).status == 200
        assert e.get(url).status == 200
        refused(e.get(e.path(FW, flip=40)), 403, "mac")


def test_rate_class(edge):
    url = edge.path(FW, **{"class": 2})
    begin = time.monotonic()
    assert edge.get(url, {"Range": "bytes=0-249999"}).status == 206
    assert time.monotonic() - begin > 1


# Resume

def test_resume_across_two_nodes():
    """Files of different age on the nodes, and the store of the second has
    no record of the date in a directory listing's sense: same validators."""
    with Edge(spec()) as one, Edge(spec()) as two:
        one.keep(FW, mtime=1000000000)
        two.keep(FW, mtime=1500000000)
        first = one.get(one.path(FW), {"Range": "bytes=0-99999"})
        for validator in (first.headers["ETag"],
                          first.headers["Last-Modified"]):
            rest = two.get(two.path(FW), {"Range": "bytes=100000-",
                                          "If-Range": validator})
            assert rest.status == 206
            assert first.body + rest.body == DATA


ORIGIN = """
        location ~ "^/a/([\\w-]{43})(?:/[^/]*)?$" {
            alias %(store)s/$1;
            fota_download on;
            fota_token %(token)s;
            error_page 404 = @origin;
            log_not_found off;
        }
        location @origin {
            fota_token %(token)s;
            fota_digest on;
            proxy_pass http://127.0.0.1:PORT;
            proxy_set_header Authorization "";
            rewrite ^/a/([^/]+) /o/$1? break;
            proxy_cache pull;
            proxy_cache_key $uri;
            proxy_cache_lock on;
            proxy_cache_valid 200 1d;
            proxy_ignore_headers Cache-Control Expires Vary Set-Cookie;
        }
"""


@pytest.fixture(scope="module")
def origin():
    """A node that has the file, with validators of its own."""
    locations = """
        location /o/ { alias %(store)s/; etag on; add_header X-Hit 1; }
        location /no_ranges/ { alias %(store)s/; max_ranges 0; }
        location /no_length/ { alias %(store)s/; ssi on; ssi_types *; }
        location /encoded/ { alias %(store)s/;
                             add_header Content-Encoding gzip; }
        location /moved/ { return 302 http://127.0.0.1:1/; }
        location /refused/ { return 401; }
        location /denied/ { return 403; }
        location /gone/ { return 404; }
        location /ill/ { return 500; }
    """
    with Edge(spec(), locations=locations) as e:
        e.keep(FW, mtime=1234567890)
        yield e


def pulling(origin, place="o"):
    made = Edge(spec(), locations=ORIGIN.replace("PORT", str(origin.port))
                .replace("/o/", "/%s/" % place),
                http="proxy_cache_path cache keys_zone=pull:1m;",
                start=False)
    os.remove(os.path.join(made.store, b64url(bytes.fromhex(FW["sha256"]))))
    made.start()
    return made


@pytest.fixture
def puller(origin):
    with pulling(origin) as made:
        yield made


def hits(origin):
    return len([v for v in origin.access() if v["uri"].startswith("/o/")])


def test_pulled_through_with_the_same_validators(puller, origin):
    before = hits(origin)
    url = puller.path(FW)
    r = puller.get(url, {"Range": "bytes=1000-1999"})
    assert (r.status, r.body) == (206, DATA[1000:2000]), r
    same_headers(r)
    assert len(r.headers.get_all("ETag")) == 1
    assert len(r.headers.get_all("Last-Modified")) == 1
    assert puller.get(url).body == DATA
    assert puller.get(url, {"If-None-Match": ETAG}).status == 304
    assert puller.get(url, {"If-Match": '"x"'}).status == 412
    r = puller.get(url, {"Range": "bytes=5-", "If-Range": ETAG})
    assert (r.status, r.body) == (206, DATA[5:])
    assert puller.get(url, {"Range": "bytes=0-,0-"}).status == 416
    assert hits(origin) - before == 1

    # Then it lies on disk, and nothing changes for the device.
    puller.keep(FW)
    r = puller.get(url, {"Range": "bytes=5-", "If-Range": ETAG})
    assert (r.status, r.body) == (206, DATA[5:])


def test_pull_through_keeps_the_token(puller, origin):
    before = hits(origin)
    refused(puller.get(puller.path(FW).split("?")[0]), 401, "missing")
    refused(puller.get(puller.path(FW, flip=30)), 403, "mac")
    assert hits(origin) == before
    once = puller.path(FW, flags=8)
    assert puller.get(once).body == DATA
    refused(puller.get(once), 403, "used")


def test_many_at_once_are_one_fetch(puller, origin):
    import threading
    before = hits(origin)
    url, got = puller.path(FW), []

    def run():
        got.append(puller.get(url).body == DATA)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert got == [True] * 8
    assert hits(origin) - before == 1


def test_origin_away():
    port = free_port()
    e = Edge(spec(), locations=ORIGIN.replace("PORT", str(port)),
             http="proxy_cache_path cache keys_zone=pull:1m;", start=False)
    os.remove(os.path.join(e.store, b64url(bytes.fromhex(FW["sha256"]))))
    e.start()
    with e:
        url = e.path(FW)
        assert e.get(url).status == 502
        # nginx tells of it with the request line, yet without the token.
        wait_for("line", lambda: "connect() failed" in e.log())
        assert "?t=***" in e.log()
        assert url.split("t=")[1] not in e.log()


def test_origin_with_a_file_of_another_size(origin, puller):
    """It is not given to anybody, and not kept for the next one."""
    path = os.path.join(origin.store, b64url(bytes.fromhex(FW["sha256"])))
    puller.allowed.append("the origin has %d bytes" % (SIZE + 1))
    with open(path, "ab") as f:
        f.write(b"x")
    try:
        r = puller.get(puller.path(FW))
        assert r.status == 502 and len(r.body) < 2000
        assert "ETag" not in r.headers and "Repr-Digest" not in r.headers
    finally:
        os.truncate(path, SIZE)
    assert puller.get(puller.path(FW)).body == DATA


def test_origin_that_knows_no_ranges(origin):
    with pulling(origin, "no_ranges") as e:
        url = e.path(FW)
        # What passes by for the first time is not cut twice.
        r = e.get(url, {"Range": "bytes=0-0,9-9"})
        assert r.status == 416 and len(r.body) < 2000
        r = e.get(url, {"Range": "bytes=5-9"})
        assert (r.status, r.body) == (206, DATA[5:10])
        r = e.get(url, {"Range": "bytes=0-0,9-9"})
        assert parts(r) == [(0, DATA[:1]), (9, DATA[9:10])]


@pytest.mark.parametrize("place,status", [
    ("no_length", 502), ("encoded", 502), ("moved", 502), ("refused", 502),
    ("denied", 502), ("gone", 404), ("ill", 500),
])
def test_origin_with_something_else(origin, place, status):
    """401 and 403 are for devices whose own token is wrong."""
    with pulling(origin, place) as e:
        e.allowed.append("fota: the origin (encodes|has -1 bytes)")
        for _ in range(2):
            r = e.get(e.path(FW), {"Range": "bytes=5-9"})
            assert r.status == status and len(r.body) < 2000
            for name in ("ETag", "Repr-Digest", "Location",
                         "Content-Encoding", "WWW-Authenticate"):
                assert name not in r.headers


# Accounting and cutting

BIG = artifact(32 << 20, seed=2, to="1.1.0")


@pytest.fixture(scope="module")
def big():
    with Edge(policy(artifacts=[BIG]), workers=2,
              server="limit_rate 400k; limit_rate_after 0;"
                     "sendfile_max_chunk 64k;") as e:
        yield e


def open_download(edge, path, receive=4096):
    """A client that took a little and stops reading."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    s.settimeout(20)
    s.connect(("127.0.0.1", edge.port))
    s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
    got = b""
    while len(got) < receive:
        got += s.recv(receive)
    assert got.startswith(b"HTTP/1.1 200"), got
    return s, len(got)


def test_an_aborted_download_is_not_over_counted(big):
    path = big.path(BIG, deployment=70)
    s, got = open_download(big, path)
    time.sleep(0.5)
    # Reset: what lies in nginx's socket never arrives.
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                 struct.pack("ii", 1, 0))
    s.close()
    line = wait_for("line", lambda: [
        v for v in big.access() if v["deployment"] == "70"])[0]
    delivered = int(line["bytes_delivered"])
    assert 0 < delivered <= int(line["sent"])
    # At most what fits into the receiver's buffer beside what was read.
    assert delivered <= got + 256 * 1024
    assert (line["range_first"], line["range_last"]) \
        == ("0", str((32 << 20) - 1))


def test_bytes_are_noted_in_the_spool(edge):
    r = edge.get(edge.path(FW, deployment=71, device="dev-9"),
                 {"Range": "bytes=1000-1999"})
    assert r.status == 206

    def notes():
        return [p for _, _, p in spool_records(edge.spool)
                if p["t"] == "bytes" and p["rollout"] == 71]

    note = wait_for("note", notes)[0]
    assert note["artifact"] == FW["sha256"]
    assert (note["first"], note["last"]) == (1000, 1999)
    assert note["sent"] == 1000 and note["delivered"] <= 1000
    assert note["tenant"] == 1 and len(note["tag"]) == 16


def running(s):
    """False once the connection was cut."""
    s.settimeout(0.05)
    try:
        while True:
            if s.recv(65536) == b"":
                return False
    except socket.timeout:
        return True
    except ConnectionError:
        return False


CUTS = [
    {"deny": [{"kind": "deployment", "id": 7, "cut": True,
               "not_before": 4000000000}]},
    {"deny": [{"kind": "device", "tenant": 1, "device": "dev-1",
               "cut": True, "not_before": 4000000000}]},
    "rollout", "product", "tenant", "everything",
]


@pytest.mark.parametrize("how", range(len(CUTS)))
def test_brake_cuts_within_a_second(how):
    spec = policy(artifacts=[BIG], rollouts=[
        {"id": 7, "target": "1.1.0"}, {"id": 8, "target": "1.1.0"}])
    with Edge(spec, workers=2,
              server="limit_rate 400k; sendfile_max_chunk 64k;") as e:
        cut = e.path(BIG)
        keep = e.path(BIG, deployment=8, device="dev-8")
        s = [open_download(e, cut)[0] for _ in range(4)]
        k = open_download(e, keep)[0]
        change = CUTS[how]
        if change == "rollout":
            spec["products"][0]["rollouts"][0]["brake"] = "cut"
            change = {"products": spec["products"]}
        elif change == "product":
            spec["products"][0]["brake"] = "cut"
            change = {"products": spec["products"]}
        elif change == "tenant":
            change = {"tenants": [dict(spec["tenants"][0], brake="cut")]}
        elif change == "everything":
            change = {"tenants": [{"name": "*", "id": 0, "brake": "cut"}]}
        e.patch(change)
        begin = time.monotonic()
        wait_for("cut", lambda: not any(running(c) for c in s), timeout=5)
        took = time.monotonic() - begin
        assert took < 1.5, took
        refused(e.get(cut), 410, "revoked")
        if how in (0, 1, 2):
            assert running(k)
            assert e.get(keep, {"Range": "bytes=0-9"}).status == 206
        assert wait_for("metric", lambda: e.metrics()
                        ["fota_transfers_cut_total"]) >= 4
        for c in s + [k]:
            c.close()


def test_a_revocation_without_cut_lets_run():
    with Edge(policy(artifacts=[BIG]),
              server="limit_rate 400k; sendfile_max_chunk 64k;") as e:
        path = e.path(BIG)
        s = open_download(e, path)[0]
        e.patch({"deny": [{"kind": "deployment", "id": 7,
                           "not_before": 4000000000}]})
        refused(e.get(path), 410, "revoked")
        time.sleep(1)
        assert running(s)
        s.close()


def test_limits_of_a_rollout_are_kept_here():
    rollouts = [{"id": 7, "target": "1.1.0", "max_active": 2}]
    with Edge(policy(artifacts=[BIG], rollouts=rollouts), workers=2,
              server="limit_rate 400k; sendfile_max_chunk 64k;") as e:
        path = e.path(BIG)
        assert e.check().json["reason"] == "offer"
        s = [open_download(e, path)[0] for _ in range(2)]
        assert e.status()["transfers"] == 2
        assert e.check().json["reason"] == "capacity"
        for c in s:
            c.close()
        wait_for("offer", lambda: e.check().json["reason"] == "offer")


def test_egress_is_measured(big):
    s = open_download(big, big.path(BIG))[0]
    end = time.monotonic() + 20
    while time.monotonic() < end and big.status()["egress_bps"] < 20000:
        running(s)
    assert big.status()["egress_bps"] >= 20000
    s.close()
