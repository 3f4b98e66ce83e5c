/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The command table, and what each directive accepts. docs/directives.md describes them one by one.
 */

#include <stddef.h>

#include <apr_strings.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "httpd/config.h"
#include "httpd/secret.h"
#include "httpd/store.h"

#define WELL_KNOWN "/.well-known/openid-configuration"

static const char *wrong(cmd_parms *cmd, const char *id, const char *what)
{
    return apr_psprintf(cmd->pool, "%s: %s: %s", id, cmd->cmd->name, what);
}

/* --- the realm -------------------------------------------------------------------------------- */

static const char *remember_place(cmd_parms *cmd)
{
    return apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
}

static const char *set_discovery_url(cmd_parms *cmd, void *dir, const char *arg)
{
    kc_server_conf *conf = kc_server_conf_of(cmd->server);
    apr_size_t len = strlen(arg), tail = sizeof(WELL_KNOWN) - 1;
    kc_url url;

    (void)dir;
    if (kc_url_parse(&url, arg, cmd->pool) != APR_SUCCESS) {
        return wrong(cmd, "KC0110",
                     "not an absolute http or https URL; write the realm's, as in "
                     "https://sso.example.org/realms/NAME");
    }
    if (len > tail && !strcmp(arg + len - tail, WELL_KNOWN)) {
        len -= tail;
    }
    while (len && arg[len - 1] == '/') {
        len--;
    }
    conf->issuer = apr_pstrmemdup(cmd->pool, arg, len);
    conf->discovery_url = apr_pstrcat(cmd->pool, conf->issuer, WELL_KNOWN, NULL);
    conf->defined_at = remember_place(cmd);
    return NULL;
}

static const char *set_client_id(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    if (!*arg) {
        return wrong(cmd, "KC0111", "an empty name; write the client id of Keycloak's console");
    }
    kc_server_conf_of(cmd->server)->client_id = arg;
    return NULL;
}

static const char *set_client_secret(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *what =
        kc_secret_load(cmd->pool, arg, &kc_server_conf_of(cmd->server)->client_secret);

    (void)dir;
    return what ? wrong(cmd, "KC0112", what) : NULL;
}

static const char *set_keycloak_json(cmd_parms *cmd, void *dir, const char *arg)
{
    kc_server_conf *conf = kc_server_conf_of(cmd->server);
    const char *what = kc_keycloak_json_load(cmd->pool, arg, conf);

    (void)dir;
    conf->defined_at = remember_place(cmd);
    return what ? wrong(cmd, "KC0113", what) : NULL;
}

/* An origin: scheme and host, nothing after it. */
static const char *origin_of(cmd_parms *cmd, const char *arg, const char **origin)
{
    kc_url url;

    if (kc_url_parse(&url, arg, cmd->pool) != APR_SUCCESS || strcmp(url.path, "/")) {
        return wrong(cmd, "KC0114",
                     "takes scheme and host alone, as in https://www.example.org or "
                     "http://10.0.0.5:8080");
    }
    *origin = url.origin;
    return NULL;
}

static const char *set_internal_url(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    return origin_of(cmd, arg, &kc_server_conf_of(cmd->server)->internal_url);
}

static const char *set_base_url(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    return origin_of(cmd, arg, &kc_server_conf_of(cmd->server)->base_url);
}

/* --- paths and words -------------------------------------------------------------------------- */

static const char *set_path(cmd_parms *cmd, void *dir, const char *arg)
{
    apr_size_t len = strlen(arg);

    (void)dir;
    while (len > 1 && arg[len - 1] == '/') {
        len--;
    }
    if (len < 2 || *arg != '/' || arg[1] == '/' || strpbrk(arg, "?#;, \\%\"")) {
        return wrong(cmd, "KC0115", "takes a path of this site, as in /oauth");
    }
    kc_server_conf_of(cmd->server)->path = apr_pstrmemdup(cmd->pool, arg, len);
    return NULL;
}

static const char *set_post_logout_url(cmd_parms *cmd, void *dir, const char *arg)
{
    kc_url url;

    (void)dir;
    if (strcmp(kc_url_local_target(cmd->pool, arg), arg) &&
        kc_url_parse(&url, arg, cmd->pool) != APR_SUCCESS) {
        return wrong(cmd, "KC0116",
                     "takes a path of this site, as in /goodbye, or an absolute URL");
    }
    kc_server_conf_of(cmd->server)->post_logout_url = arg;
    return NULL;
}

static int is_token(const char *text)
{
    apr_size_t len = strlen(text);

    return len > 0 && len <= 64 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

static const char *set_cookie_name(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    if (!is_token(arg)) {
        return wrong(cmd, "KC0117", "takes letters, digits, '-' and '_', 64 at most");
    }
    kc_server_conf_of(cmd->server)->cookie_name = arg;
    return NULL;
}

static const char *set_user_claim(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    if (!*arg) {
        return wrong(cmd, "KC0118", "takes the name of a claim, as in preferred_username");
    }
    kc_server_conf_of(cmd->server)->user_claim = arg;
    return NULL;
}

static const char *set_file(cmd_parms *cmd, void *dir, const char *arg)
{
    const char **field =
        (const char **)(void *)((char *)kc_server_conf_of(cmd->server) + (size_t)cmd->info);

    (void)dir;
    *field = ap_server_root_relative(cmd->pool, arg);
    return *field ? NULL : wrong(cmd, "KC0119", "not a valid path");
}

static const char *set_ca_file(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *what = set_file(cmd, dir, arg);
    const char *path = kc_server_conf_of(cmd->server)->ca_file;
    BIO *file;
    X509 *first;

    if (what) {
        return what;
    }
    file = BIO_new_file(path, "r");
    first = file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
    BIO_free(file);
    if (!first) {
        ERR_clear_error();
        return wrong(cmd, "KC0120",
                     apr_psprintf(cmd->temp_pool, "cannot read a PEM certificate from %s", path));
    }
    X509_free(first);
    return NULL;
}

/* --- one of a few words ----------------------------------------------------------------------- */

typedef struct word {
    const char *name;
    int value;
} word;

static int find_word(const word *words, const char *arg, int *value)
{
    for (; words->name; words++) {
        if (!ap_cstr_casecmp(words->name, arg)) {
            *value = words->value;
            return 1;
        }
    }
    return 0;
}

static const char *set_userinfo(cmd_parms *cmd, void *dir, const char *arg)
{
    static const word words[] = {
        {"auto", KC_USERINFO_AUTO}, {"on", KC_USERINFO_ON}, {"off", KC_USERINFO_OFF}, {NULL, 0}};

    (void)dir;
    return find_word(words, arg, &kc_server_conf_of(cmd->server)->userinfo)
               ? NULL
               : wrong(cmd, "KC0121", "takes auto, on or off");
}

static const char *set_response_mode(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    if (!strcmp(arg, "query")) {
        kc_server_conf_of(cmd->server)->response_mode = "";
    } else if (!strcmp(arg, "form_post")) {
        kc_server_conf_of(cmd->server)->response_mode = "form_post";
    } else {
        return wrong(cmd, "KC0122", "takes query or form_post");
    }
    return NULL;
}

static const char *set_samesite(cmd_parms *cmd, void *dir, const char *arg)
{
    static const char *const names[] = {"Lax", "Strict", "None"};
    unsigned i;

    (void)dir;
    for (i = 0; i < 3; i++) {
        if (!ap_cstr_casecmp(names[i], arg)) {
            kc_server_conf_of(cmd->server)->cookie_samesite = names[i];
            return NULL;
        }
    }
    return wrong(cmd, "KC0123", "takes Lax, Strict or None");
}

static const char *set_session(cmd_parms *cmd, void *dir, const char *arg)
{
    static const word words[] = {{"signed", KC_SESSION_SIGNED},
                                 {"encrypted", KC_SESSION_ENCRYPTED},
                                 {"server", KC_SESSION_SERVER},
                                 {NULL, 0}};

    (void)dir;
    return find_word(words, arg, &kc_server_conf_of(cmd->server)->session)
               ? NULL
               : wrong(cmd, "KC0124", "takes signed, encrypted or server");
}

static const char *set_store(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *what = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    if (what) {
        return what;
    }
    what = kc_store_configure(cmd, arg);
    return what ? wrong(cmd, "KC0135", what) : NULL;
}

static const char *set_export(cmd_parms *cmd, void *dirv, const char *arg)
{
    static const word words[] = {{"env", KC_EXPORT_ENV},
                                 {"headers", KC_EXPORT_HEADERS},
                                 {"both", KC_EXPORT_ENV | KC_EXPORT_HEADERS},
                                 {"off", KC_EXPORT_OFF},
                                 {NULL, 0}};
    kc_dir_conf *dir = dirv;

    if (!find_word(words, arg, &dir->export)) {
        return wrong(cmd, "KC0126", "takes env, headers, both or off");
    }
    if (dir->export & KC_EXPORT_HEADERS) {
        /* A server that exports headers strips them from all its requests, which a file read that
         * late cannot ask for. */
        if (ap_check_cmd_context(cmd, NOT_IN_HTACCESS)) {
            return wrong(cmd, "KC0127",
                         "headers are for the server's configuration, not .htaccess");
        }
        kc_server_conf_of(cmd->server)->exports_headers = 1;
    }
    return NULL;
}

/* --- numbers and switches --------------------------------------------------------------------- */

static const char *set_seconds(cmd_parms *cmd, void *dir, const char *arg)
{
    int *field = (int *)(void *)((char *)kc_server_conf_of(cmd->server) + (size_t)cmd->info);
    char *end;
    apr_int64_t seconds = apr_strtoi64(arg, &end, 10);

    (void)dir;
    if (end == arg || *end || seconds < 1 || seconds > 10 * 365 * 86400) {
        return wrong(cmd, "KC0128", "takes a number of seconds, 1 at least");
    }
    *field = (int)seconds;
    return NULL;
}

static const char *set_max_calls(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *what = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    char *end;
    apr_int64_t calls = apr_strtoi64(arg, &end, 10);

    (void)dir;
    if (what) {
        return what;
    }
    if (end == arg || *end || calls < 1 || calls > 100000) {
        return wrong(cmd, "KC0125", "takes a number of calls, 1 at least");
    }
    kc_server_conf_of(cmd->server)->max_calls = (int)calls;
    return NULL;
}

static const char *set_revalidate(cmd_parms *cmd, void *dir, const char *arg, const char *strict)
{
    kc_server_conf *conf = kc_server_conf_of(cmd->server);
    char *end;
    apr_int64_t seconds = apr_strtoi64(arg, &end, 10);

    (void)dir;
    if (end == arg || *end || seconds < 0 || seconds > 365 * 86400 ||
        (strict && ap_cstr_casecmp(strict, "strict"))) {
        return wrong(cmd, "KC0136", "takes a number of seconds, 0 for never, and may be `strict`");
    }
    conf->revalidate = (int)seconds;
    conf->revalidate_strict = strict != NULL;
    return NULL;
}

static const char *set_insecure_http(cmd_parms *cmd, void *dir, int on)
{
    (void)dir;
    kc_server_conf_of(cmd->server)->insecure_http = on;
    return NULL;
}

/* --- scope, keys, roles ----------------------------------------------------------------------- */

static int is_scope(const char *text)
{
    for (; *text; text++) {
        if (*text < 0x20 || *text == '"' || *text == '\\' || *text == 0x7f) {
            return 0;
        }
    }
    return 1;
}

/* RAW_ARGS, so that the scopes may stand with or without quotes. */
static const char *set_scope(cmd_parms *cmd, void *dirv, const char *args)
{
    kc_dir_conf *dir = dirv;
    const char *scope = "", *one;
    int openid = 0;

    while (*(one = ap_getword_conf(cmd->pool, &args))) {
        if (!is_scope(one)) {
            return wrong(cmd, "KC0129",
                         "a scope holds no quotes, backslashes or control characters");
        }
        scope = *scope ? apr_pstrcat(cmd->pool, scope, " ", one, NULL) : one;
    }
    for (one = scope; *one; one += strspn(one, " ")) {
        apr_size_t len = strcspn(one, " ");

        openid |= len == 6 && !memcmp(one, "openid", 6);
        one += len;
    }
    if (!openid) {
        return wrong(cmd, "KC0130",
                     "openid must be among the scopes: without it there is no ID token");
    }
    if (cmd->path) {
        dir->scope = scope;
    } else {
        kc_server_conf_of(cmd->server)->scope = scope;
    }
    return NULL;
}

static const char *add_session_key(cmd_parms *cmd, void *dir, const char *arg)
{
    kc_server_conf *conf = kc_server_conf_of(cmd->server);
    const char *text = NULL;
    const char *what = kc_secret_load(cmd->pool, arg, &text);
    kc_secret *key;

    (void)dir;
    if (what) {
        return wrong(cmd, "KC0131", what);
    }
    if (strlen(text) < 32) {
        return wrong(cmd, "KC0132",
                     "a key has at least 32 characters; `openssl rand -base64 48` makes one");
    }
    if (conf->session_keys->nelts == 8) {
        return wrong(cmd, "KC0133", "at most 8 keys");
    }
    key = apr_array_push(conf->session_keys);
    key->bytes = (const unsigned char *)text;
    key->len = strlen(text);
    return NULL;
}

kc_role *kc_role_parse(apr_pool_t *pool, const char *text)
{
    kc_role *role = apr_pcalloc(pool, sizeof(*role));
    const char *colon = strchr(text, ':');

    role->name = text;
    if (colon && colon - text == 5 && !memcmp(text, "realm", 5)) {
        role->kind = KC_ROLE_REALM;
        role->name = colon + 1;
    } else if (colon && colon > text) {
        role->kind = KC_ROLE_CLIENT;
        role->client = apr_pstrmemdup(pool, text, (apr_size_t)(colon - text));
        role->client_len = (apr_size_t)(colon - text);
        role->name = colon + 1;
    }
    role->name_len = strlen(role->name);
    return role;
}

static const char *add_kept_role(cmd_parms *cmd, void *dir, const char *arg)
{
    kc_role *role = kc_role_parse(cmd->pool, arg);

    (void)dir;
    if (role->kind == KC_ROLE_CLIENT && !strcmp(role->client, "group")) {
        role->kind = KC_ROLE_GROUP;
    }
    if (!role->name_len) {
        return wrong(cmd, "KC0134",
                     "takes roles as Require kc-role does, group:NAME, or * for a name");
    }
    APR_ARRAY_PUSH(kc_server_conf_of(cmd->server)->kept_roles, kc_role *) = role;
    return NULL;
}

/* --- the table -------------------------------------------------------------------------------- */

#define FIELD(name)     ((void *)offsetof(kc_server_conf, name))
#define DIR_FIELD(name) ((void *)offsetof(kc_dir_conf, name))

const command_rec kc_directives[] = {
    AP_INIT_TAKE1("KCAuthDiscoveryURL", set_discovery_url, NULL, RSRC_CONF,
                  "the realm's URL, with or without /.well-known/openid-configuration"),
    AP_INIT_TAKE1("KCAuthClientID", set_client_id, NULL, RSRC_CONF, "the client id at Keycloak"),
    AP_INIT_TAKE1("KCAuthClientSecret", set_client_secret, NULL, RSRC_CONF,
                  "the client's secret: the value, file:PATH, env:NAME or exec:COMMAND"),
    AP_INIT_TAKE1("KCAuthKeycloakJSON", set_keycloak_json, NULL, RSRC_CONF,
                  "the keycloak.json that Keycloak's console offers, instead of the three above"),
    AP_INIT_TAKE1("KCAuthInternalURL", set_internal_url, NULL, RSRC_CONF,
                  "origin at which httpd reaches Keycloak, when it differs from the public one"),
    AP_INIT_TAKE1("KCAuthBaseURL", set_base_url, NULL, RSRC_CONF, "this site's public origin"),
    AP_INIT_TAKE1("KCAuthPath", set_path, NULL, RSRC_CONF, "where the endpoints lie: /oauth"),
    AP_INIT_RAW_ARGS("KCAuthScope", set_scope, NULL, RSRC_CONF | ACCESS_CONF | OR_AUTHCFG,
                     "scopes to ask for: openid profile email roles"),
    AP_INIT_TAKE1("KCAuthResponseMode", set_response_mode, NULL, RSRC_CONF, "query or form_post"),
    AP_INIT_TAKE1("KCAuthPostLogoutURL", set_post_logout_url, NULL, RSRC_CONF,
                  "where logout ends: a path here, or a URL"),
    AP_INIT_TAKE1("KCAuthCAFile", set_ca_file, FIELD(ca_file), RSRC_CONF,
                  "PEM file of the authorities that Keycloak's certificate is checked with"),
    AP_INIT_TAKE1("KCAuthTimeout", set_seconds, FIELD(timeout), RSRC_CONF,
                  "seconds that a whole login's talk with Keycloak may take: 10"),
    AP_INIT_TAKE1("KCAuthConnectTimeout", set_seconds, FIELD(connect_timeout), RSRC_CONF,
                  "seconds for one connect: 2"),
    AP_INIT_TAKE1("KCAuthMaxCalls", set_max_calls, NULL, RSRC_CONF,
                  "requests that may wait for Keycloak at once: a quarter of the workers"),
    AP_INIT_FLAG("KCAuthInsecureHTTP", set_insecure_http, NULL, RSRC_CONF,
                 "whether plain http to hosts other than loopback is allowed: off"),
    AP_INIT_TAKE1("KCAuthSession", set_session, NULL, RSRC_CONF,
                  "how sessions are kept: signed, encrypted or server"),
    AP_INIT_TAKE1("KCAuthSessionStore", set_store, NULL, RSRC_CONF,
                  "where the server keeps them, as in SSLSessionCache: shmcb"),
    AP_INIT_ITERATE("KCAuthSessionKey", add_session_key, NULL, RSRC_CONF,
                    "secrets of at least 32 characters: the first seals, all open"),
    AP_INIT_TAKE1("KCAuthSessionIdle", set_seconds, FIELD(session_idle), RSRC_CONF,
                  "seconds without a request after which a session is over: 1800"),
    AP_INIT_TAKE1("KCAuthSessionMax", set_seconds, FIELD(session_max), RSRC_CONF,
                  "seconds after login at which a session is over: 36000"),
    AP_INIT_TAKE12("KCAuthRevalidate", set_revalidate, NULL, RSRC_CONF,
                   "seconds after which roles are asked for again: 300; strict ends sessions when "
                   "Keycloak does not answer"),
    AP_INIT_TAKE1("KCAuthCookieName", set_cookie_name, NULL, RSRC_CONF,
                  "the cookies' name: kcauth"),
    AP_INIT_TAKE1("KCAuthCookieSameSite", set_samesite, NULL, RSRC_CONF, "Lax, Strict or None"),
    AP_INIT_ITERATE("KCAuthKeepRoles", add_kept_role, NULL, RSRC_CONF,
                    "roles to keep besides the client's own, as in Require kc-role; realm:*"),
    AP_INIT_TAKE1("KCAuthUserClaim", set_user_claim, NULL, RSRC_CONF,
                  "the claim that becomes REMOTE_USER: preferred_username"),
    AP_INIT_TAKE1("KCAuthUserInfo", set_userinfo, NULL, RSRC_CONF, "auto, on or off"),
    AP_INIT_TAKE1("KCAuthStateDir", set_file, FIELD(state_dir), RSRC_CONF,
                  "folder for what must survive a restart: kcauth below ServerRoot"),
    AP_INIT_TAKE1("KCAuthExport", set_export, NULL, RSRC_CONF | ACCESS_CONF | OR_AUTHCFG,
                  "how the application learns who it is: env, headers, both or off"),
    AP_INIT_FLAG("KCAuthPassCookie", ap_set_flag_slot, DIR_FIELD(pass_cookie),
                 RSRC_CONF | ACCESS_CONF | OR_AUTHCFG,
                 "whether a backend behind mod_proxy sees our cookies: off"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};
