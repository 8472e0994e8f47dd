# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""A certificate that the centre does not believe (anymore)."""

from support.centre import Centre


def test_it_is_403_for_all_that_an_agent_asks(tmp_path):
    """An agent takes 400 for a word on what it sent, and would set reports
    aside that an edge has acknowledged."""
    with Centre(str(tmp_path)) as centre:
        centre.pki.issue("stranger", "ca")
        for method, path in (("GET", "/sync/v1/keys"),
                             ("POST", "/sync/v1/reports"),
                             ("POST", "/sync/v1/heartbeat")):
            r = centre.request(method, path, body=b"", node="stranger")
            assert (r.status, r.json["code"]) == (403, "node"), r
        assert centre.request("GET", "/healthz").status == 200
