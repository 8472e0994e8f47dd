/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "agent_fetch.h"
#include "agent_file.h"
#include "agent_notify.h"
#include "agent_policy.h"
#include "agent_status.h"
#include "agent_tally.h"
#include "agent_wrap.h"


#define FOTA_AGENT_CONF   "/etc/fota-edge/fota-agent.conf"
#define FOTA_AGENT_TICK   1000      /* ms */


typedef struct {
    const char  *conf;
    bool         test;
    bool         status;
    bool         json;
} fota_agent_args_t;

typedef struct {
    pthread_t     thread;
    void       *(*body)(void *arg);
    bool          started;
} fota_agent_thread_t;


static int fota_agent_usage(FILE *out, int rc);
static int fota_agent_args(int argc, char **argv, fota_agent_args_t *a);
static int fota_agent_become(fota_agent_t *agent);
static int fota_agent_dirs(fota_agent_t *agent);
static int fota_agent_alone(fota_agent_t *agent);
static int fota_agent_pid(const fota_agent_conf_t *conf);
static int fota_agent_init(fota_agent_t *agent);
static void fota_agent_loop(fota_agent_t *agent, const sigset_t *set);
static int fota_agent_run(fota_agent_t *agent);


static int
fota_agent_usage(FILE *out, int rc)
{
    fprintf(out,
        "Usage: fota-agent [-c FILE] [-t]\n"
        "       fota-agent status [-c FILE] [--json]\n"
        "\n"
        "Keeps an edge node in step with the centre: policy, artifacts,\n"
        "reports.  Runs in the foreground.\n"
        "\n"
        "  -c FILE   configuration (" FOTA_AGENT_CONF ")\n"
        "  -t        test the configuration and exit\n"
        "  -V, --version\n"
        "            print the version and exit\n"
        "\n"
        "SIGTERM ends it, SIGHUP opens the log anew.\n");

    return rc;
}


/* -1: go on; else the exit code. */

static int
fota_agent_args(int argc, char **argv, fota_agent_args_t *a)
{
    int  i;

    memset(a, 0, sizeof(fota_agent_args_t));
    a->conf = FOTA_AGENT_CONF;

    for (i = 1; i < argc; i++) {

        if (strcmp(argv[i], "status") == 0) {
            a->status = true;

        } else if (strcmp(argv[i], "--json") == 0) {
            a->json = true;

        } else if (strcmp(argv[i], "-t") == 0) {
            a->test = true;

        } else if (strcmp(argv[i], "-c") == 0) {

            if (++i == argc) {
                fprintf(stderr, "fota-agent: \"-c\" wants a file\n");
                return 2;
            }

            a->conf = argv[i];

        } else if (strcmp(argv[i], "-V") == 0
                   || strcmp(argv[i], "--version") == 0)
        {
            printf("fota-agent " FOTA_RELEASE "\n");
            return 0;

        } else if (strcmp(argv[i], "-h") == 0
                   || strcmp(argv[i], "--help") == 0)
        {
            return fota_agent_usage(stdout, 0);

        } else {
            fprintf(stderr, "fota-agent: unknown argument \"%s\"\n",
                    argv[i]);
            return fota_agent_usage(stderr, 2);
        }
    }

    return -1;
}


/* Directories, with the group that nginx has as well. */

static int
fota_agent_dirs(fota_agent_t *agent)
{
    int     rc;
    char    part[PATH_MAX];
    size_t  i;

    const struct {
        const char  *path;
        mode_t       mode;
        gid_t        gid;
    } dirs[] = {
        { agent->conf.policy_dir, 02770, agent->gid },
        { agent->conf.store_dir, 02770, agent->gid },
        { agent->conf.spool_dir, 02770, agent->gid },
        { agent->conf.state_dir, 0700, (gid_t) -1 },
        { part, 0700, (gid_t) -1 }
    };

    if (!fota_agent_file_path(part, agent->conf.store_dir, ".part")) {
        return FOTA_LIMIT;
    }

    for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        rc = fota_agent_file_mkdir(dirs[i].path, dirs[i].mode, dirs[i].gid);

        if (rc != FOTA_OK) {
            fprintf(stderr, "fota-agent: cannot create %s: %s\n",
                    dirs[i].path, strerror(errno));
            return rc;
        }
    }

    return FOTA_OK;
}


/* Directories are made by root, all else by whom the configuration names. */

static int
fota_agent_become(fota_agent_t *agent)
{
    int             rc;
    size_t          i;
    struct group   *gr;
    struct passwd  *pw;

    agent->gid = (gid_t) -1;

    if (agent->conf.group != NULL) {
        gr = getgrnam(agent->conf.group);

        if (gr == NULL) {
            fprintf(stderr, "fota-agent: unknown group \"%s\"\n",
                    agent->conf.group);
            return FOTA_INVALID;
        }

        agent->gid = gr->gr_gid;
    }

    (void) umask(agent->conf.umask);

    rc = fota_agent_dirs(agent);

    if (rc != FOTA_OK || agent->conf.user == NULL || geteuid() != 0) {
        return rc;
    }

    pw = getpwnam(agent->conf.user);

    if (pw == NULL) {
        fprintf(stderr, "fota-agent: unknown user \"%s\"\n",
                agent->conf.user);
        return FOTA_INVALID;
    }

    const char *const  owned[] = {
        agent->conf.policy_dir, agent->conf.store_dir, agent->conf.spool_dir,
        agent->conf.state_dir
    };

    for (i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
        if (chown(owned[i], pw->pw_uid, (gid_t) -1) != 0) {
            fprintf(stderr, "fota-agent: cannot give %s to %s: %s\n",
                    owned[i], agent->conf.user, strerror(errno));
            return FOTA_IO;
        }

        /* chown() takes the set-group-id bit away. */

        (void) chmod(owned[i], (owned[i] == agent->conf.state_dir) ? 0700
                                                                  : 02770);
    }

    {
        char  part[PATH_MAX];

        if (fota_agent_file_path(part, agent->conf.store_dir, ".part")) {
            (void) !chown(part, pw->pw_uid, (gid_t) -1);
        }
    }

    if (initgroups(agent->conf.user, pw->pw_gid) != 0
        || setgid((agent->gid != (gid_t) -1) ? agent->gid : pw->pw_gid) != 0
        || setuid(pw->pw_uid) != 0)
    {
        fprintf(stderr, "fota-agent: cannot become %s: %s\n",
                agent->conf.user, strerror(errno));
        return FOTA_IO;
    }

    return FOTA_OK;
}


/* Two agents would each take the other's work for a crash's leavings. */

static int
fota_agent_alone(fota_agent_t *agent)
{
    int   fd;
    char  path[PATH_MAX];

    if (!fota_agent_file_path(path, agent->conf.state_dir, "lock")) {
        return FOTA_LIMIT;
    }

    fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC, 0600);

    if (fd < 0) {
        fprintf(stderr, "fota-agent: cannot open %s: %s\n", path,
                strerror(errno));
        return FOTA_IO;
    }

    /* Held until the process ends. */

    if (flock(fd, LOCK_EX|LOCK_NB) != 0) {
        fprintf(stderr, "fota-agent: another agent works in %s\n",
                agent->conf.state_dir);
        close(fd);
        return FOTA_BUSY;
    }

    return FOTA_OK;
}


static int
fota_agent_pid(const fota_agent_conf_t *conf)
{
    char  text[32];
    int   n;

    if (conf->pidfile == NULL) {
        return FOTA_OK;
    }

    n = snprintf(text, sizeof(text), "%ld\n", (long) getpid());

    if (fota_agent_file_replace(conf->pidfile, 0644,
                                fota_slice(text, (size_t) n))
        != FOTA_OK)
    {
        fprintf(stderr, "fota-agent: cannot write %s: %s\n", conf->pidfile,
                strerror(errno));
        return FOTA_IO;
    }

    return FOTA_OK;
}


static int
fota_agent_init(fota_agent_t *agent)
{
    char                  keys[PATH_MAX];
    pthread_condattr_t    attr;
    fota_agent_fetch_t   *fetch;

    if (!fota_agent_file_path(keys, agent->conf.state_dir, "keys.json")) {
        return FOTA_LIMIT;
    }

    fetch = calloc(1, sizeof(fota_agent_fetch_t));
    if (fetch == NULL) {
        return FOTA_NOMEM;
    }

    (void) pthread_mutex_init(&agent->lock, NULL);
    (void) pthread_mutex_init(&fetch->lock, NULL);
    (void) pthread_condattr_init(&attr);
    (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void) pthread_cond_init(&agent->wake, &attr);
    (void) pthread_condattr_destroy(&attr);

    agent->fetch = fetch;
    agent->policy = fota_agent_policy_new(&agent->conf, agent->gid);
    agent->wrap = fota_agent_wrap_new(keys);

    agent->tally = fota_agent_tally_new(agent->conf.policy_dir);

    if (agent->policy == NULL || agent->wrap == NULL || agent->tally == NULL)
    {
        return FOTA_NOMEM;
    }

    if (fota_crypto_selftest() != FOTA_OK
        || fota_agent_http_init() != FOTA_OK)
    {
        fprintf(stderr, "fota-agent: cryptographic self-test failed\n");
        return FOTA_ERROR;
    }

    return FOTA_OK;
}


/* Signals come here alone: they are blocked in all threads. */

static void
fota_agent_loop(fota_agent_t *agent, const sigset_t *set)
{
    int              signo;
    uint64_t         watchdog, told, now;
    struct timespec  tick;

    watchdog = fota_agent_watchdog();
    told = 0;

    for ( ;; ) {
        tick.tv_sec = FOTA_AGENT_TICK / 1000;
        tick.tv_nsec = 0;

        signo = sigtimedwait(set, NULL, &tick);

        switch (signo) {

        case SIGTERM:
        case SIGINT:
        case SIGQUIT:
            fota_agent_log(FOTA_AGENT_LOG_INFO, "agent", "signal %d: stopping",
                           signo);
            return;

        case SIGHUP:
            fota_agent_log_reopen();
            fota_agent_log(FOTA_AGENT_LOG_INFO, "agent", "log opened anew");
            break;

        default:
            break;
        }

        now = fota_agent_mono_ms();

        if (watchdog != 0 && now - told >= watchdog / 3) {
            told = now;

            /* A lock that is never given back is what it is to find. */

            pthread_mutex_lock(&agent->lock);
            pthread_mutex_unlock(&agent->lock);

            fota_agent_notify("WATCHDOG=1");
        }
    }
}


static int
fota_agent_run(fota_agent_t *agent)
{
    int        rc;
    size_t     i;
    sigset_t   set;

    fota_agent_thread_t  threads[] = {
        { 0, fota_agent_sync_thread, false },
        { 0, fota_agent_fetch_thread, false },
        { 0, fota_agent_fetch_thread, false },
        { 0, fota_agent_upload_thread, false },
        { 0, fota_agent_heartbeat_thread, false },
        { 0, fota_agent_scrub_thread, false },
        { 0, fota_agent_status_thread, false }
    };

    (void) signal(SIGPIPE, SIG_IGN);
    (void) signal(SIGXFSZ, SIG_IGN);

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGHUP);
    (void) pthread_sigmask(SIG_BLOCK, &set, NULL);

    fota_agent_log(FOTA_AGENT_LOG_INFO, "agent",
                   "fota-agent " FOTA_RELEASE ", node %s, centre %s",
                   agent->conf.node, agent->conf.centre);

    rc = FOTA_OK;

    for (i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {

        if (threads[i].body == fota_agent_status_thread
            && agent->conf.status_socket == NULL)
        {
            continue;
        }

        if (pthread_create(&threads[i].thread, NULL, threads[i].body, agent)
            != 0)
        {
            fota_agent_log(FOTA_AGENT_LOG_ERROR, "agent",
                           "cannot start a thread");
            rc = FOTA_ERROR;
            break;
        }

        threads[i].started = true;
    }

    if (rc == FOTA_OK) {
        fota_agent_notify("READY=1");
        fota_agent_loop(agent, &set);
        fota_agent_notify("STOPPING=1");
    }

    atomic_store(&agent->stop, true);
    fota_agent_wake(agent);

    for (i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
        if (threads[i].started) {
            (void) pthread_join(threads[i].thread, NULL);
        }
    }

    if (agent->conf.pidfile != NULL) {
        (void) unlink(agent->conf.pidfile);
    }

    fota_agent_log(FOTA_AGENT_LOG_INFO, "agent", "stopped");

    return rc;
}


int
main(int argc, char **argv)
{
    int                  rc;
    char                 err[FOTA_AGENT_ERR_MAX];
    fota_agent_args_t    args;

    static fota_agent_t  agent;

    rc = fota_agent_args(argc, argv, &args);
    if (rc != -1) {
        return rc;
    }

    if (fota_agent_conf_read(&agent.conf, args.conf, err) != FOTA_OK) {
        fprintf(stderr, "fota-agent: %s\n", err);
        return 1;
    }

    if (args.status) {
        if (agent.conf.status_socket == NULL) {
            fprintf(stderr, "fota-agent: %s: \"status_socket\" is not set\n",
                    args.conf);
            return 1;
        }

        rc = fota_agent_status_show(agent.conf.status_socket, args.json);
        fota_agent_conf_free(&agent.conf);
        return rc;
    }

    if (fota_agent_conf_check(&agent.conf, err) != FOTA_OK) {
        fprintf(stderr, "fota-agent: %s: %s\n", args.conf, err);
        return 1;
    }

    if (args.test) {
        printf("fota-agent: %s is ok\n", args.conf);
        return 0;
    }

    if (fota_agent_become(&agent) != FOTA_OK
        || fota_agent_alone(&agent) != FOTA_OK
        || fota_agent_pid(&agent.conf) != FOTA_OK
        || fota_agent_init(&agent) != FOTA_OK)
    {
        return 1;
    }

    if (fota_agent_log_open(agent.conf.log, agent.conf.log_level) != 0) {
        fprintf(stderr, "fota-agent: cannot open %s: %s\n", agent.conf.log,
                strerror(errno));
        return 1;
    }

    rc = fota_agent_run(&agent);

    fota_agent_policy_free(agent.policy);
    fota_agent_wrap_free(agent.wrap);
    fota_agent_tally_free(agent.tally);
    free(agent.fetch->jobs);
    free(agent.fetch);
    fota_agent_conf_free(&agent.conf);

    return (rc == FOTA_OK) ? 0 : 1;
}
