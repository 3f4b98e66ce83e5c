/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Members of JSON objects that a provider wrote: there, absent, or of any type. */

#include "oidc/internal.h"

const json_t *kc_member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

apr_status_t kc_member_string(const char **out, const json_t *object, const char *name)
{
    *out = kc_json_string(object, name);
    return *out || !kc_member(object, name) ? APR_SUCCESS : APR_EINVAL;
}

apr_status_t kc_member_count(apr_int64_t *out, const json_t *object, const char *name)
{
    *out = 0;
    if (!kc_member(object, name)) {
        return APR_SUCCESS;
    }
    return kc_json_integer(object, name, out) && *out >= 0 ? APR_SUCCESS : APR_EINVAL;
}
