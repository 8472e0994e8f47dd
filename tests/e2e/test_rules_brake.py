# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The brake: within a second on every edge, transfers cut where asked."""

import time
import urllib.parse

import pytest

from support.edge import SLOW, wait_for
from support.stack import image
from support.transfer import Transfer
from support.world import SLOW_CLASS

WITHIN = 1.0 * SLOW
SIZE = 2000000


@pytest.fixture(scope="module")
def fleet(rules):
    fleet = rules.fleet("brake")
    fleet.firmware("1.1.0", image(SIZE, 7))
    fleet.running = fleet.rollout("1.1.0", rate_class=SLOW_CLASS,
                                  strategy="full")
    fleet.other_product = fleet.product + "-2"
    fleet.api("POST", "/products", {"name": fleet.other_product})
    fleet.api("POST", "/products/%s/firmware" % fleet.other_product,
              {"version": "1.1.0"})
    sha = fleet.api("GET", "/products/%s/artifacts" % fleet.product)
    fleet.api("POST", "/products/%s/artifacts" % fleet.other_product, {
        "version": "1.1.0", "sha256": sha["items"][0]["sha256"]})
    made = fleet.api("POST", "/rollouts", {
        "product": fleet.other_product, "name": "other", "target": "1.1.0"})
    fleet.api("POST", "/rollouts/%d/start" % made["id"])
    fleet.wait_offer()
    for edge in rules.edges:
        wait_for("the file at " + edge.name,
                 lambda e=edge: e.has(sha["items"][0]["sha256"]), 20)
    rules.ready()
    return fleet


def offers(fleet, edge, product=None):
    answer = edge.check(fleet.tenant, product or fleet.product, "probe",
                        "1.0.0")
    assert answer.status == 200
    return answer.json["update"]


def wait_all(fleet, wanted, product=None, edges=None):
    """Seconds until every edge offers, or does not."""
    started = time.monotonic()
    left = list(edges or fleet.stack.edges)
    while left:
        left = [e for e in left if offers(fleet, e, product) != wanted]
        assert time.monotonic() - started < 20 * SLOW, left
        time.sleep(0.005)
    return time.monotonic() - started


def paths(fleet):
    return {
        "rollout": "/rollouts/%d/brake" % fleet.running,
        "product": "/products/%s/brake" % fleet.product,
        "tenant": "/tenants/%s/brake" % fleet.tenant,
        "all": "/brake",
    }


def set_brake(fleet, what, level):
    path = paths(fleet)[what]
    if what in ("tenant", "all"):
        fleet.centre.api("POST", path, {"brake": level})
    else:
        fleet.api("POST", path, {"brake": level})


@pytest.mark.parametrize("what", ["rollout", "product", "tenant", "all"])
def test_no_new_offers_within_a_second(rules, fleet, what):
    """On two connected edges, counted from the answer of the centre."""
    wait_all(fleet, True)
    set_brake(fleet, what, "offers")
    took = wait_all(fleet, False)
    assert took < WITHIN, took
    for edge in rules.edges:
        answer = edge.check(fleet.tenant, fleet.product, "probe", "1.0.0")
        assert answer.json["reason"] == "paused"

    # It stops what it names, and nothing else.
    beside = what in ("rollout", "product")
    for edge in rules.edges:
        assert offers(fleet, edge, fleet.other_product) is beside

    set_brake(fleet, what, "none")
    took = wait_all(fleet, True)
    assert took < WITHIN, took
    wait_all(fleet, True, fleet.other_product)


def transfers(fleet):
    """One of each node that the edges name."""
    running = {}
    for edge in fleet.stack.edges:
        offer = fleet.offered(edge, "dev-" + edge.name)
        for u in offer["urls"]:
            if u["node"] not in running:
                transfer = Transfer(u["url"], fleet.centre.ca)
                running[u["node"]] = (transfer, u["url"])
    assert len(running) == len(fleet.stack.edges)
    return running


def get(fleet, url):
    from support.stack_edge import Client
    u = urllib.parse.urlsplit(url)
    client = Client(u.port, fleet.centre.ca)
    try:
        return client.request("GET", u.path + "?" + u.query, None,
                              {"Range": "bytes=0-9"})
    finally:
        client.close()


def test_offers_brake_lets_transfers_run(rules, fleet):
    wait_all(fleet, True)
    running = transfers(fleet)
    set_brake(fleet, "rollout", "offers")
    wait_all(fleet, False)
    time.sleep(0.5)
    for node, (transfer, url) in running.items():
        assert not transfer.cut(SIZE), node
        assert get(fleet, url).status == 206
        transfer.close()
    set_brake(fleet, "rollout", "none")
    wait_all(fleet, True)


@pytest.mark.parametrize("what", ["rollout", "product", "tenant", "all"])
def test_cut_ends_running_transfers(rules, fleet, what):
    """Cut within a second or so, 410 after, new tokens when released."""
    wait_all(fleet, True)
    running = transfers(fleet)
    time.sleep(0.3)
    for node, (transfer, url) in running.items():
        assert not transfer.cut(SIZE), node
        assert transfer.got > 0

    set_brake(fleet, what, "cut")
    started = time.monotonic()
    left = {n: t for n, (t, _) in running.items()}
    while left:
        left = {n: t for n, t in left.items() if not t.cut(SIZE)}
        assert time.monotonic() - started < 10 * SLOW, left
    took = time.monotonic() - started
    assert took < 2 * WITHIN, took
    wait_all(fleet, False)

    for node, (transfer, url) in running.items():
        transfer.close()
        answer = get(fleet, url)
        assert answer.status == 410, (node, answer.status)
        assert "revoked" in answer.headers["WWW-Authenticate"]

    set_brake(fleet, what, "none")
    wait_all(fleet, True)
    # Old tokens stay revoked; a new check gives a good one.
    for node, (_, url) in running.items():
        assert get(fleet, url).status == 410

    def good():
        offer = fleet.offered(rules.edges[0], "probe")
        return offer and get(fleet, offer["urls"][0]["url"]).status == 206
    wait_for("a good token", good, 5)


def test_one_devices_tokens_are_revoked(rules, fleet):
    wait_all(fleet, True)
    urls = {d: fleet.offered(rules.edges[0], d)["urls"] for d in
            ("bad-1", "good-1")}
    for d in urls:
        assert get(fleet, urls[d][0]["url"]).status == 206
    slow = Transfer(urls["bad-1"][0]["url"], fleet.centre.ca)
    made = fleet.api("POST", "/deny", {"kind": "device", "device": "bad-1",
                                       "cut": True})
    wait_for("the revocation",
             lambda: get(fleet, urls["bad-1"][0]["url"]).status == 410, 5)
    wait_for("the cut", lambda: slow.cut(SIZE), 5)
    slow.close()
    for u in urls["bad-1"]:
        wait_for("the other node", lambda u=u: get(
            fleet, u["url"]).status == 410, 5)
    assert get(fleet, urls["good-1"][0]["url"]).status == 206
    fleet.api("DELETE", "/deny/" + made["id"])
    wait_for("the release",
             lambda: get(fleet, urls["bad-1"][0]["url"]).status == 206, 5)
