/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Fresh roles. A session that is due is renewed before a page of ours is shown, by one request at a
 * time; all others go on with what is known until the new record is there. Where the refresh token
 * lies in a cookie of our endpoints, the page's request goes to renew and back (307 keeps method
 * and body). No way leads round twice: each ends with a flight that has landed or was given up, and
 * a page that finds one of those does not ask again.
 */

#include <apr_strings.h>

#include "httpd/carry.h"
#include "httpd/config.h"
#include "httpd/login.h"
#include "httpd/pages.h"
#include "httpd/renew.h"
#include "httpd/request.h"
#include "httpd/sessions.h"
#include "httpd/site.h"
#include "httpd/trouble.h"

/* The configuration asks for roles that this session was not told to keep. */
static int knows_too_little(const kc_site *site, const kc_session *session)
{
    return session->mark != site->mark;
}

static int is_due(request_rec *r, const kc_site *site, const kc_session *session)
{
    apr_int64_t due = session->due;

    if (!site->conf->revalidate || !due) {
        return knows_too_little(site, session);
    }
    if (due - kc_request_time(r) > site->conf->revalidate + KC_CLOCKS_DIFFER) {
        return 1; /* no renewal puts it so far ahead: the clock was set back since */
    }
    if (r->method_number != M_GET) {
        due += site->conf->revalidate; /* a form's POST is seldom sent twice */
    }
    return kc_request_time(r) >= due ||
           (knows_too_little(site, session) && r->method_number == M_GET);
}

/* --- asking Keycloak -------------------------------------------------------------------------- */

static apr_status_t ask(request_rec *r, const kc_site *site, const kc_session *session,
                        const char *refresh_token, const char **packed, kc_error *err)
{
    kc_renewal renewal = {0};
    kc_client client = {0};
    kc_provider_view view;
    kc_identity *identity;
    kc_tokens *tokens;
    apr_status_t rv;

    if (!site->provider) {
        return kc_fail(err, KC_FAULT_AWAY, "KC0164",
                       "this child could not prepare calls to Keycloak");
    }
    renewal.refresh_token = refresh_token;
    renewal.sub = session->sub;
    renewal.user_claim = site->conf->user_claim;
    renewal.userinfo = (kc_userinfo_when)site->conf->userinfo;
    renewal.client_session_state = session->sid;
    renewal.deadline = apr_time_now() + apr_time_from_sec(site->conf->timeout);
    client.id = site->conf->client_id;
    client.secret = site->conf->client_secret;
    rv = kc_provider_get(site->provider, &view, renewal.deadline, r->pool, err);
    if (rv == APR_SUCCESS) {
        rv = kc_login_renew(&identity, &tokens, site->provider, &view, &client, &renewal, r->pool,
                            err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (err->fault != KC_FAULT_NONE) {
        kc_trouble_log(r, APLOG_WARNING, err->id, "%s", err->text);
        memset(err, 0, sizeof(*err));
    }
    return kc_session_renew(r, identity, tokens, packed, err);
}

/* Keycloak said no, or is away and strict was asked for: the session is over. */
static void end(request_rec *r, const kc_site *site, const char *name, const kc_error *err)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "%s: %s; the session of %s ends", err->id,
                  err->text, kc_session_of(r)->username);
    kc_renewal_abandon(r, site, name, KC_AWAY_INTERVAL);
    kc_session_end(r);
}

/* The flight is ours: asks, and ends it. The session afterwards is the new one, the old one, or
 * none. */
static void renew_now(request_rec *r, const kc_site *site, const char *name,
                      const char *refresh_token)
{
    const kc_session *session = kc_session_of(r);
    const char *packed = "";
    kc_error err = {0};

    if (ask(r, site, session, refresh_token, &packed, &err) == APR_SUCCESS) {
        kc_renewal_land(r, site, name, packed);
        return;
    }
    if (err.fault == KC_FAULT_REFUSED || site->conf->revalidate_strict) {
        end(r, site, name, &err);
        return;
    }
    kc_trouble_log(r, APLOG_WARNING, err.id, "%s; the session of %s goes on as it is", err.text,
                   session->username);
    kc_renewal_abandon(r, site, name, KC_AWAY_INTERVAL);
}

/* Whether a person can be sent to Keycloak, as far as is known here. */
static int keycloak_is_known(request_rec *r, const kc_site *site)
{
    apr_time_t deadline = apr_time_now() + apr_time_from_sec(site->conf->timeout);
    kc_provider_view view;
    kc_error err = {0};

    return site->provider &&
           kc_provider_get(site->provider, &view, deadline, r->pool, &err) == APR_SUCCESS;
}

/*
 * There is no refresh token. A person goes through Keycloak without seeing it; a script is served
 * for one more interval, and is then told to log in.
 */
static int renew_without_token(request_rec *r, const kc_site *site, const char *name,
                               const char *target)
{
    const kc_session *session = kc_session_of(r);
    int every = site->conf->revalidate, navigation = kc_request_is_navigation(r);
    int pause = navigation || !every || every > KC_AWAY_INTERVAL ? KC_AWAY_INTERVAL : every;

    kc_renewal_abandon(r, site, name, pause);
    if (navigation) {
        return keycloak_is_known(r, site) ? kc_login_start_silent(r, target) : OK;
    }
    if (!every || kc_request_time(r) < session->refreshed + 2 * every) {
        if (every) {
            kc_session_postpone(r, kc_request_time(r) + every);
        }
        return OK;
    }
    kc_session_end(r);
    return kc_refuse_script(r, site);
}

/* --- before a page ---------------------------------------------------------------------------- */

static int renew_in_place(request_rec *r, const kc_site *site, const char *name)
{
    const char *token, *packed = NULL;

    switch (kc_renewal_begin(r, site, name, &packed)) {
    case KC_FLIGHT_MINE:
        token = kc_carried_refresh_token(r, site);
        if (!token) {
            return renew_without_token(r, site, name, kc_request_target(r));
        }
        renew_now(r, site, name, token);
        return OK;
    case KC_FLIGHT_LANDED:
        if (kc_session_adopt(r, "") != APR_SUCCESS) {
            ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0721: a renewed session is gone again");
        }
        return OK;
    default:
        return OK;
    }
}

static int renew_by_detour(request_rec *r, const kc_site *site, const char *name)
{
    const char *packed = NULL;
    kc_form form;

    switch (kc_renewal_look(r, site, name, &packed)) {
    case KC_FLIGHT_NONE:
        kc_form_init(&form, r->pool);
        kc_form_add(&form, "next", kc_request_target(r));
        return kc_redirect(r, HTTP_TEMPORARY_REDIRECT, kc_form_url(&form, site->renew_path));
    case KC_FLIGHT_LANDED:
        if (packed && kc_session_adopt(r, packed) != APR_SUCCESS) {
            ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0722: a renewed session cannot be read");
        }
        return OK;
    default:
        return OK;
    }
}

int kc_renew(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    const kc_session *session = kc_session_of(r);
    const char *name;

    if (!session || r->main || r->prev || !is_due(r, site, session)) {
        return OK;
    }
    name = kc_session_name(r, session);
    return site->conf->session == KC_SESSION_SERVER ? renew_in_place(r, site, name)
                                                    : renew_by_detour(r, site, name);
}

/* --- the endpoint ----------------------------------------------------------------------------- */

static const char *next_of(request_rec *r)
{
    apr_table_t *parameters;
    const char *query = r->args ? r->args : "";
    const char *next;

    /* Of the query also when a POST comes by: its body is the page's. */
    if (kc_form_parse(&parameters, query, strlen(query), 4, r->pool) != APR_SUCCESS) {
        return "/";
    }
    next = apr_table_get(parameters, "next");
    return next ? kc_url_local_target(r->pool, next) : "/";
}

static int detour(request_rec *r, const kc_site *site, const char *target)
{
    const char *name = kc_session_name(r, kc_session_of(r)), *packed = NULL, *token;
    int rv = OK;

    switch (kc_renewal_begin(r, site, name, &packed)) {
    case KC_FLIGHT_MINE:
        token = kc_carried_refresh_token(r, site);
        if (token) {
            renew_now(r, site, name, token);
        } else {
            rv = renew_without_token(r, site, name, target);
        }
        break;
    case KC_FLIGHT_LANDED:
        if (packed && kc_session_adopt(r, packed) != APR_SUCCESS) {
            ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0723: a renewed session cannot be read");
        }
        break;
    default:
        break;
    }
    return rv == OK ? kc_redirect(r, HTTP_TEMPORARY_REDIRECT, target) : rv;
}

int kc_renew_handler(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    const kc_session *session = kc_session_of(r);
    const char *target = next_of(r);

    if (!session || site->conf->session == KC_SESSION_SERVER || !is_due(r, site, session)) {
        return kc_redirect(r, HTTP_TEMPORARY_REDIRECT, target);
    }
    return detour(r, site, target);
}
