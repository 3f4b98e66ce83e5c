/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * From a code or a refresh token to a known person: each answer is verified before the next step
 * looks at it.
 */

#include "oidc/internal.h"

/* A person being read from what the token endpoint gave. */
typedef struct reading {
    const kc_client *client;
    const char *nonce; /* of a login; a renewal has none */
    const char *sub;   /* of a renewal: who it was; a login does not know */
    const char *user_claim;
    kc_userinfo_when userinfo;
    kc_verifier verifier;
    const kc_tokens *tokens;
    kc_sources sources;
    apr_pool_t *pool;
    kc_error *err;
} reading;

static apr_status_t read_id_token(reading *in)
{
    const kc_id_token_rules rules = {
        .issuer = in->verifier.view->metadata->issuer,
        .client_id = in->client->id,
        .nonce = in->nonce,
        .access_token = in->tokens->access_token,
        .now = apr_time_now(),
    };
    kc_jwt *jwt;
    apr_status_t rv = kc_verifier_jwt(&jwt, in->tokens->id_token, &in->verifier, in->pool, in->err);

    if (rv == APR_SUCCESS) {
        rv = kc_id_token_check(jwt, &rules, in->err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* Core section 12.2: a renewal must not turn one person into another. */
    if (in->sub && !kc_claims_equal(jwt->claims, "sub", in->sub)) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0621",
                       "the renewed ID token is of another person than the session (sub)");
    }
    in->sources.id_token = jwt->claims;
    return APR_SUCCESS;
}

static apr_status_t read_access_token(reading *in)
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

static int wants_userinfo(const reading *in)
{
    switch (in->userinfo) {
    case KC_USERINFO_ON:
        return 1;
    case KC_USERINFO_OFF:
        return 0;
    default:
        return in->verifier.view->metadata->userinfo_endpoint &&
               kc_identity_lacks(&in->sources, in->user_claim, in->pool);
    }
}

static apr_status_t read_userinfo(reading *in)
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
    if (in->userinfo == KC_USERINFO_AUTO && rv == APR_EACCES) {
        return APR_SUCCESS;
    }
    return rv;
}

static apr_status_t ask_person(kc_identity **out, kc_tokens **tokens, const kc_grant *grant,
                               reading *in)
{
    const kc_verifier *verifier = &in->verifier;
    kc_tokens *received;
    apr_status_t rv =
        kc_token_call(&received, kc_provider_http(verifier->provider), verifier->view->metadata,
                      in->client, grant, verifier->deadline, in->pool, in->err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    in->tokens = received;
    if ((rv = read_id_token(in)) != APR_SUCCESS || (rv = read_access_token(in)) != APR_SUCCESS ||
        (rv = read_userinfo(in)) != APR_SUCCESS) {
        return rv;
    }
    *out = kc_identity_make(&in->sources, in->user_claim, in->pool);
    *tokens = received;
    return APR_SUCCESS;
}

static apr_status_t read_person(kc_identity **out, kc_tokens **tokens, const kc_grant *grant,
                                reading *in)
{
    apr_status_t rv = kc_provider_enter(in->verifier.provider, in->err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = ask_person(out, tokens, grant, in);
    kc_provider_leave(in->verifier.provider);
    return rv;
}

apr_status_t kc_login_finish(kc_identity **out, kc_tokens **tokens, kc_provider *provider,
                             kc_provider_view *view, const kc_client *client, const kc_login *login,
                             apr_pool_t *pool, kc_error *err)
{
    const kc_grant grant = {
        .code = login->code,
        .code_verifier = login->code_verifier,
        .client_session_state = login->client_session_state,
    };
    reading in = {
        .client = client,
        .nonce = login->nonce,
        .user_claim = login->user_claim,
        .userinfo = login->userinfo,
        .verifier = {.provider = provider, .view = view, .deadline = login->deadline},
        .pool = pool,
        .err = err,
    };

    return read_person(out, tokens, &grant, &in);
}

apr_status_t kc_login_renew(kc_identity **out, kc_tokens **tokens, kc_provider *provider,
                            kc_provider_view *view, const kc_client *client,
                            const kc_renewal *renewal, apr_pool_t *pool, kc_error *err)
{
    const kc_grant grant = {
        .refresh_token = renewal->refresh_token,
        .client_session_state = renewal->client_session_state,
    };
    reading in = {
        .client = client,
        .sub = renewal->sub,
        .user_claim = renewal->user_claim,
        .userinfo = renewal->userinfo,
        .verifier = {.provider = provider, .view = view, .deadline = renewal->deadline},
        .pool = pool,
        .err = err,
    };

    return read_person(out, tokens, &grant, &in);
}
