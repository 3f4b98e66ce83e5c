/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The userinfo endpoint (OpenID Connect Core 1.0 section 5.3, RFC 6750 section 2.1). */

#include <string.h>

#include <apr_strings.h>

#include "oidc/internal.h"

static apr_status_t check_status(int status, kc_error *err)
{
    if (status == 200) {
        return APR_SUCCESS;
    }
    if (status == 401 || status == 403) {
        kc_fail(err, KC_FAULT_PROVIDER, "KC0451",
                "the userinfo endpoint refused the access token (%d), as Keycloak does with "
                "lightweight tokens: switch these off for the client, or set KCAuthUserInfo off",
                status);
        return APR_EACCES;
    }
    if (status >= 500) {
        return kc_fail(err, KC_FAULT_AWAY, "KC0452", "the userinfo endpoint answered %d", status);
    }
    return kc_fail(err, KC_FAULT_PROVIDER, "KC0453", "the userinfo endpoint answered %d", status);
}

/* A signed answer says for whom it is, where it says anything (section 5.3.2). */
static apr_status_t check_signed(const json_t *claims, const kc_userinfo_rules *rules,
                                 kc_error *err)
{
    const json_t *aud = json_object_get(claims, "aud");

    if (json_object_get(claims, "iss") && !kc_claims_equal(claims, "iss", rules->issuer)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0454",
                       "the signed userinfo answer is of another issuer than %.150s",
                       rules->issuer);
    }
    if (aud && !kc_json_holds(aud, rules->client_id)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0455",
                       "the signed userinfo answer is not for this client: its aud does not hold "
                       "%.100s",
                       rules->client_id);
    }
    if (json_object_get(claims, "exp") && !kc_claims_live(claims, rules->now)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0456", "the signed userinfo answer is expired");
    }
    return APR_SUCCESS;
}

static apr_status_t read_claims(json_t **out, const kc_http_response *response,
                                const kc_userinfo_rules *rules, kc_verifier *verifier,
                                apr_pool_t *pool, kc_error *err)
{
    const char *why;

    if (strcmp(response->type, "application/jwt") == 0) {
        kc_jwt *jwt;
        apr_status_t rv = kc_verifier_jwt(&jwt, response->body, verifier, pool, err);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        *out = jwt->claims;
        return check_signed(*out, rules, err);
    }
    if (strcmp(response->type, "application/json") != 0) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0457",
                       "the userinfo endpoint answered with type %.64s, neither application/json "
                       "nor application/jwt",
                       response->type);
    }
    if (kc_json_parse(out, response->body, response->len, pool, &why) != APR_SUCCESS) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0458",
                       "the answer of the userinfo endpoint is no JSON object (%.100s)", why);
    }
    return APR_SUCCESS;
}

apr_status_t kc_userinfo_answer(const json_t **out, const kc_http_response *response,
                                const kc_userinfo_rules *rules, kc_verifier *verifier,
                                apr_pool_t *pool, kc_error *err)
{
    apr_status_t rv = check_status(response->status, err);
    json_t *claims = NULL;

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (read_claims(&claims, response, rules, verifier, pool, err) != APR_SUCCESS) {
        return APR_EGENERAL;
    }
    /* Section 5.3.4: or somebody else's claims could be put under this login. */
    if (!kc_claims_equal(claims, "sub", rules->sub)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0459",
                       "the userinfo endpoint told of another person than the ID token (sub)");
    }
    *out = claims;
    return APR_SUCCESS;
}

apr_status_t kc_userinfo_fetch(const json_t **out, const char *access_token,
                               const kc_userinfo_rules *rules, kc_verifier *verifier,
                               apr_pool_t *pool, kc_error *err)
{
    kc_http_request request = {
        .url = verifier->view->metadata->userinfo_endpoint,
        .accept = "application/json, application/jwt",
        .authorization = apr_pstrcat(pool, "Bearer ", access_token, NULL),
        .deadline = verifier->deadline,
    };
    kc_http_response response;
    apr_status_t rv =
        kc_http_call(kc_provider_http(verifier->provider), &request, &response, pool, err);

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return APR_EGENERAL;
    }
    return kc_userinfo_answer(out, &response, rules, verifier, pool, err);
}
