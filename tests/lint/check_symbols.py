# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Exported names: nginx loads modules into one namespace."""

import re
import subprocess

# What nginx itself looks up in a module.
NGINX = {'ngx_modules', 'ngx_module_names', 'ngx_module_order'}

GOOD = re.compile(r'(ngx_http_)?fota_\w+')


def symbols(path, *options):
    out = subprocess.run(['nm', '-P', '-A', *options, path],
                         check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        where, rest = line.rsplit(': ', 1)
        name, kind = rest.split()[:2]
        if kind.isupper():
            yield where, name.split('@')[0], kind == 'U'


def check(tree):
    if tree.build is None:
        return

    core = tree.build / 'libfotacore.a'
    module = tree.build / 'module' / 'ngx_http_fota_module.so'

    if not core.exists():
        yield f'{core.name} is not built'
    else:
        for where, name, undefined in symbols(core, '-g'):
            # Sanitizers and gcov have names of their own.
            if not undefined and not GOOD.fullmatch(name) \
                    and not name.startswith('__'):
                yield f'{where}: {name} has no fota_ prefix'

    if not module.exists():
        if tree.files('.c', under='ngx_fota_module/ngx_http_fota/'):
            yield f'{module.name} is not built'
    else:
        for where, name, undefined in symbols(module, '-D'):
            if undefined:
                if GOOD.fullmatch(name):
                    yield f'{module.name}: {name} is not defined'
            elif not GOOD.fullmatch(name) and name not in NGINX:
                yield f'{module.name}: {name} has no fota_ prefix'


def compile_fault(root, source, shared):
    build = root / 'build'
    (build / 'module').mkdir(parents=True, exist_ok=True)
    (root / 'x.c').write_text(source)
    (root / 'good.c').write_text('int  fota_good;\n')
    run = lambda *a: subprocess.run(a, cwd=root, check=True)
    run('gcc', '-c', '-fPIC', '-fno-common', 'x.c', 'good.c')
    run('ar', 'rcs', 'build/libfotacore.a', 'good.o',
        *([] if shared else ['x.o']))
    run('gcc', '-shared', '-o', 'build/module/ngx_http_fota_module.so',
        'good.o', *(['x.o'] if shared else []))


def faults():
    yield lambda root: compile_fault(root, 'int  stray;\n', False)
    yield lambda root: compile_fault(root, 'void stray(void) { }\n', True)
    yield lambda root: compile_fault(
        root, 'int  fota_gone(void);\n'
        'int  fota_x(void) { return fota_gone(); }\n', True)
    yield lambda root: compile_fault(root, 'int  ngx_http_stray;\n', True)
