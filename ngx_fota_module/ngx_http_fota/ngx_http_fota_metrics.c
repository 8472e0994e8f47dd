/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Prometheus text format 0.0.4.  Never a device as a label. */

#include "ngx_http_fota.h"
#include "fota_tally.h"


typedef struct {
    const char  *metric;
    const char  *labels;
    const char  *help;
} ngx_http_fota_counter_t;


static void ngx_http_fota_metrics_head(fota_buf_t *out, const char *name,
    const char *type, const char *help);
static void ngx_http_fota_gauge(fota_buf_t *out, const char *name,
    const char *help, uint64_t value);
static void ngx_http_fota_metrics_counters(fota_buf_t *out,
    ngx_http_fota_shm_t *shm);
static void ngx_http_fota_histogram(fota_buf_t *out, const char *name,
    const char *help, ngx_http_fota_histogram_t *h);
static void ngx_http_fota_metrics_bytes(fota_buf_t *out,
    ngx_http_fota_shm_t *shm);
static void ngx_http_fota_metrics_policy(fota_buf_t *out,
    ngx_http_fota_rt_t *rt, ngx_http_fota_ctx_t *ctx);
static void ngx_http_fota_metrics_nodes(fota_buf_t *out,
    const fota_node_set_t *set);
static void ngx_http_fota_metrics_sync(fota_buf_t *out,
    ngx_http_fota_main_conf_t *mcf);
static void ngx_http_fota_metrics_spool(fota_buf_t *out,
    ngx_http_fota_rt_t *rt);


static const ngx_http_fota_counter_t  ngx_http_fota_counters[] = {
#define X(name, metric, labels, help)  { metric, labels, help },
#include "ngx_http_fota_counters_x.h"
#undef X
};


ngx_int_t
ngx_http_fota_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    fota_buf_t            out;
    ngx_http_fota_rt_t   *rt;
    ngx_http_fota_ctx_t  *ctx;
    ngx_http_fota_shm_t  *shm;

    rc = ngx_http_fota_get_only(r);

    if (rc != NGX_OK) {
        return rc;
    }

    rt = ngx_http_fota_rt(r);
    ctx = ngx_http_fota_make_ctx(r);

    if (rt == NULL || ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    shm = rt->shm;

    fota_buf_grow(&out, 4 * 1024 * 1024);

    ngx_http_fota_metrics_head(&out, "fota_checks_total", "counter",
                               "Update checks by outcome");

    for (i = 0; i < FOTA_R__N; i++) {
        fota_buf_printf(&out, "fota_checks_total{decision=\"%s\","
                        "reason=\"%s\"} %lu\n",
                        (i == FOTA_R_OFFER) ? "update" : "none",
                        fota_reason_name((fota_reason_e) i),
                        (unsigned long) shm->checks[i]);
    }

    ngx_http_fota_histogram(&out, "fota_check_duration_seconds",
                            "Time from the parsed request to the answer",
                            &shm->check_time);

    ngx_http_fota_metrics_counters(&out, shm);
    ngx_http_fota_metrics_bytes(&out, shm);

    ngx_http_fota_gauge(&out, "fota_transfers", "Downloads running",
                        ngx_http_fota_zone_transfers(shm));
    ngx_http_fota_gauge(&out, "fota_egress_bytes_per_second",
                        "Bytes sent for downloads, 10 s average",
                        shm->egress.rate);
    ngx_http_fota_gauge(&out, "fota_ktls",
                        "1 when the kernel was seen to encrypt downloads",
                        shm->ktls);

    if (rt->view != NULL) {
        ngx_http_fota_metrics_policy(&out, rt, ctx);
        ngx_http_fota_metrics_sync(&out, rt->conf);
    }

    if (rt->conf->spool.len) {
        ngx_http_fota_metrics_spool(&out, rt);
    }

    if (rt->conf->geo_file.len) {
        ngx_http_fota_gauge(&out, "fota_geo_build_seconds",
                            "Unix time the location database was built",
                            (rt->geo != NULL) ? fota_geo_epoch(rt->geo) : 0);
    }

    if (out.status == FOTA_OK) {
        rc = ngx_http_fota_send(r, NGX_HTTP_OK,
                                "text/plain; version=0.0.4; charset=utf-8",
                                out.start, out.len);
    } else {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    fota_buf_free(&out);

    return rc;
}


static void
ngx_http_fota_metrics_head(fota_buf_t *out, const char *name,
    const char *type, const char *help)
{
    fota_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                    type);
}


static void
ngx_http_fota_gauge(fota_buf_t *out, const char *name, const char *help,
    uint64_t value)
{
    ngx_http_fota_metrics_head(out, name, "gauge", help);
    fota_buf_printf(out, "%s %lu\n", name, (unsigned long) value);
}


static void
ngx_http_fota_metrics_counters(fota_buf_t *out, ngx_http_fota_shm_t *shm)
{
    ngx_uint_t                      i;
    const ngx_http_fota_counter_t  *c;

    for (i = 0; i < NGX_HTTP_FOTA_C__N; i++) {
        c = &ngx_http_fota_counters[i];

        if (c->help != NULL) {
            ngx_http_fota_metrics_head(out, c->metric, "counter", c->help);
        }

        if (c->labels != NULL) {
            fota_buf_printf(out, "%s{%s} %lu\n", c->metric, c->labels,
                            (unsigned long) shm->counters[i]);
        } else {
            fota_buf_printf(out, "%s %lu\n", c->metric,
                            (unsigned long) shm->counters[i]);
        }
    }
}


static void
ngx_http_fota_histogram(fota_buf_t *out, const char *name, const char *help,
    ngx_http_fota_histogram_t *h)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  n;

    ngx_http_fota_metrics_head(out, name, "histogram", help);

    for (i = 0, n = 0; i < NGX_HTTP_FOTA_BUCKETS; i++) {
        n += h->count[i];
        fota_buf_printf(out, "%s_bucket{le=\"%g\"} %lu\n", name,
                        (double) ngx_http_fota_bounds[i] / 1000000,
                        (unsigned long) n);
    }

    n += h->count[i];

    fota_buf_printf(out, "%s_bucket{le=\"+Inf\"} %lu\n%s_sum %.6f\n"
                    "%s_count %lu\n", name, (unsigned long) n, name,
                    (double) h->sum / 1000000, name, (unsigned long) n);
}


static void
ngx_http_fota_metrics_bytes(fota_buf_t *out, ngx_http_fota_shm_t *shm)
{
    ngx_uint_t  i;

    ngx_http_fota_metrics_head(out, "fota_download_bytes_total", "counter",
                               "Bytes of artifacts by rate class, 15 and "
                               "above together");

    for (i = 0; i < NGX_HTTP_FOTA_CLASSES; i++) {

        if (i != 0 && shm->sent[i] == 0) {
            continue;
        }

        fota_buf_printf(out, "fota_download_bytes_total{class=\"%lu\","
                        "kind=\"sent\"} %lu\n"
                        "fota_download_bytes_total{class=\"%lu\","
                        "kind=\"delivered\"} %lu\n",
                        (unsigned long) i, (unsigned long) shm->sent[i],
                        (unsigned long) i, (unsigned long) shm->delivered[i]);
    }
}


static void
ngx_http_fota_metrics_policy(fota_buf_t *out, ngx_http_fota_rt_t *rt,
    ngx_http_fota_ctx_t *ctx)
{
    int                 rc;
    fota_store_stat_t   st;
    const fota_meta_t  *meta;

    rc = ngx_http_fota_begin(rt, ctx);

    ngx_http_fota_gauge(out, "fota_policy_up",
                        "1 when the policy database can be read",
                        rc == FOTA_OK);

    if (rc != FOTA_OK) {
        return;
    }

    meta = fota_view_meta(rt->view);

    ngx_http_fota_gauge(out, "fota_policy_seq", "Position in the change log",
                        meta->seq);
    ngx_http_fota_gauge(out, "fota_policy_generation",
                        "Changes of policy other than devices",
                        meta->generation);
    ngx_http_fota_gauge(out, "fota_policy_lag_seconds",
                        "Seconds since this edge knew to be current",
                        ctx->lag);

    ngx_http_fota_metrics_nodes(out, fota_view_nodes(rt->view));

    ngx_http_fota_end(rt);

    if (fota_store_stat(fota_view_store(rt->view), &st) == FOTA_OK) {
        ngx_http_fota_gauge(out, "fota_lmdb_map_bytes",
                            "Size of the policy database's map",
                            st.map_size);
        ngx_http_fota_gauge(out, "fota_lmdb_used_bytes",
                            "Pages in use in the policy database", st.used);
        ngx_http_fota_gauge(out, "fota_lmdb_free_pages",
                            "Free pages in the policy database",
                            st.free_pages);
        ngx_http_fota_gauge(out, "fota_lmdb_readers",
                            "Reader slots of the policy database in use",
                            st.readers);
    }
}


static void
ngx_http_fota_metrics_nodes(fota_buf_t *out, const fota_node_set_t *set)
{
    double              headroom;
    uint32_t            i;
    const fota_node_t  *n;

    if (set == NULL || set->n == 0) {
        return;
    }

    ngx_http_fota_metrics_head(out, "fota_node_headroom", "gauge",
                               "1 = free, 0 = full, as node selection sees "
                               "it");

    for (i = 0; i < set->n; i++) {
        n = &set->nodes[i].node;

        headroom = (n->state == FOTA_NODE_UP) ? fota_node_headroom(n->load)
                                              : 0;

        /* The id: a name would have to be escaped. */

        fota_buf_printf(out, "fota_node_headroom{node=\"%u\"} %g\n", n->id,
                        headroom);
    }
}


/*
 * As the agent counts it: one small file, read for this listener alone.
 * Nothing at all where no agent has worked yet.
 */

static void
ngx_http_fota_metrics_sync(fota_buf_t *out, ngx_http_fota_main_conf_t *mcf)
{
    ngx_uint_t    i;
    fota_tally_t  tally;

    if (fota_tally_read((char *) mcf->db.data, &tally) != FOTA_OK) {
        return;
    }

    ngx_http_fota_metrics_head(out, "fota_sync_errors_total", "counter",
                               "Times the agent did not get policy, "
                               "refused it, or found a damaged artifact");

    for (i = 0; i < FOTA_SYNC__N; i++) {
        fota_buf_printf(out, "fota_sync_errors_total{kind=\"%s\"} %lu\n",
                        fota_sync_error_name((fota_sync_error_e) i),
                        (unsigned long) tally.errors[i]);
    }
}


static void
ngx_http_fota_metrics_spool(fota_buf_t *out, ngx_http_fota_rt_t *rt)
{
    ngx_http_fota_shm_t  *shm;

    shm = rt->shm;

    ngx_http_fota_gauge(out, "fota_spool_bytes",
                        "Bytes of reports that are not uploaded yet",
                        shm->spool_waiting);
    ngx_http_fota_gauge(out, "fota_spool_records",
                        "Records of reports that are not uploaded yet",
                        shm->spool_records);
    ngx_http_fota_gauge(out, "fota_spool_oldest_seconds",
                        "Age of the first of them, 0 when there is none",
                        (shm->spool_oldest != 0
                         && shm->spool_oldest
                            < (ngx_atomic_uint_t) ngx_time())
                        ? ngx_time() - shm->spool_oldest : 0);
    ngx_http_fota_gauge(out, "fota_spool_segments",
                        "Segments in the report spool", shm->spool_segments);
    ngx_http_fota_gauge(out, "fota_spool_level_percent",
                        "How full the report spool is",
                        ngx_http_fota_spool_level(rt));
    ngx_http_fota_gauge(out, "fota_spool_disk_bytes",
                        "Bytes of the spool's files, uploaded or not",
                        shm->spool_bytes);
    ngx_http_fota_metrics_head(out, "fota_spool_written_total", "counter",
                               "Records written to the report spool");
    fota_buf_printf(out, "fota_spool_written_total %lu\n",
                    (unsigned long) shm->spool_written);

    ngx_http_fota_histogram(out, "fota_spool_commit_seconds",
                            "Time of a group commit to disk",
                            &shm->commit_time);
}
