/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * What logout tokens and admin actions have in common: anybody who reaches the endpoint may have
 * sent them, and their signature is all that tells the provider from others.
 */

#include <string.h>

#include "oidc/internal.h"

enum { LONGEST_TOKEN = 64 * 1024 };
enum { LONGEST_NAME = 255 }; /* as of sub (OpenID Connect Core section 2) */

apr_status_t kc_notice_verify(kc_jwt **out, const char *token, const kc_notice_kind *kind,
                              kc_verifier *verifier, apr_pool_t *pool, kc_error *err)
{
    kc_error why = {0};
    apr_status_t rv;

    if (strnlen(token, LONGEST_TOKEN + 1) > LONGEST_TOKEN) {
        return kc_fail(err, KC_FAULT_REQUEST, kind->too_long, "the %s is over %d bytes", kind->name,
                       LONGEST_TOKEN);
    }
    if (kc_provider_enter(verifier->provider, err) != APR_SUCCESS) {
        return APR_EGENERAL;
    }
    rv = kc_verifier_jwt(out, token, verifier, pool, &why);
    kc_provider_leave(verifier->provider);
    if (rv == APR_SUCCESS) {
        return rv;
    }
    if (verifier->keyless) {
        return kc_fail(err, KC_FAULT_AWAY, kind->keyless,
                       "the %s names a key that we lack, and newer ones cannot be had: %.300s",
                       kind->name, why.text);
    }
    return kc_fail(err, KC_FAULT_REQUEST, kind->unverified, "the %s does not verify: %.300s",
                   kind->name, why.text);
}

int kc_notice_name(const char **out, const json_t *value)
{
    /* jansson's length and strlen() are the same: kc_json_parse() takes no NUL in strings. */
    if (!json_is_string(value) || json_string_length(value) == 0 ||
        json_string_length(value) > LONGEST_NAME) {
        return 0;
    }
    *out = json_string_value(value);
    return 1;
}
