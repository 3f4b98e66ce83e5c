/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The way back from Keycloak: state, code, tokens, session. What can be healed is: a person who is
 * logged in already goes on to the page, a login that went stale starts again. Only the rest
 * becomes an error page.
 */

#include <apr_strings.h>

#include <openssl/crypto.h>

#include "httpd/cookies.h"
#include "httpd/endpoints.h"
#include "httpd/login.h"
#include "httpd/pages.h"
#include "httpd/request.h"
#include "httpd/sessions.h"
#include "httpd/site.h"
#include "httpd/trouble.h"

enum { ATTEMPTS_MAX = 3 };

typedef struct callback {
    kc_authorization_response response;
    kc_login_state *state; /* NULL: not ours */
    const char *target;    /* never NULL */
    int spent;             /* the state was used, or is too old */
} callback;

/* --- the state -------------------------------------------------------------------------------- */

/* The state parameter is a slot's digit and the id that lies in the slot's cookie. */
static int slot_of(const char *state, unsigned *slot)
{
    if (!state || !*state || strlen(state) > 64) {
        return 0;
    }
    if (*state >= '0' && *state <= '9') {
        *slot = (unsigned)(*state - '0');
        return 1;
    }
    *slot = (unsigned)(*state - 'a') + 10;
    return *state >= 'a' && *state <= 'f';
}

static int same_id(const char *a, const char *b)
{
    apr_size_t len = strlen(a);

    return len == strlen(b) && !CRYPTO_memcmp(a, b, len);
}

/* Opens the login that the response belongs to, and takes it from the browser. */
static void find_state(request_rec *r, const kc_site *site, callback *back)
{
    kc_cookie cookie;
    kc_login_state *state;
    const char *text;
    apr_size_t len;
    apr_status_t rv;
    unsigned slot;

    if (!slot_of(back->response.state, &slot)) {
        return;
    }
    cookie = kc_login_cookie(r, site, slot);
    text = kc_cookie_get(r, &cookie, &len);
    if (!text) {
        return;
    }
    rv = kc_login_state_open(&state, text, len, site->logins, apr_time_now(), r->pool);
    if ((rv != APR_SUCCESS && rv != APR_TIMEUP) || !same_id(state->id, back->response.state + 1)) {
        return;
    }
    kc_cookie_clear(r, &cookie);
    back->state = state;
    back->target = kc_url_local_target(r->pool, state->target);
    back->spent = rv == APR_TIMEUP || !kc_once_use(site->once, state->id);
}

/* --- healing ---------------------------------------------------------------------------------- */

/*
 * On to the page. A redirect still counts as coming from Keycloak, and a cookie with
 * SameSite=Strict would stay at home: then a page of ours leads on.
 */
static int go_on(request_rec *r, const callback *back)
{
    if (!strcmp(kc_site_of(r->server)->conf->cookie_samesite, "Strict")) {
        return kc_page_lead_on(r, back->target);
    }
    return kc_redirect(r, HTTP_SEE_OTHER, back->target);
}

static int start_again(request_rec *r, const callback *back)
{
    return kc_login_start(r, back->target, back->state->attempt + 1);
}

static int may_start_again(const callback *back, unsigned times)
{
    return back->state && back->state->attempt < times;
}

static int refuse(request_rec *r, const callback *back, const kc_error *err)
{
    return kc_session_of(r) ? go_on(r, back) : kc_refuse(r, err, back->target);
}

/* --- the login -------------------------------------------------------------------------------- */

static int is_older_than_lifetime(const kc_login_state *state)
{
    return apr_time_sec(apr_time_now()) - state->created > KC_LOGIN_LIFETIME;
}

static int without_state(request_rec *r, const callback *back)
{
    kc_error err = {0};

    if (!back->state) {
        kc_fail(&err, KC_FAULT_REQUEST, "KC0501",
                "the answer carries no state of this browser: the login was begun elsewhere, or "
                "its cookie was lost");
    } else if (is_older_than_lifetime(back->state)) {
        if (!kc_session_of(r) && may_start_again(back, ATTEMPTS_MAX)) {
            return start_again(r, back);
        }
        kc_fail(&err, KC_FAULT_REQUEST, "KC0502", "the login took longer than %d minutes",
                KC_LOGIN_LIFETIME / 60);
    } else {
        kc_fail(&err, KC_FAULT_REQUEST, "KC0503", "the answer to this login was used before");
    }
    return refuse(r, back, &err);
}

static apr_status_t finish(request_rec *r, const kc_site *site, const callback *back,
                           kc_provider_view *view, apr_time_t deadline, kc_error *err)
{
    kc_client client = {0};
    kc_login login = {0};
    kc_identity *identity;
    kc_tokens *tokens;
    apr_status_t rv;

    client.id = site->conf->client_id;
    client.secret = site->conf->client_secret;
    client.redirect_uri =
        apr_pstrcat(r->pool, kc_request_origin(r, site), site->callback_path, NULL);
    login.code = back->response.code;
    login.code_verifier = back->state->verifier;
    login.nonce = back->state->nonce;
    login.user_claim = site->conf->user_claim;
    login.userinfo = (kc_userinfo_when)site->conf->userinfo;
    login.deadline = deadline;
    /* Keycloak tells k_logout only of sessions that it knows by a name of ours; any will do. */
    login.client_session_state = back->state->id;
    rv = kc_login_finish(&identity, &tokens, site->provider, view, &client, &login, r->pool, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (err->fault != KC_FAULT_NONE) {
        kc_trouble_log(r, APLOG_WARNING, err->id, "%s", err->text);
        memset(err, 0, sizeof(*err));
    }
    rv = kc_session_start(r, identity, tokens, err);
    if (rv == APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0500: %s (%s) logged in, roles from %s",
                      identity->username, identity->sub, identity->roles_from);
    }
    return rv;
}

/* A cut exchange is not sent again, since a code used twice ends what its first use began; a new
 * login is silent. */
static int was_cut(const kc_error *err)
{
    return err->fault == KC_FAULT_AWAY && err->id && !strcmp(err->id, KC_HTTP_CUT);
}

/* A renewal without a page was refused: Keycloak's session is over, and so is ours. The person logs
 * in again, to the same page. */
static int silence_refused(request_rec *r, const callback *back, const kc_error *err)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "%s: %s; the session ends, a login begins", err->id,
                  err->text);
    kc_session_end(r);
    return start_again(r, back);
}

/* Keycloak went away in the middle of a renewal without a page: the session goes on as it is. */
static int is_put_off(request_rec *r, const callback *back, const kc_error *err)
{
    return back->state->silent && err->fault == KC_FAULT_AWAY && kc_session_of(r);
}

static int with_state(request_rec *r, const kc_site *site, const callback *back)
{
    apr_time_t deadline = apr_time_now() + apr_time_from_sec(site->conf->timeout);
    kc_provider_view view;
    kc_error err = {0};

    if (!site->provider) {
        kc_fail(&err, KC_FAULT_AWAY, "KC0162", "this child could not prepare calls to Keycloak");
        return refuse(r, back, &err);
    }
    if (kc_provider_get(site->provider, &view, deadline, r->pool, &err) != APR_SUCCESS) {
        return refuse(r, back, &err);
    }
    if (kc_authorization_response_check(&back->response, view.metadata, &err) != APR_SUCCESS) {
        if (back->state->silent && !is_put_off(r, back, &err)) {
            return silence_refused(r, back, &err);
        }
        if (kc_authorization_response_is_stale(&back->response) && !kc_session_of(r) &&
            may_start_again(back, 1)) {
            return start_again(r, back);
        }
        return refuse(r, back, &err);
    }
    if (finish(r, site, back, &view, deadline, &err) != APR_SUCCESS) {
        if (was_cut(&err) && may_start_again(back, 1)) {
            kc_trouble_log(r, APLOG_WARNING, err.id, "%s; the login starts anew", err.text);
            return start_again(r, back);
        }
        return is_put_off(r, back, &err) ? go_on(r, back) : kc_refuse(r, &err, back->target);
    }
    return go_on(r, back);
}

static int answers_by(request_rec *r, const kc_site *site)
{
    int wanted = *site->conf->response_mode ? M_POST : M_GET;

    return kc_request_only(r, wanted, wanted);
}

/* The access log writes r->the_request: a code has no place there, spent or not. */
static void keep_out_of_logs(request_rec *r)
{
    r->the_request = apr_psprintf(r->pool, "%s %.*s %s", r->method,
                                  (int)strcspn(r->unparsed_uri, "?"), r->unparsed_uri, r->protocol);
    r->args = NULL;
}

int kc_callback_handler(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    apr_table_t *parameters;
    callback back = {0};
    apr_status_t readable;
    int rv = answers_by(r, site);

    readable = rv == OK ? kc_request_parameters(r, &parameters) : APR_SUCCESS;
    keep_out_of_logs(r);
    if (rv != OK) {
        return rv;
    }
    back.target = "/";
    if (readable != APR_SUCCESS) {
        kc_error err = {0};

        kc_fail(&err, KC_FAULT_REQUEST, "KC0504",
                "the answer's parameters cannot be read: a name comes twice, or they are too many");
        return refuse(r, &back, &err);
    }
    kc_authorization_response_read(&back.response, parameters);
    find_state(r, site, &back);
    return back.state && !back.spent ? with_state(r, site, &back) : without_state(r, &back);
}
