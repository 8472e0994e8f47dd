/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Files as a crash leaves them whole. */

#ifndef FOTA_AGENT_FILE_H
#define FOTA_AGENT_FILE_H


#include <sys/types.h>

#include "fota_buf.h"


/*
 * Whole file into a growing buffer, freed by the caller.  FOTA_NOTFOUND,
 * FOTA_LIMIT above max bytes, FOTA_IO (errno is kept).
 */
int fota_agent_file_read(const char *path, size_t max, fota_buf_t *out);

/*
 * Written beside it, fsynced and renamed, the directory fsynced.  FOTA_FULL,
 * FOTA_IO; the old file is then as it was.
 */
int fota_agent_file_replace(const char *path, mode_t mode, fota_str_t data);

/* All of n bytes.  FOTA_FULL, FOTA_IO. */
int fota_agent_file_write(int fd, const void *data, size_t n);

/* FOTA_FULL for a full disk or quota, else FOTA_IO. */
int fota_agent_file_errno(int err);

int fota_agent_file_sync_dir(const char *dir);

/* Creates parents as well; gid -1 = as it is.  Existing ones keep mode. */
int fota_agent_file_mkdir(const char *dir, mode_t mode, gid_t gid);

/* A directory with the files in it, one level of directories below. */
void fota_agent_file_rmdir(const char *dir);

/* Bytes that may be written to the file system of path; 0 when unknown. */
uint64_t fota_agent_file_avail(const char *path);

/* path = "dir/name"; false when it does not fit PATH_MAX bytes. */
bool fota_agent_file_path(char *path, const char *dir, const char *name);


#endif /* FOTA_AGENT_FILE_H */
