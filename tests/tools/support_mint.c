/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Tokens of every kind, right and wrong ones, as "name=value" arguments. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fota_encode.h"
#include "fota_token.h"
#include "support_spec.h"


/* Value of "name=..." or def. */

static const char *
arg(int argc, char **argv, const char *name, const char *def)
{
    int     i;
    size_t  n;

    n = strlen(name);

    for (i = 0; i < argc; i++) {
        if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=') {
            return argv[i] + n + 1;
        }
    }

    if (def == NULL) {
        spec_die("\"%s=\" is missing", name);
    }

    return def;
}


static void
known(int argc, char **argv, const char *names)
{
    int      i;
    json_t  *obj;
    char    *eq;

    obj = json_object();

    for (i = 0; i < argc; i++) {
        eq = strchr(argv[i], '=');

        if (eq == NULL) {
            spec_die("\"%s\": not name=value", argv[i]);
        }

        json_object_set_new(obj, strndupa(argv[i], (size_t) (eq - argv[i])),
                            json_true());
    }

    spec_known(obj, "arguments", names);
    json_decref(obj);
}


static uint64_t
number(int argc, char **argv, const char *name, uint64_t def, uint64_t max)
{
    uint64_t     n;
    const char  *text;

    text = arg(argc, argv, name, "");

    if (text[0] == '\0') {
        return def;
    }

    if (fota_str_u64(fota_cstr(text), max, &n) != FOTA_OK) {
        spec_die("\"%s=%s\": not a number up to %llu", name, text,
                 (unsigned long long) max);
    }

    return n;
}


static bool
hex(int argc, char **argv, const char *name, uint8_t *out, size_t n)
{
    const char  *text;

    text = arg(argc, argv, name, "");

    if (text[0] == '\0') {
        return false;
    }

    if (fota_hex_decode(out, n, fota_cstr(text)) != FOTA_OK) {
        spec_die("\"%s=\": not %zu hex digits", name, 2 * n);
    }

    return true;
}


/* 64 hex digits, or the 43 characters of the URL. */

static void
artifact(int argc, char **argv, uint8_t out[32])
{
    size_t       n;
    const char  *text;

    text = arg(argc, argv, "artifact", NULL);

    if (strlen(text) == 64
        && fota_hex_decode(out, 32, fota_cstr(text)) == FOTA_OK)
    {
        return;
    }

    if (fota_base64url_decode(out, 32, fota_cstr(text), &n) != FOTA_OK
        || n != 32)
    {
        spec_die("\"artifact=\": neither hex nor base64url of a SHA-256");
    }
}


int
mint_token(int argc, char **argv)
{
    char               text[FOTA_TOKEN_TEXT_LEN + 1];
    uint8_t            root[32], key[32], sha256[32], addr[16], cert[32];
    uint64_t           at;
    const char        *device, *ip;
    fota_hmac_t       *hmac;
    fota_token_t       t;
    fota_token_ctx_t   ctx;

    known(argc, argv, "root scope kid artifact tenant device deployment "
          "flags class nbf exp ttl ip plen cert nonce flip");

    memset(&t, 0, sizeof(t));
    memset(&ctx, 0, sizeof(ctx));

    if (!hex(argc, argv, "root", root, 32)) {
        spec_die("\"root=\" is missing");
    }

    artifact(argc, argv, sha256);

    t.flags = (uint8_t) number(argc, argv, "flags", 0, 255);
    t.kid = (uint16_t) number(argc, argv, "kid", 1, UINT16_MAX);
    t.nbf = (uint32_t) number(argc, argv, "nbf", (uint64_t) time(NULL),
                              UINT32_MAX);
    t.exp = (uint32_t) number(argc, argv, "exp",
                              t.nbf + number(argc, argv, "ttl", 3600,
                                             UINT32_MAX),
                              UINT32_MAX);
    t.tenant = (uint32_t) number(argc, argv, "tenant", 1, UINT32_MAX);
    t.deployment = (uint32_t) number(argc, argv, "deployment", 1,
                                     UINT32_MAX);
    t.scope = (uint16_t) number(argc, argv, "scope", 0, UINT16_MAX);
    t.rate_class = (uint8_t) number(argc, argv, "class", 0, 255);

    device = arg(argc, argv, "device", "dev-0");

    if (fota_token_device_tag(t.device, t.tenant, fota_cstr(device))
        != FOTA_OK
        || (!hex(argc, argv, "nonce", t.nonce, 8)
            && fota_random(t.nonce, 8) != FOTA_OK))
    {
        spec_die("no SHA-256 or no randomness");
    }

    ctx.artifact = sha256;
    ctx.now = t.nbf;
    ctx.scope = t.scope;

    ip = arg(argc, argv, "ip", "");

    if (ip[0] != '\0') {
        if (fota_addr_parse(fota_cstr(ip), addr) != FOTA_OK) {
            spec_die("\"ip=%s\": no address", ip);
        }

        t.flags |= FOTA_TOKEN_F_IP;
        t.ip_plen = (uint8_t) number(argc, argv, "plen", 120, 128);
        ctx.addr = addr;
    }

    if (hex(argc, argv, "cert", cert, 32)) {
        t.flags |= FOTA_TOKEN_F_CERT;
        ctx.cert = cert;
    }

    if (fota_token_key(key, root, t.scope) != FOTA_OK) {
        spec_die("no key");
    }

    hmac = fota_hmac_new(key, sizeof(key));

    if (hmac == NULL || fota_token_mint(hmac, &t, &ctx, text) != FOTA_OK) {
        spec_die("the token cannot be made");
    }

    fota_hmac_free(hmac);

    /* A character changed: forged, or out of form when it is the first. */

    at = number(argc, argv, "flip", FOTA_TOKEN_TEXT_LEN,
                FOTA_TOKEN_TEXT_LEN);

    if (at < FOTA_TOKEN_TEXT_LEN) {
        text[at] = (text[at] == 'A') ? 'B' : 'A';
    }

    text[FOTA_TOKEN_TEXT_LEN] = '\0';
    puts(text);

    return 0;
}


int
mint_device_token(int argc, char **argv)
{
    char          text[FOTA_DEVICE_TOKEN_LEN + 1];
    uint8_t       key[32];
    uint32_t      tenant;
    const char   *device;
    fota_hmac_t  *hmac;

    known(argc, argv, "key tenant device");

    if (!hex(argc, argv, "key", key, 32)) {
        spec_die("\"key=\" is missing");
    }

    tenant = (uint32_t) number(argc, argv, "tenant", 1, UINT32_MAX);
    device = arg(argc, argv, "device", NULL);
    hmac = fota_hmac_new(key, sizeof(key));

    if (hmac == NULL
        || fota_device_token(hmac, tenant, fota_cstr(device), text)
           != FOTA_OK)
    {
        spec_die("the token cannot be made");
    }

    fota_hmac_free(hmac);

    text[FOTA_DEVICE_TOKEN_LEN] = '\0';
    puts(text);

    return 0;
}
