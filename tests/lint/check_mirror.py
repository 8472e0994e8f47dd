# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Each file of core has its unit test.

fota_filter_parse.c is tested in test_filter_parse.c, or in test_filter.c as
a part of what that covers.
"""

from pathlib import Path

CORE = 'ngx_fota_module/fota_core/'


def check(tree):
    for path in tree.files('.c', under=CORE):
        words = Path(path).stem.removeprefix('fota_').split('_')
        tests = ['tests/unit/test_' + '_'.join(words[:n]) + '.c'
                 for n in range(len(words), 0, -1)]
        if not set(tests) & set(tree.paths):
            yield f'{path}: {tests[0]} is missing'


def faults():
    yield {CORE + 'fota_x.c': 'int  fota_x;\n'}
    yield {CORE + 'fota_x_y.c': '', 'tests/unit/test_x_z.c': ''}
    yield {CORE + 'fota_x.c': '', 'tests/unit/test_fota_x.c': ''}
