/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Where secrets come from: the directive itself, a file, the environment, a command, or
 * keycloak.json. */

#include <apr_env.h>
#include <apr_file_io.h>
#include <apr_strings.h>

#include "httpd/config.h"
#include "httpd/secret.h"

enum { FILE_MAX = 64 * 1024 };

/* The whole file, NUL-terminated. NULL when it cannot be had, and what is wrong. */
static char *read_file(apr_pool_t *pool, const char *path, apr_size_t *len, const char **wrong)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_status_t rv;
    char why[120], *text;

    path = ap_server_root_relative(pool, path);
    if (!path) {
        *wrong = "the file's path is not valid";
        return NULL;
    }
    rv = apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BINARY, APR_OS_DEFAULT, pool);
    if (rv != APR_SUCCESS) {
        *wrong = apr_psprintf(pool, "cannot read %s: %s; it must be readable when httpd starts",
                              path, apr_strerror(rv, why, sizeof(why)));
        return NULL;
    }
    rv = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE, file);
    if (rv != APR_SUCCESS || info.filetype != APR_REG || info.size > FILE_MAX) {
        apr_file_close(file);
        *wrong = apr_psprintf(pool, "%s is no file of at most 64 KiB", path);
        return NULL;
    }
    text = apr_palloc(pool, (apr_size_t)info.size + 1);
    rv = apr_file_read_full(file, text, (apr_size_t)info.size, len);
    apr_file_close(file);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv)) {
        *wrong = apr_psprintf(pool, "cannot read %s: %s", path, apr_strerror(rv, why, sizeof(why)));
        return NULL;
    }
    text[*len] = '\0';
    return text;
}

static const char *from_file(apr_pool_t *pool, const char *path, const char **secret)
{
    apr_size_t len;
    const char *wrong;
    char *text = read_file(pool, path, &len, &wrong);

    if (!text) {
        return wrong;
    }
    if (memchr(text, '\0', len)) {
        return apr_psprintf(pool, "%s holds a NUL byte; secrets are text", path);
    }
    if (len && text[len - 1] == '\n') {
        text[--len] = '\0';
    }
    if (len && text[len - 1] == '\r') {
        text[--len] = '\0';
    }
    *secret = text;
    return len ? NULL : apr_psprintf(pool, "%s is empty", path);
}

static const char *from_environment(apr_pool_t *pool, const char *name, const char **secret)
{
    char *value = NULL;

    if (apr_env_get(&value, name, pool) != APR_SUCCESS || !*value) {
        return apr_psprintf(pool, "the environment variable %s is not set for httpd", name);
    }
    *secret = value;
    return NULL;
}

static const char *from_command(apr_pool_t *pool, const char *command, const char **secret)
{
    char **argv;
    char *line;

    if (apr_tokenize_to_argv(command, &argv, pool) != APR_SUCCESS || !argv[0]) {
        return "exec: names no command";
    }
    line = ap_get_exec_line(pool, argv[0], (const char *const *)argv);
    if (!line || !*line) {
        return apr_psprintf(pool, "the command %s printed nothing, or could not be run", argv[0]);
    }
    *secret = line;
    return NULL;
}

const char *kc_secret_load(apr_pool_t *pool, const char *spec, const char **secret)
{
    if (!strncmp(spec, "file:", 5)) {
        return from_file(pool, spec + 5, secret);
    }
    if (!strncmp(spec, "env:", 4)) {
        return from_environment(pool, spec + 4, secret);
    }
    if (!strncmp(spec, "exec:", 5)) {
        return from_command(pool, spec + 5, secret);
    }
    *secret = spec;
    return *spec ? NULL : "an empty value";
}

const char *kc_keycloak_json_load(apr_pool_t *pool, const char *path, kc_server_conf *conf)
{
    apr_size_t len;
    json_t *json;
    const char *wrong, *why = NULL, *realm, *server, *secret;
    char *text = read_file(pool, path, &len, &wrong);

    if (!text) {
        return wrong;
    }
    if (kc_json_parse(&json, text, len, pool, &why) != APR_SUCCESS) {
        return apr_psprintf(pool, "%s is not valid JSON: %s", path, why);
    }
    realm = kc_json_string(json, "realm");
    server = kc_json_string(json, "auth-server-url");
    conf->client_id = kc_json_string(json, "resource");
    if (!realm || !server || !conf->client_id) {
        return apr_psprintf(pool,
                            "%s lacks realm, auth-server-url or resource; take the file from the "
                            "client's action \"Download adapter config\" in Keycloak's console",
                            path);
    }
    secret = kc_json_string(json_object_get(json, "credentials"), "secret");
    if (!secret && !json_is_true(json_object_get(json, "public-client"))) {
        return apr_psprintf(pool, "%s holds no credentials.secret and is not a public client's",
                            path);
    }
    len = strlen(server);
    conf->client_secret = secret;
    conf->issuer =
        apr_psprintf(pool, "%s%srealms/%s", server, len && server[len - 1] == '/' ? "" : "/",
                     kc_url_encode(pool, realm));
    conf->discovery_url =
        apr_pstrcat(pool, conf->issuer, "/.well-known/openid-configuration", NULL);
    return NULL;
}
