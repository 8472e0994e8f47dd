/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Writes an edge's policy directory from a description, for tests and
 * measurements that need an edge without a centre.
 *
 *   policytool write DIR SPEC.json     a new DIR/gen-<N>, then DIR/current
 *   policytool patch DIR SPEC.json     puts and deletes in one transaction
 *                                      of the live store, as the agent does
 *   policytool churn DIR RATE SECONDS [TENANT [PREFIX [COUNT]]]
 *                                      puts of devices, RATE a second, a
 *                                      transaction every 200 ms
 *   policytool dump DIR                position and number of records
 *   policytool snapshot DIR OUT KEY KID
 *                                      DIR as a signed snapshot: the files
 *                                      OUT/manifest, OUT/0, OUT/1 ...
 *   policytool token root=HEX artifact=SHA256 [scope= kid= tenant= device=
 *       deployment= flags= class= nbf= exp= | ttl= ip= plen= cert=HEX
 *       nonce=HEX flip=N]              an FT1 token; flip spoils character N
 *   policytool device-token key=HEX tenant=ID device=ID
 *
 * The description is an object; every member is optional unless marked "!",
 * unknown ones are errors.  {} keys are in hex.  TENANT is an id or a name.
 *
 *   epoch 1, seq 1 (patch: + 1), generation (+ 1), fresh now (Unix s),
 *   head_ts now (ms), map_size (bytes)
 *   groups     {NAME: id, NAME: "filter of a dynamic group"}
 *   tenants    [{name! id auth[open gateway device mtls] gateway_tokens[text]
 *              issuers[DN] signer{32} signer_secret{32} brake(none offers
 *              cut) token_flags[ip cert single once] ip4_plen ip6_plen
 *              defaults[{country node}]}]; with signer_secret artifacts of
 *              its products are signed
 *   products   [{tenant name! id brake poll retry_min retry_max retry_count
 *              install_window firmware artifacts rollouts}]
 *    firmware  [{version! id kind(os app data) must_pass withdrawn}] in order
 *    artifacts [{to! from file | sha256{32} size, id kind kid sig{64} format
 *              name requires published prefetch info}]; from and to are
 *              versions; info false leaves out the record of ARTIFACT
 *    rollouts  [{id state(running) brake kind strategy(auto) time_mode
 *              rate_class allow_downgrade geo_unknown_allow(true)
 *              require_fresh test_only weight created salt target(latest)
 *              reached(10000) max_attempts dispersion token_ttl start end
 *              test_group max_active max_bps error_permille error_min name
 *              zone filter include[] exclude[] windows[text] sources[]}],
 *              sorted into the order of decision
 *   devices    [{tenant id! blocked test token pin groups[] attrs{}
 *              attempts[{rollout attempts delta_failed}]}]
 *   bulk       one or [{count! prefix("dev-") width(8) start(0) tenant
 *              record{as a device}}]
 *   nodes      [{id name! url! group state(up drain down) ipv4 ipv6 scope
 *              load health weight cap_mbps as_of lat lon country continent
 *              site asns tenants excluded}]
 *   keys       [{kind(download device operator) scope kid state(current)
 *              created secret{32} | wrapped{60} wrap_scope | token}]
 *   deny       [{kind(deployment tenant device) id | tenant device,
 *              not_before cut}]
 *   prefixes   [{prefix! node_group location{country continent region_code
 *              region city tz region_id city_id asn lat lon}}]
 *   zones      ["Asia/Tokyo"]
 *   artifacts  [{tenant file | sha256{32} size, published prefetch name}]
 *   delete     (patch) {tenants products devices nodes keys deny prefixes
 *              zones artifacts}: arrays of objects with the members that
 *              make the key
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>

#include "support_spec.h"


#define BATCH         100000            /* records of a transaction of write */
#define CHURN_MS      200
#define ARENA_MAX     (4ULL << 30)
#define MAP_MAX       (1ULL << 40)
#define RECORD_ROOM   512               /* bytes a bulk record may take */


static uint64_t
now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


static void
must(int rc, const char *what)
{
    if (rc != FOTA_OK) {
        spec_die("%s: %s", what, fota_status_name(rc));
    }
}


static void
load(spec_t *s, const char *path)
{
    char          *slash;
    json_error_t   err;

    memset(s, 0, sizeof(spec_t));
    fota_arena_init(&s->arena, ARENA_MAX);
    fota_buf_grow(&s->buf, FOTA_VALUE_MAX);

    (void) snprintf(s->dir, sizeof(s->dir), "%s", path);
    slash = strrchr(s->dir, '/');

    if (slash != NULL) {
        *slash = '\0';

    } else {
        (void) snprintf(s->dir, sizeof(s->dir), ".");
    }

    s->root = json_load_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path,
                             JSON_REJECT_DUPLICATES, &err);

    if (s->root == NULL) {
        spec_die("%s:%d: %s", path, err.line, err.text);
    }
}


static void
unload(spec_t *s)
{
    json_decref(s->root);
    fota_arena_free(&s->arena);
    fota_buf_free(&s->buf);
    free(s->records);
}


static int
compare_records(const void *one, const void *two)
{
    int                   rc;
    const spec_record_t  *a = one, *b = two;

    if (a->table != b->table) {
        return a->table < b->table ? -1 : 1;
    }

    rc = fota_str_cmp(fota_slice(a->key, a->klen),
                      fota_slice(b->key, b->klen));

    return rc;
}


/* Bulk first: its keys ascend, so that LMDB need not search. */

static void
write_bulk(spec_t *s, fota_store_t *st, const json_t *obj)
{
    int          rc, width;
    char         id[FOTA_ID_MAX + 1];
    size_t       klen, in_txn;
    json_t      *record, *empty;
    uint8_t      key[FOTA_KEY_MAX];
    uint32_t     tenant;
    uint64_t     i, start, count;
    fota_txn_t  *txn;
    const char  *prefix;

    spec_known(obj, "bulk", "count prefix width start tenant record");

    count = spec_u64(obj, "count", 0, 1000000000);
    start = spec_u64(obj, "start", 0, 1000000000);
    width = (int) spec_u64(obj, "width", 8, 20);
    tenant = spec_tenant(s, obj);
    prefix = (const char *) spec_text(obj, "prefix", "dev-").data;

    empty = json_object();
    record = json_object_get(obj, "record");
    spec_device_encode(s, record != NULL ? record : empty);
    json_decref(empty);

    must(fota_store_write_begin(st, &txn), "write");
    in_txn = 0;

    for (i = start; i < start + count; i++) {
        (void) snprintf(id, sizeof(id), "%s%0*llu", prefix, width,
                        (unsigned long long) i);

        klen = fota_key_device(key, tenant, fota_cstr(id));

        rc = fota_txn_append(txn, FOTA_T_DEVICE, fota_slice(key, klen),
                             fota_buf_slice(&s->buf));

        if (rc == FOTA_INVALID) {
            rc = fota_txn_put(txn, FOTA_T_DEVICE, fota_slice(key, klen),
                              fota_buf_slice(&s->buf));
        }

        must(rc, "bulk");

        if (++in_txn == BATCH) {
            must(fota_txn_commit(txn), "commit");
            must(fota_store_write_begin(st, &txn), "write");
            in_txn = 0;
        }
    }

    must(fota_txn_commit(txn), "commit");
}


static void
apply(spec_t *s, fota_txn_t *txn)
{
    size_t          i;
    spec_record_t  *r;

    for (i = 0; i < s->n; i++) {
        r = &s->records[i];

        must(r->value.data == NULL
             ? fota_txn_del(txn, r->table, fota_slice(r->key, r->klen))
             : fota_txn_put(txn, r->table, fota_slice(r->key, r->klen),
                            r->value),
             fota_table_name(r->table));
    }
}


/* m holds the position before. */

static void
position(const spec_t *s, fota_meta_t *m)
{
    m->format = FOTA_STORE_FORMAT;
    m->epoch = spec_u64(s->root, "epoch", m->epoch ? m->epoch : 1,
                        INT64_MAX);
    m->seq = spec_u64(s->root, "seq", m->seq + 1, INT64_MAX);
    m->fresh = spec_u64(s->root, "fresh", now_ms() / 1000, INT64_MAX);
    m->head_ts = spec_u64(s->root, "head_ts", now_ms(), INT64_MAX);
    m->generation = spec_u64(s->root, "generation", m->generation,
                             INT64_MAX);
}


static uint64_t
bulk_count(const spec_t *s)
{
    size_t     i;
    json_t    *bulk, *v;
    uint64_t   n;

    bulk = json_object_get(s->root, "bulk");

    if (!json_is_array(bulk)) {
        return spec_u64(bulk, "count", 0, INT64_MAX);
    }

    n = 0;

    json_array_foreach(bulk, i, v) {
        n += spec_u64(v, "count", 0, INT64_MAX);
    }

    return n;
}


/* Number of the generation that "current" names, 0 when there is none. */

static unsigned
current(const char *dir)
{
    char      path[PATH_MAX], target[PATH_MAX];
    ssize_t   n;
    unsigned  gen;

    (void) snprintf(path, sizeof(path), "%s/current", dir);

    n = readlink(path, target, sizeof(target) - 1);

    if (n < 0) {
        return 0;
    }

    target[n] = '\0';

    return sscanf(target, "gen-%u", &gen) == 1 ? gen : 0;
}


static fota_store_t *
open_store(const char *dir, unsigned gen, const fota_store_opt_t *opt)
{
    int            rc;
    char           path[PATH_MAX];
    const char    *reason;
    fota_store_t  *st;

    (void) snprintf(path, sizeof(path), "%s/gen-%u", dir, gen);

    rc = fota_store_open(&st, path, opt, &reason);

    if (rc != FOTA_OK) {
        spec_die("%s: %s (%s)", path, reason, fota_status_name(rc));
    }

    return st;
}


static int
read_meta(fota_store_t *st, fota_meta_t *m)
{
    int  rc;

    memset(m, 0, sizeof(fota_meta_t));

    rc = fota_store_read_begin(st, NULL);

    if (rc == FOTA_OK) {
        rc = fota_meta_read(st, m);
        fota_store_read_end(st);
    }

    return rc;
}


static int
do_write(const char *dir, const char *file)
{
    char               link[PATH_MAX], tmp[PATH_MAX], target[32];
    size_t             i;
    json_t            *bulk, *v;
    spec_t             s;
    unsigned           gen;
    fota_txn_t        *txn;
    fota_meta_t        m;
    fota_store_t      *st, *old;
    fota_store_opt_t   opt;

    load(&s, file);
    spec_records(&s);

    if (json_object_get(s.root, "delete") != NULL) {
        spec_die("\"delete\" is for patch");
    }

    if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
        spec_die("cannot make \"%s\": %s", dir, strerror(errno));
    }

    memset(&m, 0, sizeof(m));
    memset(&opt, 0, sizeof(opt));

    gen = current(dir);

    if (gen != 0) {
        old = open_store(dir, gen, &opt);
        (void) read_meta(old, &m);
        fota_store_close(old);
    }

    gen++;
    m.generation++;

    opt.nosync = 1;
    opt.map_size = spec_u64(s.root, "map_size",
                            FOTA_STORE_MAP_DEFAULT
                            + bulk_count(&s) * RECORD_ROOM, MAP_MAX);

    st = open_store(dir, gen, &opt);
    bulk = json_object_get(s.root, "bulk");

    if (json_is_array(bulk)) {
        json_array_foreach(bulk, i, v) {
            write_bulk(&s, st, v);
        }

    } else if (bulk != NULL) {
        write_bulk(&s, st, bulk);
    }

    qsort(s.records, s.n, sizeof(spec_record_t), compare_records);

    must(fota_store_write_begin(st, &txn), "write");
    apply(&s, txn);
    position(&s, &m);
    must(fota_meta_write(txn, &m), "meta");
    must(fota_txn_commit(txn), "commit");
    must(fota_store_sync(st), "sync");

    fota_store_close(st);

    (void) snprintf(target, sizeof(target), "gen-%u", gen);
    (void) snprintf(link, sizeof(link), "%s/current", dir);
    (void) snprintf(tmp, sizeof(tmp), "%s/current.new", dir);
    (void) unlink(tmp);

    if (symlink(target, tmp) != 0 || rename(tmp, link) != 0) {
        spec_die("cannot make \"%s\": %s", link, strerror(errno));
    }

    unload(&s);

    return 0;
}


static fota_store_t *
open_current(const char *dir, bool readonly)
{
    unsigned          gen;
    fota_store_opt_t  opt;

    gen = current(dir);

    if (gen == 0) {
        spec_die("\"%s/current\" does not exist", dir);
    }

    memset(&opt, 0, sizeof(opt));
    opt.readonly = readonly;

    return open_store(dir, gen, &opt);
}


static int
do_patch(const char *dir, const char *file)
{
    size_t         i;
    spec_t         s;
    fota_txn_t    *txn;
    fota_meta_t    m;
    fota_store_t  *st;

    st = open_current(dir, false);
    must(read_meta(st, &m), "meta");

    load(&s, file);
    s.store = st;
    spec_records(&s);
    spec_deletes(&s);

    if (json_object_get(s.root, "bulk") != NULL) {
        spec_die("\"bulk\" is for write");
    }

    for (i = 0; i < s.n; i++) {
        if (s.records[i].table != FOTA_T_DEVICE
            && s.records[i].table != FOTA_T_ARTIFACT)
        {
            m.generation++;
            break;
        }
    }

    must(fota_store_write_begin(st, &txn), "write");
    apply(&s, txn);
    position(&s, &m);
    must(fota_meta_write(txn, &m), "meta");
    must(fota_txn_commit(txn), "commit");

    printf("{\"epoch\":%llu,\"seq\":%llu,\"generation\":%llu}\n",
           (unsigned long long) m.epoch, (unsigned long long) m.seq,
           (unsigned long long) m.generation);

    unload(&s);
    fota_store_close(st);

    return 0;
}


static int
do_churn(int argc, char **argv)
{
    char           id[FOTA_ID_MAX + 1], value[24];
    size_t         klen;
    uint8_t        key[FOTA_KEY_MAX], record[512];
    uint32_t       tenant;
    uint64_t       rate, seconds, count, start, due, done, rnd, spent, t0;
    fota_buf_t     buf;
    fota_txn_t    *txn;
    fota_attr_t    attr;
    fota_meta_t    m;
    const char    *prefix;
    fota_store_t  *st;
    fota_device_t  d;

    rate = strtoull(argv[1], NULL, 10);
    seconds = strtoull(argv[2], NULL, 10);
    tenant = argc > 3 ? (uint32_t) strtoul(argv[3], NULL, 10) : 1;
    prefix = argc > 4 ? argv[4] : "dev-";
    count = argc > 5 ? strtoull(argv[5], NULL, 10) : 1000000;

    if (rate == 0 || seconds == 0 || count == 0 || strlen(prefix) > 128) {
        spec_die("RATE, SECONDS and COUNT are numbers above 0");
    }

    st = open_current(argv[0], false);
    must(read_meta(st, &m), "meta");

    memset(&d, 0, sizeof(d));
    attr.name = fota_cstr("churn");
    d.attrs = &attr;
    d.nattrs = 1;

    start = now_ms();
    done = 0;
    spent = 0;
    rnd = 0x9e3779b97f4a7c15;

    while (now_ms() - start < seconds * 1000) {
        usleep(CHURN_MS * 1000);

        due = (now_ms() - start) * rate / 1000;
        t0 = now_ms();

        must(fota_store_write_begin(st, &txn), "write");

        for ( /* void */ ; done < due; done++) {
            rnd = rnd * 6364136223846793005ULL + 1442695040888963407ULL;

            (void) snprintf(id, sizeof(id), "%s%08llu", prefix,
                            (unsigned long long) ((rnd >> 20) % count));
            (void) snprintf(value, sizeof(value), "%llu",
                            (unsigned long long) done);

            attr.value = fota_cstr(value);
            fota_buf_fixed(&buf, record, sizeof(record));
            must(fota_device_encode(&d, &buf), "device");

            klen = fota_key_device(key, tenant, fota_cstr(id));
            must(fota_txn_put(txn, FOTA_T_DEVICE, fota_slice(key, klen),
                              fota_buf_slice(&buf)),
                 "put");
            m.seq++;
        }

        m.head_ts = now_ms();
        m.fresh = m.head_ts / 1000;
        must(fota_meta_write(txn, &m), "meta");
        must(fota_txn_commit(txn), "commit");

        spent += now_ms() - t0;
    }

    printf("{\"puts\":%llu,\"ms\":%llu,\"busy_ms\":%llu}\n",
           (unsigned long long) done,
           (unsigned long long) (now_ms() - start),
           (unsigned long long) spent);

    fota_store_close(st);

    return 0;
}


static int
do_dump(const char *dir)
{
    int                i;
    json_t            *out, *records;
    fota_meta_t        m;
    fota_store_t      *st;
    fota_store_stat_t  stat;

    st = open_current(dir, true);
    must(read_meta(st, &m), "meta");
    must(fota_store_stat(st, &stat), "stat");

    records = json_object();

    for (i = FOTA_T_META + 1; i < FOTA_T__N; i++) {
        json_object_set_new(records, fota_table_name(i),
                            json_integer((json_int_t) stat.entries[i]));
    }

    out = json_pack("{s:I,s:I,s:I,s:I,s:I,s:i,s:I,s:I,s:o}",
                    "epoch", (json_int_t) m.epoch,
                    "seq", (json_int_t) m.seq,
                    "generation", (json_int_t) m.generation,
                    "fresh", (json_int_t) m.fresh,
                    "head_ts", (json_int_t) m.head_ts,
                    "format", (int) m.format,
                    "map_size", (json_int_t) stat.map_size,
                    "used", (json_int_t) stat.used,
                    "records", records);

    json_dumpf(out, stdout, JSON_INDENT(2));
    putchar('\n');

    json_decref(out);
    fota_store_close(st);

    return 0;
}


static int
do_snapshot(char **argv)
{
    int            rc;
    fota_meta_t    m;
    fota_store_t  *st;

    st = open_current(argv[0], true);
    must(read_meta(st, &m), "meta");

    rc = write_snapshot(st, &m, argv[1], argv[2], argv[3]);

    fota_store_close(st);

    return rc;
}


int
main(int argc, char **argv)
{
    const char  *cmd;

    cmd = argc > 1 ? argv[1] : "";

    if (strcmp(cmd, "write") == 0 && argc == 4) {
        return do_write(argv[2], argv[3]);
    }

    if (strcmp(cmd, "patch") == 0 && argc == 4) {
        return do_patch(argv[2], argv[3]);
    }

    if (strcmp(cmd, "churn") == 0 && argc >= 5 && argc <= 8) {
        return do_churn(argc - 2, argv + 2);
    }

    if (strcmp(cmd, "dump") == 0 && argc == 3) {
        return do_dump(argv[2]);
    }

    if (strcmp(cmd, "snapshot") == 0 && argc == 6) {
        return do_snapshot(argv + 2);
    }

    if (strcmp(cmd, "token") == 0) {
        return mint_token(argc - 2, argv + 2);
    }

    if (strcmp(cmd, "device-token") == 0) {
        return mint_device_token(argc - 2, argv + 2);
    }

    fputs("usage: policytool write DIR SPEC.json\n"
          "       policytool patch DIR SPEC.json\n"
          "       policytool churn DIR RATE SECONDS [TENANT [PREFIX "
          "[COUNT]]]\n"
          "       policytool dump DIR\n"
          "       policytool snapshot DIR OUT KEY KID\n"
          "       policytool token root=HEX artifact=SHA256 [name=value...]\n"
          "       policytool device-token key=HEX tenant=ID device=ID\n",
          stderr);

    return 2;
}
