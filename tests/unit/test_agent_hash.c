/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* objects: ngx_fota_module/fota_agent/agent_hash.c */
/* objects: ngx_fota_module/fota_agent/agent_pass.c */
/* objects: ngx_fota_module/fota_agent/agent_state.c */
/* objects: ngx_fota_module/fota_agent/agent_log.c */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "agent_hash.h"


#define SIZE  700001


static fota_agent_t  agent;


static int
setup(void **state)
{
    pthread_condattr_t  attr;

    memset(&agent, 0, sizeof(agent));
    pthread_mutex_init(&agent.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&agent.wake, &attr);

    return 0;
}


/* The same with a pace and without; the place in fd is not asked. */

static void
test_whole_file(void **state)
{
    int                fd;
    char               path[] = "/tmp/fota-hash-XXXXXX";
    size_t             i;
    uint8_t           *data, want[32], hash[32];
    uint64_t           size, begun;
    fota_agent_pace_t  pace;

    static const size_t  sizes[] = { 0, 1, 262144, 262145, SIZE };

    data = malloc(SIZE);
    assert_non_null(data);

    for (i = 0; i < SIZE; i++) {
        data[i] = (uint8_t) (i * 31 + i / 253);
    }

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        fd = mkstemp(path);
        assert_true(fd >= 0);
        unlink(path);
        strcpy(path + sizeof(path) - 7, "XXXXXX");

        assert_int_equal(write(fd, data, sizes[i]), sizes[i]);
        assert_int_equal(fsync(fd), 0);
        assert_int_equal(fota_sha256(want, data, sizes[i]), FOTA_OK);

        size = 0;
        assert_int_equal(fota_agent_hash(&agent, fd, NULL, hash, &size),
                         FOTA_OK);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(hash, want, 32);

        pace.rate = 4 << 20;
        pace.due = 0;
        size = 0;
        begun = fota_agent_mono_ms();
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

        assert_int_equal(fota_agent_hash(&agent, fd, &pace, hash, &size),
                         FOTA_OK);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(hash, want, 32);
        assert_true(fota_agent_mono_ms() - begun + 5
                    >= sizes[i] * 1000 / pace.rate);
        close(fd);
    }

    free(data);
}


static void
test_faults(void **state)
{
    int                fd;
    uint8_t            hash[32];
    uint64_t           size;
    fota_agent_pace_t  pace;

    pace.rate = 1 << 20;
    pace.due = 0;
    size = 0;

    /* Where nothing is mapped the kernel says EIO, as a bad disk does. */

    fd = open("/proc/self/mem", O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fota_agent_hash(&agent, fd, &pace, hash, &size),
                     FOTA_CORRUPT);
    assert_int_equal(fota_agent_hash(&agent, fd, NULL, hash, &size),
                     FOTA_CORRUPT);
    assert_int_equal(size, 0);
    close(fd);

    fd = open("/tmp", O_RDONLY|O_DIRECTORY);
    assert_true(fd >= 0);
    assert_int_equal(fota_agent_hash(&agent, fd, &pace, hash, &size),
                     FOTA_IO);
    close(fd);

    fd = open("/dev/zero", O_RDONLY);
    assert_true(fd >= 0);
    atomic_store(&agent.stop, true);
    assert_int_equal(fota_agent_hash(&agent, fd, &pace, hash, &size),
                     FOTA_BUSY);
    close(fd);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_whole_file, setup),
        cmocka_unit_test_setup(test_faults, setup)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
