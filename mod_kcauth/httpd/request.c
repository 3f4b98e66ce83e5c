/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What a request is asked about itself: where it belongs, what it was called, who sent it and how.
 */

#include <apr_strings.h>

#include "httpd/request.h"
#include "httpd/site.h"

enum { BODY_MAX = 64 * 1024, PARAMETERS_MAX = 32 };

kc_request *kc_request_of(request_rec *r)
{
    kc_request *request = ap_get_module_config(r->request_config, &kcauth_module);

    if (!request) {
        request = apr_pcalloc(r->pool, sizeof(*request));
        ap_set_module_config(r->request_config, &kcauth_module, request);
    }
    return request;
}

request_rec *kc_request_initial(request_rec *r)
{
    while (r->main || r->prev) {
        r = r->main ? r->main : r->prev;
    }
    return r;
}

/* Each of our hooks asks. Of a page that is ours the answer is noted, with the configuration that
 * it is of: an internal redirect brings another one. */
int kc_request_is_ours(request_rec *r)
{
    kc_request *request = ap_get_module_config(r->request_config, &kcauth_module);
    const char *type;

    if (request && request->ours_by == r->per_dir_config) {
        return 1;
    }
    type = ap_auth_type(r);
    if (!type || ap_cstr_casecmp(type, KC_AUTH_TYPE)) {
        return 0;
    }
    kc_request_of(r)->ours_by = r->per_dir_config;
    return 1;
}

/* --- the site's name -------------------------------------------------------------------------- */

static const char *scheme_of(request_rec *r)
{
    return ap_http_scheme(r);
}

/*
 * ServerName's port. Where it names none: the default of the scheme that it names, since a proxy
 * stands before us then; else the port that the connection came in on.
 */
static apr_port_t port_of(request_rec *r)
{
    if (r->server->port) {
        return r->server->port;
    }
    return r->server->server_scheme ? apr_uri_port_of_scheme(scheme_of(r))
                                    : r->connection->local_addr->port;
}

const char *kc_request_origin(request_rec *r, const kc_site *site)
{
    apr_port_t port;

    if (site->conf->base_url) {
        return site->conf->base_url;
    }
    port = port_of(r);
    if (port == apr_uri_port_of_scheme(scheme_of(r))) {
        return apr_pstrcat(r->pool, scheme_of(r), "://", r->server->server_hostname, NULL);
    }
    return apr_psprintf(r->pool, "%s://%s:%u", scheme_of(r), r->server->server_hostname, port);
}

int kc_request_is_https(request_rec *r, const kc_site *site)
{
    return site->conf->base_url ? !strncmp(site->conf->base_url, "https:", 6)
                                : !strcmp(scheme_of(r), "https");
}

int kc_request_is_canonical(request_rec *r, const kc_site *site)
{
    const char *origin = kc_request_origin(r, site);
    const char *name = strstr(origin, "://") + 3;
    const char *host = apr_table_get(r->headers_in, "Host");
    apr_size_t len;

    if (!host) {
        return 1; /* HTTP/1.0: there is no other name that the cookies could go to */
    }
    len = strlen(name);
    if (ap_cstr_casecmpn(host, name, len)) {
        return 0;
    }
    /* A default port may be spelled out. */
    return !host[len] || (!strchr(name, ':') &&
                          !strcmp(host + len, !strncmp(origin, "https:", 6) ? ":443" : ":80"));
}

const char *kc_request_target(request_rec *r)
{
    const char *line, *target;

    r = kc_request_initial(r);
    line = r->unparsed_uri ? r->unparsed_uri : "/";
    if (*line != '/') { /* GET http://host/path: only the path is ours */
        const char *host = strstr(line, "://");
        const char *path = host ? strchr(host + 3, '/') : NULL;

        line = path ? path : "/";
    }
    target = kc_url_local_target(r->pool, line);
    if (!strcmp(target, "/")) {
        /* Too long to come back to with its query: then to the page itself. */
        target = kc_url_local_target(r->pool, apr_pstrmemdup(r->pool, line, strcspn(line, "?#")));
    }
    return target;
}

const char *kc_login_url(request_rec *r, const kc_site *site, const char *target)
{
    kc_form form;

    kc_form_init(&form, r->pool);
    kc_form_add(&form, "next", target);
    return kc_form_url(&form, apr_pstrcat(r->pool, site->conf->path, "/login", NULL));
}

/* --- who asks, and how ------------------------------------------------------------------------ */

/* Whether one range of an Accept header takes HTML: its name, and no q=0 that takes it back (RFC
 * 9110 section 12.5.1). */
static int takes_html(const char *range)
{
    apr_size_t len = strcspn(range, "; \t");
    const char *q = ap_strcasestr(range + len, "q=");

    if (!(len == 3 && !memcmp(range, "*/*", 3)) &&
        !(len == 9 && !ap_cstr_casecmpn(range, "text/html", 9))) {
        return 0;
    }
    return !q || q[2] != '0' || q[3 + strspn(q + 3, ".0")];
}

static int accepts_html(request_rec *r, const char *accept)
{
    while (*accept) {
        const char *range = ap_getword(r->pool, &accept, ',');

        if (takes_html(range + strspn(range, " \t"))) {
            return 1;
        }
    }
    return 0;
}

int kc_request_is_navigation(request_rec *r)
{
    const char *mode, *accept;

    r = kc_request_initial(r);
    if (r->method_number != M_GET) { /* HEAD is M_GET to httpd */
        return 0;
    }
    mode = apr_table_get(r->headers_in, "Sec-Fetch-Mode");
    if (mode) {
        return !strcmp(mode, "navigate");
    }
    accept = apr_table_get(r->headers_in, "Accept");
    return !apr_table_get(r->headers_in, "X-Requested-With") &&
           (!accept || accepts_html(r, accept));
}

/* --- parameters ------------------------------------------------------------------------------- */

int kc_request_only(request_rec *r, int one, int other)
{
    if (r->method_number == one || r->method_number == other) {
        return OK;
    }
    ap_allow_standard_methods(r, REPLACE_ALLOW, one, other, -1);
    return HTTP_METHOD_NOT_ALLOWED;
}

apr_status_t kc_request_body(request_rec *r, char **body, apr_size_t *len)
{
    char *buf = *body = apr_palloc(r->pool, BODY_MAX + 1);
    long got = 0;

    *len = 0;
    if (ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK) != OK) {
        return APR_EINVAL;
    }
    if (ap_should_client_block(r)) {
        while ((got = ap_get_client_block(r, buf + *len, BODY_MAX - *len)) > 0) {
            *len += (apr_size_t)got;
            if (*len == BODY_MAX) {
                return APR_EINVAL;
            }
        }
    }
    buf[*len] = '\0';
    return got < 0 ? APR_EINVAL : APR_SUCCESS;
}

static int is_form(request_rec *r)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");
    apr_size_t len = sizeof("application/x-www-form-urlencoded") - 1;

    return type && !ap_cstr_casecmpn(type, "application/x-www-form-urlencoded", len) &&
           (!type[len] || type[len] == ';' || type[len] == ' ');
}

apr_status_t kc_request_parameters(request_rec *r, apr_table_t **out)
{
    char *body = NULL;
    apr_size_t len = 0;
    apr_status_t rv;

    if (r->method_number != M_POST) {
        const char *query = r->args ? r->args : "";

        return kc_form_parse(out, query, strlen(query), PARAMETERS_MAX, r->pool);
    }
    if (!is_form(r)) {
        return APR_EINVAL;
    }
    rv = kc_request_body(r, &body, &len);
    return rv == APR_SUCCESS ? kc_form_parse(out, body, len, PARAMETERS_MAX, r->pool) : rv;
}

int kc_redirect(request_rec *r, int status, const char *location)
{
    apr_table_setn(r->headers_out, "Location", location);
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    return status;
}
