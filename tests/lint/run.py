# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""run.py [--selftest] [CHECKER...]

Runs every check_*.py of this folder over the tree; FOTA_BUILD names the out
directory for what looks at objects.  --selftest plants each fault that a
checker declares into a small clean tree and fails when it is not found; the programs
of FOTA_LINT_TOOLS, by semicolons, are given a file of C with a fault as well.
"""

import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))

from lint_tree import Tree  # noqa: E402

C_HEAD = ('/*\n * Copyright (C) FOTA Edge\n'
          ' * SPDX-License-Identifier: Apache-2.0\n */\n')

CLEAN = {
    'LICENSE': 'text\n',
    'ngx_fota_module/fota_core/fota_ok.h': C_HEAD + '\n\nint fota_ok(void);\n',
    'ngx_fota_module/fota_core/fota_ok.c': C_HEAD + (
        '\n\n#include "fota_ok.h"\n\n\n'
        'static const char  fota_url[] = "http://x";   /* no // comment */\n'
        '\n\nint\nfota_ok(void)\n{\n    return fota_url[0];\n}\n'
        '\n\nint\nfota_two(int a,\n    int b)\n{\n    return a + b;\n}\n'),
    'tests/unit/test_ok.c': C_HEAD + '\n\n#include "fota_ok.h"\n',
    'admin/server/db.c': C_HEAD + '\n\n#include <mysql.h>\n',
}


def checkers(wanted):
    for path in sorted(HERE.glob('check_*.py')):
        name = path.stem.removeprefix('check_')
        if not wanted or name in wanted:
            yield name, importlib.import_module(path.stem)


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def findings(module, root, fault):
    """What the checker says of a clean tree with one fault planted."""
    root = Path(root)
    write(root, CLEAN)
    if callable(fault):
        fault(root)
    else:
        write(root, fault)
    build = root / 'build'
    return list(module.check(Tree(root, build if build.exists() else None)))


# The fault is one that cppcheck and both compilers know.
SOUND = 'int  fota_ok(int n);\n\nint\nfota_ok(int n)\n{\n    return n;\n}\n'
FAULTY = ('int  fota_bad(void);\n\nint\nfota_bad(void)\n{\n    int  a;\n\n'
          '    return a + 1;\n}\n')


def tools():
    """What the programs miss or blame that other people wrote."""
    for tool in os.environ.get('FOTA_LINT_TOOLS', '').split(';'):
        words = tool.split()
        for text, wrong in ((SOUND, False), (FAULTY, True)):
            if not words:
                continue
            with tempfile.TemporaryDirectory(prefix='fota-lint-') as root:
                path = Path(root) / 'x.c'
                path.write_text(text)
                done = subprocess.run([*words, str(path)],
                                      capture_output=True)
            if (done.returncode != 0) != wrong:
                yield words[0] + (' misses its fault' if wrong
                                  else ' blames a clean file')


def selftest(wanted):
    failed = count = 0
    for name, module in checkers(wanted):
        planted = [{}, *module.faults()]
        if len(planted) == 1:
            print(f'lint: {name} declares no fault')
            failed += 1
        for n, fault in enumerate(planted):
            with tempfile.TemporaryDirectory(prefix='fota-lint-') as root:
                found = findings(module, root, fault)
            if n == 0 and found:
                print(f'lint: {name} blames a clean tree: {found[0]}')
                failed += 1
            elif n > 0 and not found:
                print(f'lint: {name} misses its fault {n}: {fault}')
                failed += 1
            count += n > 0
    for finding in tools():
        print('lint: ' + finding)
        failed += 1
    print(f'lint: {count} planted faults, {failed} failures')
    return failed


def main(argv):
    if '--selftest' in argv:
        return 1 if selftest(set(argv) - {'--selftest'}) else 0

    tree = Tree(TOP, os.environ.get('FOTA_BUILD', TOP / 'build'))
    total = count = 0
    for name, module in checkers(set(argv)):
        count += 1
        for finding in module.check(tree):
            print(f'{finding} [{name}]')
            total += 1
    print(f'lint: {count} checkers, {len(tree.paths)} files, '
          f'{total} findings')
    return 1 if total else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
