# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from support import sanitizer                               # noqa: E402
from support.stack import Stack                             # noqa: E402
from support.world import world                             # noqa: E402


def pytest_configure(config):
    sanitizer.setup()


def pytest_terminal_summary(terminalreporter):
    for line in sanitizer.told():
        terminalreporter.write_line(line)


def pytest_unconfigure(config):
    sanitizer.end()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """The fixtures of the session have ended; what their daemons said."""
    if sanitizer.told():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def no_report():
    yield
    sanitizer.check()


def _stack(name, **more):
    """Directory and stack; the directory of a failure is kept."""
    directory = tempfile.mkdtemp(prefix="fota-%s-" % name, dir="/tmp")
    return directory, Stack(directory, **more)


def _run(request, name, **more):
    directory, stack = _stack(name, **more)
    failed = request.session.testsfailed
    with stack:
        yield stack
    if (request.session.testsfailed == failed
            and not os.environ.get("FOTA_KEEP")):
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print("kept: " + directory)


@pytest.fixture(scope="session")
def stack(request):
    """A whole system with two edges, for tests that break nothing."""
    yield from _run(request, "stack")


@pytest.fixture(scope="session")
def rough(request):
    """Another one, whose daemons tests kill and start again."""
    yield from _run(request, "rough")


@pytest.fixture(scope="session")
def rules(request):
    """Two edges that believe X-Real-IP, with the places of the rules."""
    directory = tempfile.mkdtemp(prefix="fota-places-", dir="/tmp")
    try:
        yield from _run(request, "rules", **world(directory))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Own:
    """Makes stacks of a test's own: own_stack(edges=1)."""

    def __init__(self):
        self.made = []

    def __call__(self, **more):
        directory, stack = _stack("own", **more)
        stack.__enter__()
        self.made.append((directory, stack))
        return stack

    def end(self, stack, check=True):
        """Before its time, as when a disk of it goes away."""
        for entry in list(self.made):
            if entry[1] is stack:
                self.made.remove(entry)
                stack.close(check)
                if not os.environ.get("FOTA_KEEP"):
                    shutil.rmtree(entry[0], ignore_errors=True)


@pytest.fixture
def own_stack():
    own = Own()
    yield own
    for _, stack in list(own.made):
        own.end(stack)
