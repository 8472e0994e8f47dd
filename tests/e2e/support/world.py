# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The system on which rules are tested: places, addresses, an operator."""

import os

from . import random_policy
from .docs import Policy
from .mmdb import maxmind, write_mmdb
from .rules import REALIP, query

# A download of this class is slow enough to be cut.
SLOW_CLASS = 9
SLOW_RATE = 20000


def places(path, more=None):
    """The addresses of docs/policy.md; random ones are the same nets."""
    records = random_policy.database()
    for a in Policy().addresses:
        records[a["address"] + "/32"] = maxmind(
            a["country"], region=a["region"], region_code=a["code"],
            city=a["city"], city_id=int(a["GeoNames id"]), tz=a["zone"],
            lat=10.0, lon=20.0)
    records["127.0.0.0/8"] = maxmind("JP", city="Tokyo", tz="Asia/Tokyo",
                                     lat=35.69, lon=139.69)
    records.update(more or {})
    write_mmdb(path, records)
    return path


def world(directory):
    """Arguments of Stack."""
    geo = places(os.path.join(directory, "places.mmdb"))
    return {"edges": 2, "geo": geo, "centre_conf": {"geo_db": geo},
            "http": REALIP + "    fota_rate_class %d %d;" % (SLOW_CLASS,
                                                            SLOW_RATE)}


def operator(stack):
    """A key for explain on the edges, made once."""
    if not hasattr(stack, "operator"):
        stack.operator = stack.centre.api("POST", "/operator-keys")["token"]
        stack.ready()
    return stack.operator


def explain(stack, fleet, edge=None, product=None, **said):
    """What an edge says; members as in a query, "attr.hw" too."""
    edge = edge or stack.edges[0]
    answer = edge.request("GET", "/fota/v1/explain?" + query(
        tenant=fleet.tenant, product=product or fleet.product, **said),
        headers={"Authorization": "Bearer " + operator(stack)})
    assert answer.status == 200, answer.body
    return answer.json
