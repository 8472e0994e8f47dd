# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The examples of docs/device-api.md do what they say.

Each block marked "sh" runs in order in a shell that has read .run/env; lines
"# expect: FILTER" in it are jq filters that hold for what it printed.
"""

import json
import os
import re
import subprocess

import pytest

from support.centre import TOP
from support.demo import Demo

DOC = os.path.join(TOP, "docs", "device-api.md")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
EXPECT = re.compile(r"^# expect: (.+)$", re.M)


def blocks():
    with open(DOC) as f:
        text = f.read()
    return [(text.count("\n", 0, m.start()) + 1, m.group(1))
            for m in BLOCK.finditer(text)]


@pytest.fixture(scope="module")
def demo():
    demo = Demo()
    try:
        demo.start()
        yield demo
    finally:
        demo.close()


def test_there_are_examples():
    assert len(blocks()) >= 8
    assert sum(len(EXPECT.findall(b)) for _, b in blocks()) >= 15


@pytest.mark.parametrize("line,text", [
    pytest.param(line, text, id="line-%d" % line) for line, text in blocks()
    if ". .run/env" not in text])
def test_example(demo, line, text):
    done = demo.shell(text)
    assert done.returncode == 0, (text, done.stdout, done.stderr)

    expected = EXPECT.findall(text)
    assert expected, "line %d: nothing is expected" % line
    json.loads(done.stdout)

    for filter in expected:
        held = subprocess.run(["jq", "-e", filter], input=done.stdout,
                              stdout=subprocess.PIPE, text=True)
        assert held.returncode == 0, (filter, done.stdout)
