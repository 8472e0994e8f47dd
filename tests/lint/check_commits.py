# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Subjects of the last commits: short, and the area first."""

import os
import re
import subprocess

COUNT = 50
SUBJECT_MAX = 72
SUBJECT = re.compile(r'[a-z][a-z0-9_/-]*(, [a-z][a-z0-9_/-]*)*: \S.*[^.\s]')


def check(tree):
    if not (tree.root / '.git').exists():
        return

    out = subprocess.run(
        ['git', 'log', '--no-merges', f'-n{COUNT}', '--format=%h%x00%s'],
        cwd=tree.root, check=True, capture_output=True, text=True).stdout

    for line in out.splitlines():
        commit, subject = line.split('\0', 1)
        if len(subject) > SUBJECT_MAX:
            yield f'commit {commit}: {len(subject)} characters of subject'
        if not SUBJECT.fullmatch(subject):
            yield f'commit {commit}: the subject is not "area: what changed"'


def commit_fault(root, subject):
    env = {'PATH': os.environ['PATH'], 'HOME': str(root)}
    for who in ('AUTHOR', 'COMMITTER'):
        env[f'GIT_{who}_NAME'] = env[f'GIT_{who}_EMAIL'] = 'lint'
    for command in (['init', '-q'],
                    ['commit', '-q', '--allow-empty', '-m', subject]):
        subprocess.run(['git', *command], cwd=root, env=env, check=True)


def faults():
    yield lambda root: commit_fault(root, 'Fix things')
    yield lambda root: commit_fault(root, 'core: fix things.')
    yield lambda root: commit_fault(root, 'core: ' + 'x' * 70)
