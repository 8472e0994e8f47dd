# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""Rows: what an operator waits for with a million devices."""

import os
import statistics
import sys
import time

from rig import TOP

sys.path.insert(0, os.path.join(TOP, 'tests', 'e2e'))

from support import bulk  # noqa: E402

PLAN_S = 10.0
IMPORT_S = 60.0

FILTER = ('id==m-* and (city=in=(Tokyo,Berlin) or asn==64500)'
          ' and version=lt=1.2.0 and attr.locked=is=null')


def seconds(name, took, limit, note=None):
    """A row whose value is a time with a limit."""
    row = {'name': name, 'value': '%.1f s' % statistics.median(took),
           'floor': '%g s' % limit, 'goal': '%g s' % (limit / 2),
           'ok': statistics.median(took) < limit,
           'best': statistics.median(took) < limit / 2,
           'rounds': len(took)}
    if note:
        row['note'] = note
    return row


def plan(opt):
    rows = []
    with bulk.alone('plan') as fleet:
        bulk.firmware(fleet)
        bulk.devices(fleet)
        for name, text in (('without a filter', ''),
                           ('with a filter of 5 terms', FILTER)):
            made = fleet.api('POST', '/rollouts', {
                'product': fleet.product, 'name': name, 'target': '1.2.0',
                'filter': text})
            took = []
            for _ in range(5):
                start = time.monotonic()
                fleet.api('POST', '/rollouts/%d/plan' % made['id'],
                          timeout=300)
                took.append(time.monotonic() - start)
            rows.append(seconds('plan over 1 M devices, ' + name, took,
                                PLAN_S))
    return rows


def members(opt):
    with bulk.alone('import') as fleet:
        fleet.api('POST', '/groups', {'name': 'big'})
        took = []
        for create in (1, 0):
            start = time.monotonic()
            told = bulk.put_members(
                fleet, 'big', ('unit-%07d' % i for i in range(bulk.MILLION)),
                create=create, product=fleet.product)
            took.append(time.monotonic() - start)
            assert told['added'] + told['existing'] == bulk.MILLION, told
    return [seconds('import of 1 M ids that are new', took[:1], IMPORT_S),
            seconds('import of the same 1 M ids', took[1:], IMPORT_S)]


ROWS = [('plan', plan), ('import', members)]
