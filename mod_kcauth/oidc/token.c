/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The token endpoint: tokens for a code or a refresh token (RFC 6749 sections 4.1.3, 5 and 6). */

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "oidc/internal.h"

apr_status_t kc_token_request(kc_http_request *out, const kc_metadata *metadata,
                              const kc_client *client, const kc_grant *grant, apr_pool_t *pool,
                              kc_error *err)
{
    kc_form form;

    kc_form_init(&form, pool);
    if (grant->refresh_token) {
        kc_form_add(&form, "grant_type", "refresh_token");
        kc_form_add(&form, "refresh_token", grant->refresh_token);
    } else {
        kc_form_add(&form, "grant_type", "authorization_code");
        kc_form_add(&form, "code", grant->code);
        kc_form_add(&form, "redirect_uri", client->redirect_uri);
        kc_form_add(&form, "code_verifier", grant->code_verifier);
    }
    kc_form_add(&form, "client_session_state", grant->client_session_state);
    return kc_client_request(out, metadata->token_endpoint, &form, metadata, client, err);
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

/* A refresh token works for as long as the session that it belongs to. */
static const struct error_meaning session_ended = {
    "invalid_grant", KC_FAULT_REFUSED, "KC0620",
    "the provider has ended the session, or its tokens are too old; the person logs in again"};

static apr_status_t fail_as_told(const kc_http_response *response, const kc_grant *grant,
                                 apr_pool_t *pool, kc_error *err)
{
    const struct error_meaning *meaning = error_meanings;
    kc_refusal told;

    kc_client_refusal(&told, response, pool);
    while (meaning->error && (!told.error || strcmp(meaning->error, told.error) != 0)) {
        meaning++;
    }
    if (meaning == error_meanings && grant->refresh_token) {
        meaning = &session_ended;
    }
    return kc_fail(err, meaning->fault, meaning->id,
                   "the token endpoint answered %d %.64s (%.160s): %s", response->status,
                   told.error ? told.error : "without an error code",
                   told.description ? told.description : "no description", meaning->meaning);
}

static apr_status_t check_status(const kc_http_response *response, const kc_grant *grant,
                                 apr_pool_t *pool, kc_error *err)
{
    int status = response->status;

    if (status == 200) {
        return APR_SUCCESS;
    }
    if (status >= 500) {
        return kc_fail(err, KC_FAULT_AWAY, "KC0606", "the token endpoint answered %d", status);
    }
    if (status >= 400) {
        return fail_as_told(response, grant, pool, err);
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

apr_status_t kc_token_answer(kc_tokens **out, const kc_http_response *response,
                             const kc_grant *grant, apr_pool_t *pool, kc_error *err)
{
    kc_tokens *tokens = apr_pcalloc(pool, sizeof(*tokens));
    apr_status_t rv = check_status(response, grant, pool, err);
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
    if (!tokens->refresh_token) {
        tokens->refresh_token = apr_pstrdup(pool, grant->refresh_token); /* it stays in use */
    }
    *out = tokens;
    return APR_SUCCESS;
}

apr_status_t kc_token_call(kc_tokens **out, kc_http *http, const kc_metadata *metadata,
                           const kc_client *client, const kc_grant *grant, apr_time_t deadline,
                           apr_pool_t *pool, kc_error *err)
{
    kc_http_request request;
    kc_http_response response;
    apr_status_t rv = kc_token_request(&request, metadata, client, grant, pool, err);

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    request.deadline = deadline;
    rv = kc_http_call(http, &request, &response, pool, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return kc_token_answer(out, &response, grant, pool, err);
}
