# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""docs/device-api.yaml is the contract of the device API: what edges say is
in it, what is in it is said by edges, and its numbers are the program's."""

import glob
import json
import os
import re

import jsonschema
import pytest

from support.contract import (TOP, Witness, beyond, load, operations,
                              resolved, well_formed)
from support.device_probe import GOOD, OPERATOR_TOKEN, REPORT, probe, query
from support.device_probe import spec as small_policy
from support.edge import Edge

SOURCES = os.path.join(TOP, "ngx_fota_module")
DOC = os.path.join(TOP, "docs", "device-api.md")

# No request brings these about: memory or random bytes have to run out.
UNPROVOKED = {"no_memory", "crypto"}

# Said by the centre, and handed on.
OF_CENTRE = {"no_artifact", "range"}

KEYWORDS = {
    "$ref", "type", "const", "enum", "default", "example", "description",
    "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems",
    "maxItems", "maxProperties", "propertyNames", "properties", "required",
    "additionalProperties", "items", "allOf", "oneOf", "contentMediaType",
    "x-limit"}

BOUNDS = ("maxLength", "maxItems", "maxProperties", "maximum", "value")


def source(*names):
    text = ""
    for name in names:
        found = sorted(glob.glob(os.path.join(SOURCES, name)))
        assert found, name
        for path in found:
            with open(path, encoding="utf-8") as f:
                text += re.sub(r"/\*.*?\*/", " ", f.read(), flags=re.S)
    return text


@pytest.fixture(scope="module")
def spec():
    return load("docs/device-api.yaml")


@pytest.fixture(scope="module")
def witness(spec, tmp_path_factory):
    w = Witness(spec)
    # The edges' own faults; a broken file of an artifact is one that shows.
    w.excused = {(op, "500") for op in w.responses
                 if not op.startswith("download")}
    return probe(w, str(tmp_path_factory.mktemp("probe")))


# The document by itself

def schemas(spec):
    """Every schema of the document and what it is of, whole trees."""
    def tree(schema, where):
        yield schema, where
        for name, sub in schema.get("properties", {}).items():
            yield from tree(sub, where + "." + name)
        for key in ("items", "propertyNames", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                yield from tree(schema[key], where + "." + key)
        for key in ("allOf", "oneOf"):
            for sub in schema.get(key, []):
                yield from tree(sub, where)

    parts = spec["components"]
    for name, schema in parts["schemas"].items():
        yield from tree(schema, name)
    for kind in ("parameters", "headers"):
        for name, part in parts[kind].items():
            yield from tree(part["schema"], kind + "." + name)
    for name, part in parts["responses"].items():
        for media in part.get("content", {}).values():
            yield from tree(media["schema"], "responses." + name)


def test_document_is_well_formed(spec):
    well_formed(spec)
    assert spec["openapi"].startswith("3.1.")
    schemes = spec["components"]["securitySchemes"]
    for path, method, op in operations(spec):
        assert op["summary"] and op["responses"], path
        parameters = [resolved(spec, p) for p in
                      spec["paths"][path].get("parameters", [])
                      + op.get("parameters", [])]
        assert ([p["name"] for p in parameters if p["in"] == "path"]
                == re.findall(r"\{(\w+)\}", path))
        for p in parameters:
            assert p["in"] in ("path", "query", "header") and p["schema"]
        for needed in op["security"]:
            assert set(needed) <= set(schemes), path
        for status, response in op["responses"].items():
            response = resolved(spec, response)
            assert response["description"], (path, status)
            assert status == "304" or response["content"], (path, status)
            for header in response.get("headers", {}).values():
                assert resolved(spec, header)["schema"]
    for schema, where in schemas(spec):
        assert set(schema) <= KEYWORDS, (where, set(schema) - KEYWORDS)
        jsonschema.Draft202012Validator.check_schema(schema)


def test_answers_are_closed(spec):
    """A member that nobody described must not pass."""
    asked = {"CheckRequest", "ReportRequest", "Attributes"}
    told = 0
    for schema, where in schemas(spec):
        if where.split(".")[0] in asked or where.startswith("param"):
            continue
        if schema.get("type") == "object":
            told += 1
            assert "additionalProperties" in schema, where
            assert schema["additionalProperties"] is not True, where
    assert told >= 15


def test_parts_are_used(spec):
    text = json.dumps(spec)
    for kind in ("parameters", "headers", "responses", "schemas"):
        for name in spec["components"][kind]:
            assert '"#/components/%s/%s"' % (kind, name) in text, name
    for name in spec["components"]["securitySchemes"]:
        assert any(name in needed for _, _, op in operations(spec)
                   for needed in op["security"]), name


# Live edges

def test_answers_are_as_described(witness):
    assert not witness.wrong, "\n".join(w[:600] for w in witness.wrong)


def test_all_that_is_described_is_answered(witness):
    assert not witness.unseen(), "\n".join(witness.unseen())


# The program's words

def arguments(text, name):
    """Arguments of every call of a function."""
    for m in re.finditer(name + r"\s*\(", text):
        depth, at, out = 1, m.end(), [""]
        while depth:
            string = re.match(r'"(?:[^"\\]|\\.)*"', text[at:])
            if string:
                out[-1] += string.group()
                at += string.end()
                continue
            c = text[at]
            depth += (c in "([{") - (c in ")]}")
            if c == "," and depth == 1:
                out.append("")
            elif depth:
                out[-1] += c
            at += 1
        yield [a.strip() for a in out]


STATUS = {"BAD_REQUEST": 400, "UNAUTHORIZED": 401, "FORBIDDEN": 403,
          "NOT_FOUND": 404, "NOT_ALLOWED": 405, "TOO_MANY_REQUESTS": 429,
          "REQUEST_ENTITY_TOO_LARGE": 413, "INTERNAL_SERVER_ERROR": 500,
          "SERVICE_UNAVAILABLE": 503}


def said_codes():
    """(status or None where it is a variable, code) in the sources."""
    text = source("ngx_http_fota/*.c")
    for name, at in (("ngx_http_fota_problem", 2),
                     ("ngx_http_fota_problem_retry", 2),
                     ("ngx_http_fota_case_fail", 2),
                     ("ngx_http_fota_token_refuse", 5)):
        for args in arguments(text, name):
            code = args[at]
            if code.startswith('"'):
                status = args[at - 1].replace("NGX_HTTP_", "")
                yield (STATUS.get(status) or (int(status) if status.isdigit()
                                              else None), code.strip('"'))
            else:
                # Handed through, and declarations.
                assert re.search(r"^(c->|wrong\[i\]\.)?(code|error)$|"
                                 r"const char \*", code), args
    for status, code in re.findall(
            r"NGX_HTTP_FOTA_C_TOKEN_\w+,\s*(?:NGX_HTTP_)?(\w+), \"(\w+)\",",
            text):
        yield STATUS.get(status) or int(status), code


def test_codes_are_those_of_the_program(spec, witness):
    described = {(int(s), c) for _, s, c in witness.described_codes()
                 if c not in OF_CENTRE}
    said = set(said_codes())
    assert len(said) > 20
    loose = {c for s, c in said if s is None}
    fixed = {(s, c) for s, c in said if s is not None}
    assert fixed <= described, sorted(fixed - described)
    assert {c for _, c in described} == {c for _, c in said}
    assert {c for _, c in described - fixed} <= loose
    for status, code in described:
        assert (status == 500) == (code in UNPROVOKED), code


def words(text, array):
    body = re.search(array + r"\[\]\s*=\s*\{(.*?)\}", text, re.S).group(1)
    return re.findall(r'"([^"]*)"', body)


def test_words_are_those_of_the_program(spec):
    parts = spec["components"]["schemas"]
    core = source("fota_core/*.c")
    explained = parts["ExplainAnswer"]["properties"]
    for array, schema in (
            ("fota_reason_names", parts["Reason"]),
            ("fota_report_states",
             parts["ReportRequest"]["properties"]["state"]),
            ("fota_node_reasons",
             explained["nodes"]["items"]["properties"]["reason"]),
            ("fota_geo_sources",
             explained["location"]["properties"]["source"])):
        assert words(core, array) == schema["enum"], array


def test_members_are_those_of_the_program(spec):
    """Those that are read, and those that are written."""
    parts = spec["components"]["schemas"]

    def names(schema):
        for s, _ in everything(schema):
            yield from s.get("properties", {})

    def everything(schema):
        yield schema, ""
        for sub in list(schema.get("properties", {}).values()) + [
                schema.get("items")]:
            if isinstance(sub, dict):
                yield from everything(sub)

    read = source("fota_core/fota_request.c")
    found = set(re.findall(r'fota_req_\w+\(&q, "(\w+)"', read)) | set(
        re.findall(r'fota_req_get\(q, (?:q->root|v), "(\w+)"', read))
    assert found == (set(names(parts["CheckRequest"]))
                     | set(names(parts["ReportRequest"])))

    found = set(re.findall(r'fota_string\("([\w.]+)"\)',
                           source("fota_core/fota_request_query.c")))
    get = spec["paths"]["/fota/v1/check"]["get"]
    known = {resolved(spec, p)["name"] for p in get["parameters"]}
    assert found - {"true", "false"} == known - {"attrs"} | {"attr."}
    found = set(re.findall(r'ngx_http_fota_explain_arg\(c, "(\w+)"',
                           source("ngx_http_fota/ngx_http_fota_explain.c")))
    get = spec["paths"]["/fota/v1/explain"]["get"]
    assert found == {resolved(spec, p)["name"]
                     for p in get["parameters"]} - known

    written = source("fota_core/fota_answer*.c")
    found = set(re.findall(r'fota_jw_\w+\(&?\w+, "(\w+)"', written))
    found |= {"attrs", "set_attrs", "artifact"}
    assert found == set().union(*(names(parts[n]) for n in (
        "NoUpdate", "Offer", "Artifact", "ExplainAnswer",
        "ExplainedAttributes", "Problem")))


# The program's limits

def defines():
    out = {"UINT16_MAX": 2 ** 16 - 1, "UINT32_MAX": 2 ** 32 - 1,
           "INT64_MAX": 2 ** 63 - 1}
    for name, value in re.findall(
            r"^#define\s+(\w+)[ \t]+\(?([0-9]+(?: \* [0-9]+)*)\)?\s*$",
            source("fota_core/*.[ch]", "ngx_http_fota/*.[ch]"), re.M):
        number = 1
        for factor in value.split(" * "):
            number *= int(factor)
        out[name] = number
    return out


def bound(schema):
    """The number of a schema: that of its keyword or its pattern."""
    for key in BOUNDS:
        if key in schema:
            return schema[key]
    numbers = re.findall(r"\{(?:1,)?(\d+)\}", schema["pattern"])
    return int(numbers[-1])


def limited(node, where=""):
    """Everything with an x-limit."""
    if isinstance(node, dict):
        if "x-limit" in node:
            yield where, node
        for key, value in node.items():
            yield from limited(value, where + "/" + str(key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from limited(value, "%s/%d" % (where, i))


def test_limits_are_those_of_the_program(spec):
    numbers = defines()
    used = set()
    for where, node in limited(spec):
        assert node["x-limit"] in numbers, (where, node)
        assert bound(node) == numbers[node["x-limit"]], (where, node)
        used.add(node["x-limit"])
    known = set(re.findall(r"\b(FOTA_\w+_MAX)\b", source(
        "fota_core/fota_request*.[ch]")))
    assert known - used == set(), "a limit of requests is not described"

    for schema, where in schemas(spec):
        if where.startswith(("CheckRequest", "ReportRequest", "Attributes",
                             "RunningVersion", "parameters")):
            for key in BOUNDS[:3]:
                assert key not in schema or "x-limit" in schema, where


def cases(spec, schema, name):
    """(value, whether it is taken, field that is named if not)."""
    schema = resolved(spec, schema)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds

    def bare(value):
        return value, False, name

    if "enum" in schema:
        for value in schema["enum"]:
            yield value, True, name
        yield bare("nonsense")
    elif "array" in kinds:
        yield ["n"] * schema["maxItems"], True, name
        yield bare(["n"] * (schema["maxItems"] + 1))
        for value, good, _ in cases(spec, schema["items"], name):
            yield [value], good, name
    elif "object" in kinds and "properties" in schema:
        for member, sub in schema["properties"].items():
            for value, good, field in cases(spec, sub, name + "." + member):
                yield {member: value}, good, field
    elif "object" in kinds:
        n = schema["maxProperties"]
        yield {"a%d" % i: "v" for i in range(n)}, True, name
        yield bare({"a%d" % i: "v" for i in range(n + 1)})
        n = bound(schema["propertyNames"])
        yield {"x" * n: "v"}, True, name
        yield {"x" * (n + 1): "v"}, False, name + "." + "x" * (n + 1)
        sub = schema["additionalProperties"]
        for value, good, field in cases(spec, sub, name + ".a"):
            yield {"a": value}, good, field
        yield bare({"": "v"})
    elif "maxLength" in schema:
        yield "x" * schema["maxLength"], True, name
        for value in beyond(schema):
            yield bare(value)
        if schema.get("minLength"):
            yield bare("")
        yield "\u00e9" * (schema["maxLength"] // 2), True, name
        yield bare("\u00e9" * (schema["maxLength"] // 2 + 1))
    elif "maximum" in schema:
        yield schema["maximum"], True, name
        yield schema["minimum"], True, name
        for value in beyond(schema):
            yield bare(value)
    elif "pattern" in schema:
        yield "0aF" + "0" * 61, True, name
        yield bare("0" * 63)
        yield bare("0" * 63 + "x")
    elif "boolean" in kinds:
        yield True, True, name
        yield False, True, name
        yield bare("perhaps")
    if "null" in kinds and "enum" not in schema:
        yield None, True, name


@pytest.fixture(scope="module")
def edge():
    with Edge(small_policy(),
              http="large_client_header_buffers 4 128k;") as e:
        yield e


def judged(answer, good, field):
    """Is it refused exactly when it has to be, by the field's name?"""
    if good:
        return answer.status != 400
    return answer.status == 400 and answer.json["field"] == field


@pytest.mark.parametrize("name,path,base", [
    ("CheckRequest", "/fota/v1/check", GOOD),
    ("ReportRequest", "/fota/v1/report", REPORT)])
def test_limits_of_bodies(spec, edge, name, path, base):
    schema = spec["components"]["schemas"][name]
    tried, wrong = 0, []
    for member, sub in schema["properties"].items():
        for value, good, field in cases(spec, sub, member):
            if good:
                jsonschema.Draft202012Validator(
                    dict(sub, components=spec["components"])).validate(value)
            body = json.dumps(dict(base, **{member: value}))
            r = edge.request("POST", path, body)
            tried += 1
            if not judged(r, good, field):
                wrong.append((member, str(value)[:40], good, field, r))
    for member in base:
        r = edge.request("POST", path, json.dumps(
            {k: v for k, v in base.items() if k != member}))
        if (r.status == 400) != (member in schema["required"]):
            wrong.append(("without", member, r))
    assert tried > 40
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("path", ["/fota/v1/check", "/fota/v1/explain"])
def test_limits_of_queries(spec, edge, path):
    op = spec["paths"][path]["get"]
    tried, wrong = 0, []
    for p in op["parameters"]:
        p = resolved(spec, p)
        if p["name"] in ("ip", "at"):
            continue
        for value, good, field in cases(spec, p["schema"], p["name"]):
            if value is None:
                continue
            r = edge.get(path + "?" + query(**dict(GOOD,
                                                   **{p["name"]: value})),
                         OPERATOR_TOKEN)
            tried += 1
            if not judged(r, good, field):
                wrong.append((p["name"], str(value)[:40], good, field, r))
        left = {k: v for k, v in GOOD.items() if k != p["name"]}
        r = edge.get(path + "?" + query(**left), OPERATOR_TOKEN)
        if (r.status == 400) != p.get("required", False):
            wrong.append(("without", p["name"], r))
    assert tried > 40
    assert not wrong, "\n".join(map(str, wrong))


def nested(n):
    return "[" * n + "]" * n


@pytest.mark.parametrize("path,base", [("/fota/v1/check", GOOD),
                                       ("/fota/v1/report", REPORT)])
def test_limits_of_a_whole_body(spec, edge, path, base):
    limits = spec["paths"][path]["post"]["requestBody"]["x-limits"]
    limits = {k: v["value"] for k, v in limits.items()}
    assert set(limits) == {"bytes", "values", "depth"}
    head = json.dumps(base)[:-1]

    def ask(z):
        return edge.request("POST", path, head + ', "z": ' + z + "}").status

    # The object itself, its members and the array are values too.
    n = limits["values"] - len(base) - 2
    for length, status in ((n, None), (n + 1, 400)):
        assert (ask(json.dumps([0] * length)) == 400) == (status == 400)
    assert ask(nested(limits["depth"] - 1)) != 400
    assert ask(nested(limits["depth"])) == 400
    n = limits["bytes"] - len(head) - len(', "z": ""}')
    assert ask('"%s"' % ("y" * n)) in (200, 202)
    assert ask('"%s"' % ("y" * (n + 1))) == 413


def test_limits_of_a_whole_query(spec, edge):
    limits = spec["paths"]["/fota/v1/check"]["get"]["x-limits"]
    limits = {k: v["value"] for k, v in limits.items()}
    assert set(limits) == {"parameters", "bytes"}
    asked = query(**GOOD)

    def ask(more):
        return edge.get("/fota/v1/check?" + asked + more)

    n = limits["parameters"] - len(GOOD)
    assert ask("&y=1" * n).status == 200
    assert ask("&y=1" * (n + 1)).json["field"] == "query"
    n = limits["bytes"] - len(asked) - len("&y=")
    assert ask("&y=" + "z" * n).status == 200
    assert ask("&y=" + "z" * (n + 1)).json["field"] == "query"


# The story beside it

def test_story_tells_the_same_codes(witness):
    with open(DOC, encoding="utf-8") as f:
        text = f.read()
    assert "device-api.yaml" in text
    told = set(re.findall(r"`(\w+)`", text[text.index("## Mistakes"):]))
    codes = {c for _, _, c in witness.described_codes()}
    assert codes - told == set()
