# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""OpenAPI documents: reading them, and holding live answers to them.

    witness = Witness(load("docs/device-api.yaml"))
    witness.hold("check", edge.get("/fota/v1/check?..."))
    assert not witness.wrong and not witness.unseen()
"""

import json
import os
import re

import jsonschema
import yaml

from .centre import TOP

METHODS = ("get", "head", "post", "put", "patch", "delete")

# Of HTTP itself, on any answer.
COMMON = {"server", "date", "connection", "content-type", "content-length",
          "transfer-encoding"}


def load(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as f:
        return yaml.safe_load(f)


def operations(spec):
    for path, item in spec["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def find(spec, ref):
    node = spec
    for part in ref[2:].split("/"):
        assert part in node, ref
        node = node[part]
    return node


def resolved(spec, node):
    while "$ref" in node:
        node = find(spec, node["$ref"])
    return node


def check(spec, schema, value):
    whole = dict(schema)
    whole["components"] = spec["components"]
    jsonschema.Draft202012Validator(whole).validate(value)


def well_formed(spec):
    """Operation ids, schemas, references and the examples of bodies."""
    ids = [op["operationId"] for _, _, op in operations(spec)]
    assert len(ids) == len(set(ids))
    for schema in spec["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for ref in set(re.findall(r"#/[\w/-]+", yaml.dump(spec))):
        find(spec, ref)
    for path, method, op in operations(spec):
        for media in op.get("requestBody", {}).get("content", {}).values():
            if "example" in media:
                check(spec, media["schema"], media["example"])


def beyond(schema):
    """Values just outside of what a schema allows."""
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maxItems" in schema:
        yield ["x"] * (schema["maxItems"] + 1)
    if "enum" in schema:
        yield "nonsense"


class Witness:
    """Holds answers to a document and remembers which parts were seen.

    Answers to a method that a path does not have are held as of the
    operation "other PATH"; the document describes them in x-otherMethods.
    """

    def __init__(self, spec):
        self.spec = spec
        self.wrong = []
        self.seen = set()
        self.codes = set()
        self.members = set()
        self.heads = set()
        self.responses = {}
        # (operation, status) that no request can bring about.
        self.excused = set()
        for path, item in spec["paths"].items():
            for method in METHODS:
                if method in item:
                    op = item[method]["operationId"]
                    self.responses[op] = item[method]["responses"]
                    if method == "head":
                        self.heads.add(op)
            if "x-otherMethods" in item:
                self.responses["other " + path] = {
                    "405": item["x-otherMethods"]}

    def hold(self, op, answer, what="", head=False):
        try:
            self._hold(op, answer, head or op in self.heads)
        except (AssertionError, ValueError,
                jsonschema.ValidationError) as e:
            text = e.message if isinstance(
                e, jsonschema.ValidationError) else str(e)
            self.wrong.append("%s %s: %s: %s" % (op, what, text, answer))
        return answer

    def _hold(self, op, answer, head):
        status = str(answer.status)
        assert status in self.responses[op], status + " is not described"
        response = resolved(self.spec, self.responses[op][status])
        self._headers(response.get("headers", {}), answer.headers)

        kind = answer.headers.get("Content-Type")
        content = response.get("content")
        if content is None:
            assert kind is None and answer.body == b"", "a body"
            self.seen.add((op, status, None))
            return
        kind = kind.split(";")[0]
        assert kind in content, kind + " is not described"
        self.seen.add((op, status, kind))
        if head:
            assert answer.body == b"", "a body"
            return

        schema = content[kind]["schema"]
        if not kind.endswith("json"):
            check(self.spec, schema, answer.body.decode("latin-1"))
            return
        value = json.loads(answer.body)
        check(self.spec, schema, value)
        self._walk(schema, value)
        if kind == "application/problem+json":
            assert value["status"] == answer.status
            self.codes.add((op, status, value["code"]))

    def _headers(self, described, sent):
        for name, header in described.items():
            header = resolved(self.spec, header)
            values = sent.get_all(name) or []
            assert (len(values) <= 1
                    or header.get("x-repeated")), name + " is sent twice"
            assert values or not header.get("required"), "no " + name
            for value in values:
                check(self.spec, header["schema"], value)
                self.members.add((id(described), name))
        known = COMMON | {n.lower() for n in described}
        more = {n.lower() for n in sent.keys()} - known
        assert not more, "%s not described" % ", ".join(sorted(more))

    def _walk(self, schema, value):
        schema = resolved(self.spec, schema)
        for part in schema.get("allOf", []):
            self._walk(part, value)
        for part in schema.get("oneOf", []):
            try:
                check(self.spec, part, value)
            except jsonschema.ValidationError:
                continue
            self._walk(part, value)
        if isinstance(value, list) and "items" in schema:
            for v in value:
                self._walk(schema["items"], v)
        if isinstance(value, dict):
            known = schema.get("properties", {})
            for name in known.keys() & value.keys():
                self.members.add((id(known), name))
                self._walk(known[name], value[name])

    # What the document says

    def contents(self):
        """(operation, status, media type, schema) of every answer."""
        for op, responses in self.responses.items():
            for status, response in responses.items():
                response = resolved(self.spec, response)
                for kind, media in response.get("content",
                                                {None: {}}).items():
                    yield op, status, kind, media.get("schema")

    def described_codes(self):
        """(operation, status, code) of every problem."""
        for op, status, kind, schema in self.contents():
            if kind == "application/problem+json":
                for part in schema["allOf"]:
                    for code in (part.get("properties", {}).get("code", {})
                                 .get("enum", [])):
                        yield op, status, code

    def described_members(self):
        """Headers and members of answers: key as in members, to a name."""
        out, done = {}, set()

        def collect(schema, name):
            if "$ref" in schema:
                name = schema["$ref"].rsplit("/", 1)[1]
                schema = resolved(self.spec, schema)
            if id(schema) in done:
                return
            done.add(id(schema))
            for part in schema.get("allOf", []) + schema.get("oneOf", []):
                collect(part, name)
            if "items" in schema:
                collect(schema["items"], name)
            known = schema.get("properties", {})
            for member, sub in known.items():
                out[id(known), member] = name + "." + member
                collect(sub, name + "." + member)

        for op, responses in self.responses.items():
            for status, response in responses.items():
                if (op, status) in self.excused:
                    continue
                response = resolved(self.spec, response)
                headers = response.get("headers", {})
                for name in headers:
                    out[id(headers), name] = " ".join((op, status, name))
                for media in response.get("content", {}).values():
                    collect(media["schema"], op + " " + status)
        return out

    def unseen(self):
        """What of the document no answer showed."""
        missing = [" ".join((op, status, str(kind)))
                   for op, status, kind, _ in self.contents()
                   if (op, status, kind) not in self.seen
                   and (op, status) not in self.excused]
        missing += [" ".join(c) for c in self.described_codes()
                    if c[0] not in self.heads and c not in self.codes
                    and c[:2] not in self.excused]
        missing += [name for key, name in self.described_members().items()
                    if key not in self.members]
        return missing
