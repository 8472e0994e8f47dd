# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""An edge and its baseline in one nginx, on ports of their own."""

import os
import re
import socket
import ssl

import bench_data
from rig import Load, Nginx, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
CHECK = os.path.join(HERE, 'check.lua')

BODY = ('{"tenant":"bench","product":"cam","device":"dev-00000007","version":'
        '"%s","attrs":{"hw":"3","fw":"stable","battery":"87","net":"wifi"}}')

HTTP = '''
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    default_type application/json;
    ssl_certificate %s;
    ssl_certificate_key %s;
    ssl_protocols TLSv1.3;
    ssl_session_tickets off;
'''


def exchange(port, request, tls=False):
    """The whole answer to one request, as bytes."""
    with socket.create_connection(('127.0.0.1', port), 5) as s:
        if tls:
            context = ssl._create_unverified_context()
            s = context.wrap_socket(s)
        s.sendall(request)
        data = b''
        while b'\r\n\r\n' not in data:
            more = s.recv(65536)
            if not more:
                break
            data += more
        head, _, body = data.partition(b'\r\n\r\n')
        length = re.search(rb'content-length: (\d+)', head.lower())
        want = int(length.group(1)) if length else 0
        while len(body) < want:
            more = s.recv(65536)
            if not more:
                break
            body += more
        return head + b'\r\n\r\n' + body


def post(path, body, more=''):
    return ('POST %s HTTP/1.1\r\nHost: localhost\r\n'
            'Content-Type: application/json\r\n%s'
            'Content-Length: %d\r\n\r\n%s' % (path, more, len(body),
                                              body)).encode()


class Edge:
    """An nginx with the module on one port and a baseline on another.

    server and base are the insides of the two server blocks; "{size}" in
    base stands for a text that makes its answer to probe as long as ours.
    """

    def __init__(self, policy, server, base='', probe=None, fota='',
                 tls=False, main='', http='', module=True):
        self.port, self.base_port = free_port(), free_port()
        self.scheme = 'https' if tls else 'http'
        self.tls = tls
        crt, key = bench_data.certificate()
        listen = ' ssl' if tls else ''
        text = HTTP % (crt, key)
        if policy:
            text += 'fota_db %s map_size=16g; fota_zone fota 8m; %s' % (
                policy, fota)
        text += http
        ours = 'server { listen 127.0.0.1:%d%s; %s }' % (
            self.port, listen, server)

        def conf(fill):
            return text + ours + 'server { listen 127.0.0.1:%d%s; %s }' % (
                self.base_port, listen, base.replace('{size}', 'x' * fill))

        fill = 1
        if '{size}' in base and probe is not None:
            with Nginx(conf(fill), main, module):
                ours_len = len(exchange(self.port, probe, tls))
                self.sample = exchange(self.port, probe, tls)
                base_len = len(exchange(self.base_port, probe, tls))
            fill += max(0, ours_len - base_len)
            # A longer length is a longer header.
            fill -= len(str(fill)) - 1
        self.nginx = Nginx(conf(fill), main, module)

    def load(self, path, script=None, **more):
        return Load(self.nginx, '%s://127.0.0.1:%d%s' % (
            self.scheme, self.port, path), script, **more)

    def base(self, path, script=None, **more):
        return Load(self.nginx, '%s://127.0.0.1:%d%s' % (
            self.scheme, self.base_port, path), script, **more)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.nginx.stop()


def check_edge(policy, version='1.2.0', tls=False, fota='', base=True,
               more=''):
    """The edge of the rows that check."""
    return Edge(policy,
                'location = /fota/v1/check { fota_check on; }' + more,
                'location = /fota/v1/check { return 200 "{size}"; }'
                if base else '',
                post('/fota/v1/check', BODY % version,
                     'X-Real-IP: 9.9.9.9\r\n') if base else None,
                'fota_auth open; fota_geoip %s; %s' % (bench_data.geo(),
                                                       fota),
                tls)
