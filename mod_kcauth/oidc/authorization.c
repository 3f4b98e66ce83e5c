/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The authorization request and its response (RFC 6749 section 4.1, RFC 7636, RFC 9207). */

#include <string.h>

#include <openssl/sha.h>

#include "oidc/internal.h"

char *kc_pkce_challenge(apr_pool_t *pool, const char *verifier)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    if (!SHA256((const unsigned char *)verifier, strlen(verifier), digest)) {
        return NULL;
    }
    return kc_base64url_string(pool, digest, sizeof(digest));
}

char *kc_authorization_url(const kc_metadata *metadata, const kc_client *client,
                           const kc_authorization_request *request, apr_pool_t *pool)
{
    char *challenge = kc_pkce_challenge(pool, request->code_verifier);
    kc_form form;

    if (!challenge) {
        return NULL;
    }
    kc_form_init(&form, pool);
    kc_form_add(&form, "response_type", "code");
    kc_form_add(&form, "client_id", client->id);
    kc_form_add(&form, "redirect_uri", client->redirect_uri);
    kc_form_add(&form, "scope", request->scope);
    kc_form_add(&form, "state", request->state);
    kc_form_add(&form, "nonce", request->nonce);
    kc_form_add(&form, "code_challenge", challenge);
    kc_form_add(&form, "code_challenge_method", "S256");
    kc_form_add(&form, "response_mode", request->response_mode);
    kc_form_add(&form, "prompt", request->prompt);
    return kc_form_url(&form, metadata->authorization_endpoint);
}

static const char *parameter(const apr_table_t *parameters, const char *name)
{
    const char *value = apr_table_get(parameters, name);

    return value && *value ? value : NULL;
}

void kc_authorization_response_read(kc_authorization_response *out, const apr_table_t *parameters)
{
    out->code = parameter(parameters, "code");
    out->state = parameter(parameters, "state");
    out->iss = parameter(parameters, "iss");
    out->error = parameter(parameters, "error");
    out->error_description = parameter(parameters, "error_description");
}

/* One id for all errors that say: not without a page (OpenID Connect Core 3.1.2.6). */
static const char needs_page[] = "KC0524";

/* What an error response means for us, and what would help. */
static const struct error_meaning {
    const char *error;
    kc_fault fault;
    const char *id;
    const char *meaning;
} error_meanings[] = {
    {"access_denied", KC_FAULT_REFUSED, "KC0523", "the person or the provider said no"},
    {"interaction_required", KC_FAULT_REFUSED, needs_page, "the person has to act at the provider"},
    {"login_required", KC_FAULT_REFUSED, needs_page, "the person has to log in at the provider"},
    {"consent_required", KC_FAULT_REFUSED, needs_page, "the person has to consent at the provider"},
    {"account_selection_required", KC_FAULT_REFUSED, needs_page,
     "the person has to choose an account at the provider"},
    {"temporarily_unavailable", KC_FAULT_AWAY, "KC0525", "the provider is busy"},
    {"server_error", KC_FAULT_PROVIDER, "KC0526", "the provider failed: see its own log"},
    {"invalid_scope", KC_FAULT_PROVIDER, "KC0527",
     "KCAuthScope may only name scopes that the client has at the provider"},
    {"unauthorized_client", KC_FAULT_PROVIDER, "KC0528",
     "the client needs the standard flow (authorization code) enabled at the provider"},
    {"invalid_request", KC_FAULT_PROVIDER, "KC0529",
     "the client's settings at the provider ask for something that we do not send"},
    {NULL, KC_FAULT_PROVIDER, "KC0530", "an error that we do not know"},
};

static apr_status_t fail_as_told(const kc_authorization_response *response, kc_error *err)
{
    const struct error_meaning *meaning = error_meanings;

    while (meaning->error && strcmp(meaning->error, response->error) != 0) {
        meaning++;
    }
    return kc_fail(err, meaning->fault, meaning->id,
                   "the authorization endpoint answered %.64s (%.200s): %s", response->error,
                   response->error_description ? response->error_description : "no description",
                   meaning->meaning);
}

apr_status_t kc_authorization_response_check(const kc_authorization_response *response,
                                             const kc_metadata *metadata, kc_error *err)
{
    /* Before anything else is believed, errors too: RFC 9207 section 2.4. */
    if (response->iss && strcmp(response->iss, metadata->issuer) != 0) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0521",
                       "the authorization response is of issuer %.150s, not of %.150s",
                       response->iss, metadata->issuer);
    }
    if (!response->iss && metadata->iss_parameter) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0522",
                       "the authorization response lacks iss, which the provider's metadata "
                       "promises: in Keycloak, leave \"Exclude Issuer From Authentication "
                       "Response\" of the client off");
    }
    if (response->error) {
        return fail_as_told(response, err);
    }
    if (!response->code) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0531",
                       "the authorization response holds neither code nor error");
    }
    return APR_SUCCESS;
}

int kc_authorization_response_is_stale(const kc_authorization_response *response)
{
    if (!response->error) {
        return 0;
    }
    if (strcmp(response->error, "temporarily_unavailable") == 0) {
        return response->error_description &&
               strcmp(response->error_description, "authentication_expired") == 0;
    }
    return strcmp(response->error, "login_required") == 0;
}
