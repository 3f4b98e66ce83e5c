/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* From cookie to session and back: the record of session/ in the cookies of this site. */

#include <apr_strings.h>

#include "httpd/module.h"

enum { WRITE_INTERVAL = 60 }; /* seconds between two writings of "last seen" */

static const kc_cookie *session_cookie(request_rec *r, const kc_site *site)
{
    return &site->session_cookies[kc_request_is_https(r, site)];
}

static const kc_cookie *id_token_cookie(request_rec *r, const kc_site *site)
{
    return &site->id_token_cookies[kc_request_is_https(r, site)];
}

static apr_int64_t now_of(const request_rec *r)
{
    return apr_time_sec(r->request_time);
}

/* --- in --------------------------------------------------------------------------------------------- */

/* Times from the future are no reason to refuse: clocks are set back, and the record is sealed. */
static int is_over(const kc_session *session, const kc_site *site, apr_int64_t now)
{
    return now >= session->expires ||
           now - apr_time_sec(session->created) >= site->conf->session_max ||
           now - session->seen > site->conf->session_idle;
}

/*
 * What this connection showed last: the cookie's text and the record in it. A browser sends the same bytes with each request of a
 * connection, and what was verified once need not be verified again. Times are looked at each time all the same.
 */
typedef struct memo {
    const kc_site *site; /* the one that opened it */
    char *text;
    unsigned char *record;
    apr_size_t text_len, record_len, room;
} memo;

/* NULL where streams share a connection: they are at work at the same time. */
static memo *memo_of(conn_rec *c)
{
    memo *last;

    if (c->master) {
        return NULL;
    }
    last = ap_get_module_config(c->conn_config, &kcauth_module);
    if (!last) {
        last = apr_pcalloc(c->pool, sizeof(*last));
        ap_set_module_config(c->conn_config, &kcauth_module, last);
    }
    return last;
}

static void remember(memo *last, conn_rec *c, const kc_site *site, const char *text,
                     apr_size_t text_len, const unsigned char *record, apr_size_t record_len)
{
    if (!last) {
        return;
    }
    if (text_len >
        last->room) { /* doubled, so that what is left behind in the pool stays bounded */
        last->room = 2 * text_len;
        last->text = apr_palloc(c->pool, last->room);
        last->record = apr_palloc(c->pool, last->room);
    }
    memcpy(last->text, text, text_len);
    memcpy(last->record, record, record_len);
    last->text_len = text_len;
    last->record_len = record_len;
    last->site = site;
}

/* The record in the cookie, in memory of the request: what points to it must outlive the connection's next request. */
static const unsigned char *open_record(request_rec *r, const kc_site *site, const char *text,
                                        apr_size_t text_len, apr_size_t *len)
{
    memo *last = memo_of(r->connection);
    const unsigned char *record;
    unsigned char *buf;

    if (last && last->site == site && last->text_len == text_len &&
        !memcmp(last->text, text, text_len)) {
        *len = last->record_len;
        return apr_pmemdup(r->pool, last->record, last->record_len);
    }
    buf = apr_palloc(r->pool, text_len);
    if (kc_unseal(site->sessions, text, text_len, buf, &record, len, NULL) != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "KC0701: a session cookie that this site did not seal, or sealed with a key "
                      "that is gone");
        return NULL;
    }
    remember(last, r->connection, site, text, text_len, record, *len);
    return record;
}

static kc_session *look_up(request_rec *r, const kc_site *site)
{
    kc_session *session;
    const unsigned char *record;
    apr_size_t text_len, len;
    const char *text = kc_cookie_get(r, session_cookie(r, site), &text_len);

    if (!text || !(record = open_record(r, site, text, text_len, &len))) {
        return NULL;
    }
    session = apr_palloc(r->pool, sizeof(*session));
    if (kc_session_read(session, record, len) != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0702: a session record of another version");
        return NULL;
    }
    return is_over(session, site, now_of(r)) ? NULL : session;
}

kc_session *kc_session_of(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    kc_request *request;

    r = kc_request_initial(r);
    request = kc_request_of(r);
    if (!request->looked) {
        request->looked = 1;
        request->session = site ? look_up(r, site) : NULL;
    }
    return request->session;
}

/* --- out --------------------------------------------------------------------------------------------- */

static apr_status_t write_session(request_rec *r, const kc_site *site, const kc_session *session)
{
    const kc_cookie *cookie = session_cookie(r, site);
    apr_size_t text_len, len = kc_session_length(session);
    unsigned char *buf;
    char *text;

    if (!len) {
        return APR_ENOSPC; /* one string is longer than all cookies */
    }
    buf = apr_palloc(r->pool, len);
    kc_session_write(session, buf);
    text = kc_seal(site->sessions, buf, len, r->pool, &text_len);
    return text ? kc_cookie_set(r, cookie, text, text_len) : APR_EGENERAL;
}

void kc_session_touch(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    const kc_session *session = kc_session_of(r);
    kc_session seen;
    int interval;

    if (!session || r->main) {
        return;
    }
    interval = site->conf->session_idle / 4;
    if (interval > WRITE_INTERVAL) {
        interval = WRITE_INTERVAL;
    }
    if (now_of(r) - session->seen < (interval ? interval : 1)) {
        return;
    }
    seen = *session;
    seen.seen = now_of(r);
    if (write_session(r, site, &seen) != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "KC0703: the session could not be sealed again");
    }
}

/* --- a new one ------------------------------------------------------------------------------------------ */

static void add_names(kc_names_builder *names, const json_t *list)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_is_string(item) && kc_names_add(names, json_string_value(item)) != APR_SUCCESS) {
            return; /* far more than any cookie holds: the size is refused later */
        }
    }
}

/* Adds, of a list, what `role` asks to keep: one name, or all. */
static void keep_names(kc_names_builder *names, const json_t *list, const kc_role *role)
{
    const json_t *item;
    size_t i;
    int all = role->name_len == 1 && *role->name == '*';

    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);
        apr_status_t rv = APR_SUCCESS;

        if (name && (all || !strcmp(name, role->name))) {
            rv = role->kind == KC_ROLE_CLIENT ? kc_names_add_pair(names, role->client, name)
                                              : kc_names_add(names, name);
        }
        if (rv != APR_SUCCESS) {
            return;
        }
    }
}

typedef struct lists {
    kc_names_builder own, realm, others, groups;
} lists;

static void collect_roles(request_rec *r, const kc_site *site, const kc_identity *identity,
                          lists *out)
{
    int i;

    kc_names_init(&out->own, r->pool);
    kc_names_init(&out->realm, r->pool);
    kc_names_init(&out->others, r->pool);
    kc_names_init(&out->groups, r->pool);
    add_names(&out->own, kc_identity_client_roles(identity, site->conf->client_id, r->pool));
    for (i = 0; i < site->kept->nelts; i++) {
        const kc_role *role = APR_ARRAY_IDX(site->kept, i, const kc_role *);

        if (role->kind == KC_ROLE_REALM) {
            keep_names(&out->realm, identity->realm_roles, role);
        } else if (role->kind == KC_ROLE_GROUP) {
            keep_names(&out->groups, identity->groups, role);
        } else {
            keep_names(&out->others, kc_identity_client_roles(identity, role->client, r->pool),
                       role);
        }
    }
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* The hint for logout is a convenience: without it Keycloak asks the person once more. */
static void keep_id_token(request_rec *r, const kc_site *site, const char *id_token)
{
    const kc_cookie *cookie = id_token_cookie(r, site);
    apr_size_t len = 0;
    char *text = kc_seal(site->id_tokens, id_token, strlen(id_token), r->pool, &len);

    if (!text || kc_cookie_set(r, cookie, text, len) != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "KC0704: the ID token of %" APR_SIZE_T_FMT
                      " bytes does not fit into cookies; "
                      "Keycloak will ask for a confirmation at logout",
                      strlen(id_token));
    }
}

apr_status_t kc_session_start(request_rec *r, const kc_identity *identity, const kc_tokens *tokens,
                              kc_error *err)
{
    const kc_site *site = kc_site_of(r->server);
    kc_session session;
    lists names;

    memset(&session, 0, sizeof(session));
    collect_roles(r, site, identity, &names);
    session.sub = identity->sub;
    session.username = identity->username;
    session.name = or_empty(identity->name);
    session.email = or_empty(identity->email);
    session.sid = or_empty(identity->sid);
    session.acr = or_empty(identity->acr);
    session.roles_from = or_empty(identity->roles_from);
    session.auth_time = identity->auth_time;
    session.created = r->request_time; /* what is revoked while the login is under way stays so */
    session.seen = session.refreshed = now_of(r);
    session.expires = session.seen + site->conf->session_max;
    session.mark = site->mark;
    session.roles = kc_names_list(&names.own);
    session.realm_roles = kc_names_list(&names.realm);
    session.other_roles = kc_names_list(&names.others);
    session.groups = kc_names_list(&names.groups);
    switch (write_session(r, site, &session)) {
    case APR_SUCCESS:
        keep_id_token(r, site, tokens->id_token);
        return APR_SUCCESS;
    case APR_ENOSPC:
        return kc_fail(
            err, KC_FAULT_CONFIG, "KC0705",
            "the session of %.100s takes %" APR_SIZE_T_FMT " bytes, more than %d cookies "
            "hold: %u own, %u realm, %u other roles, %u groups are kept",
            session.username, kc_session_length(&session), KC_COOKIE_PARTS, session.roles.count,
            session.realm_roles.count, session.other_roles.count / 2, session.groups.count);
    default:
        return kc_fail(err, KC_FAULT_CONFIG, "KC0706", "OpenSSL could not seal a session");
    }
}

/* --- the end --------------------------------------------------------------------------------------------------- */

void kc_session_end(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);

    kc_cookie_clear(r, session_cookie(r, site));
    kc_cookie_clear(r, id_token_cookie(r, site));
    kc_request_of(kc_request_initial(r))->session = NULL;
}

const char *kc_session_id_token(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    const kc_cookie *cookie = id_token_cookie(r, site);
    const unsigned char *data;
    unsigned char *buf;
    apr_size_t len, data_len;
    const char *text = kc_cookie_get(r, cookie, &len);

    if (!text) {
        return NULL;
    }
    buf = apr_palloc(r->pool, len);
    if (kc_unseal(site->id_tokens, text, len, buf, &data, &data_len, NULL) != APR_SUCCESS) {
        return NULL;
    }
    return apr_pstrmemdup(r->pool, (const char *)data, data_len);
}
