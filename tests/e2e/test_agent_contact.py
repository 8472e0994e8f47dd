# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""How soon an agent knows, and says, that it hears its centre."""

import subprocess

from support.agent import AGENT, TENANT, seeded, until
from support.lone import agent, centre, lone, place  # noqa: F401


def connected(agent, want, timeout):
    until("connected: %s" % want,
          lambda: agent.status()["connected"] == want, timeout)


def test_known_at_once_after_a_start_and_an_absence(centre, agent):
    """Though nothing changes, and the centre may hold a poll for long."""
    agent.conf["poll_wait"] = "25"
    seeded(centre, agent)
    connected(agent, True, 5)
    agent.restart()
    connected(agent, True, 5)
    centre.faults["/"] = lambda h: h.problem(503, "down") or True
    centre.publish({"products": [{"tenant": 1, "name": "cam"}]})
    connected(agent, False, 10)
    centre.faults.clear()
    connected(agent, True, 15)
    agent.at(2)


def test_who_is_refused_is_not_connected(centre, agent):
    seeded(centre, agent)
    connected(agent, True, 5)
    centre.faults["/sync/v1/log"] = lambda h: h.problem(403, "node") or True
    connected(agent, False, 10)
    agent.said("403")


def test_the_head_is_of_the_history_that_is_heard(centre, agent):
    """A restored centre begins anew, and its edges are not behind it."""
    seeded(centre, agent)
    for _ in range(3):
        centre.publish({"products": [{"tenant": 1, "name": "cam"}]})
    agent.at(4)
    until("head", lambda: agent.status()["policy"]["head"] == 4)
    centre.new_history("00000000000000bb")
    centre.publish(TENANT)
    centre.snapshot(TENANT)
    with centre.changed:
        centre.changed.notify_all()
    until("head", lambda: agent.status()["policy"]["head"] == 1, 40)
    agent.at(1)
    text = subprocess.run([AGENT, "status", "-c", agent.write()],
                          stdout=subprocess.PIPE, text=True).stdout
    assert "seq 1 of 1," in text
