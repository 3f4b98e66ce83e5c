/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The session endpoint: a single-page application asks who is logged in, and for how long. */

#include <stdlib.h>

#include <apr_strings.h>

#include "httpd/endpoints.h"
#include "httpd/pages.h"
#include "httpd/request.h"
#include "httpd/sessions.h"
#include "httpd/site.h"

static json_t *array_of(const kc_names *names)
{
    json_t *array = json_array();
    const char *name;
    apr_size_t at = 0, len;

    while ((name = kc_names_next(names, &at, &len)) != NULL) {
        json_array_append_new(array, json_stringn(name, len));
    }
    return array;
}

static apr_int64_t seconds_left(const kc_site *site, const kc_session *session, apr_int64_t now)
{
    apr_int64_t idle = session->seen + site->conf->session_idle;

    return (idle < session->expires ? idle : session->expires) - now;
}

static json_t *describe(request_rec *r, const kc_site *site, const kc_session *session)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:I}", "sub", session->sub, "username",
                     session->username, "name", session->name, "email", session->email, "roles",
                     array_of(&session->roles), "realm_roles", array_of(&session->realm_roles),
                     "seconds_left", (json_int_t)seconds_left(site, session, kc_request_time(r)),
                     "roles_read", (json_int_t)session->refreshed);
}

int kc_session_handler(request_rec *r)
{
    const kc_site *site = kc_site_of(r->server);
    const kc_session *session = kc_session_of(r);
    json_t *body;
    char *text;

    if (kc_request_only(r, M_GET, M_GET) != OK) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (!session) {
        return kc_request_of(r)->away ? kc_refuse_away(r) : kc_refuse_script(r, site);
    }
    body = describe(r, site, session);
    text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "Vary", "Cookie");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    ap_set_content_type(r, "application/json");
    ap_rputs(text ? text : "{}", r);
    ap_rputs("\n", r);
    free(text);
    return OK;
}
