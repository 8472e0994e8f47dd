# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""How long a change of policy takes to a connected edge."""

import time

from support.stack import image
from support.stack_edge import SLOW

CHANGES = 200
LIMIT = 1.0


def test_policy_change_is_visible_within_a_second(stack):
    fleet = stack.fleet("fast")
    fleet.firmware("1.1.0", image(50000, 20))
    rollout = fleet.rollout("1.1.0")
    fleet.wait_offer()
    edge = stack.edges[0]
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
            assert time.monotonic() - begin < 10 * SLOW, answer.body
            time.sleep(0.003)
        times.append(time.monotonic() - begin)

    times.sort()
    p50, p99 = times[CHANGES // 2 - 1], times[CHANGES * 99 // 100 - 1]
    print("policy change visible, call of the API included: p50 %.0f ms, "
          "p99 %.0f ms, max %.0f ms" % (p50 * 1e3, p99 * 1e3,
                                        times[-1] * 1e3))
    assert p99 <= LIMIT * SLOW
