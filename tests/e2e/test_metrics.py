# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""What an operator's monitoring sees of an edge.

The text is read by a parser that is stricter than Prometheus itself.  What
the agent knows (errors of sync, what of the spool is uploaded) is tried with
a real agent, a real nginx and a centre that misbehaves.
"""

import json
import math
import os
import re
import signal
import time

import pytest

from support.agent import TENANT, devices, seeded, until
from support.edge import Edge, policy, spool_records, strip, wait_for
from support.fakecentre import tool
from support.lone import agent, centre, lone  # noqa: F401
from support.mmdb import maxmind, write_mmdb
from support.sync import crc32c
from test_agent_reports import Writer

KINDS = ("connect http position truncated corrupt signature unknown_key gap "
         "chain record snapshot keys nack disk database store").split()

# Names that edges promise to those who watch them, and their labels.
PROMISED = {
    "fota_checks_total": ("counter", {"decision", "reason"}),
    "fota_check_duration_seconds": ("histogram", set()),
    "fota_tokens_total": ("counter", {"result"}),
    "fota_download_bytes_total": ("counter", {"class", "kind"}),
    "fota_ranges_total": ("counter", {"status"}),
    "fota_policy_seq": ("gauge", set()),
    "fota_policy_lag_seconds": ("gauge", set()),
    "fota_sync_errors_total": ("counter", {"kind"}),
    "fota_lmdb_used_bytes": ("gauge", set()),
    "fota_lmdb_free_pages": ("gauge", set()),
    "fota_lmdb_readers": ("gauge", set()),
    "fota_spool_bytes": ("gauge", set()),
    "fota_spool_records": ("gauge", set()),
    "fota_spool_oldest_seconds": ("gauge", set()),
    "fota_spool_written_total": ("counter", set()),
    "fota_geo_lookups_total": ("counter", {"result"}),
    "fota_node_headroom": ("gauge", {"node"}),
    "fota_lua_errors_total": ("counter", set()),
    "fota_ktls": ("gauge", set()),
}

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')


class Family:
    def __init__(self):
        self.help = self.type = None
        self.samples = {}


def labels_of(text):
    """{...} to a dictionary; nothing may be left over."""
    out, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        assert m, "label: %r" % text
        assert m.group(1) not in out, "label twice: %r" % text
        assert not m.group(1).startswith("__"), "reserved: %r" % text
        out[m.group(1)] = m.group(2)
        at = m.end()
        if at < len(text):
            assert text[at] == "," and at + 1 < len(text), text
            at += 1
    return out


def parse(text):
    """Prometheus text 0.0.4 to families, or an AssertionError."""
    assert text.endswith("\n"), "the last line is not ended"
    families, current = {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("#"):
            m = re.fullmatch(r"# (HELP|TYPE) (%s) (.+)" % NAME.pattern, line)
            assert m, "comment: " + line
            what, name, rest = m.groups()
            if what == "HELP":
                assert name not in families, "HELP twice: " + line
                assert rest.strip() == rest and rest, "HELP: " + line
                families[name] = current = Family()
                current.name, current.help = name, rest
            else:
                assert current and current.name == name \
                    and current.type is None and not current.samples, \
                    "TYPE not right after HELP: " + line
                assert rest in ("counter", "gauge", "histogram"), line
                current.type = rest
            continue
        m = re.fullmatch(r"(%s)(?:\{(.*)\})? (\S+)" % NAME.pattern, line)
        assert m, "sample: " + line
        name, labels, value = m.groups()
        assert current and current.type, "no HELP and TYPE before: " + line
        suffix = name[len(current.name):]
        assert name.startswith(current.name) and suffix in (
            ("_bucket", "_sum", "_count") if current.type == "histogram"
            else ("",)), "of another family: " + line
        key = (suffix, tuple(sorted(labels_of(labels or "").items())))
        assert key not in current.samples, "twice: " + line
        assert re.fullmatch(r"[+-]?(\d+(\.\d+)?(e[+-]?\d+)?|Inf)|NaN",
                            value), "value: " + line
        current.samples[key] = float(value)
    for family in families.values():
        check_family(family)
    return families


def check_family(f):
    assert f.type, "no TYPE: " + f.name
    assert f.samples, "no samples: " + f.name
    assert f.name.endswith("_total") == (f.type == "counter"), \
        "%s is a %s" % (f.name, f.type)
    assert not re.search(r"_(ms|us|kb|mb|minutes)$", f.name), f.name
    for (_, labels), value in f.samples.items():
        assert "device" not in dict(labels), f.name
        assert math.isfinite(value) and (f.type == "gauge" or value >= 0), \
            f.name
    if f.type == "histogram":
        buckets = [(float(dict(labels)["le"]), v)
                   for (s, labels), v in f.samples.items() if s == "_bucket"]
        assert buckets == sorted(buckets), "order: " + f.name
        counts = [v for _, v in buckets]
        assert counts == sorted(counts), "not cumulative: " + f.name
        assert buckets and buckets[-1][0] == math.inf, "no +Inf: " + f.name
        assert f.samples[("_count", ())] == counts[-1], f.name
        assert ("_sum", ()) in f.samples, f.name


@pytest.mark.parametrize("text,says", [
    ("a_total 1\n", "no HELP and TYPE"),
    ("# TYPE a_total counter\na_total 1\n", "not right after HELP"),
    ("# HELP a_total x\na_total 1\n", "no HELP and TYPE"),
    ("# HELP a x\n# TYPE a counter\na 1\n", "a is a counter"),
    ("# HELP a_total x\n# TYPE a_total gauge\na_total 1\n", "is a gauge"),
    ("# HELP a x\n# TYPE a gauge\na 1\na 2\n", "twice"),
    ("# HELP a x\n# TYPE a gauge\na{b=\"1\",b=\"2\"} 1\n", "label twice"),
    ("# HELP a x\n# TYPE a gauge\na{b=1} 1\n", "label"),
    ("# HELP a x\n# TYPE a gauge\nb 1\n", "of another family"),
    ("# HELP a x\n# TYPE a gauge\na one\n", "value"),
    ("# HELP a x\n# TYPE a gauge\na 1", "not ended"),
    ("# HELP a x\n# TYPE a gauge\na 1\n\n", "sample"),
    ("# HELP a x\n# TYPE a gauge\na 1\n# HELP a x\n# TYPE a gauge\n",
     "HELP twice"),
    ("# HELP a x\n# TYPE a gauge\n", "no samples"),
    ("# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\n"
     "a_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n", "not cumulative"),
    ("# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_sum 1\n"
     "a_count 2\n", "no .Inf"),
])
def test_the_parser_is_strict(text, says):
    with pytest.raises(AssertionError, match=says):
        parse(text)


def test_metrics_of_a_whole_edge(tmp_path):
    """Everything is configured and was used; every name that is promised."""
    write_mmdb(str(tmp_path / "geo.mmdb"),
               {"192.0.2.0/24": maxmind("JP", city="Tokyo")})
    (tmp_path / "hook.lua").write_text("return function(c) return nil end\n")
    spec = policy()
    a = spec["products"][0]["artifacts"][0]
    http = "fota_geoip %s/geo.mmdb; fota_lua %s/hook.lua;" % (tmp_path,
                                                             tmp_path)
    with Edge(spec, http=http, start=False) as e:
        tally(e.db)
        e.start()
        assert e.check().status == 200
        assert e.report().status == 202
        assert e.get(e.path(a)).status == 200
        assert e.get(e.path(a), {"Range": "bytes=0-9"}).status == 206
        wait_for("scan", lambda: e.metrics()["fota_spool_records"] >= 1)
        r = e.get("/metrics")
        assert r.headers["content-type"] \
            == "text/plain; version=0.0.4; charset=utf-8"
        families = parse(r.body.decode())
        for name, (kind, labels) in PROMISED.items():
            f = families[name]
            assert f.type == kind, name
            for (suffix, pairs) in f.samples:
                assert set(dict(pairs)) - {"le"} == labels, name
        assert [dict(pairs)["kind"] for _, pairs in
                families["fota_sync_errors_total"].samples] == KINDS
        for name in families:
            assert name.startswith("fota_"), name
        e.signal(signal.SIGHUP)
        wait_for("reload", lambda: e.status()["configuration"] == 2)
        assert parse(e.get("/metrics").body.decode())


def tally(db, counts=()):
    """What an agent that has done nothing leaves; see fota_tally.h."""
    page = b"FTA1" + len(KINDS).to_bytes(2, "little") + b"\0\0"
    for i in range(len(KINDS)):
        n = counts[i] if i < len(counts) else 0
        page += n.to_bytes(8, "little")
    page = page.ljust(4092, b"\0")
    with open(os.path.join(db, "agent.tally"), "wb") as f:
        f.write(page + crc32c(page).to_bytes(4, "little"))


def errors(edge):
    """Kind to count; nothing that is 0."""
    return {k[len('fota_sync_errors_total{kind="'):-2]: v
            for k, v in edge.metrics().items()
            if k.startswith("fota_sync_errors_total{") and v}


def test_what_the_agent_left_may_be_missing_or_broken():
    with Edge(policy()) as e:
        def absent():
            text = e.get("/metrics").body.decode()
            parse(text)
            return "fota_sync_errors_total" not in text

        assert absent()
        tally(e.db, [3, 0, 7])
        assert errors(e) == {"connect": 3, "position": 7}
        path = os.path.join(e.db, "agent.tally")
        with open(path, "r+b") as f:
            f.seek(20)
            f.write(b"\xff")
        assert absent()
        os.truncate(path, 100)
        assert absent()
        os.unlink(path)
        os.mkdir(path)
        assert absent()


# With an agent

@pytest.fixture
def edge(lone):
    """nginx beside the agent, on its policy and its spool."""
    place, _, agent = lone
    os.makedirs(agent.spool, exist_ok=True)
    d = os.path.join(place, "nginx")
    os.mkdir(d)
    e = Edge(directory=d, start=False, spool_dir=agent.spool)
    e.db = agent.policy
    e.write_conf()
    e.start()
    yield e
    e.stop()


def goes_up(edge, kind, before, n=1):
    return until("%s in %s" % (kind, before),
                 lambda: errors(edge).get(kind, 0) >= before.get(kind, 0) + n,
                 60)


def test_sync_errors_by_kind(centre, agent, edge):
    seeded(centre, agent)
    wait_for("policy", lambda: edge.metrics().get("fota_policy_seq") == 1)
    assert errors(edge) == {}

    other = json.loads(tool("keys", None, b""))
    forged, _, _ = centre.batch(devices(0, 1), sec=other["sec"])
    unknown, _, _ = centre.batch(devices(0, 1), kid=9)
    first, chain, last = centre.batch(devices(0, 1))
    gap = centre.batch(devices(1, 1), prev=last, chain=chain)[0]
    wild = centre.batch({}, raw=[{"table": 3, "key": "0000000161",
                                  "value": "03ff00"}])[0]
    elsewhere = centre.batch(devices(0, 1), chain="11" * 32)[0]
    flip = (lambda d: d[:40] + bytes([d[40] ^ 4]) + d[41:])

    centre.publish(devices(0, 1))
    for kind, spoil in (("corrupt", flip), ("signature", lambda d: forged),
                        ("truncated", lambda d: d[:-1]),
                        ("unknown_key", lambda d: unknown),
                        ("gap", lambda d: gap), ("record", lambda d: wild),
                        ("chain", lambda d: elsewhere)):
        before = errors(edge)
        centre.spoil = spoil
        agent.restart()
        goes_up(edge, kind, before)
        # Nothing else went up, nothing was taken, nothing was forgotten.
        after = errors(edge)
        assert {k for k in after if after[k] != before.get(k, 0)} == {kind}
        assert agent.held()["seq"] == 1
    centre.spoil = None
    agent.restart()
    agent.at(2)
    assert {k for k in errors(edge)} == {"corrupt", "signature", "truncated",
                                         "unknown_key", "gap", "record",
                                         "chain"}
    assert agent.status()["sync_errors"] \
        == {**{k: 0 for k in KINDS}, **errors(edge)}


def test_sync_errors_of_the_way(centre, agent, edge):
    seeded(centre, agent)
    centre.faults["/sync/v1/log"] = lambda h: h.problem(503, "down") or True
    goes_up(edge, "http", {})

    # A refusal that the centre does not take.
    centre.faults.clear()
    centre.faults["/sync/v1/nack"] = lambda h: h.problem(503, "down") or True
    centre.spoil = lambda d: d[:-1]
    centre.publish(devices(0, 1))
    agent.restart()
    goes_up(edge, "nack", {})
    centre.faults.clear()
    centre.spoil = None

    # Another history: told as what it is, then it works again.
    centre.new_history("00000000000000bb")
    centre.publish(TENANT)
    centre.snapshot(TENANT, miscount=1)
    agent.restart()
    goes_up(edge, "position", {})
    goes_up(edge, "corrupt", {})
    centre.snapshot(TENANT)
    agent.restart()
    until("epoch", lambda: (agent.held() or {}).get("epoch") == centre.epoch)
    assert edge.status()["policy"]["database"] \
        == os.readlink(os.path.join(agent.policy, "current"))

    # Nobody there at all, told by an agent that knows another port.
    agent.kill()
    agent.conf["centre"] = "https://127.0.0.1:1"
    agent.start()
    goes_up(edge, "connect", {})


def depth(edge):
    m = edge.metrics()
    return tuple(m["fota_spool_" + n] for n in
                 ("records", "bytes", "oldest_seconds", "written_total"))


def test_depth_of_the_spool(centre, agent, edge):
    """Records are counted as they wait: agent up, centre away, agent dead."""
    spec = strip(policy())
    del spec["keys"], spec["epoch"], spec["seq"]
    text = json.dumps(spec).replace("%PORT%", str(edge.port))
    spec = json.loads(text)
    centre.publish(spec)
    centre.snapshot(spec)
    agent.start()
    agent.at(centre.seq)
    wait_for("policy", lambda: edge.check().status == 200)
    assert depth(edge) == (0, 0, 0, 0)

    # All of it is taken, though the segment is still there.
    for i in range(5):
        assert edge.report(seq=i).status == 202
    until("taken", lambda: len(centre.reports) == 5)
    until("a segment", lambda: edge.metrics()["fota_spool_segments"] == 1)
    until("nothing waits", lambda: depth(edge) == (0, 0, 0, 5))
    assert edge.metrics()["fota_spool_disk_bytes"] > 0

    # The centre is away.
    centre.faults["/sync/v1/reports"] = lambda h: h.problem(
        503, "down", Retry_After="1") or True
    for i in range(7):
        assert edge.report(seq=10 + i).status == 202
    until("seven wait", lambda: depth(edge)[0] == 7)
    records, size, oldest, written = depth(edge)
    on_disk = [r for r in spool_records(agent.spool)
               if r[2]["t"] == "report" and r[2]["seq"] >= 10]
    assert len(on_disk) == 7 and written == 12
    assert size < edge.metrics()["fota_spool_disk_bytes"]
    began = time.monotonic()
    until("older", lambda: depth(edge)[2] >= 2)
    assert time.monotonic() - began < 20

    # So is the agent: what comes now is counted as exactly.
    agent.kill()
    for i in range(4):
        assert edge.report(seq=20 + i).status == 202
    until("eleven wait", lambda: depth(edge)[0] == 11)
    assert depth(edge)[1] > size

    # nginx begins anew, with another segment and without its own counts.
    edge.stop()
    edge.start()
    for i in range(3):
        assert edge.report(seq=30 + i).status == 202
    until("fourteen wait", lambda: depth(edge)[0] == 14)
    assert depth(edge)[2] >= 2 and depth(edge)[3] == 3
    parse(edge.get("/metrics").body.decode())

    centre.faults.clear()
    agent.start()
    until("taken", lambda: len(centre.reports) == 19)
    until("nothing waits", lambda: depth(edge)[:3] == (0, 0, 0))
    s = edge.status()["spool"]
    assert (s["records"], s["bytes"], s["oldest"]) == (0, 0, 0)
    assert s["records_written"] == 3


def test_large_records_and_a_torn_end_are_counted(centre, agent, edge):
    """The last record is found from the end of a segment, however long."""
    seeded(centre, agent)
    agent.kill()
    w = Writer(agent, 1)
    w.write(100)
    until("100", lambda: depth(edge)[0] == 100)
    size = (60000).to_bytes(4, "little")
    rest = (101).to_bytes(8, "little") + bytes(16) \
        + int(time.time() * 1000).to_bytes(8, "little") + b"x" * 60000
    big = b"RFPS" + size + crc32c(size + rest).to_bytes(4, "little") + rest
    w.file.write(big)
    until("101", lambda: depth(edge)[0] == 101)
    w.file.write(big[:50000])
    time.sleep(1.5)
    assert depth(edge)[0] == 101
    w.close()
