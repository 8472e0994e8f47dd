# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""How long a change of policy takes to a connected edge."""

import time

from support.stack import image
from support.stack_edge import SLOW

CHANGES = 200
LIMIT = 1.0
EVERY = 0.01        # a look at the edge: often enough for LIMIT


def changes(fleet, edge, rollout):
    """Seconds of each change, sorted; the call of the API is within."""
    times = []

    for i in range(CHANGES):
        action, wanted = (("pause", False), ("resume", True))[i % 2]
        begin = time.monotonic()
        fleet.api("POST", "/rollouts/%d/%s" % (rollout, action))
        while True:
            answer = edge.check(fleet.tenant, fleet.product, "fast-1")
            assert answer.status == 200, answer.body
            if answer.json["update"] is wanted:
                break
            assert time.monotonic() - begin < 20 * SLOW, answer.body
            time.sleep(EVERY)
        times.append(time.monotonic() - begin)

    return sorted(times)


def test_policy_change_is_visible_within_a_second(stack):
    fleet = stack.fleet("fast")
    fleet.firmware("1.1.0", image(50000, 20))
    rollout = fleet.rollout("1.1.0")
    fleet.wait_offer()

    times = changes(fleet, stack.edges[0], rollout)
    p50, p99 = times[CHANGES // 2 - 1], times[CHANGES * 99 // 100 - 1]
    said = "p50 %.0f ms, p99 %.0f ms, max %.0f ms" % (
        p50 * 1e3, p99 * 1e3, times[-1] * 1e3)
    print("policy change visible, call of the API included: " + said)
    assert p50 <= LIMIT / 2 * SLOW and p99 <= LIMIT * SLOW, said
