# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""What sanitizers say, of any process that a test starts.

Daemons have logs, but a command whose failure a test expects, or a child of
a child, could die of a sanitizer unseen.  So every process is told to write
its report into one directory, and a file there fails the test.
"""

import glob
import os
import shutil
import tempfile

ASAN = os.environ.get("FOTA_ASAN") == "1"

_dir = None
_told = set()


def setup():
    """Before any process is started.

    Leaks are looked for: nginx has its own default, see asan_options.c.
    """
    global _dir
    if not ASAN:
        return
    _dir = tempfile.mkdtemp(prefix="fota-san-", dir="/tmp")
    os.chmod(_dir, 0o777)       # workers of nginx may have another user
    # What UBSAN of gcc says goes to stderr all the same when ASAN is there.
    # So it aborts, and ASAN reports that.
    log = ":log_path=" + _dir + "/report"
    _add("ASAN_OPTIONS", "handle_abort=1" + log)
    _add("UBSAN_OPTIONS", "print_stacktrace=1:abort_on_error=1" + log)


def _add(name, value):
    before = os.environ.get(name)
    os.environ[name] = before + ":" + value if before else value


def without_leaks():
    """Environment of a tool that leaves its memory to the system."""
    options = os.environ.get("ASAN_OPTIONS")
    more = "detect_leaks=0"
    return dict(os.environ,
                ASAN_OPTIONS=options + ":" + more if options else more)


def reports():
    """Texts of reports that were not told yet."""
    out = []
    for path in sorted(glob.glob(_dir + "/*")) if _dir else []:
        if path not in _told:
            _told.add(path)
            with open(path, errors="replace") as f:
                out.append(f.read())
    return out


def told():
    """Reports so far, for the end of the run: a failure may hide one."""
    reports()
    return ["%s: %s" % (path, _first(path)) for path in sorted(_told)]


def _first(path):
    with open(path, errors="replace") as f:
        return next((line.strip() for line in f if "ERROR" in line), "")


def check():
    said = reports()
    assert not said, "\n".join(text[:6000] for text in said[:3])


def end():
    """Reports stay, for who wants to read them."""
    if _dir and not _told:
        shutil.rmtree(_dir, ignore_errors=True)
