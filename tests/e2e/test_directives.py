# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""docs/directives.md is held to the source of the module.

Of every directive: contexts, number of arguments, the words that its
parameters may begin with or be, and what holds when it is not given; of every
variable: its name.  What the source says is read from the table of commands,
the setters, and the functions that create and merge configurations.
"""

import glob
import math
import os
import re

import pytest

from support.edge import TOP, VARIABLES

GLUE = os.path.join(TOP, "ngx_fota_module", "ngx_http_fota")
CORE = os.path.join(TOP, "ngx_fota_module", "fota_core")

CONTEXTS = {"NGX_HTTP_MAIN_CONF": "http", "NGX_HTTP_SRV_CONF": "server",
            "NGX_HTTP_LOC_CONF": "location"}

# Set by their own functions: field, and the default in the source's terms.
NONE = {"fota_db": "db", "fota_node_id": "node_id", "fota_spool": "spool",
        "fota_geoip": "geo_file", "fota_lua": "lua_name",
        "fota_lua_trusted": "lua_name", "fota_rate_class": "rates"}


def read(pattern):
    text = ""
    for path in sorted(glob.glob(pattern)):
        with open(path) as f:
            text += f.read()
    return text


MODULE = read(os.path.join(GLUE, "ngx_http_fota_module.c"))
CONF = read(os.path.join(GLUE, "ngx_http_fota_conf.c"))
SOURCE = read(os.path.join(GLUE, "*.[ch]"))
LIBRARY = read(os.path.join(CORE, "*.[ch]"))
with open(os.path.join(TOP, "docs", "directives.md")) as _f:
    DOC = _f.read()


def commands():
    """Name to what its entry in the table says."""
    table = re.search(r"ngx_http_fota_commands\[\] = \{(.*?)ngx_null_command",
                      MODULE, re.S).group(1)
    out = {}
    for m in re.finditer(r"\{ ngx_string\(\"(\w+)\"\),\s*([\w|\s]+),\s*(\w+),"
                         r"\s*(\w+),\s*([^,]+),\s*([^}]+?) \}", table):
        name, flags, setter, _, offset, post = m.groups()
        field = re.fullmatch(r"FOTA_(?:LOC|MAIN)\((\w+)\)", offset.strip())
        out[name] = {"flags": flags.replace(" ", "").split("|"),
                     "setter": setter, "post": post.strip("&"),
                     "field": field.group(1) if field else None}
    assert len(out) == table.count("ngx_string")
    return out


def takes(flags):
    """(least, most) arguments; None for a flag."""
    least, most = math.inf, 0
    for flag in flags:
        m = re.fullmatch(r"NGX_CONF_(?:TAKE(\d+)|(NOARGS|1MORE|2MORE|ANY))",
                         flag)
        if flag == "NGX_CONF_FLAG":
            return None
        if not m:
            assert flag in CONTEXTS, flag
            continue
        if m.group(1):
            n = [int(d) for d in m.group(1)]
            least, most = min(least, *n, least), max(most, *n, most)
        else:
            a, b = {"NOARGS": (0, 0), "1MORE": (1, math.inf),
                    "2MORE": (2, math.inf), "ANY": (0, math.inf)}[m.group(2)]
            least, most = min(least, a), max(most, b)
    return least, most


def value_of(expr):
    """A constant expression of C."""
    for _ in range(8):
        names = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", expr))
        if not names:
            break
        for name in names:
            m = re.search(r"#define %s\s+((?:[^\n]*\\\n)*[^\n]*)" % name,
                          SOURCE + LIBRARY)
            m = m or re.search(r"\b%s = (\w+)" % name, SOURCE + LIBRARY)
            if name == "NGX_CONF_BITMASK_SET":
                text = "0"
            else:
                assert m, name
                text = re.sub(r"/\*.*", "", m.group(1).replace("\\\n", " "))
            expr = re.sub(r"\b%s\b" % name, "(%s)" % text.strip(), expr)
    expr = re.sub(r"(\d)(?:ULL|UL|U|L)\b", r"\1", expr)
    assert re.fullmatch(r"[\s\w()*+|<>.-]+", expr), expr
    return eval(expr, {"__builtins__": {}})


def given(field):
    """What the field holds when no directive set it, or None."""
    m = re.search(r"ngx_conf_(?:merge|init)_(?:value|uint_value|"
                  r"bitmask_value)\(\s*(?:mcf|conf)->%s,(?:\s*prev->%s,)?"
                  r"\s*((?:[^;])+?)\);" % (field, field), CONF)
    if m:
        return value_of(m.group(1))
    m = re.search(r"mcf->%s = ([^;]+);" % field, CONF)
    return value_of(m.group(1)) if m else None


def words_of(table):
    body = re.search(r"%s\[\] = \{(.*?)ngx_null_string" % table, MODULE,
                     re.S).group(1)
    return {w: value_of(v) for w, v in
            re.findall(r"ngx_string\(\"(\w+)\"\), (\w+)", body)}


def amount(text):
    """15m, 90s, 4m, 1.5: every reading of it as a number."""
    m = re.fullmatch(r"([\d.]+)(ms|s|m|h|d|k|g)?", text)
    if not m:
        return {text}
    n = float(m.group(1))
    unit = {None: (1,), "ms": (0.001, 1), "s": (1,), "h": (3600,),
            "m": (60, 1 << 20), "d": (86400,), "k": (1 << 10,),
            "g": (1 << 30,)}[m.group(2)]
    return {n * u for u in unit}


def same(doc, source):
    """Are "band=1.5 min=3" and ["band=1.5", "min=3"] the same?"""
    doc = doc.split()
    if len(doc) != len(source):
        return False
    for a, b in zip(doc, source):
        ka, _, va = a.rpartition("=")
        kb, _, vb = b.rpartition("=")
        if ka != kb or not (amount(va) & amount(vb)):
            return False
    return True


def default_of(name, command):
    """Arguments of the directive that would change nothing, or None."""
    field, setter, post = (command[k] for k in ("field", "setter", "post"))
    if name in NONE:
        assert "->%s = " % NONE[name] not in CONF \
            and not re.search(r"(merge|init)_\w+\(\w+->%s," % NONE[name],
                              CONF), "%s has a default now" % name
        return None
    if name == "fota_zone":
        zone = re.search(r'ngx_str_set\(&mcf->zone_name, "(\w+)"\)', CONF)
        return [zone.group(1), "%d" % given("zone_size")]
    if name == "fota_select":
        assert "mcf->select = fota_select_defaults;" in CONF
        kind = re.search(r"typedef struct \{([^}]*)\} fota_select_conf_t",
                         LIBRARY).group(1)
        values = re.search(r"fota_select_defaults = \{([^}]*)\}",
                           LIBRARY).group(1).split(",")
        fields = re.findall(r"\w+\s+(\w+);", kind)
        assert len(fields) == len(values)
        return ["%s=%s" % (f.removesuffix("_s"), float(v))
                for f, v in zip(fields, values)]
    if name == "fota_lua_limits":
        return ["instructions=%d" % value_of("FOTA_SCRIPT_INSTRUCTIONS"),
                "memory=%d" % value_of("FOTA_SCRIPT_MEMORY")]
    if name == "fota_seen":
        return [["off", "on"][given("seen")],
                "interval=%d" % given("seen_interval")]
    if name == "fota_token_bind":
        return {0: ["off"]}[given("bind")]
    n = given(field) if field else None
    if command["flags"][-1] == "NGX_CONF_FLAG":
        if n is None:
            # Not merged: what ngx_pcalloc() and an unset flag would leave.
            raise AssertionError("%s: nothing sets %s" % (name, field))
        return [["off", "on"][n]]
    if setter == "ngx_conf_set_enum_slot":
        return [w for w, v in words_of(post).items() if v == n]
    if setter == "ngx_conf_set_bitmask_slot":
        return [w for w, v in words_of(post).items() if v & n]
    assert n is not None, "%s: where is its default?" % name
    return ["%s" % n]


def words_allowed(command):
    """Words in lower case that a setter knows: names with =, or values."""
    setter, post = command["setter"], command["post"]
    if setter in ("ngx_conf_set_enum_slot", "ngx_conf_set_bitmask_slot"):
        return set(words_of(post))
    if setter in ("ngx_conf_set_flag_slot", "ngx_http_fota_set_handler"):
        return {"on", "off"}
    m = re.search(r"\n%s\([^;{]*\)\n\{(.*?)\n\}\n" % setter, SOURCE, re.S)
    if m is None:
        return set()
    tables = re.findall(r"\bngx_http_fota_\w+(?=\W)", m.group(1))
    numbers = re.findall(r"ngx_http_fota_arg_t  (\w+)(?:\[\])? = \{(.*?)\};",
                         SOURCE, re.S)
    return set(re.findall(r"ngx_(?:strcmp|http_fota_args_\w+)\([^;\"]*?"
                          r"\"([a-z_]+=?)\"", m.group(1))).union(
        *(re.findall(r'"([a-z_]+=)"', body)
          for name, body in numbers if name in tables))


def entries(doc):
    """Name to (syntax, default, contexts, text) of the reference."""
    out = {}
    for m in re.finditer(r"^### (\w+)\n\nSyntax: `(\w+) ?([^`]*);` Default: "
                         r"(?:`(\w+) ([^`]*);`|([^.`]+)\.) "
                         r"Context: ([a-z, ]+)\n\n(.*?)(?=^##|\Z)", doc,
                         re.M | re.S):
        name, again, syntax, dname, dargs, dword, contexts, text \
            = m.groups()
        assert name == again and dname in (None, name), name
        assert name not in out, name
        out[name] = (syntax, dargs or dword, set(contexts.split(", ")), text)
    return out


def counted(syntax):
    """(least, most) arguments that a syntax allows."""
    least, most = math.inf, 0
    for choice in syntax.split(" | "):
        a = b = 0
        for token in choice.split():
            if token == "...":
                b = math.inf
            elif token[0] == "[" and token[-1] == "]":
                b += 1
            else:
                assert "[" not in token and "]" not in token, syntax
                a, b = a + 1, b + 1
        least, most = min(least, a), max(most, b)
    return least, most


def findings(doc):
    """What the reference says that the source does not."""
    table, reference = commands(), entries(doc)
    for name in sorted(set(re.findall(r"^### (\w+)$", doc, re.M))
                       - set(reference)):
        yield "%s: has no line of syntax, default and context" % name
    for name in sorted(set(table) ^ set(reference)):
        yield "%s: is not in both" % name
    for name in sorted(set(table) & set(reference)):
        command = table[name]
        syntax, default, contexts, text = reference[name]
        has = {CONTEXTS[f] for f in command["flags"] if f in CONTEXTS}
        if contexts != has:
            yield "%s: context is %s" % (name, sorted(has))
        args, said = takes(command["flags"]), counted(syntax)
        if args is None:
            if syntax != "on|off":
                yield "%s: is a flag" % name
        elif args[1] == math.inf:
            if said[0] != args[0] or said[1] <= args[0]:
                yield "%s: takes %s, not %s arguments" % (name, args, said)
        elif said != args:
            yield "%s: takes %s, not %s arguments" % (name, args, said)
        words = set(re.findall(r"(?<![\w=])[a-z_]+=?|(?<==)[a-z_]+|"
                               r"(?<=\|)[a-z_]+=?", syntax))
        if words != words_allowed(command):
            yield "%s: knows %s" % (name, sorted(words_allowed(command)))
        source = default_of(name, command)
        if source is None:
            if default not in ("none", "unlimited"):
                yield "%s: has no default" % name
        elif not same(default, source):
            yield "%s: default is %s" % (name, " ".join(source))
    yield from options(reference)
    bounds = re.search(r"ngx_conf_check_num_bounds, (\d+), (\d+)",
                       MODULE).groups()
    if "(%s to %s," % bounds not in reference["fota_max_ranges"][3]:
        yield "fota_max_ranges: is %s to %s" % bounds


def options(reference):
    """Defaults of parameters, which the text gives like `size` (1g)."""
    setters = read(os.path.join(GLUE, "ngx_http_fota_directives*.c"))
    for name, option, field in (
            ("fota_db", "map_size", "map_size"),
            ("fota_spool", "commit", "spool_commit"),
            ("fota_spool", "size", "spool_size"),
            ("fota_geoip", "auto_reload", "geo_reload")):
        n = value_of(re.search(r"mcf->%s = ([^;]+);" % field,
                               setters).group(1))
        said = re.search(r"`%s`\s+\(([^,)]+)" % option, reference[name][3])
        if not said or n not in amount(said.group(1)):
            yield "%s: %s is %s" % (name, option, n)
    ack = {0: "disk", 1: "memory"}[value_of(
        re.search(r"mcf->spool_memory = (\d);", setters).group(1))]
    if not re.search(r"`ack=%s`\s+\(default\)" % ack,
                     reference["fota_spool"][3]):
        yield "fota_spool: ack is %s" % ack


def test_the_reference_is_what_the_source_says():
    assert len(commands()) > 20
    assert list(findings(DOC)) == []


@pytest.mark.parametrize("old,new,says", [
    ("### fota_db\n", "### fota_dbx\n", None),
    ("`fota_check on|off;` Default: off. Context: location",
     "`fota_check on|off;` Default: off. Context: server, location",
     "fota_check: context"),
    ("`fota_token required|optional|off;` Default: off. Context: http, ",
     "`fota_token required|optional|off;` Default: off. Context: ",
     "fota_token: context"),
    ("`fota_digest on|off;` Default: off.",
     "`fota_digest on|off;` Default: on.", "fota_digest: default"),
    ("`fota_max_ranges 16;`", "`fota_max_ranges 8;`",
     "fota_max_ranges: default"),
    ("`fota_max_stale_offer 15m;`", "`fota_max_stale_offer 15s;`",
     "fota_max_stale_offer: default"),
    ("max_km=3000 ", "max_km=2000 ", "fota_select: default"),
    ("memory=4m;`", "memory=4k;`", "fota_lua_limits: default"),
    ("`fota_zone default 4m;`", "`fota_zone main 4m;`", "fota_zone: default"),
    ("Default: `fota_auth gateway device mtls;`",
     "Default: `fota_auth device mtls;`", "fota_auth: default"),
    ("`fota_seen off interval=5m;`", "`fota_seen off interval=10m;`",
     "fota_seen: default"),
    ("`fota_lua_fail open;`", "`fota_lua_fail closed;`",
     "fota_lua_fail: default"),
    ("`fota_node_id NAME|ID;` Default: none.",
     "`fota_node_id NAME|ID;` Default: `fota_node_id edge;`",
     "fota_node_id: has no default"),
    ("`fota_node_id NAME|ID;`", "`fota_node_id NAME ID;`",
     "fota_node_id: takes"),
    ("`fota_zone NAME SIZE;`", "`fota_zone NAME [SIZE];`",
     "fota_zone: takes"),
    ("`fota_download on|off;`", "`fota_download ROOT;`",
     "fota_download: is a flag"),
    ("[fields=auto|flat|maxmind]", "[fields=auto|nested|maxmind]",
     "fota_geoip: knows"),
    ("[commit=TIME] ", "", "fota_spool: knows"),
    ("required|optional|off;`", "required|off;`", "fota_token: knows"),
    ("`map_size` (2g)", "`map_size` (1g)", "fota_db: map_size"),
    ("(10ms)", "(20ms)", "fota_spool: commit"),
    ("(1 to 256,", "(1 to 512,", "fota_max_ranges: is"),
])
def test_a_lie_is_found(old, new, says):
    assert DOC.count(old) == 1, old
    doc = DOC.replace(old, new)
    if says is None:
        with pytest.raises(AssertionError):
            list(findings(doc))
        return
    found = list(findings(doc))
    assert [f for f in found if f.startswith(says)], found
    assert {f.split(":")[0] for f in found} == {says.split(":")[0]}


def test_variables_are_those_of_the_table():
    table = re.findall(r'\{ ngx_string\("(fota_\w+)"\), FOTA_V_(\w+) \}',
                       read(os.path.join(GLUE, "ngx_http_fota_variables.c")))
    assert len(table) > 15
    for name, number in table:
        assert name == "fota_" + number.lower()
    names = [name for name, _ in table]
    rows = re.findall(r"^\| `\$(\w+)` \| (.+) \|$", DOC, re.M)
    assert sorted(name for name, _ in rows) == sorted(names)
    assert all(text.strip() for _, text in rows)
    # Those of the tests' log, and of the example's, are all there are.
    assert {"fota_" + v for v in VARIABLES} | {"fota_uri"} == set(names)
    with open(os.path.join(TOP, "conf", "nginx-edge.conf")) as f:
        used = set(re.findall(r"\$(fota_\w+)", f.read()))
    assert used == set(names)
