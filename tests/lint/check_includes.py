# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Who may include whom, and where foreign libraries are kept."""

import re
from pathlib import Path

from lint_tree import code_only

CORE = 'ngx_fota_module/fota_core/'
GLUE = 'ngx_fota_module/ngx_http_fota/'
AGENT = 'ngx_fota_module/fota_agent/'
SERVER = 'admin/server/'
CLI = 'admin/cli/'
PARTS = (CORE, GLUE, AGENT, SERVER, CLI)

# Foreign header -> the only files that include it.
OWNED = {
    r'lmdb\.h': {CORE + 'fota_store_lmdb.h'},
    r'maxminddb.*': {CORE + 'fota_geo.c'},
    r'openssl/.*': {CORE + 'fota_crypto.c'},
    r'(lua|luajit|lualib|lauxlib)\.h':
        {CORE + 'fota_script_lua.h'},
    r'(mysql|mariadb)(/.*|\.h)': {SERVER + 'db.c'},
    r'microhttpd\.h': {SERVER + 'http.c'},
}

# Foreign header -> parts of which each has one file that includes it.
ONE_PER_PART = {
    r'curl/.*': (AGENT, SERVER, CLI),
    r'sodium\.h': (AGENT, SERVER, CLI),
}

ALLOWED_IN = {r'jansson\.h': (AGENT, SERVER, CLI), r'ngx_.*': (GLUE,)}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def part_of(path):
    return next((p for p in PARTS if path.startswith(p)), None)


def check(tree):
    own = {Path(p).name: part_of(p) for p in tree.files('.h') if part_of(p)}
    users = {}

    for path in tree.files('.c', '.h'):
        part = part_of(path)
        for n, line in enumerate(tree.lines(path), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            header = match.group(1)
            where = f'{path}:{n}:'

            target = own.get(Path(header).name)
            if part and target and target not in (part, CORE):
                yield f'{where} {part} must not include {header} of {target}'
            if header.startswith('ngx_') and part != GLUE:
                yield f'{where} {header} belongs into {GLUE} only'
            if header == 'fota_script_lua.h' \
                    and not path.startswith(CORE + 'fota_script'):
                yield f'{where} {header} is for the files of fota_script'
            if header == 'fota_store_lmdb.h' \
                    and not path.startswith(CORE + 'fota_store'):
                yield f'{where} {header} is for the files of fota_store'
            if part is None:
                continue

            for pattern, owners in OWNED.items():
                if re.fullmatch(pattern, header) and path not in owners:
                    yield f'{where} {header} belongs into {sorted(owners)[0]}'
            for pattern, parts in ALLOWED_IN.items():
                if re.fullmatch(pattern, header) and part not in parts:
                    yield f'{where} {header} is not for {part}'
            for pattern, parts in ONE_PER_PART.items():
                if not re.fullmatch(pattern, header):
                    continue
                if part not in parts:
                    yield f'{where} {header} is not for {part}'
                first = users.setdefault((pattern, part), path)
                if first != path:
                    yield f'{where} {header} is kept in {first}'

        if part == CORE:
            code = code_only(tree.text(path))
            for n, line in enumerate(code.split('\n'), 1):
                if re.search(r'\b(ngx_\w+)\s*\(|\bngx_\w+_t\b', line):
                    yield f'{path}:{n}: core knows nothing of nginx'


def faults():
    yield {CORE + 'fota_x.c': '#include <lmdb.h>\n'}
    yield {GLUE + 'ngx_http_fota_x.c': '#include <openssl/evp.h>\n'}
    yield {CORE + 'fota_x.c': '#include <ngx_core.h>\n'}
    yield {CORE + 'fota_x.c': 'ngx_str_t  s;\n'}
    yield {CORE + 'fota_script.c': '#include <lua.h>\n'}
    yield {CORE + 'fota_x.c': '#include "fota_script_lua.h"\n'}
    yield {CORE + 'fota_x.c': '#include "fota_store_lmdb.h"\n'}
    yield {CORE + 'fota_x.c': '#include <jansson.h>\n'}
    yield {GLUE + 'ngx_http_fota_x.c': '#include <curl/curl.h>\n'}
    yield {SERVER + 'users.c': '#include <mysql.h>\n'}
    yield {SERVER + 'a1.c': '#include <curl/curl.h>\n',
           SERVER + 'a2.c': '#include <curl/curl.h>\n'}
    yield {CORE + 'fota_x.c': '#include "agent.h"\n', AGENT + 'agent.h': ''}
    yield {CLI + 'x.c': '#include "../server/db.h"\n', SERVER + 'db.h': ''}
    yield {AGENT + 'x.c': '#include "ngx_http_fota.h"\n',
           GLUE + 'ngx_http_fota.h': ''}
