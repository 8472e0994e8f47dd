/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* objects: admin/server/admin_conf.c admin/server/admin_log.c */

/* The configuration file: defaults, limits, and messages with their line. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "server.h"


#define NEEDED                                                                \
    "listen = /run/a.sock\ndata_dir = /d\nmaster_key_file = /k\n"             \
    "db_socket = /s\n"


static int
load(const char *text, fota_conf_t *conf, char *err)
{
    int    rc, fd;
    char   name[] = "/tmp/fota-conf-XXXXXX", found[512];

    fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
    close(fd);

    found[0] = '\0';
    rc = fota_conf_load(conf, name, found, sizeof(found));
    unlink(name);

    /* Without the name, which differs each time. */

    if (rc != FOTA_OK) {
        assert_memory_equal(found, name, strlen(name));
        strcpy(err, found + strlen(name));
    }

    return rc;
}


static void
test_defaults(void **state)
{
    char            err[512];
    fota_conf_t     conf;
    fota_db_conf_t  db;

    assert_int_equal(load("# comment\n\n" NEEDED, &conf, err), FOTA_OK);
    assert_string_equal(conf.listen, "/run/a.sock");
    assert_int_equal(conf.socket_mode, 0660);
    assert_int_equal(conf.connections, 2048);
    assert_int_equal(conf.upload_max, 64ULL << 30);
    assert_string_equal(conf.log_level, "info");

    fota_conf_db(&conf, &db);
    assert_string_equal(db.socket, "/s");
    assert_null(db.host);
    assert_null(db.tls_ca);
    assert_null(db.password);
    fota_conf_free(&conf);

    assert_int_equal(load("  listen=/x  \ndata_dir\t=\t/d\nmaster_key_file=/k"
                          "\ndb_host = db.example\nupload_max = 5m\n"
                          "db_tls_ca = /ca\n"
                          "socket_mode = 0600\nlog_level = debug", &conf,
                          err), FOTA_OK);
    assert_string_equal(conf.listen, "/x");
    assert_string_equal(conf.data_dir, "/d");
    assert_int_equal(conf.upload_max, 5 << 20);
    assert_int_equal(conf.socket_mode, 0600);
    fota_conf_db(&conf, &db);
    assert_null(db.socket);
    assert_string_equal(db.host, "db.example");
    assert_int_equal(db.port, 3306);
    assert_string_equal(db.tls_ca, "/ca");
    fota_conf_free(&conf);
}


static void
test_errors(void **state)
{
    char         err[512];
    size_t       i;
    fota_conf_t  conf;

    static const struct {
        const char  *text;
        const char  *err;
    } rows[] = {
        { "", ": \"listen\" is missing" },
        { "listen /x\n", ":1: \"key = value\" is wanted" },
        { "\n#\ncolour = red\n", ":3: unknown key \"colour\"" },
        { "listen = /x\nlisten = /y\n", ":2: \"listen\" is given twice" },
        { "listen = x\n", ":1: \"listen\" must be an absolute path" },
        { "listen =\n", ":1: \"listen\" must not be empty" },
        { "connections = many\n", ":1: \"connections\" is not a number" },
        { "connections = 9x\n", ":1: \"connections\" is not a number" },
        { "connections = -9\n", ":1: \"connections\" is not a number" },
        { "connections = 7\n",
          ":1: \"connections\" must be between 8 and 16384" },
        { "connections = 99999999999999999999999\n",
          ":1: \"connections\" is not a number" },
        { "socket_mode = 0888\n", ":1: \"socket_mode\" is not a number" },
        { "socket_mode = 0100\n",
          ":1: \"socket_mode\" must be between 600 and 777" },
        { "upload_max = 1t\n",
          ":1: \"upload_max\" is not a number with k, m or g" },
        { "upload_max = 99999999999g\n",
          ":1: \"upload_max\" must be between 1 and 1125899906842624" },
        { "log_level = loud\n",
          ":1: \"log_level\" is one of error, warn, info, debug" },
        { NEEDED "db_host = h\n",
          ": one of \"db_socket\" and \"db_host\" is needed" },
        { "listen = /x\ndata_dir = /d\nmaster_key_file = /k\n",
          ": one of \"db_socket\" and \"db_host\" is needed" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_not_equal(load(rows[i].text, &conf, err), FOTA_OK);
        assert_string_equal(err, rows[i].err);
        fota_conf_free(&conf);
    }

    assert_int_equal(fota_conf_load(&conf, "/nowhere/x", err, sizeof(err)),
                     FOTA_IO);
    assert_string_equal(err, "/nowhere/x: No such file or directory");
    fota_conf_free(&conf);
}


static void
test_long_line(void **state)
{
    char         err[512], text[6000];
    fota_conf_t  conf;

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    memcpy(text, "listen = /", 10);

    assert_int_equal(load(text, &conf, err), FOTA_LIMIT);
    assert_string_equal(err, ":1: the line is longer than 4094 bytes");
    fota_conf_free(&conf);

    text[2000] = '\n';
    text[2001] = '\0';
    assert_int_equal(load(text, &conf, err), FOTA_LIMIT);
    assert_string_equal(err, ":1: \"listen\" is longer than 107 bytes");
    fota_conf_free(&conf);
}


static void
test_password(void **state)
{
    int          fd;
    char         err[512], name[] = "/tmp/fota-pass-XXXXXX", text[512];
    fota_conf_t  conf;

    fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "pa ss\nmore\n", 11), 11);
    close(fd);

    snprintf(text, sizeof(text), NEEDED "db_password_file = %s\n", name);
    assert_int_equal(load(text, &conf, err), FOTA_OK);
    assert_string_equal(conf.db_password, "pa ss");
    fota_conf_free(&conf);
    unlink(name);

    assert_int_equal(load(text, &conf, err), FOTA_IO);
    fota_conf_free(&conf);
}


static void
test_log_level(void **state)
{
    assert_int_equal(fota_log_level_parse("error"), FOTA_LOG_ERROR);
    assert_int_equal(fota_log_level_parse("debug"), FOTA_LOG_DEBUG);
    assert_int_equal(fota_log_level_parse("Error"), -1);
    assert_int_equal(fota_log_level_parse(""), -1);
}


/* Lines cannot be forged by what they quote. */

static void
test_log_line(void **state)
{
    int    n, i;
    char   name[] = "/tmp/fota-log-XXXXXX", moved[64];
    char   text[8192], big[4000];
    FILE  *f;

    close(mkstemp(name));
    assert_true(fota_log_open(name, FOTA_LOG_INFO));
    fota_log(FOTA_LOG_INFO, "name \"%s\"", "a\n2026 error: forged\x1b[0m");
    fota_log(FOTA_LOG_DEBUG, "not shown");
    memset(big, 'b', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    fota_log(FOTA_LOG_ERROR, "%s", big);
    snprintf(moved, sizeof(moved), "%s.1", name);
    assert_int_equal(rename(name, moved), 0);
    fota_log_reopen();
    fota_log(FOTA_LOG_WARN, "again");

    f = fopen(moved, "r");
    assert_non_null(f);
    n = (int) fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';

    assert_non_null(strstr(text, "info: name \"a?2026 error: forged?[0m\"\n"));
    assert_null(strstr(text, "not shown"));
    assert_null(strstr(text, "again"));

    for (i = 0, n = 0; text[i] != '\0'; i++) {
        n += text[i] == '\n';
    }

    assert_int_equal(n, 2);
    assert_int_equal(text[i - 1], '\n');

    f = fopen(name, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof(text), f));
    assert_non_null(strstr(text, "Z warn: again\n"));
    fclose(f);

    unlink(name);
    unlink(moved);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_log_level),
        cmocka_unit_test(test_log_line)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
