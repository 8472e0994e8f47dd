# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Base names are unique: a name in a log or a back trace is one file."""

from pathlib import Path

SUFFIXES = ('.c', '.h', '.py', '.sh', '.lua', '.sql', '.js')

# Names that their tools prescribe.
PRESCRIBED = {'conftest.py', '__init__.py', 'run.sh', 'run.py'}


def check(tree):
    seen = {}
    folders = {}

    for path in tree.files(*SUFFIXES):
        name = Path(path).name
        if name in PRESCRIBED:
            continue
        first = seen.setdefault(name, path)
        if first != path:
            yield f'{path}: the name is taken by {first}'

    for folder in sorted({Path(p).parent for p in tree.files('.c')}):
        first = folders.setdefault(folder.name, folder)
        if first != folder:
            yield f'{folder}: the name is taken by {first}'

    for path in tree.files('.c', '.h', under='ngx_fota_module/fota_core/'):
        if not Path(path).name.startswith('fota_'):
            yield f'{path}: names in core start with fota_'


def faults():
    yield {'admin/server/queue.c': '', 'admin/cli/queue.c': ''}
    yield {'admin/a/x.c': '', 'ngx_fota_module/a/y.c': ''}
    yield {'ngx_fota_module/fota_core/util.c': ''}
