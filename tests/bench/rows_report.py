# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""Row: reports, answered when they are on the disk."""

import os
import shutil

import bench_data
from bench_edge import HERE, Edge
from rig import pair, wrk

REPORT = os.path.join(HERE, 'report.lua')
PATH = '/fota/v1/report'
COMMIT = 10


def durable(opt):
    policy = bench_data.policy('p0', 0)
    spool = bench_data.path('spool')
    shutil.rmtree(spool, ignore_errors=True)
    os.makedirs(spool)
    try:
        with Edge(policy, 'location = %s { fota_report on; }' % PATH,
                  'location = %s { return 202; }' % PATH,
                  fota='fota_auth open; fota_node_id node-1; '
                       'fota_spool %s size=32g commit=%dms;'
                       % (spool, COMMIT)) as edge:
            got = pair(edge.load(PATH, REPORT, connections=256),
                       edge.base(PATH, REPORT, connections=256), opt.rounds,
                       opt.seconds)
            late = wrk('http://127.0.0.1:%d%s' % (edge.port, PATH), REPORT,
                       3, 64)['p99_ms']
    finally:
        shutil.rmtree(spool, ignore_errors=True)
    got.update(name='durable report, 256 connections',
               baseline='`return 202` after reading the body', floor=0.35,
               goal=0.60,
               note='CPU of all threads; p99 at 64 connections %.1f ms, goal '
                    'commit interval of %d + 5 ms' % (late, COMMIT))
    return [got]


ROWS = [('report', durable)]
