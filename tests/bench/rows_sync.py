# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""Rows: what a stream of changes and a fresh start cost."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import bench_data
from bench_edge import CHECK, Edge, check_edge, exchange, post
from rig import BUILD, TOP, Load, free_port, pair

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


SNAPSHOT = 10000000
CHANGES = 200

CENTRE = '''
    location = /sync/v1/snapshot { alias %(out)s/manifest; }
    location /sync/v1/snapshot/%(id)s/ { alias %(out)s/; }
'''

AGENT = '''node = node-1
centre = https://127.0.0.1:%(port)d
ca = %(crt)s
cert = %(crt)s
key = %(key)s
policy_dir = %(dir)s/policy
state_dir = %(dir)s/state
store_dir = %(dir)s/store
spool_dir = %(dir)s/spool
status_socket = %(dir)s/sock
log = %(dir)s/log
map_size = 4g
sync_key = 1:%(public)s
'''


def issue(where):
    """A certificate of its own for 127.0.0.1, for both sides."""
    crt, key = os.path.join(where, 'crt'), os.path.join(where, 'key')
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj',
         '/CN=node-1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout',
         key, '-out', crt], check=True, capture_output=True)
    os.chmod(key, 0o600)
    return crt, key


def await_policy(agent, port, what):
    """Seconds until a check is answered from the new policy."""
    begin = time.monotonic()
    body = ('{"tenant":"bench","product":"cam","device":"dev-00000007",'
            '"version":"1.2.0"}')
    while time.monotonic() - begin < 300:
        if agent.poll() is not None:
            raise RuntimeError('fota-agent ended: ' + open(what).read()[-300:])
        if b' 200 ' in exchange(port, post(PATH, body))[:16]:
            return time.monotonic() - begin
        time.sleep(0.02)
    raise RuntimeError('no policy after 300 s: ' + open(what).read()[-300:])


def snapshot(opt):
    """From a centre's files over TLS to the first answer; and mdb_load."""
    policy = bench_data.policy('p10m', SNAPSHOT)
    binary = os.path.join(BUILD, 'fota-agent')
    if not os.path.exists(binary):
        raise RuntimeError('fota-agent is not built')
    dump = bench_data.made('p10m.dump', lambda target: subprocess.run(
        ['mdb_dump', '-a', '-f', target, os.path.join(policy, 'current')],
        check=True), open(policy + '.made', encoding='utf-8').read())
    where = tempfile.mkdtemp(prefix='fota-bench-', dir=bench_data.DIR)
    ours, theirs = [], []
    try:
        out = os.path.join(where, 'snapshot')
        os.makedirs(out)
        facts = json.loads(subprocess.run(
            [bench_data.TOOL, 'snapshot', policy, out, '05' * 32, '1'],
            check=True, capture_output=True, text=True).stdout)
        crt, key = issue(where)
        centre = free_port()
        for i in range(min(3, opt.rounds)):
            home = os.path.join(where, 'edge')
            for name in ('policy', 'state', 'store', 'spool'):
                os.makedirs(os.path.join(home, name))
            conf = os.path.join(home, 'conf')
            with open(conf, 'w', encoding='utf-8') as f:
                f.write(AGENT % dict(facts, port=centre, crt=crt, key=key,
                                     dir=home))
            tls = ('server { listen 127.0.0.1:%d ssl; ssl_certificate %s; '
                   'ssl_certificate_key %s; %s }' % (
                       centre, crt, key, CENTRE % dict(facts, out=out)))
            with Edge(os.path.join(home, 'policy'),
                      'location = %s { fota_check on; }' % PATH,
                      fota='fota_auth open;', http=tls) as edge:
                agent = subprocess.Popen([binary, '-c', conf],
                                         stderr=subprocess.DEVNULL)
                try:
                    ours.append(await_policy(agent, edge.port,
                                             os.path.join(home, 'log')))
                finally:
                    agent.terminate()
                    agent.wait()
            shutil.rmtree(home)
            copy = os.path.join(where, 'copy')
            os.makedirs(copy)
            begin = time.monotonic()
            # It remarks on a keyword that mdb_dump wrote.
            subprocess.run(['mdb_load', '-f', dump, copy], check=True,
                           stderr=subprocess.DEVNULL)
            theirs.append(time.monotonic() - begin)
            shutil.rmtree(copy)
    finally:
        shutil.rmtree(where, ignore_errors=True)
    ratios = sorted(b / a for a, b in zip(ours, theirs))
    return [{'name': 'snapshot of 10 M devices, empty edge to serving',
             'baseline': '`mdb_load` of the same data', 'floor': 0.5,
             'goal': 1.0, 'ratio': statistics.median(ratios),
             'low': ratios[0], 'high': ratios[-1],
             'us': statistics.median(ours) * 1e6,
             'baseline_us': statistics.median(theirs) * 1e6,
             'rounds': len(ratios),
             'note': 'wall time, %.1f s with fetching over TLS, hashes, '
                     'signature and fsync; `mdb_load` %.1f s without'
                     % (statistics.median(ours),
                        statistics.median(theirs))}]


def propagation(opt):
    """Through the API of a whole centre; an edge asked every 3 ms."""
    sys.path.insert(0, os.path.join(TOP, 'tests', 'e2e'))
    from support.stack import Stack, image
    times = []
    with tempfile.TemporaryDirectory(prefix='fota-bench-') as where, \
            Stack(where, edges=1) as stack:
        fleet = stack.fleet('fast')
        fleet.firmware('1.1.0', image(50000, 20))
        rollout = fleet.rollout('1.1.0')
        fleet.wait_offer()
        edge = stack.edges[0]
        for i in range(CHANGES):
            action, wanted = (('pause', False), ('resume', True))[i % 2]
            begin = time.monotonic()
            fleet.api('POST', '/rollouts/%d/%s' % (rollout, action))
            while edge.check(fleet.tenant, fleet.product,
                             'fast-1').json['update'] is not wanted:
                if time.monotonic() - begin > 30:
                    raise RuntimeError('a change is not seen')
                time.sleep(0.003)
            times.append((time.monotonic() - begin) * 1e3)
    times.sort()
    p50, p99 = times[CHANGES // 2 - 1], times[CHANGES * 99 // 100 - 1]
    return [{'name': 'policy change to a connected edge, %d changes'
             % CHANGES, 'value': 'p50 %.0f ms, p99 %.0f ms' % (p50, p99),
             'floor': 'p99 <= 1 s', 'goal': 'p99 <= 250 ms',
             'ok': p99 <= 1000, 'best': p99 <= 250, 'p50_ms': p50,
             'p99_ms': p99,
             'note': 'from the call of the API, its answer included, to the '
                     'first check that is decided by it'}]


ROWS = [('changes', changes), ('snapshot', snapshot),
        ('propagation', propagation)]
