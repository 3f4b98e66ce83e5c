/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * What Keycloak tells: back-channel logout, front-channel logout, and the admin actions of its own
 * protocol (k_logout and so on). A notice is believed for its signature alone; it needs no cookie.
 * Each is used once.
 */

#include <apr_strings.h>

#include "httpd/endpoints.h"
#include "httpd/request.h"
#include "httpd/revoke.h"
#include "httpd/site.h"
#include "httpd/trouble.h"

enum { NOTICE_MAX = 64 * 1024 };

/* --- answers ---------------------------------------------------------------------------------- */

static int answer(request_rec *r, int status, const char *type, const char *body)
{
    r->status = status;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    ap_set_content_type(r, type);
    ap_rputs(body, r);
    return OK;
}

/* Back-Channel Logout 1.0 section 2.8: 400 and a JSON error for what is not believed. */
static int disbelieve(request_rec *r, const kc_error *err)
{
    int away = err->fault == KC_FAULT_AWAY;

    kc_trouble_log_error(r, APLOG_WARNING, err, "");
    return answer(r, away ? HTTP_SERVICE_UNAVAILABLE : HTTP_BAD_REQUEST, "application/json",
                  away ? "{\"error\":\"temporarily_unavailable\"}\n"
                       : "{\"error\":\"invalid_request\"}\n");
}

static int only(request_rec *r, int method)
{
    int rv = kc_request_only(r, method, method);

    if (rv != OK) {
        apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    }
    return rv;
}

/* --- what notices have in common -------------------------------------------------------------- */

typedef struct talk {
    kc_provider_view view;
    kc_client client;
    apr_time_t deadline;
} talk;

static apr_status_t begin(request_rec *r, const kc_site *site, talk *with, kc_error *err)
{
    memset(with, 0, sizeof(*with));
    with->client.id = site->conf->client_id;
    with->deadline = apr_time_now() + apr_time_from_sec(site->conf->timeout);
    if (!site->provider) {
        return kc_fail(err, KC_FAULT_AWAY, "KC0960",
                       "this child could not prepare calls to Keycloak");
    }
    return kc_provider_get(site->provider, &with->view, with->deadline, r->pool, err);
}

static apr_status_t use_once(const kc_site *site, const kc_logout_notice *notice, apr_pool_t *pool,
                             kc_error *err)
{
    if (kc_once_use(site->once, apr_pstrcat(pool, "notice ", notice->id, NULL))) {
        return APR_SUCCESS;
    }
    return kc_fail(err, KC_FAULT_REQUEST, "KC0961", "a notice came twice");
}

static void end_sid(request_rec *r, const kc_site *site, const char *sid)
{
    kc_site_revoke(r->server, site, KC_REVOKED_SID, sid, apr_time_now(), r->pool);
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0962: Keycloak ended the session %.64s", sid);
}

/* --- back-channel ----------------------------------------------------------------------------- */

static apr_status_t read_logout_token(request_rec *r, const kc_site *site, kc_logout_notice *notice,
                                      kc_error *err)
{
    apr_table_t *parameters;
    const char *token;
    talk with;
    apr_status_t rv;

    if (kc_request_parameters(r, &parameters) != APR_SUCCESS ||
        !(token = apr_table_get(parameters, "logout_token"))) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0963",
                       "a back-channel logout without a logout_token");
    }
    rv = begin(r, site, &with, err);
    if (rv == APR_SUCCESS) {
        rv = kc_logout_token_read(notice, token, site->provider, &with.view, &with.client,
                                  with.deadline, r->pool, err);
    }
    return rv == APR_SUCCESS ? use_once(site, notice, r->pool, err) : rv;
}

int kc_backchannel_logout_handler(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    kc_logout_notice notice = {0};
    kc_error err = {0};
    int rv = only(r, M_POST);

    if (rv != OK) {
        return rv;
    }
    if (read_logout_token(r, site, &notice, &err) != APR_SUCCESS) {
        return disbelieve(r, &err);
    }
    if (notice.sid) {
        end_sid(r, site, notice.sid);
    } else {
        kc_site_revoke(r->server, site, KC_REVOKED_SUB, notice.sub, apr_time_now(), r->pool);
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0964: Keycloak ended all sessions of %.64s",
                      notice.sub);
    }
    return answer(r, HTTP_OK, "text/plain", "");
}

/* --- front-channel ---------------------------------------------------------------------------- */

/* Anybody can call this, and make up what they like. */
static void end_unproven_sid(request_rec *r, const kc_site *site, const char *sid)
{
    if (kc_site_revoke_unproven(site, sid)) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0969: a frame ended the session %.64s", sid);
    } else {
        kc_trouble_log(r, APLOG_WARNING, "KC0970",
                       "no room for front-channel logouts; sessions end with the next renewal");
    }
}

/* Keycloak's page shows ours in a frame, to which browsers give no cookie: iss and sid say whose
 * session it is. */
int kc_frontchannel_logout_handler(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    apr_table_t *parameters;
    const char *iss, *sid;
    kc_error err = {0};
    kc_url url;

    if (only(r, M_GET) != OK) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (kc_request_parameters(r, &parameters) != APR_SUCCESS ||
        !(iss = apr_table_get(parameters, "iss")) || !(sid = apr_table_get(parameters, "sid")) ||
        !*sid || strlen(sid) > 255 || !kc_site_is_issuer(site, iss)) {
        kc_fail(&err, KC_FAULT_REQUEST, "KC0965",
                "a front-channel logout without this issuer's iss and a sid");
        return disbelieve(r, &err);
    }
    end_unproven_sid(r, site, sid);
    if (kc_url_parse(&url, site->conf->issuer, r->pool) == APR_SUCCESS) {
        apr_table_setn(
            r->headers_out, "Content-Security-Policy",
            apr_pstrcat(r->pool, "default-src 'none'; frame-ancestors ", url.origin, NULL));
    }
    return answer(
        r, HTTP_OK, "text/html; charset=utf-8",
        "<!DOCTYPE html><html lang=\"en\"><title>Logged out</title><p>Logged out.</p></html>\n");
}

/* --- admin actions ---------------------------------------------------------------------------- */

static apr_status_t read_text(request_rec *r, char **text, kc_error *err)
{
    apr_size_t len;

    if (kc_request_body(r, text, &len) != APR_SUCCESS || !len || memchr(*text, '\0', len)) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0966", "an admin action without a token");
    }
    return APR_SUCCESS;
}

static apr_status_t read_action(request_rec *r, const kc_site *site, const char *action,
                                kc_logout_notice *notice, kc_error *err)
{
    char *text;
    talk with;
    apr_status_t rv = read_text(r, &text, err);

    if (rv == APR_SUCCESS) {
        rv = begin(r, site, &with, err);
    }
    if (rv == APR_SUCCESS) {
        rv = kc_admin_action_read(notice, action, text, site->provider, &with.view, &with.client,
                                  with.deadline, r->pool, err);
    }
    return rv == APR_SUCCESS ? use_once(site, notice, r->pool, err) : rv;
}

static void obey(request_rec *r, const kc_site *site, const kc_logout_notice *notice)
{
    const json_t *sid;
    apr_time_t until;
    size_t i;

    if (notice->sids) {
        json_array_foreach(notice->sids, i, sid)
        {
            end_sid(r, site, json_string_value(sid));
        }
        return;
    }
    /* Of a push, sessions older than notBefore end, an equal one is good. A logout of everybody has
     * the second in which it is sent as notBefore: what began in that second ends as well. */
    until = strcmp(notice->action, "LOGOUT") ? apr_time_from_sec(notice->not_before) - 1
                                             : apr_time_now();
    kc_site_revoke(r->server, site, KC_REVOKED_ALL, "", until, r->pool);
    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r,
                  "KC0967: Keycloak ended all sessions begun before %" APR_INT64_T_FMT,
                  apr_time_sec(until));
}

int kc_admin_action_handler(request_rec *r)
{
    static const struct {
        const char *end, *action;
    } actions[] = {{"/k_logout", "LOGOUT"},
                   {"/k_push_not_before", "PUSH_NOT_BEFORE"},
                   {"/k_test_available", "TEST_AVAILABILITY"}};
    const kc_site *site = kc_site_of(r->server);
    kc_logout_notice notice = {0};
    kc_error err = {0};
    apr_size_t i = 0;
    int rv = only(r, M_POST);

    if (rv != OK) {
        return rv;
    }
    while (i < 2 && strcmp(r->uri + strlen(site->conf->path), actions[i].end)) {
        i++;
    }
    if (read_action(r, site, actions[i].action, &notice, &err) != APR_SUCCESS) {
        return disbelieve(r, &err);
    }
    if (i < 2) {
        obey(r, site, &notice);
    }
    return answer(r, HTTP_NO_CONTENT, "text/plain", "");
}
