/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Makes what a centre sends to agents, and reads what agents send, so that a
 * test can spoil it.  Descriptions of policy are those of policytool.
 *
 *   batchtool keys                  {"sec","pub"} of a new signing key
 *   batchtool start EPOCH           chain of an empty log, in hex
 *   batchtool batch  < JSON         {"policy":{..}, "sec","kid","epoch",
 *       "prev","ts","chain"} -> {"batch": base64, "chain", "last"}; deletes
 *       are in policy.delete; with "wrap" KEY records are sealed with that
 *       key (hex) for "wrap_scope"; "raw" [{"table","key","value"}] (hex)
 *       adds records that core would refuse
 *   batchtool snapshot < JSON       {"policy", "sec","kid","epoch","seq",
 *       "ts","chain","id","chunk": bytes} -> {"manifest","chunks":[..]}
 *   batchtool spool < JSON          {"boot","worker","number","records":
 *       [{"seq","ms","payload"}]} -> the segment
 *   batchtool unspool < BYTES       {"boot","worker","number","records"}
 *   batchtool policy DIR            {"epoch","seq","chain","generation",
 *       "fresh","tables":{NAME:{KEY: VALUE}}} of DIR/current, in hex
 */


#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fota_encode.h"
#include "fota_spool.h"
#include "fota_sync.h"
#include "support_spec.h"


#define INPUT_MAX  (64 << 20)


static void
read_input(fota_buf_t *in)
{
    size_t   n;
    uint8_t  block[65536];

    fota_buf_grow(in, INPUT_MAX);

    while ((n = fread(block, 1, sizeof(block), stdin)) != 0) {
        fota_buf_put(in, block, n);
    }

    if (in->status != FOTA_OK) {
        spec_die("input: %s", fota_status_name(in->status));
    }
}


static json_t *
read_json(void)
{
    json_t        *doc;
    fota_buf_t     in;
    json_error_t   err;

    read_input(&in);

    doc = json_loadb((const char *) in.start, in.len, JSON_REJECT_DUPLICATES,
                     &err);

    if (doc == NULL) {
        spec_die("input:%d: %s", err.line, err.text);
    }

    fota_buf_free(&in);

    return doc;
}


static void
print(json_t *doc)
{
    (void) json_dumpf(doc, stdout, JSON_COMPACT);
    (void) fputc('\n', stdout);
    json_decref(doc);
}


static json_t *
hex(const void *data, size_t n)
{
    char    *text;
    json_t  *v;

    text = malloc(2 * n + 1);
    fota_hex_encode(text, data, n);
    v = json_stringn(text, 2 * n);
    free(text);

    return v;
}


static json_t *
base64(fota_str_t s)
{
    char    *text;
    json_t  *v;

    text = malloc((s.len + 2) / 3 * 4 + 1);
    v = json_stringn(text, fota_base64_encode(text, s.data, s.len));
    free(text);

    return v;
}


static void
need(int rc, const char *what)
{
    if (rc != FOTA_OK) {
        spec_die("%s: %s", what, fota_status_name(rc));
    }
}


static uint64_t
number(const char *text, int base)
{
    char                *end;
    unsigned long long   v;

    errno = 0;
    v = strtoull(text, &end, base);

    if (errno != 0 || *text == '\0' || *end != '\0') {
        spec_die("\"%s\" is no number", text);
    }

    return v;
}


static uint64_t
epoch_of(const json_t *doc)
{
    const char  *text;

    text = json_string_value(json_object_get(doc, "epoch"));

    if (text == NULL) {
        spec_die("\"epoch\" must be hex in a string");
    }

    return number(text, 16);
}


/* Seals secrets for "wrap_scope", as the centre does. */

static void
wrap(spec_t *s, const json_t *doc, spec_record_t *r)
{
    uint8_t      key[32];
    fota_key_t   k;
    fota_str_t  *value;
    uint8_t     *sealed;

    if (r->table != FOTA_T_KEY || r->value.data == NULL
        || !spec_hex(doc, "wrap", key, sizeof(key)))
    {
        return;
    }

    value = &r->value;
    need(fota_key_decode(*value, &k), "key");

    if (k.wrapped) {
        return;
    }

    sealed = spec_alloc(s, k.secret.len + FOTA_SEAL_OVERHEAD, 1);

    need(fota_seal(key, fota_slice(r->key, r->klen), k.secret, sealed),
         "seal");

    k.wrapped = 1;
    k.wrap_scope = (uint32_t) spec_u64(doc, "wrap_scope", 0, UINT32_MAX);
    k.secret = fota_slice(sealed, k.secret.len + FOTA_SEAL_OVERHEAD);

    fota_buf_reset(&s->buf);
    need(fota_key_encode(&k, &s->buf), "key");
    *value = fota_strdup(&s->arena.mem, fota_buf_slice(&s->buf));
}


static void
raw(spec_t *s, const json_t *doc)
{
    size_t          i, klen, vlen;
    json_t         *item;
    uint8_t        *key, *value;
    const char     *k, *v;
    spec_record_t  *r;

    json_array_foreach(json_object_get(doc, "raw"), i, item) {

        k = json_string_value(json_object_get(item, "key"));
        v = json_string_value(json_object_get(item, "value"));

        if (k == NULL || v == NULL) {
            spec_die("raw: key and value must be hex");
        }

        klen = strlen(k) / 2;
        vlen = strlen(v) / 2;
        key = spec_alloc(s, klen + 1, 1);
        value = spec_alloc(s, vlen + 1, 1);

        need(fota_hex_decode(key, klen, fota_cstr(k)), "raw key");
        need(fota_hex_decode(value, vlen, fota_cstr(v)), "raw value");

        r = realloc(s->records, (s->n + 1) * sizeof(spec_record_t));
        s->records = r;
        s->cap = s->n + 1;
        r = &s->records[s->n++];

        memset(r, 0, sizeof(spec_record_t));
        r->table = (fota_table_e) spec_u64(item, "table", 1, 255);
        r->klen = klen;
        memcpy(r->key, key, klen);
        r->value = fota_slice(value, vlen);
    }
}


/* The records of doc.policy. */

static void
load(spec_t *s, const json_t *doc)
{
    size_t  i;

    memset(s, 0, sizeof(spec_t));
    fota_arena_init(&s->arena, 0);
    fota_buf_grow(&s->buf, FOTA_VALUE_MAX);
    (void) snprintf(s->dir, sizeof(s->dir), ".");

    s->root = json_object_get(doc, "policy");

    if (s->root == NULL) {
        s->root = json_object();
    }

    spec_records(s);

    if (json_object_get(s->root, "delete") != NULL) {
        spec_deletes(s);
    }

    for (i = 0; i < s->n; i++) {
        wrap(s, doc, &s->records[i]);
    }

    raw(s, doc);
}


static int
cmd_keys(void)
{
    uint8_t  sec[32], pub[32];

    need(fota_ed25519_keygen(sec, pub), "keygen");
    print(json_pack("{s:o,s:o}", "sec", hex(sec, 32), "pub", hex(pub, 32)));

    return 0;
}


static int
cmd_start(const char *epoch)
{
    uint8_t  chain[32];

    need(fota_chain_start(chain, number(epoch, 16)), "chain");
    print(json_pack("{s:o}", "chain", hex(chain, 32)));

    return 0;
}


static int
cmd_batch(void)
{
    json_t        *doc;
    size_t         i;
    spec_t         s;
    uint8_t        sec[32];
    fota_op_t      op;
    fota_buf_t     ops, out;
    fota_batch_t   b;

    doc = read_json();
    load(&s, doc);

    memset(&b, 0, sizeof(b));
    fota_buf_grow(&ops, FOTA_BATCH_MAX);
    fota_buf_grow(&out, 2 * FOTA_BATCH_MAX);

    if (!spec_hex(doc, "sec", sec, 32)
        || !spec_hex(doc, "chain", b.chain, 32))
    {
        spec_die("\"sec\" and \"chain\" are needed");
    }

    b.epoch = epoch_of(doc);
    b.prev = spec_u64(doc, "prev", 0, INT64_MAX);
    b.last = b.prev;
    b.ts = spec_u64(doc, "ts", 0, INT64_MAX);
    b.kid = (uint16_t) spec_u64(doc, "kid", 1, UINT16_MAX);

    for (i = 0; i < s.n; i++) {
        op.seq = ++b.last;
        op.table = (uint8_t) s.records[i].table;
        op.op = (s.records[i].value.data == NULL) ? FOTA_OP_DEL
                                                  : FOTA_OP_PUT;
        op.key = fota_slice(s.records[i].key, s.records[i].klen);
        op.value = s.records[i].value;

        if (op.op == FOTA_OP_DEL) {
            op.value.len = 0;
        }

        need(fota_chain_op(b.chain, &op), "chain");
        fota_op_encode(&op, &ops);
        b.nops++;
    }

    b.ops = fota_buf_slice(&ops);

    need(ops.status, "batch");
    need(fota_batch_encode(&b, sec, &out), "batch");

    print(json_pack("{s:o,s:o,s:I}", "batch", base64(fota_buf_slice(&out)),
                    "chain", hex(b.chain, 32), "last", (json_int_t) b.last));

    return 0;
}


static int
by_key(const void *one, const void *two)
{
    const spec_record_t  *a = one, *b = two;

    if (a->table != b->table) {
        return (a->table < b->table) ? -1 : 1;
    }

    return fota_str_cmp(fota_slice(a->key, a->klen),
                        fota_slice(b->key, b->klen));
}


static int
cmd_snapshot(void)
{
    size_t             i, limit, n;
    json_t            *doc, *chunks;
    spec_t             s;
    uint8_t            sec[32];
    fota_buf_t         out;
    fota_snapshot_t    m;
    fota_chunk_ref_t  *ref;

    doc = read_json();
    load(&s, doc);
    qsort(s.records, s.n, sizeof(spec_record_t), by_key);

    memset(&m, 0, sizeof(m));

    if (!spec_hex(doc, "sec", sec, 32) || !spec_hex(doc, "chain", m.chain, 32)
        || !spec_hex(doc, "id", m.id, 16))
    {
        spec_die("\"sec\", \"chain\" and \"id\" are needed");
    }

    m.epoch = epoch_of(doc);
    m.seq = spec_u64(doc, "seq", 0, INT64_MAX);
    m.ts = spec_u64(doc, "ts", 0, INT64_MAX);
    m.kid = (uint16_t) spec_u64(doc, "kid", 1, UINT16_MAX);
    limit = spec_u64(doc, "chunk", 4096, FOTA_CHUNK_MAX / 2);

    m.chunks = spec_alloc(&s, s.n + 1, sizeof(fota_chunk_ref_t));
    chunks = json_array();
    fota_buf_grow(&out, FOTA_CHUNK_MAX);

    for (i = 0; i < s.n; /* void */ ) {

        fota_chunk_begin(&out, m.nchunks);

        for (n = 0; i < s.n && out.len < limit; i++, n++) {
            fota_chunk_entry(&out, (uint8_t) s.records[i].table,
                             fota_slice(s.records[i].key, s.records[i].klen),
                             s.records[i].value);

            if (s.records[i].table < FOTA_T__N) {
                m.counts[s.records[i].table]++;
            }
        }

        fota_chunk_end(&out, (uint32_t) n);
        need(out.status, "chunk");

        ref = &m.chunks[m.nchunks++];
        ref->size = (uint32_t) out.len;
        need(fota_sha256(ref->sha256, out.start, out.len), "sha256");

        json_array_append_new(chunks, base64(fota_buf_slice(&out)));
    }

    /* "counts" of a wish, to be wrong on purpose. */

    m.counts[FOTA_T_PRODUCT] += spec_u64(doc, "miscount", 0, 1000);

    fota_buf_reset(&out);
    need(fota_snapshot_encode(&m, sec, &out), "manifest");

    print(json_pack("{s:o,s:o}", "manifest", base64(fota_buf_slice(&out)),
                    "chunks", chunks));

    return 0;
}


static int
cmd_spool(void)
{
    json_t                *doc, *item;
    size_t                 i;
    fota_buf_t             out;
    fota_spool_record_t    r;
    fota_spool_segment_t   id;

    doc = read_json();

    fota_buf_grow(&out, FOTA_SPOOL_SEGMENT_MAX);

    id.boot = spec_u64(doc, "boot", 1, INT64_MAX);
    id.worker = (uint32_t) spec_u64(doc, "worker", 0, 65535);
    id.number = spec_u64(doc, "number", 1, INT64_MAX);

    fota_spool_segment_encode(&id, &out);

    json_array_foreach(json_object_get(doc, "records"), i, item) {
        r.seq = spec_u64(item, "seq", i + 1, INT64_MAX);
        r.recv_ms = spec_u64(item, "ms", 1, INT64_MAX);
        r.payload = spec_text(item, "payload", "{}");

        need(fota_report_id(r.report_id, 1, r.payload, (uint32_t) id.boot, 1,
                            (uint32_t) r.seq),
             "id");
        need(fota_spool_record_encode(&r, &out), "record");
    }

    (void) fwrite(out.start, 1, out.len, stdout);

    return 0;
}


static int
cmd_unspool(void)
{
    json_t                *list;
    fota_rd_t              rd;
    fota_buf_t             in;
    fota_spool_record_t    r;
    fota_spool_segment_t   id;

    read_input(&in);
    fota_rd_init(&rd, fota_buf_slice(&in));

    need(fota_spool_segment_decode(&rd, &id), "segment");

    list = json_array();

    while (fota_rd_left(&rd) != 0) {
        need(fota_spool_record_decode(&rd, &r), "record");

        json_array_append_new(list, json_pack("{s:I,s:o,s:I,s:s%}", "seq",
                                              (json_int_t) r.seq, "id",
                                              hex(r.report_id, 16), "ms",
                                              (json_int_t) r.recv_ms,
                                              "payload", r.payload.data,
                                              r.payload.len));
    }

    print(json_pack("{s:I,s:I,s:I,s:o}", "boot", (json_int_t) id.boot,
                    "worker", (json_int_t) id.worker, "number",
                    (json_int_t) id.number, "records", list));

    return 0;
}


static int
add_entry(void *ctx, fota_str_t key, fota_str_t value)
{
    char  name[2 * FOTA_KEY_MAX + 1];

    fota_hex_encode(name, key.data, key.len);
    name[2 * key.len] = '\0';

    json_object_set_new(ctx, name, hex(value.data, value.len));

    return FOTA_OK;
}


static int
cmd_policy(const char *dir)
{
    char               path[PATH_MAX], real[PATH_MAX], text[17];
    size_t             i;
    json_t            *tables, *one;
    fota_str_t         all = fota_null_str;
    fota_meta_t        m;
    const char        *reason;
    fota_store_t      *st;
    fota_store_opt_t   opt;

    (void) snprintf(path, sizeof(path), "%s/current", dir);

    if (realpath(path, real) == NULL) {
        spec_die("%s: %s", path, strerror(errno));
    }

    memset(&opt, 0, sizeof(opt));
    opt.readonly = 1;

    if (fota_store_open(&st, real, &opt, &reason) != FOTA_OK) {
        spec_die("%s: %s", real, reason);
    }

    need(fota_store_read_begin(st, NULL), "read");
    need(fota_meta_read(st, &m), "meta");

    tables = json_object();

    for (i = 1; i < FOTA_T__N; i++) {
        one = json_object();
        need(fota_store_each(st, (fota_table_e) i, all, add_entry, one),
             "each");
        json_object_set_new(tables, fota_table_name((fota_table_e) i), one);
    }

    fota_store_read_end(st);
    fota_store_close(st);

    (void) snprintf(text, sizeof(text), "%016llx",
                    (unsigned long long) m.epoch);

    print(json_pack("{s:s,s:s,s:I,s:o,s:I,s:I,s:I,s:o}", "dir", real, "epoch",
                    text, "seq", (json_int_t) m.seq, "chain",
                    hex(m.chain, 32), "generation",
                    (json_int_t) m.generation, "fresh",
                    (json_int_t) m.fresh, "head_ts", (json_int_t) m.head_ts,
                    "tables", tables));

    return 0;
}


int
main(int argc, char **argv)
{
    const char  *cmd;

    cmd = (argc > 1) ? argv[1] : "";

    if (strcmp(cmd, "keys") == 0) {
        return cmd_keys();
    }

    if (strcmp(cmd, "start") == 0 && argc == 3) {
        return cmd_start(argv[2]);
    }

    if (strcmp(cmd, "batch") == 0) {
        return cmd_batch();
    }

    if (strcmp(cmd, "snapshot") == 0) {
        return cmd_snapshot();
    }

    if (strcmp(cmd, "spool") == 0) {
        return cmd_spool();
    }

    if (strcmp(cmd, "unspool") == 0) {
        return cmd_unspool();
    }

    if (strcmp(cmd, "policy") == 0 && argc == 3) {
        return cmd_policy(argv[2]);
    }

    spec_die("usage: batchtool keys|start|batch|snapshot|spool|unspool|"
             "policy, see the source");
}
