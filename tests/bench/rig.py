# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""The measuring rig: one nginx worker on core 0, wrk on core 1.

The figure is worker CPU per request: the change of field 1 of
/proc/PID/schedstat divided by the requests served, for a variant and its
baseline in the same run, interleaved, order reversed each round.  What is
reported is the median of the rounds' ratios, with its quartiles.
"""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get('FOTA_BUILD', os.path.join(TOP, 'build'))
NGINX = os.environ.get('FOTA_NGINX', 'nginx')
WARM_UP = 1

# What the tests of tests/e2e know about servers of their own.
sys.path.insert(0, os.path.join(TOP, 'tests', 'e2e'))

from support.ports import free_port  # noqa: E402,F401


def cpu_ns(pid):
    """Of all its threads: what a thread pool does counts too."""
    total = 0
    for tid in os.listdir('/proc/%d/task' % pid):
        with open('/proc/%d/task/%s/schedstat' % (pid, tid),
                  encoding='ascii') as f:
            total += int(f.read().split()[0])
    return total


def memory_kib(pid):
    """Memory of its own and all that is mapped in, page cache included."""
    with open('/proc/%d/smaps_rollup' % pid, encoding='ascii') as f:
        text = f.read()
    return [int(re.search(r'^%s:\s+(\d+) kB' % name, text, re.M).group(1))
            for name in ('Anonymous', 'Rss')]


def machine():
    """Facts on top of the table."""
    model = 'unknown'
    with open('/proc/cpuinfo', encoding='utf-8') as f:
        for line in f:
            if line.startswith('model name'):
                model = line.split(':', 1)[1].strip()
                break
    version = subprocess.run([NGINX, '-v'], capture_output=True, text=True,
                             check=False).stderr.strip()
    return {'cpu': model, 'cores': os.cpu_count(),
            'load': '%.1f' % os.getloadavg()[0],
            'kernel': os.uname().release, 'nginx': version}


class Nginx:
    """A private nginx with one worker pinned to core 0."""

    def __init__(self, http, main='', module=True, workers=1):
        self.dir = tempfile.mkdtemp(prefix='fota-bench-')
        # The directory's owner is us; a worker of another user must enter.
        os.chmod(self.dir, 0o755)
        user = 'user root;' if os.getuid() == 0 else ''
        load = ''
        if module and 'FOTA_ASAN' not in os.environ:
            load = 'load_module %s/module/ngx_http_fota_module.so;' % BUILD
        self.conf = os.path.join(self.dir, 'nginx.conf')
        with open(self.conf, 'w', encoding='utf-8') as f:
            f.write('''
%s
%s
worker_processes %d;
worker_cpu_affinity 01;
pid %s/nginx.pid;
error_log %s/error.log warn;
%s
events { worker_connections 4096; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=1000 inactive=1h;
    open_file_cache_valid 1h;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path %s/body;
    proxy_temp_path %s/proxy;
    fastcgi_temp_path %s/fastcgi;
    uwsgi_temp_path %s/uwsgi;
    scgi_temp_path %s/scgi;
    %s
}
''' % (load, user, workers, self.dir, self.dir, main, self.dir, self.dir,
                self.dir, self.dir, self.dir, http))
        out = subprocess.run([NGINX, '-c', self.conf, '-p', self.dir],
                             capture_output=True, text=True, check=False)
        if out.returncode != 0:
            raise RuntimeError(out.stderr)
        self.master = self.wait_pid()
        self.worker = self.wait_worker()

    def wait_pid(self):
        path = os.path.join(self.dir, 'nginx.pid')
        for _ in range(500):
            try:
                with open(path, encoding='ascii') as f:
                    return int(f.read())
            except (OSError, ValueError):
                time.sleep(0.01)
        raise RuntimeError('nginx wrote no pid')

    def wait_worker(self):
        path = '/proc/%d/task/%d/children' % (self.master, self.master)
        for _ in range(500):
            with open(path, encoding='ascii') as f:
                children = f.read().split()
            for child in children:
                with open('/proc/%s/cmdline' % child, 'rb') as f:
                    if b'worker process' in f.read():
                        return int(child)
            time.sleep(0.01)
        raise RuntimeError('nginx has no worker')

    def log(self):
        with open(os.path.join(self.dir, 'error.log'), encoding='utf-8',
                  errors='replace') as f:
            return f.read()

    def stop(self):
        try:
            os.kill(self.master, signal.SIGTERM)
        except ProcessLookupError:
            pass
        for _ in range(500):
            if not os.path.exists('/proc/%d' % self.master):
                break
            time.sleep(0.01)
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.stop()


def wrk(url, script=None, seconds=1, connections=32, headers=(),
        env=None):
    """Runs wrk on core 1; returns requests, errors, wall rate, p99 in ms."""
    cmd = ['taskset', '-c', '1', 'wrk', '-t1', '-c%d' % connections,
           '-d%ds' % seconds, '--latency']
    for header in headers:
        cmd += ['-H', header]
    if script:
        cmd += ['-s', script]
    out = subprocess.run(cmd + [url], capture_output=True, text=True,
                         check=True,
                         env=dict(os.environ, **(env or {}))).stdout
    requests = int(re.search(r'(\d+) requests in', out).group(1))
    bad = re.search(r'Non-2xx or 3xx responses: (\d+)', out)
    broken = re.search(r'Socket errors: connect (\d+), read (\d+), '
                       r'write (\d+), timeout (\d+)', out)
    p99 = re.search(r'99%\s+([\d.]+)(us|ms|s)', out)
    scale = {'us': 0.001, 'ms': 1.0, 's': 1000.0}
    return {'requests': requests,
            'bad': int(bad.group(1)) if bad else 0,
            'broken': sum(map(int, broken.groups())) if broken else 0,
            'rate': float(re.search(r'Requests/sec:\s+([\d.]+)', out)
                          .group(1)),
            'p99_ms': float(p99.group(1)) * scale[p99.group(2)] if p99
            else None}


class Load:
    """What one side of a pair asks: a URL and a wrk script."""

    def __init__(self, nginx, url, script=None, connections=32, headers=(),
                 env=None):
        self.nginx = nginx
        self.url = url
        self.script = script
        self.connections = connections
        self.headers = headers
        self.env = env or {}

    def run(self, seconds):
        """Worker CPU in us per request."""
        for _ in range(3):
            before = cpu_ns(self.nginx.worker)
            got = wrk(self.url, self.script, seconds, self.connections,
                      self.headers, self.env)
            spent = cpu_ns(self.nginx.worker) - before
            # On a crowded machine a second may go by with handshakes alone.
            if got['requests']:
                break
        if got['bad'] or not got['requests']:
            raise RuntimeError('%s: %d of %d answers were no 2xx' %
                               (self.url, got['bad'], got['requests']))
        return spent / 1000.0 / got['requests']


def pair(variant, baseline, rounds=20, seconds=1):
    """Median ratio baseline / variant: 1.0 is as fast, 0.5 half as fast."""
    variant.run(WARM_UP)
    baseline.run(WARM_UP)
    ratios, ours, theirs = [], [], []
    for i in range(rounds):
        if i % 2:
            v = variant.run(seconds)
            b = baseline.run(seconds)
        else:
            b = baseline.run(seconds)
            v = variant.run(seconds)
        ratios.append(b / v)
        ours.append(v)
        theirs.append(b)
    q = statistics.quantiles(ratios, n=4) if rounds > 1 else [ratios[0]] * 3
    return {'ratio': statistics.median(ratios), 'low': q[0], 'high': q[2],
            'us': statistics.median(ours),
            'baseline_us': statistics.median(theirs), 'rounds': rounds}
