/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <limits.h>
#include <stdlib.h>

#include "agent_file.h"
#include "agent_spool.h"


#define FOTA_AGENT_CURSOR_MAX    (64 << 20)
#define FOTA_AGENT_CURSOR_HEAD   "fota-cursor/1\n"


static fota_agent_mark_t *fota_agent_cursor_find(const fota_agent_cursor_t *c,
    const fota_spool_segment_t *id);


static fota_agent_mark_t *
fota_agent_cursor_find(const fota_agent_cursor_t *c,
    const fota_spool_segment_t *id)
{
    size_t  i;

    for (i = 0; i < c->n; i++) {
        if (c->marks[i].id.boot == id->boot
            && c->marks[i].id.worker == id->worker
            && c->marks[i].id.number == id->number)
        {
            return &c->marks[i];
        }
    }

    return NULL;
}


uint64_t
fota_agent_cursor_get(const fota_agent_cursor_t *c,
    const fota_spool_segment_t *id)
{
    fota_agent_mark_t  *m;

    m = fota_agent_cursor_find(c, id);

    return (m == NULL) ? 0 : m->offset;
}


int
fota_agent_cursor_set(fota_agent_cursor_t *c, const fota_spool_segment_t *id,
    uint64_t offset)
{
    void               *p;
    fota_agent_mark_t  *m;

    m = fota_agent_cursor_find(c, id);

    if (m == NULL) {

        if (c->n == c->cap) {
            p = realloc(c->marks, (c->cap * 2 + 16)
                                  * sizeof(fota_agent_mark_t));
            if (p == NULL) {
                return FOTA_NOMEM;
            }

            c->marks = p;
            c->cap = c->cap * 2 + 16;
        }

        m = &c->marks[c->n++];
        m->id = *id;
    }

    m->offset = offset;

    return FOTA_OK;
}


void
fota_agent_cursor_drop(fota_agent_cursor_t *c,
    const fota_spool_segment_t *id)
{
    fota_agent_mark_t  *m;

    m = fota_agent_cursor_find(c, id);

    if (m != NULL) {
        *m = c->marks[--c->n];
    }
}


void
fota_agent_cursor_prune(fota_agent_cursor_t *c,
    const fota_agent_segments_t *s)
{
    size_t  i, k;

    for (i = c->n; i-- != 0; /* void */ ) {

        for (k = 0; k < s->n; k++) {
            if (s->list[k].id.boot == c->marks[i].id.boot
                && s->list[k].id.worker == c->marks[i].id.worker
                && s->list[k].id.number == c->marks[i].id.number)
            {
                break;
            }
        }

        if (k == s->n) {
            c->marks[i] = c->marks[--c->n];
        }
    }
}


void
fota_agent_cursor_free(fota_agent_cursor_t *c)
{
    free(c->marks);
    memset(c, 0, sizeof(fota_agent_cursor_t));
}


int
fota_agent_cursor_parse(fota_agent_cursor_t *c, fota_str_t text)
{
    int                    rc;
    size_t                 head;
    uint64_t               offset;
    fota_str_t             name, number;
    const uint8_t         *nl, *blank;
    fota_spool_segment_t   id;

    c->n = 0;
    head = sizeof(FOTA_AGENT_CURSOR_HEAD) - 1;

    if (text.len < head
        || memcmp(text.data, FOTA_AGENT_CURSOR_HEAD, head) != 0)
    {
        return FOTA_CORRUPT;
    }

    text.data += head;
    text.len -= head;

    while (text.len != 0) {
        nl = memchr(text.data, '\n', text.len);
        blank = memchr(text.data, ' ', text.len);

        if (nl == NULL || blank == NULL || blank > nl) {
            return FOTA_CORRUPT;
        }

        name = fota_slice(text.data, (size_t) (blank - text.data));
        number = fota_slice(blank + 1, (size_t) (nl - blank) - 1);

        if (fota_spool_name_parse(name, &id) != FOTA_OK
            || fota_str_u64(number, UINT64_MAX, &offset) != FOTA_OK)
        {
            return FOTA_CORRUPT;
        }

        rc = fota_agent_cursor_set(c, &id, offset);
        if (rc != FOTA_OK) {
            return rc;
        }

        text.len -= (size_t) (nl + 1 - text.data);
        text.data = nl + 1;
    }

    return FOTA_OK;
}


int
fota_agent_cursor_load(fota_agent_cursor_t *c, const char *path)
{
    int         rc;
    fota_buf_t  text;

    rc = fota_agent_file_read(path, FOTA_AGENT_CURSOR_MAX, &text);

    if (rc == FOTA_OK) {
        rc = fota_agent_cursor_parse(c, fota_buf_slice(&text));
        fota_buf_free(&text);
    }

    return rc;
}


int
fota_agent_cursor_save(const fota_agent_cursor_t *c, const char *path)
{
    int         rc;
    char        name[FOTA_SPOOL_NAME_MAX];
    size_t      i;
    fota_buf_t  text;

    fota_buf_grow(&text, FOTA_AGENT_CURSOR_MAX);
    fota_buf_cstr(&text, FOTA_AGENT_CURSOR_HEAD);

    for (i = 0; i < c->n; i++) {
        fota_spool_name(name, &c->marks[i].id);
        fota_buf_printf(&text, "%s %llu\n", name,
                        (unsigned long long) c->marks[i].offset);
    }

    rc = text.status;

    if (rc == FOTA_OK) {
        rc = fota_agent_file_replace(path, 0600, fota_buf_slice(&text));
    }

    fota_buf_free(&text);

    return rc;
}
