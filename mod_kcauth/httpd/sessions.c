/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Sessions: from what a request carries to the record, and from who logged in to what it will
 * carry. */

#include <apr_strings.h>

#include "httpd/carry.h"
#include "httpd/config.h"
#include "httpd/cookies.h"
#include "httpd/memo.h"
#include "httpd/renew.h"
#include "httpd/request.h"
#include "httpd/revoke.h"
#include "httpd/sessions.h"
#include "httpd/site.h"
#include "httpd/trouble.h"

enum { WRITE_INTERVAL = 60 /* seconds between two writings of "last seen" */ };

/* --- in --------------------------------------------------------------------------------------- */

static const unsigned char *unseal(request_rec *r, const kc_site *site, const char *text,
                                   apr_size_t text_len, apr_size_t *len)
{
    unsigned char *buf = apr_palloc(r->pool, text_len + 1);
    const unsigned char *record;
    int old_key;

    if (kc_unseal(site->sessions, text, text_len, buf, &record, len, &old_key) != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "KC0701: a session cookie that this site did not seal, or sealed with a key "
                      "that is gone");
        return NULL;
    }
    kc_request_of(r)->old_key = old_key;
    return record;
}

static const unsigned char *find_record(request_rec *r, const kc_site *site, apr_size_t *len)
{
    apr_size_t text_len;
    const char *text = kc_carry_cookie(r, site, &text_len);
    apr_status_t rv;

    if (!text) {
        return NULL;
    }
    kc_carry_name(r, site, text, text_len);
    rv = kc_carry_in(r, site, &text, &text_len);
    if (rv != APR_SUCCESS) {
        kc_request_of(r)->away = !APR_STATUS_IS_NOTFOUND(rv);
        return NULL;
    }
    return unseal(r, site, text, text_len, len);
}

/* Times from the future are no reason to refuse: clocks are set back, and the record is sealed. */
static int is_over(const kc_session *session, const kc_site *site, apr_int64_t now)
{
    return now >= session->expires ||
           now - apr_time_sec(session->created) >= site->conf->session_max ||
           now - session->seen > site->conf->session_idle;
}

/*
 * When the clock was set back since the session began, it is not known which came first, the session
 * or what was ended: anything that was ended under one of its names ends it, also for the time when
 * the clock is right again.
 * @param good_at  see kc_is_revoked_since()
 */
static int is_revoked(const request_rec *r, const kc_site *site, const kc_session *session,
                      apr_uint64_t *good_at)
{
    kc_session judged;

    if (kc_is_revoked_since(site->revocations, &site->realm_key, session, good_at)) {
        return 1;
    }
    if (session->created <= r->request_time + apr_time_from_sec(KC_CLOCKS_DIFFER)) {
        return 0;
    }
    judged = *session;
    judged.created = 0;
    if (!kc_is_revoked(site->revocations, &site->realm_key, &judged)) {
        return 0;
    }
    kc_site_revoke(r->server, site, KC_REVOKED_SID, session->sid, session->created, r->pool);
    return 1;
}

static int is_good(const request_rec *r, const kc_site *site, const kc_session *session,
                   apr_uint64_t *good_at)
{
    return !is_over(session, site, kc_request_time(r)) && !is_revoked(r, site, session, good_at);
}

static kc_session *read_session(request_rec *r, const kc_site *site, const unsigned char *record,
                                apr_size_t len, apr_uint64_t *good_at)
{
    kc_session *session = apr_palloc(r->pool, sizeof(*session));

    if (kc_session_read(session, record, len) != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0702: a session record of another version");
        return NULL;
    }
    return is_good(r, site, session, good_at) ? session : NULL;
}

static kc_session *find_session(request_rec *r, const kc_site *site)
{
    apr_uint64_t fresh = 0, *good_at = &fresh;
    kc_session *session = kc_memo_recall(r, site, &good_at);
    const unsigned char *record;
    apr_size_t len;

    if (session) {
        return is_good(r, site, session, good_at) ? session : NULL;
    }
    record = find_record(r, site, &len);
    session = record ? read_session(r, site, record, len, good_at) : NULL;
    if (session) {
        kc_memo_keep(r, site, record, len, session, fresh);
    }
    return session;
}

kc_session *kc_session_of(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    kc_request *request;

    r = kc_request_initial(r);
    request = kc_request_of(r);
    if (!request->looked) {
        request->looked = 1;
        request->session = site ? find_session(r, site) : NULL;
    }
    return request->session;
}

const char *kc_session_name(request_rec *r, const kc_session *session)
{
    return apr_psprintf(r->pool, "%s %s %" APR_INT64_T_FMT " %" APR_INT64_T_FMT, session->sub,
                        session->sid, session->created, session->refreshed);
}

/* --- out -------------------------------------------------------------------------------------- */

static const char *seal_record(request_rec *r, const kc_site *site, const kc_session *session)
{
    apr_size_t len = kc_session_length(session);
    unsigned char *buf = apr_palloc(r->pool, len + 1);

    kc_session_write(session, buf);
    return len ? kc_seal(site->sessions, buf, len, r->pool, NULL) : NULL;
}

static apr_status_t write_session(request_rec *r, const kc_site *site, const kc_session *session)
{
    const char *text = seal_record(r, site, session);

    kc_memo_forget(r);
    return text ? kc_carry_record(r, site, text, session->expires) : APR_EGENERAL;
}

/* Writes a session of the same person again, with one time changed. */
static void write_again(request_rec *r, const kc_session *session)
{
    if (write_session(r, kc_site_of(r->server), session) != APR_SUCCESS) {
        kc_trouble_log(r, APLOG_ERR, "KC0703", "the session could not be written again");
    }
}

/* Another request renews this record, or did: it must not be written over the new one. */
static int is_replaced(request_rec *r, const kc_site *site, const kc_session *session)
{
    const char *result;
    kc_flight_state state = kc_renewal_look(r, site, kc_session_name(r, session), &result);

    return state == KC_FLIGHT_UNDER_WAY || state == KC_FLIGHT_LANDED;
}

void kc_session_touch(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    kc_session *session = kc_session_of(r);
    int interval;

    if (!session || r->main || r->prev) {
        return;
    }
    interval = site->conf->session_idle / 4;
    if (interval > WRITE_INTERVAL) {
        interval = WRITE_INTERVAL;
    }
    if ((kc_request_of(r)->old_key ||
         kc_request_time(r) - session->seen >= (interval ? interval : 1)) &&
        !is_replaced(r, site, session)) {
        session->seen = kc_request_time(r);
        write_again(r, session);
    }
}

void kc_session_postpone(request_rec *r, apr_int64_t due)
{
    kc_session *session = kc_session_of(r);

    session->due = due;
    session->seen = kc_request_time(r);
    write_again(r, session);
}

/* --- a new one -------------------------------------------------------------------------------- */

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

/* Adds, of a list, what `role` asks to keep: one name, or all. For pairs the client goes before
 * each. */
static void keep_names(kc_names_builder *names, const json_t *list, const kc_role *role)
{
    const json_t *item;
    size_t i;
    int all = role->name_len == 1 && *role->name == '*';

    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);

        if (name && (all || !strcmp(name, role->name)) &&
            (role->kind == KC_ROLE_CLIENT ? kc_names_add_pair(names, role->client, name)
                                          : kc_names_add(names, name)) != APR_SUCCESS) {
            return;
        }
    }
}

/* The role lists of a session: the own client's, and of others what the configuration asks for. */
static void collect_roles(request_rec *r, const kc_site *site, const kc_identity *identity,
                          kc_session *session)
{
    kc_names_builder own, realm, others, groups;
    int i;

    kc_names_init(&own, r->pool);
    kc_names_init(&realm, r->pool);
    kc_names_init(&others, r->pool);
    kc_names_init(&groups, r->pool);
    add_names(&own, kc_identity_client_roles(identity, site->conf->client_id, r->pool));
    for (i = 0; i < site->kept->nelts; i++) {
        const kc_role *role = APR_ARRAY_IDX(site->kept, i, const kc_role *);

        if (role->kind == KC_ROLE_REALM) {
            keep_names(&realm, identity->realm_roles, role);
        } else if (role->kind == KC_ROLE_GROUP) {
            keep_names(&groups, identity->groups, role);
        } else {
            keep_names(&others, kc_identity_client_roles(identity, role->client, r->pool), role);
        }
    }
    session->mark = site->mark;
    session->roles = kc_names_list(&own);
    session->realm_roles = kc_names_list(&realm);
    session->other_roles = kc_names_list(&others);
    session->groups = kc_names_list(&groups);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* What Keycloak says of a person now. */
static void describe(request_rec *r, const kc_site *site, const kc_identity *identity,
                     kc_session *session)
{
    int every = site->conf->revalidate;
    /* Not the request's time: Keycloak may have taken longer than an interval. */
    apr_int64_t now = apr_time_sec(apr_time_now());

    session->sub = identity->sub;
    session->username = identity->username;
    session->name = or_empty(identity->name);
    session->email = or_empty(identity->email);
    session->acr = or_empty(identity->acr);
    session->roles_from = or_empty(identity->roles_from);
    session->auth_time = identity->auth_time;
    session->seen = session->refreshed = now;
    session->due = every ? now + every : 0;
    collect_roles(r, site, identity, session);
}

static const char *seal_token(request_rec *r, kc_sealer *sealer, const char *token)
{
    const char *text = token ? kc_seal(sealer, token, strlen(token), r->pool, NULL) : NULL;

    return or_empty(text);
}

/* Sends record and tokens out; *carriage receives them as sealed. */
static apr_status_t send_out(request_rec *r, const kc_site *site, const kc_session *session,
                             const kc_tokens *tokens, kc_carriage *carriage, kc_error *err)
{
    apr_status_t rv;

    carriage->record = seal_record(r, site, session);
    if (!carriage->record) {
        return kc_fail(err, KC_FAULT_CONFIG, "KC0706", "OpenSSL could not seal a session");
    }
    kc_memo_forget(r);
    rv = kc_carry_record(r, site, carriage->record, session->expires);
    if (rv == APR_ENOSPC) {
        return kc_fail(err, KC_FAULT_CONFIG, "KC0705",
                       "the session of %.100s takes %" APR_SIZE_T_FMT
                       " bytes, more than %d cookies hold: %u own, %u realm, %u other roles, %u "
                       "groups are kept; KCAuthSession server has room",
                       session->username, kc_session_length(session), KC_COOKIE_PARTS,
                       session->roles.count, session->realm_roles.count,
                       session->other_roles.count / 2, session->groups.count);
    }
    if (rv != APR_SUCCESS) {
        return kc_fail(err, KC_FAULT_AWAY, "KC0709", "the session store takes no session");
    }
    carriage->id_token = seal_token(r, site->id_tokens, tokens->id_token);
    carriage->refresh_token = seal_token(r, site->refresh_tokens, tokens->refresh_token);
    kc_carry_tokens(r, site, carriage, session->expires);
    return APR_SUCCESS;
}

/* Keycloak's not-before-policy, as every token answer carries it: what this person began earlier is
 * over. */
static void obey_not_before(request_rec *r, const kc_site *site, const kc_identity *identity,
                            const kc_tokens *tokens)
{
    apr_int64_t not_before = tokens->not_before;

    if (not_before > 0 && not_before > kc_request_time(r) - site->conf->session_max &&
        not_before <= kc_request_time(r) + KC_CLOCKS_DIFFER) {
        kc_site_revoke(r->server, site, KC_REVOKED_SUB, identity->sub,
                       apr_time_from_sec(not_before) - 1, r->pool);
    }
}

/* A provider without sid: the session gets a name of ours, so that it can be revoked by it. '~' is
 * in no sid of Keycloak's. */
static const char *sid_of(request_rec *r, const kc_identity *identity)
{
    const char *made;

    if (identity->sid) {
        return identity->sid;
    }
    made = kc_random_string(r->pool, 16);
    return made ? apr_pstrcat(r->pool, "~", made, NULL) : "";
}

apr_status_t kc_session_start(request_rec *r, const kc_identity *identity, const kc_tokens *tokens,
                              kc_error *err)
{
    const kc_site *site = kc_site_of(r->server);
    kc_session session;
    kc_carriage carriage;

    memset(&session, 0, sizeof(session));
    describe(r, site, identity, &session);
    session.sid = sid_of(r, identity);
    session.created = r->request_time; /* what is revoked while the login is under way stays so */
    session.expires = kc_request_time(r) + site->conf->session_max;
    obey_not_before(r, site, identity, tokens);
    if (kc_is_revoked(site->revocations, &site->realm_key, &session)) {
        return kc_fail(err, KC_FAULT_REFUSED, "KC0710",
                       "the session of %.100s was ended at Keycloak while the login was under way",
                       session.username);
    }
    if (kc_carry_new(r, site) != APR_SUCCESS) {
        return kc_fail(err, KC_FAULT_CONFIG, "KC0711", "no randomness for a new session");
    }
    return send_out(r, site, &session, tokens, &carriage, err);
}

/* --- renewal ---------------------------------------------------------------------------------- */

apr_status_t kc_session_renew(request_rec *r, const kc_identity *identity, const kc_tokens *tokens,
                              const char **packed, kc_error *err)
{
    const kc_site *site = kc_site_of(r->server);
    kc_session *session = kc_session_of(r);
    kc_carriage carriage;
    apr_status_t rv;

    describe(r, site, identity, session);
    kc_request_of(kc_request_initial(r))->told = NULL;
    obey_not_before(r, site, identity, tokens);
    rv = send_out(r, site, session, tokens, &carriage, err);
    if (rv == APR_SUCCESS) {
        *packed = site->conf->session == KC_SESSION_SERVER
                      ? ""
                      : apr_pstrcat(r->pool, carriage.record, " ", carriage.id_token, " ",
                                    carriage.refresh_token, NULL);
    }
    return rv;
}

apr_status_t kc_session_adopt(request_rec *r, const char *packed)
{
    const kc_site *site = kc_site_of(r->server);
    kc_request *request = kc_request_of(kc_request_initial(r));
    const unsigned char *record;
    kc_carriage carriage;
    kc_session *session;
    apr_uint64_t fresh = 0;
    apr_size_t len;
    char *rest = apr_pstrdup(r->pool, packed);

    kc_memo_forget(r);
    request->told = NULL;
    if (site->conf->session == KC_SESSION_SERVER) {
        kc_carry_drop_copy(r);
        request->looked = 0;
        return kc_session_of(r) ? APR_SUCCESS : APR_EINVAL;
    }
    carriage.record = ap_getword(r->pool, (const char **)&rest, ' ');
    carriage.id_token = ap_getword(r->pool, (const char **)&rest, ' ');
    carriage.refresh_token = rest;
    record = unseal(r, site, carriage.record, strlen(carriage.record), &len);
    session = record ? read_session(r, site, record, len, &fresh) : NULL;
    if (!session || kc_carry_record(r, site, carriage.record, session->expires) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    kc_carry_tokens(r, site, &carriage, session->expires);
    request->session = session;
    return APR_SUCCESS;
}

/* --- the end ---------------------------------------------------------------------------------- */

void kc_session_end(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    const kc_session *session = kc_session_of(r);

    if (session) {
        /* It may have begun on a server whose clock is ahead of ours. */
        apr_time_t ended = r->request_time > session->created ? r->request_time : session->created;

        kc_site_revoke(r->server, site, KC_REVOKED_SID, session->sid, ended, r->pool);
    }
    kc_memo_forget(r);
    kc_carry_end(r, site);
    kc_request_of(kc_request_initial(r))->session = NULL;
}
