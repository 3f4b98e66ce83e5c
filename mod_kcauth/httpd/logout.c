/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* RP-initiated logout: the session ends here, then at Keycloak. */

#include <apr_strings.h>

#include "httpd/module.h"

static const char *after_logout(request_rec *r, const kc_site *site)
{
    const char *url = site->conf->post_logout_url;

    return *url == '/' ? apr_pstrcat(r->pool, kc_request_origin(r, site), url, NULL) : url;
}

/* Keycloak's page that ends single sign-on, or NULL: the session then ends here alone, and the log says why. */
static const char *end_session_url(request_rec *r, const kc_site *site)
{
    apr_time_t deadline = apr_time_now() + apr_time_from_sec(site->conf->timeout);
    kc_provider_view view;
    kc_client client = {0};
    kc_error err = {0};
    const char *url;

    if (!site->provider ||
        kc_provider_get(site->provider, &view, deadline, r->pool, &err) != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "KC0901: logout ends here alone, Keycloak's metadata is not known: %s",
                      err.text);
        return NULL;
    }
    client.id = site->conf->client_id;
    url = kc_logout_url(view.metadata, &client, kc_session_id_token(r), after_logout(r, site),
                        r->pool);
    if (!url) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "KC0902: logout ends here alone, the provider has no end_session_endpoint");
    }
    return url;
}

int kc_logout_handler(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    const kc_session *session;
    const char *url = NULL;

    if (r->method_number != M_GET) {
        ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    session = kc_session_of(r);
    if (session) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "KC0900: %s (%s) logs out", session->username,
                      session->sub);
        url = end_session_url(r, site);
    }
    kc_session_end(r);
    return kc_redirect(r, HTTP_MOVED_TEMPORARILY, url ? url : after_logout(r, site));
}
