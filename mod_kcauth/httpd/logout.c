/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* RP-initiated logout: the session ends here, then at Keycloak. */

#include <apr_strings.h>

#include "httpd/carry.h"
#include "httpd/endpoints.h"
#include "httpd/request.h"
#include "httpd/sessions.h"
#include "httpd/site.h"
#include "httpd/trouble.h"

static const char *after_logout(request_rec *r, const kc_site *site)
{
    const char *url = site->conf->post_logout_url;

    return *url == '/' ? apr_pstrcat(r->pool, kc_request_origin(r, site), url, NULL) : url;
}

/*
 * Whether the page that led here is not one of ours. Browsers send Sec-Fetch-Site over https and to
 * localhost alone, but Origin with each POST.
 */
static int is_foreign(request_rec *r, const kc_site *site)
{
    const char *from = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (from) {
        return strcmp(from, "same-origin") && strcmp(from, "none");
    }
    return r->method_number == M_POST && origin && strcmp(origin, kc_request_origin(r, site));
}

/* Without a logout at the provider its tokens are revoked by name. */
static void revoke_tokens(request_rec *r, const kc_site *site, const kc_provider_view *view,
                          const kc_client *client, apr_time_t deadline)
{
    const char *token = kc_carried_refresh_token(r, site);
    kc_error err = {0};

    if (!token) {
        return;
    }
    if (kc_provider_enter(site->provider, &err) == APR_SUCCESS) {
        if (kc_token_revoke(kc_provider_http(site->provider), view->metadata, client, token,
                            deadline, r->pool, &err) == APR_SUCCESS) {
            err.id = NULL;
        }
        kc_provider_leave(site->provider);
    }
    if (err.id) {
        kc_trouble_log(r, APLOG_WARNING, err.id, "%s", err.text);
    }
}

/* Keycloak's page that ends single sign-on, or NULL: the session then ends here alone, and the log
 * says why. */
static const char *end_session_url(request_rec *r, const kc_site *site, const char *id_token)
{
    apr_time_t deadline = apr_time_now() + apr_time_from_sec(site->conf->timeout);
    kc_provider_view view;
    kc_client client = {0};
    kc_error err = {0};
    const char *url;

    if (!site->provider ||
        kc_provider_get(site->provider, &view, deadline, r->pool, &err) != APR_SUCCESS) {
        kc_trouble_log(r, APLOG_WARNING, "KC0901",
                       "logout ends here alone, Keycloak's metadata is not known: %s", err.text);
        return NULL;
    }
    client.id = site->conf->client_id;
    client.secret = site->conf->client_secret;
    url = kc_logout_url(view.metadata, &client, id_token, after_logout(r, site), r->pool);
    if (!url) {
        kc_trouble_log(r, APLOG_WARNING, "KC0902",
                       "logout ends here alone, the provider has no end_session_endpoint");
        if (!is_foreign(r, site)) {
            revoke_tokens(r, site, &view, &client, deadline);
        }
    }
    return url;
}

/* After a POST the browser is to GET. */
static int leave(request_rec *r, const char *url)
{
    return kc_redirect(r, r->method_number == M_POST ? HTTP_SEE_OTHER : HTTP_MOVED_TEMPORARILY,
                       url);
}

/*
 * A link on a foreign page must not log a person out: without the hint Keycloak asks them first.
 * When they confirm, Keycloak's notice ends the session here, or the next renewal does.
 */
static int ask_first(request_rec *r, const kc_site *site)
{
    const char *url = end_session_url(r, site, NULL);

    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0903: a foreign page asks for a logout");
    return leave(r, url ? url : "/");
}

int kc_logout_handler(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    const kc_session *session;
    const char *url = NULL;

    if (kc_request_only(r, M_GET, M_POST) != OK) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    session = kc_session_of(r);
    if (is_foreign(r, site)) {
        /* A POST from there brings no cookie, but browsers would obey one that is removed. */
        return session ? ask_first(r, site) : leave(r, after_logout(r, site));
    }
    if (session) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0900: %s (%s) logs out", session->username,
                      session->sub);
        url = end_session_url(r, site, kc_carried_id_token(r, site));
    }
    kc_session_end(r);
    return leave(r, url ? url : after_logout(r, site));
}
