# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""SQL stays in the centre's server, MySQL calls in its one file."""

import re

from lint_tree import code_only, literals

SERVER = 'admin/server/'
DB = SERVER + 'db.c'

SQL = re.compile(r'"\s*(?:SELECT\s.*\bFROM|INSERT\s+(?:IGNORE\s+)?INTO|'
                 r'UPDATE\s+\w+\s+SET|DELETE\s+FROM|REPLACE\s+INTO|'
                 r'(?:CREATE|ALTER|DROP)\s+TABLE)\b')


def check(tree):
    for part in ('ngx_fota_module/', 'admin/'):
        for path in tree.files('.c', '.h', under=part):
            text = tree.text(path)
            if not path.startswith(SERVER):
                for n, literal in literals(text):
                    if SQL.match(literal):
                        yield f'{path}:{n}: SQL outside of {SERVER}'
            if path != DB:
                for n, line in enumerate(code_only(text).split('\n'), 1):
                    if re.search(r'\bmysql_\w+\s*\(', line):
                        yield f'{path}:{n}: MySQL call outside of {DB}'


def faults():
    yield {'ngx_fota_module/fota_agent/x.c':
           'char  *q = "SELECT id FROM device";\n'}
    yield {'admin/cli/x.c': 'char  *q = "DELETE FROM device";\n'}
    yield {SERVER + 'x.c': 'int\nf(void)\n{\n    mysql_query(c, q);\n}\n'}
