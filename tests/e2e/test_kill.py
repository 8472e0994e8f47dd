# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""kill -9 of each daemon while devices report, check and download.

What the service manager would do, starting it again, the test does; the rest
has to recover alone.
"""

import os
import random
import signal
import time

import pytest

from support.stack import image, wait_for
from support.stack_edge import ASAN
from support.traffic import Traffic

ROUNDS = int(os.environ.get("FOTA_KILL_ROUNDS") or (6 if ASAN else 10))


@pytest.fixture(scope="module")
def fleet(rough):
    fleet = rough.fleet("kill")
    fleet.data = image(900000, 40)
    fleet.firmware("1.1.0", fleet.data)
    fleet.running = fleet.rollout("1.1.0")
    fleet.wait_offer()
    return fleet


def kill_worker(stack, edge):
    edge.kill_worker()


def kill_nginx(stack, edge):
    edge.kill_nginx()
    edge.start_nginx()


def kill_agent(stack, edge):
    edge.kill_agent()
    edge.start_agent()


def kill_centre(stack, edge):
    stack.centre.kill_admin()
    stack.centre.start_admin()


def kill_database(stack, edge):
    stack.centre.db.stop(signal.SIGKILL)
    stack.centre.db.start()


def change(stack, fleet):
    """Something for the log and the agents to do, whoever lives."""
    try:
        fleet.centre.request("PATCH", "/api/v1/products/" + fleet.product,
                             {"poll_s": random.randrange(100, 1000)},
                             tenant=fleet.tenant, timeout=5)
    except OSError:
        pass


@pytest.mark.parametrize("kill", [kill_worker, kill_nginx, kill_agent,
                                  kill_centre, kill_database],
                         ids=lambda k: k.__name__)
def test_nothing_is_lost(rough, fleet, kill):
    rnd = random.Random(kill.__name__)
    rollout = fleet.running
    with Traffic(fleet, rollout, fleet.data, reporters=4) as traffic:
        for i in range(ROUNDS):
            change(rough, fleet)
            time.sleep(rnd.uniform(0.02, 0.4))
            kill(rough, rough.edges[i % 2])
        before = traffic.checks, len(traffic.acked), traffic.downloads
        wait_for("life after it", lambda: (
            traffic.wrong
            or (traffic.checks > before[0] + 5
                and len(traffic.acked) > before[1] + 5
                and traffic.downloads > before[2] + 1)), 20)

    traffic.verify()
    rough.ready()
    fleet.api("POST", "/rollouts/%d/pause" % rollout)
    for edge in rough.edges:
        wait_for("a change after it",
                 lambda e=edge: not fleet.offered(e), 20)
    fleet.api("POST", "/rollouts/%d/resume" % rollout)
    fleet.wait_offer()
    print("%s: %d reports acknowledged, %d checks, %d downloads, "
          "%d later, %d connections lost" % (
              kill.__name__, len(traffic.acked), traffic.checks,
              traffic.downloads, traffic.later, traffic.lost))
