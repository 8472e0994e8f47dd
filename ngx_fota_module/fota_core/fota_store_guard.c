/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

#include "fota_store_guard.h"


static void fota_store_guard_fault(int sig, siginfo_t *info, void *context);


static __thread sigjmp_buf  *fota_store_guard_jump;

static pthread_once_t        fota_store_guard_once = PTHREAD_ONCE_INIT;
static struct sigaction      fota_store_guard_bus;
static struct sigaction      fota_store_guard_segv;


static void
fota_store_guard_init(void)
{
    struct sigaction  sa;

    /* Left by a jump, a handler that blocks its signal would do so for ever. */

    sa.sa_sigaction = fota_store_guard_fault;
    sa.sa_flags = SA_SIGINFO|SA_NODEFER;
    (void) sigemptyset(&sa.sa_mask);

    (void) sigaction(SIGBUS, &sa, &fota_store_guard_bus);
    (void) sigaction(SIGSEGV, &sa, &fota_store_guard_segv);
}


static void
fota_store_guard_fault(int sig, siginfo_t *info, void *context)
{
    fota_store_guard_leave();

    /* Not ours: it happens again, and is handled as it was before us. */

    (void) sigaction(sig, (sig == SIGBUS) ? &fota_store_guard_bus
                                          : &fota_store_guard_segv, NULL);
}


void
fota_store_guard_leave(void)
{
    if (fota_store_guard_jump != NULL) {
        siglongjmp(*fota_store_guard_jump, 1);
    }
}


int
fota_store_guard(int (*run)(void *data), void *data, int fault)
{
    sigjmp_buf            jump;
    volatile int          rc;
    sigjmp_buf *volatile  outer;

    (void) pthread_once(&fota_store_guard_once, fota_store_guard_init);

    outer = fota_store_guard_jump;
    rc = fault;

    if (sigsetjmp(jump, 0) == 0) {
        fota_store_guard_jump = &jump;
        rc = run(data);
    }

    fota_store_guard_jump = outer;

    return rc;
}
