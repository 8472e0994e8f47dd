# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Words and paths that have no place in the repository."""

import re

# Put together so that this file does not hold them itself.
WORDS = [
    ('path of one machine', r'(?<![\w.~-])/(?:work|root|home)/\w'),
    ('unfinished work', r'\b(?:TO' + r'DO|FIX' + r'ME|X' + r'XX)\b'),
    ('registry host', r'\b(?:registry\.npmjs|files\.pythonhosted|pypi|'
     r'proxy\.golang|static\.crates|index\.docker|deb\.debian)'
     r'\.(?:org|io)\b'),
    ('private key', r'-----BEGIN (?:\w+ )?PRIVATE' + r' KEY-----'),
]

SKIPPED = ('LICENSE', 'tests/lint/check_words.py', 'tests/fuzz/corpus/')


def check(tree):
    patterns = [(what, re.compile(p)) for what, p in WORDS]

    for path in tree.paths:
        if path.startswith(SKIPPED) or path.endswith('package-lock.json'):
            continue
        for n, line in enumerate(tree.lines(path), 1):
            for what, pattern in patterns:
                if pattern.search(line):
                    yield f'{path}:{n}: {what}'


def faults():
    yield {'docs/x.md': 'see /' + 'root/x\n'}
    yield {'conf/x.conf': 'root /' + 'work/main;\n'}
    yield {'lua/x.lua': '-- TO' + 'DO\n'}
    yield {'conf/x.sh': 'curl https://pypi.' + 'org/simple\n'}
    yield {'conf/x.pem': '-----BEGIN EC PRIVATE' + ' KEY-----\n'}
