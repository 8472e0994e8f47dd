/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * One closed set of results for every core function.  Foreign codes (errno,
 * LMDB, OpenSSL, libmaxminddb) are mapped at the one file that includes the
 * foreign library and never travel further.
 */

#ifndef FOTA_STATUS_H
#define FOTA_STATUS_H


typedef enum {
    FOTA_OK = 0,
    FOTA_ERROR = -1,            /* unspecific failure, see the log */
    FOTA_NOMEM = -2,            /* the allocator said no */
    FOTA_INVALID = -3,          /* input breaks the grammar or a rule */
    FOTA_LIMIT = -4,            /* input is well-formed but over a limit */
    FOTA_NOTFOUND = -5,
    FOTA_EXISTS = -6,
    FOTA_TRUNCATED = -7,        /* bytes end too early */
    FOTA_CORRUPT = -8,          /* checksum, magic or structure is wrong */
    FOTA_TOO_NEW = -9,          /* record or database of an unknown version */
    FOTA_FULL = -10,            /* disk, map or buffer is full */
    FOTA_STALE = -11,           /* older than what we hold, or lag too big */
    FOTA_EXPIRED = -12,         /* token: outside nbf..exp */
    FOTA_UNKNOWN_KEY = -13,     /* token or signature: no such key id */
    FOTA_FORGED = -14,          /* MAC or signature does not verify */
    FOTA_SCOPE = -15,           /* token: not for this node, device or file */
    FOTA_BINDING = -16,         /* token: wrong address or certificate */
    FOTA_REVOKED = -17,         /* token: on the deny list */
    FOTA_IO = -18,              /* system call failed */
    FOTA_BUSY = -19,            /* try again later */
    FOTA_DIVERGED = -20         /* sync: epoch or chain does not match */
} fota_status_e;


/*
 * Stable lower-case word of a status ("ok", "truncated", ...), for logs,
 * metrics and problem documents.  Static storage; never NULL.
 */
const char *fota_status_name(fota_status_e st);


#endif /* FOTA_STATUS_H */
