/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* From the code to a known person: each answer is verified before the next step looks at it. */

#include "oidc/internal.h"

/* One login under way. */
typedef struct finishing {
    const kc_client *client;
    const kc_login *login;
    kc_verifier verifier;
    const kc_tokens *tokens;
    kc_sources sources;
    apr_pool_t *pool;
    kc_error *err;
} finishing;

static apr_status_t read_id_token(finishing *in)
{
    const kc_id_token_rules rules = {
        .issuer = in->verifier.view->metadata->issuer,
        .client_id = in->client->id,
        .nonce = in->login->nonce,
        .access_token = in->tokens->access_token,
        .now = apr_time_now(),
    };
    kc_jwt *jwt;
    apr_status_t rv = kc_verifier_jwt(&jwt, in->tokens->id_token, &in->verifier, in->pool, in->err);

    if (rv == APR_SUCCESS) {
        rv = kc_id_token_check(jwt, &rules, in->err);
    }
    if (rv == APR_SUCCESS) {
        in->sources.id_token = jwt->claims;
    }
    return rv;
}

static apr_status_t read_access_token(finishing *in)
{
    const kc_id_token_rules rules = {
        .issuer = in->verifier.view->metadata->issuer,
        .client_id = in->client->id,
        .now = apr_time_now(),
    };
    kc_jwt *jwt;
    apr_status_t rv;

    if (!kc_jwt_is_compact(in->tokens->access_token)) {
        return APR_SUCCESS; /* opaque to us, as RFC 6749 section 1.4 has it */
    }
    rv = kc_verifier_jwt(&jwt, in->tokens->access_token, &in->verifier, in->pool, in->err);
    if (rv == APR_SUCCESS) {
        rv = kc_access_token_check(jwt, &rules, kc_json_string(in->sources.id_token, "sub"),
                                   in->err);
    }
    if (rv == APR_SUCCESS) {
        in->sources.access_token = jwt->claims;
    }
    return rv;
}

static int wants_userinfo(const finishing *in)
{
    switch (in->login->userinfo) {
    case KC_USERINFO_ON:
        return 1;
    case KC_USERINFO_OFF:
        return 0;
    default:
        return in->verifier.view->metadata->userinfo_endpoint &&
               kc_identity_lacks(&in->sources, in->login->user_claim, in->pool);
    }
}

static apr_status_t read_userinfo(finishing *in)
{
    const kc_userinfo_rules rules = {
        .issuer = in->verifier.view->metadata->issuer,
        .client_id = in->client->id,
        .sub = kc_json_string(in->sources.id_token, "sub"),
        .now = apr_time_now(),
    };
    apr_status_t rv;

    if (!wants_userinfo(in)) {
        return APR_SUCCESS;
    }
    if (!in->verifier.view->metadata->userinfo_endpoint) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0460",
                       "KCAuthUserInfo is on, but the provider has no userinfo endpoint");
    }
    rv = kc_userinfo_fetch(&in->sources.userinfo, in->tokens->access_token, &rules, &in->verifier,
                           in->pool, in->err);
    /* Keycloak's lightweight tokens are no good there, so AUTO takes a refusal for an answer. An
     * outage is none: the person would lack roles for as long as the session lasts. */
    if (in->login->userinfo == KC_USERINFO_AUTO && rv == APR_EACCES) {
        return APR_SUCCESS;
    }
    return rv;
}

apr_status_t kc_login_finish(kc_identity **out, kc_tokens **tokens, kc_provider *provider,
                             kc_provider_view *view, const kc_client *client, const kc_login *login,
                             apr_pool_t *pool, kc_error *err)
{
    kc_tokens *received;
    finishing in = {
        .client = client,
        .login = login,
        .verifier = {provider, view, login->deadline, 0},
        .pool = pool,
        .err = err,
    };
    apr_status_t rv;

    rv = kc_token_exchange(&received, kc_provider_http(provider), view->metadata, client,
                           login->code, login->code_verifier, login->deadline, pool, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    in.tokens = received;
    if ((rv = read_id_token(&in)) != APR_SUCCESS || (rv = read_access_token(&in)) != APR_SUCCESS ||
        (rv = read_userinfo(&in)) != APR_SUCCESS) {
        return rv;
    }
    *out = kc_identity_make(&in.sources, login->user_claim, pool);
    *tokens = received;
    return APR_SUCCESS;
}
