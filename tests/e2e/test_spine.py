# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The main job: from the upload of a package to a device that runs it."""

import json
import os
import urllib.parse

import pytest

from support.stack import image, sha, wait_for, xdelta
from support.stack_edge import Client, name_of

SIZE = 2000000


@pytest.fixture(scope="module")
def fleet(stack):
    """1.0.0 and 1.1.0 in full, and the delta between them, rolling out."""
    fleet = stack.fleet("spine")
    fleet.old = image(SIZE, 1)
    fleet.new = image(SIZE, 2, fleet.old)
    fleet.delta = xdelta(fleet.old, fleet.new, stack.dir)
    fleet.firmware("1.0.0", fleet.old)
    fleet.firmware("1.1.0", fleet.new)
    fleet.artifact("1.1.0", fleet.delta, source="1.0.0", fmt="xdelta3")
    fleet.running = fleet.rollout("1.1.0")
    fleet.image = os.path.join(stack.dir, "image-1.0.0")
    with open(fleet.image, "wb") as f:
        f.write(fleet.old)
    fleet.wait_offer()
    return fleet


def fetch(fleet, url, headers=None):
    u = urllib.parse.urlsplit(url)
    client = Client(u.port, fleet.centre.ca)
    try:
        return client.request("GET", u.path + "?" + u.query, None,
                              headers or {})
    finally:
        client.close()


def installed(fleet, device):
    with open(os.path.join(fleet.stack.devices, device, "image"), "rb") as f:
        return f.read()


def delivered(fleet, rollout):
    rows = fleet.centre.sql("SELECT COALESCE(SUM(delivered), 0) FROM "
                            "rollout_bytes WHERE rollout_id = %d" % rollout)
    return int(rows[0][0])


def test_upload_by_command(stack):
    """fota firmware upload -> rollout -> device, all by the command."""
    fleet = stack.fleet("command")
    path = os.path.join(stack.dir, "command-1.2.0.img")
    data = image(SIZE, 3)
    with open(path, "wb") as f:
        f.write(data)

    fleet.fota("firmware", "upload", path, "--product", fleet.product,
               "--version", "1.2.0")
    made = json.loads(fleet.fota(
        "rollout", "create", "by command", "--product", fleet.product,
        "--target", "1.2.0", "--json"))
    fleet.fota("rollout", "start", str(made["id"]))
    fleet.wait_offer()

    out = fleet.simulate("cmd-1")
    assert out["version"] == "1.2.0"
    assert installed(fleet, "cmd-1") == data
    wait_for("the counter", lambda: fleet.count(made["id"], "succeeded") == 1)


def test_full_package(fleet):
    before = delivered(fleet, fleet.running)
    out = fleet.simulate("full-1", "--no-delta", "--range", "300000")

    assert out["version"] == "1.1.0" and out["reason"] == "up_to_date"
    assert out["bytes"] == SIZE
    assert "hash" in out["stderr"] or "sha256" in out["stderr"]
    assert "and signature" in out["stderr"]
    assert installed(fleet, "full-1") == fleet.new
    wait_for("the counter",
             lambda: fleet.count(fleet.running, "succeeded") >= 1)
    wait_for("accounted bytes",
             lambda: delivered(fleet, fleet.running) - before >= SIZE, 30)
    assert delivered(fleet, fleet.running) - before < SIZE * 1.1


def test_delta_package(fleet):
    out = fleet.simulate("delta-1", "--image", fleet.image)

    assert out["version"] == "1.1.0"
    assert out["bytes"] == len(fleet.delta) < SIZE / 2
    assert installed(fleet, "delta-1") == fleet.new
    wait_for("all its reports", lambda: {
        s for (d, _, s) in fleet.events(fleet.running) if d == "delta-1"
    } == {1, 2, 3, 4})


def test_wrong_signer_is_refused_by_the_device(fleet):
    out = fleet.simulate("sig-1", "--no-delta", "--signer", "00" * 32,
                         check=False)
    assert out["exit"] != 0
    assert "signature" in out["stderr"]
    assert out["version"] == "1.0.0"
    wait_for("the failure at the centre",
             lambda: fleet.count(fleet.running, "failed") >= 1)


def test_resume_after_stop(fleet):
    first = fleet.simulate("stop-1", "--no-delta", "--range", "200000",
                           "--stop-after", "700000", check=False)
    assert first["exit"] != 0 and 700000 <= first["bytes"] < SIZE

    second = fleet.simulate("stop-1", "--no-delta", "--range", "200000",
                            edge=fleet.stack.edges[1])
    assert second["resumed"] and second["version"] == "1.1.0"
    assert second["bytes"] == SIZE - first["bytes"]


def test_other_node_takes_over(fleet):
    """The best node is down: the next one in the offer is used."""
    stack = fleet.stack
    offer = fleet.offered(stack.edges[1], "over-1")
    assert len({u["node"] for u in offer["urls"]}) == 2
    best = next(e for e in stack.edges if e.name == offer["urls"][0]["node"])
    other = next(e for e in stack.edges if e is not best)

    best.stop_nginx()
    try:
        out = fleet.simulate("over-1", "--no-delta", edge=other)
    finally:
        best.start_nginx()

    assert out["failovers"] >= 1 and out["node"] == other.name
    assert out["version"] == "1.1.0"


def test_another_node_when_one_has_a_damaged_file(fleet):
    stack = fleet.stack
    digest = sha(fleet.new)
    for e in stack.edges:
        wait_for("prefetch", lambda e=e: e.has(digest))
    offer = fleet.offered(stack.edges[1], "spoilt-1", delta=False)
    best = next(e for e in stack.edges if e.name == offer["urls"][0]["node"])
    other = next(e for e in stack.edges if e is not best)

    path = os.path.join(best.store, name_of(digest))
    with open(path, "r+b") as f:
        f.seek(SIZE // 2)
        f.write(bytes([fleet.new[SIZE // 2] ^ 1]))
        f.flush()
        try:
            out = fleet.simulate("spoilt-1", "--no-delta")
        finally:
            f.seek(SIZE // 2)
            f.write(fleet.new[SIZE // 2:SIZE // 2 + 1])

    assert out["failovers"] >= 1 and out["node"] == other.name
    assert installed(fleet, "spoilt-1") == fleet.new


def test_resume_across_nodes_by_tag(fleet):
    """Files of one hash have one tag, whatever their times are."""
    stack = fleet.stack
    digest = sha(fleet.new)
    for e in stack.edges:
        wait_for("prefetch", lambda e=e: e.has(digest))
    path = os.path.join(stack.edges[0].store, name_of(digest))
    os.utime(path, (1, 1))

    offer = fleet.offered(stack.edges[0], "tag-1", delta=False)
    urls = {u["node"]: u["url"] for u in offer["urls"]}
    first = fetch(fleet, urls["edge-1"], {"Range": "bytes=0-999"})
    rest = fetch(fleet, urls["edge-2"], {
        "Range": "bytes=1000-", "If-Range": first.headers["ETag"]})
    assert (first.status, rest.status) == (206, 206)
    assert first.headers["ETag"] == rest.headers["ETag"]
    assert first.body + rest.body == fleet.new


def test_token_is_good_for_its_group_only(fleet):
    stack = fleet.stack
    api = stack.centre.api
    api("POST", "/node-groups", {"id": 2, "name": "second"})
    far = stack.add_edge("edge-3")
    stack.centre.api("PATCH", "/nodes/edge-3", {"group": 2})
    far.start()
    stack.ready([far])

    offer = fleet.offered(stack.edges[0], "scope-1")
    assert "edge-3" not in {u["node"] for u in offer["urls"]}
    u = urllib.parse.urlsplit(offer["urls"][0]["url"])
    for e in stack.edges:
        a = e.request("GET", u.path + "?" + u.query,
                      headers={"Range": "bytes=0-9"})
        assert a.status == (403 if e is far else 206), (e.name, a.body)

    own = fleet.offered(far, "scope-2")
    assert {u["node"] for u in own["urls"]} == {"edge-3"}
    stack.edges.remove(far)
    code = far.close()
    assert code == 0
    api("DELETE", "/nodes/edge-3?confirm=edge-3")


def test_pull_through(fleet):
    """What is not on disk yet comes from the origin, once, verified."""
    stack = fleet.stack
    edge = stack.edges[1]
    data = image(700000, 9)
    fleet.firmware("1.1.5", data)
    rollout = fleet.rollout("1.1.5", filter="id==pull*", weight=10)
    fleet.wait_offer(device="pull-0")
    wait_for("prefetch", lambda: edge.has(sha(data)))

    edge.stop_agent()
    try:
        os.unlink(os.path.join(edge.store, name_of(sha(data))))
        offer = fleet.offered(edge, "pull-1", delta=False)
        url = next(u["url"] for u in offer["urls"] if u["node"] == edge.name)
        part = fetch(fleet, url, {"Range": "bytes=1000-1999"})
        whole = fetch(fleet, url)
        assert part.status == 206 and part.body == data[1000:2000]
        assert whole.status == 200 and whole.body == data
    finally:
        edge.start_agent()
    wait_for("the agent fetches it again", lambda: edge.has(sha(data)), 30)
    fleet.api("POST", "/rollouts/%d/stop" % rollout)


def test_device_and_gateway_tokens(stack):
    fleet = stack.fleet("auth", auth=("device", "gateway"))
    fleet.firmware("1.1.0", image(100000, 4))
    fleet.rollout("1.1.0")
    gateway = fleet.api("POST", "/tenants/%s/gateways" % fleet.tenant,
                        {"name": "gw"})["token"]
    fleet.api("POST", "/devices", {"id": "auth-1", "product": fleet.product})
    fleet.api("POST", "/tenants/%s/device-keys" % fleet.tenant)
    token = fleet.api("POST", "/devices/auth-1/token")["token"]
    edge = stack.edges[0]

    def status(device, authorization=None):
        headers = {"Authorization": authorization} if authorization else {}
        return edge.check(fleet.tenant, fleet.product, device,
                          headers=headers).status

    wait_for("the gateway's token",
             lambda: status("auth-2", "GatewayToken " + gateway) == 200)
    wait_for("the device's token",
             lambda: status("auth-1", "Bearer " + token) == 200)
    assert status("auth-1") == 401
    assert status("auth-2", "Bearer " + token) == 401
    assert status("auth-1", "Bearer " + token[:-2] + "AA") == 401
    assert fleet.simulate("auth-1", "--auth", "Bearer " + token)[
        "version"] == "1.1.0"
