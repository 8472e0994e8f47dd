# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The centre is away: edges go on, and nothing acknowledged is lost."""

import urllib.parse

import pytest

from support.stack import image, sha, wait_for

DEVICES = 75
STATES = ("downloading", "downloaded", "installing", "succeeded")


@pytest.fixture(scope="module")
def fleet(rough):
    fleet = rough.fleet("offline")
    fleet.data = image(400000, 30)
    fleet.firmware("1.1.0", fleet.data)
    fleet.running = fleet.rollout("1.1.0")
    fleet.wait_offer()
    for edge in rough.edges:
        wait_for("prefetch", lambda e=edge: e.has(sha(fleet.data)))
    return fleet


def away(stack):
    stack.centre.stop_nginx()
    stack.centre.stop_admin()
    stack.centre.db.stop()


def back(stack):
    stack.centre.db.start()
    stack.centre.start_admin()
    stack.centre.start_nginx()


def test_edges_go_on_alone_and_reports_arrive_once(rough, fleet):
    away(rough)
    try:
        for edge in rough.edges:
            for i in range(100):
                assert fleet.offered(edge, "off-%d" % i)
            offer = fleet.offered(edge, "off-dl")
            for url in offer["urls"]:
                u = urllib.parse.urlsplit(url["url"])
                node = next(e for e in rough.edges if e.name == url["node"])
                a = node.request("GET", u.path + "?" + u.query)
                assert a.status == 200 and a.body == fleet.data

        # A device that heard no answer tries again, often elsewhere.
        for i in range(DEVICES):
            for seq, state in enumerate(STATES, 1):
                edges = [rough.edges[(i + seq) % 2]]
                if (i + seq) % 3 == 0:
                    edges.append(rough.edges[(i + seq + 1) % 2])
                if i % 10 == 0:
                    edges.append(edges[0])
                for edge in edges:
                    a = edge.report(fleet.tenant, fleet.product,
                                    "off-%d" % i, fleet.running, state,
                                    seq=seq, version="1.1.0")
                    assert a.status == 202, a.body

        out = fleet.simulate("off-sim", "--no-delta")
        assert out["version"] == "1.1.0"
        for edge in rough.edges:
            wait_for("a look at the spool", edge.spooled)
    finally:
        back(rough)

    wanted = {("off-%d" % i, 1, s) for i in range(DEVICES)
              for s in range(1, len(STATES) + 1)}
    wanted |= {("off-sim", 1, s) for s in range(1, 5)}

    wait_for("every report at the centre",
             lambda: wanted <= set(fleet.events(fleet.running)), 60,
             every=0.2)
    for edge in rough.edges:
        wait_for("an empty spool", lambda e=edge: rough.drained(e), 60,
                 every=0.2)

    events = fleet.events(fleet.running)
    assert set(events) == wanted
    assert set(events.values()) == {1}
    assert fleet.count(fleet.running, "succeeded") == DEVICES + 1

    # Policy flows again.
    fleet.api("POST", "/rollouts/%d/pause" % fleet.running)
    wait_for("the pause", lambda: not fleet.offered(rough.edges[0]))
    fleet.api("POST", "/rollouts/%d/resume" % fleet.running)
    fleet.wait_offer()


def test_long_absence_ends_with_a_snapshot(rough, fleet):
    """The log that an edge would need is gone: it loads a snapshot."""
    edge = rough.edges[1]
    edge.stop_agent()
    fleet.api("POST", "/rollouts/%d/pause" % fleet.running)
    for i in range(5):
        fleet.api("PATCH", "/products/" + fleet.product,
                  {"poll_s": 1000 + i})
        rough.ready([rough.edges[0]])
    assert fleet.offered(edge), "decides from what it has"

    rough.centre.sql("DELETE FROM change_log; UPDATE feed SET floor = seq")
    edge.start_agent()
    rough.ready([edge], 60)
    assert not fleet.offered(edge)
    assert edge.log_has("(?i)snapshot")

    fleet.api("POST", "/rollouts/%d/resume" % fleet.running)
    fleet.wait_offer()


def test_agent_starts_while_the_centre_is_away(rough, fleet):
    edge = rough.edges[0]
    edge.stop_agent()
    away(rough)
    try:
        edge.start_agent()
        edge.stop_nginx()
        edge.start_nginx()
        assert wait_for("an offer", lambda: fleet.offered(edge))
        a = edge.report(fleet.tenant, fleet.product, "off-late",
                        fleet.running, "downloading")
        assert a.status == 202
    finally:
        back(rough)
    wait_for("the report at the centre", lambda: (
        fleet.events(fleet.running).get(("off-late", 1, 1)) == 1), 60)
