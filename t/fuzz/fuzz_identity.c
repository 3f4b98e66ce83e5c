/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Claims of verified tokens: members may have any type. Lines: ID token, access token, userinfo. */

#include "fuzz.h"
#include "oidc/internal.h"

static void check_names(const json_t *names)
{
    size_t i;

    FUZZ_PROMISE(!names || json_array_size(names) > 0);
    for (i = 0; i < json_array_size(names); i++) {
        FUZZ_PROMISE(json_string_length(json_array_get(names, i)) > 0);
    }
}

static void check_identity(const kc_sources *sources)
{
    kc_identity *identity = kc_identity_make(sources, "preferred_username", fuzz_pool());

    FUZZ_PROMISE(identity->sub[0] && identity->username[0] && identity->roles_from[0]);
    FUZZ_PROMISE(identity->auth_time >= 0);
    check_names(identity->realm_roles);
    check_names(identity->groups);
    check_names(kc_identity_client_roles(identity, "app", fuzz_pool()));
    check_names(kc_identity_client_roles(identity, "", fuzz_pool()));
    kc_identity_lacks(sources, "preferred_username", fuzz_pool());
}

/** The next line as an object, or NULL. */
static json_t *next_object(const char **at, const char *end)
{
    const char *line = *at;
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    size_t len = (size_t)((stop ? stop : end) - line);
    json_t *object;

    *at = stop ? stop + 1 : end;
    return kc_json_parse(&object, line, len, fuzz_pool(), NULL) == APR_SUCCESS ? object : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    kc_sources sources;

    sources.id_token = next_object(&at, end);
    sources.access_token = next_object(&at, end);
    sources.userinfo = next_object(&at, end);
    if (kc_json_string(sources.id_token, "sub")) {
        check_identity(&sources);
    }
    apr_pool_clear(fuzz_pool());
    return 0;
}
