# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Holds what the centre answers in any test to admin/openapi.yaml."""

import collections
import os
import re

import jsonschema
import yaml

from .centre import TOP
from .contract import METHODS, check, resolved

# Of each operation and status; checking all of them would take minutes.
EACH = 8

wrong = []
_seen = collections.Counter()
_operations = []


def _load():
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open(os.path.join(TOP, "admin/openapi.yaml")) as f:
        spec = yaml.load(f, Loader=loader)
    for path, item in spec["paths"].items():
        shape = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
        for method in METHODS:
            if method in item:
                _operations.append((path.count("{"), method.upper(),
                                    re.compile(shape + "$"), item[method],
                                    spec))
    _operations.sort(key=lambda o: o[0])


def hold(method, url, answer):
    """Remembers in "wrong" what the contract does not describe."""
    if not _operations:
        _load()
    path = url.split("?")[0]
    for _, verb, shape, op, spec in _operations:
        if verb == method and shape.match(path):
            key = op["operationId"], answer.status
            _seen[key] += 1
            if _seen[key] <= EACH:
                try:
                    _check(spec, op, answer)
                except (AssertionError, jsonschema.ValidationError) as e:
                    wrong.append("%s %s: %d: %s: %s" % (
                        method, path, answer.status, e, answer.body[:200]))
            return


def _check(spec, op, answer):
    responses = op["responses"]
    status = str(answer.status)
    response = responses.get(status)
    if response is None:
        assert answer.status >= 400, "the status is not described"
        response = responses["default"]
    content = resolved(spec, response).get("content")
    if content is None:
        assert answer.body == b"", "no body is described"
        return
    kind = answer.headers.get("Content-Type", "").split(";")[0]
    assert kind in content, kind + " is not described"
    if kind.endswith("json"):
        check(spec, content[kind]["schema"], answer.json)
