# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""Rows: random ranges of a file with a signed URL."""

import os
import subprocess

import bench_data
from bench_edge import HERE, Edge
from rig import pair

RANGE = os.path.join(HERE, 'range.lua')

CASES = ((1 << 20, '1 MiB', 0.95, 1.00), (16 << 10, '16 KiB', 0.90, 0.97))

LOCATION = 'location ~ "^/a/([\\w-]{43})(?:/[^/]*)?$" { alias %s/$1; %s }'


def ranges(opt):
    policy = bench_data.policy('p0', 0)
    link, name, sha = bench_data.big_file()
    store = os.path.dirname(link)
    token = subprocess.run(
        [bench_data.TOOL, 'token', 'root=' + bench_data.ROOT,
         'artifact=' + sha, 'ttl=80000', 'device=dev-00000007'],
        check=True, capture_output=True, text=True).stdout.strip()
    path = '/a/%s/cam.bin?t=%s' % (name, token)
    for tls in (False, True):
        with Edge(policy, LOCATION % (store, 'fota_token required; '
                                      'fota_download on;'),
                  LOCATION % (store, ''), tls=tls) as edge:
            for size, text, floor, goal in CASES:
                env = {'BENCH_PATH': path, 'BENCH_RANGE': str(size),
                       'BENCH_SIZE': str(bench_data.FILE_SIZE)}
                got = pair(edge.load(path, RANGE, env=env),
                           edge.base(path, RANGE, env=env), opt.rounds,
                           opt.seconds)
                got.update(name='signed %s range, %s' % (
                    text, 'TLS 1.3' if tls else 'plain'),
                    baseline='static file', floor=floor, goal=goal)
                yield got


ROWS = [('download', ranges)]
