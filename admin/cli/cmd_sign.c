/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Signing away from the centre: keys, manifests and signatures are made here
 * and need no network.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli_api.h"
#include "cli_file.h"
#include "cli_sets.h"
#include "fota_encode.h"


static int fota_cmd_key_generate(fota_cli_t *cli);
static int fota_cmd_key_public(fota_cli_t *cli);
static int fota_cmd_manifest(fota_cli_t *cli);
static int fota_cmd_sign_run(fota_cli_t *cli);


static const fota_cli_option_t  fota_key_public[] = {
    { "--hex", NULL, "as hex digits, for device simulate --signer", NULL },
    FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_manifest_options[] = {
    FOTA_CLI_FILE_OPTIONS,
    FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_sign_options[] = {
    { "--secret", "FILE", "the key, see key generate", NULL },
    FOTA_CLI_OPTIONS_END
};


const fota_cli_command_t  fota_cmd_sign[FOTA_CMD_SIGN] = {
    { "key generate", "FILE",
      "Make a signing key; its public half is printed",
      "  fota key generate acme.key",
      fota_key_public, fota_cmd_key_generate, NULL },

    { "key public", "FILE", "The public half of a signing key",
      "  fota key public acme.key\n"
      "  fota device simulate --signer $(fota key public acme.key --hex) ...",
      fota_key_public, fota_cmd_key_public, NULL },

    { "firmware manifest", "FILE",
      "The text that is signed, made of a file without the centre",
      "  fota firmware manifest x1-1.2.0.img --product dashcam-x1 "
      "--version 1.2.0 --tenant acme > 1.2.0.manifest",
      fota_manifest_options, fota_cmd_manifest, NULL },

    { "firmware sign", "MANIFEST",
      "Sign a manifest; prints the signature for upload or artifact "
      "signature",
      "  fota firmware sign 1.2.0.manifest --secret acme.key",
      fota_sign_options, fota_cmd_sign_run, NULL }
};


static int
fota_sign_public(fota_cli_t *cli, const uint8_t pub[32])
{
    char  text[80];

    if (fota_cli_switch(cli, "--hex")) {
        fota_hex_encode(text, pub, 32);
        text[64] = '\0';

    } else {
        text[fota_base64_encode(text, pub, 32)] = '\0';
    }

    if (cli->json) {
        (void) printf("{\"public_key\": \"%s\"}\n", text);

    } else {
        (void) printf("%s\n", text);
    }

    return 0;
}


static int
fota_cmd_key_generate(fota_cli_t *cli)
{
    int      fd;
    bool     ok;
    char     text[65];
    uint8_t  sec[32], pub[32];

    if (cli->nargs != 1) {
        return fota_cli_usage("\"fota key generate\" wants FILE");
    }

    if (fota_ed25519_keygen(sec, pub) != FOTA_OK) {
        return fota_cli_fail("no key could be made");
    }

    /* Never over another key: what it signed could not be renewed. */

    fd = open(cli->args[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd == -1) {
        fota_cleanse(sec, sizeof(sec));
        return fota_cli_fail("\"%s\": %s", cli->args[0], strerror(errno));
    }

    fota_hex_encode(text, sec, 32);
    text[64] = '\n';
    ok = write(fd, text, 65) == 65 && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;

    fota_cleanse(text, sizeof(text));
    fota_cleanse(sec, sizeof(sec));

    return ok ? fota_sign_public(cli, pub)
           : fota_cli_fail("\"%s\" cannot be written", cli->args[0]);
}


static int
fota_cmd_key_public(fota_cli_t *cli)
{
    int      rc;
    uint8_t  sec[32], pub[32];

    if (cli->nargs != 1) {
        return fota_cli_usage("\"fota key public\" wants FILE");
    }

    rc = fota_cli_file_secret(cli->args[0], sec);

    if (rc == 0 && fota_ed25519_public(sec, pub) != FOTA_OK) {
        rc = fota_cli_fail("\"%s\" is no key", cli->args[0]);
    }

    fota_cleanse(sec, sizeof(sec));

    return rc == 0 ? fota_sign_public(cli, pub) : rc;
}


static int
fota_cmd_manifest(fota_cli_t *cli)
{
    int              rc;
    fota_buf_t       text;
    fota_manifest_t  m;
    fota_cli_file_t  f;

    if (cli->nargs != 1 || cli->tenant == NULL) {
        return fota_cli_usage("\"fota firmware manifest\" wants FILE and "
                              "--tenant");
    }

    rc = fota_cli_file_open(cli, &f, cli->args[0]);
    if (rc != 0) {
        return rc;
    }

    rc = fota_cli_file_manifest(cli, &f, &m);

    if (rc == 0) {
        fota_buf_grow(&text, FOTA_MANIFEST_MAX);

        if (fota_manifest_text(&m, &text) != FOTA_OK) {
            rc = fota_cli_fail("a name or version cannot stand in a "
                               "manifest");

        } else {
            (void) fwrite(text.start, 1, text.len, stdout);
        }

        fota_buf_free(&text);
    }

    fota_cli_file_close(&f);

    return rc;
}


static int
fota_cmd_sign_run(fota_cli_t *cli)
{
    int          rc;
    char         text[FOTA_MANIFEST_MAX + 1], out[100];
    FILE        *f;
    size_t       n;
    uint8_t      sec[32], sig[64];
    const char  *secret;

    secret = fota_cli_option(cli, "--secret", NULL);

    if (cli->nargs != 1 || secret == NULL) {
        return fota_cli_usage("\"fota firmware sign\" wants MANIFEST and "
                              "--secret");
    }

    f = strcmp(cli->args[0], "-") == 0 ? stdin : fopen(cli->args[0], "re");
    if (f == NULL) {
        return fota_cli_fail("\"%s\": %s", cli->args[0], strerror(errno));
    }

    n = fread(text, 1, sizeof(text), f);

    if (f != stdin) {
        (void) fclose(f);
    }

    /* A key for firmware must not be talked into signing anything else. */

    if (n > FOTA_MANIFEST_MAX || n < 16
        || memcmp(text, "fota-artifact/1\n", 16) != 0)
    {
        return fota_cli_fail("\"%s\" is no manifest", cli->args[0]);
    }

    rc = fota_cli_file_secret(secret, sec);

    if (rc == 0 && fota_ed25519_sign(sec, fota_slice(text, n), sig)
                   != FOTA_OK)
    {
        rc = fota_cli_fail("it cannot be signed");
    }

    fota_cleanse(sec, sizeof(sec));

    if (rc == 0) {
        out[fota_base64_encode(out, sig, 64)] = '\0';
        (void) printf("%s\n", out);
    }

    return rc;
}
