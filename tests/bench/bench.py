# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
"""Runs the rows and writes their table.

make bench runs all of them.  One of them, quickly:

    tests/bench/run.sh --rows check --rounds 6

--update-docs replaces the table of docs/performance.md.
"""

import argparse
import datetime
import json
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import bench_data  # noqa: E402
import rig  # noqa: E402
import rows_check  # noqa: E402
import rows_download  # noqa: E402
import rows_offer  # noqa: E402
import rows_report  # noqa: E402
import rows_rules  # noqa: E402
import rows_script  # noqa: E402
import rows_sync  # noqa: E402

ROWS = (rows_check.ROWS + rows_offer.ROWS + rows_download.ROWS
        + rows_script.ROWS + rows_report.ROWS + rows_sync.ROWS
        + rows_rules.ROWS)

BEGIN = '<!-- table of make bench -->\n'
END = '<!-- end of the table -->\n'


def verdict(row):
    if row.get('skipped'):
        return 'not measured'
    if 'ok' in row:
        ok, best = row['ok'], row['best']
    else:
        ok = row['floor'] is None or row['ratio'] >= row['floor']
        best = row['goal'] is not None and row['ratio'] >= row['goal']
    if not ok:
        return '**missed**'
    return 'goal' if best else 'floor' if row['floor'] else '-'


def cell(value):
    if value is None:
        return '-'
    return value if isinstance(value, str) else '%.2f' % value


def table(facts, rows):
    out = ['%s, %d cores, kernel %s, %s; load %s at the start, %s.' % (
        facts['cpu'], facts['cores'], facts['kernel'], facts['nginx'],
        facts['load'], facts['date']), '',
        '| case | baseline in the same nginx | ratio (quartiles) | floor | '
        'goal | reached | us of CPU: ours / baseline | rounds |',
        '|---|---|---|---|---|---|---|---|']
    notes = []
    for row in rows:
        name = row['name']
        if row.get('note'):
            notes.append('%d. %s: %s.' % (len(notes) + 1, name, row['note']))
            name += ' (%d)' % len(notes)
        if 'ratio' in row:
            value = '%.2f [%.2f-%.2f]' % (row['ratio'], row['low'],
                                          row['high'])
            us = '%.2f / %.2f' % (row['us'], row['baseline_us'])
        else:
            value, us = row.get('value', '-'), '-'
        out.append('| ' + ' | '.join([
            name, row.get('baseline', '-'), value, cell(row.get('floor')),
            cell(row.get('goal')), verdict(row), us,
            str(row.get('rounds', '-'))]) + ' |')
    return '\n'.join(out + [''] + notes) + '\n'


def write(facts, rows):
    text = table(facts, rows)
    with open(bench_data.path('result.md'), 'w', encoding='utf-8') as f:
        f.write('# Measured by ' + facts['command'] + '\n\n' + text)
    with open(bench_data.path('result.json'), 'w', encoding='utf-8') as f:
        json.dump({'machine': facts, 'rows': rows}, f, indent=2)
        f.write('\n')
    return text


def update_docs(text):
    path = os.path.join(rig.TOP, 'docs', 'performance.md')
    with open(path, encoding='utf-8') as f:
        old = f.read()
    head, rest = old.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    with open(path, 'w', encoding='utf-8') as f:
        f.write(head + BEGIN + text + END + tail)


def measured(name, measure, opt):
    try:
        yield from measure(opt)
    except Exception as e:          # the other rows are to be measured
        traceback.print_exc()
        yield {'name': name, 'skipped': True, 'note': str(e)[:200],
               'floor': None, 'goal': None}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rows', default='', help='names, comma between: '
                        + ', '.join(name for name, _ in ROWS))
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--seconds', type=int, default=1)
    parser.add_argument('--update-docs', action='store_true')
    opt = parser.parse_args()

    wanted = [w for w in opt.rows.split(',') if w]
    unknown = set(wanted) - {name for name, _ in ROWS}
    if unknown:
        parser.error('no such row: ' + ', '.join(sorted(unknown)))

    facts = rig.machine()
    facts['date'] = datetime.date.today().isoformat()
    facts['command'] = 'make bench'
    facts['rounds'] = opt.rounds
    rows = []
    for name, measure in ROWS:
        if wanted and name not in wanted:
            continue
        start = time.monotonic()
        for row in measured(name, measure, opt):
            row['row'] = name
            row['verdict'] = verdict(row).strip('*')
            print('%-55s %s  %s' % (row['name'], '%.3f [%.3f-%.3f]' % (
                row['ratio'], row['low'], row['high']) if 'ratio' in row
                else row.get('value', '-'), row['verdict']), flush=True)
            rows.append(row)
        print('%-55s %.0f s' % ('(%s)' % name, time.monotonic() - start),
              flush=True)
        text = write(facts, rows)   # a run that is cut keeps what it has

    print('\n' + text)
    if opt.update_docs:
        update_docs(text)


if __name__ == '__main__':
    main()
