# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Ports of 127.0.0.1 that a daemon of a test may listen on."""

import collections
import random
import socket

LOWEST = 10240
HELD = 256      # each is a file descriptor


def _ephemeral():
    """The lowest port that the system gives to outgoing connections."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
            return int(f.read().split()[0])
    except (OSError, ValueError):
        return 32768


_highest = max(_ephemeral(), LOWEST + 4096)
_random = random.SystemRandom()
_given = set()
_held = collections.deque()


def free_port():
    """One that nothing listens on and that nobody else will be given.

    A port of bind(0) is one for outgoing connections: by the time the daemon
    listens, or listens again, any client of the machine may have it.  The
    abstract socket is seen by other test runs and goes with this process.
    """
    while True:
        port = _random.randrange(LOWEST, _highest)
        if port in _given:
            continue
        hold = socket.socket(socket.AF_UNIX)
        try:
            hold.bind("\0fota-test-port-%d" % port)
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            hold.close()
            continue
        _given.add(port)
        _held.append(hold)
        if len(_held) > HELD:
            _held.popleft().close()
        return port
