# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Layout: columns, blanks, comments, length, space between functions."""

import re
from pathlib import Path

from lint_tree import code_only

C = ('.c', '.h')
TEXT = C + ('.py', '.sh', '.lua', '.sql', '.js', '.css', '.html', '.yaml',
            '.yml', '.conf', '.service', '.timer', '.socket')
LENGTH_MAX = 800


def check(tree):
    for path in tree.files(*TEXT):
        text = tree.text(path)
        lines = text.split('\n')

        if text and not text.endswith('\n'):
            yield f'{path}:{len(lines)}: no newline at the end'
        if text.endswith('\n\n'):
            yield f'{path}:{len(lines) - 1}: blank line at the end'
        if len(lines) - 1 > LENGTH_MAX and Path(path).suffix != '.yaml':
            yield f'{path}: {len(lines) - 1} lines, at most {LENGTH_MAX}'

        for n, line in enumerate(lines, 1):
            if '\t' in line:
                yield f'{path}:{n}: tab'
            if line != line.rstrip():
                yield f'{path}:{n}: blanks at the end of the line'
            if Path(path).suffix in C and len(line) > 80:
                yield f'{path}:{n}: {len(line)} columns'

        if Path(path).suffix in C:
            yield from check_c(path, text)


def check_c(path, text):
    lines = code_only(text).split('\n')

    for n, line in enumerate(lines, 1):
        if '//' in line:
            yield f'{path}:{n}: // comment'

    raw = text.split('\n')

    for n, line in enumerate(raw):
        if line == '{':
            yield from check_head(path, raw, n)
        if line == '}':
            yield from check_gap(path, raw, n)


def check_head(path, lines, n):
    n -= 1
    while n > 0 and lines[n].startswith(' '):
        n -= 1
    if not re.match(r'\w+\(', lines[n]) and not lines[n].startswith('#'):
        yield f'{path}:{n + 1}: return type and name on one line'


def check_gap(path, lines, n):
    k = n + 1
    while k < len(lines) and lines[k] == '':
        k += 1
    if k == len(lines) or lines[k].startswith('#'):
        return
    if k - n - 1 != 2:
        yield f'{path}:{k + 1}: {k - n - 1} blank lines after a function, not 2'


def faults():
    name = 'ngx_fota_module/fota_core/fota_x.c'
    yield {name: 'int  a;' + ' ' * 80 + '/* */\n'}
    yield {name: '\tint  a;\n'}
    yield {name: 'int  a; \n'}
    yield {name: 'int  a;  // why\n'}
    yield {name: 'int  a;'}
    yield {name: 'int  a;\n\n'}
    yield {name: '\n' * 800 + 'int  a;\n'}
    yield {name: 'int\nf(void)\n{\n}\n\nint\ng(void)\n{\n}\n'}
    yield {name: 'int f(void)\n{\n}\n'}
    yield {'lua/x.lua': 'local x = 1 \n'}
