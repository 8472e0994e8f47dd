# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The centre's side of docs/sync.md, read and written without core's code.

Chains, batches, snapshots and spool records are taken apart by struct and
hashlib alone, so that a mistake shared by encoder and decoder shows.
"""

import base64
import hashlib
import itertools
import json
import os
import struct
import subprocess
import tempfile
import time

TABLES = ["meta", "tenant", "product", "device", "node", "key", "deny",
          "geoprefix", "zone", "artifact"]

_CRC = []
for _i in range(256):
    for _ in range(8):
        _i = (_i >> 1) ^ (0x82F63B78 if _i & 1 else 0)
    _CRC.append(_i)


def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc = _CRC[(crc ^ b) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


# The chain

def chain_start(epoch):
    return hashlib.sha256(b"fota-chain/1" + struct.pack("<Q", epoch)).digest()


def chain_next(chain, seq, op, table, key, value):
    return hashlib.sha256(
        chain + struct.pack("<QBBHI", seq, op, table, len(key), len(value))
        + key + value).digest()


def blob(text):
    """Bytes of a column that was selected with HEX()."""
    return bytes.fromhex(text or "")


def check_log(centre):
    """Gapless numbers, every link, and the state as the sum of the log."""
    epoch, seq, floor, chain = centre.sql(
        "SELECT epoch, seq, floor, HEX(chain) FROM feed")[0]
    epoch, seq, floor = int(epoch), int(seq), int(floor)
    assert floor == 0
    rows = centre.sql("SELECT seq, op, tbl, HEX(key_bytes),"
                      " HEX(value_bytes), HEX(chain) FROM change_log"
                      " ORDER BY seq")
    assert [int(r[0]) for r in rows] == list(range(1, seq + 1))
    link = chain_start(epoch)
    state = {}
    for n, op, table, key, value, told in rows:
        op, table, key, value = int(op), int(table), blob(key), blob(value)
        link = chain_next(link, int(n), op, table, key, value)
        assert link == blob(told), "link %s" % n
        if op == 1:
            # Nothing is published twice.
            assert state.get((table, key)) != value, (n, table, key)
            state[table, key] = value
        else:
            assert op == 2 and value == b"" and (table, key) in state
            del state[table, key]
    assert link == blob(chain)
    held = {(int(t), blob(k)): blob(v) for t, k, v in centre.sql(
        "SELECT tbl, HEX(key_bytes), HEX(value_bytes) FROM policy_state")}
    assert held == state
    return seq, state


# Batches and snapshots

def verify(key_lines, kid, message, signature):
    """Ed25519 by the openssl command; key_lines as Centre.sync_key()."""
    keys = dict(line.split() for line in key_lines.splitlines())
    pub = base64.b64decode(keys[str(kid)])
    der = bytes.fromhex("302a300506032b6570032100") + pub
    with tempfile.TemporaryDirectory(dir="/tmp") as d:
        for name, data in (("pub", der), ("msg", message),
                           ("sig", signature)):
            with open(os.path.join(d, name), "wb") as f:
                f.write(data)
        subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform",
                        "DER", "-inkey", d + "/pub", "-rawin", "-in",
                        d + "/msg", "-sigfile", d + "/sig"], check=True,
                       stdout=subprocess.DEVNULL)


def batches(data, keys=None):
    """[(epoch, prev, last, chain, [(seq, op, table, key, value)])]"""
    out = []
    while data:
        magic, size, crc = struct.unpack("<4sII", data[:12])
        assert magic == b"FSB1"
        body, sig = data[12:12 + size], data[12 + size:12 + size + 64]
        data = data[12 + size + 64:]
        assert crc32c(body) == crc and len(sig) == 64
        epoch, prev, last, ts, kid, nops, chain = struct.unpack(
            "<QQQQHI32s", body[:70])
        if keys:
            verify(keys, kid, b"fota-sync/1\0" + struct.pack(
                "<QQQQ", epoch, prev, last, ts) + chain, sig)
        ops, at = [], 70
        for n in range(nops):
            op, table, klen, vlen = struct.unpack("<BBHI", body[at:at + 8])
            at += 8
            ops.append((prev + 1 + n, op, table, body[at:at + klen],
                        body[at + klen:at + klen + vlen]))
            at += klen + vlen
        assert at == len(body) and last == prev + nops
        out.append((epoch, prev, last, chain, ops))
    return out


def manifest(data, keys=None):
    magic, size, crc = struct.unpack("<4sII", data[:12])
    body = data[12:12 + size]
    assert magic == b"FSM1" and crc32c(body) == crc
    assert len(data) == 12 + size + 64
    snap, epoch, seq, ts, kid, chain = struct.unpack("<16sQQQH32s",
                                                     body[:74])
    if keys:
        verify(keys, kid, b"fota-snap/1\0" + body, data[-64:])
    at = 74
    counts = struct.unpack("<10Q", body[at:at + 80])
    at += 80
    n, = struct.unpack("<I", body[at:at + 4])
    at += 4
    chunks = []
    for _ in range(n):
        chunks.append((body[at:at + 32],
                       struct.unpack("<I", body[at + 32:at + 36])[0]))
        at += 36
    assert at == len(body)
    return {"id": snap.hex(), "epoch": epoch, "seq": seq, "chain": chain,
            "counts": dict(zip(TABLES, counts)), "chunks": chunks}


def chunk(data, index):
    magic, n, entries = struct.unpack("<4sII", data[:12])
    assert magic == b"FSC1" and n == index
    out, at = [], 12
    for _ in range(entries):
        table, klen, vlen = struct.unpack("<BHI", data[at:at + 7])
        at += 7
        out.append(((table, data[at:at + klen]),
                    data[at + klen:at + klen + vlen]))
        at += klen + vlen
    assert at == len(data)
    return out


# An edge's agent, as the centre sees it

class Agent:
    """Speaks as a node that was made in the centre."""

    serial = itertools.count(1)

    def __init__(self, centre, name):
        self.centre = centre
        self.name = name
        self.epoch = None
        self.seq = 0
        self.chain = None

    def request(self, method, path, **more):
        return self.centre.request(method, path, token="", unix=True,
                                   node=self.name, **more)

    def snapshot(self, keys=None):
        deadline = time.monotonic() + 20
        a = self.request("GET", "/sync/v1/snapshot")
        while a.status == 503 and time.monotonic() < deadline:
            time.sleep(0.1)
            a = self.request("GET", "/sync/v1/snapshot")
        assert a.status == 200, a.body
        m = manifest(a.body, keys)
        state = {}
        for i, (digest, size) in enumerate(m["chunks"]):
            c = self.request("GET", "/sync/v1/snapshot/%s/%d" % (m["id"], i))
            assert c.status == 200 and len(c.body) == size
            assert hashlib.sha256(c.body).digest() == digest
            entries = chunk(c.body, i)
            assert [e[0] for e in entries] == sorted(e[0] for e in entries)
            state.update(entries)
        self.epoch, self.seq, self.chain = m["epoch"], m["seq"], m["chain"]
        return m, state

    def log(self, wait=0, max=1 << 20):
        return self.request("GET", "/sync/v1/log?epoch=%016x&after=%d&wait=%d"
                            "&max=%d" % (self.epoch, self.seq, wait, max),
                            timeout=wait + 30)

    def pull(self, wait=0, keys=None):
        """Operations that were new; every link of them is checked."""
        a = self.log(wait)
        if a.status == 204:
            return []
        assert a.status == 200, (a.status, a.body)
        new = []
        for epoch, prev, last, chain, ops in batches(a.body, keys):
            assert epoch == self.epoch and prev == self.seq
            for op in ops:
                self.chain = chain_next(self.chain, *op)
            assert self.chain == chain
            self.seq = last
            new += ops
        return new

    def heartbeat(self, **more):
        body = {"epoch": "%016x" % (self.epoch or 0), "seq": self.seq,
                "lag_s": 0, "egress_bps": 0, "cap_mbps": 1000, "load": 0,
                "disk_free": 1 << 30, "disk_used": 0, "spool_records": 0,
                "artifacts": 0, "version": "test", "error": ""}
        body.update(more)
        return self.request("POST", "/sync/v1/heartbeat", json=body)

    def reports(self, records, key=None):
        """Sends spool records [(recv_ms, id16, payload dict)] once."""
        n = next(self.serial)
        key = key or "%s/1/1/%d/1-%d" % (self.name, n, len(records))
        return self.request("POST", "/sync/v1/reports",
                            body=segment(records, n),
                            headers={"Idempotency-Key": key})

    def send(self, records, key=None):
        a = self.reports(records, key)
        assert a.status == 200, (a.status, a.body)
        return a.json


def report_id(tenant, device, rollout, attempt, seq):
    d = device.encode()
    return hashlib.sha256(b"fota-report/1\0" + struct.pack("<IH", tenant,
                                                           len(d))
                          + d + struct.pack("<IHI", rollout, attempt, seq)
                          ).digest()[:16]


def segment(records, number=1):
    out = [b"FSS1" + struct.pack("<IQIQ", 1, 1, 1, number)]
    for i, (recv, ident, payload) in enumerate(records):
        data = (payload if isinstance(payload, bytes)
                else json.dumps(payload).encode())
        tail = struct.pack("<Q16sQ", i + 1, ident, recv) + data
        head = struct.pack("<I", len(data))
        out.append(struct.pack("<I", 0x53504652) + head
                   + struct.pack("<I", crc32c(head + tail)) + tail)
    return b"".join(out)


def report(tenant, product, device, rollout, state, attempt=1, seq=1,
           recv=None, **more):
    """One record of segment()."""
    body = {"t": "report", "tenant": tenant, "device": device,
            "product": product, "node": 1, "rollout": rollout,
            "attempt": attempt, "seq": seq, "state": state, "progress": 0}
    body.update(more)
    return (recv or int(time.time() * 1000),
            report_id(tenant, device, rollout, attempt, seq), body)


def seen(tenant, product, device, recv=None, **more):
    body = {"t": "seen", "tenant": tenant, "device": device,
            "product": product, "node": 1}
    body.update(more)
    return recv or int(time.time() * 1000), os.urandom(16), body


# Goods to roll out

def artifact(centre, tenant, product, version, data, source=None, **more):
    """Uploads data and makes it the package of a version."""
    up = centre.api("POST", "/uploads", {
        "name": "image.bin", "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest()}, tenant=tenant)
    centre.api("PATCH", "/uploads/" + up["id"], tenant=tenant,
               body=data[up["offset"]:], headers={
                   "Content-Type": "application/octet-stream",
                   "Upload-Offset": str(up["offset"])})
    centre.api("POST", "/uploads/%s/complete" % up["id"], tenant=tenant)
    body = dict(version=version, upload=up["id"], **more)
    if source is not None:
        body["from"] = source
    return centre.api("POST", "/products/%s/artifacts" % product, body,
                      tenant=tenant)
