# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""C functions that do not know how much room there is."""

import re

from lint_tree import code_only

CALL = re.compile(r'(?<![\w.>])(strcpy|strcat|stpcpy|sprintf|vsprintf|gets|'
                  r'strtok|alloca|atoi|atol|atoll|system|popen|tmpnam|'
                  r'mktemp|rand)\s*\(')


def check(tree):
    for part in ('ngx_fota_module/', 'admin/'):
        for path in tree.files('.c', '.h', under=part):
            code = code_only(tree.text(path))
            for n, line in enumerate(code.split('\n'), 1):
                match = CALL.search(line)
                if match:
                    yield f'{path}:{n}: {match.group(1)}()'


def faults():
    yield {'admin/cli/x.c': 'int\nf(void)\n{\n    strcpy(a, b);\n}\n'}
    yield {'admin/server/x.c': 'int\nf(void)\n{\n    n = atoi(s);\n}\n'}
