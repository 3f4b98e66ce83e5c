/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The way to Keycloak: a state cookie for later, and a redirect to the authorization endpoint. */

#include <apr_atomic.h>
#include <apr_strings.h>

#include "httpd/config.h"
#include "httpd/cookies.h"
#include "httpd/login.h"
#include "httpd/pages.h"
#include "httpd/request.h"
#include "httpd/sessions.h"
#include "httpd/site.h"

enum { STATE_BYTES = 16, VERIFIER_BYTES = 32 };

kc_cookie kc_login_cookie(request_rec *r, const kc_site *site, unsigned slot)
{
    int https = kc_request_is_https(r, site);
    /* form_post comes back as a POST from another site, with which browsers send SameSite=None
     * alone. */
    int foreign = *site->conf->response_mode && https;
    kc_cookie cookie = kc_cookie_named(
        r->pool, apr_psprintf(r->pool, "%s_state_%u", site->conf->cookie_name, slot),
        site->callback_path, foreign ? "None" : "Lax", https);

    cookie.max_age = KC_LOGIN_LIFETIME;
    return cookie;
}

/*
 * Sixteen logins at once are enough for one browser, and bound what it can hold. Its other state
 * cookies are not visible here (they belong to the callback's path), so slots are taken in turn,
 * over all children: tabs opened one after the other do not meet.
 */
static apr_status_t make_state(request_rec *r, const kc_site *site, kc_login_state *state,
                               unsigned *slot)
{
    *slot = apr_atomic_inc32(site->turn) % KC_LOGIN_SLOTS;
    state->id = kc_random_string(r->pool, STATE_BYTES);
    state->nonce = kc_random_string(r->pool, STATE_BYTES);
    state->verifier = kc_random_string(r->pool, VERIFIER_BYTES);
    state->created = apr_time_sec(apr_time_now());
    return state->id && state->nonce && state->verifier ? APR_SUCCESS : APR_EGENERAL;
}

static apr_status_t keep_state(request_rec *r, const kc_site *site, kc_login_state *state,
                               unsigned slot)
{
    kc_cookie cookie = kc_login_cookie(r, site, slot);
    char *text = kc_login_state_seal(state, site->logins, r->pool);

    if (text && strlen(text) > KC_COOKIE_PART) {
        state->target = "/";
        text = kc_login_state_seal(state, site->logins, r->pool);
    }
    return text ? kc_cookie_set(r, &cookie, text, strlen(text)) : APR_EGENERAL;
}

/* Keycloak gives roles by a scope of that name; a provider that lists its scopes without it would
 * refuse it. */
static const char *scope_of(request_rec *r, const kc_site *site, const kc_metadata *metadata)
{
    const kc_dir_conf *dir = kc_dir_conf_of(r);

    if (dir->scope || site->conf->scope) {
        return dir->scope ? dir->scope : site->conf->scope;
    }
    return metadata->scope_roles ? "openid profile email roles" : "openid profile email";
}

static int start(request_rec *r, const char *target, unsigned attempt, int silent)
{
    const kc_site *site = kc_site_of(r->server);
    kc_login_state state = {0};
    kc_authorization_request request = {0};
    kc_provider_view view;
    kc_client client = {0};
    kc_error err = {0};
    const char *url;
    unsigned slot;
    apr_time_t deadline = apr_time_now() + apr_time_from_sec(site->conf->timeout);

    if (!site->provider) {
        kc_fail(&err, KC_FAULT_AWAY, "KC0161", "this child could not prepare calls to Keycloak");
        return kc_refuse(r, &err, target);
    }
    if (kc_provider_get(site->provider, &view, deadline, r->pool, &err) != APR_SUCCESS) {
        return kc_refuse(r, &err, target);
    }
    state.target = target;
    state.attempt = attempt;
    state.silent = (unsigned)silent;
    if (make_state(r, site, &state, &slot) != APR_SUCCESS ||
        keep_state(r, site, &state, slot) != APR_SUCCESS) {
        kc_fail(&err, KC_FAULT_CONFIG, "KC0510", "OpenSSL could not make or seal a login state");
        return kc_refuse(r, &err, target);
    }
    client.id = site->conf->client_id;
    client.redirect_uri =
        apr_pstrcat(r->pool, kc_request_origin(r, site), site->callback_path, NULL);
    request.scope = scope_of(r, site, view.metadata);
    request.state = apr_psprintf(r->pool, "%x%s", slot, state.id);
    request.nonce = state.nonce;
    request.code_verifier = state.verifier;
    request.prompt = silent ? "none" : NULL;
    request.response_mode = *site->conf->response_mode ? site->conf->response_mode : NULL;
    url = kc_authorization_url(view.metadata, &client, &request, r->pool);
    if (!url) {
        kc_fail(&err, KC_FAULT_CONFIG, "KC0511", "OpenSSL could not hash a code verifier");
        return kc_refuse(r, &err, target);
    }
    return kc_redirect(r, r->method_number == M_POST ? HTTP_SEE_OTHER : HTTP_MOVED_TEMPORARILY,
                       url);
}

int kc_login_start(request_rec *r, const char *target, unsigned attempt)
{
    return start(r, target, attempt, 0);
}

int kc_login_start_silent(request_rec *r, const char *target)
{
    return start(r, target, 0, 1);
}

static const char *next_of(request_rec *r)
{
    apr_table_t *parameters;
    const char *next;

    if (kc_request_parameters(r, &parameters) != APR_SUCCESS) {
        return "/";
    }
    next = apr_table_get(parameters, "next");
    return next ? kc_url_local_target(r->pool, next) : "/";
}

int kc_login_handler(request_rec *r)
{
    const char *target;

    if (kc_request_only(r, M_GET, M_GET) != OK) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    target = next_of(r);
    if (kc_session_of(r)) {
        return kc_redirect(r, HTTP_MOVED_TEMPORARILY, target);
    }
    return kc_login_start(r, target, 0);
}
