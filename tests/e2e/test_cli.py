# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""The fota command: complete, helpful, exact."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unicodedata

import pytest
import yaml

from support.centre import BUILD, TOP
from support.stack import image

FOTA = os.path.join(BUILD, "fota")


def run(*args, env=None, stdin=None):
    full = {k: v for k, v in os.environ.items() if not k.startswith("FOTA_")}
    full["FOTA_CONF"] = "/nonexistent"
    full.update(env or {})
    return subprocess.run([FOTA, *args], env=full, input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120)


def commands():
    """(name, arguments) of each command, from the help."""
    found = []
    for line in run("--help").stdout.splitlines():
        m = re.match(r"  ((?:[a-z-]+ ?)+?)(?: ([^a-z ].*?|\S*\|.*?))?(?:  +| "
                     r"(?=[A-Z]))\S", line)
        if m:
            found.append(m.group(1).strip())
    return found


def operations():
    """{operationId: [(method, path, command)]} of the command."""
    found = {}
    for line in run("help", "--operations").stdout.splitlines():
        call, command = line.split("\t")
        name, method, path = call.split(" ")
        found.setdefault(name, []).append((method, path, command))
    return found


# What needs no server


def test_every_operation_has_a_command():
    with open(os.path.join(TOP, "admin", "openapi.yaml")) as f:
        paths = yaml.safe_load(f)["paths"]
    contract = {op["operationId"]: (method.upper(), path)
                for path, item in paths.items()
                for method, op in item.items()
                if isinstance(op, dict) and "operationId" in op}
    ours = operations()

    missing = sorted(set(contract) - set(ours))
    assert not missing, "no command for: " + ", ".join(missing)
    unknown = sorted(set(ours) - set(contract))
    assert not unknown, "not in openapi.yaml: " + ", ".join(unknown)

    def shape(path):
        return re.sub(r"\{[^}]*\}", "{}", path)

    for name, calls in ours.items():
        for method, path, command in calls:
            want = contract[name]
            assert (method, shape(path)) == (want[0], shape(want[1])), command


def test_every_command_helps():
    names = commands()
    assert len(names) > 80 and len(set(names)) == len(names)

    for name in names:
        done = run(*name.split(), "--help")
        assert done.returncode == 0, name
        assert done.stdout.startswith("Usage: fota " + name), name
        examples = done.stdout.split("Examples:\n")
        assert len(examples) == 2, name
        assert "  fota " + name in examples[1], name
        assert all(len(line) < 200 for line in done.stdout.splitlines())


def test_part_of_a_name_lists():
    done = run("rollout", "--help")
    assert "rollout create" in done.stdout
    assert "product create" not in done.stdout
    assert "rollout create" in run("help", "rollout").stdout
    assert run("help", "rollout", "create").stdout.startswith(
        "Usage: fota rollout create NAME")


@pytest.mark.parametrize("args,says", [
    ([], "Usage"),
    (["nothing"], 'no command "nothing"'),
    (["status", "--nothing"], 'unknown option "--nothing"'),
    (["status", "--token"], "wants TOKEN"),
    (["status"], "where is the centre?"),
    (["product", "show"], "wants"),
    (["product", "create", "a", "b"], "one argument too many"),
    (["product", "create", "a", "--poll", "soon"], "--poll wants a whole"),
    (["product", "create", "a", "--auto-register", "x"], "--auto-register"),
    (["rollout", "create", "a", "--begin", "soon"], "--begin wants a time"),
    (["rollout", "create", "a", "--stage", "200"], "--stage begins with"),
    (["device", "edit", "a", "--attr", "hw"], "--attr wants NAME=VALUE"),
    (["firmware", "upload", "x"], "--version"),
    (["firmware", "list"], "wants a product"),
])
def test_bad_usage(args, says):
    env = {} if args == ["status"] else {"FOTA_CENTRE": "https://127.0.0.1:1"}
    done = run(*args, env=env)
    assert done.returncode == 2
    assert says in done.stdout + done.stderr


def test_no_centre_there():
    done = run("status", env={"FOTA_CENTRE": "https://127.0.0.1:1"})
    assert done.returncode == 1
    assert done.stderr.startswith("fota: the centre cannot be reached")


def test_settings_from_a_file(tmp_path):
    conf = tmp_path / "fota.conf"
    conf.write_text("# mine\ncentre = https://127.0.0.1:1\ntoken = t\n")
    conf.chmod(0o644)
    done = run("status", env={"FOTA_CONF": str(conf)})
    assert done.returncode == 2 and "chmod 600" in done.stderr
    conf.chmod(0o600)
    done = run("status", env={"FOTA_CONF": str(conf)})
    assert "cannot be reached" in done.stderr
    conf.write_text("centre = x\ncenter = y\n")
    done = run("status", env={"FOTA_CONF": str(conf)})
    assert done.returncode == 2 and "fota.conf:2:" in done.stderr


def test_keys_and_signatures(tmp_path):
    key = str(tmp_path / "sign.key")
    made = run("key", "generate", key)
    assert made.returncode == 0
    assert os.stat(key).st_mode & 0o777 == 0o600
    public = run("key", "public", key)
    assert public.stdout == made.stdout
    raw = base64.b64decode(public.stdout)
    assert len(raw) == 32
    assert run("key", "public", key, "--hex").stdout.strip() == raw.hex()
    assert run("key", "generate", key).returncode == 1

    path = tmp_path / "x.img"
    path.write_bytes(b"firmware")
    manifest = run("firmware", "manifest", str(path), "--product", "p",
                   "--version", "1.0", "--tenant", "東京").stdout
    assert manifest.startswith("fota-artifact/1\ntenant=東京\nproduct=p\n")
    text = tmp_path / "manifest"
    text.write_text(manifest)
    done = run("firmware", "sign", str(text), "--secret", key)
    sig = tmp_path / "sig"
    sig.write_bytes(base64.b64decode(done.stdout))

    der = tmp_path / "pub.der"
    der.write_bytes(base64.b64decode("MCowBQYDK2VwAyEA") + raw)
    subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform",
                    "DER", "-inkey", str(der), "-rawin", "-in", str(text),
                    "-sigfile", str(sig)], check=True,
                   stdout=subprocess.DEVNULL)

    text.write_text("transfer all my money\n" * 3)
    done = run("firmware", "sign", str(text), "--secret", key)
    assert done.returncode == 1 and "no manifest" in done.stderr
    os.chmod(key, 0o644)
    assert "chmod 600" in run("key", "public", key).stderr


# With a centre


class Cli:
    def __init__(self, fleet):
        c = fleet.centre
        self.env = {"FOTA_CENTRE": c.url, "FOTA_TOKEN": c.token,
                    "FOTA_CA": c.ca, "FOTA_TENANT": fleet.tenant,
                    "FOTA_PRODUCT": fleet.product}
        self.fleet = fleet

    def __call__(self, *args, rc=0, env=None, stdin=None):
        done = run(*args, env=dict(self.env, **(env or {})), stdin=stdin)
        assert done.returncode == rc, (args, done.stdout, done.stderr)
        return done.stdout if rc == 0 else done.stderr

    def json(self, *args):
        return json.loads(self(*args, "--json"))


@pytest.fixture(scope="module")
def cli(stack):
    return Cli(stack.fleet("cli"))


def width(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else
               0 if unicodedata.combining(c) else 1 for c in text)


def test_tables_align(cli):
    for name, title in (("p-ascii", "Dash cam"), ("製品-二", "行车记录仪"),
                        ("ドラレコ", "ドライブレコーダー"),
                        ("zürich", "é e\u0301")):
        cli("product", "create", name, "--title", title, "--poll", "99")
    table = cli("product", "list", env={"LC_ALL": "C"})
    lines = table.splitlines()
    assert lines[0].split() == ["NAME", "TITLE", "POLL", "S", "AUTO",
                                "REGISTER", "TEST", "GROUP", "BRAKE",
                                "CREATED"]
    ends = {width(line[:line.index(" yes ")]) for line in lines[1:]}
    assert len(ends) == 1, table
    starts = {width(line[:line.rindex("2")]) for line in lines[1:]
              if line.endswith("Z")}
    assert all(line == line.rstrip() for line in lines)
    assert starts


def test_what_devices_say_is_harmless(cli):
    """An escape sequence in a name does not reach the terminal."""
    cli("device", "create", "evil-1", "--attr", "os=\x1b[31mred\u202e")
    shown = cli("device", "show", "evil-1")
    assert "\x1b" not in shown and "\u202e" not in shown
    attrs = cli.json("device", "show", "evil-1")["attributes"]
    assert attrs["os"] == "\x1b[31mred\u202e"


@pytest.mark.parametrize("args,field", [
    (["device", "create", "d-9", "--pin", "v" * 300], "pin"),
    (["product", "create", "x" * 200], "name"),
    (["product", "edit", "PRODUCT", "--poll", "1"], "poll_s"),
    (["group", "create", "g", "--filter", "modle==x"], "filter"),
    (["rollout", "create", "r", "--window", "noon"], "windows"),
    (["rollout", "create", "r", "--include", "//"], "geo.include"),
    (["node", "create", "n", "--url", "ftp://x"], "url"),
])
def test_errors_name_the_field(cli, args, field):
    args = [cli.fleet.product if a == "PRODUCT" else a for a in args]
    err = cli(*args, rc=1)
    assert err.startswith("fota: %s: " % field), err


def test_refused_token(cli):
    err = cli("product", "list", rc=1, env={"FOTA_TOKEN": "fota_pat_no"})
    assert err == "fota: the token is not known\n"


def test_pages(cli, tmp_path):
    ids = tmp_path / "ids.csv"
    ids.write_text("id\n" + "".join("page-%04d,1.0.%d\n" % (i, i % 7)
                                    for i in range(1234)))
    made = cli.json("device", "import", str(ids))
    assert made == {"created": 1234, "existing": 0}
    made = cli.json("device", "import", str(ids), "--skip-existing")
    assert made == {"created": 0, "existing": 1234}

    query = ["device", "list", "--filter", "id==page-*"]
    assert len(cli.json(*query)) == 100
    assert len(cli.json(*query, "--limit", "600")) == 600
    everyone = cli.json(*query, "--all")
    assert [d["id"] for d in everyone] == ["page-%04d" % i
                                           for i in range(1234)]
    assert cli.json("device", "count", "--filter",
                    "id==page-*")["count"] == 1234

    cli("group", "create", "pages")
    said = cli.json("group", "import", "pages", str(ids))
    assert said["added"] == 1234
    csv = cli("group", "export", "pages").splitlines()
    assert len([r for r in csv if r.startswith("page-")]) == 1234
    cli("group", "remove", "pages", "page-0000", "page-0001")
    assert cli.json("group", "show", "pages")["members"] == 1232


class Cutter:
    """Forwards to the centre; cuts connections after some bytes, a few
    times: sent there, or received from there."""

    def __init__(self, port, after, times, received=False):
        self.port = port
        self.received = received
        self.after = after
        self.times = times
        self.pace = 0               # s for each 64 KiB
        self.cuts = 0
        self.sent = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.own = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client):
        server = socket.create_connection(("127.0.0.1", self.port))
        threading.Thread(target=self.pump,
                         args=(server, client, self.received),
                         daemon=True).start()
        self.pump(client, server, not self.received)

    def pump(self, a, b, count):
        passed = 0
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                b.sendall(data)
                time.sleep(self.pace)
                passed += len(data)
                if count:
                    self.sent += len(data)
                    if passed > self.after and self.cuts < self.times:
                        self.cuts += 1
                        break
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def test_upload_survives_broken_connections(cli, tmp_path):
    data = image(8 << 20, 41)
    path = tmp_path / "x1-7.0.img"
    path.write_bytes(data)
    port = int(cli.fleet.centre.url.rsplit(":", 1)[1])
    cutter = Cutter(port, 3 << 20, 2)
    try:
        made = json.loads(cli(
            "firmware", "upload", str(path), "--version", "7.0", "--json",
            "--part", str(4 << 20),
            env={"FOTA_CENTRE": "https://127.0.0.1:%d" % cutter.own}))
    finally:
        cutter.close()
    assert cutter.cuts == 2
    assert made["size"] == len(data) and made["signed"]
    # What had arrived before a cut was not sent again.
    assert cutter.sent < len(data) * 1.5

    # A file is replaced by a whole one or not at all.
    out = tmp_path / "back"
    out.write_text("kept")
    cli("artifact", "download", "999999", "--output", str(out), rc=1)
    cutter = Cutter(port, 3 << 20, 1, received=True)
    args = ["artifact", "download", str(made["id"]), "--output", str(out)]
    url = {"FOTA_CENTRE": "https://127.0.0.1:%d" % cutter.own}
    try:
        assert "ended early" in cli(*args, rc=1, env=url)
        assert cutter.cuts == 1 and out.read_text() == "kept"
        cli(*args, env=url)
    finally:
        cutter.close()
    assert out.read_bytes() == data
    assert not os.path.exists(str(out) + ".part")

    full = args[:-1] + ["/dev/full"]
    assert "No space left" in cli(*full, rc=1)
    assert cli(*args[:-1], "/dev/null") == ""


def test_upload_goes_on_in_another_run(cli, tmp_path):
    data = image(6 << 20, 42)
    path = tmp_path / "x1-7.1.img"
    path.write_bytes(data)
    port = int(cli.fleet.centre.url.rsplit(":", 1)[1])
    cutter = Cutter(port, 2 << 20, 1000)
    try:
        err = cli("firmware", "upload", str(path), "--version", "7.1",
                  "--part", str(1 << 20), "--tries", "0", "--quiet", rc=1,
                  env={"FOTA_CENTRE": "https://127.0.0.1:%d" % cutter.own})
    finally:
        cutter.close()
    assert "the same command goes on" in err
    begun = [u for u in cli.json("upload", "list")
             if u["name"] == path.name]
    assert len(begun) == 1 and 0 < begun[0]["offset"] < len(data)

    made = cli.json("firmware", "upload", str(path), "--version", "7.1")
    assert made["size"] == len(data)
    done = [u for u in cli.json("upload", "list") if u["name"] == path.name]
    assert [u["id"] for u in done] == [begun[0]["id"]]

    said = run("firmware", "upload", str(path), "--version", "7.1",
               env=cli.env)
    assert said.returncode == 0 and "already" in said.stderr


def test_upload_goes_on_after_ctrl_c(cli, tmp_path):
    data = image(12 << 20, 47)
    path = tmp_path / "x1-7.2.img"
    path.write_bytes(data)
    port = int(cli.fleet.centre.url.rsplit(":", 1)[1])
    cutter = Cutter(port, 1 << 40, 0)
    cutter.pace = 0.02
    env = {k: v for k, v in os.environ.items() if not k.startswith("FOTA_")}
    env.update(cli.env, FOTA_CONF="/nonexistent",
               FOTA_CENTRE="https://127.0.0.1:%d" % cutter.own)
    process = subprocess.Popen(
        [FOTA, "firmware", "upload", str(path), "--version", "7.2", "--part",
         str(1 << 20)], env=env, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while cutter.sent < 4 << 20:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
    finally:
        process.kill()
        cutter.close()
    begun = [u for u in cli.json("upload", "list") if u["name"] == path.name]
    assert len(begun) == 1 and 2 << 20 < begun[0]["offset"] < len(data)
    made = cli.json("firmware", "upload", str(path), "--version", "7.2")
    assert made["size"] == len(data)
    done = [u for u in cli.json("upload", "list") if u["name"] == path.name]
    assert [u["id"] for u in done] == [begun[0]["id"]]


def test_offline_signing(stack, tmp_path):
    """The centre never holds the key."""
    cli = Cli(stack.fleet("offline"))
    key = str(tmp_path / "k")
    public = run("key", "generate", key).stdout.strip()
    cli("tenant", "signer", cli.fleet.tenant, "offline", "--public-key",
        public)

    one = tmp_path / "1.img"
    one.write_bytes(image(100000, 43))
    made = cli.json("firmware", "upload", str(one), "--version", "1.0")
    assert not made["signed"]
    manifest = tmp_path / "manifest"
    cli("artifact", "manifest", str(made["id"]), "--output", str(manifest))
    own = run("firmware", "manifest", str(one), "--product",
              cli.fleet.product, "--version", "1.0", "--tenant",
              cli.fleet.tenant)
    assert own.stdout == manifest.read_text()
    sig = run("firmware", "sign", str(manifest), "--secret", key)
    cli("artifact", "signature", str(made["id"]), sig.stdout.strip())
    assert cli.json("artifact", "show", str(made["id"]))["signed"]

    two = tmp_path / "2.img"
    two.write_bytes(image(100000, 44))
    made = cli.json("firmware", "upload", str(two), "--version", "2.0",
                    "--secret", key)
    assert made["signed"]

    other = str(tmp_path / "other")
    run("key", "generate", other)
    three = tmp_path / "3.img"
    three.write_bytes(image(1000, 45))
    err = cli("firmware", "upload", str(three), "--version", "3.0", "--quiet",
              "--secret", other, rc=1)
    assert "signature" in err


def test_rollout_from_plan_to_end(cli, tmp_path):
    path = tmp_path / "x1-8.0.img"
    path.write_bytes(image(200000, 46))
    cli("firmware", "upload", str(path), "--version", "8.0", "--quiet")
    cli("device", "create", "ro-1", "--version", "7.0")
    made = cli.json(
        "rollout", "create", "eight", "--target", "8.0", "--strategy", "full",
        "--filter", "id==ro-*", "--include", "JP", "--unknown", "allow",
        "--window", "daily 00:00-24:00", "--stage",
        "50,success=95,error=5,min=10,soak=1h,manual", "--stage", "100",
        "--max-attempts", "5", "--begin", "2020-01-01", "--end", "+30d",
        "--max-active", "1000", "--weight", "7", "--source", "7.*")
    number = str(made["id"])
    assert made["state"] == "draft" and len(made["stages"]) == 2
    assert made["stages"][0]["soak_s"] == 3600
    assert made["geo"]["include"] == ["JP"] and made["start_s"] == 1577836800

    cli("rollout", "start", number)
    shown = cli("rollout", "show", number)
    assert re.search(r"^state +running$", shown, re.M)
    assert "WAITING" in shown and "Stages" in shown
    assert cli.json("rollout", "show",
                    number)["progress"]["buckets"]["succeeded"] == 0
    assert "eight" in cli("rollout", "list", "--state", "running")
    cli("rollout", "pause", number)
    assert cli.json("rollout", "show", number)["state"] == "paused"
    cli("rollout", "resume", number)
    cli("rollout", "next", number)
    assert cli.json("rollout", "show", number)["stage"] == 1
    cli("brake", "rollout", number, "offers")
    assert cli.json("rollout", "show", number)["brake"] == "offers"
    cli("brake", "rollout", number, "none")
    cli("rollout", "stop", number)
    assert "stopped" in run("rollout", "watch", number, env=cli.env).stdout
    err = cli("rollout", "resume", number, rc=1)
    assert err.startswith("fota: ")


def test_names_beyond_any_limit_are_told(cli, tmp_path):
    path = tmp_path / "small.img"
    path.write_bytes(image(4096, 43))
    for args in (("product", "show", "p" * 9000),
                 ("group", "import", "g" * 9000, str(path)),
                 ("rollout", "watch", "r" * 9000),
                 ("firmware", "upload", str(path), "--version", "1",
                  "--product", "p" * 9000),
                 ("explain", "d" * 70000, "--version", "1")):
        done = run(*args, env=cli.env)
        assert done.returncode in (1, 2), (args[:2], done)
        assert re.search("too l|limit|1 to [0-9]+ bytes", done.stderr), (
            args[:2], done.stderr)


def test_small_things(cli):
    """Commands that are one call each, against the real centre."""
    tenant = cli.fleet.tenant
    assert cli.json("whoami")["platform"]
    assert cli.json("status")["database"] == "ok"
    assert cli.json("health") == {"status": "ok"}
    token = cli.json("gateway", "create", tenant, "factory")
    assert token["token"]
    assert [g["name"] for g in cli.json("gateway", "list", tenant)] == [
        "factory"]
    cli("gateway", "delete", tenant, str(token["id"]))
    cli("device-key", "rotate", tenant)
    assert len(cli.json("device-key", "list", tenant)) >= 1
    cli("device", "create", "small-1", "--test", "on", "--attr", "hw=3")
    assert cli.json("device", "token", "small-1")["token"]
    assert cli.json("device", "own-token", "small-1")["token"]
    assert cli.json("device", "show", "small-1")["own_token"]
    cli("device", "derived-token", "small-1")
    edited = cli.json("device", "edit", "small-1", "--attr", "hw=", "--pin",
                      "1.0.0", "--blocked", "on")
    assert edited["pin"] == "1.0.0" and edited["blocked"]
    assert "hw" not in edited["attributes"]
    assert cli.json("device", "edit", "small-1", "--pin", "-")["pin"] is None
    assert cli.json("device", "history", "small-1") == []
    assert cli.json("group", "preview", "id==small-*")["matches"] == 1
    made = cli.json("token", "create", "ci", "--permissions",
                    "device:read,group:*", "--expires-in", "3600")
    assert made["tenant"] == tenant
    own = {"FOTA_TOKEN": made["token"]}
    assert "small-1" in cli("device", "list", "--filter", "id==small-*",
                            env=own)
    assert "permission" in cli("product", "list", rc=1, env=own)
    cli("token", "revoke", str(made["id"]))
    assert "revoked" in cli("device", "list", rc=1, env=own)
    deny = cli.json("deny", "create", "device", "--device", "small-1")
    assert deny["id"] in cli("deny", "list")
    cli("deny", "delete", deny["id"])
    cli("prefix", "set", "192.0.2.0/24", "--country", "JP", "--city", "Osaka",
        "--lat", "34.7")
    assert "192.0.2.0/24" in cli("prefix", "list")
    cli("prefix", "delete", "192.0.2.0/24")
    assert cli.json("key", "list")
    operator = cli.json("operator-key", "create")
    assert operator["token"]
    cli("operator-key", "delete", str(operator["kid"]))
    assert "edge-1" in cli("node", "list")
    assert cli.json("node-group", "list")
    assert cli.json("audit", "list", "--limit", "5")
    assert cli.json("audit", "verify")["ok"]
    cli("device", "delete", "small-1")
