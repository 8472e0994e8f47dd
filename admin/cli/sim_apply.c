/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"


extern char  **environ;


static int
fota_sim_hash(const char *path, uint8_t hash[32], uint64_t *size)
{
    int             fd, rc;
    char           *buf;
    ssize_t         n;
    fota_sha256_t  *h;

    *size = 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    buf = malloc(1 << 20);
    h = fota_sha256_new();
    rc = (fd == -1 || buf == NULL || h == NULL) ? FOTA_IO : FOTA_OK;

    while (rc == FOTA_OK) {
        n = read(fd, buf, 1 << 20);

        if (n == 0) {
            rc = fota_sha256_final(h, hash);
            break;
        }

        if (n < 0) {
            rc = (errno == EINTR) ? FOTA_OK : FOTA_IO;
            continue;
        }

        *size += (uint64_t) n;
        rc = fota_sha256_update(h, buf, (size_t) n);
    }

    if (fd != -1) {
        (void) close(fd);
    }

    fota_sha256_free(h);
    free(buf);

    return rc;
}


int
fota_sim_verify(fota_sim_t *sim, const fota_sim_offer_t *offer,
    const char *path, char *err, size_t errlen)
{
    uint8_t          hash[32];
    uint64_t         size;
    fota_manifest_t  m;

    if (fota_sim_hash(path, hash, &size) != FOTA_OK) {
        (void) snprintf(err, errlen, "%s cannot be read", path);
        return FOTA_IO;
    }

    if (size != offer->size || memcmp(hash, offer->hash, 32) != 0) {
        (void) snprintf(err, errlen, "hash or size differs from the offer");
        return FOTA_CORRUPT;
    }

    if (!sim->conf->has_signer) {
        return FOTA_OK;
    }

    /*
     * The manifest is made of what this device knows and of what it hashed,
     * never taken from the answer.
     */
    m.tenant = fota_cstr(sim->conf->tenant);
    m.product = fota_cstr(sim->conf->product);
    m.version = fota_cstr(offer->version);
    m.kind = fota_cstr(offer->kind);
    m.type = fota_cstr(offer->type);
    m.from = fota_cstr(offer->from);
    m.format = fota_cstr(offer->format);
    m.size = size;
    memcpy(m.sha256, hash, 32);

    if (fota_manifest_verify(&m, sim->conf->signer, offer->signature)
        != FOTA_OK)
    {
        (void) snprintf(err, errlen, "the signature does not verify");
        return FOTA_FORGED;
    }

    return FOTA_OK;
}


static int
fota_sim_xdelta(const char *source, const char *delta, const char *out)
{
    int    status;
    pid_t  pid;
    char  *argv[] = { (char *) "xdelta3", (char *) "-d", (char *) "-f",
                      (char *) "-q", (char *) "-B", (char *) "67108864",
                      (char *) "-s", (char *) source, (char *) delta,
                      (char *) out, NULL };

    if (posix_spawnp(&pid, "xdelta3", NULL, NULL, argv, environ) != 0) {
        return FOTA_ERROR;
    }

    while (waitpid(pid, &status, 0) == -1) {
        if (errno != EINTR) {
            return FOTA_ERROR;
        }
    }

    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? FOTA_OK
                                                         : FOTA_ERROR;
}


int
fota_sim_apply(fota_sim_t *sim, const fota_sim_offer_t *offer,
    const char *path, char *err, size_t errlen)
{
    int          rc;
    char         image[FOTA_SIM_PATH_MAX], next[FOTA_SIM_PATH_MAX];
    const char  *source;

    (void) snprintf(image, sizeof(image), "%s/image", sim->conf->dir);
    (void) snprintf(next, sizeof(next), "%s/image.next", sim->conf->dir);

    if (strcmp(offer->type, "full") == 0) {
        rc = rename(path, next) == 0 ? FOTA_OK : FOTA_IO;

    } else if (strcmp(offer->format, "xdelta3") == 0) {
        source = access(image, R_OK) == 0 ? image : sim->conf->image;

        if (source == NULL) {
            (void) snprintf(err, errlen, "no image to apply a delta to: "
                            "name one with --image");
            return FOTA_ERROR;
        }

        rc = fota_sim_xdelta(source, path, next);

    } else {
        (void) snprintf(err, errlen, "cannot apply format %s", offer->format);
        return FOTA_ERROR;
    }

    if (rc != FOTA_OK || rename(next, image) != 0) {
        (void) snprintf(err, errlen, "the %s could not be applied",
                        offer->type);
        (void) unlink(next);
        return FOTA_ERROR;
    }

    (void) unlink(path);

    return FOTA_OK;
}
