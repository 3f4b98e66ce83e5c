/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The records of configuration: made, merged, and checked once they are whole. */

#include <apr_strings.h>

#include "httpd/config.h"
#include "httpd/store.h"

kc_server_conf *kc_server_conf_of(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &kcauth_module);
}

kc_dir_conf *kc_dir_conf_of(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &kcauth_module);
}

void *kc_server_conf_create(apr_pool_t *pool, server_rec *s)
{
    kc_server_conf *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)s;
    conf->timeout = conf->connect_timeout = KC_UNSET;
    conf->insecure_http = conf->max_calls = KC_UNSET;
    conf->session_idle = conf->session_max = KC_UNSET;
    conf->userinfo = KC_UNSET;
    conf->session = conf->revalidate = conf->revalidate_strict = KC_UNSET;
    conf->session_keys = apr_array_make(pool, 0, sizeof(kc_secret));
    conf->kept_roles = apr_array_make(pool, 0, sizeof(kc_role *));
    conf->wanted_roles = apr_array_make(pool, 0, sizeof(kc_role *));
    return conf;
}

static const char *text_of(const char *base, const char *add)
{
    return add ? add : base;
}

static int number_of(int base, int add)
{
    return add != KC_UNSET ? add : base;
}

static apr_array_header_t *list_of(apr_array_header_t *base, apr_array_header_t *add)
{
    return add->nelts ? add : base;
}

void *kc_server_conf_merge(apr_pool_t *pool, void *basev, void *addv)
{
    const kc_server_conf *base = basev, *add = addv;
    kc_server_conf *conf = apr_pcalloc(pool, sizeof(*conf));

    /* The realm's parts belong together: a virtual host with a realm of its own takes none of the
     * other's. */
    int own_realm = add->discovery_url != NULL;

    conf->discovery_url = text_of(base->discovery_url, add->discovery_url);
    conf->issuer = text_of(base->issuer, add->issuer);
    conf->defined_at = text_of(base->defined_at, add->defined_at);
    conf->client_id = own_realm ? add->client_id : text_of(base->client_id, add->client_id);
    conf->client_secret = own_realm || add->client_id
                              ? add->client_secret
                              : text_of(base->client_secret, add->client_secret);
    conf->internal_url =
        own_realm ? add->internal_url : text_of(base->internal_url, add->internal_url);
    conf->base_url = text_of(base->base_url, add->base_url);
    conf->path = text_of(base->path, add->path);
    conf->scope = text_of(base->scope, add->scope);
    conf->response_mode = text_of(base->response_mode, add->response_mode);
    conf->post_logout_url = text_of(base->post_logout_url, add->post_logout_url);
    conf->ca_file = text_of(base->ca_file, add->ca_file);
    conf->state_dir = text_of(base->state_dir, add->state_dir);
    conf->cookie_name = text_of(base->cookie_name, add->cookie_name);
    conf->cookie_samesite = text_of(base->cookie_samesite, add->cookie_samesite);
    conf->user_claim = text_of(base->user_claim, add->user_claim);
    conf->timeout = number_of(base->timeout, add->timeout);
    conf->connect_timeout = number_of(base->connect_timeout, add->connect_timeout);
    conf->max_calls = number_of(base->max_calls, add->max_calls);
    conf->insecure_http = number_of(base->insecure_http, add->insecure_http);
    conf->session_idle = number_of(base->session_idle, add->session_idle);
    conf->session_max = number_of(base->session_max, add->session_max);
    conf->userinfo = number_of(base->userinfo, add->userinfo);
    conf->session = number_of(base->session, add->session);
    conf->revalidate = number_of(base->revalidate, add->revalidate);
    conf->revalidate_strict = number_of(base->revalidate_strict, add->revalidate_strict);
    conf->session_keys = list_of(base->session_keys, add->session_keys);
    conf->kept_roles = list_of(base->kept_roles, add->kept_roles);
    /* Sections of the main server are in force in every virtual host. */
    conf->wanted_roles = apr_array_append(pool, base->wanted_roles, add->wanted_roles);
    conf->exports_headers = base->exports_headers || add->exports_headers;
    return conf;
}

void *kc_dir_conf_create(apr_pool_t *pool, char *dir)
{
    kc_dir_conf *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)dir;
    conf->export = conf->pass_cookie = KC_UNSET;
    return conf;
}

void *kc_dir_conf_merge(apr_pool_t *pool, void *basev, void *addv)
{
    const kc_dir_conf *base = basev, *add = addv;
    kc_dir_conf *conf = apr_pcalloc(pool, sizeof(*conf));

    conf->scope = text_of(base->scope, add->scope);
    conf->export = number_of(base->export, add->export);
    conf->pass_cookie = number_of(base->pass_cookie, add->pass_cookie);
    return conf;
}

/* --- checks that need a whole server ---------------------------------------------------------- */

static int complain(const server_rec *s, const char *where, const char *id, const char *what)
{
    if (!where && s->defn_name) {
        where = apr_psprintf(s->process->pool, "%s:%u", s->defn_name, s->defn_line_number);
    }
    ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, 0, s, "%s: %s, server %s: %s", id,
                 where ? where : "configuration", s->server_hostname ? s->server_hostname : "?",
                 what);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int check_url(const kc_server_conf *conf, const char *text, apr_pool_t *pool)
{
    kc_url url;

    return kc_url_parse(&url, text, pool) == APR_SUCCESS &&
           (conf->insecure_http == 1 || kc_url_is_safe(&url));
}

/* Whether the site is known to be on http, and not on this very machine. */
static int is_plain_http(const kc_server_conf *conf, apr_pool_t *pool)
{
    kc_url url;

    return conf->base_url && kc_url_parse(&url, conf->base_url, pool) == APR_SUCCESS &&
           !strcmp(url.scheme, "http") && !kc_url_is_safe(&url);
}

static int check_server(const server_rec *s, const kc_server_conf *conf, apr_pool_t *pool)
{
    if (!conf->discovery_url && !conf->client_id) {
        return OK;
    }
    if (!conf->discovery_url) {
        return complain(s, NULL, "KC0101",
                        "KCAuthClientID without KCAuthDiscoveryURL; add "
                        "KCAuthDiscoveryURL https://KEYCLOAK/realms/REALM");
    }
    if (!conf->client_id) {
        return complain(s, conf->defined_at, "KC0102",
                        "KCAuthDiscoveryURL without KCAuthClientID; add KCAuthClientID with the "
                        "client id that Keycloak's console shows");
    }
    if (!check_url(conf, conf->discovery_url, pool)) {
        return complain(s, conf->defined_at, "KC0103",
                        "KCAuthDiscoveryURL is neither https nor loopback; use https, or "
                        "KCAuthInsecureHTTP on where the network between is trusted");
    }
    if (conf->internal_url && !check_url(conf, conf->internal_url, pool)) {
        return complain(s, conf->defined_at, "KC0104",
                        "KCAuthInternalURL is neither https nor loopback; use https, or "
                        "KCAuthInsecureHTTP on where the network between is trusted");
    }
    if (conf->session == KC_SESSION_SERVER && !kc_store_is_loaded(pool)) {
        return complain(
            s, conf->defined_at, "KC0106",
            "KCAuthSession server needs a store; load mod_socache_shmcb, or name another "
            "one by KCAuthSessionStore");
    }
    if (conf->response_mode && *conf->response_mode && is_plain_http(conf, pool)) {
        return complain(s, conf->defined_at, "KC0107",
                        "KCAuthResponseMode form_post needs a site on https: browsers send no "
                        "cookie with it elsewhere; use query");
    }
    if (conf->cookie_samesite && !strcmp(conf->cookie_samesite, "None") && conf->base_url &&
        strncmp(conf->base_url, "https:", 6)) {
        return complain(s, conf->defined_at, "KC0105",
                        "KCAuthCookieSameSite None needs a site on https: browsers drop such "
                        "cookies elsewhere; use Lax");
    }
    return OK;
}

int kc_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf;
    (void)plog;
    for (; s; s = s->next) {
        int rv = check_server(s, kc_server_conf_of(s), ptemp);

        if (rv != OK) {
            return rv;
        }
    }
    return OK;
}
