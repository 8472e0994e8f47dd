# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""docs/policy.md cannot rot: its rollouts are made at a centre, and edge and
centre have to answer what its tables say."""

import datetime
import os
import re

import pytest

from support.centre import ApiError
from support.docs import Policy, answer, question
from support.edge import TOP
from support.rules import query
from support.stack import sha
from support.world import explain, operator

DOCS = Policy()
FULL = 65536
DELTA = 4096


@pytest.fixture(scope="module")
def examples(rules):
    """Every example's product, rollouts, groups and devices."""
    operator(rules)
    fleet = rules.fleet("docs")
    up = {n: upload(fleet, bytes([i]) * n)
          for i, n in enumerate((FULL, DELTA))}
    for e in DOCS.examples:
        make(fleet, e, up)
    rules.ready(timeout=60)
    return fleet


def upload(fleet, data):
    up = fleet.api("POST", "/uploads", {"name": "image.bin",
                                        "size": len(data),
                                        "sha256": sha(data)})
    fleet.api("PATCH", "/uploads/" + up["id"], body=data, headers={
        "Content-Type": "application/octet-stream", "Upload-Offset": "0"})
    fleet.api("POST", "/uploads/%s/complete" % up["id"])
    return up["id"]


def make(fleet, example, up):
    """Names of groups and devices get the example's name in front."""
    product = "docs-" + example.name
    fleet.api("POST", "/products", {"name": product, "poll_s": 3600})
    for f in DOCS.firmware:
        fleet.api("POST", "/products/%s/firmware" % product, {
            "version": f["version"], "kind": f["kind"],
            "must_pass": f["must be passed"] == "yes"})
    for f in DOCS.firmware:
        base = {"version": f["version"], "kind": f["kind"]}
        if f["full package"] == "yes":
            fleet.api("POST", "/products/%s/artifacts" % product, dict(
                base, upload=up[FULL],
                requires=f["full package requires"]))
        if f["deltas from"]:
            fleet.api("POST", "/products/%s/artifacts" % product, dict(
                base, upload=up[DELTA], **{"from": f["deltas from"]}))
    for d in example.devices:
        fleet.api("POST", "/devices", dict(
            d, id=example.name + "/" + d["id"], product=product))
    for name, members in example.groups.items():
        if isinstance(members, str):
            fleet.api("POST", "/groups", {"name": name, "filter": members})
            continue
        fleet.api("POST", "/groups", {"name": name})
        ids = [example.name + "/" + m for m in members]
        fleet.api("POST", "/devices/bulk", {
            "product": product, "devices": [{"id": i} for i in ids]})
        fleet.api("POST", "/groups/%s/members" % name, {"add": ids})
    for r in example.rollouts:
        made = fleet.api("POST", "/rollouts", dict(r, product=product))
        fleet.api("POST", "/rollouts/%d/start" % made["id"])
        for key, value in r.items():
            if key not in ("stages", "geo"):
                assert made[key] == value, key


def named(example, row):
    """Only devices of records have to be told apart between examples."""
    said = question(row)
    said["kind"] = example.rollouts[0].get("kind", "os")
    known = {d["id"] for d in example.devices}
    known.update(*(m for m in example.groups.values()
                   if isinstance(m, list)))
    if said["device"] in known:
        said["device"] = example.name + "/" + said["device"]
    return said


@pytest.mark.parametrize("name", [e.name for e in DOCS.examples])
def test_example(rules, examples, name):
    example = next(e for e in DOCS.examples if e.name == name)
    assert example.rollouts and example.rows
    wrong = []
    for row in example.rows:
        said = named(example, row)
        got = answer(explain(rules, examples, product="docs-" + name,
                             **said))
        if got != row["expected"]:
            wrong.append("line %d: edge: %s" % (row["line"], got))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", [e.name for e in DOCS.examples])
def test_example_at_the_centre(examples, name):
    """The same questions to the centre have the same answers."""
    example = next(e for e in DOCS.examples if e.name == name)
    wrong = []
    for row in example.rows:
        said = named(example, row)
        at = said.pop("at").replace("Z", "+00:00")
        said["at"] = int(datetime.datetime.fromisoformat(at).timestamp())
        if "delta" in said:
            continue            # a fact of the request, not of the device
        told = examples.api("GET", "/explain?" + query(
            product="docs-" + name, **said))
        if answer(told) != row["expected"]:
            wrong.append("line %d: centre: %s" % (row["line"], answer(told)))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("row", DOCS.refused, ids=lambda r: r["filter"])
def test_refused_filter(examples, row):
    for path, body in (
            ("/groups/preview", {}),
            ("/rollouts", {"product": "docs-smallest", "name": "x"})):
        with pytest.raises(ApiError) as e:
            examples.api("POST", path, dict(body, filter=row["filter"]))
        assert e.value.status == 400
        assert row["answer"] in e.value.problem["detail"]


@pytest.mark.parametrize("change", [
    {"filter": "id==a"}, {"target": "1.0.0"}, {"strategy": "delta"},
    {"sources": ["1.*"]}, {"geo": {"include": ["JP"]}},
    {"allow_downgrade": True}, {"kind": "app", "target": "5.0"},
    {"stages": [{"percent": 50}]}], ids=lambda c: list(c)[0])
def test_audience_is_fixed_by_the_start(examples, change):
    made = examples.api("GET", "/rollouts?" + query(
        product="docs-full"))["items"][0]
    with pytest.raises(ApiError) as e:
        examples.api("PATCH", "/rollouts/%d" % made["id"], change)
    assert e.value.status == 409


def test_limits_and_windows_may_change(examples):
    made = examples.api("GET", "/rollouts?" + query(
        product="docs-downgrade"))["items"][0]
    for change in ({"weight": 3}, {"max_active": 5}, {"max_bps": 1000},
                   {"windows": ["daily 01:00-02:00"]},
                   {"end_s": 4000000000}):
        now = examples.api("PATCH", "/rollouts/%d" % made["id"], change)
        name = list(change)[0]
        assert now[name] == change[name]


def test_all_reasons_and_fields_are_told():
    """The tables of the page against what the code knows."""
    text = "\n".join(DOCS.lines)
    with open(os.path.join(TOP, "ngx_fota_module/fota_core/fota_policy.c"),
              encoding="utf-8") as f:
        names = re.search(r"fota_reason_names\[\] = \{(.*?)\};", f.read(),
                          re.S).group(1)
    reasons = re.findall(r'"(\w+)"', names)
    assert len(reasons) == 17
    table = text[text.index("## Reason codes"):]
    for reason in reasons:
        assert "`%s`" % reason in table, reason
    with open(os.path.join(TOP, "admin/server/rollout_form.c"),
              encoding="utf-8") as f:
        members = re.search(r"fota_form_members\[\] = \{(.*?)NULL", f.read(),
                            re.S).group(1)
    for member in re.findall(r'"(\w+)"', members):
        if member not in ("product", "name", "dispersion"):
            assert "`%s" % member in text or '"%s"' % member in text, member
