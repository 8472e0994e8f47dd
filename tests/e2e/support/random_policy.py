# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

"""Random rollouts and devices, for policytool and for the centre's API.

Values are few, so that rules often meet; the generator's seed is the test's.
"""

PLACES = {
    "203.0.113.1": ("JP", "13", "Tokyo", "Tokyo", "Asia/Tokyo", 64500),
    "203.0.113.129": ("JP", "27", "Osaka", "Osaka", "Asia/Tokyo", 64501),
    "198.51.100.1": ("DE", "BE", "Berlin", "Berlin", "Europe/Berlin", 64502),
    "198.51.100.129": ("US", "NY", "New York", "New York",
                       "America/New_York", 0),
    "192.0.2.1": ("AU", "NSW", "New South Wales", "Sydney",
                  "Australia/Sydney", 0),
    "192.0.2.129": ("NP", "P3", "Bagmati", "Kathmandu", "Asia/Kathmandu", 0),
}
NOWHERE = "192.0.2.200"
VERSIONS = ["1.0.0", "1.1.0", "1.2.0", "2.0.0"]
OTHERS = ["0.9", "1.1.5", "2.0.0-rc1", "3.0", "unknown"]
GROUPS = {"taxis": 11, "pilots": 12, "europe": "country=in=(DE,FR)"}
ZONES = sorted({p[4] for p in PLACES.values()} | {"America/Los_Angeles"})


def database():
    """Records for write_mmdb: a /25 around each address."""
    import ipaddress

    from .mmdb import maxmind

    return {str(ipaddress.ip_network(ip + "/25", strict=False)): maxmind(
        p[0], region_code=p[1], region=p[2], city=p[3], tz=p[4], asn=p[5],
        lat=10.0, lon=20.0) for ip, p in PLACES.items() if ip != "192.0.2.129"
    } | {"192.0.2.129/32": maxmind("NP", region_code="P3", city="Kathmandu",
                                   tz="Asia/Kathmandu")}


def term(rnd):
    pick = rnd.randrange(11)
    not_ = rnd.choice(["==", "==", "!="])
    if pick == 0:
        return "id%sdev-%s*" % (not_, rnd.choice("0123456789"))
    if pick == 1:
        return "version%s%s" % (rnd.choice(["=lt=", "=ge=", "==", "!="]),
                                rnd.choice(VERSIONS))
    if pick == 2:
        return "country%s%s" % (rnd.choice(["=in=", "=out="]),
                                "(%s)" % ",".join(rnd.sample(
                                    ["JP", "DE", "US", "AU", "NP"], 2)))
    if pick == 3:
        return "city%s%s" % (not_, rnd.choice(["Tokyo", "Osaka", "berlin",
                                               "'New York'"]))
    if pick == 4:
        return "region%s%s" % (not_, rnd.choice(["13", "NSW", "Berlin"]))
    if pick in (5, 6):
        return "attr.hw%s%d" % (rnd.choice(["=lt=", "=ge=", "==", "!="]),
                                rnd.randrange(1, 5))
    if pick == 7:
        return "attr.ring%s" % rnd.choice(["==beta", "!=beta", "=is=null",
                                           "=in=(beta,alpha)"])
    if pick == 8:
        return "group%s%s" % (not_, rnd.choice(sorted(GROUPS)))
    if pick == 9:
        return "asn%s%d" % (rnd.choice(["==", "!=", "=gt="]),
                            rnd.choice([64500, 64501]))
    return "tz%s%s" % (not_, rnd.choice(["Asia/*", "Europe/Berlin"]))


def rsql(rnd, depth=0):
    n = rnd.choice([1, 1, 2, 3]) if depth < 2 else 1
    parts = []
    for _ in range(n):
        if depth < 2 and rnd.random() < 0.3:
            parts.append("(%s)" % rsql(rnd, depth + 1))
        else:
            parts.append(term(rnd))
    return rnd.choice([" and ", " or ", ";", ","]).join(parts)


def rollout(rnd, now):
    """Members as policytool has them; api() turns them into the centre's."""
    r = {"target": rnd.choice(VERSIONS[1:] + ["latest"]),
         "strategy": rnd.choice(["full", "delta", "sequential", "auto"]),
         "weight": rnd.randrange(4), "name": "random"}
    if rnd.random() < 0.7:
        r["filter"] = rsql(rnd)
    if rnd.random() < 0.15:
        r["sources"] = rnd.sample(["1.0.*", "1.*", "2.0.0", "0.9"], 2)
    if rnd.random() < 0.4:
        scopes = ["JP", "DE", "US/NY", "JP/Tokyo", "AU/NSW/Sydney",
                  "JP/Osaka/Osaka"]
        r[rnd.choice(["include", "exclude"])] = rnd.sample(scopes, 2)
        r["geo_unknown_allow"] = rnd.random() < 0.5
    if rnd.random() < 0.4:
        at = rnd.randrange(24)
        r["windows"] = ["%s %02d:17-%02d:43" % (
            rnd.choice(["daily", "mon-fri", "sat-tue,thu"]), at,
            (at + rnd.randrange(1, 23)) % 24)]
        if rnd.random() < 0.3:
            r["time_mode"] = "zone"
            r["zone"] = rnd.choice(ZONES)
    if rnd.random() < 0.1:
        r["start"] = now + rnd.choice([-100000, 100000])
    if rnd.random() < 0.1:
        r["end"] = now + rnd.choice([200000, 300000])
    if rnd.random() < 0.3:
        r["reached"] = rnd.choice([100, 1000, 5000])
    if rnd.random() < 0.3:
        r["max_attempts"] = rnd.choice([1, 2])
    if rnd.random() < 0.1:
        r["allow_downgrade"] = True
    return r


def api(r, product):
    """The same rollout as a body for the centre."""
    body = {"product": product, "geo": {
        "include": r.get("include", []), "exclude": r.get("exclude", []),
        "unknown": "allow" if r.get("geo_unknown_allow") else "deny"}}
    for name in ("target", "strategy", "weight", "name", "filter", "sources",
                 "windows", "time_mode", "zone", "max_attempts",
                 "allow_downgrade"):
        if name in r:
            body[name] = r[name]
    for name in ("start", "end"):
        if name in r:
            body[name + "_s"] = r[name]
    if "reached" in r:
        body["stages"] = [{"percent": r["reached"] / 100.0},
                          {"percent": 100}]
    return body


def record(rnd, rollouts):
    """What policy holds of a device, or None: nothing special."""
    if rnd.random() < 0.5:
        return None
    d = {}
    if rnd.random() < 0.1:
        d["blocked"] = True
    if rnd.random() < 0.15:
        d["pin"] = rnd.choice(VERSIONS)
    if rnd.random() < 0.2:
        d["test"] = True
    if rnd.random() < 0.5:
        d["groups"] = rnd.sample(["taxis", "pilots"], rnd.randrange(1, 3))
    if rnd.random() < 0.3:
        d["attrs"] = {"hw": str(rnd.randrange(1, 5))}
    if rnd.random() < 0.3 and rollouts:
        d["attempts"] = [{"rollout": r, "attempts": rnd.randrange(1, 3),
                          "delta_failed": rnd.random() < 0.5}
                         for r in sorted(rnd.sample(
                             rollouts, min(2, len(rollouts))))]
    return d or None


def facts(rnd):
    """What a device says: members of a check, and its address."""
    f = {"version": rnd.choice(VERSIONS * 3 + OTHERS)}
    attrs = {}
    if rnd.random() < 0.6:
        attrs["hw"] = rnd.choice(["1", "2", "3", "4.5", "rev2", ""])
    if rnd.random() < 0.4:
        attrs["ring"] = rnd.choice(["beta", "alpha", "stable"])
    if attrs:
        f["attrs"] = attrs
    if rnd.random() < 0.2:
        f["tz"] = rnd.choice(ZONES + ["+05:45", "-0330"])
    if rnd.random() < 0.1:
        f["delta"] = "false"
    return f, rnd.choice(sorted(PLACES) + [NOWHERE])
