/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <jansson.h>

#include "agent_file.h"
#include "agent_policy.h"
#include "agent_status.h"
#include "agent_tally.h"


static int fota_agent_status_socket(const char *path, bool listening);
static json_t *fota_agent_status_faults(fota_agent_t *agent);
static json_t *fota_agent_status_pass(const fota_agent_pass_t *pass);
static void fota_agent_status_scrub(const json_t *scrub, json_int_t now);


static int
fota_agent_status_socket(const char *path, bool listening)
{
    int                  fd, saved;
    struct sockaddr_un   sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    (void) snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }

    if (listening) {
        (void) unlink(path);

        if (bind(fd, (struct sockaddr *) &sun, sizeof(sun)) == 0
            && chmod(path, 0660) == 0 && listen(fd, 16) == 0)
        {
            return fd;
        }

    } else if (connect(fd, (struct sockaddr *) &sun, sizeof(sun)) == 0) {
        return fd;
    }

    saved = errno;
    close(fd);
    errno = saved;

    return -1;
}


void *
fota_agent_status_thread(void *arg)
{
    int             fd, peer;
    char           *text;
    json_t         *doc;
    fota_agent_t   *agent;
    struct pollfd   pfd;

    agent = arg;

    fd = fota_agent_status_socket(agent->conf.status_socket, true);

    if (fd < 0) {
        fota_agent_log(FOTA_AGENT_LOG_ERROR, "status",
                       "cannot listen at %s: %s", agent->conf.status_socket,
                       strerror(errno));
        return NULL;
    }

    pfd.fd = fd;
    pfd.events = POLLIN;

    while (!fota_agent_stopping(agent)) {

        if (poll(&pfd, 1, 500) <= 0) {
            continue;
        }

        peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        if (peer < 0) {
            continue;
        }

        doc = fota_agent_status_json(agent);
        text = (doc == NULL) ? NULL : json_dumps(doc, JSON_COMPACT);

        if (text != NULL) {
            (void) send(peer, text, strlen(text), MSG_NOSIGNAL);
        }

        json_decref(doc);
        free(text);
        close(peer);
    }

    close(fd);
    (void) unlink(agent->conf.status_socket);

    return NULL;
}


static json_t *
fota_agent_status_faults(fota_agent_t *agent)
{
    json_t              *list, *item;
    size_t               i;
    fota_agent_fault_t  *f;

    list = json_array();

    for (i = 0; i < FOTA_AGENT__N; i++) {
        f = &agent->faults[i];

        if (f->count == 0) {
            continue;
        }

        item = json_pack("{s:s,s:b,s:I,s:I,s:s%}",
                         "part", fota_agent_part_name((unsigned) i),
                         "now", (int) f->now,
                         "when", (json_int_t) f->when,
                         "count", (json_int_t) f->count,
                         "text", f->text, strlen(f->text));

        if (item != NULL) {
            (void) json_array_append_new(list, item);
        }
    }

    return list;
}


static json_t *
fota_agent_status_pass(const fota_agent_pass_t *pass)
{
    if (pass->begun == 0) {
        return json_null();
    }

    return json_pack("{s:I,s:I,s:I,s:I,s:I}",
                     "begun", (json_int_t) pass->begun,
                     "ended", (json_int_t) pass->ended,
                     "files", (json_int_t) pass->files,
                     "bytes", (json_int_t) pass->bytes,
                     "bad", (json_int_t) pass->bad);
}


json_t *
fota_agent_status_json(fota_agent_t *agent)
{
    char                       epoch[17];
    json_t                    *doc, *tables, *errors;
    size_t                     i;
    uint64_t                   now, age, counts[FOTA_SYNC__N];
    fota_agent_policy_info_t   info;

    (void) fota_agent_policy_info(agent->policy, &info);

    now = fota_agent_now_ms();

    (void) snprintf(epoch, sizeof(epoch), "%016llx",
                    (unsigned long long) info.meta.epoch);

    tables = json_object();

    for (i = 1; i < FOTA_T__N; i++) {
        (void) json_object_set_new(tables,
                           fota_table_name((fota_table_e) i),
                           json_integer((json_int_t) info.stat.entries[i]));
    }

    errors = json_object();
    fota_agent_tally_errors(agent->tally, counts);

    for (i = 0; i < FOTA_SYNC__N; i++) {
        (void) json_object_set_new(errors,
                           fota_sync_error_name((fota_sync_error_e) i),
                           json_integer((json_int_t) counts[i]));
    }

    pthread_mutex_lock(&agent->lock);

    age = (agent->spool_oldest != 0 && now > agent->spool_oldest)
          ? (now - agent->spool_oldest) / 1000 : 0;

    doc = json_pack("{s:s,s:s,s:s,s:b,s:I,"
                    "s:{s:b,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o},"
                    "s:{s:I,s:I,s:I,s:I,s:I},"
                    "s:{s:I,s:o,s:o},"
                    "s:{s:I,s:I,s:I,s:I,s:I,s:I},"
                    "s:I,s:o,s:o}",
                    "version", FOTA_RELEASE,
                    "node", agent->conf.node,
                    "centre", agent->conf.centre,
                    "connected", (int) agent->connected,
                    "contact", (json_int_t) agent->contact,
                    "policy",
                    "open", (int) info.open,
                    "epoch", epoch,
                    "seq", (json_int_t) info.meta.seq,
                    "head", (json_int_t) agent->head,
                    "fresh", (json_int_t) info.meta.fresh,
                    "generation", (json_int_t) info.generation,
                    "used", (json_int_t) info.stat.used,
                    "map_size", (json_int_t) info.stat.map_size,
                    "free_pages", (json_int_t) info.stat.free_pages,
                    "readers", (json_int_t) info.stat.readers,
                    "tables", tables,
                    "artifacts",
                    "wanted", (json_int_t) agent->artifacts,
                    "missing", (json_int_t) agent->missing,
                    "used", (json_int_t) agent->store_used,
                    "budget", (json_int_t) agent->conf.disk_budget,
                    "free", (json_int_t)
                            fota_agent_file_avail(agent->conf.store_dir),
                    "scrub",
                    "interval", (json_int_t) agent->conf.scrub_interval,
                    "pass", fota_agent_status_pass(&agent->pass),
                    "last", fota_agent_status_pass(&agent->passed),
                    "spool",
                    "segments", (json_int_t) agent->spool_segments,
                    "bytes", (json_int_t) agent->spool_bytes,
                    "records", (json_int_t) agent->spool_records,
                    "oldest_s", (json_int_t) age,
                    "uploaded", (json_int_t) agent->uploaded,
                    "refused", (json_int_t) agent->refused,
                    "egress_bps", (json_int_t) agent->egress_bps,
                    "faults", fota_agent_status_faults(agent),
                    "sync_errors", errors);

    pthread_mutex_unlock(&agent->lock);

    return doc;
}


static void
fota_agent_status_size(const char *label, const json_t *v)
{
    double       n;
    size_t       i;

    static const char *const  units[] = {
        "B", "KiB", "MiB", "GiB", "TiB"
    };

    n = (double) json_integer_value(v);

    for (i = 0; n >= 1024 && i < 4; i++) {
        n /= 1024;
    }

    printf("%s%.*f %s", label, (i == 0) ? 0 : 1, n, units[i]);
}


static void
fota_agent_status_scrub(const json_t *scrub, json_int_t now)
{
    json_t  *pass, *last;

    pass = json_object_get(scrub, "pass");
    last = json_object_get(scrub, "last");

    printf("\nscrub       ");

#define num(o, k)  ((long long) json_integer_value(json_object_get(o, k)))

    if (json_is_object(last)) {
        printf("last ended %lld s ago after %lld s: %lld files, ",
               (long long) now - num(last, "ended"),
               num(last, "ended") - num(last, "begun"), num(last, "files"));
        fota_agent_status_size("", json_object_get(last, "bytes"));
        printf(", %lld bad", num(last, "bad"));

    } else {
        printf("none has ended yet");
    }

    if (num(scrub, "interval") == 0) {
        printf(", switched off");

    } else if (json_is_object(pass) && num(pass, "ended") == 0) {
        printf("\n            under way for %lld s: %lld files, ",
               (long long) now - num(pass, "begun"), num(pass, "files"));
        fota_agent_status_size("", json_object_get(pass, "bytes"));
        printf(", %lld bad", num(pass, "bad"));
    }

#undef num
}


/* For people; scripts take --json. */

static void
fota_agent_status_print(const json_t *doc)
{
    json_t      *p, *a, *s, *f;
    size_t       i;
    json_int_t   now, seq, fresh, contact;

    p = json_object_get(doc, "policy");
    a = json_object_get(doc, "artifacts");
    s = json_object_get(doc, "spool");

#define text(o, k)  json_string_value(json_object_get(o, k))
#define num(o, k)   json_integer_value(json_object_get(o, k))
#define is(o, k)    json_is_true(json_object_get(o, k))

    now = (json_int_t) (fota_agent_now_ms() / 1000);
    seq = num(p, "seq");
    fresh = num(p, "fresh");
    contact = num(doc, "contact") / 1000;

    printf("node        %s, agent %s\n", text(doc, "node"),
           text(doc, "version"));
    printf("centre      %s, %s", text(doc, "centre"),
           is(doc, "connected") ? "connected" : "NOT connected");

    if (contact != 0) {
        printf(", last answer %lld s ago", (long long) (now - contact));
    }

    if (is(p, "open")) {
        printf("\npolicy      epoch %s, seq %lld of %lld, generation %lld\n",
               text(p, "epoch"), (long long) seq,
               (long long) ((num(p, "head") > seq) ? num(p, "head") : seq),
               (long long) num(p, "generation"));
        printf("            known to be current %lld s ago\n",
               (long long) (now - fresh));
        fota_agent_status_size("            ", json_object_get(p, "used"));
        fota_agent_status_size(" of ", json_object_get(p, "map_size"));
        printf(", %lld readers\n", (long long) num(p, "readers"));

    } else {
        printf("\npolicy      none yet\n");
    }

    printf("artifacts   %lld of %lld present, ",
           (long long) (num(a, "wanted") - num(a, "missing")),
           (long long) num(a, "wanted"));
    fota_agent_status_size("", json_object_get(a, "used"));

    if (num(a, "budget") != 0) {
        fota_agent_status_size(" of ", json_object_get(a, "budget"));
    }

    fota_agent_status_size(", disk has ", json_object_get(a, "free"));

    fota_agent_status_scrub(json_object_get(doc, "scrub"), now);

    printf("\nspool       about %lld records in %lld segments, ",
           (long long) num(s, "records"), (long long) num(s, "segments"));
    fota_agent_status_size("", json_object_get(s, "bytes"));
    printf(", oldest %lld s\n", (long long) num(s, "oldest_s"));
    printf("            %lld uploaded, %lld set aside since start\n",
           (long long) num(s, "uploaded"), (long long) num(s, "refused"));

    json_array_foreach(json_object_get(doc, "faults"), i, f) {
        printf("%-11s %s (%lld s ago, %lld in all%s)\n", text(f, "part"),
               text(f, "text"), (long long) (now - num(f, "when") / 1000),
               (long long) num(f, "count"), is(f, "now") ? "" : ", over");
    }

#undef text
#undef num
#undef is
}


int
fota_agent_status_show(const char *path, bool json)
{
    int       fd;
    char      block[4096];
    json_t   *doc;
    ssize_t   n;
    fota_buf_t  text;

    fd = fota_agent_status_socket(path, false);

    if (fd < 0) {
        fprintf(stderr, "fota-agent: cannot reach the agent at %s: %s\n",
                path, strerror(errno));
        return 1;
    }

    fota_buf_grow(&text, 1 << 20);

    while ((n = read(fd, block, sizeof(block))) > 0) {
        fota_buf_put(&text, block, (size_t) n);
    }

    close(fd);

    doc = json_loadb((const char *) text.start, text.len, 0, NULL);
    fota_buf_free(&text);

    if (doc == NULL) {
        fprintf(stderr, "fota-agent: the agent gave no answer\n");
        return 1;
    }

    if (json) {
        (void) json_dumpf(doc, stdout, JSON_INDENT(2));
        printf("\n");

    } else {
        fota_agent_status_print(doc);
    }

    json_decref(doc);

    return 0;
}
