/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What the application sees: who it is, in the environment or in headers, and nothing that a client
 * made up. */

#include <apr_lib.h>
#include <apr_strings.h>

#include "httpd/config.h"
#include "httpd/cookies.h"
#include "httpd/identity.h"
#include "httpd/pages.h"
#include "httpd/request.h"
#include "httpd/sessions.h"
#include "httpd/site.h"

/* One piece of identity, under its two names. */
typedef struct export_name {
    const char *variable;
    const char *header;
} export_name;

static const export_name NAMES[KC_TOLD] = {{"KC_USER_ID", "KC-User-Id"},
                                           {"KC_USER_NAME", "KC-User-Name"},
                                           {"KC_NAME", "KC-Name"},
                                           {"KC_EMAIL", "KC-Email"},
                                           {"KC_ROLES", "KC-Roles"},
                                           {"KC_REALM_ROLES", "KC-Realm-Roles"},
                                           {"KC_SID", "KC-Sid"},
                                           {"KC_ACR", "KC-Acr"},
                                           {"KC_AUTH_TIME", "KC-Auth-Time"},
                                           {"KC_EXPIRES", "KC-Expires"}};

static ap_filter_rec_t *caching_filter;

/* --- nothing made up -------------------------------------------------------------------------- */

/* Whether CGI, or whatever folds as it does, could read this header as one of ours: KC- with any
 * sign for the dash. */
static int folds_to_ours(const char *name)
{
    return (name[0] == 'K' || name[0] == 'k') && (name[1] == 'C' || name[1] == 'c') && name[2] &&
           !apr_isalnum(name[2]);
}

/* A client may name headers in Connection, to have a proxy drop them (RFC 9110 section 7.6.1). Ours
 * are written later, and are to arrive. Parted as mod_proxy parts it. */
static void keep_ours_on_the_way(request_rec *r)
{
    const char *list = apr_table_get(r->headers_in, "Connection");
    apr_array_header_t *kept;

    if (!list || !ap_strcasestr(list, "kc")) {
        return;
    }
    kept = apr_array_make(r->pool, 4, sizeof(char *));
    while (*(list += strspn(list, ",; \t"))) {
        char *name = ap_get_token(r->pool, &list, 0);

        if (!folds_to_ours(name)) {
            APR_ARRAY_PUSH(kept, char *) = name;
        }
    }
    apr_table_setn(r->headers_in, "Connection", apr_array_pstrcat(r->pool, kept, ','));
}

int kc_strip_spoofed(request_rec *r)
{
    const apr_array_header_t *headers;
    int i = 0;

    if (!kc_server_conf_of(r->server)->exports_headers) {
        return DECLINED;
    }
    keep_ours_on_the_way(r);
    headers = apr_table_elts(r->headers_in);
    while (i < headers->nelts) {
        const char *name = APR_ARRAY_IDX(headers, i, apr_table_entry_t).key;

        if (name && folds_to_ours(name)) {
            apr_table_unset(r->headers_in, name); /* moves the rest up */
        } else {
            i++;
        }
    }
    return DECLINED;
}

/* --- the session, told ------------------------------------------------------------------------ */

static char *put_encoded(char *to, const char *name, apr_size_t len)
{
    for (; len; len--, name++) {
        if (*name == ',' || *name == '%') {
            memcpy(to, *name == ',' ? "%2C" : "%25", 3);
            to += 3;
        } else {
            *to++ = *name;
        }
    }
    return to;
}

/*
 * Names joined by commas; a comma or percent sign inside a name is percent-encoded. Whether there
 * is any is looked for in the whole list at once: a person may hold hundreds of roles.
 */
static const char *joined(apr_pool_t *pool, const kc_names *names)
{
    int plain = !memchr(names->bytes, ',', names->len) && !memchr(names->bytes, '%', names->len);
    char *text = apr_palloc(pool, (plain ? 1 : 3) * names->len + 1), *to = text;
    const char *name;
    apr_size_t at = 0, len;

    while ((name = kc_names_next(names, &at, &len)) != NULL) {
        if (to != text) {
            *to++ = ',';
        }
        if (plain) {
            memcpy(to, name, len);
            to += len;
        } else {
            to = put_encoded(to, name, len);
        }
    }
    *to = '\0';
    return text;
}

/* A claim may hold what would end a header's line, or a line of what an application writes. */
static const char *one_line(apr_pool_t *pool, const char *value)
{
    apr_size_t len = strlen(value);
    char *clean, *to;

    if (!kc_text_has_controls(value, len)) {
        return value;
    }
    clean = apr_pstrmemdup(pool, value, len);
    for (to = clean; *to; to++) {
        if ((unsigned char)*to < ' ' || *to == 0x7f) {
            *to = ' ';
        }
    }
    return clean;
}

static const char *time_text(apr_pool_t *pool, apr_int64_t seconds)
{
    return seconds ? apr_off_t_toa(pool, (apr_off_t)seconds) : "";
}

static const kc_told *make_told(apr_pool_t *pool, const kc_session *session)
{
    const char *texts[KC_TOLD] = {session->sub,
                                  session->username,
                                  session->name,
                                  session->email,
                                  joined(pool, &session->roles),
                                  joined(pool, &session->realm_roles),
                                  *session->sid == '~' ? "" : session->sid, /* a name of our own */
                                  session->acr,
                                  time_text(pool, session->auth_time),
                                  time_text(pool, session->expires)};
    kc_told *told = apr_palloc(pool, sizeof(*told));
    int i;

    for (i = 0; i < KC_TOLD; i++) {
        told->texts[i] = *texts[i] ? one_line(pool, texts[i]) : NULL;
    }
    return told;
}

const kc_told *kc_identity_told(request_rec *r, const kc_session *session)
{
    kc_request *request;

    r = kc_request_initial(r);
    request = kc_request_of(r);
    if (!request->told) {
        request->told = make_told(r->pool, session);
    }
    return request->told;
}

static void tell(request_rec *r, int how, const export_name *name, const char *value)
{
    if (how & KC_EXPORT_ENV) {
        if (r->main || r->prev) { /* they begin with their parent's environment */
            apr_table_setn(r->subprocess_env, name->variable, value);
        } else {
            apr_table_addn(r->subprocess_env, name->variable, value);
        }
    }
    if (how & KC_EXPORT_HEADERS) {
        apr_table_setn(r->headers_in, name->header, value);
    }
}

void kc_identity_export(request_rec *r, const kc_session *session)
{
    kc_request *request = kc_request_of(r);
    int i, how = kc_dir_conf_of(r)->export;
    const kc_told *told;

    if (how == KC_UNSET) {
        how = KC_EXPORT_ENV;
    }
    if (request->exported || how == KC_EXPORT_OFF) {
        return;
    }
    request->exported = 1;
    told = kc_identity_told(r, session);
    for (i = 0; i < KC_TOLD; i++) {
        if (told->texts[i]) {
            tell(r, how, &NAMES[i], told->texts[i]);
        }
    }
}

/* --- caches ----------------------------------------------------------------------------------- */

/* Whether a page says itself which caches may keep it, as one with Authorization has to (RFC 9111
 * section 3.5); how long they may is not enough. */
static int says_who_keeps_it(request_rec *r, const char *control)
{
    return ap_find_token(r->pool, control, "private") ||
           ap_find_token(r->pool, control, "public") ||
           ap_find_token(r->pool, control, "s-maxage") ||
           ap_find_token(r->pool, control, "no-store");
}

/* What depends on who asks is not for shared caches, unless the page itself says so. */
static void mark_private(request_rec *r)
{
    apr_table_t *headers = r->err_headers_out; /* of scripts; mod_cache looks here first */
    const char *control = apr_table_get(headers, "Cache-Control");

    if (!control) {
        headers = r->headers_out;
        control = apr_table_get(headers, "Cache-Control");
    }
    if (r->user && (!control || !says_who_keeps_it(r, control))) {
        apr_table_mergen(headers, "Cache-Control", "private");
    }
    if (!ap_find_token(r->pool, apr_table_get(r->headers_out, "Vary"), "Cookie")) {
        apr_table_mergen(r->headers_out, "Vary", "Cookie");
    }
}

/* Backends and scripts bring headers of their own, so ours follow them. A cache files the answer
 * under the cookies that Vary speaks of: the browser's, not what was left of them for a backend. */
static apr_status_t mark_answer(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    kc_cookies_show(filter->r);
    mark_private(filter->r);
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

void kc_identity_register(apr_pool_t *pool)
{
    (void)pool;
    caching_filter =
        ap_register_output_filter("KCAUTH_CACHING", mark_answer, NULL, AP_FTYPE_CONTENT_SET);
}

/* --- fixups ----------------------------------------------------------------------------------- */

static void see_person(request_rec *r)
{
    const kc_session *session = kc_session_of(r);

    if (session) {
        if (!r->user) {
            r->user = (char *)session->username;
            r->ap_auth_type = KC_AUTH_TYPE;
        }
        kc_identity_export(r, session);
        kc_session_touch(r);
    }
    ap_add_output_filter_handle(caching_filter, NULL, r, r->connection);
}

int kc_fixups(request_rec *r)
{
    kc_request *request = ap_get_module_config(r->request_config, &kcauth_module);

    if (request) {
        request->admitted = 1;
        if (request->refused) { /* by one of several Require lines; another one held */
            kc_page_withdraw(r);
        }
        if (request->endpoint) {
            return DECLINED;
        }
    }
    if (kc_site_of(r->server) && kc_request_is_ours(r)) {
        see_person(r);
    }
    return DECLINED;
}

static int is_proxied(const request_rec *r)
{
    return r->proxyreq != PROXYREQ_NONE || (r->handler && (!strncmp(r->handler, "proxy:", 6) ||
                                                           !strcmp(r->handler, "proxy-server")));
}

int kc_fixups_proxied(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);

    if (!site || !is_proxied(r)) {
        return DECLINED;
    }
    if (kc_dir_conf_of(r)->pass_cookie != 1) {
        kc_cookies_hide(r, site);
    }
    return DECLINED;
}
