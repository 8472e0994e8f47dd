# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Groups: a long list of ids streamed in, and saved filters."""

import os
import threading
import time

import pytest

from support import bulk
from support.bulk import put_members
from support.centre import ApiError
from support.edge import ASAN, wait_for
from support.rules import query
from support.world import explain

# A million has its row in the measurements; here it is the same path.
N = int(os.environ.get("FOTA_IMPORT") or (20000 if ASAN else 200000))


@pytest.fixture(scope="module")
def alone():
    """A fleet at a centre without edges."""
    with bulk.alone("groups") as fleet:
        yield fleet


def rss(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def many():
    """Ids with a heading, and a bad line in every ten thousand."""
    yield "id,colour"
    for i in range(N):
        if i % 10000 == 17:
            yield "x" * 300 + ",too long"
        yield "unit-%07d,red" % i


def test_long_import_is_streamed(alone):
    alone.api("POST", "/groups", {"name": "big"})
    pid = alone.centre.admin.pid
    peak = [0]
    end = threading.Event()

    def watch():
        while not end.wait(0.05):
            peak[0] = max(peak[0], rss(pid))

    before = rss(pid)
    thread = threading.Thread(target=watch)
    thread.start()
    started = time.monotonic()
    try:
        made = put_members(alone, "big", many(), create=1, product=alone.product)
    finally:
        end.set()
        thread.join()
    print("%d ids in %.1f s" % (N, time.monotonic() - started))

    bad = N // 10000
    assert made["lines"] == N + bad + 1
    assert made["added"] == made["created"] == N
    assert made["existing"] == 0 and made["bad"] == bad
    assert len(made["errors"]) == bad and not made["truncated"]
    assert made["errors"][:2] == [{"line": 19, "code": "bad_id"},
                                  {"line": 10020, "code": "bad_id"}]
    if not ASAN:
        assert peak[0] - before < 64 << 20, "the list was held in memory"

    group = alone.api("GET", "/groups/big")
    assert (group["type"], group["members"]) == ("static", N)
    assert alone.api("GET", "/devices/count?" + query(
        q="group==big and id==unit-00000*"))["count"] == min(N, 100)

    again = put_members(alone, "big", ["unit-%07d" % i for i in range(100)])
    assert (again["added"], again["existing"]) == (0, 100)

    answer = alone.centre.request("GET", "/api/v1/groups/big/export",
                                  tenant=alone.tenant, timeout=120)
    ids = answer.body.decode().split()
    assert len([i for i in ids if i.startswith("unit-")]) == N


def test_replacing_and_unknown_ids(alone):
    alone.api("POST", "/groups", {"name": "small"})
    alone.api("POST", "/devices/bulk", {"product": alone.product, "devices": [
        {"id": "s-%d" % i} for i in range(5)]})
    first = put_members(alone, "small", ["s-0", "s-1", "s-2", "unknown-1", "s-1"])
    assert (first["added"], first["bad"]) == (3, 1)
    assert first["existing"] == 1
    assert first["errors"] == [{"line": 4, "code": "unknown_device",
                                "id": "unknown-1"}]

    second = put_members(alone, "small", ["s-2", "s-3"], mode="replace")
    assert (second["added"], second["removed"]) == (1, 2)
    ids = [m["id"] for m in alone.api("GET",
                                      "/groups/small/members")["items"]]
    assert ids == ["s-2", "s-3"]

    changed = alone.api("POST", "/groups/small/members", {
        "add": ["s-4"], "remove": ["s-2"]})
    assert (changed["added"], changed["removed"]) == (1, 1)


def test_quotes_blanks_and_line_ends(alone):
    alone.api("POST", "/groups", {"name": "csv"})
    made = put_members(alone, "csv", ['"a,b"', '"say ""hi"""', "plain\r", "",
                              '"open', "ünïcode"],
               create=1, product=alone.product)
    ids = {m["id"] for m in alone.api("GET", "/groups/csv/members")["items"]}
    assert ids == {"a,b", 'say "hi"', "plain", "ünïcode"}
    assert made["errors"] == [{"line": 5, "code": "quote"}]


def test_dynamic_group_is_its_filter(alone):
    made = alone.api("POST", "/groups", {
        "name": "beta", "filter": "attr.ring==beta and id!=b-3"})
    assert made["type"] == "dynamic"
    for i in range(5):
        alone.api("POST", "/devices", {
            "id": "b-%d" % i, "product": alone.product,
            "attributes": {"ring": "beta" if i % 2 else "stable"}})
    assert alone.api("GET", "/groups/beta")["members"] == 1
    preview = alone.api("POST", "/groups/preview", {
        "filter": "group==beta or id==b-0"})
    assert preview["matches"] == 2
    assert sorted(preview["examples"]) == ["b-0", "b-1"]

    for path, body, code in (
            ("/groups", {"name": "nested", "filter": "group==beta"}, 400),
            ("/groups/preview", {"filter": "group==nobody"}, 400)):
        with pytest.raises(ApiError) as e:
            alone.api("POST", path, body)
        assert e.value.status == code
    with pytest.raises(ApiError) as e:
        alone.api("POST", "/groups/beta/members", {"add": ["b-0"]})
    assert e.value.status == 409


def test_groups_change_while_a_rollout_runs(rules):
    """Members come and go, a filter is rewritten: edges follow."""
    fleet = rules.fleet("follow")
    fleet.firmware("1.1.0", b"x" * 1000)
    for name, text in (("fixed", None), ("saved", "attr.hw==1")):
        fleet.api("POST", "/groups", {"name": name, "filter": text} if text
                  else {"name": name})
    fleet.api("POST", "/devices/bulk", {
        "product": fleet.product, "devices": [{"id": "f-1"}, {"id": "f-2"}]})
    fleet.rollout("1.1.0", filter="group==fixed or group==saved")

    def reasons(**said):
        rules.ready()
        got = {explain(rules, fleet, edge=e, version="1.0.0",
                       **said)["decision"]["reason"] for e in rules.edges}
        assert len(got) == 1
        return got.pop()

    assert reasons(device="f-1") == "not_targeted"
    fleet.api("POST", "/groups/fixed/members", {"add": ["f-1"]})
    assert reasons(device="f-1") == "offer"
    assert reasons(device="f-2") == "not_targeted"
    fleet.api("POST", "/groups/fixed/members", {"remove": ["f-1"]})
    assert reasons(device="f-1") == "not_targeted"

    assert reasons(device="f-2", **{"attr.hw": "1"}) == "offer"
    assert reasons(device="f-2", **{"attr.hw": "2"}) == "not_targeted"
    fleet.api("PATCH", "/groups/saved", {"filter": "attr.hw==2"})
    assert reasons(device="f-2", **{"attr.hw": "2"}) == "offer"
    assert reasons(device="f-2", **{"attr.hw": "1"}) == "not_targeted"


def test_what_devices_say_is_counted(rules):
    """Places and attributes of a check are known to the centre's filters."""
    fleet = rules.fleet("said")
    fleet.firmware("1.1.0", b"x" * 1000)
    rules.ready()
    more = {"m%d" % i: '"' * 256 for i in range(62)}
    answer = rules.edges[0].check(
        fleet.tenant, fleet.product, "said-1", "1.0.0",
        attrs={"hw": "7", "note": 'A"\u00e9' + "z" * 200, **more})
    assert answer.status == 200, answer.body

    def count(q):
        return fleet.api("POST", "/groups/preview", {"filter": q})["matches"]

    wait_for("the attributes", lambda: count("attr.hw=gt=6") == 1, 20)
    assert count('attr.note=="A\\"\u00e9*"') == 1
    # What does not fit is left out, and nothing is cut.
    assert count("attr.m0=not=null") == 1
    assert count("attr.m61=is=null") == 1
