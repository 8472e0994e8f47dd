/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* objects: ngx_fota_module/fota_agent/agent_conf.c */
/* objects: ngx_fota_module/fota_agent/agent_conf_value.c */
/* objects: ngx_fota_module/fota_agent/agent_file.c */
/* objects: ngx_fota_module/fota_agent/agent_log.c */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <unistd.h>
#include <sys/stat.h>

#include "agent_conf.h"
#include "agent_log.h"


#define KEY  "6162636465666768696a6b6c6d6e6f707172737475767778797a303132333435"

#define BASE                                                                  \
    "# a comment\n"                                                           \
    "node = edge-1\n"                                                         \
    "centre = https://centre.example.com:9443/\n"                             \
    "\n"                                                                      \
    "  ca=/etc/ca.pem\n"                                                      \
    "cert = /etc/node.pem\r\n"                                                \
    "key = /etc/node.key   \n"                                                \
    "policy_dir = /var/lib/edge/policy/\n"                                    \
    "store_dir = /var/lib/edge/store\n"                                       \
    "spool_dir = /var/lib/edge/spool\n"                                       \
    "sync_key = 7:" KEY "\n"


static char               err[FOTA_AGENT_ERR_MAX];
static fota_agent_conf_t  conf;


static int
parse(const char *text)
{
    return fota_agent_conf_parse(&conf, "f", fota_cstr(text), err);
}


/* BASE with one line more is refused, and what it says. */

static void
refuses(const char *line, const char *message)
{
    char  text[4096];

    (void) snprintf(text, sizeof(text), BASE "%s\n", line);

    assert_int_equal(parse(text), FOTA_INVALID);

    if (strstr(err, message) == NULL) {
        print_error("\"%s\" is not in \"%s\"\n", message, err);
        fail();
    }

    assert_non_null(strstr(err, "f:12: "));
}


static void
test_defaults(void **state)
{
    assert_int_equal(parse(BASE), FOTA_OK);

    assert_string_equal(conf.node, "edge-1");
    assert_string_equal(conf.centre, "https://centre.example.com:9443");
    assert_string_equal(conf.ca, "/etc/ca.pem");
    assert_string_equal(conf.cert, "/etc/node.pem");
    assert_string_equal(conf.key, "/etc/node.key");
    assert_string_equal(conf.state_dir, "/var/lib/edge/state");
    assert_string_equal(conf.log, "stderr");
    assert_int_equal(conf.log_level, FOTA_AGENT_LOG_INFO);
    assert_int_equal(conf.map_size, 2ULL << 30);
    assert_int_equal(conf.disk_budget, 0);
    assert_int_equal(conf.poll_wait, 25);
    assert_int_equal(conf.scrub_interval, 7 * 24 * 3600);
    assert_int_equal(conf.scrub_rate, 8 << 20);
    assert_int_equal(conf.umask, 0007);
    assert_null(conf.status_socket);
    assert_int_equal(conf.nkeys, 1);

    assert_non_null(fota_agent_conf_key(&conf, 7));
    assert_memory_equal(fota_agent_conf_key(&conf, 7),
                        "abcdefghijklmnopqrstuvwxyz012345", 32);
    assert_null(fota_agent_conf_key(&conf, 8));

    fota_agent_conf_free(&conf);
    fota_agent_conf_free(&conf);
}


static void
test_values(void **state)
{
    assert_int_equal(parse(BASE
                           "state_dir = /s\n"
                           "map_size = 64m\n"
                           "disk_budget = 200g\n"
                           "cap_mbps = 10000\n"
                           "max_transfers = 500\n"
                           "poll_wait = 5\n"
                           "scrub_interval = 0\n"
                           "scrub_rate = 64k\n"
                           "umask = 027\n"
                           "log = /var/log/agent.log\n"
                           "log_level = debug\n"
                           "status_socket = /run/a.sock\n"
                           "status_url = http://127.0.0.1/fota/status\n"
                           "user = edge\ngroup = www-data\n"
                           "sync_key = 8:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXow"
                           "MTIzNDU=\n"
                           "pidfile = /run/a.pid"),
                     FOTA_OK);

    assert_string_equal(conf.state_dir, "/s");
    assert_int_equal(conf.map_size, 64 << 20);
    assert_int_equal(conf.disk_budget, 200ULL << 30);
    assert_int_equal(conf.cap_mbps, 10000);
    assert_int_equal(conf.max_transfers, 500);
    assert_int_equal(conf.poll_wait, 5);
    assert_int_equal(conf.scrub_interval, 0);
    assert_int_equal(conf.scrub_rate, 65536);
    assert_int_equal(conf.umask, 027);
    assert_int_equal(conf.log_level, FOTA_AGENT_LOG_DEBUG);
    assert_string_equal(conf.pidfile, "/run/a.pid");
    assert_int_equal(conf.nkeys, 2);
    assert_memory_equal(fota_agent_conf_key(&conf, 8), conf.keys[0].pub, 32);

    fota_agent_conf_free(&conf);
}


static void
test_errors(void **state)
{
    char  text[2048], longname[200];

    refuses("colour = red", "unknown key \"colour\"");
    refuses("colour", "expected \"key = value\"");
    refuses("= x", "expected \"key = value\"");
    refuses("log =", "\"log\" has no value");
    refuses("node = edge-2", "\"node\" is given twice");
    refuses("user = a b", "without blanks");
    refuses("user = a/b", "without blanks");
    refuses("log = agent.log", "absolute path");
    refuses("state_dir = state", "absolute path");
    refuses("log_level = loud", "error, warn, info or debug");
    refuses("map_size = 1000", "1048576 to");
    refuses("map_size = 2t", "1048576 to");
    refuses("map_size = big", "must be a size");
    refuses("map_size = g", "must be a size");
    refuses("disk_budget = 99999999999999999999g", "must be a size");
    refuses("cap_mbps = -1", "number from 0 to 10000000");
    refuses("max_transfers = x", "number from 0 to 10000000");
    refuses("poll_wait = 0", "number from 1 to 300");
    refuses("poll_wait = 301", "number from 1 to 300");
    refuses("scrub_interval = 1w", "number from 0 to 31622400");
    refuses("scrub_interval = 31622401", "number from 0 to 31622400");
    refuses("scrub_rate = 0", "65536 to 17179869184 bytes");
    refuses("scrub_rate = 65535", "65536 to 17179869184 bytes");
    refuses("scrub_rate = 17g", "65536 to 17179869184 bytes");
    refuses("scrub_rate = fast", "must be a size");
    refuses("umask = 8", "octal");
    refuses("umask = 1000", "octal");
    refuses("umask = -7", "octal");
    refuses("status_url = ftp://x/", "must begin with \"http://\"");
    refuses("status_url = http://", "no URL");
    refuses("status_url = http:///x", "no URL");
    refuses("sync_key = abc", "KID:KEY");
    refuses("sync_key = 65536:" KEY, "KID:KEY");
    refuses("sync_key = 7:" KEY, "key 7 twice");
    refuses("sync_key = 8:abcd", "32 bytes");
    refuses("sync_key = 8:" KEY "00", "32 bytes");
    refuses("sync_key = 8:/nonexistent/key", "cannot read");

    memset(longname, 'n', sizeof(longname));
    longname[sizeof(longname) - 1] = '\0';

    (void) snprintf(text, sizeof(text), "user = %s", longname);
    refuses(text, "longer than 128 bytes");
    (void) snprintf(text, sizeof(text), "status_socket = /%s", longname);
    refuses(text, "longer than 107 bytes");
    (void) snprintf(text, sizeof(text), "%s = 1", longname);
    refuses(text, "expected \"key = value\"");

    memset(text, 'x', sizeof(text));
    memcpy(text, "log = /", 7);
    text[1100] = '\0';
    refuses(text, "\"log\" is longer than 1023 bytes");
}


/* Whatever line is left out is named. */

static void
test_missing(void **state)
{
    char        text[2048], name[64];
    size_t      i;
    const char *at, *end;

    static const char *const  needed[] = {
        "node", "centre", "ca", "cert", "key", "policy_dir", "store_dir",
        "spool_dir", "sync_key"
    };

    for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {

        (void) snprintf(name, sizeof(name), "\n%s%s", needed[i],
                        (strcmp(needed[i], "ca") == 0) ? "=" : " =");

        at = strstr(BASE, name);

        if (at == NULL) {
            (void) snprintf(name, sizeof(name), "\n  %s=", needed[i]);
            at = strstr(BASE, name);
        }

        assert_non_null(at);
        end = strchr(at + 1, '\n');

        (void) snprintf(text, sizeof(text), "%.*s%s", (int) (at - BASE),
                        BASE, end);
        assert_int_equal(parse(text), FOTA_INVALID);

        (void) snprintf(name, sizeof(name), "f: \"%s\" is missing",
                        needed[i]);
        assert_string_equal(err, name);
    }

    assert_int_equal(parse(""), FOTA_INVALID);
}


static void
test_centre_is_https(void **state)
{
    assert_int_equal(parse("centre = http://x\n"), FOTA_INVALID);
    assert_non_null(strstr(err, "https://"));
    assert_int_equal(parse("centre = https://x?y=z\n"), FOTA_INVALID);
    assert_int_equal(parse("centre = https://x y\n"), FOTA_INVALID);
}


static void
test_key_file(void **state)
{
    int          i;
    char         path[] = "/tmp/fota-conf-XXXXXX", text[2048];
    int          fd;

    static const struct {
        const char  *data;
        size_t       len;
        int          rc;
    } cases[] = {
        { "abcdefghijklmnopqrstuvwxyz012345", 32, FOTA_OK },
        { KEY "\n", 65, FOTA_OK },
        { "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU=\n", 45, FOTA_OK },
        { "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU", 43, FOTA_OK },
        { "abcd", 4, FOTA_INVALID },
        { "", 0, FOTA_INVALID }
    };

    fd = mkstemp(path);
    assert_true(fd >= 0);

    for (i = 0; i < (int) (sizeof(cases) / sizeof(cases[0])); i++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, cases[i].data, cases[i].len, 0),
                         cases[i].len);

        (void) snprintf(text, sizeof(text), BASE "sync_key = 9:%s\n", path);
        assert_int_equal(parse(text), cases[i].rc);

        if (cases[i].rc == FOTA_OK) {
            assert_memory_equal(fota_agent_conf_key(&conf, 9),
                                fota_agent_conf_key(&conf, 7), 32);
            fota_agent_conf_free(&conf);
        }
    }

    close(fd);
    unlink(path);
}


static void
test_many_keys(void **state)
{
    int   i;
    char  text[4096];

    strcpy(text, BASE);

    for (i = 100; i < 100 + FOTA_AGENT_KEYS_MAX - 1; i++) {
        (void) snprintf(text + strlen(text), 128, "sync_key = %d:%s\n", i,
                        KEY);
    }

    assert_int_equal(parse(text), FOTA_OK);
    fota_agent_conf_free(&conf);

    strcat(text, "sync_key = 99:" KEY "\n");
    assert_int_equal(parse(text), FOTA_INVALID);
    assert_non_null(strstr(err, "more than 16"));
}


static void
test_size(void **state)
{
    uint64_t  v;

    assert_int_equal(fota_agent_size(fota_cstr("0"), &v), FOTA_OK);
    assert_int_equal(v, 0);
    assert_int_equal(fota_agent_size(fota_cstr("10k"), &v), FOTA_OK);
    assert_int_equal(v, 10240);
    assert_int_equal(fota_agent_size(fota_cstr("3M"), &v), FOTA_OK);
    assert_int_equal(v, 3 << 20);
    assert_int_equal(fota_agent_size(fota_cstr("2T"), &v), FOTA_OK);
    assert_int_equal(v, 2ULL << 40);
    assert_int_equal(fota_agent_size(fota_cstr("18446744073709551615"), &v),
                     FOTA_OK);
    assert_int_equal(fota_agent_size(fota_cstr("17179869184g"), &v),
                     FOTA_LIMIT);
    assert_int_equal(fota_agent_size(fota_cstr(""), &v), FOTA_INVALID);
    assert_int_equal(fota_agent_size(fota_cstr("k"), &v), FOTA_INVALID);
    assert_int_equal(fota_agent_size(fota_cstr("1kk"), &v), FOTA_INVALID);
    assert_int_equal(fota_agent_size(fota_cstr("1 k"), &v), FOTA_INVALID);
}


static void
test_files(void **state)
{
    char  dir[] = "/tmp/fota-conf-XXXXXX", path[128], text[2048];
    FILE *f;

    assert_int_equal(fota_agent_conf_read(&conf, "/nonexistent/x", err),
                     FOTA_NOTFOUND);
    assert_non_null(strstr(err, "cannot read"));

    assert_non_null(mkdtemp(dir));
    (void) snprintf(path, sizeof(path), "%s/node.key", dir);
    f = fopen(path, "w");
    fclose(f);
    assert_int_equal(chmod(path, 0644), 0);

    (void) snprintf(text, sizeof(text),
                    "node=n\ncentre=https://c\nca=%s\ncert=%s\nkey=%s\n"
                    "policy_dir=%s/p\nstore_dir=%s/s\nspool_dir=%s/r\n"
                    "sync_key=1:" KEY "\n", path, path, path, dir, dir, dir);

    assert_int_equal(parse(text), FOTA_OK);
    assert_int_equal(fota_agent_conf_check(&conf, err), FOTA_INVALID);
    assert_non_null(strstr(err, "can be read by others"));

    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(fota_agent_conf_check(&conf, err), FOTA_OK);

    conf.group = strdup("no-such-group-here");
    assert_int_equal(fota_agent_conf_check(&conf, err), FOTA_INVALID);
    free(conf.group);
    conf.group = NULL;
    conf.user = strdup("no-such-user-here");
    assert_int_equal(fota_agent_conf_check(&conf, err), FOTA_INVALID);

    free(conf.store_dir);
    conf.store_dir = strdup(path);
    assert_int_equal(fota_agent_conf_check(&conf, err), FOTA_IO);
    assert_non_null(strstr(err, "store_dir"));

    unlink(path);
    assert_int_equal(fota_agent_conf_check(&conf, err), FOTA_IO);

    fota_agent_conf_free(&conf);
    rmdir(dir);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_centre_is_https),
        cmocka_unit_test(test_key_file),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_files)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
