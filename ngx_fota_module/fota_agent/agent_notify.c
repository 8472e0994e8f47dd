/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "agent_notify.h"
#include "fota_str.h"


/* sd_notify(3): a datagram to the socket that the environment names. */

void
fota_agent_notify(const char *state)
{
    int                  fd;
    size_t               len;
    const char          *path;
    struct sockaddr_un   sun;

    path = getenv("NOTIFY_SOCKET");

    if (path == NULL || (path[0] != '/' && path[0] != '@')
        || (len = strlen(path)) >= sizeof(sun.sun_path))
    {
        return;
    }

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    memcpy(sun.sun_path, path, len);

    /* A name that begins with NUL has no file. */

    if (path[0] == '@') {
        sun.sun_path[0] = '\0';
    }

    fd = socket(AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }

    (void) sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                  (struct sockaddr *) &sun,
                  (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len));

    close(fd);
}


uint64_t
fota_agent_watchdog(void)
{
    uint64_t     usec;
    const char  *value;

    value = getenv("WATCHDOG_USEC");

    if (value == NULL
        || fota_str_u64(fota_cstr(value), UINT64_MAX, &usec) != 0)
    {
        return 0;
    }

    return usec / 1000;
}
