# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Two lines at the head of each source."""

from pathlib import Path

SUFFIXES = ('.c', '.h', '.py', '.sh', '.js', '.css')
NAMES = ('Makefile', 'config', '.ci/run')
OWNER = 'Copyright (C) FOTA Edge'
LICENCE = 'SPDX-License-Identifier: Apache-2.0'


def check(tree):
    for path in tree.paths:
        if Path(path).suffix not in SUFFIXES and path not in NAMES:
            continue
        head = tree.lines(path)[:6]
        found = [n for n, line in enumerate(head) if line.endswith(OWNER)]
        if not found or not head[found[0] + 1:] \
                or not head[found[0] + 1].endswith(LICENCE):
            yield f'{path}:1: the licence is missing'

    if 'LICENSE' not in tree.paths:
        yield 'LICENSE is missing'


def faults():
    yield {'tests/x.py': 'import os\n'}
    yield {'conf/x.sh': f'#!/bin/sh\n# {OWNER}\n#\n# {LICENCE}\n'}
    yield {'ngx_fota_module/fota_core/fota_x.c': f'/*\n * {OWNER}\n */\n'}
