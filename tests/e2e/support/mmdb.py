# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Writes small MaxMind DB files (format 2.0) for tests.

From Python:

    write_mmdb("geo.mmdb", {"192.0.2.0/24": maxmind("JP", city="Tokyo")})

and from a shell, with {"ip_version": 6, "records": {CIDR: MAP, ...}} in
spec.json:

    python3 mmdb.py spec.json out.mmdb

Any map of str, int, float, bool, list and dict is taken as it is, so both
layouts and broken ones can be made; a prefix inside another wins.
"""

import ipaddress
import json
import struct
import sys

METADATA = b"\xab\xcd\xefMaxMind.com"

POINTER, STRING, DOUBLE, BYTES, UINT16, UINT32, MAP = range(1, 8)
INT32, UINT64, UINT128, ARRAY = range(8, 12)
BOOL, FLOAT = 14, 15


class Float(float):
    """Stored as a 32-bit float, as flat databases do."""


class UInt16(int):
    pass


class UInt64(int):
    pass


def _control(kind, size):
    extended = b"" if kind < 8 else bytes([kind - 7])
    first = (kind << 5) if kind < 8 else 0

    if size < 29:
        return bytes([first | size]) + extended
    if size < 285:
        return bytes([first | 29]) + extended + bytes([size - 29])
    if size < 65821:
        return (bytes([first | 30]) + extended
                + struct.pack(">H", size - 285))
    return (bytes([first | 31]) + extended
            + struct.pack(">I", size - 65821)[1:])


def _integer(kind, value):
    raw = value.to_bytes(16, "big").lstrip(b"\0")
    return _control(kind, len(raw)) + raw


def encode(value):
    """The bytes of one value, without pointers."""
    if isinstance(value, bool):
        return _control(BOOL, int(value))
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogateescape")
        return _control(STRING, len(raw)) + raw
    if isinstance(value, bytes):
        return _control(BYTES, len(value)) + value
    if isinstance(value, Float):
        return _control(FLOAT, 4) + struct.pack(">f", value)
    if isinstance(value, float):
        return _control(DOUBLE, 8) + struct.pack(">d", value)
    if isinstance(value, UInt16):
        return _integer(UINT16, value)
    if isinstance(value, UInt64):
        return _integer(UINT64, value)
    if isinstance(value, int):
        if value < 0:
            return _control(INT32, 4) + struct.pack(">i", value)
        return _integer(UINT32 if value < 1 << 32 else UINT64, value)
    if isinstance(value, (list, tuple)):
        return _control(ARRAY, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        return _control(MAP, len(value)) + b"".join(
            encode(k) + encode(v) for k, v in value.items())
    raise TypeError("cannot store %r" % type(value))


def _bits(cidr, ip_version):
    net = ipaddress.ip_network(cidr)

    if ip_version == 4:
        if net.version != 4:
            raise ValueError("%s in an IPv4 database" % cidr)
        return int(net.network_address), net.prefixlen, 32

    # IPv4 lives in ::/96 of a combined tree.
    if net.version == 4:
        return int(net.network_address), net.prefixlen + 96, 128
    return int(net.network_address), net.prefixlen, 128


def _tree(records, ip_version):
    """Nodes [left, right]; None = nothing, int = node, (offset,) = data."""
    data = bytearray()
    offsets = {}
    nodes = [[None, None]]
    prefixes = sorted(
        (_bits(cidr, ip_version) + (value,)
         for cidr, value in records.items()), key=lambda p: p[1])

    for address, plen, width, value in prefixes:
        raw = encode(value)

        if raw not in offsets:
            offsets[raw] = len(data)
            data += raw

        leaf = (offsets[raw],)

        if plen == 0:
            nodes[0] = [leaf, leaf]
            continue

        at = 0

        for depth in range(plen - 1):
            bit = address >> (width - 1 - depth) & 1
            child = nodes[at][bit]

            if not isinstance(child, int):
                # What the shorter prefix said holds on both sides.
                nodes.append([child, child])
                child = nodes[at][bit] = len(nodes) - 1

            at = child

        nodes[at][address >> (width - plen) & 1] = leaf

    return nodes, bytes(data)


def write_mmdb(path, records, ip_version=6, build_epoch=1767225600,
               database_type="FOTA-Test", record_size=24):
    """records: {"192.0.2.0/24": {...}}; build_epoch: Unix seconds."""
    nodes, data = _tree(records, ip_version)
    count = len(nodes)
    tree = bytearray()

    for left, right in nodes:
        pair = []

        for record in (left, right):
            if record is None:
                pair.append(count)
            elif isinstance(record, int):
                pair.append(record)
            else:
                pair.append(count + 16 + record[0])

        if max(pair) >= 1 << record_size:
            raise ValueError("too large for record_size %d" % record_size)

        if record_size == 24:
            for record in pair:
                tree += struct.pack(">I", record)[1:]
        elif record_size == 28:
            middle = (pair[0] >> 24) << 4 | pair[1] >> 24
            tree += (struct.pack(">I", pair[0])[1:] + bytes([middle])
                     + struct.pack(">I", pair[1])[1:])
        else:
            tree += struct.pack(">II", *pair)

    metadata = encode({
        "binary_format_major_version": UInt16(2),
        "binary_format_minor_version": UInt16(0),
        "build_epoch": UInt64(build_epoch),
        "database_type": database_type,
        "description": {"en": "FOTA Edge test data"},
        "ip_version": UInt16(ip_version),
        "languages": ["en"],
        "node_count": count,
        "record_size": UInt16(record_size),
    })

    with open(path, "wb") as f:
        f.write(bytes(tree) + bytes(16) + data + METADATA + metadata)


def maxmind(country, region_code="", region="", region_id=0, city="",
            city_id=0, lat=None, lon=None, tz="", continent="", postal="",
            asn=0):
    """A record of the nested layout; what is not given is left out."""
    record = {}

    if city or city_id:
        record["city"] = {}
        if city_id:
            record["city"]["geoname_id"] = city_id
        if city:
            record["city"]["names"] = {"de": city + " (de)", "en": city}
    if continent:
        record["continent"] = {"code": continent, "geoname_id": 1}
    if country:
        record["country"] = {"geoname_id": 2, "iso_code": country,
                             "names": {"en": country}}
    if lat is not None:
        record["location"] = {"accuracy_radius": UInt16(10),
                              "latitude": float(lat),
                              "longitude": float(lon)}
    if tz:
        record.setdefault("location", {})["time_zone"] = tz
    if postal:
        record["postal"] = {"code": postal}
    if region or region_code or region_id:
        division = {}
        if region_id:
            division["geoname_id"] = region_id
        if region_code:
            division["iso_code"] = region_code
        if region:
            division["names"] = {"en": region}
        record["subdivisions"] = [division]
    if asn:
        record["autonomous_system_number"] = asn

    return record


def flat(country, region="", city="", lat=None, lon=None, tz="",
         postcode=""):
    """A record of the flat layout, with empty strings as it has them."""
    record = {"city": city, "country_code": country}

    if lat is not None:
        record["latitude"] = Float(lat)
        record["longitude"] = Float(lon)

    record.update(postcode=postcode, state1=region, state2="", timezone=tz)

    return record


def main(argv):
    if len(argv) != 3:
        sys.stderr.write("usage: mmdb.py spec.json out.mmdb\n")
        return 2

    with open(argv[1], encoding="utf-8") as f:
        spec = json.load(f)

    write_mmdb(argv[2], spec.pop("records"), **spec)

    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
