/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The providers behind Require kc-role, kc-realm-role, kc-client-role and kc-group. */

#include <apr_strings.h>

#include <ap_provider.h>

#include "httpd/authz.h"
#include "httpd/config.h"
#include "httpd/denial.h"
#include "httpd/pages.h"
#include "httpd/request.h"
#include "httpd/sessions.h"
#include "httpd/site.h"
#include "httpd/trouble.h"

/* --- when the configuration is read ----------------------------------------------------------- */

static const char *wrong(cmd_parms *cmd, const char *id, const char *provider, const char *what)
{
    return apr_psprintf(cmd->pool, "%s: Require %s: %s", id, provider, what);
}

/* httpd makes a virtual host's configuration at the first directive of ours in it, and a Require line
 * is mod_authz_core's. */
static kc_server_conf *conf_of(cmd_parms *cmd)
{
    kc_server_conf *conf = kc_server_conf_of(cmd->server);

    if (!conf) {
        conf = kc_server_conf_create(cmd->pool, cmd->server);
        ap_set_module_config(cmd->server->module_config, &kcauth_module, conf);
    }
    return conf;
}

/*
 * Sessions keep the roles that lines of the server's configuration name. A .htaccess file is read
 * too late for that (and its pool dies with the request): KCAuthKeepRoles serves there.
 */
static void want(cmd_parms *cmd, const kc_role *role)
{
    if (!ap_check_cmd_context(cmd, NOT_IN_HTACCESS)) {
        APR_ARRAY_PUSH(conf_of(cmd)->wanted_roles, const kc_role *) = role;
    }
}

static kc_requirement *new_requirement(cmd_parms *cmd, const char *provider, const char *args)
{
    kc_requirement *requirement = apr_pcalloc(cmd->pool, sizeof(*requirement));

    requirement->line = apr_pstrcat(cmd->pool, "Require ", provider, " ", args, NULL);
    requirement->roles = apr_array_make(cmd->pool, 2, sizeof(kc_role));
    return requirement;
}

static void add(cmd_parms *cmd, kc_requirement *requirement, const kc_role *role)
{
    kc_role *kept = apr_array_push(requirement->roles);

    *kept = *role;
    want(cmd, apr_pmemdup(cmd->pool, role, sizeof(*role)));
}

static const char *finish(cmd_parms *cmd, const char *provider, const kc_requirement *requirement,
                          const void **parsed)
{
    if (!requirement->roles->nelts) {
        return wrong(cmd, "KC0810", provider, "names nothing; write one name or several");
    }
    *parsed = requirement;
    return NULL;
}

static const char *parse_role(cmd_parms *cmd, const char *args, const void **parsed)
{
    kc_requirement *requirement = new_requirement(cmd, "kc-role", args);
    const char *word;

    while (*(word = ap_getword_conf(cmd->pool, &args))) {
        kc_role *role = kc_role_parse(cmd->pool, word);

        if (!role->name_len) {
            return wrong(cmd, "KC0811", "kc-role", "a name is missing after the colon");
        }
        add(cmd, requirement, role);
    }
    return finish(cmd, "kc-role", requirement, parsed);
}

/* All the names of a line, of one kind. */
static const char *parse_names(cmd_parms *cmd, const char *args, const void **parsed,
                               const char *provider, kc_role_kind kind, const char *client)
{
    kc_requirement *requirement = new_requirement(cmd, provider, args);
    kc_role role = {0};

    role.kind = kind;
    role.client = client;
    role.client_len = client ? strlen(client) : 0;
    while (*(role.name = ap_getword_conf(cmd->pool, &args))) {
        role.name_len = strlen(role.name);
        add(cmd, requirement, &role);
    }
    return finish(cmd, provider, requirement, parsed);
}

static const char *parse_realm_role(cmd_parms *cmd, const char *args, const void **parsed)
{
    return parse_names(cmd, args, parsed, "kc-realm-role", KC_ROLE_REALM, NULL);
}

static const char *parse_client_role(cmd_parms *cmd, const char *args, const void **parsed)
{
    const char *rest = args;
    const char *client = ap_getword_conf(cmd->pool, &rest);
    const char *what;
    kc_requirement *requirement;

    if (!*client) {
        return wrong(cmd, "KC0812", "kc-client-role", "names no client; write CLIENT NAME...");
    }
    what = parse_names(cmd, rest, parsed, "kc-client-role", KC_ROLE_CLIENT, client);
    if (!what) {
        requirement = (kc_requirement *)*parsed;
        requirement->line = apr_pstrcat(cmd->pool, "Require kc-client-role ", args, NULL);
    }
    return what;
}

static const char *parse_group(cmd_parms *cmd, const char *args, const void **parsed)
{
    return parse_names(cmd, args, parsed, "kc-group", KC_ROLE_GROUP, NULL);
}

/* --- when a request is checked ---------------------------------------------------------------- */

static int holds(const kc_session *session, const kc_site *site, const kc_role *role)
{
    switch (role->kind) {
    case KC_ROLE_OWN:
        return kc_names_have(&session->roles, role->name, role->name_len);
    case KC_ROLE_REALM:
        return kc_names_have(&session->realm_roles, role->name, role->name_len);
    case KC_ROLE_GROUP:
        return kc_names_have(&session->groups, role->name, role->name_len);
    case KC_ROLE_CLIENT:
        if (!strcmp(role->client, site->conf->client_id)) {
            return kc_names_have(&session->roles, role->name, role->name_len);
        }
        return kc_names_have_pair(&session->other_roles, role->client, role->client_len, role->name,
                                  role->name_len);
    }
    return 0;
}

static authz_status refuse(request_rec *r, const kc_requirement *requirement)
{
    kc_request *request = kc_request_of(r);

    if (!request->refused) {
        request->refused = requirement;
        kc_page_denial(r, APR_ARRAY_IDX(requirement->roles, 0, kc_role).name);
    }
    if (r->main) {
        kc_denial_report(r); /* a part of a page is not logged when the request ends */
    }
    return AUTHZ_DENIED;
}

static authz_status check(request_rec *r, const char *line, const void *parsed)
{
    const kc_requirement *requirement = parsed;
    const kc_site *site = kc_site_of(r->server);
    const kc_session *session;
    int i;

    if (!site || !kc_request_is_ours(r)) {
        kc_trouble_log(r, APLOG_ERR, "KC0802",
                       "\"%s\" cannot hold on %s: `AuthType Keycloak` is not in force there, or "
                       "the server has no KCAuthDiscoveryURL",
                       requirement->line, r->uri);
        return AUTHZ_DENIED;
    }
    (void)line;
    if (!r->user) {
        return AUTHZ_DENIED_NO_USER;
    }
    session = kc_session_of(r);
    for (i = 0; session && i < requirement->roles->nelts; i++) {
        if (holds(session, site, &APR_ARRAY_IDX(requirement->roles, i, kc_role))) {
            kc_request_of(r)->held = requirement;
            return AUTHZ_GRANTED;
        }
    }
    return refuse(r, requirement);
}

static const authz_provider role_provider = {check, parse_role};
static const authz_provider realm_role_provider = {check, parse_realm_role};
static const authz_provider client_role_provider = {check, parse_client_role};
static const authz_provider group_provider = {check, parse_group};

static void provide(apr_pool_t *pool, const char *name, const authz_provider *provider)
{
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION, provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}

void kc_authz_register(apr_pool_t *pool)
{
    provide(pool, "kc-role", &role_provider);
    provide(pool, "kc-realm-role", &realm_role_provider);
    provide(pool, "kc-client-role", &client_role_provider);
    provide(pool, "kc-group", &group_provider);
}
