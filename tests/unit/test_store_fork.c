/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <signal.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "support_store.h"


/* Child processes say one byte when they come to a point, and wait for one. */

typedef struct {
    pid_t  pid;
    int    up[2];
    int    down[2];
} child_t;


static void
say(int fd)
{
    if (write(fd, "x", 1) != 1) {
        _exit(99);
    }
}


static void
hear(int fd)
{
    char  c;

    if (read(fd, &c, 1) != 1) {
        _exit(98);
    }
}


static void
spawn(child_t *c, void (*body)(child_t *c))
{
    assert_int_equal(pipe(c->up), 0);
    assert_int_equal(pipe(c->down), 0);

    c->pid = fork();

    if (c->pid == 0) {
        alarm(30);
        body(c);
        _exit(0);
    }
}


static void
await(child_t *c)
{
    char  b;

    assert_int_equal(read(c->up[0], &b, 1), 1);
}


static int
finish(child_t *c)
{
    int  status;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);

    close(c->up[0]);
    close(c->up[1]);
    close(c->down[0]);
    close(c->down[1]);

    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}


static void
child_grows(child_t *c)
{
    char           key[16];
    size_t         i;
    fota_txn_t    *txn;
    fota_store_t  *st;

    static uint8_t  value[100000];

    st = open_store(false, 64 * MIB);
    if (st == NULL || fota_store_write_begin(st, &txn) != FOTA_OK) {
        _exit(1);
    }

    for (i = 0; i < 100; i++) {
        (void) snprintf(key, sizeof(key), "big%03zu", i);

        if (fota_txn_put(txn, FOTA_T_PRODUCT, fota_cstr(key),
                         fota_slice(value, sizeof(value)))
            != FOTA_OK)
        {
            _exit(2);
        }
    }

    if (fota_txn_commit(txn) != FOTA_OK) {
        _exit(3);
    }

    say(c->up[1]);
    hear(c->down[0]);

    put(st, "after", "grown");

    fota_store_close(st);
}


static void
test_map_grows_under_reader(void **state)
{
    child_t            c;
    fota_str_t         value;
    fota_store_t      *st;
    fota_store_stat_t  sb;

    st = open_store(false, MIB);
    put(st, "k", "1");
    fota_store_close(st);

    /* The reader keeps its transaction over the growth. */

    st = open_store(true, MIB);
    assert_true(holds(st, "k", "1"));

    spawn(&c, child_grows);
    await(&c);

    assert_int_equal(fota_store_read_begin(st, NULL), FOTA_OK);
    assert_int_equal(fota_store_get(st, FOTA_T_PRODUCT, fota_cstr("big099"),
                                    &value),
                     FOTA_OK);
    assert_int_equal(value.len, 100000);
    fota_store_read_end(st);

    assert_int_equal(fota_store_stat(st, &sb), FOTA_OK);
    assert_true(sb.map_size > 10 * MIB);
    assert_true(sb.used > 10 * 1000 * 1000);
    assert_int_equal(sb.entries[FOTA_T_PRODUCT], 101);
    assert_int_equal(sb.entries[FOTA_T_DEVICE], 0);

    say(c.down[1]);
    assert_int_equal(finish(&c), 0);
    assert_true(holds(st, "after", "grown"));

    fota_store_close(st);
}


static void
child_reads_for_ever(child_t *c)
{
    fota_store_t  *st;

    st = open_store(true, 0);
    if (st == NULL || fota_store_read_begin(st, NULL) != FOTA_OK) {
        _exit(1);
    }

    say(c->up[1]);
    pause();
}


static void
churn(fota_store_t *st, unsigned rounds)
{
    unsigned     i;
    fota_txn_t  *txn;

    static uint8_t  value[100000];

    for (i = 0; i < rounds; i++) {
        assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);
        assert_int_equal(fota_txn_put(txn, FOTA_T_PRODUCT, fota_cstr("k"),
                                      fota_slice(value, sizeof(value))),
                         FOTA_OK);
        assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    }
}


static uint32_t
readers(fota_store_t *st)
{
    fota_store_stat_t  sb;

    assert_int_equal(fota_store_stat(st, &sb), FOTA_OK);

    return sb.readers;
}


static void
test_killed_reader(void **state)
{
    child_t        c;
    uint32_t       dead;
    fota_store_t  *st;

    st = open_store(false, 4 * MIB);
    put(st, "k", "1");

    spawn(&c, child_reads_for_ever);
    await(&c);

    /* stat itself reads, hence two; a living reader is not reaped */

    assert_int_equal(readers(st), 2);
    assert_int_equal(fota_store_reap(st, &dead), FOTA_OK);
    assert_int_equal(dead, 0);
    assert_int_equal(readers(st), 2);

    kill(c.pid, SIGKILL);
    assert_int_equal(finish(&c), 256 + SIGKILL);

    assert_int_equal(readers(st), 2);
    assert_int_equal(fota_store_reap(st, &dead), FOTA_OK);
    assert_int_equal(dead, 1);
    assert_int_equal(readers(st), 1);

    /* With its pages pinned 100 rounds would need 10 MB of a 4 MiB map. */

    spawn(&c, child_reads_for_ever);
    await(&c);
    kill(c.pid, SIGKILL);
    assert_int_equal(finish(&c), 256 + SIGKILL);

    churn(st, 100);

    fota_store_close(st);
}


static void
child_dies_writing(child_t *c)
{
    fota_txn_t    *txn;
    fota_store_t  *st;

    st = open_store(false, MIB);

    if (st == NULL || fota_store_write_begin(st, &txn) != FOTA_OK
        || fota_txn_put(txn, FOTA_T_PRODUCT, fota_cstr("k"), fota_cstr("2"))
           != FOTA_OK)
    {
        _exit(1);
    }

    say(c->up[1]);
    pause();
}


static void
test_killed_writer(void **state)
{
    child_t        c;
    fota_store_t  *st;

    st = open_store(false, MIB);
    put(st, "k", "1");

    spawn(&c, child_dies_writing);
    await(&c);

    kill(c.pid, SIGKILL);
    assert_int_equal(finish(&c), 256 + SIGKILL);

    assert_true(holds(st, "k", "1"));
    put(st, "k", "3");
    assert_true(holds(st, "k", "3"));

    fota_store_close(st);
}


static fota_store_t  *inherited;


static void
child_inherits(child_t *c)
{
    fota_txn_t    *txn;
    fota_store_t  *st;

    if (fota_store_read_begin(inherited, NULL) != FOTA_ERROR
        || fota_store_write_begin(inherited, &txn) != FOTA_ERROR)
    {
        _exit(1);
    }

    fota_store_close(inherited);

    st = open_store(true, 0);
    if (st == NULL || st == inherited || !holds(st, "k", "1")) {
        _exit(2);
    }

    fota_store_close(st);
}


/* An environment must not be used over fork(): the child gets its own. */

static void
test_fork(void **state)
{
    child_t   c;
    uint32_t  dead;

    inherited = open_store(false, MIB);
    put(inherited, "k", "1");
    assert_int_equal(fota_store_read_begin(inherited, NULL), FOTA_OK);
    fota_store_read_end(inherited);

    spawn(&c, child_inherits);
    assert_int_equal(finish(&c), 0);

    /* The parent's slot and lock are as they were. */

    assert_int_equal(fota_store_reap(inherited, &dead), FOTA_OK);
    assert_int_equal(dead, 0);
    assert_true(holds(inherited, "k", "1"));
    put(inherited, "k", "2");
    assert_true(holds(inherited, "k", "2"));

    fota_store_close(inherited);
}


static void
child_meets_limit(child_t *c)
{
    int             rc;
    size_t          i;
    fota_txn_t     *txn;
    fota_store_t   *st;
    struct rlimit   limit;

    static uint8_t  data[50000];

    (void) signal(SIGXFSZ, SIG_IGN);

    st = open_store(false, 16 * MIB);
    put(st, "k", "1");

    limit.rlim_cur = 200000;
    limit.rlim_max = 200000;

    if (setrlimit(RLIMIT_FSIZE, &limit) != 0
        || fota_store_write_begin(st, &txn) != FOTA_OK)
    {
        _exit(1);
    }

    for (i = 0; i < 20; i++) {
        data[0] = (uint8_t) i;

        if (fota_txn_put(txn, FOTA_T_PRODUCT, fota_slice(data, 1),
                         fota_slice(data, sizeof(data)))
            != FOTA_OK)
        {
            _exit(2);
        }
    }

    rc = fota_txn_commit(txn);

    if (rc != FOTA_FULL && rc != FOTA_IO) {
        _exit(3);
    }

    if (!holds(st, "k", "1")) {
        _exit(4);
    }

    fota_store_close(st);
}


/* A file that cannot grow: the commit fails and the old state is there. */

static void
test_file_limit(void **state)
{
    child_t        c;
    fota_store_t  *st;

    spawn(&c, child_meets_limit);
    assert_int_equal(finish(&c), 0);

    st = open_store(false, 16 * MIB);
    assert_true(holds(st, "k", "1"));
    put(st, "k", "2");
    assert_true(holds(st, "k", "2"));
    fota_store_close(st);
}


#define test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_map_grows_under_reader),
        test(test_killed_reader),
        test(test_killed_writer),
        test(test_fork),
        test(test_file_limit)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
