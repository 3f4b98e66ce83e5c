/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Keycloak's admin actions: what it posts to k_logout, k_push_not_before and k_test_available below
 * a client's Admin URL. A JWS of its own making, with neither iss nor aud nor iat.
 */

#include <string.h>

#include "oidc/internal.h"

/* Seconds. Keycloak says thirty. */
enum { LONGEST_LIFE = 10 * 60 };

static const kc_notice_kind kind = {"admin action", "KC0940", "KC0941", "KC0942"};

/* Signed by the same keys there are tokens whose claims a mapper may have put in, action and
 * resource too. All of them have a claim that an admin action lacks. */
static apr_status_t check_kind(const kc_jwt *jwt, kc_error *err)
{
    static const char *const foreign[] = {"iss", "aud", "sub", "typ"};
    apr_size_t i;

    if (!kc_claims_header_typ_is(jwt, "JWT", NULL)) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0943",
                       "the admin action is of another kind: its header says typ %.64s",
                       jwt->typ ? jwt->typ : "(no string)");
    }
    for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        if (json_object_get(jwt->claims, foreign[i])) {
            return kc_fail(err, KC_FAULT_REQUEST, "KC0944",
                           "the admin action is a token of another kind: it has the claim %s",
                           foreign[i]);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t check_purpose(kc_logout_notice *out, const kc_jwt *jwt,
                                  const kc_notice_rules *rules, const char *action, kc_error *err)
{
    out->action = kc_json_string(jwt->claims, "action");
    if (!out->action || strcmp(out->action, action) != 0) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0945", "the admin action is %.64s, not %.64s",
                       out->action ? out->action : "none", action);
    }
    if (!kc_claims_equal(jwt->claims, "resource", rules->client_id)) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0946",
                       "the admin action is not for this client: its resource is not %.100s",
                       rules->client_id);
    }
    return APR_SUCCESS;
}

/* That it is used once, and not late. */
static apr_status_t check_once(kc_logout_notice *out, const kc_jwt *jwt, apr_time_t now,
                               kc_error *err)
{
    const apr_int64_t seconds = apr_time_sec(now);
    apr_int64_t expiration;

    if (!kc_json_integer(jwt->claims, "expiration", &expiration) ||
        expiration <= seconds - KC_CLOCK_SKEW) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0947",
                       "the admin action is expired or has no expiration: if it is new, compare "
                       "the clocks of both machines");
    }
    if (expiration > seconds + LONGEST_LIFE) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0948",
                       "the admin action lives longer than %d s: its expiration is "
                       "%" APR_INT64_T_FMT,
                       LONGEST_LIFE, expiration);
    }
    if (!kc_notice_name(&out->id, json_object_get(jwt->claims, "id"))) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0949",
                       "the admin action has no id of 1 to 255 bytes, so it could be used twice");
    }
    out->expires = expiration + KC_CLOCK_SKEW; /* it is believed until then */
    return APR_SUCCESS;
}

static int are_names(const json_t *list)
{
    const char *name;
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (!kc_notice_name(&name, item)) {
            return 0;
        }
    }
    return json_is_array(list);
}

static apr_status_t read_not_before(kc_logout_notice *out, const kc_jwt *jwt, apr_time_t now,
                                    kc_error *err)
{
    if (!json_object_get(jwt->claims, "notBefore")) {
        if (strcmp(out->action, "PUSH_NOT_BEFORE") == 0) {
            return kc_fail(err, KC_FAULT_REQUEST, "KC0952",
                           "the admin action PUSH_NOT_BEFORE has no notBefore");
        }
        return APR_SUCCESS;
    }
    if (!kc_json_integer(jwt->claims, "notBefore", &out->not_before) || out->not_before < 0) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0951",
                       "notBefore of the admin action is no number of seconds");
    }
    /* Nobody could log in until then. */
    if (!kc_claims_begun(jwt->claims, "notBefore", now)) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0953",
                       "notBefore of the admin action lies in the future: compare the clocks of "
                       "both machines");
    }
    return APR_SUCCESS;
}

/* Which sessions it is about. */
static apr_status_t read_sessions(kc_logout_notice *out, const kc_jwt *jwt, apr_time_t now,
                                  kc_error *err)
{
    out->sids = json_object_get(jwt->claims, "keycloakSessionIds");
    if (out->sids && !are_names(out->sids)) {
        return kc_fail(err, KC_FAULT_REQUEST, "KC0950",
                       "keycloakSessionIds of the admin action is no list of strings of 1 to 255 "
                       "bytes");
    }
    return read_not_before(out, jwt, now, err);
}

apr_status_t kc_admin_action_check(kc_logout_notice *out, const char *action, const kc_jwt *jwt,
                                   const kc_notice_rules *rules, kc_error *err)
{
    kc_logout_notice notice = {0};
    apr_status_t rv;

    if ((rv = check_kind(jwt, err)) != APR_SUCCESS ||
        (rv = check_purpose(&notice, jwt, rules, action, err)) != APR_SUCCESS ||
        (rv = check_once(&notice, jwt, rules->now, err)) != APR_SUCCESS ||
        (rv = read_sessions(&notice, jwt, rules->now, err)) != APR_SUCCESS) {
        return rv;
    }
    *out = notice;
    return APR_SUCCESS;
}

apr_status_t kc_admin_action_read(kc_logout_notice *out, const char *action, const char *token,
                                  kc_provider *provider, kc_provider_view *view,
                                  const kc_client *client, apr_time_t deadline, apr_pool_t *pool,
                                  kc_error *err)
{
    kc_verifier verifier = {.provider = provider, .view = view, .deadline = deadline};
    kc_jwt *jwt;
    apr_status_t rv = kc_notice_verify(&jwt, token, &kind, &verifier, pool, err);

    if (rv == APR_SUCCESS) {
        const kc_notice_rules rules = {view->metadata->issuer, client->id, apr_time_now()};

        rv = kc_admin_action_check(out, action, jwt, &rules, err);
    }
    return rv;
}
