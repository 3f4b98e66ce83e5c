/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Rules of the ID token (OpenID Connect Core 1.0 sections 2 and 3.1.3.7). */

#include <string.h>

#include <openssl/crypto.h>

#include "oidc/internal.h"

enum { OLDEST_ISSUE = 10 * 60 }; /* seconds: a token is checked as soon as it was issued */
enum { LONGEST_SUB = 255 };      /* section 2 */

/* Signed by the same keys there are access, logout and other tokens: none may pass for this one. */
static apr_status_t check_kind(const kc_jwt *jwt, kc_error *err)
{
    if (!kc_claims_header_typ_is(jwt, "JWT", NULL)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0401",
                       "the ID token is of another kind: its header says typ %.64s",
                       jwt->typ ? jwt->typ : "(no string)");
    }
    if (json_object_get(jwt->claims, "typ") && !kc_claims_equal(jwt->claims, "typ", "ID")) {
        const char *typ = kc_json_string(jwt->claims, "typ");

        return kc_fail(err, KC_FAULT_PROVIDER, "KC0402",
                       "the ID token is of another kind: its payload says typ %.64s, not ID",
                       typ ? typ : "(no string)");
    }
    return APR_SUCCESS;
}

static apr_status_t check_parties(const kc_jwt *jwt, const kc_id_token_rules *rules, kc_error *err)
{
    const json_t *aud = json_object_get(jwt->claims, "aud");
    const json_t *azp = json_object_get(jwt->claims, "azp");

    if (!kc_claims_equal(jwt->claims, "iss", rules->issuer)) {
        const char *iss = kc_json_string(jwt->claims, "iss");

        return kc_fail(err, KC_FAULT_PROVIDER, "KC0403",
                       "the ID token is of issuer %.150s, not of %.150s", iss ? iss : "(none)",
                       rules->issuer);
    }
    if (!kc_json_holds(aud, rules->client_id)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0404",
                       "the ID token is not for this client: its aud does not hold %.100s",
                       rules->client_id);
    }
    /* We trust no other audience; azp tells that the token was issued to us all the same. */
    if ((azp || json_array_size(aud) > 1) &&
        !kc_claims_equal(jwt->claims, "azp", rules->client_id)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0405",
                       "the ID token was not issued to this client: its azp is not %.100s",
                       rules->client_id);
    }
    return APR_SUCCESS;
}

static apr_status_t check_times(const kc_jwt *jwt, apr_time_t now, kc_error *err)
{
    apr_int64_t iat;

    if (!kc_claims_live(jwt->claims, now)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0406",
                       "the ID token is expired or has no exp: if it is new, compare the clocks "
                       "of both machines");
    }
    if (!kc_json_integer(jwt->claims, "iat", &iat)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0407", "the ID token has no iat");
    }
    if (!kc_claims_begun(jwt->claims, "iat", now) ||
        iat < apr_time_sec(now) - OLDEST_ISSUE - KC_CLOCK_SKEW) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0408",
                       "the ID token says it was issued %" APR_INT64_T_FMT " s since the epoch, "
                       "now is %" APR_INT64_T_FMT ": compare the clocks of both machines",
                       iat, (apr_int64_t)apr_time_sec(now));
    }
    if (!kc_claims_begun(jwt->claims, "nbf", now)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0409",
                       "the ID token is not valid yet (nbf): compare the clocks of both machines");
    }
    return APR_SUCCESS;
}

static apr_status_t check_subject(const kc_jwt *jwt, kc_error *err)
{
    const char *sub = kc_json_string(jwt->claims, "sub");

    if (!sub || strlen(sub) > LONGEST_SUB) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0410", "the ID token has no sub of 1 to %d bytes",
                       LONGEST_SUB);
    }
    return APR_SUCCESS;
}

/* Whether the token belongs to this login of this browser. */
static apr_status_t check_login(const kc_jwt *jwt, const kc_id_token_rules *rules, kc_error *err)
{
    const char *nonce = kc_json_string(jwt->claims, "nonce");

    if (rules->nonce && (!nonce || strlen(nonce) != strlen(rules->nonce) ||
                         CRYPTO_memcmp(nonce, rules->nonce, strlen(nonce)) != 0)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0411",
                       "the ID token is not of this login: its nonce is missing or another");
    }
    if (rules->access_token && json_object_get(jwt->claims, "at_hash")) {
        const char *at_hash = kc_json_string(jwt->claims, "at_hash");

        if (!at_hash || !kc_jwt_hash_matches(jwt, rules->access_token, at_hash)) {
            return kc_fail(err, KC_FAULT_PROVIDER, "KC0412",
                           "the ID token and the access token do not belong together (at_hash)");
        }
    }
    return APR_SUCCESS;
}

apr_status_t kc_id_token_check(const kc_jwt *jwt, const kc_id_token_rules *rules, kc_error *err)
{
    apr_status_t rv;

    if ((rv = check_kind(jwt, err)) != APR_SUCCESS ||
        (rv = check_parties(jwt, rules, err)) != APR_SUCCESS ||
        (rv = check_times(jwt, rules->now, err)) != APR_SUCCESS ||
        (rv = check_subject(jwt, err)) != APR_SUCCESS) {
        return rv;
    }
    return check_login(jwt, rules, err);
}
