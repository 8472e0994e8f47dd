# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""Row: the empty policy hook."""

import os

import bench_data
from bench_edge import CHECK, check_edge
from rig import TOP, pair

PATH = '/fota/v1/check'


def hook(opt):
    policy = bench_data.policy('p1m', 1000000)
    lua = os.path.join(TOP, 'lua', 'policy.lua')
    with check_edge(policy, base=False, fota='fota_lua %s;' % lua) as on, \
            check_edge(policy, base=False) as off:
        got = pair(on.load(PATH, CHECK), off.load(PATH, CHECK), opt.rounds,
                   opt.seconds)
    got.update(name='empty Lua policy hook', baseline='hook off', floor=0.90,
               goal=0.97)
    return [got]


ROWS = [('script', hook)]
