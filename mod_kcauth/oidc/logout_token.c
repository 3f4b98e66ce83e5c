/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Logout tokens (OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.6). */

#include "oidc/internal.h"

#define LOGOUT_EVENT "http://schemas.openid.net/event/backchannel-logout"

/* Seconds. Providers say two minutes; more than a day would fill the memory of used ids. */
enum { LONGEST_LIFE = 24 * 60 * 60 };

static const kc_notice_kind kind = {"logout token", "KC0910", "KC0911", "KC0912"};

/* Signed by the same keys there are ID and access tokens: none may pass for this one. */
static apr_status_t check_kind(const kc_jwt *jwt, kc_error *err)
{
    if (!kc_claims_header_typ_is(jwt, "JWT", "logout+jwt")) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0913",
                       "the logout token is of another kind: its header says typ %.64s",
                       jwt->typ ? jwt->typ : "(no string)");
    }
    if (json_object_get(jwt->claims, "typ") && !kc_claims_equal(jwt->claims, "typ", "Logout")) {
        const char *typ = kc_json_string(jwt->claims, "typ");

        return kc_fail(err, KC_FAULT_REQUEST, "KC0914",
                       "the logout token is of another kind: its payload says typ %.64s, not "
                       "Logout",
                       typ ? typ : "(no string)");
    }
    if (json_object_get(jwt->claims, "nonce")) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0915",
                       "the logout token has a nonce, as only an ID token may");
    }
    if (!json_is_object(json_object_get(json_object_get(jwt->claims, "events"), LOGOUT_EVENT))) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0916",
                       "the logout token tells of no logout: its events lack " LOGOUT_EVENT);
    }
    return APR_SUCCESS;
}

static apr_status_t check_parties(const kc_jwt *jwt, const kc_notice_rules *rules, kc_error *err)
{
    if (!kc_claims_equal(jwt->claims, "iss", rules->issuer)) {
        const char *iss = kc_json_string(jwt->claims, "iss");

        return kc_fail(err, KC_FAULT_REQUEST, "KC0917",
                       "the logout token is of issuer %.150s, not of %.150s", iss ? iss : "(none)",
                       rules->issuer);
    }
    if (!kc_json_holds(json_object_get(jwt->claims, "aud"), rules->client_id)) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0918",
                       "the logout token is not for this client: its aud does not hold %.100s",
                       rules->client_id);
    }
    return APR_SUCCESS;
}

static apr_status_t check_times(apr_int64_t *expires, const kc_jwt *jwt, apr_time_t now,
                                kc_error *err)
{
    apr_int64_t iat, exp;

    if (!kc_json_integer(jwt->claims, "iat", &iat) || !kc_claims_begun(jwt->claims, "iat", now)) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0919",
                       "the logout token has no iat, or was issued in the future: compare the "
                       "clocks of both machines");
    }
    if (!kc_json_integer(jwt->claims, "exp", &exp) || !kc_claims_live(jwt->claims, now)) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0920",
                       "the logout token is expired or has no exp: if it is new, compare the "
                       "clocks of both machines");
    }
    if (exp > apr_time_sec(now) + LONGEST_LIFE) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0921",
                       "the logout token lives longer than %d s: its exp is %" APR_INT64_T_FMT,
                       LONGEST_LIFE, exp);
    }
    *expires = exp + KC_CLOCK_SKEW; /* it is believed until then */
    return APR_SUCCESS;
}

/* An optional claim. *out is left alone when it is absent. */
static apr_status_t read_name(const char **out, const kc_jwt *jwt, const char *name, kc_error *err)
{
    const json_t *value = json_object_get(jwt->claims, name);

    if (value && !kc_notice_name(out, value)) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0922",
                       "%s of the logout token is no string of 1 to 255 bytes", name);
    }
    return APR_SUCCESS;
}

static apr_status_t read_session(kc_logout_notice *out, const kc_jwt *jwt, kc_error *err)
{
    apr_status_t rv;

    if ((rv = read_name(&out->id, jwt, "jti", err)) != APR_SUCCESS ||
        (rv = read_name(&out->sub, jwt, "sub", err)) != APR_SUCCESS ||
        (rv = read_name(&out->sid, jwt, "sid", err)) != APR_SUCCESS) {
        return rv;
    }
    if (!out->id) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0923",
                       "the logout token has no jti, so it could be used twice");
    }
    if (!out->sub && !out->sid) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0924",
                       "the logout token names neither a person (sub) nor a session (sid)");
    }
    return APR_SUCCESS;
}

apr_status_t kc_logout_token_check(kc_logout_notice *out, const kc_jwt *jwt,
                                   const kc_notice_rules *rules, kc_error *err)
{
    kc_logout_notice notice = {0};
    apr_status_t rv;

    if ((rv = check_kind(jwt, err)) != APR_SUCCESS ||
        (rv = check_parties(jwt, rules, err)) != APR_SUCCESS ||
        (rv = check_times(&notice.expires, jwt, rules->now, err)) != APR_SUCCESS ||
        (rv = read_session(&notice, jwt, err)) != APR_SUCCESS) {
        return rv;
    }
    *out = notice;
    return APR_SUCCESS;
}

apr_status_t kc_logout_token_read(kc_logout_notice *out, const char *token, kc_provider *provider,
                                  kc_provider_view *view, const kc_client *client,
                                  apr_time_t deadline, apr_pool_t *pool, kc_error *err)
{
    kc_verifier verifier = {.provider = provider, .view = view, .deadline = deadline};
    kc_jwt *jwt;
    apr_status_t rv = kc_notice_verify(&jwt, token, &kind, &verifier, pool, err);

    if (rv == APR_SUCCESS) {
        const kc_notice_rules rules = {view->metadata->issuer, client->id, apr_time_now()};

        rv = kc_logout_token_check(out, jwt, &rules, err);
    }
    return rv;
}
