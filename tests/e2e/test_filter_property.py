# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Target filters mean the same on the edge (bytecode) and at the centre (SQL).

The program tests/prop/filter_prop.c loads random devices into the centre's
tables and holds both answers together for random filters.
"""

import glob
import os
import re
import subprocess
import time

import pytest

from support.mariadb import MariaDB

TOP = os.environ.get("FOTA_TOP") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("FOTA_BUILD") or os.path.join(TOP, "build")

DEVICES = 500
FILTERS = 500
SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def program():
    path = os.path.join(BUILD, "tests", "filter_prop")

    if not os.path.exists(path):
        subprocess.run(["make", "-s", "-C", TOP, "B=" + BUILD, path],
                       check=True)

    return path


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    server = MariaDB(tmp_path_factory.mktemp("prop"))

    try:
        yield server.start()
    finally:
        server.close()


def schema():
    texts = []

    for path in sorted(glob.glob(os.path.join(TOP, "admin/schema/*.sql"))):
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())

    assert texts
    return "\n".join(texts)


def run(program, database, seed):
    name = "prop%d" % seed
    database.sql("DROP DATABASE IF EXISTS %s; CREATE DATABASE %s"
                 % (name, name))
    database.sql(schema(), name)

    return subprocess.run(
        [program, database.socket, name, str(seed), str(DEVICES),
         str(FILTERS)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)


def test_edge_and_sql_agree(program, database):
    started = time.monotonic()
    pairs = 0

    for seed in SEEDS:
        done = run(program, database, seed)
        text = done.stdout.decode("utf-8", "replace")

        assert done.returncode == 0, text

        last = re.search(r"pairs=(\d+) matches=(\d+) differences=0", text)
        assert last, text

        # Neither nearly all nor nearly none, else the pairs prove little.
        share = int(last.group(2)) / int(last.group(1))
        assert 0.1 < share < 0.9

        pairs += int(last.group(1))

    assert pairs >= 100000
    assert time.monotonic() - started < 60
