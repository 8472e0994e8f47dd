# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""What lies in the store is verified again and again.

A file that rots, is cut short or is written over where it lies goes out of
the store, is counted and told, and comes back from the centre if it is
wanted.  All else stays as it is: the files, the page cache, the other work.
"""

import ctypes
import errno
import hashlib
import mmap
import os
import re
import subprocess
import time

import pytest

from support.agent import AGENT, SLOW, Agent, b64name, devices, seeded, until
from support.lone import agent, centre, lone, place  # noqa: F401
from test_agent import artifact_policy

SIZE = 400000


def filled(centre, agent, n, size=SIZE):
    """The hashes of n artifacts that the agent has fetched, by name."""
    shas = sorted((centre.artifact(os.urandom(size)) for _ in range(n)),
                  key=b64name)
    seeded(centre, agent)
    centre.publish(artifact_policy(*((s, size, True) for s in shas)))
    until("artifacts", lambda: all(agent.stored(s) for s in shas), 60)
    return shas


def flip(path, at=SIZE // 2):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1]))


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def facts(path):
    st = os.stat(path)
    return st.st_ino, st.st_size, st.st_mtime_ns, st.st_ctime_ns


def right(agent, sha):
    path = agent.stored(sha)
    return path is not None and sha256(path) == sha


def bad_ones(agent):
    try:
        return os.listdir(os.path.join(agent.store, ".bad"))
    except FileNotFoundError:
        return []


def passes(agent, n):
    """Waits until n more passes have come to their end."""
    words = "verified the store"
    want = agent.text().count(words) + n
    until("%d passes" % n, lambda: agent.text().count(words) >= want, 60)


def test_damaged_file_is_replaced(centre, place):
    agent = Agent(place, centre, scrub_interval="1")
    try:
        good, sha = filled(centre, agent, 2)
        before = facts(agent.stored(good))
        fetched = len(centre.ranges)
        flip(agent.stored(sha))
        damaged = sha256(agent.stored(sha))

        agent.said("%s is damaged, taken out of the store: %d bytes with "
                   "SHA-256 %s" % (b64name(sha), SIZE, damaged))
        until("fetched anew", lambda: right(agent, sha), 30)
        assert [p for p, _ in centre.ranges[fetched:]] \
            == ["/sync/v1/artifact/" + sha]

        # As it was found, for who looks for the cause.
        assert bad_ones(agent) == [b64name(sha)]
        assert sha256(os.path.join(agent.store, ".bad", b64name(sha))) \
            == damaged
        assert os.stat(os.path.join(agent.store, ".bad")).st_mode & 0o77 == 0

        assert agent.status()["sync_errors"]["store"] == 1

        # The next whole pass is clean; the count stays.
        passes(agent, 2)
        status = agent.status()
        assert status["scrub"]["last"]["files"] == 2
        assert status["scrub"]["last"]["bytes"] == 2 * SIZE
        assert status["scrub"]["last"]["bad"] == 0
        fault, = [f for f in status["faults"] if f["part"] == "scrub"]
        assert fault["count"] == 1 and not fault["now"]
        assert status["sync_errors"]["store"] == 1
        assert facts(agent.stored(good)) == before

        text = subprocess.run([AGENT, "status", "-c", agent.write()],
                              stdout=subprocess.PIPE, text=True,
                              check=True).stdout
        assert re.search(r"^scrub +last ended \d+ s ago after \d+ s: 2 files, "
                         r"781.2 KiB, 0 bad$", text, re.M), text
    finally:
        agent.kill()


def test_what_nobody_wants_does_not_come_back(centre, place):
    agent = Agent(place, centre, scrub_interval="1", disk_budget="1m")
    try:
        first, second = filled(centre, agent, 2)
        last = centre.publish(artifact_policy((first, SIZE, False)))
        agent.at(last)
        fetched = len(centre.ranges)
        flip(agent.stored(first))
        agent.said(b64name(first) + " is damaged")
        passes(agent, 2)
        assert agent.stored(first) is None
        assert bad_ones(agent) == [b64name(first)]
        assert len(centre.ranges) == fetched

        # It does not stand in the way of what needs its room.
        third = centre.artifact(os.urandom(SIZE * 2))
        centre.publish(artifact_policy((second, SIZE, False),
                                       (third, SIZE * 2, True)))
        until("third", lambda: right(agent, third), 60)
        assert bad_ones(agent) == []
    finally:
        agent.kill()


def test_wrong_size_does_not_wait_for_a_pass(centre, place):
    agent = Agent(place, centre, scrub_interval="0")
    try:
        short, long = filled(centre, agent, 2)
        os.truncate(agent.stored(short), SIZE - 1)
        with open(agent.stored(long), "ab") as f:
            f.write(b"x")
        centre.publish(artifact_policy(
            (centre.artifact(b"looks"), 5, True)))
        agent.said("%s is damaged, taken out of the store: %d bytes instead "
                   "of %d" % (b64name(short), SIZE - 1, SIZE))
        agent.said("%d bytes instead of %d" % (SIZE + 1, SIZE))
        until("fetched anew", lambda: right(agent, short)
              and right(agent, long), 30)
        status = agent.status()
        assert status["sync_errors"]["store"] == 2
        assert status["scrub"] == {"interval": 0, "pass": None, "last": None}
    finally:
        agent.kill()


def test_killed_agent_goes_on(centre, place):
    """Each file takes some seconds; none that was done is done again."""
    agent = Agent(place, centre)
    try:
        shas = filled(centre, agent, 3, 270000)
        assert agent.stop() == 0
        os.unlink(os.path.join(agent.state, "scrub"))
        agent.conf["scrub_rate"] = "64k"

        agent.start()
        first = until("a file", lambda: (agent.status()["scrub"]["pass"]
                                         or {}).get("files")
                      and agent.status()["scrub"]["pass"])
        assert first["ended"] == 0
        assert agent.status()["scrub"]["last"] is None

        # Other work does not wait for it.
        last = centre.publish(devices(0, 3))
        begun = time.monotonic()
        agent.at(last)
        assert time.monotonic() - begun < 2 * SLOW

        # Damage before and after the place where it is.
        agent.kill()
        flip(agent.stored(shas[0]), 1000)
        flip(agent.stored(shas[2]), 1000)
        agent.start()
        agent.said("verified the store: 3 files, 810000 bytes, 1 damaged",
                   40)
        until("fetched anew", lambda: right(agent, shas[2]), 30)
        last = agent.status()["scrub"]["last"]
        assert last["begun"] == first["begun"] and last["bad"] == 1
        assert last["ended"] - last["begun"] >= 2 * 4
        assert not right(agent, shas[0])
        until("told", lambda: any("scrub: %s is damaged" % b64name(shas[2])
                                  in h.get("error", "")
                                  for h in centre.heartbeats), 30)

        # The next one is a week away, whatever restarts.
        agent.restart()
        until("read", lambda: agent.status()["scrub"]["last"] == last)
        time.sleep(1)
        assert agent.status()["scrub"]["pass"] == last

        # And none is waited for at the end.
        os.unlink(os.path.join(agent.state, "scrub"))
        agent.restart()
        agent.said(b64name(shas[0]) + " is damaged", 30)
        begun = time.monotonic()
        assert agent.stop() == 0
        assert time.monotonic() - begun < 2 * SLOW
    finally:
        agent.kill()


def resident(path):
    """Pages of a file that are in memory, and all of them."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int,
                          ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t,
                             ctypes.c_char_p]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    size = os.path.getsize(path)
    pages = -(-size // mmap.PAGESIZE)
    vec = ctypes.create_string_buffer(pages)
    fd = os.open(path, os.O_RDONLY)
    try:
        at = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
        assert libc.mincore(at, size, vec) == 0
        libc.munmap(at, size)
    finally:
        os.close(fd)
    return sum(b & 1 for b in vec.raw), pages


def test_good_store_and_its_cache_stay(centre, place):
    size = 3 << 20
    agent = Agent(place, centre)
    try:
        cold, hot = filled(centre, agent, 2, size)
        assert agent.stop() == 0
        paths = agent.stored(cold), agent.stored(hot)
        before = [facts(p) for p in paths]

        assert sha256(paths[1]) == hot
        with open(paths[1], "rb") as f:
            try:
                os.preadv(f.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
            except OSError as e:
                assert e.errno == errno.EOPNOTSUPP
                pytest.skip("this file system does not tell")
        with open(paths[0], "rb") as f:
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if resident(paths[0])[0] != 0:
            pytest.skip("this file system keeps all in memory")

        agent.conf["scrub_interval"] = "1"
        agent.start()
        passes(agent, 3)
        assert agent.stop() == 0
        assert resident(paths[0])[0] == 0
        # The machine may have wanted some of its pages for others.
        there, pages = resident(paths[1])
        assert there > pages // 2
        assert [facts(p) for p in paths] == before
        assert agent.text().count("damaged") \
            == agent.text().count(" 0 damaged")
        assert bad_ones(agent) == []
    finally:
        agent.kill()
