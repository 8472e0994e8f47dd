/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Download tokens that were verified lately.
 *
 * A device fetches an image in hundreds of ranges with one token.  Within one
 * state of policy the same token for the same artifact verifies the same way;
 * only time and denial are asked each time.  Tokens that are bound to a fact
 * of the request, or good once, are never kept.
 */

#include <stdlib.h>

#include "fota_view_int.h"


/* Characters before those that show anything of the MAC. */
#define FOTA_VIEW_TOKEN_OPEN  (40 * 8 / 6)


struct fota_view_token_s {
    uint64_t           txn_id;      /* with generation: state of policy */
    uint64_t           generation;
    fota_view_known_t  known;
    uint8_t            artifact[32];
    char               text[FOTA_TOKEN_TEXT_LEN];
};


/* The end of a good token is a MAC, and so evenly spread. */

static fota_view_token_t *
fota_view_token_slot(fota_view_t *v, fota_str_t text)
{
    uint64_t  end;

    memcpy(&end, text.data + text.len - sizeof(end), sizeof(end));

    return &v->tokens[(end * 0x9e3779b97f4a7c15) >> (64 - FOTA_VIEW_TOKENS)];
}


const fota_view_known_t *
fota_view_token_known(fota_view_t *v, fota_str_t text,
    const uint8_t artifact[32])
{
    fota_view_token_t  *e;

    if (!v->reading || v->tokens == NULL || text.len != FOTA_TOKEN_TEXT_LEN) {
        return NULL;
    }

    e = fota_view_token_slot(v, text);

    /* Of a token only the MAC at its end is nobody's business. */

    if (e->generation != v->generation || e->txn_id != v->txn_id
        || memcmp(e->artifact, artifact, sizeof(e->artifact)) != 0
        || memcmp(e->text, text.data, FOTA_VIEW_TOKEN_OPEN) != 0
        || !fota_crypto_eq(e->text + FOTA_VIEW_TOKEN_OPEN,
                           text.data + FOTA_VIEW_TOKEN_OPEN,
                           FOTA_TOKEN_TEXT_LEN - FOTA_VIEW_TOKEN_OPEN))
    {
        return NULL;
    }

    return &e->known;
}


void
fota_view_token_keep(fota_view_t *v, fota_str_t text,
    const uint8_t artifact[32], const fota_view_known_t *known)
{
    fota_view_token_t  *e;

    if (!v->reading || text.len != FOTA_TOKEN_TEXT_LEN
        || (known->token.flags
            & (FOTA_TOKEN_F_IP|FOTA_TOKEN_F_CERT|FOTA_TOKEN_F_ONCE)))
    {
        return;
    }

    if (v->tokens == NULL) {

        /* Generations begin at 1: zeroed memory is of none. */

        v->tokens = calloc((size_t) 1 << FOTA_VIEW_TOKENS,
                           sizeof(fota_view_token_t));
        if (v->tokens == NULL) {
            return;
        }
    }

    e = fota_view_token_slot(v, text);

    e->txn_id = v->txn_id;
    e->generation = v->generation;
    e->known = *known;
    memcpy(e->artifact, artifact, sizeof(e->artifact));
    memcpy(e->text, text.data, sizeof(e->text));
}
