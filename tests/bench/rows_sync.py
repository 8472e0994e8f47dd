# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""Rows: what a stream of changes and a fresh start cost."""

import subprocess

import bench_data
from bench_edge import CHECK, check_edge
from rig import Load, pair

PATH = '/fota/v1/check'


class Churned(Load):
    """While 1 000 devices a second change."""

    def __init__(self, policy, *args, **more):
        super().__init__(*args, **more)
        self.policy = policy

    def run(self, seconds):
        churn = subprocess.Popen(
            ['taskset', '-c', '1', bench_data.TOOL, 'churn', self.policy,
             '1000', str(seconds + 1)], stdout=subprocess.DEVNULL)
        try:
            return super().run(seconds)
        finally:
            churn.terminate()
            churn.wait()


def changes(opt):
    policy = bench_data.policy('churn', 1000000)
    with check_edge(policy, base=False) as edge:
        url = 'http://127.0.0.1:%d%s' % (edge.port, PATH)
        got = pair(Churned(policy, edge.nginx, url, CHECK),
                   edge.load(PATH, CHECK), opt.rounds, opt.seconds)
    got.update(name='no-update checks, 1 000 policy changes/s',
               baseline='no changes', floor=0.95, goal=0.99,
               note='no answer but 200')
    return [got]


ROWS = [('changes', changes)]
