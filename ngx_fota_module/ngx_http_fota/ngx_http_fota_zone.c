/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The memory the workers share: counters, rates, small tables. */

#include <math.h>

#include "ngx_http_fota.h"


static ngx_int_t ngx_http_fota_zone_init(ngx_shm_zone_t *zone, void *data);
static void ngx_http_fota_zone_rate(ngx_http_fota_rate_t *rate, double s);


/* Microseconds. */

const ngx_uint_t  ngx_http_fota_bounds[NGX_HTTP_FOTA_BUCKETS] = {
    5, 10, 25, 50, 100, 250, 1000, 5000, 10000, 25000, 100000, 1000000
};


ngx_int_t
ngx_http_fota_zone_add(ngx_conf_t *cf, ngx_http_fota_main_conf_t *mcf)
{
    u_char     *p;
    ngx_str_t   name;

    name.len = sizeof("fota__v" NGX_HTTP_FOTA_ZONE_LAYOUT) - 1
               + mcf->zone_name.len;

    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(name.data, "fota_%V_v" NGX_HTTP_FOTA_ZONE_LAYOUT,
                    &mcf->zone_name);
    name.len = p - name.data;

    mcf->zone = ngx_shared_memory_add(cf, &name, mcf->zone_size,
                                      &ngx_http_fota_module);
    if (mcf->zone == NULL) {
        return NGX_ERROR;
    }

    mcf->zone->init = ngx_http_fota_zone_init;

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_zone_init(ngx_shm_zone_t *zone, void *data)
{
    size_t                size;
    ngx_uint_t            n;
    ngx_slab_pool_t      *pool;
    ngx_http_fota_shm_t  *shm;

    if (data != NULL) {
        shm = data;
        shm->configurations++;
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    /* What the slab pool can give in one piece, less its own book-keeping. */

    size = (size_t) pool->pfree * ngx_pagesize;

    if (size < sizeof(ngx_http_fota_shm_t) + 4 * ngx_pagesize) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "fota zone \"%V\" is too small", &zone->shm.name);
        return NGX_ERROR;
    }

    size -= 2 * ngx_pagesize;

    for (n = 1024;
         sizeof(ngx_http_fota_shm_t) + 2 * n * sizeof(ngx_http_fota_seen_t)
         <= size;
         n *= 2)
    {
        /* void */
    }

    size = sizeof(ngx_http_fota_shm_t) + n * sizeof(ngx_http_fota_seen_t);

    shm = ngx_slab_alloc(pool, size);
    if (shm == NULL) {
        return NGX_ERROR;
    }

    /* Fresh shared memory is zero; touching the rest would only cost RSS. */

    ngx_memzero(shm, sizeof(ngx_http_fota_shm_t));
    shm->nseen = n;
    shm->configurations = 1;

    /* Until the first scan ends; 0 would be a full disk. */

    shm->spool_avail = NGX_MAX_INT_T_VALUE;

    pool->data = shm;
    zone->data = shm;

    return NGX_OK;
}


void
ngx_http_fota_zone_attach(ngx_http_fota_rt_t *rt)
{
    ngx_uint_t               i;
    ngx_http_fota_worker_t  *w;

    for (i = 0; i < NGX_HTTP_FOTA_WORKERS; i++) {
        w = &rt->shm->workers[i];

        if (ngx_atomic_cmp_set(&w->pid, 0, (ngx_atomic_uint_t) ngx_pid)) {
            ngx_memzero(w->active, sizeof(w->active));
            w->transfers = 0;
            rt->slot = i;
            return;
        }

        /* Two configurations of one process without a master. */

        if (w->pid == (ngx_atomic_uint_t) ngx_pid) {
            rt->slot = i;
            return;
        }
    }

    /* More workers than slots: their downloads are not counted as active. */

    rt->slot = NGX_HTTP_FOTA_WORKERS;
}


void
ngx_http_fota_zone_detach(ngx_http_fota_rt_t *rt)
{
    if (rt->slot < NGX_HTTP_FOTA_WORKERS
        && ngx_process == NGX_PROCESS_WORKER)
    {
        rt->shm->workers[rt->slot].pid = 0;
    }
}


void
ngx_http_fota_zone_tick(ngx_http_fota_rt_t *rt)
{
    double                   s;
    ngx_uint_t               i;
    ngx_atomic_uint_t        pid, last, now;
    ngx_http_fota_shm_t     *shm;
    ngx_http_fota_worker_t  *w;

    shm = rt->shm;
    now = ngx_current_msec;
    last = shm->ticked;

    if (last != 0 && now - last < 1000) {
        return;
    }

    /* One worker steps the rates; any other sees its time gone. */

    if (!ngx_atomic_cmp_set(&shm->ticked, last, now ? now : 1) || last == 0) {
        return;
    }

    s = (double) (now - last) / 1000;

    ngx_http_fota_zone_rate(&shm->egress, s);

    for (i = 0; i < NGX_HTTP_FOTA_ROLLOUTS; i++) {
        if (shm->rollouts[i].id != 0) {
            ngx_http_fota_zone_rate(&shm->rollouts[i].bytes, s);
        }
    }

    /* A killed worker cannot give its slot back. */

    for (i = 0; i < NGX_HTTP_FOTA_WORKERS; i++) {
        w = &shm->workers[i];
        pid = w->pid;

        if (pid != 0 && pid != (ngx_atomic_uint_t) ngx_pid
            && kill((pid_t) pid, 0) == -1 && ngx_errno == ESRCH)
        {
            (void) ngx_atomic_cmp_set(&w->pid, pid, 0);
        }
    }
}


static void
ngx_http_fota_zone_rate(ngx_http_fota_rate_t *rate, double s)
{
    double             now, old;
    ngx_atomic_uint_t  total;

    total = rate->total;
    now = (double) (total - rate->last) / s;
    old = (double) rate->rate;

    rate->last = total;
    rate->rate = (ngx_atomic_uint_t) (now + (old - now) * exp(-s / 10));
}


ngx_int_t
ngx_http_fota_zone_rollout(ngx_http_fota_shm_t *shm, uint32_t id,
    ngx_uint_t make)
{
    ngx_uint_t                i, n, oldest, start;
    ngx_atomic_uint_t         have;
    ngx_http_fota_rollout_t  *e;

    if (id == 0) {
        return -1;
    }

    start = (id * 2654435761U) % NGX_HTTP_FOTA_ROLLOUTS;
    oldest = start;

    for (n = 0; n < 16; n++) {
        i = (start + n) % NGX_HTTP_FOTA_ROLLOUTS;
        e = &shm->rollouts[i];
        have = e->id;

        if (have == id) {
            if (make) {
                e->used = ngx_time();
            }

            return i;
        }

        if (have == 0) {

            if (!make) {
                return -1;
            }

            if (ngx_atomic_cmp_set(&e->id, 0, id) || e->id == id) {
                e->used = ngx_time();
                return i;
            }
        }

        if (e->used < shm->rollouts[oldest].used) {
            oldest = i;
        }
    }

    if (!make) {
        return -1;
    }

    /* Rollouts long over make room. */

    e = &shm->rollouts[oldest];
    have = e->id;

    if (e->used + 3600 > (ngx_atomic_uint_t) ngx_time()
        || !ngx_atomic_cmp_set(&e->id, have, id))
    {
        return -1;
    }

    e->used = ngx_time();
    e->ok = 0;
    e->failed = 0;
    e->bytes.total = 0;
    e->bytes.last = 0;
    e->bytes.rate = 0;

    for (i = 0; i < NGX_HTTP_FOTA_WORKERS; i++) {
        shm->workers[i].active[oldest] = 0;
    }

    return oldest;
}


ngx_uint_t
ngx_http_fota_zone_transfers(ngx_http_fota_shm_t *shm)
{
    ngx_uint_t  i, n;

    for (i = 0, n = 0; i < NGX_HTTP_FOTA_WORKERS; i++) {
        if (shm->workers[i].pid != 0) {
            n += shm->workers[i].transfers;
        }
    }

    return n;
}


void
ngx_http_fota_zone_load(ngx_http_fota_rt_t *rt, uint32_t rollout,
    fota_rollout_load_t *out)
{
    ngx_int_t                 slot;
    ngx_uint_t                i;
    ngx_http_fota_worker_t   *w;
    ngx_http_fota_rollout_t  *e;

    ngx_memzero(out, sizeof(fota_rollout_load_t));

    slot = ngx_http_fota_zone_rollout(rt->shm, rollout, 0);
    if (slot < 0) {
        return;
    }

    e = &rt->shm->rollouts[slot];

    out->ok = (uint32_t) e->ok;
    out->failed = (uint32_t) e->failed;
    out->bps = e->bytes.rate;

    for (i = 0; i < NGX_HTTP_FOTA_WORKERS; i++) {
        w = &rt->shm->workers[i];

        if (w->pid != 0) {
            out->active += w->active[slot];
        }
    }
}


void
ngx_http_fota_zone_terminal(ngx_http_fota_rt_t *rt, uint32_t rollout,
    const uint8_t id[16], ngx_uint_t ok)
{
    uint64_t                  word, *slot;
    ngx_int_t                 i;
    ngx_http_fota_rollout_t  *e;

    /* A device that asks again must not count as two. */

    ngx_memcpy(&word, id, sizeof(word));
    slot = &rt->shm->report_ids[word % NGX_HTTP_FOTA_REPORT_IDS];

    if (*slot == word) {
        return;
    }

    *slot = word;

    i = ngx_http_fota_zone_rollout(rt->shm, rollout, 1);
    if (i < 0) {
        return;
    }

    e = &rt->shm->rollouts[i];
    (void) ngx_atomic_fetch_add(ok ? &e->ok : &e->failed, 1);
}


ngx_int_t
ngx_http_fota_zone_once(ngx_http_fota_rt_t *rt, const fota_token_t *t,
    time_t now)
{
    ngx_uint_t          i;
    ngx_atomic_t       *set, *exp;
    ngx_atomic_uint_t   word, have;

    word = (ngx_atomic_uint_t) fota_siphash(t->tenant, t->deployment, t->nonce,
                                            sizeof(t->nonce));
    word = word ? word : 1;

    set = rt->shm->once[word % NGX_HTTP_FOTA_ONCE_SETS];
    exp = rt->shm->once_exp[word % NGX_HTTP_FOTA_ONCE_SETS];

    for (i = 0; i < NGX_HTTP_FOTA_ONCE_WAYS; i++) {
        if (set[i] == word) {
            return NGX_DECLINED;
        }
    }

    for (i = 0; i < NGX_HTTP_FOTA_ONCE_WAYS; i++) {
        have = set[i];

        if (have != 0
            && exp[i] + FOTA_TOKEN_SKEW >= (ngx_atomic_uint_t) now)
        {
            continue;
        }

        /* Two requests with one nonce race for one word. */

        if (ngx_atomic_cmp_set(&set[i], have, word)) {
            exp[i] = t->exp;
            return NGX_OK;
        }

        if (set[i] == word) {
            return NGX_DECLINED;
        }
    }

    return NGX_BUSY;
}


ngx_uint_t
ngx_http_fota_since(const struct timespec *from)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (now.tv_sec - from->tv_sec) * 1000000
           + (now.tv_nsec - from->tv_nsec) / 1000;
}


void
ngx_http_fota_observe(ngx_http_fota_histogram_t *h, ngx_uint_t us)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_FOTA_BUCKETS; i++) {
        if (us <= ngx_http_fota_bounds[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&h->count[i], 1);
    (void) ngx_atomic_fetch_add(&h->sum, us);
}
