# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Somebody between an agent and the centre who holds both certificates.

It ends TLS towards the agent, forwards with the node's certificate, and lets
a test change what the centre answers:

    with Tamper(centre, "edge-1") as tamper:
        tamper.change = lambda path, body: body[:-1]
"""

import http.client
import http.server
import socketserver
import ssl
import threading

DROP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


def _crc32c_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    return table


TABLE = _crc32c_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def flip(body, at, mask=1):
    out = bytearray(body)
    out[at] ^= mask
    return bytes(out)


def reframe(batch):
    """The checksum of a changed batch made right again."""
    size = int.from_bytes(batch[4:8], "little")
    body = batch[12:12 + size]
    return (batch[:8] + crc32c(body).to_bytes(4, "little")
            + batch[12:])


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    tamper = None

    def handle_error(self, request, address):
        pass                                # the agent hung up


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def _forward(self):
        tamper = self.server.tamper
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size else None
        tamper.seen.append((self.command, self.path, body))
        headers = {k: v for k, v in self.headers.items()
                   if k.lower() not in DROP and k.lower() != "host"}
        try:
            c = tamper.centre.connection(node=tamper.node)
            c.request(self.command, self.path, body=body, headers=headers)
            r = c.getresponse()
            data = r.read()
            answer, items = r.status, r.getheaders()
            c.close()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        change = tamper.change
        if change is not None:
            changed = change(self.path, data)
            tamper.changed += changed != data
            data = changed
        self.send_response(answer)
        for name, value in items:
            if name.lower() not in DROP:
                self.send_header(name, value)
        if answer != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _forward


class Tamper:
    def __init__(self, centre, node):
        self.centre = centre
        self.node = node
        self.change = None          # (path, body) -> body
        self.changed = 0            # answers that were
        self.seen = []              # (method, path, body)

    def __enter__(self):
        cert, key = self.centre.pki.issue(
            "tamper", "ca", san="DNS:localhost,IP:127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.tamper = self
        # The handshake belongs to the connection's thread, not to accept().
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True,
            do_handshake_on_connect=False)
        self.url = "https://127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       args=(0.05,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)
