# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""Fixtures: an agent of its own, and what stands for its centre."""

import pytest

from .agent import lone_agent


@pytest.fixture
def lone():
    with lone_agent() as parts:
        yield parts


@pytest.fixture
def place(lone):
    return lone[0]


@pytest.fixture
def centre(lone):
    return lone[1]


@pytest.fixture
def agent(lone):
    return lone[2]
