# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""Rows: checks that find nothing to do."""

import bench_data
from bench_edge import CHECK, Edge, check_edge
from rig import memory_kib, pair, wrk

PATH = '/fota/v1/check'
MIB = 1024.0


def ours_and_base(edge, opt, env=None):
    return pair(edge.load(PATH, CHECK, env=env),
                edge.base(PATH, CHECK, env=env), opt.rounds, opt.seconds)


def no_update(opt):
    policy = bench_data.policy('p1m', 1000000)
    for tls, floor, goal in ((False, 0.70, 0.90), (True, 0.72, 0.92)):
        mode = 'TLS 1.3' if tls else 'plain'
        with check_edge(policy, tls=tls) as edge:
            got = ours_and_base(edge, opt)
            got.update(name='no-update check, 1 M devices, %s' % mode,
                       baseline='`return 200` of the same size', floor=floor,
                       goal=goal)
            yield got
            if not tls:
                got = ours_and_base(edge, opt, {'BENCH_METHOD': 'GET'})
                got.update(name='the same by GET, plain',
                           baseline='`return 200` of the same size',
                           floor=floor, goal=goal)
                yield got


def ten_million(opt):
    small = bench_data.policy('p1m', 1000000)
    large = bench_data.policy('p10m', 10000000)
    with check_edge(small, base=False) as one, \
            check_edge(large, base=False) as ten:
        got = pair(ten.load(PATH, CHECK, env={'BENCH_DEVICES': '10000000'}),
                   one.load(PATH, CHECK),
                   opt.rounds, opt.seconds)
    got.update(name='no-update check, 10 M devices',
               baseline='the same with 1 M', floor=0.90, goal=0.97)
    return [got]


def rollouts(opt):
    """All filters are looked at: none of them matches."""
    policies = {n: bench_data.policy('r%d' % n, 1000000, n, plain=False)
                for n in (1, 10, 100)}
    env = {'BENCH_VERSION': '1.0.0'}
    for n, floor, goal in ((10, None, None), (100, 0.60, None)):
        with check_edge(policies[1], '1.0.0', base=False) as one, \
                check_edge(policies[n], '1.0.0', base=False) as many:
            got = pair(many.load(PATH, CHECK, env=env),
                       one.load(PATH, CHECK, env=env), opt.rounds,
                       opt.seconds)
        got.update(name='check, %d running rollouts of 5-term filters' % n,
                   baseline='the same with 1 rollout', floor=floor,
                   goal=goal)
        yield got


def new_connection(opt):
    policy = bench_data.policy('p1m', 1000000)
    with check_edge(policy, tls=True) as edge:
        got = ours_and_base(edge, opt, {'BENCH_CLOSE': 'close'})
    got.update(name='check on a new TLS 1.3 connection',
               baseline='`return 200`, `Connection: close`', floor=0.97,
               goal=0.99)
    return [got]


def memory(opt):
    """After the same load; what is mapped from files is the page cache's."""
    def measure(edge, path):
        wrk('http://127.0.0.1:%d%s' % (edge.port, path), CHECK, 3,
            env={'BENCH_VERSION': '1.0.0'})
        return memory_kib(edge.nginx.worker)

    with Edge(None, 'location / { return 200 "x"; }', module=False) as edge:
        bare = measure(edge, PATH)
    for count, name in ((0, 'p0'), (1000000, 'p1m')):
        with check_edge(bench_data.policy(name, count), base=False) as edge:
            used = measure(edge, PATH)
        more = (used[0] - bare[0]) / MIB
        yield {
            'name': 'edge memory, %s devices' % ('1 M' if count else 'no'),
            'baseline': 'worker without the module',
            'value': '%+.1f MiB' % more, 'ok': more <= 16, 'best': more <= 8,
            'floor': '+ 16 MiB', 'goal': '+ 8 MiB', 'mib': more,
            'note': 'anonymous memory, %.1f MiB without the module; with '
                    'mapped files %.0f MiB' % (bare[0] / MIB,
                                               used[1] / MIB)}


ROWS = [('check', no_update), ('check-10m', ten_million),
        ('rollouts', rollouts), ('connection', new_connection),
        ('memory', memory)]
