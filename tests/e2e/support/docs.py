# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The examples of docs/policy.md: tagged blocks of JSON and tables."""

import json
import os
import re

from .edge import TOP

TAG = re.compile(r"<!-- (example: ([\w-]+)|groups|devices|refused|firmware"
                 r"|addresses) -->")
NOON = "2026-03-10T12:00:00Z"
HERE = "203.0.113.10"


class Example:
    def __init__(self, name):
        self.name = name
        self.rollouts = []
        self.groups = {}
        self.devices = []
        self.rows = []


class Policy:
    """firmware, addresses, refused: rows; examples: in order."""

    def __init__(self, path=None):
        path = path or os.path.join(TOP, "docs", "policy.md")
        with open(path, encoding="utf-8") as f:
            self.lines = f.read().splitlines()
        self.tables = {}
        self.examples = []
        self._parse()
        self.firmware = self.tables["firmware"]
        self.addresses = self.tables["addresses"]
        self.refused = self.tables["refused"]

    def _parse(self):
        example = None
        tag = None
        at = 0
        while at < len(self.lines):
            line = self.lines[at]
            found = TAG.match(line)
            if found:
                tag = found.group(2) and "example" or found.group(1)
                if tag == "example":
                    example = Example(found.group(2))
                    self.examples.append(example)
            elif line.startswith("#"):
                example = tag = None
            elif line == "```json" and tag:
                end = self.lines.index("```", at)
                value = json.loads("\n".join(self.lines[at + 1:end]))
                if tag == "example":
                    example.rollouts = (value if isinstance(value, list)
                                        else [value])
                elif tag == "groups":
                    example.groups = value
                else:
                    example.devices = value
                at = end
            elif line.startswith("|") and tag:
                rows, at = self._table(at)
                if tag in ("example", "groups", "devices"):
                    example.rows += rows
                else:
                    self.tables[tag] = rows
                tag = None
            at += 1

    def _table(self, at):
        head = _cells(self.lines[at])
        rows = []
        at += 2
        while at < len(self.lines) and self.lines[at].startswith("|"):
            cells = _cells(self.lines[at])
            assert len(cells) == len(head), self.lines[at]
            rows.append(dict(zip(head, cells), line=at + 1))
            at += 1
        return rows, at - 1


def _cells(line):
    return [c.strip().strip("`") for c in line.strip().strip("|").split("|")]


def question(row):
    """Members of an explain for a row of an example."""
    said = {"device": row["device"], "version": row.get("version") or "1.0.0",
            "ip": row.get("address") or HERE, "at": row.get("time") or NOON}
    for pair in (row.get("attributes") or "").split():
        name, value = pair.split("=", 1)
        if name in ("tz", "delta"):
            said[name] = value
        else:
            said["attr." + name] = value
    return said


def answer(explained):
    """An explain's decision in the words of the tables."""
    d = explained["decision"]
    if d["reason"] != "offer":
        return d["reason"]
    return "offer %s %s" % (d["path"]["version"], d["path"]["type"])
