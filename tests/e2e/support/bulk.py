# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""A centre without edges and very many devices."""

import contextlib
import os
import shutil
import tempfile
import types

from .centre import Centre
from .rules import query
from .stack import Fleet, image

MILLION = 1000000

# Six tenths run 1.0.0, three 1.1.0, one 1.2.0; a quarter is nowhere; one in
# a thousand is blocked.
LOAD = """
SET unique_checks = 0;
INSERT INTO device (tenant_id, product_id, ext_id, version, country, city,
    blocked, pin, created)
SELECT {tenant}, {product}, CONCAT('m-', seq),
    IF(seq % 10 < 6, '1.0.0', IF(seq % 10 < 9, '1.1.0', '1.2.0')),
    ELT(1 + seq % 4, 'JP', 'DE', 'US', NULL),
    ELT(1 + seq % 4, 'Tokyo', 'Berlin', 'New York', NULL),
    seq % 1000 = 7, NULL, 0
FROM seq_1_to_{n};
"""


@contextlib.contextmanager
def alone(name):
    """A fleet at a centre of its own."""
    directory = tempfile.mkdtemp(prefix="fota-%s-" % name, dir="/tmp")
    try:
        with Centre(os.path.join(directory, "c"), nginx=False) as centre:
            yield Fleet(types.SimpleNamespace(centre=centre), name)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def firmware(fleet):
    """1.0.0, 1.1.0 and 1.2.0 of 10 000 bytes; a delta of 1 000 to 1.2.0."""
    for i, v in enumerate(("1.0.0", "1.1.0", "1.2.0")):
        fleet.firmware(v, image(10000, i))
    fleet.artifact("1.2.0", image(1000, 9), source="1.1.0", fmt="xdelta3")


def devices(fleet, n=MILLION):
    """Rows m-1 to m-n, behind the back of the API."""
    product = fleet.api("GET", "/products/" + fleet.product)
    fleet.centre.sql(LOAD.format(tenant=fleet.id, product=product["id"],
                                 n=n))


def stream(lines, piece=4000):
    """A body that is made while it is sent."""
    part = []
    for line in lines:
        part.append(line)
        if len(part) == piece:
            yield ("\n".join(part) + "\n").encode()
            part = []
    yield ("\n".join(part) + "\n").encode()


def put_members(fleet, group, lines, **params):
    """The report of an import."""
    answer = fleet.centre.request(
        "PUT", "/api/v1/groups/%s/members?%s" % (group, query(**params)),
        body=stream(lines), headers={"Content-Type": "text/csv"},
        tenant=fleet.tenant, timeout=600)
    assert answer.status == 200, answer.body
    return answer.json
