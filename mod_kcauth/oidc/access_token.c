/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Rules of Keycloak's access token, which is read for roles. It is meant for other services, so its
 * `aud` does not name us; `azp` does.
 */

#include "oidc/internal.h"

static apr_status_t check_kind(const kc_jwt *jwt, kc_error *err)
{
    const char *typ = kc_json_string(jwt->claims, "typ");

    if (!kc_claims_header_typ_is(jwt, "JWT", "at+jwt")) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0431",
                       "the access token is of another kind: its header says typ %.64s",
                       jwt->typ ? jwt->typ : "(no string)");
    }
    if (!kc_claims_equal(jwt->claims, "typ", "Bearer")) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0432",
                       "the access token is of another kind: its payload says typ %.64s, not "
                       "Bearer",
                       typ ? typ : "(none)");
    }
    return APR_SUCCESS;
}

static apr_status_t check_parties(const kc_jwt *jwt, const kc_id_token_rules *rules,
                                  const char *sub, kc_error *err)
{
    if (!kc_claims_equal(jwt->claims, "iss", rules->issuer)) {
        const char *iss = kc_json_string(jwt->claims, "iss");

        return kc_fail(err, KC_FAULT_PROVIDER, "KC0433",
                       "the access token is of issuer %.150s, not of %.150s", iss ? iss : "(none)",
                       rules->issuer);
    }
    if (!kc_claims_equal(jwt->claims, "azp", rules->client_id)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0434",
                       "the access token was not issued to this client: its azp is not %.100s",
                       rules->client_id);
    }
    /* A lightweight token has no sub. */
    if (json_object_get(jwt->claims, "sub") && !kc_claims_equal(jwt->claims, "sub", sub)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0435",
                       "the access token is of another person than the ID token (sub)");
    }
    return APR_SUCCESS;
}

apr_status_t kc_access_token_check(const kc_jwt *jwt, const kc_id_token_rules *rules,
                                   const char *sub, kc_error *err)
{
    apr_status_t rv;

    if ((rv = check_kind(jwt, err)) != APR_SUCCESS ||
        (rv = check_parties(jwt, rules, sub, err)) != APR_SUCCESS) {
        return rv;
    }
    if (!kc_claims_live(jwt->claims, rules->now)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0436",
                       "the access token is expired or has no exp: if it is new, compare the "
                       "clocks of both machines");
    }
    if (!kc_claims_begun(jwt->claims, "iat", rules->now) ||
        !kc_claims_begun(jwt->claims, "nbf", rules->now)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0437",
                       "the access token is not valid yet (iat or nbf): compare the clocks of "
                       "both machines");
    }
    return APR_SUCCESS;
}
