/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_file.h"
#include "cli_progress.h"
#include "fota_encode.h"


#define FOTA_FILE_BLOCK  (1024 * 1024)


static int
fota_file_hash(fota_cli_t *cli, fota_cli_file_t *f)
{
    int                   rc;
    ssize_t               n;
    uint8_t              *block;
    uint64_t              done;
    fota_sha256_t        *h;
    fota_cli_progress_t   p;

    h = fota_sha256_new();
    block = malloc(FOTA_FILE_BLOCK);
    rc = h == NULL || block == NULL ? FOTA_NOMEM : FOTA_OK;

    fota_cli_progress_start(&p, "hashing", f->size, cli->quiet || cli->json);

    for (done = 0; rc == FOTA_OK && done < f->size; done += (uint64_t) n) {
        n = pread(f->fd, block, FOTA_FILE_BLOCK, (off_t) done);

        if (n <= 0) {
            rc = FOTA_IO;
            break;
        }

        rc = fota_sha256_update(h, block, (size_t) n);
        fota_cli_progress_to(&p, done + (uint64_t) n);
    }

    if (rc == FOTA_OK) {
        rc = fota_sha256_final(h, f->sha256);
    }

    if (p.tty) {
        fota_cli_progress_end(&p);
    }

    fota_sha256_free(h);
    free(block);

    return rc == FOTA_OK ? 0 : fota_cli_fail("\"%s\" cannot be read: %s",
                                             f->path, fota_status_name(rc));
}


int
fota_cli_file_open(fota_cli_t *cli, fota_cli_file_t *f, const char *path)
{
    struct stat  st;

    memset(f, 0, sizeof(*f));
    f->path = path;
    f->fd = open(path, O_RDONLY | O_CLOEXEC);

    if (f->fd == -1 || fstat(f->fd, &st) == -1) {
        fota_cli_file_close(f);
        return fota_cli_fail("\"%s\": %s", path, strerror(errno));
    }

    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        fota_cli_file_close(f);
        return fota_cli_fail("\"%s\" is %s", path, S_ISREG(st.st_mode)
                             ? "empty" : "no file");
    }

    f->size = (uint64_t) st.st_size;

    if (fota_file_hash(cli, f) != 0) {
        fota_cli_file_close(f);
        return 1;
    }

    return 0;
}


void
fota_cli_file_close(fota_cli_file_t *f)
{
    if (f->fd != -1) {
        (void) close(f->fd);
        f->fd = -1;
    }
}


const char *
fota_cli_file_name(const char *path)
{
    const char  *slash = strrchr(path, '/');

    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}


/* "xdelta3" of a name that ends so, "raw" of others. */

static const char *
fota_cli_file_format(const char *path, bool delta)
{
    const char  *dot = strrchr(path, '.');

    if (delta && dot != NULL
        && (strcmp(dot, ".xdelta") == 0 || strcmp(dot, ".xdelta3") == 0
            || strcmp(dot, ".vcdiff") == 0))
    {
        return "xdelta3";
    }

    return "raw";
}


int
fota_cli_file_manifest(fota_cli_t *cli, const fota_cli_file_t *f,
    fota_manifest_t *m)
{
    const char  *from, *version, *product;

    memset(m, 0, sizeof(*m));

    from = fota_cli_option(cli, "--from", NULL);
    version = fota_cli_option(cli, "--version", NULL);
    product = fota_cli_product(cli);

    if (product == NULL) {
        return 2;
    }

    if (version == NULL) {
        return fota_cli_usage("\"fota %s\" wants --version",
                              cli->command->name);
    }

    m->tenant = fota_cstr(cli->tenant);
    m->product = fota_cstr(product);
    m->version = fota_cstr(version);
    m->kind = fota_cstr(fota_cli_option(cli, "--kind", "os"));
    m->type = fota_cstr(from != NULL ? "delta" : "full");
    m->from = from != NULL ? fota_cstr(from) : fota_cstr("");
    m->format = fota_cstr(fota_cli_option(cli, "--format",
                              fota_cli_file_format(f->path, from != NULL)));
    m->size = f->size;
    memcpy(m->sha256, f->sha256, 32);

    return 0;
}


int
fota_cli_file_secret(const char *path, uint8_t sec[32])
{
    int          rc;
    char         text[80];
    FILE        *f;
    size_t       n;
    struct stat  st;

    f = fopen(path, "re");
    if (f == NULL) {
        return fota_cli_fail("\"%s\": %s", path, strerror(errno));
    }

    if (fstat(fileno(f), &st) == 0 && (st.st_mode & 077) != 0) {
        (void) fclose(f);
        return fota_cli_fail("\"%s\" is open to others; chmod 600 it", path);
    }

    n = fread(text, 1, sizeof(text), f);
    (void) fclose(f);

    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r')) {
        n--;
    }

    rc = fota_hex_decode(sec, 32, fota_slice(text, n));
    fota_cleanse(text, sizeof(text));

    return rc == FOTA_OK ? 0
           : fota_cli_fail("\"%s\" holds no 64 hex digits", path);
}
