/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The token endpoint: a code becomes tokens (RFC 6749 sections 2.3.1, 4.1.3, 5.1 and 5.2). */

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>
#include <openssl/evp.h>

#include "oidc/internal.h"

/* RFC 6749 section 2.3.1: both are form-encoded before RFC 7617 puts them together. */
static const char *basic_credentials(const kc_client *client, apr_pool_t *pool)
{
    char *plain = apr_pstrcat(pool, kc_form_encode(pool, client->id), ":",
                              kc_form_encode(pool, client->secret), NULL);
    apr_size_t len = strlen(plain);
    char *encoded = apr_palloc(pool, (len + 2) / 3 * 4 + 1);

    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)plain, (int)len);
    return apr_pstrcat(pool, "Basic ", encoded, NULL);
}

apr_status_t kc_token_request(kc_http_request *out, const kc_metadata *metadata,
                              const kc_client *client, const char *code, const char *code_verifier,
                              apr_pool_t *pool, kc_error *err)
{
    int basic = client->secret && metadata->auth_basic;
    kc_form form;

    if (client->secret && !metadata->auth_basic && !metadata->auth_post) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0601",
                       "the provider takes neither client_secret_basic nor client_secret_post: "
                       "its metadata must list one for a client with a secret");
    }
    kc_form_init(&form, pool);
    kc_form_add(&form, "grant_type", "authorization_code");
    kc_form_add(&form, "code", code);
    kc_form_add(&form, "redirect_uri", client->redirect_uri);
    kc_form_add(&form, "code_verifier", code_verifier);
    if (!basic) {
        kc_form_add(&form, "client_id", client->id);
        kc_form_add(&form, "client_secret", client->secret);
    }
    memset(out, 0, sizeof(*out));
    out->url = metadata->token_endpoint;
    out->body = kc_form_string(&form);
    out->authorization = basic ? basic_credentials(client, pool) : NULL;
    return APR_SUCCESS;
}

/* What an error of RFC 6749 section 5.2 means for us, and what would help. */
static const struct error_meaning {
    const char *error;
    kc_fault fault;
    const char *id;
    const char *meaning;
} error_meanings[] = {
    {"invalid_grant", KC_FAULT_REQUEST, "KC0602",
     "the code is used, too old, or of another client or callback; a new login gets a new one"},
    {"invalid_client", KC_FAULT_PROVIDER, "KC0603", "check KCAuthClientID and KCAuthClientSecret"},
    /* Keycloak's word for a wrong secret. */
    {"unauthorized_client", KC_FAULT_PROVIDER, "KC0604",
     "check KCAuthClientSecret, and that the client has the standard flow enabled"},
    {NULL, KC_FAULT_PROVIDER, "KC0605", "see the provider's log"},
};

static apr_status_t fail_as_told(const kc_http_response *response, apr_pool_t *pool, kc_error *err)
{
    const struct error_meaning *meaning = error_meanings;
    const char *error = NULL, *description = NULL;
    json_t *answer;

    if (kc_json_parse(&answer, response->body, response->len, pool, NULL) == APR_SUCCESS) {
        error = kc_json_string(answer, "error");
        description = kc_json_string(answer, "error_description");
    }
    while (meaning->error && (!error || strcmp(meaning->error, error) != 0)) {
        meaning++;
    }
    return kc_fail(err, meaning->fault, meaning->id,
                   "the token endpoint answered %d %.64s (%.160s): %s", response->status,
                   error ? error : "without an error code",
                   description ? description : "no description", meaning->meaning);
}

static apr_status_t check_status(const kc_http_response *response, apr_pool_t *pool, kc_error *err)
{
    int status = response->status;

    if (status == 200) {
        return APR_SUCCESS;
    }
    if (status >= 500) {
        return kc_fail(err, KC_FAULT_AWAY, "KC0606", "the token endpoint answered %d", status);
    }
    if (status >= 400) {
        return fail_as_told(response, pool, err);
    }
    return kc_fail(err, KC_FAULT_PROVIDER, "KC0607",
                   "the token endpoint answered %d, which is neither tokens nor an error", status);
}

/* Tokens travel on in headers and forms, so only visible characters will do (RFC 6749 A.12). */
static int is_visible(const char *token)
{
    while (*token > 0x20 && *token < 0x7f) {
        token++;
    }
    return *token == '\0';
}

static apr_status_t read_token(const char **out, const json_t *answer, const char *name,
                               int required, kc_error *err)
{
    if (kc_member_string(out, answer, name) != APR_SUCCESS || (*out && !is_visible(*out))) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0609",
                       "%s in the answer of the token endpoint is no token", name);
    }
    if (!*out && required) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0610",
                       "the answer of the token endpoint has no %s%s", name,
                       strcmp(name, "id_token") == 0 ? ": KCAuthScope must hold openid" : "");
    }
    return APR_SUCCESS;
}

static apr_status_t read_tokens(kc_tokens *tokens, const json_t *answer, kc_error *err)
{
    const char *type;
    apr_status_t rv;

    if ((rv = read_token(&tokens->access_token, answer, "access_token", 1, err)) != APR_SUCCESS ||
        (rv = read_token(&tokens->id_token, answer, "id_token", 1, err)) != APR_SUCCESS ||
        (rv = read_token(&tokens->refresh_token, answer, "refresh_token", 0, err)) != APR_SUCCESS) {
        return rv;
    }
    type = kc_json_string(answer, "token_type");
    if (!type || apr_cstr_casecmp(type, "Bearer") != 0) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0611",
                       "the token endpoint gave a token of type %.32s, not Bearer",
                       type ? type : "unknown");
    }
    return APR_SUCCESS;
}

static apr_status_t read_times(kc_tokens *tokens, const json_t *answer, kc_error *err)
{
    if (kc_member_count(&tokens->expires_in, answer, "expires_in") != APR_SUCCESS ||
        kc_member_count(&tokens->refresh_expires_in, answer, "refresh_expires_in") != APR_SUCCESS ||
        kc_member_count(&tokens->not_before, answer, "not-before-policy") != APR_SUCCESS) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0612",
                       "expires_in, refresh_expires_in or not-before-policy in the answer of the "
                       "token endpoint is no number of seconds");
    }
    return APR_SUCCESS;
}

apr_status_t kc_token_answer(kc_tokens **out, const kc_http_response *response, apr_pool_t *pool,
                             kc_error *err)
{
    kc_tokens *tokens = apr_pcalloc(pool, sizeof(*tokens));
    apr_status_t rv = check_status(response, pool, err);
    json_t *answer;
    const char *why;

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (kc_json_parse(&answer, response->body, response->len, pool, &why) != APR_SUCCESS) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0608",
                       "the answer of the token endpoint is no JSON object (%.100s)", why);
    }
    if ((rv = read_tokens(tokens, answer, err)) != APR_SUCCESS ||
        (rv = read_times(tokens, answer, err)) != APR_SUCCESS) {
        return rv;
    }
    *out = tokens;
    return APR_SUCCESS;
}

apr_status_t kc_token_exchange(kc_tokens **out, kc_http *http, const kc_metadata *metadata,
                               const kc_client *client, const char *code, const char *code_verifier,
                               apr_time_t deadline, apr_pool_t *pool, kc_error *err)
{
    kc_http_request request;
    kc_http_response response;
    apr_status_t rv = kc_token_request(&request, metadata, client, code, code_verifier, pool, err);

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    request.deadline = deadline;
    rv = kc_http_call(http, &request, &response, pool, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return kc_token_answer(out, &response, pool, err);
}
