/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>

#include "render.h"
#include "sql_list.h"


/* Loads and healths that differ less are not worth an operation. */
#define FOTA_NODE_STEP  5


static int fota_node_word(fota_str_t s, const char *const *words, int n,
    int def);
static int fota_node_numbers(fota_render_t *r, fota_str_t s, uint32_t **list,
    uint16_t *n);
static int fota_node_words(fota_render_t *r, fota_str_t s, fota_str_t **list,
    uint16_t *n);
static size_t fota_node_item(fota_str_t *s, fota_str_t *item);
static void fota_node_chars(char *out, size_t size, fota_str_t s);


static int
fota_node_word(fota_str_t s, const char *const *words, int n, int def)
{
    int  i;

    for (i = 0; i < n; i++) {
        if (fota_str_eq(s, fota_cstr(words[i]))) {
            return i;
        }
    }

    return def;
}


/* Next item of a comma list without blanks around it; 0 at the end. */

static size_t
fota_node_item(fota_str_t *s, fota_str_t *item)
{
    size_t  i;

    for ( ;; ) {
        while (s->len != 0 && (s->data[0] == ',' || s->data[0] == ' ')) {
            s->data++;
            s->len--;
        }

        if (s->len == 0) {
            return 0;
        }

        for (i = 0; i < s->len && s->data[i] != ','; i++) { /* void */ }

        *item = fota_slice(s->data, i);

        s->data += i;
        s->len -= i;

        while (item->len != 0 && item->data[item->len - 1] == ' ') {
            item->len--;
        }

        if (item->len != 0) {
            return item->len;
        }
    }
}


static int
fota_node_numbers(fota_render_t *r, fota_str_t s, uint32_t **list,
    uint16_t *n)
{
    uint64_t    v;
    fota_str_t  item;

    *list = fota_calloc(r->mem, FOTA_NODE_LIST_MAX, sizeof(uint32_t));
    if (*list == NULL) {
        return FOTA_NOMEM;
    }

    while (*n < FOTA_NODE_LIST_MAX && fota_node_item(&s, &item) != 0) {
        if (fota_str_u64(item, UINT32_MAX, &v) == FOTA_OK) {
            (*list)[(*n)++] = (uint32_t) v;
        }
    }

    return FOTA_OK;
}


static int
fota_node_words(fota_render_t *r, fota_str_t s, fota_str_t **list,
    uint16_t *n)
{
    fota_str_t  item;

    *list = fota_calloc(r->mem, FOTA_NODE_LIST_MAX, sizeof(fota_str_t));
    if (*list == NULL) {
        return FOTA_NOMEM;
    }

    while (*n < FOTA_NODE_LIST_MAX && fota_node_item(&s, &item) != 0) {
        (*list)[(*n)++] = item;
    }

    return FOTA_OK;
}


static void
fota_node_chars(char *out, size_t size, fota_str_t s)
{
    if (s.len < size) {
        memcpy(out, s.data, s.len);
        out[s.len] = '\0';
    }
}


int
fota_render_node(fota_render_t *r, uint32_t id, fota_buf_t *out)
{
    int           rc;
    uint64_t      load, health;
    fota_node_t   v;
    fota_rows_t  *rows;

    static const char *const  states[] = { "up", "drain", "down" };
    static const char *const  scopes[] = {
        "any", "continent", "country", "asn", "prefix"
    };

    memset(&v, 0, sizeof(fota_node_t));

    rc = fota_db_first(r->db, &rows, "SELECT n.group_id, n.state, n.families,"
                       " n.scope, n.weight, n.cap_mbps, n.lat, n.lon,"
                       " n.country, n.continent, n.name, n.site, n.url,"
                       " n.asns, n.tenants, n.excluded, s.load_pct,"
                       " s.health_pct, s.seen FROM node n"
                       " LEFT JOIN node_status s ON s.node_id = n.id"
                       " WHERE n.id = ?", "u", (uint64_t) id);

    if (rc == FOTA_OK) {
        v.id = id;
        v.group = (uint16_t) fota_db_u64(rows, 0);
        v.state = (uint8_t) fota_node_word(fota_db_str(rows, 1), states, 3,
                                           FOTA_NODE_DOWN);
        v.families = (uint8_t) fota_db_u64(rows, 2);
        v.scope = (uint8_t) fota_node_word(fota_db_str(rows, 3), scopes, 5,
                                           FOTA_SCOPE_ANY);
        v.weight = (uint32_t) fota_db_u64(rows, 4);
        v.cap_mbps = (uint32_t) fota_db_u64(rows, 5);
        v.lat = fota_db_double(rows, 6);
        v.lon = fota_db_double(rows, 7);
        fota_node_chars(v.country, sizeof(v.country), fota_db_str(rows, 8));
        fota_node_chars(v.continent, sizeof(v.continent),
                        fota_db_str(rows, 9));
        v.name = fota_sql_dup(r->mem, rows, 10);
        v.site = fota_sql_dup(r->mem, rows, 11);
        v.url = fota_sql_dup(r->mem, rows, 12);

        rc = fota_node_numbers(r, fota_db_str(rows, 13), &v.asns, &v.nasns);

        if (rc == FOTA_OK) {
            rc = fota_node_numbers(r, fota_db_str(rows, 14), &v.tenants,
                                   &v.ntenants);
        }

        if (rc == FOTA_OK) {
            rc = fota_node_words(r, fota_sql_dup(r->mem, rows, 15),
                                 &v.excluded, &v.nexcluded);
        }

        if (v.continent[0] == '\0' && v.country[0] != '\0') {
            (void) snprintf(v.continent, sizeof(v.continent), "%s",
                            fota_geo_continent(v.country));
        }

        v.health = 100;

        if (!fota_db_null(rows, 18)) {
            load = fota_db_u64(rows, 16);
            health = fota_db_u64(rows, 17);

            load = (load + FOTA_NODE_STEP / 2) / FOTA_NODE_STEP
                   * FOTA_NODE_STEP;
            health = health / FOTA_NODE_STEP * FOTA_NODE_STEP;

            v.load = (uint8_t) ((load > 255) ? 255 : load);
            v.health = (uint8_t) ((health > 100) ? 100 : health);
            v.as_of = (uint64_t) (fota_db_i64(rows, 18) / 1000);
        }
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_OK) ? fota_node_encode(&v, out) : rc;
}
