/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The person that verified claims tell of (OpenID Connect Core 1.0 section 5.1). */

#include <apr_strings.h>

#include "oidc/internal.h"

/* The first that knows the claim. The ID token was issued for this login, so it goes first. */
static const char *claim(const kc_sources *sources, const char *name)
{
    const char *value = kc_json_string(sources->id_token, name);

    if (!value) {
        value = kc_json_string(sources->userinfo, name);
    }
    return value ? value : kc_json_string(sources->access_token, name);
}

kc_identity *kc_identity_make(const kc_sources *sources, const char *user_claim, apr_pool_t *pool)
{
    kc_identity *identity = apr_pcalloc(pool, sizeof(*identity));
    const char *username = claim(sources, user_claim);

    identity->sub = kc_json_string(sources->id_token, "sub");
    identity->username = username ? username : identity->sub;
    identity->name = claim(sources, "name");
    identity->email = claim(sources, "email");
    /* These are about the login, so only the ID token can tell. */
    identity->sid = kc_json_string(sources->id_token, "sid");
    identity->acr = kc_json_string(sources->id_token, "acr");
    if (kc_member_count(&identity->issued, sources->id_token, "iat") != APR_SUCCESS) {
        identity->issued = 0;
    }
    if (kc_member_count(&identity->auth_time, sources->id_token, "auth_time") != APR_SUCCESS) {
        identity->auth_time = 0;
    }
    kc_roles_read(identity, sources, pool);
    return identity;
}

int kc_identity_lacks(const kc_sources *sources, const char *user_claim, apr_pool_t *pool)
{
    kc_identity identity = {0};

    kc_roles_read(&identity, sources, pool);
    return (!identity.resource_access && !identity.realm_roles) || !claim(sources, user_claim) ||
           !claim(sources, "name");
}
