/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Claims that several kinds of token have in common (RFC 7519 section 4.1). */

#include <string.h>

#include <apr_cstr.h>

#include "oidc/internal.h"

int kc_claims_header_typ_is(const kc_jwt *jwt, const char *typ, const char *or_typ)
{
    static const char prefix[] = "application/";
    const char *found = jwt->typ;

    if (!found) {
        return !json_object_get(jwt->header, "typ");
    }
    /* A media type (RFC 7515 section 4.1.9): case does not count, the prefix may be left out. */
    if (apr_cstr_casecmpn(found, prefix, sizeof(prefix) - 1) == 0) {
        found += sizeof(prefix) - 1;
    }
    return apr_cstr_casecmp(found, typ) == 0 || (or_typ && apr_cstr_casecmp(found, or_typ) == 0);
}

int kc_claims_equal(const json_t *claims, const char *name, const char *wanted)
{
    const char *found = kc_json_string(claims, name);

    return found && strcmp(found, wanted) == 0;
}

/* Comparisons put the forgiven difference on our side: a claim may be as big as an integer can. */

int kc_claims_live(const json_t *claims, apr_time_t now)
{
    apr_int64_t exp;

    return kc_json_integer(claims, "exp", &exp) && exp > apr_time_sec(now) - KC_CLOCK_SKEW;
}

int kc_claims_begun(const json_t *claims, const char *name, apr_time_t now)
{
    apr_int64_t time;

    if (!json_object_get(claims, name)) {
        return 1;
    }
    return kc_json_integer(claims, name, &time) && time <= apr_time_sec(now) + KC_CLOCK_SKEW;
}
