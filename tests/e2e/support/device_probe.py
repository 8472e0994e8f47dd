# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Questions to edges that bring out every answer of the device API.

probe(witness, directory) starts one edge after the other, each with a cause
for other answers, and shows the witness what they say.
"""

import hashlib
import json
import os
import shutil
import socket
import ssl
import time
import urllib.parse

from .centre import Centre, UnixConnection
from .edge import (DEVICE_KEY, GATEWAY, LOCATIONS, OPERATOR, Answer, Edge,
                   artifact, b64url, certificates, policy, tool, wait_for)
from .ports import free_port
from .siphash import siphash

FW = artifact(200000, 1, to="1.1.0", format="squashfs")
DELTA = artifact(5000, 2, to="1.1.0", **{"from": "1.0.0"})
# In policy, and at no node.
LOST = artifact(3000, 3, to="1.2.0")
del LOST["data"]

# The table of tokens that are good once (ngx_http_fota_zone.h).
ONCE_SETS, ONCE_WAYS = 512, 8

GOOD = {"tenant": "acme", "product": "cam", "device": "dev-1",
        "version": "1.0.0"}
REPORT = {"tenant": "acme", "product": "cam", "device": "dev-1",
          "rollout": 7, "state": "succeeded"}

DOWNLOADS = ("download", "downloadNamed", "downloadHead",
             "downloadNamedHead")
OPERATOR_TOKEN = {"Authorization": "Bearer " + OPERATOR}


def spec(auth=("open",), **more):
    made = policy(auth=auth, artifacts=[FW, DELTA, LOST], **more)
    product = made["products"][0]
    product["firmware"].append({"version": "1.2.0", "id": 3,
                                "withdrawn": True})
    return made


def query(**said):
    pairs = []
    for name, value in said.items():
        if name == "attrs":
            pairs += [("attr." + n, v) for n, v in value.items()]
        elif isinstance(value, bool):
            pairs.append((name, str(value).lower()))
        elif isinstance(value, list):
            pairs += [(name, v) for v in value]
        else:
            pairs.append((name, value))
    return urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote)


class Asker:
    """One edge's operations by their names, each answer held."""

    def __init__(self, witness, edge):
        self.witness = witness
        self.edge = edge

    def ask(self, op, what="", path="", body=None, headers=None, cert=False,
            **said):
        method, where = {
            "check": ("GET", "/fota/v1/check"),
            "checkHead": ("HEAD", "/fota/v1/check"),
            "checkPost": ("POST", "/fota/v1/check"),
            "report": ("POST", "/fota/v1/report"),
            "explain": ("GET", "/fota/v1/explain"),
            "explainHead": ("HEAD", "/fota/v1/explain"),
            "download": ("GET", ""), "downloadNamed": ("GET", ""),
            "downloadHead": ("HEAD", ""), "downloadNamedHead": ("HEAD", ""),
        }[op]
        if op in ("checkPost", "report"):
            if body is None:
                body = json.dumps(dict(REPORT if op == "report" else GOOD,
                                       **said))
        elif not path:
            where += "?" + query(**dict(GOOD, **said))
        return self.witness.hold(
            op, self.edge.request(method, where + path, body, headers, cert),
            what or str(said) + str(headers or ""))

    def device(self, what="", ops=("check", "checkHead", "checkPost",
                                   "report"), **more):
        return [self.ask(op, what, **more) for op in ops]

    def explain(self, what="", headers=OPERATOR_TOKEN, **more):
        return [self.ask(op, what, headers=headers, **more)
                for op in ("explain", "explainHead")]

    def download(self, what="", a=FW, headers=None, client=False, text=None,
                 more="", **token):
        """By all four operations, each with a token of its own."""
        out = []
        for op in DOWNLOADS:
            path = self.edge.path(a, name="Named" in op, **token)
            if text is not None:
                path = path.split("?")[0] + text
            out.append(self.ask(op, what or str(token) + str(headers or ""),
                                path=path + more, headers=headers,
                                cert=client))
        return out

    def other(self, where, method, path=None, **more):
        return self.witness.hold(
            "other " + where, self.edge.request(method, path or where,
                                                **more),
            method, head=method == "HEAD")


def plain(w, directory):
    """Answers and refusals that need no cause but the request."""
    with Edge(spec()) as e:
        a = Asker(w, e)
        a.device("an offer")
        a.device("none", version="1.1.0")
        a.device("a field", device="x" * 257)
        a.device("tenant", tenant="nobody")
        a.device("product", product="toaster")
        a.device("wrong host", headers={"Host": "a/b"})
        a.explain()
        a.explain(device="x" * 257)
        a.explain(tenant="nobody")
        a.explain(product="toaster")
        a.explain("wrong host", headers={"Host": "a/b"})
        a.explain("a stranger", headers={})
        for op in ("checkPost", "report"):
            a.ask(op, "64 KiB", body=b"x" * 65537)
            a.ask(op, "1 MiB", body=b"x" * ((1 << 20) + 1))
            a.ask(op, "no JSON", body=b"{")
        long = "?x=" + "y" * 9000
        a.device("a long line", path=long)
        a.explain("a long line", path=long)

        for where, known in (("/fota/v1/check", ()),
                             ("/fota/v1/report", ("GET", "HEAD")),
                             ("/fota/v1/explain", ("POST",))):
            for method in ("PUT", "DELETE", "PATCH", "OPTIONS",
                           "TRACE") + known:
                a.other(where, method)
        for named in (False, True):
            where = "/a/{sha256}" + ("/{name}" if named else "")
            for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
                a.other(where, method, e.path(FW, name=named))

        for headers in ({}, {"Range": "bytes=5-9"},
                        {"Range": "bytes=0-1,5-9"}, {"If-None-Match": "*"},
                        {"If-Match": '"x"'}, {"Range": "bytes=999999-"},
                        {"Range": "bytes=0-,0-"}, {"Host": "a/b"}):
            for r in a.download(headers=headers):
                several = "multipart" in (r.headers["Content-Type"] or "")
                if r.status == 206 and several == ("Content-Range"
                                                   in r.headers):
                    w.wrong.append("Content-Range: %r" % r)
        a.download("a long line", more="&x=" + "y" * 9000)
        a.download("not here", a=LOST)
        tokens(a)


def tokens(a):
    now = int(time.time())
    a.download("without", text="")
    a.download(nbf=now - 7200, exp=now - 3600, ttl=None)
    a.download(kid=9)
    a.download("unreadable", text="?t=x")
    a.download(flip=30)
    a.download(scope=2)
    a.download(ip="192.0.2.0", plen=120)
    a.download(cert="00" * 32)
    once = a.edge.mint(FW, flags=8)
    for turn in ("first", "again"):
        a.download(turn, text="?t=" + once)
    a.edge.patch({"deny": [{"kind": "deployment", "id": 66,
                            "not_before": now + 5}]})
    a.download(deployment=66)
    crowded(a)


def crowded(a):
    """Tokens that are good once and fall into one set of the table."""
    number, found = 0, []
    while len(found) < ONCE_WAYS + 1:
        number += 1
        nonce = number.to_bytes(8, "big")
        # As the edge does it, of tenant, deployment and nonce.
        if siphash(1, 7, nonce) % ONCE_SETS == 1:
            found.append(nonce.hex())
    for nonce in found[:ONCE_WAYS]:
        a.edge.get(a.edge.path(FW, flags=8, nonce=nonce))
    a.download(flags=8, nonce=found[-1])


def odd_files(w, directory):
    """A file that may not be read, and one of another size."""
    with Edge(spec(), server="disable_symlinks on;") as e:
        a = Asker(w, e)
        path = os.path.join(e.store, b64url(bytes.fromhex(FW["sha256"])))
        os.rename(path, path + ".x")
        os.symlink(path + ".x", path)
        e.allowed.append("Too many levels of symbolic links")
        a.download("a link")
        os.remove(path)
        os.rename(path + ".x", path)
        with open(path, "ab") as f:
            f.write(b"x")
        e.allowed.append("an artifact of .* bytes has a file of")
        a.download("another size")


def no_policy(w, directory):
    with Edge(None) as e:
        a = Asker(w, e)
        e.keep(FW)
        a.device()
        a.explain()
        a.download()


def derived(device):
    return tool("device-token", "key=" + DEVICE_KEY, "tenant=1",
                "device=" + device)


def credentials(w, directory):
    """Every scheme that an operation names opens it, and without: 401."""
    tls = certificates(os.path.join(directory, "tls"))
    mine = tls["issue"]("mine", "/O=Acme/CN=dev-1")
    guarded = spec(auth=("gateway", "device", "mtls"))
    guarded["tenants"][0]["issuers"] = ["CN=Device CA,O=Acme"]
    guarded["products"].append(dict(guarded["products"][0], tenant=2, id=9))
    with Edge(guarded, tls=tls) as e, Edge(spec(), tls=tls) as lab:
        a = Asker(w, e)
        secrets = {"gatewayToken": GATEWAY, "gatewayBearer": GATEWAY,
                   "deviceToken": derived("dev-1"),
                   "deviceBearer": derived("dev-1"),
                   "downloadToken": None, "downloadAuthorization": None,
                   "operatorToken": OPERATOR, "certificate": mine}
        schemes = w.spec["components"]["securitySchemes"]
        if set(secrets) != set(schemes):
            w.wrong.append("schemes: %s" % sorted(set(secrets)
                                                  ^ set(schemes)))
        for path, item in w.spec["paths"].items():
            for method, op in item.items():
                if "security" not in op:
                    continue
                name = op["operationId"]
                for needed in op["security"]:
                    r = shown(a if needed else Asker(w, lab), name, schemes,
                              secrets, list(needed))
                    if r.status >= 300:
                        w.wrong.append("%s %s: %r" % (name, needed, r))
        a.device("nothing shown")
        a.device("wrong", headers={"Authorization": "Bearer x"})
        a.device("another's", device="dev-2", cert=mine)
        a.device("of another tenant", tenant="other", cert=mine)

        with open(mine[0]) as f:
            der = ssl.PEM_cert_to_DER_cert(f.read())
        digest = hashlib.sha256(der).hexdigest()
        for r in a.download(client=mine, cert=digest):
            if r.status != 200:
                w.wrong.append("a bound token: %r" % r)
        a.download("another certificate", client=None, cert=digest)


def shown(a, op, schemes, secrets, needed):
    """One operation with the credential of one scheme."""
    name = needed[0] if needed else None
    headers, cert, path = {}, False, ""
    if op in DOWNLOADS:
        token = a.edge.mint(FW)
        path = a.edge.path(FW, name="Named" in op).split("?")[0]
        if schemes[name]["type"] == "apiKey":
            path += "?%s=%s" % (schemes[name]["name"], token)
        else:
            headers["Authorization"] = schemes[name]["scheme"] + " " + token
    elif name and schemes[name]["type"] == "mutualTLS":
        cert = secrets[name]
    elif name:
        headers["Authorization"] = (schemes[name]["scheme"] + " "
                                    + secrets[name])
    return a.ask(op, "with %s" % name, path=path, headers=headers, cert=cert)


def bound(w, directory):
    """Downloads bound to what a device does not show."""
    where = os.path.join(directory, "sock")
    with Edge(spec(), server="fota_token_bind ip=24,48;"
              "listen unix:%s;" % where) as e:
        for op, method in (("check", "GET"), ("checkHead", "HEAD"),
                           ("checkPost", "POST")):
            c = UnixConnection(where)
            body = json.dumps(GOOD) if method == "POST" else None
            c.request(method, "/fota/v1/check?" + query(**GOOD), body)
            r = c.getresponse()
            w.hold(op, Answer(r.status, r.headers, r.read()), "no address")
            c.close()
    with Edge(spec(), server="fota_token_bind cert;") as e:
        Asker(w, e).device("no certificate",
                           ops=("check", "checkHead", "checkPost"))


def spool(w, directory):
    """Reports that are not taken now."""
    with Edge(spec(), spool="size=4m") as e:
        a = Asker(w, e)
        a.ask("report", state="downloading")
        name = os.path.join(e.spool, "%016x-%04x-%016x.seg" % (1, 99, 1))
        for part, low, state in ((88, 85, "downloading"),
                                 (99, 98, "failed")):
            with open(name, "wb") as f:
                f.truncate((4 << 20) * part // 100)
            wait_for("level", lambda: e.status()["spool"]["level_percent"]
                     >= low)
            a.ask("report", "%d %% full" % part, state=state)
    with Edge(spec()) as e:
        e.allowed.append("records were not kept")
        shutil.rmtree(e.spool)
        Asker(w, e).ask("report", "no directory")


HOOK = 'return function(ctx) return {fields = {note = "hi"}} end\n'


def rich(w, directory):
    """Answers with every member that they may have."""
    hook = os.path.join(directory, "hook.lua")
    with open(hook, "w") as f:
        f.write(HOOK)
    now = time.gmtime()
    window = "daily %02d:00-%02d:00" % ((now.tm_hour - 1) % 24,
                                        (now.tm_hour + 2) % 24)
    made = spec(rollouts=[{"id": 7, "name": "r", "target": "1.1.0",
                           "windows": [window], "zone": "UTC"}],
                groups={"lab": 5})
    made["products"][0]["install_window"] = "daily 01:00-05:00"
    made["devices"] = [{"tenant": 1, "id": "known", "pin": "1.1.0",
                        "groups": ["lab"], "attrs": {"ring": "lab"},
                        "attempts": [{"rollout": 7, "attempts": 1,
                                      "delta_failed": False}]}]
    made["prefixes"] = [{"prefix": "127.0.0.0/8",
                         "location": {"country": "JP", "city": "Tokyo",
                                      "lat": 35.6, "lon": 139.7}}]
    with Edge(made, http="fota_lua %s;" % hook) as e:
        a = Asker(w, e)
        a.device("full", delta=False)
        a.device("delta", attrs={"hw": "3"})
        a.device("none", version="1.1.0")
        a.explain("known", device="known", attrs={"hw": "3"})
        # Half a day away the window is closed, and the detail says so.
        a.explain("elsewhere", ip="203.0.113.7", tz="+09:00",
                  at="2026-01-31T%02d:00:00+09:00" % ((now.tm_hour + 12) % 24))


ORIGIN = LOCATIONS.replace("fota_download on;", """fota_download on;
            log_not_found off;
            error_page 404 = @origin;""") + """
        location @origin {
            fota_token required;
            fota_digest on;
            proxy_set_header Authorization "";
            proxy_read_timeout 300ms;
            proxy_pass %(pass)s/sync/v1/artifact/$fota_sha256;
            proxy_ssl_certificate %(cert)s;
            proxy_ssl_certificate_key %(key)s;
        }
"""


def origin(w, directory):
    """What is not here comes from the centre, or does not."""
    with Centre(os.path.join(directory, "centre")) as centre:
        centre.api("POST", "/tenants", {"name": "acme"})
        centre.api("POST", "/nodes", {"name": "edge-1",
                                      "url": "https://edge-1"})
        centre.upload(FW["data"], tenant="acme")
        up = centre.api("GET", "/uploads", tenant="acme")["items"][0]["id"]
        centre.api("POST", "/products", {"name": "cam"}, tenant="acme")
        centre.api("POST", "/products/cam/firmware", {"version": "1.1.0"},
                   tenant="acme")
        centre.api("POST", "/products/cam/artifacts",
                   {"version": "1.1.0", "upload": up}, tenant="acme")
        cert, key = centre.node_cert("edge-1")

        def puller(address):
            e = Edge(spec(), start=False, locations=ORIGIN.replace(
                "%(pass)s", address).replace("%(cert)s", cert).replace(
                "%(key)s", key))
            for a in (FW, LOST):
                path = os.path.join(e.store,
                                    b64url(bytes.fromhex(a["sha256"])))
                if os.path.exists(path):
                    os.remove(path)
            e.start()
            return e

        with puller(centre.url) as e:
            a = Asker(w, e)
            for headers in ({}, {"Range": "bytes=5-9"},
                            {"If-None-Match": "*"}, {"If-Match": '"x"'},
                            {"Range": "bytes=999999-"}):
                for op, r in zip(DOWNLOADS, a.download(headers=headers)):
                    if not headers and "Head" not in op:
                        assert r.body == FW["data"], r
            a.download("not there either", a=LOST)
        with puller("http://127.0.0.1:%d" % free_port()) as e:
            Asker(w, e).download("away")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            with puller("http://127.0.0.1:%d" % s.getsockname()[1]) as e:
                Asker(w, e).download("silent")


CAUSES = (plain, odd_files, no_policy, credentials, bound, spool, rich,
          origin)


def probe(witness, directory):
    os.makedirs(os.path.join(directory, "tls"))
    for cause in CAUSES:
        cause(witness, directory)
    return witness
