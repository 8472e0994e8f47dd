# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""What the rows measure with: policies, a location database, files, keys.

All of it is made once below BUILD/bench and kept; remove the folder after a
change of the formats.
"""

import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys

from rig import BUILD, TOP

sys.path.insert(0, os.path.join(TOP, 'tests', 'e2e', 'support'))

from mmdb import maxmind, write_mmdb  # noqa: E402

DIR = os.path.join(BUILD, 'bench')
TOOL = os.path.join(BUILD, 'tests', 'policytool')
ROOT = '02' * 32
FILE_SIZE = 256 << 20

ZONES = ['Asia/Tokyo', 'Europe/Berlin', 'America/New_York',
         'Australia/Sydney']

CITIES = [('JP', 'AS', 'Tokyo', 35.7, 139.7, 0),
          ('DE', 'EU', 'Berlin', 52.5, 13.4, 1),
          ('US', 'NA', 'New York', 40.7, -74.0, 2),
          ('AU', 'OC', 'Sydney', -33.9, 151.2, 3),
          ('FR', 'EU', 'Paris', 48.9, 2.4, 1),
          ('BR', 'SA', 'Sao Paulo', -23.6, -46.6, 2),
          ('IN', 'AS', 'Mumbai', 19.1, 72.9, 0),
          ('ZA', 'AF', 'Cape Town', -33.9, 18.4, 1)]


def path(name):
    os.makedirs(DIR, exist_ok=True)
    return os.path.join(DIR, name)


def made(name, make, stamp=''):
    """Path of what make(path) made, anew when the stamp is another."""
    target = path(name)
    mark = target + '.made'
    try:
        with open(mark, encoding='utf-8') as f:
            if f.read() == stamp and os.path.exists(target):
                return target
    except OSError:
        pass
    if os.path.isdir(target):
        shutil.rmtree(target)
    make(target)
    with open(mark, 'w', encoding='utf-8') as f:
        f.write(stamp)
    return target


def geo():
    """230 000 networks, each with a location of its own: some 40 MB."""
    def make(target):
        rnd = random.Random(1)
        records = {}
        for a in range(1, 224):
            for b in range(256):
                for c in range(0, 256, 64):
                    cc, cont, city, lat, lon, zone = rnd.choice(CITIES)
                    records['%d.%d.%d.0/18' % (a, b, c)] = maxmind(
                        cc, 'R%d' % (b % 50), 'Region %d' % (b % 50),
                        a * 256 + b, '%s %d' % (city, c), a * 65536 + b * 256
                        + c, lat + rnd.random() * 4 - 2,
                        lon + rnd.random() * 4 - 2, ZONES[zone], cont)
        write_mmdb(target, records, record_size=28)
    return made('geo.mmdb', make, '1')


def big_file():
    """A file of 256 MiB, named by its hash; path and base64url name."""
    def make(target):
        rnd = random.Random(2)
        block = rnd.randbytes(1 << 20)
        with open(target, 'wb') as f:
            for i in range(FILE_SIZE >> 20):
                f.write(i.to_bytes(8, 'big') + block[8:])
    target = made('file.bin', make, '1')
    def digest(out):
        h = hashlib.sha256()
        with open(target, 'rb') as f:
            while True:
                data = f.read(1 << 20)
                if not data:
                    break
                h.update(data)
        with open(out, 'w', encoding='ascii') as f:
            f.write(h.hexdigest())
    with open(made('file.sha256', digest, '1'), encoding='ascii') as f:
        sha = f.read()
    name = base64.urlsafe_b64encode(bytes.fromhex(sha)).decode().rstrip('=')
    store = path('store')
    os.makedirs(store, exist_ok=True)
    link = os.path.join(store, name)
    if not os.path.exists(link):
        os.link(target, link)
    return link, name, sha


def certificate():
    """ECDSA P-256, as edges have; paths of certificate and key."""
    def make(target):
        subprocess.run(
            ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
             'ec_paramgen_curve:P-256', '-nodes', '-days', '3650', '-subj',
             '/CN=localhost', '-keyout', target + '.key', '-out', target],
            check=True, capture_output=True)
    crt = made('tls.crt', make, '1')
    return crt, crt + '.key'


def nodes(count=64):
    rnd = random.Random(3)
    out = []
    for i in range(count):
        cc, cont, _, lat, lon, _ = CITIES[i % len(CITIES)]
        out.append({'id': i + 1, 'name': 'node-%d' % (i + 1),
                    'site': 'site-%d' % (i // 2),
                    'url': 'https://n%d.edge.example' % (i + 1),
                    'country': cc, 'continent': cont, 'as_of': 1 << 40,
                    'lat': lat + rnd.random() * 10 - 5,
                    'lon': lon + rnd.random() * 10 - 5,
                    'load': rnd.randrange(60)})
    return out


def rollouts(count):
    """The last one matches everybody; those before differ in five terms."""
    out = []
    for i in range(count - 1):
        out.append({
            'id': 1000 + i, 'name': 'r%d' % i, 'weight': 10,
            'target': '1.2.0',
            'filter': 'version=lt=9.0.%d and attr.hw=ge=2 and '
                      'attr.net==wi* and attr.battery=gt=20 and '
                      'id==dev-x%d*' % (i, i)})
    out.append({'id': 1, 'name': 'all', 'target': '1.2.0',
                'filter': 'version=lt=9.0.0 and attr.hw=ge=2 and '
                          'attr.net==wi* and attr.battery=gt=20 and '
                          'id==dev-*'})
    return out


def policy(name, devices, nrollouts=1, plain=True):
    """A policy directory; plain: the rollout has no filter."""
    sha = big_file()[2]
    spec = {
        'map_size': (2 << 30) + devices * 512,
        'tenants': [{'name': 'bench', 'id': 1, 'auth': ['open']}],
        'products': [{
            'tenant': 1, 'id': 1, 'name': 'cam', 'poll': 86400,
            'firmware': [{'version': '1.0.0'}, {'version': '1.1.0'},
                         {'version': '1.2.0'}],
            'artifacts': [
                {'to': '1.2.0', 'sha256': sha, 'size': FILE_SIZE,
                 'name': 'cam-1.2.0.bin'},
                {'from': '1.1.0', 'to': '1.2.0', 'sha256': 'ab' * 32,
                 'size': 1 << 20, 'name': 'cam-1.1.0-1.2.0.delta'}],
            'rollouts': [{'id': 1, 'name': 'all', 'target': '1.2.0'}]
            if plain else rollouts(nrollouts)}],
        'nodes': nodes(), 'zones': ZONES,
        'keys': [{'kind': 'download', 'secret': ROOT}]}
    if devices:
        spec['bulk'] = {'count': devices, 'tenant': 1, 'record': {
            'groups': [3, 17], 'attrs': {'site': 'plant-%08d' % 7,
                                         'owner': 'fleet operations'}}}

    text = json.dumps(spec)

    def make(target):
        subprocess.run([TOOL, 'write', target, '-'], input=text, text=True,
                       check=True)
    return made(name, make, text)
