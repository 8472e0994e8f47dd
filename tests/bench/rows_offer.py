# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""Row: offers."""

import bench_data
from bench_edge import CHECK, check_edge
from rig import pair

PATH = '/fota/v1/check'
ENV = {'BENCH_VERSION': '1.0.0'}


def offer(opt):
    policy = bench_data.policy('p1m', 1000000)
    for tls, floor, goal in ((False, 0.45, 0.75), (True, 0.55, 0.80)):
        with check_edge(policy, '1.0.0', tls) as edge:
            if edge.sample.count(b'"url"') != 3:
                raise RuntimeError('no offer with three addresses: %r' %
                                   edge.sample)
            got = pair(edge.load(PATH, CHECK, env=ENV),
                       edge.base(PATH, CHECK, env=ENV), opt.rounds,
                       opt.seconds)
        got.update(name='offer: location, 3 of 64 nodes, signed URLs, %s'
                   % ('TLS 1.3' if tls else 'plain'),
                   baseline='`return 200` of the same size', floor=floor,
                   goal=goal)
        yield got


ROWS = [('offer', offer)]
