/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Combinations of rules from policy_table.txt, whose head explains it. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support_policy.h"


#define CELLS     4
#define ROWS_MIN  300


static policy_test_t   t;
static const char     *row;             /* for messages */
static fota_str_t      lists[POLICY_ROLLOUTS][3][8];
static fota_window_t   windows[POLICY_ROLLOUTS][4];


static void
bad(const char *what)
{
    fail_msg("%s: \"%s\" is not understood", row, what);
}


/* The value when the word is "name=value", else NULL. */

static const char *
value(const char *word, const char *name)
{
    size_t  n;

    n = strlen(name);

    return (strncmp(word, name, n) == 0 && word[n] == '=')
           ? word + n + 1 : NULL;
}


static bool
is(const char *word, const char *name)
{
    return strcmp(word, name) == 0;
}


/* Texts have to outlive the row's words. */

static fota_str_t
keep(const char *s, size_t n)
{
    return fota_strdup(&t.code.mem, fota_slice(s, n));
}


static uint16_t
split(const char *v, fota_str_t *list)
{
    size_t    n;
    uint16_t  i;

    for (i = 0; i < 8; i++) {
        n = strcspn(v, ",");
        list[i] = keep(v, n);
        v += n;

        if (*v++ == '\0') {
            return i + 1;
        }
    }

    bad(v);

    return 0;
}


static int64_t
span(const char *v)
{
    char     *end;
    int64_t   n;

    n = strtoll(v, &end, 10);

    return (*end == 'h') ? n * 3600 : n;
}


static uint16_t
window_list(const char *v, fota_window_t *w)
{
    char      text[64];
    size_t    n, i, pos;
    uint16_t  count;

    for (count = 0; *v != '\0' && count < 4; count++) {
        n = strcspn(v, ";");
        snprintf(text, sizeof(text), "%.*s", (int) n, v);

        for (i = 0; text[i] != '\0'; i++) {
            if (text[i] == '_') {
                text[i] = ' ';
            }
        }

        if (fota_window_parse(fota_cstr(text), &w[count], &pos) != FOTA_OK) {
            bad(v);
        }

        v += n + (v[n] == ';');
    }

    return count;
}


static uint8_t
number(const char *v, const char *const *words, uint8_t n)
{
    uint8_t  i;

    for (i = 0; i < n; i++) {
        if (is(v, words[i])) {
            return i;
        }
    }

    bad(v);

    return 0;
}


static void
rollout_word(fota_rollout_t *r, const char *w)
{
    char         *end;
    const char   *v;
    fota_str_t  (*l)[8];

    static const char *const  how[] = {
        "full", "delta", "sequential", "auto"
    };

    static const char *const  states[] = {
        "ready", "running", "paused", "stopped", "finished"
    };

    l = lists[r->id - 1];

    if ((v = value(w, "target")) != NULL) {
        r->target = is(v, "latest") ? FOTA_NONE : policy_find(&t, v);

    } else if ((v = value(w, "kind")) != NULL) {
        r->kind = (uint8_t) fota_kind_parse(fota_cstr(v));

    } else if ((v = value(w, "how")) != NULL) {
        r->strategy = number(v, how, 4);

    } else if ((v = value(w, "state")) != NULL) {
        r->state = number(v, states, 5);

    } else if (is(w, "brake")) {
        r->brake = FOTA_BRAKE_OFFERS;

    } else if ((v = value(w, "start")) != NULL) {
        r->start = POLICY_NOW + span(v);

    } else if ((v = value(w, "end")) != NULL) {
        r->end = POLICY_NOW + span(v);

    } else if ((v = value(w, "filter")) != NULL) {
        r->filter = policy_filter(&t, v);

    } else if ((v = value(w, "from")) != NULL) {
        r->sources = l[0];
        r->nsources = split(v, l[0]);

    } else if ((v = value(w, "in")) != NULL) {
        r->include = l[1];
        r->ninclude = split(v, l[1]);

    } else if ((v = value(w, "out")) != NULL) {
        r->exclude = l[2];
        r->nexclude = split(v, l[2]);

    } else if (is(w, "unknown")) {
        r->geo_unknown_allow = 1;

    } else if (is(w, "down")) {
        r->allow_downgrade = 1;

    } else if ((v = value(w, "tries")) != NULL) {
        r->max_attempts = (uint16_t) atoi(v);

    } else if ((v = value(w, "reached")) != NULL) {
        r->reached = (uint16_t) atoi(v);

    } else if (is(w, "testonly")) {
        r->test_only = 1;

    } else if ((v = value(w, "testgroup")) != NULL) {
        r->test_group = (uint32_t) atoi(v);

    } else if (is(w, "fresh")) {
        r->require_fresh = 1;

    } else if ((v = value(w, "zone")) != NULL) {
        r->zone = keep(v, strlen(v));

    } else if ((v = value(w, "named")) != NULL) {
        r->zone = keep(v, strlen(v));
        r->time_mode = FOTA_TIME_ZONE;

    } else if ((v = value(w, "win")) != NULL) {
        r->windows = windows[r->id - 1];
        r->nwindows = window_list(v, r->windows);

    } else if ((v = value(w, "max")) != NULL) {
        r->max_active = (uint32_t) atoi(v);

    } else if ((v = value(w, "bps")) != NULL) {
        r->max_bps = (uint64_t) atoi(v);

    } else if ((v = value(w, "trip")) != NULL) {
        r->error_permille = (uint16_t) strtoul(v, &end, 10);
        r->error_min = (uint32_t) atoi(end + 1);

    } else {
        bad(w);
    }
}


static fota_attempt_t *
attempt(uint32_t rollout)
{
    uint16_t  i;

    for (i = 0; i < t.device.nattempts; i++) {
        if (t.attempts[i].rollout == rollout) {
            return &t.attempts[i];
        }
    }

    t.attempts[i].rollout = rollout;
    t.device.nattempts++;

    return &t.attempts[i];
}


static void
device_word(const char *w, bool first)
{
    char        *end;
    uint32_t     id;
    const char  *v;

    if (first) {
        t.facts.version = is(w, "?") ? fota_cstr("") : keep(w, strlen(w));

    } else if ((v = value(w, "kind")) != NULL) {
        t.facts.kind = keep(v, strlen(v));
        t.in.kind = (uint8_t) fota_kind_parse(t.facts.kind);

    } else if ((v = value(w, "pin")) != NULL) {
        t.device.pin = keep(v, strlen(v));

    } else if (is(w, "blocked")) {
        t.device.blocked = 1;

    } else if (is(w, "test")) {
        t.device.test = 1;

    } else if ((v = value(w, "group")) != NULL) {
        t.groups[t.facts.ngroups++] = (uint32_t) atoi(v);

    } else if ((v = value(w, "hw")) != NULL) {
        t.attrs[0].name = fota_cstr("hw");
        t.attrs[0].value = keep(v, strlen(v));
        t.facts.nattrs = 1;

    } else if ((v = value(w, "failed")) != NULL) {
        id = (uint32_t) strtoul(v, &end, 10);
        attempt(id)->attempts = (uint16_t) atoi(end + 1);

    } else if ((v = value(w, "deltafailed")) != NULL) {
        attempt((uint32_t) atoi(v))->delta_failed = 1;

    } else if ((v = value(w, "tz")) != NULL) {
        t.facts.tz = keep(v, strlen(v));

    } else if (is(w, "full")) {
        t.in.no_delta = 1;

    } else {
        bad(w);
    }
}


static void
place(const char *v)
{
    if (is(v, "-")) {
        memset(&t.location, 0, sizeof(t.location));

    } else if (sscanf(v, "%3[^/]/%60[^/]/%60[^/]", t.location.country,
                      t.location.region, t.location.city)
               == 3)
    {
        t.location.region_code[0] = '\0';
        t.location.tz[0] = '\0';
        t.location.city_id = 0;

    } else {
        bad(v);
    }
}


static void
moment(const char *v)
{
    int  year, month, day, hour, minute;

    if (sscanf(v, "%d-%d-%dT%d:%d", &year, &month, &day, &hour, &minute)
        != 5)
    {
        bad(v);
        return;
    }

    t.in.now = fota_civil_utc(year, month, day, hour * 3600 + minute * 60);
}


static void
context_word(const char *w)
{
    const char  *v;

    if ((v = value(w, "now")) != NULL) {
        moment(v);

    } else if ((v = value(w, "at")) != NULL) {
        place(v);

    } else if ((v = value(w, "lag")) != NULL) {
        t.in.lag = (uint32_t) atoi(v);

    } else if ((v = value(w, "stale")) != NULL) {
        t.in.max_stale = (uint32_t) atoi(v);

    } else if (is(w, "cut")) {
        t.in.cut_off = 1;

    } else if ((v = value(w, "active")) != NULL) {
        t.load.active = (uint32_t) atoi(v);

    } else if ((v = value(w, "sent")) != NULL) {
        t.load.bps = (uint64_t) atoi(v);

    } else if ((v = value(w, "ok")) != NULL) {
        t.load.ok = (uint32_t) atoi(v);

    } else if ((v = value(w, "bad")) != NULL) {
        t.load.failed = (uint32_t) atoi(v);

    } else if (is(w, "brake=global")) {
        t.global.brake = FOTA_BRAKE_OFFERS;

    } else if (is(w, "brake=tenant")) {
        t.tenant.brake = FOTA_BRAKE_OFFERS;

    } else if (is(w, "brake=product")) {
        t.product.brake = FOTA_BRAKE_OFFERS;

    } else {
        bad(w);
    }
}


static void
products(void)
{
    policy_standard(&t);

    policy_artifact(&t, "1.1", "1.2", 100);
    policy_artifact(&t, "1.2", "1.3", 100);

    /* The standard one has a delta that the table has not. */
    t.artifacts[6] = t.artifacts[8];
    t.product.nartifacts--;

    policy_firmware(&t, FOTA_KIND_APP, "a0", false, false);
    policy_firmware(&t, FOTA_KIND_APP, "a1", false, false);
    policy_firmware(&t, FOTA_KIND_APP, "a2", true, false);
    policy_firmware(&t, FOTA_KIND_APP, "a3", false, false);
    policy_firmware(&t, FOTA_KIND_APP, "a4", false, true);

    policy_artifact(&t, NULL, "a0", 1000);
    policy_artifact(&t, NULL, "a1", 1000);
    policy_artifact(&t, NULL, "a2", 1000);
    policy_artifact(&t, NULL, "a3", 1000);
    policy_artifact(&t, NULL, "a4", 1000);
    policy_artifact(&t, "a0", "a3", 100);
    policy_artifact(&t, "a1", "a3", 100);

    t.product.nrollouts = 0;
}


static void
rollouts(char *cell)
{
    char            *w, *save;
    fota_rollout_t  *r;

    r = NULL;

    for (w = strtok_r(cell, " ", &save); w != NULL;
         w = strtok_r(NULL, " ", &save))
    {
        if (is(w, "-")) {
            return;
        }

        if (is(w, "/")) {
            r = NULL;
            continue;
        }

        if (r == NULL) {
            r = policy_rollout(&t, NULL);
        }

        rollout_word(r, w);
    }
}


static void
expect(char *cell)
{
    char         *reason, *version, *form, *save;
    fota_str_t    got;
    const char   *name;

    reason = strtok_r(cell, " ", &save);
    version = strtok_r(NULL, " ", &save);
    form = strtok_r(NULL, " ", &save);

    if (reason == NULL) {
        bad(cell);
        return;
    }

    name = fota_reason_name(policy_run(&t));

    if (!is(name, reason)) {
        fail_msg("%s: got %s", row, name);
    }

    if (version != NULL) {
        got = t.firmware[t.out.path.step].version;

        if (!fota_str_eq(got, fota_cstr(version))) {
            fail_msg("%s: got %.*s", row, (int) got.len, got.data);
        }
    }

    if (form != NULL
        && is(form, "full") != (t.out.path.artifact->from == FOTA_NONE))
    {
        fail_msg("%s: got the other form", row);
    }
}


static void
check_row(char *line)
{
    int          i;
    bool         first;
    char        *cells[CELLS], *w, *save, *bar;
    static char  copy[512];

    snprintf(copy, sizeof(copy), "%s", line);
    row = copy;

    for (i = 0; i < CELLS; i++) {
        cells[i] = line;
        bar = strchr(line, '|');

        if ((bar == NULL) != (i == CELLS - 1)) {
            bad("number of columns");
            return;
        }

        if (bar != NULL) {
            *bar = '\0';
            line = bar + 1;
        }
    }

    products();
    rollouts(cells[0]);

    first = true;

    for (w = strtok_r(cells[1], " ", &save); w != NULL;
         w = strtok_r(NULL, " ", &save))
    {
        device_word(w, first);
        first = false;
    }

    for (w = strtok_r(cells[2], " ", &save); w != NULL;
         w = strtok_r(NULL, " ", &save))
    {
        context_word(w);
    }

    expect(cells[3]);
    policy_close(&t);
}


static void
test_table(void **state)
{
    FILE         *f;
    char          path[512];
    unsigned      rows;
    const char   *top;
    static char   line[512];

    top = getenv("FOTA_TOP");
    snprintf(path, sizeof(path), "%s/tests/unit/policy_table.txt",
             (top == NULL) ? "." : top);

    f = fopen(path, "r");
    assert_non_null(f);

    rows = 0;

    while (fgets(line, sizeof(line), f) != NULL) {
        assert_non_null(strchr(line, '\n'));
        line[strcspn(line, "\n")] = '\0';

        if (line[0] == '\0' || line[0] == '#') {
            continue;
        }

        check_row(line);
        rows++;
    }

    fclose(f);

    assert_true(rows >= ROWS_MIN);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_table)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
