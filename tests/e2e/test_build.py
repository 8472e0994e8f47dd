# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The module as anybody builds it, with none of the options of a package."""

import os
import shutil
import subprocess

import pytest

from support.edge import ASAN, NGINX, TOP

SOURCE = "/usr/share/nginx/src"


def run(*args, **more):
    done = subprocess.run(args, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **more)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.mark.skipif(ASAN, reason="its nginx has the module linked in")
def test_plain_configure(tmp_path):
    """What was not asked for is there all the same, and nginx takes it."""
    src = tmp_path / "src"
    shutil.copytree(SOURCE, src)
    said = run("./configure", "--with-compat", "--with-cc-opt=-O0",
               "--add-dynamic-module=" + TOP, cwd=src)
    assert "using threads" in said and "system OpenSSL" in said

    run("make", "-s", "-j2", "-f", "objs/Makefile", "modules", cwd=src)
    module = src / "objs" / "ngx_http_fota_module.so"
    wants = run("nm", "-D", "--undefined-only", str(module))
    for name in ("ngx_ssl_get_subject_dn", "ngx_ssl_get_raw_certificate",
                 "ngx_thread_task_post"):
        assert name in wants

    conf = tmp_path / "nginx.conf"
    conf.write_text("load_module %s;\npid %s;\nerror_log stderr;\n"
                    "events { }\nhttp { access_log off; }\n"
                    % (module, tmp_path / "pid"))
    run(NGINX, "-t", "-c", str(conf), "-p", str(tmp_path),
        env=dict(os.environ, LC_ALL="C"))
