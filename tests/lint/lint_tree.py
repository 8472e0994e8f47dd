# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The files a checker looks at, and what several checkers need."""

import re
import subprocess
from pathlib import Path

SKIPPED = {'.git', 'build', '.run', 'node_modules', '__pycache__'}

STRING = r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\''
COMMENT = r'/\*.*?\*/'


class Tree:

    def __init__(self, root, build=None):
        self.root = Path(root).resolve()
        self.build = Path(build).resolve() if build else None
        self.paths = sorted(self._list())

    def _list(self):
        if (self.root / '.git').exists():
            out = subprocess.run(
                ['git', 'ls-files', '-z', '--cached', '--others',
                 '--exclude-standard'],
                cwd=self.root, check=True, capture_output=True).stdout
            names = [n for n in out.decode().split('\0') if n]
        else:
            names = [str(p.relative_to(self.root))
                     for p in self.root.rglob('*')]
        for name in names:
            path = self.root / name
            if path.is_file() and not SKIPPED & set(Path(name).parts):
                yield name

    def files(self, *suffixes, under=''):
        return [p for p in self.paths
                if p.startswith(under)
                and (not suffixes or Path(p).suffix in suffixes)]

    def bytes(self, path):
        return (self.root / path).read_bytes()

    def text(self, path):
        return self.bytes(path).decode('utf-8', 'replace')

    def lines(self, path):
        return self.text(path).split('\n')


def blank(match):
    """Keeps the line numbers of what it takes away."""
    return re.sub(r'[^\n]', ' ', match.group())


def code_only(text):
    """C without the inside of comments and literals."""
    def cut(match):
        return blank(match) if match.group()[0] == '/' else '""'
    return re.sub(f'{COMMENT}|{STRING}', cut, text, flags=re.S)


def literals(text):
    """(line, literal) of every C string, comments left out."""
    text = re.sub(f'({STRING})|{COMMENT}',
                  lambda m: m.group() if m.group(1) else blank(m),
                  text, flags=re.S)
    for match in re.finditer(STRING, text):
        yield text.count('\n', 0, match.start()) + 1, match.group()
