# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Devices that keep checking, reporting and downloading from threads.

They do as real ones do: what is not acknowledged is sent again, through
whichever edge answers.  Afterwards acked holds every report that was answered
with 202, and wrong everything that no fault excuses.
"""

import hashlib
import http.client
import itertools
import json
import threading
import time
import urllib.parse

from .stack_edge import Client, wait_for

FAULTS = (OSError, http.client.HTTPException)
# Come back later is an answer; anything else of 400 and above is not.
LATER = (429, 502, 503, 504)

serial = itertools.count(1)


class Traffic:
    def __init__(self, fleet, rollout, data, edges=None, reporters=2,
                 checkers=1, downloaders=1, pause=0.005):
        self.tag = "x%d-" % next(serial)        # of our devices
        self.fleet = fleet
        self.rollout = rollout
        self.sha = hashlib.sha256(data).hexdigest()
        self.size = len(data)
        self.edges = edges or fleet.stack.edges
        self.pause = pause
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.acked = set()          # (device, attempt, seq)
        self.sent = {}              # the same: how often it was sent
        self.wrong = []
        self.checks = 0
        self.later = 0
        self.lost = 0               # connections that broke
        self.downloads = 0
        self.threads = []
        for n in range(reporters):
            self._thread(self._report, n)
        for n in range(checkers):
            self._thread(self._check, n)
        for n in range(downloaders):
            self._thread(self._download, n)

    def _thread(self, body, n):
        self.threads.append(threading.Thread(target=self._guard,
                                             args=(body, n), daemon=True))

    def _guard(self, body, n):
        try:
            body(n)
        except Exception as e:              # a thread's end must be seen
            self._wrong("%s %d: %r" % (body.__name__, n, e))

    def _wrong(self, text):
        with self.lock:
            self.wrong.append(text)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stop.set()
        for t in self.threads:
            t.join(60)
        if kind is None:
            assert not self.wrong, self.wrong[:5]
            assert not any(t.is_alive() for t in self.threads)

    def _clients(self):
        return [Client(e.tls_port, e.centre.ca, timeout=10)
                for e in self.edges]

    def _report(self, n):
        clients = self._clients()
        seq = 0
        while not self.stop.is_set():
            seq += 1
            device = "%sr%d-%d" % (self.tag, n, seq % 7)
            key = (device, 1, seq)
            body = json.dumps({
                "tenant": self.fleet.tenant, "product": self.fleet.product,
                "device": key[0], "rollout": self.rollout, "attempt": key[1],
                "seq": key[2], "state": "downloading",
                "progress": seq % 100}).encode()
            turn = seq
            while not self.stop.is_set():
                turn += 1
                self.sent[key] = self.sent.get(key, 0) + 1
                try:
                    a = clients[turn % len(clients)].request(
                        "POST", "/fota/v1/report", body,
                        {"Content-Type": "application/json"}, again=False)
                except FAULTS:
                    self.lost += 1
                    time.sleep(0.02)
                    continue
                if a.status == 202:
                    self.acked.add(key)
                    break
                if a.status not in LATER:
                    self._wrong("report: %d %r" % (a.status, a.body[:300]))
                    return
                self.later += 1
                time.sleep(0.05)
            time.sleep(self.pause)

    def _check_once(self, client, device):
        """The offer; None when there is none now."""
        body = json.dumps({"tenant": self.fleet.tenant,
                           "product": self.fleet.product, "device": device,
                           "version": "1.0.0"}).encode()
        try:
            a = client.request("POST", "/fota/v1/check", body)
        except FAULTS:
            self.lost += 1
            return None
        if a.status == 200:
            self.checks += 1
            return a.json if a.json["update"] else None
        if a.status not in LATER:
            self._wrong("check: %d %r" % (a.status, a.body[:300]))
        elif "retry-after" not in {k.lower() for k in a.headers}:
            self._wrong("check: %d without Retry-After" % a.status)
        self.later += 1
        return None

    def _check(self, n):
        clients = self._clients()
        i = 0
        while not self.stop.is_set():
            i += 1
            self._check_once(clients[i % len(clients)],
                             "%sc%d-%d" % (self.tag, n, i))
            time.sleep(self.pause)

    def _download(self, n):
        clients = self._clients()
        i = 0
        while not self.stop.is_set():
            i += 1
            offer = self._check_once(clients[i % len(clients)],
                                     "%sd%d-%d" % (self.tag, n, i))
            if offer is None:
                time.sleep(0.05)
                continue
            if offer["artifact"]["sha256"] != self.sha:
                self._wrong("offer of " + offer["artifact"]["sha256"])
                return
            self._fetch(offer, clients)
            time.sleep(self.pause)

    def _fetch(self, offer, clients):
        """By ranges, resumed on another node; the hash tells the truth."""
        ports = {e.tls_port: c for e, c in zip(self.edges, clients)}
        got = bytearray()
        turn = 0
        while len(got) < self.size and not self.stop.is_set():
            u = urllib.parse.urlsplit(
                offer["urls"][turn % len(offer["urls"])]["url"])
            end = min(len(got) + 300000, self.size) - 1
            try:
                a = ports[u.port].request(
                    "GET", u.path + "?" + u.query, None,
                    {"Range": "bytes=%d-%d" % (len(got), end)})
            except FAULTS:
                self.lost += 1
                turn += 1
                time.sleep(0.02)
                continue
            if a.status == 206:
                got += a.body
            elif a.status in LATER:
                self.later += 1
                turn += 1
                time.sleep(0.05)
            else:
                self._wrong("download: %d %r" % (a.status, a.body[:300]))
                return
        if len(got) == self.size:
            if hashlib.sha256(got).hexdigest() != self.sha:
                self._wrong("downloaded bytes are not those of the hash")
            self.downloads += 1

    def events(self):
        return {k: n for k, n in self.fleet.events(self.rollout).items()
                if k[0].startswith(self.tag)}

    def verify(self, timeout=60):
        """Everything acknowledged is at the centre, and once."""
        try:
            wait_for("acknowledged reports at the centre",
                     lambda: self.acked <= set(self.events()), timeout,
                     every=0.2)
        except AssertionError as e:
            missing = sorted(self.acked - set(self.events()))
            raise AssertionError("%s: %d of %d are missing: %s" % (
                e, len(missing), len(self.acked), missing[:10]))
        events = self.events()
        twice = {k: n for k, n in events.items() if n != 1}
        assert not twice, "counted more than once: %r" % twice
        strange = set(events) - set(self.sent)
        assert not strange, strange
