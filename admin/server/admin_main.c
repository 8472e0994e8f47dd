/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* The program fota-admin: commands, start, signals, stop. */


#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin_init.h"
#include "fota_encode.h"
#include "fota_release.h"
#include "jobs.h"
#include "migrate.h"
#include "secret.h"


#define FOTA_ADMIN_CONF  "/etc/fota/fota-admin.conf"


static const char  fota_usage[] =
    "usage: fota-admin COMMAND [-c FILE]\n"
    "\n"
    "  serve                answer requests until SIGTERM\n"
    "  migrate [--plan]     bring the database to this program's schema\n"
    "  init [--new-token]   make keys and the first API token, print it once\n"
    "  sync-key [--next | --activate]\n"
    "                       print the public keys that agents must trust;\n"
    "                       make the next one, or begin to sign with it\n"
    "  routes               print method, path and permission of each route\n"
    "  -t                   test the configuration file\n"
    "  -V                   print the version\n"
    "\n"
    "FILE defaults to " FOTA_ADMIN_CONF ".\n"
    "SIGUSR1 opens the log again.\n";


static int fota_main_serve(fota_server_t *server);
static int fota_main_migrate(fota_server_t *server, bool plan);
static int fota_main_init(fota_server_t *server, bool another);
static int fota_main_rotate(fota_server_t *server, bool activate);
static int fota_main_sync_key(fota_server_t *server);
static int fota_main_routes(void);
static bool fota_main_master(fota_server_t *server);
static bool fota_main_dirs(fota_server_t *server);
static int fota_main_database(fota_server_t *server, const sigset_t *set);


int64_t
fota_now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


void
fota_object_path(const fota_server_t *server, const uint8_t sha256[32],
    char *out)
{
    char  hex[65];

    fota_hex_encode(hex, sha256, 32);
    hex[64] = '\0';

    snprintf(out, 4096, "%s/objects/%s", server->conf.data_dir, hex);
}


int
main(int argc, char **argv)
{
    int            c, rc;
    bool           test, plan, another, next, activate;
    char           err[512];
    const char    *file, *command;
    fota_server_t  server;
    fota_db_conf_t  db;

    static const struct option  options[] = {
        { "plan", no_argument, NULL, 'p' },
        { "new-token", no_argument, NULL, 'n' },
        { "next", no_argument, NULL, 'k' },
        { "activate", no_argument, NULL, 'a' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 }
    };

    file = FOTA_ADMIN_CONF;
    test = false;
    plan = false;
    another = false;
    next = false;
    activate = false;

    while ((c = getopt_long(argc, argv, "c:thV", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            file = optarg;
            break;
        case 't':
            test = true;
            break;
        case 'p':
            plan = true;
            break;
        case 'n':
            another = true;
            break;
        case 'k':
            next = true;
            break;
        case 'a':
            activate = true;
            break;
        case 'h':
            fputs(fota_usage, stdout);
            return 0;
        case 'V':
            puts("fota-admin " FOTA_RELEASE);
            return 0;
        default:
            fputs(fota_usage, stderr);
            return 2;
        }
    }

    command = optind < argc ? argv[optind] : test ? "" : "help";

    if (strcmp(command, "routes") == 0) {
        return fota_main_routes();
    }

    if (optind + 1 < argc || (next && activate)
        || ((next || activate) && strcmp(command, "sync-key") != 0)
        || (command[0] != '\0' && strcmp(command, "serve") != 0
            && strcmp(command, "migrate") != 0
            && strcmp(command, "init") != 0
            && strcmp(command, "sync-key") != 0))
    {
        fputs(fota_usage, stderr);
        return 2;
    }

    memset(&server, 0, sizeof(server));
    rc = fota_conf_load(&server.conf, file, err, sizeof(err));

    if (rc != FOTA_OK) {
        fprintf(stderr, "fota-admin: %s\n", err);
        fota_conf_free(&server.conf);
        return 1;
    }

    if (test) {
        rc = fota_main_master(&server) ? 0 : 1;

        if (rc == 0) {
            fprintf(stderr, "fota-admin: %s is good\n", file);
        }

        fota_conf_free(&server.conf);
        return rc;
    }

    if (fota_crypto_selftest() != FOTA_OK) {
        fprintf(stderr, "fota-admin: the crypto library fails its test "
                "vectors\n");
        return 1;
    }

    fota_conf_db(&server.conf, &db);

    /* A change of a large table takes its time. */

    if (strcmp(command, "migrate") == 0) {
        db.timeout_s = 86400;
    }

    rc = fota_db_pool_create(&server.db, &db);

    if (rc != FOTA_OK) {
        fprintf(stderr, "fota-admin: %s\n", fota_status_name(rc));
        return 1;
    }

    if (strcmp(command, "serve") == 0) {
        rc = fota_main_serve(&server);

    } else if (strcmp(command, "migrate") == 0) {
        rc = fota_main_migrate(&server, plan);

    } else if (strcmp(command, "init") == 0) {
        rc = fota_main_init(&server, another);

    } else {
        rc = next || activate ? fota_main_rotate(&server, activate) : 0;
        rc = rc == 0 ? fota_main_sync_key(&server) : rc;
    }

    fota_db_pool_destroy(server.db);
    fota_cleanse(server.master, sizeof(server.master));
    fota_conf_free(&server.conf);

    return rc;
}


static bool
fota_main_master(fota_server_t *server)
{
    char  err[512];

    if (fota_secret_master(server->conf.master_key_file, server->master, err,
                           sizeof(err))
        != FOTA_OK)
    {
        fprintf(stderr, "fota-admin: %s\n", err);
        return false;
    }

    return true;
}


static bool
fota_main_dirs(fota_server_t *server)
{
    char    path[4096];
    size_t  i;

    static const char *const  names[] = {
        "", "/objects", "/uploads", "/snapshots"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", server->conf.data_dir, names[i]);

        /* nginx reads the objects through its group. */

        if (mkdir(path, 0750) != 0 && errno != EEXIST) {
            fota_log(FOTA_LOG_ERROR, "cannot make \"%s\": %s", path,
                     strerror(errno));
            return false;
        }

        if (access(path, R_OK | W_OK | X_OK) != 0) {
            fota_log(FOTA_LOG_ERROR, "cannot use \"%s\": %s", path,
                     strerror(errno));
            return false;
        }
    }

    return true;
}


/* A descriptor for each connection, a few more for files and the database. */

static void
fota_main_files(const fota_server_t *server)
{
    rlim_t         want;
    struct rlimit  lim;

    want = 2 * server->conf.connections + server->conf.db_connections + 256;

    if (getrlimit(RLIMIT_NOFILE, &lim) != 0 || lim.rlim_cur >= want) {
        return;
    }

    lim.rlim_cur = lim.rlim_max < want ? lim.rlim_max : want;

    if (setrlimit(RLIMIT_NOFILE, &lim) != 0 || lim.rlim_cur < want) {
        fota_log(FOTA_LOG_WARN, "%llu open files are allowed, %llu are "
                 "wanted for %llu connections",
                 (unsigned long long) lim.rlim_cur,
                 (unsigned long long) want,
                 (unsigned long long) server->conf.connections);
    }
}


/* Waits for the database; FOTA_BUSY when a signal ends the waiting. */

static int
fota_main_database(fota_server_t *server, const sigset_t *set)
{
    int              rc;
    bool             told;
    fota_db_t       *db;
    fota_migrate_t   m;
    struct timespec  second = { 1, 0 };

    told = false;

    for ( ;; ) {
        db = fota_db_get(server->db);

        if (db != NULL) {
            rc = fota_migrate_check(db, &m);
            fota_db_put(server->db, db);

            if (rc != FOTA_IO) {
                break;
            }
        }

        if (!told) {
            fota_log(FOTA_LOG_WARN, "waiting for the database: %s",
                     fota_db_connect_error());
            told = true;
        }

        rc = sigtimedwait(set, NULL, &second);

        if (rc == SIGTERM || rc == SIGINT) {
            return FOTA_BUSY;
        }
    }

    if (rc != FOTA_OK) {
        fota_log(FOTA_LOG_ERROR, "%s", m.error);
    }

    return rc;
}


static int
fota_main_serve(fota_server_t *server)
{
    int       rc, sig;
    sigset_t  set;

    if (!fota_log_open(server->conf.log_file,
                       fota_log_level_parse(server->conf.log_level)))
    {
        fprintf(stderr, "fota-admin: cannot open \"%s\": %s\n",
                server->conf.log_file, strerror(errno));
        return 1;
    }

    if (!fota_main_master(server) || !fota_main_dirs(server)) {
        return 1;
    }

    /* Blocked before any thread exists, so that only sigwait() sees them. */

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);

    server->started = fota_now_ms();
    fota_main_files(server);

    rc = fota_main_database(server, &set);
    if (rc != FOTA_OK) {
        return rc == FOTA_BUSY ? 0 : 1;
    }

    if (fota_jobs_start != NULL && fota_jobs_start(server) != FOTA_OK) {
        return 1;
    }

    rc = fota_http_start(server, server->conf.listen,
                         (unsigned) server->conf.connections);
    if (rc == FOTA_OK) {
        fota_log(FOTA_LOG_INFO, "serving on \"%s\"", server->conf.listen);

        do {
            if (sigwait(&set, &sig) != 0) {
                sig = SIGTERM;
            }

            if (sig == SIGUSR1) {
                fota_log_reopen();
            }

        } while (sig == SIGUSR1);

        fota_log(FOTA_LOG_INFO, "stopping");
    }

    atomic_store(&server->stop, true);
    fota_http_stop(server);

    if (fota_jobs_stop != NULL) {
        fota_jobs_stop(server);
    }

    if (rc == FOTA_OK) {
        fota_log(FOTA_LOG_INFO, "stopped");
    }

    return rc == FOTA_OK ? 0 : 1;
}


static void
fota_main_line(const char *line)
{
    printf("%s\n", line);
}


static fota_db_t *
fota_main_db(fota_server_t *server)
{
    fota_db_t  *db;

    db = fota_db_get(server->db);

    if (db == NULL) {
        fprintf(stderr, "fota-admin: the database cannot be reached: %s\n",
                fota_db_connect_error());
    }

    return db;
}


static int
fota_main_migrate(fota_server_t *server, bool plan)
{
    int             rc;
    size_t          i;
    fota_db_t      *db;
    fota_migrate_t  m;

    db = fota_main_db(server);
    if (db == NULL) {
        return 1;
    }

    if (plan) {
        rc = fota_migrate_check(db, &m);

        for (i = 0; rc == FOTA_STALE && i < fota_schema_nsteps; i++) {
            if (fota_schema_steps[i].number > m.have) {
                printf("would apply %s\n", fota_schema_steps[i].name);
            }
        }

        rc = rc == FOTA_STALE ? FOTA_OK : rc;

    } else {
        rc = fota_migrate_run(db, &m, fota_main_line);
    }

    fota_db_put(server->db, db);

    if (rc != FOTA_OK) {
        fprintf(stderr, "fota-admin: %s\n", m.error);
        return 1;
    }

    printf("the schema is at step %u%s\n", m.have,
           m.have < m.want ? ", not changed" : "");

    return 0;
}


static int
fota_main_init(fota_server_t *server, bool another)
{
    int         rc;
    char        token[FOTA_CREDENTIAL_MAX], err[512];
    fota_db_t  *db;

    if (!fota_main_master(server)) {
        return 1;
    }

    db = fota_main_db(server);
    if (db == NULL) {
        return 1;
    }

    rc = fota_admin_init(server, db, another, token, err, sizeof(err));
    fota_db_put(server->db, db);

    if (rc != FOTA_OK) {
        fprintf(stderr, "fota-admin: %s\n", err);
        return 1;
    }

    if (token[0] != '\0') {
        printf("%s\n", token);
        fprintf(stderr, "This token of the platform is shown only now.\n");

    } else {
        fprintf(stderr, "Nothing to do; --new-token makes another token.\n");
    }

    fota_cleanse(token, sizeof(token));

    return 0;
}


static int
fota_main_rotate(fota_server_t *server, bool activate)
{
    int         rc;
    char        err[512];
    fota_db_t  *db;

    if (!fota_main_master(server)) {
        return 1;
    }

    db = fota_main_db(server);
    if (db == NULL) {
        return 1;
    }

    rc = fota_sync_key_rotate(server, db, activate, err, sizeof(err));
    fota_db_put(server->db, db);

    if (rc != FOTA_OK) {
        fprintf(stderr, "fota-admin: %s\n", err);
    }

    return rc == FOTA_OK ? 0 : 1;
}


static int
fota_main_sync_key(fota_server_t *server)
{
    int           rc;
    char          text[64];
    fota_db_t    *db;
    fota_str_t    pub;
    fota_rows_t  *rows;

    db = fota_main_db(server);
    if (db == NULL) {
        return 1;
    }

    rc = fota_db_query(db, &rows, "SELECT kid, public_key FROM secret_key"
                       " WHERE kind = 100 AND scope = 0 ORDER BY kid", "");

    if (rc == FOTA_OK) {
        while ((rc = fota_db_row(rows)) == FOTA_OK) {
            pub = fota_db_str(rows, 1);

            if (pub.len == 32) {
                text[fota_base64_encode(text, pub.data, 32)] = '\0';
                printf("%u %s\n", (unsigned) fota_db_u64(rows, 0), text);
            }
        }

        fota_db_rows_end(rows);
    }

    fota_db_put(server->db, db);

    return rc == FOTA_NOTFOUND ? 0 : 1;
}


static int
fota_main_routes(void)
{
    size_t               i, j;
    const char          *who;
    const fota_route_t  *r;

    for (i = 0; i < fota_route_nsets; i++) {
        for (j = 0; fota_route_sets[i] != NULL && j < fota_route_sets[i]->n;
             j++)
        {
            r = &fota_route_sets[i]->routes[j];

            who = r->flags & FOTA_ROUTE_PUBLIC ? "public"
                  : r->flags & FOTA_ROUTE_NODE ? "node" : r->permission;

            printf("%s %s %s%s\n", r->method, r->path,
                   who != NULL ? who : "any",
                   r->flags & FOTA_ROUTE_PLATFORM ? " platform" : "");
        }
    }

    return 0;
}
