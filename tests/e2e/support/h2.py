# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""As much of HTTP/2 as it takes to misuse it: frames, windows and resets
are sent by the test, one at a time.  Header fields go out as literals."""

import socket
import ssl
import struct

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
WINDOW_DEFAULT = 65535
# First byte of nginx's header block: an index of the static table.
STATUS = {0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404,
          0x8e: 500}


def field(name, value):
    def text(s):
        raw = s if isinstance(s, bytes) else s.encode()
        if len(raw) < 127:
            return bytes([len(raw)]) + raw
        n, out = len(raw) - 127, b"\x7f"
        while n >= 128:
            out += bytes([n & 127 | 128])
            n >>= 7
        return out + bytes([n]) + raw

    return b"\0" + text(name) + text(value)


class H2:
    def __init__(self, port, window=None, host="127.0.0.1"):
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        tls.set_alpn_protocols(["h2"])
        self.s = tls.wrap_socket(socket.create_connection((host, port)))
        assert self.s.selected_alpn_protocol() == "h2"
        self.s.settimeout(10)
        self.next = 1
        self.left = b""
        self.body = {}
        self.status = {}
        self.ended = set()
        self.reset = {}
        self.away = None
        self.s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.frame(SETTINGS, 0, 0, b"" if window is None
                   else struct.pack("!HI", 4, window))

    def frame(self, kind, flags, stream, payload=b""):
        self.s.sendall(struct.pack("!I", len(payload))[1:]
                       + bytes([kind, flags]) + struct.pack("!I", stream)
                       + payload)

    def ask(self, path, method="GET", headers=(), body=None, end=True):
        """Opens a stream; with end=False the test sends what follows."""
        n, self.next = self.next, self.next + 2
        block = b"".join(field(k, v) for k, v in (
            (":method", method), (":scheme", "https"), (":path", path),
            (":authority", "x"), *headers))
        last = body is None and end
        self.frame(HEADERS, END_HEADERS | (END_STREAM if last else 0), n,
                   block)
        if body is not None:
            self.frame(DATA, END_STREAM if end else 0, n, body)
        return n

    def give(self, n, more):
        """More window, for a stream or (0) all."""
        self.frame(WINDOW, 0, n, struct.pack("!I", more))

    def cancel(self, n):
        self.frame(RESET, 0, n, struct.pack("!I", 8))

    def turn(self):
        """One frame; False when the edge has closed."""
        while len(self.left) < 9 or len(self.left) < 9 + self._size():
            try:
                more = self.s.recv(65536)
            except (ConnectionResetError, ssl.SSLError) as e:
                if isinstance(e, TimeoutError):
                    raise
                return False
            if not more:
                return False
            self.left += more
        n = self._size()
        kind, flags = self.left[3], self.left[4]
        stream = int.from_bytes(self.left[5:9], "big") & 0x7fffffff
        payload, self.left = self.left[9:9 + n], self.left[9 + n:]
        if kind == DATA:
            self.body[stream] = self.body.get(stream, b"") + payload
        elif kind == HEADERS:
            if payload[0] & 0xe0 == 0x20:           # size of the table
                payload = payload[1:]
            self.status[stream] = STATUS.get(payload[0]) or (
                int(payload[2:5]) if payload[1] == 3 else -1)
        elif kind == RESET:
            self.reset[stream] = int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            self.away = int.from_bytes(payload[4:8], "big")
        elif kind == SETTINGS and not flags & ACK:
            self.frame(SETTINGS, ACK, 0)
        elif kind == PING and not flags & ACK:
            self.frame(PING, ACK, 0, payload)
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self.ended.add(stream)
        return True

    def _size(self):
        return int.from_bytes(self.left[:3], "big")

    def until(self, probe):
        while not probe():
            if not self.turn():
                raise AssertionError("the edge has closed: %s" % self.away)

    def end(self, *streams):
        self.until(lambda: all(n in self.ended or n in self.reset
                               for n in streams))

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()
