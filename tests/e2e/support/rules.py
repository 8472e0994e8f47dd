# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""What tests of rules share: an edge that is asked why, and many devices."""

import json
import os
import re
import socket
import urllib.parse

from .edge import ASAN, MODULE, OPERATOR, SLOW, Edge, policy

LUA_MODULES = ("/usr/lib/nginx/modules/ndk_http_module.so",
               "/usr/lib/nginx/modules/ngx_http_lua_module.so")

# A device's address, as a load balancer in front tells it.
REALIP = "set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;\n"


def query(**members):
    """A query string; attrs={..} become attr.NAME."""
    attrs = members.pop("attrs", None) or {}
    pairs = [(k, v) for k, v in members.items() if v is not None]
    pairs += [("attr." + k, v) for k, v in attrs.items()]
    return urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote)


def bearer(token=OPERATOR):
    return {"Authorization": "Bearer " + token}


def rollout_policy(*rollouts, firmware=None, artifacts=None, **more):
    """Product "cam" with these rollouts on plain firmware."""
    spec = policy(rollouts=[dict({"id": i + 1, "name": "r%d" % (i + 1)}, **r)
                            for i, r in enumerate(rollouts)], **more)
    product = spec["products"][0]
    if firmware is not None:
        product["firmware"] = firmware
    if artifacts is not None:
        product["artifacts"] = artifacts
    return spec


def package(to, seed, size=1000, **more):
    """An artifact that policy knows and no store holds."""
    return dict({"to": to, "sha256": "%064x" % seed, "size": size}, **more)


class RuleEdge(Edge):
    """before, after: modules to load around ours."""

    def __init__(self, *args, before=(), after=(), http="", **more):
        self.around = (before, after)
        super().__init__(*args, http=REALIP + "keepalive_requests 1000000;\n"
                         + http, **more)

    def write_conf(self):
        text = super().write_conf()
        ours = "load_module %s;" % MODULE
        lists = [["load_module %s;" % m for m in a] for a in self.around]
        if ours in text:
            text = text.replace(ours, "\n".join(lists[0] + [ours]
                                                + lists[1]), 1)
        elif lists[0] or lists[1]:
            text = "\n".join(lists[0] + lists[1]) + text
        with open(self.conf, "w") as f:
            f.write(text)
        return text

    def explain(self, device="dev-1", version="1.0.0", tenant="acme",
                product="cam", **more):
        return self.get("/fota/v1/explain?" + query(
            tenant=tenant, product=product, device=device, version=version,
            **more), bearer())

    def pipeline(self, requests, batch=1 if ASAN else 64):
        """Decoded answers to many GETs [(path, headers)], in order.

        One by one under sanitizers: nginx moves a half-read header between
        buffers with pointers that the sanitizer stops at.
        """
        with socket.create_connection(("127.0.0.1", self.port),
                                      30 * SLOW) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = s.makefile("rb", buffering=1 << 18)
            for start in range(0, len(requests), batch):
                part = requests[start:start + batch]
                s.sendall("".join(
                    "GET %s HTTP/1.1\r\nHost: rules\r\n%s\r\n" % (
                        path, "".join("%s: %s\r\n" % h
                                      for h in headers.items()))
                    for path, headers in part).encode())
                for _ in part:
                    yield read_json(stream)


def read_json(stream):
    """One answer of a kept connection."""
    status = int(stream.readline().split()[1])
    length = 0
    while True:
        line = stream.readline()
        if line in (b"\r\n", b""):
            break
        if line[:15].lower() == b"content-length:":
            length = int(line[15:])
    body = stream.read(length)
    assert status == 200, (status, body)
    return json.loads(body)


def write_lua(directory, name, text):
    path = os.path.join(str(directory), name)
    with open(path, "w") as f:
        f.write(text)
    return path


def line_of(text, what):
    """The line of a log that holds what."""
    for line in text.splitlines():
        if re.search(what, line):
            return line
    raise AssertionError("no %r in:\n%s" % (what, text[-2000:]))
