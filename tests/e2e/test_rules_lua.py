# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The operator's Lua hook in a worker: bounded, contained, and obeyed."""

import ctypes.util
import glob
import os
import re
import time

import pytest

from support.edge import ASAN, SLOW, TOP
from support.mmdb import maxmind, write_mmdb
from support.rules import (LUA_MODULES, RuleEdge, line_of, rollout_policy,
                           write_lua)

EXAMPLES = os.path.join(TOP, "lua", "examples")

# What a script may do at worst, and the words in which it is stopped.
RUNAWAYS = {
    "forever": ("return function() while true do end end", "budget"),
    "swallowed": ("""
return function()
    while true do
        pcall(function() while true do end end)
    end
end""", "budget"),
    "memory": ("""
return function()
    local all = {}
    local i = 0
    while true do
        i = i + 1
        all[i] = { i, tostring(i), {} }
    end
end""", "memory|budget"),
    "string": ("""
return function()
    local s = "x"
    while true do s = s .. s end
end""", "memory|budget|16384|too"),
    "pattern": ("""
local text = ("a"):lower()
for i = 1, 10 do text = text .. text end
return function()
    return string.find(text .. "b", "(.-)(.-)(.-)(.-)(.-)(.-)(.-)(.-)c")
end""", ""),
    "deep": ("""
local function down(n) return 1 + down(n + 1) end
return function() return down(1) end""", "stack|budget|memory"),
    "error": ("return function() error({}) end", "error"),
}


def hook(tmp_path, text, name="hook.lua", **more):
    path = write_lua(tmp_path, name, text)
    directives = "fota_lua %s;" % path
    for key, value in more.items():
        directives += " fota_lua_%s %s;" % (key, value)
    return directives


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_runaways_leave_the_worker_serving(tmp_path, fail):
    """One edge for all scripts: each chosen by the device's id."""
    cases = "\n".join("cases[%r] = (function()\n%s\nend)()" % (n, t)
                      for n, (t, _) in RUNAWAYS.items())
    text = """
local cases = {}
%s
return function(ctx)
    local case = cases[ctx.device.id]
    if case then return case(ctx) end
end
""" % cases
    with RuleEdge(rollout_policy({"target": "1.1.0"}),
                  http=hook(tmp_path, text, fail=fail)) as edge:
        workers = edge.worker_pids()
        assert edge.check("well").json["update"] is True

        for n in range(2):
            for name, (_, words) in RUNAWAYS.items():
                before = edge.metrics()["fota_lua_errors_total"]
                started = time.monotonic()
                answer = edge.check(name).json
                took = time.monotonic() - started
                failed = edge.metrics()["fota_lua_errors_total"] - before

                assert took < 1.0 * SLOW, (name, took)
                if name == "pattern":
                    # There are no patterns: it is a plain search, or refused.
                    assert failed in (0, 1)
                else:
                    assert failed == 1, (name, answer)
                if failed and fail == "closed":
                    assert answer["reason"] == "hook", name
                    assert answer["update"] is False
                elif failed:
                    assert answer["reason"] == "offer", name
                assert edge.check("well").json["update"] is True

        assert edge.worker_pids() == workers
        assert "hook.lua:" in line_of(edge.log(), "policy hook failed")


@pytest.mark.parametrize("name", sorted(RUNAWAYS))
def test_each_runaway_says_why(tmp_path, name):
    text, words = RUNAWAYS[name]
    with RuleEdge(rollout_policy({"target": "1.1.0"}),
                  http=hook(tmp_path, text)) as edge:
        workers = edge.worker_pids()
        for _ in range(5):
            assert edge.check("dev-1").json["update"] is True
        assert edge.worker_pids() == workers
        if words:
            assert re.search(words, line_of(edge.log(), "hook failed"))


def test_log_of_failures_is_bounded(tmp_path):
    text = RUNAWAYS["error"][0]
    with RuleEdge(rollout_policy({"target": "1.1.0"}),
                  http=hook(tmp_path, text)) as edge:
        started = time.monotonic()
        for _ in range(100):
            edge.check("dev-1")
        seconds = time.monotonic() - started
        assert edge.metrics()["fota_lua_errors_total"] == 100
        assert edge.log().count("policy hook failed") <= seconds + 2


@pytest.mark.parametrize("text, words", [
    ("return function(ctx\n    return nil\nend\n", "hook.lua:2:"),
    ("local x = = 1\n", "hook.lua:1:"),
    ("\x1bLJ\x02", "hook.lua|text|binary"),
])
def test_faults_of_the_text_fail_the_configuration(tmp_path, text, words):
    edge = RuleEdge(rollout_policy({"target": "1.1.0"}), start=False,
                    http=hook(tmp_path, text))
    try:
        code, said = edge.test()
        assert code != 0
        line_of(said, "emerg.*(%s)" % words)
    finally:
        edge.stop(check=False)


def test_no_such_file_and_two_hooks(tmp_path):
    for http, words in [
        ("fota_lua %s/none.lua;" % tmp_path, "none.lua"),
        (hook(tmp_path, "return function() end") + " fota_lua_trusted %s;"
         % os.path.join(str(tmp_path), "hook.lua"), "duplicate"),
        (hook(tmp_path, "return function() end", fail="maybe"), "maybe"),
        (hook(tmp_path, "return function() end", limits="instructions=7"),
         "instructions"),
    ]:
        edge = RuleEdge(rollout_policy({"target": "1.1.0"}), start=False,
                        http=http)
        try:
            code, said = edge.test()
            assert code != 0 and words in said, said
        finally:
            edge.stop(check=False)


def test_what_a_hook_returns_is_done(tmp_path):
    text = """
return function(ctx)
    local id = ctx.device.id
    if id == "deny" then return { action = "deny", message = "no" } end
    if id == "defer" then return { action = "defer", after = 1000 } end
    if id == "fields" then
        return { fields = { a = "x", n = 5, city = ctx.geo.city } }
    end
    if id == "pool" then return { pool = 2 } end
    if id == "raise" then return { action = "offer" } end
end
"""
    nodes = [{"id": i, "name": "edge-%d" % i, "group": i, "site": str(i),
              "url": "http://127.0.0.1:%%PORT%%/%d" % i, "country": "JP",
              "lat": 35.6, "lon": 139.7} for i in (1, 2)]
    spec = rollout_policy({"target": "1.1.0"}, nodes=nodes)
    spec["keys"].append({"kind": "download", "scope": 2, "kid": 1,
                         "secret": "11" * 32})
    geo = os.path.join(str(tmp_path), "geo.mmdb")
    write_mmdb(geo, {"203.0.113.0/24": maxmind("JP", city="Tokyo")})

    with RuleEdge(spec, http=hook(tmp_path, text)
                  + " fota_geoip %s;" % geo) as edge:
        from_tokyo = {"X-Real-IP": "203.0.113.9"}

        answer = edge.check("deny").json
        assert (answer["update"], answer["reason"]) == (False, "hook")

        answer = edge.check("defer").json
        assert answer["reason"] == "hook"
        assert 900 <= answer["poll_s"] <= 1100

        answer = edge.check("fields", headers=from_tokyo).json
        assert answer["update"] is True
        assert answer["hook"] == {"a": "x", "n": "5", "city": "Tokyo"}

        answer = edge.check("pool").json
        assert {u["node"] for u in answer["urls"]} == {"edge-2"}
        both = edge.check("other").json
        assert {u["node"] for u in both["urls"]} == {"edge-1", "edge-2"}

        # What is no action of the contract is an error, and kept open.
        answer = edge.check("raise").json
        assert answer["update"] is True
        line_of(edge.log(), "hook failed.*action")

        # Explain asks the same hook.
        told = edge.explain("deny").json["decision"]
        assert told["reason"] == "hook"


def test_examples_run(tmp_path):
    """Every example of lua/ on an edge, each with a decision of its own."""
    geo = os.path.join(str(tmp_path), "geo.mmdb")
    write_mmdb(geo, {
        "203.0.113.0/24": maxmind("JP", city="Tokyo", tz="Asia/Tokyo",
                                  asn=4134),
        "198.51.100.0/24": maxmind("IN", city="Pune", tz="Asia/Kolkata")})
    spec = rollout_policy({"target": "1.1.0", "name": "canary 1.1.0"},
                          zones=["Asia/Tokyo", "Asia/Kolkata"])
    spec["nodes"].append({"id": 2, "name": "edge-2", "group": 20,
                          "url": "http://127.0.0.1:%PORT%", "country": "JP",
                          "site": "b", "lat": 35.6, "lon": 139.7})
    spec["keys"].append({"kind": "download", "scope": 20, "kid": 1,
                         "secret": "22" * 32})
    jp = {"X-Real-IP": "203.0.113.9"}

    def run(name):
        return RuleEdge(spec, http="fota_lua %s; fota_geoip %s;" % (
            os.path.join(EXAMPLES, name + ".lua"), geo))

    tried = set()

    def example(name):
        tried.add(name)
        return run(name)

    with example("battery") as edge:
        def reason(**attrs):
            return edge.check(attrs=attrs).json["reason"]
        assert reason(battery="80") == "offer"
        assert reason(battery="20") == "hook"
        assert reason(battery="20", charging="true") == "offer"
        assert reason(net="lte") == "offer"

    with example("blackout") as edge:
        def at(when, ip):
            return edge.explain(at=when, ip=ip).json["decision"]["reason"]
        assert at("2027-12-24T12:00:00+09:00", "203.0.113.9") == "hook"
        assert at("2027-12-23T23:59:59+09:00", "203.0.113.9") == "offer"
        assert at("2027-12-24T01:00:00+09:00", "198.51.100.9") == "offer"
        assert at("2027-01-03T12:00:00+09:00", "203.0.113.9") == "hook"
        assert at("2027-01-03T12:00:00+05:30", "198.51.100.9") == "offer"

    with example("canary") as edge:
        assert edge.check("DC1-PILOT-7").json["hook"] == {"canary": "true"}
        reasons = [edge.check("cam-%d" % i).json["reason"]
                   for i in range(100)]
        assert reasons.count("hook") >= 95

    with example("carrier") as edge:
        answer = edge.check(headers=jp).json
        assert {u["node"] for u in answer["urls"]} == {"edge-2"}
        assert answer["hook"] == {"carrier_pool": "20"}
        assert "hook" not in edge.check().json

    with example("rate") as edge:
        india = edge.check(headers={"X-Real-IP": "198.51.100.9"}).json
        assert india["update"] is True
        assert edge.metrics()["fota_lua_errors_total"] == 0

    assert tried == {os.path.basename(p)[:-4]
                     for p in glob.glob(os.path.join(EXAMPLES, "*.lua"))}

    with RuleEdge(spec, http="fota_lua %s;" % os.path.join(
            TOP, "lua", "policy.lua")) as edge:
        assert edge.check().json["update"] is True
        assert edge.metrics()["fota_lua_errors_total"] == 0


def test_trusted_has_all_of_lua(tmp_path):
    path = write_lua(tmp_path, "trusted.lua", """
return function(ctx)
    local n = 0
    for i = 1, 5000000 do n = n + i %% 7 end
    return { fields = { jit = tostring(jit.status()),
                        year = os.date("!%%Y", 0) } }
end
""".replace("%%", "%"))
    with RuleEdge(rollout_policy({"target": "1.1.0"}),
                  http="fota_lua_trusted %s;" % path) as edge:
        assert edge.check().json["hook"] == {"jit": "true", "year": "1970"}


@pytest.mark.skipif(ASAN, reason="the distribution's module does not load "
                    "into an nginx of another build")
@pytest.mark.parametrize("order", ["before", "after"])
def test_beside_lua_nginx_module(tmp_path, order):
    """Both load the same LuaJIT; each keeps its own state."""
    server = """
        location = /lua {
            content_by_lua_block {
                counter = (counter or 0) + 1
                ngx.say(string.rep("x", 3), " ", type(fota), " ", _VERSION)
            }
        }"""
    with RuleEdge(rollout_policy({"target": "1.1.0"}), server=server,
                  http="lua_package_path ';;';\n"
                  + hook(tmp_path, RUNAWAYS["forever"][0]),
                  **{order: LUA_MODULES}) as edge:
        edge.allowed.append(r"lua_load_resty_core|resty\.core")
        workers = edge.worker_pids()
        for _ in range(5):
            assert edge.get("/lua").body == b"xxx nil Lua 5.1\n"
            assert edge.check().json["update"] is True
        assert edge.metrics()["fota_lua_errors_total"] == 5
        edge.reload()
        assert edge.get("/lua").body == b"xxx nil Lua 5.1\n"
        assert edge.check().json["update"] is True
        assert len(workers) == 1


@pytest.mark.skipif(ASAN, reason="a preloaded library comes before the "
                    "sanitizer's")
def test_another_lua_is_refused_in_one_sentence(tmp_path, monkeypatch):
    other = ctypes.util.find_library("lua5.3")
    assert other, "liblua5.3-0 is missing"
    monkeypatch.setenv("LD_PRELOAD", other)

    edge = RuleEdge(rollout_policy({"target": "1.1.0"}), start=False,
                    http=hook(tmp_path, "return function() end"))
    try:
        code, said = edge.test()
        assert code != 0
        assert said.count("[emerg]") == 1
        line_of(said, "another Lua library was loaded into this process "
                      "before LuaJIT")
    finally:
        edge.stop(check=False)

    # Without a hook nothing of it matters.
    with RuleEdge(rollout_policy({"target": "1.1.0"})) as edge:
        assert edge.check().json["update"] is True
