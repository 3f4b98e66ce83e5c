/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Our own URLs below KCAuthPath: found first, mapped to nothing, open to everyone, answered by us.
 */

#include "httpd/endpoints.h"
#include "httpd/login.h"
#include "httpd/renew.h"
#include "httpd/request.h"
#include "httpd/site.h"

struct kc_endpoint {
    const char *name; /* what follows KCAuthPath */
    int (*handler)(request_rec *r);
};

static const kc_endpoint endpoints[] = {
    {"/login", kc_login_handler},
    {"/login/callback", kc_callback_handler},
    {"/logout", kc_logout_handler},
    {"/renew", kc_renew_handler},
    {"/session", kc_session_handler},
    {"/backchannel-logout", kc_backchannel_logout_handler},
    {"/frontchannel-logout", kc_frontchannel_logout_handler},
    {"/k_logout", kc_admin_action_handler},
    {"/k_push_not_before", kc_admin_action_handler},
    {"/k_test_available", kc_admin_action_handler},
    {NULL, NULL},
};

static const kc_endpoint *find(const char *uri, const char *path)
{
    const kc_endpoint *endpoint;
    apr_size_t len = strlen(path);

    if (strncmp(uri, path, len)) {
        return NULL;
    }
    for (endpoint = endpoints; endpoint->name; endpoint++) {
        if (!strcmp(uri + len, endpoint->name)) {
            return endpoint;
        }
    }
    return NULL;
}

int kc_endpoint_translate(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    const kc_endpoint *endpoint = site ? find(r->uri, site->conf->path) : NULL;

    if (!endpoint) {
        return DECLINED;
    }
    kc_request_of(r)->endpoint = endpoint;
    r->filename = "";
    return OK;
}

static const kc_endpoint *endpoint_of(request_rec *r)
{
    const kc_request *request = ap_get_module_config(r->request_config, &kcauth_module);

    return request ? request->endpoint : NULL;
}

int kc_endpoint_map(request_rec *r)
{
    return endpoint_of(r) ? OK : DECLINED;
}

int kc_endpoint_handler(request_rec *r)
{
    const kc_endpoint *endpoint = endpoint_of(r);

    return endpoint ? endpoint->handler(r) : DECLINED;
}
