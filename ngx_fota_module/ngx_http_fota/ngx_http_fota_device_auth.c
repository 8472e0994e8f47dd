/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Is the asker the device it says it is? */

#include "ngx_http_fota_case.h"


static ngx_int_t ngx_http_fota_auth_mtls(ngx_http_fota_case_t *c,
    fota_str_t device);
static ngx_int_t ngx_http_fota_auth_token(ngx_http_fota_case_t *c,
    fota_str_t device, ngx_uint_t methods, fota_str_t token);

#if (NGX_SSL)
static fota_str_t ngx_http_fota_auth_cn(ngx_pool_t *pool, ngx_str_t *dn);
#endif


ngx_int_t
ngx_http_fota_device_auth(ngx_http_fota_case_t *c, fota_str_t device)
{
    ngx_int_t   rc;
    ngx_uint_t  methods;
    fota_str_t  token;

    /* Both the place and the tenant must allow a method. */

    methods = c->conf->auth & c->tenant->auth;

    if (methods & FOTA_AUTH_OPEN) {
        return NGX_OK;
    }

    if (methods & FOTA_AUTH_MTLS) {
        rc = ngx_http_fota_auth_mtls(c, device);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    token = ngx_http_fota_authorization(c->request, "Bearer");

    if (token.data == NULL && (methods & FOTA_AUTH_DEVICE)) {
        token = ngx_http_fota_authorization(c->request, "TargetToken");

        if (token.data != NULL) {
            methods &= ~FOTA_AUTH_GATEWAY;
        }
    }

    if (token.data == NULL && (methods & FOTA_AUTH_GATEWAY)) {
        token = ngx_http_fota_authorization(c->request, "GatewayToken");

        if (token.data != NULL) {
            methods &= ~FOTA_AUTH_DEVICE;
        }
    }

    if (token.data != NULL && token.len != 0
        && ngx_http_fota_auth_token(c, device, methods, token) == NGX_OK)
    {
        return NGX_OK;
    }

    c->authenticate = (token.data == NULL)
                      ? "Bearer realm=\"fota\""
                      : "Bearer realm=\"fota\", error=\"invalid_token\"";

    return ngx_http_fota_case_fail(c, NGX_HTTP_UNAUTHORIZED, "unauthorized",
                                   NULL,
                                   (token.data == NULL)
                                   ? "a credential is needed"
                                   : "the credential is not valid for this "
                                     "device");
}


static ngx_int_t
ngx_http_fota_auth_token(ngx_http_fota_case_t *c, fota_str_t device,
    ngx_uint_t methods, fota_str_t token)
{
    int         i;
    bool        found;
    uint8_t     sha256[32];

    if ((methods & FOTA_AUTH_DEVICE)
        && !(c->has_device && c->device.has_token)
        && token.len == FOTA_DEVICE_TOKEN_LEN
        && fota_view_device_token(c->rt->view, c->tenant->id, device, token)
           == FOTA_OK)
    {
        return NGX_OK;
    }

    if (fota_sha256(sha256, token.data, token.len) != FOTA_OK) {
        return NGX_ERROR;
    }

    /* A device with a token of its own is not served for the derived one. */

    if ((methods & FOTA_AUTH_DEVICE) && c->has_device && c->device.has_token
        && fota_crypto_eq(sha256, c->device.token, sizeof(sha256)))
    {
        return NGX_OK;
    }

    found = false;

    if (methods & FOTA_AUTH_GATEWAY) {
        for (i = 0; i < c->tenant->ngateway; i++) {
            found |= fota_crypto_eq(sha256, c->tenant->gateway[i],
                                    sizeof(sha256));
        }
    }

    return found ? NGX_OK : NGX_DECLINED;
}


/* NGX_AGAIN: no certificate, another method may do. */

static ngx_int_t
ngx_http_fota_auth_mtls(ngx_http_fota_case_t *c, fota_str_t device)
{
#if (NGX_SSL)

    uint16_t           i;
    ngx_str_t          s;
    fota_str_t         issuer, cn;
    ngx_connection_t  *conn;

    conn = c->request->connection;

    if (conn->ssl == NULL
        || ngx_ssl_get_client_verify(conn, c->request->pool, &s) != NGX_OK
        || s.len != sizeof("SUCCESS") - 1
        || ngx_strncmp(s.data, "SUCCESS", s.len) != 0)
    {
        return NGX_AGAIN;
    }

    if (ngx_ssl_get_issuer_dn(conn, c->request->pool, &s) != NGX_OK) {
        return NGX_AGAIN;
    }

    issuer = fota_slice(s.data, s.len);

    for (i = 0; i < c->tenant->nissuers; i++) {
        if (fota_str_eq(c->tenant->issuers[i], issuer)) {
            break;
        }
    }

    if (i == c->tenant->nissuers) {
        return ngx_http_fota_case_fail(c, NGX_HTTP_FORBIDDEN,
                                       "wrong_issuer", NULL,
                                       "the certificate's issuer is not one "
                                       "of this tenant");
    }

    if (ngx_ssl_get_subject_dn(conn, c->request->pool, &s) != NGX_OK) {
        return NGX_AGAIN;
    }

    cn = ngx_http_fota_auth_cn(c->request->pool, &s);

    if (!fota_str_eq(cn, device)) {
        return ngx_http_fota_case_fail(c, NGX_HTTP_FORBIDDEN, "wrong_device",
                                       "device",
                                       "is not the subject of the "
                                       "certificate");
    }

    return NGX_OK;

#else

    return NGX_AGAIN;

#endif
}


#if (NGX_SSL)

/*
 * The common name of an RFC 2253 name ("CN=dev\,1,O=x+OU=y"), unescaped.
 * Empty when there is none or more than one.
 */

static fota_str_t
ngx_http_fota_auth_cn(ngx_pool_t *pool, ngx_str_t *dn)
{
    size_t       i;
    u_char      *out, *last;
    ngx_int_t    n;
    fota_str_t   cn;

    cn = fota_slice(NULL, 0);

    for (i = 0; i < dn->len; i++) {

        /* At the start of one attribute. */

        if (dn->len - i > 3
            && ngx_strncasecmp(&dn->data[i], (u_char *) "CN=", 3) == 0)
        {
            if (cn.data != NULL) {
                return fota_slice(NULL, 0);
            }

            out = ngx_pnalloc(pool, dn->len);
            if (out == NULL) {
                return cn;
            }

            for (i += 3, last = out; i < dn->len; i++) {

                if (dn->data[i] == ',' || dn->data[i] == '+') {
                    break;
                }

                if (dn->data[i] != '\\') {
                    *last++ = dn->data[i];
                    continue;
                }

                n = (dn->len - i > 2) ? ngx_hextoi(&dn->data[i + 1], 2)
                                      : NGX_ERROR;

                if (n != NGX_ERROR) {
                    *last++ = (u_char) n;
                    i += 2;

                } else if (++i < dn->len) {
                    *last++ = dn->data[i];
                }
            }

            cn = fota_slice(out, last - out);
            continue;
        }

        for ( /* void */ ; i < dn->len; i++) {

            if (dn->data[i] == '\\') {
                i++;

            } else if (dn->data[i] == ',' || dn->data[i] == '+') {
                break;
            }
        }
    }

    return cn;
}

#endif
