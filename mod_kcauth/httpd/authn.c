/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Access and authentication: a session becomes r->user; without one there is a challenge. */

#include <apr_strings.h>

#include "httpd/authn.h"
#include "httpd/identity.h"
#include "httpd/login.h"
#include "httpd/pages.h"
#include "httpd/renew.h"
#include "httpd/request.h"
#include "httpd/sessions.h"
#include "httpd/site.h"

/*
 * The cookies of a login belong to one host, so it starts under the site's own name. With a name
 * that was configured a proxy may stand before us and the name that we see may never be that one:
 * the login endpoint is then asked directly, which asks no more.
 */
static int to_canonical(request_rec *r, const kc_site *site)
{
    const char *origin = kc_request_origin(r, site);
    const char *target = kc_request_target(r);

    if (site->conf->base_url || r->server->server_scheme) {
        target = kc_login_url(r, site, target);
    }
    return kc_redirect(r, HTTP_MOVED_TEMPORARILY, apr_pstrcat(r->pool, origin, target, NULL));
}

static int challenge(request_rec *r, const kc_site *site)
{
    if (r->main) {
        return HTTP_UNAUTHORIZED; /* a part of a page: the page itself decides what to do */
    }
    if (!kc_request_is_navigation(r)) {
        return kc_refuse_script(r, site);
    }
    if (!kc_request_is_canonical(r, site)) {
        return to_canonical(r, site);
    }
    return kc_login_start(r, kc_request_target(r), 0);
}

/*
 * Our endpoints are open to everyone. On pages of ours a session that is due is renewed, and the
 * environment is filled before any Require line is read: mod_authz_core asks `Require expr` before
 * it asks who it is.
 */
int kc_access(request_rec *r)
{
    const kc_request *request = ap_get_module_config(r->request_config, &kcauth_module);
    const kc_session *session;
    int rv;

    if (request && request->endpoint) {
        return OK;
    }
    if (!kc_site_of(r->server) || !kc_request_is_ours(r)) {
        return DECLINED;
    }
    rv = kc_renew(r);
    if (rv != OK) {
        return rv;
    }
    session = kc_session_of(r);
    if (session) {
        kc_identity_export(r, session);
    }
    return DECLINED;
}

int kc_authenticate(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    const kc_session *session;

    if (!kc_request_is_ours(r)) {
        return DECLINED;
    }
    if (!site) {
        kc_error err = {0};

        kc_fail(&err, KC_FAULT_CONFIG, "KC0160",
                "AuthType Keycloak on %s, but the server %.100s has no KCAuthDiscoveryURL and "
                "KCAuthClientID",
                r->uri, r->server->server_hostname);
        return kc_refuse(r, &err, NULL);
    }
    session = kc_session_of(r);
    if (!session) {
        return kc_request_of(kc_request_initial(r))->away ? kc_refuse_away(r) : challenge(r, site);
    }
    r->user = (char *)session->username;
    r->ap_auth_type = KC_AUTH_TYPE;
    return OK;
}

int kc_note_auth_failure(request_rec *r, const char *auth_type)
{
    const kc_site *site = kc_site_of(r->server);

    if (!site || ap_cstr_casecmp(auth_type, KC_AUTH_TYPE)) {
        return DECLINED;
    }
    apr_table_setn(r->err_headers_out, "WWW-Authenticate",
                   apr_pstrcat(r->pool, KC_AUTH_TYPE " login=\"", kc_request_origin(r, site),
                               site->conf->path, "/login\"", NULL));
    return OK;
}
