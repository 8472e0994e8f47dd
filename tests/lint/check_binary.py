# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""No generated files, images or databases: they are made by the build."""

from pathlib import Path

SUFFIXES = {'.o', '.a', '.so', '.d', '.mdb', '.mmdb', '.img', '.squashfs',
            '.ext4', '.gz', '.xz', '.zst', '.zip', '.tar', '.png', '.jpg',
            '.pyc', '.sqlite', '.db', '.frm', '.ibd', '.pem', '.key', '.crt'}

CORPUS = 'tests/fuzz/corpus/'


def check(tree):
    for path in tree.paths:
        if path.startswith(CORPUS):
            continue
        if Path(path).suffix in SUFFIXES:
            yield f'{path}: generated file'
        elif b'\0' in tree.bytes(path):
            yield f'{path}: binary file'


def faults():
    yield {'docs/x.dat': 'a\0b'}
    yield {'conf/server.key': 'x\n'}
    yield {'admin/ui/logo.png': 'x\n'}
