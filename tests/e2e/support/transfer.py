# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""A download that is begun and not read to its end."""

import socket
import ssl
import urllib.parse

from .edge import SLOW


class Transfer:
    """The head has been read; got: bytes of the body so far."""

    def __init__(self, url, ca=None):
        u = urllib.parse.urlsplit(url)
        self.s = socket.create_connection((u.hostname, u.port), 20 * SLOW)
        if ca:
            context = ssl.create_default_context(cafile=ca)
            self.s = context.wrap_socket(self.s, server_hostname=u.hostname)
        self.s.sendall(("GET %s?%s HTTP/1.1\r\nHost: x\r\n\r\n"
                        % (u.path, u.query)).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.s.recv(4096)
            assert data, head
            head += data
        assert b" 200 " in head.split(b"\r\n", 1)[0], head
        self.got = len(head.split(b"\r\n\r\n", 1)[1])

    def cut(self, size):
        """Has it ended before all of size bytes came?"""
        self.s.settimeout(0.01)
        try:
            while True:
                data = self.s.recv(65536)
                if not data:
                    return self.got < size
                self.got += len(data)
        except (TimeoutError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True

    def close(self):
        self.s.close()
