/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Keycloak's roles and groups in verified claims: resource_access.<client>.roles,
 * realm_access.roles and groups. Mappers can give any of them any type; what is no name is no role.
 */

#include "oidc/internal.h"

static apr_status_t release(void *json)
{
    json_decref(json);
    return APR_SUCCESS;
}

static int is_name(const json_t *value)
{
    return json_string_length(value) > 0;
}

static int all_names(const json_t *list)
{
    apr_size_t i;

    for (i = 0; i < json_array_size(list); i++) {
        if (!is_name(json_array_get(list, i))) {
            return 0;
        }
    }
    return json_array_size(list) > 0;
}

/* A list of names, not empty; a single string counts as a list of one ("multivalued" off at the
 * mapper). NULL when there is no name. */
static const json_t *names_of(const json_t *value, apr_pool_t *pool)
{
    json_t *list;
    apr_size_t i;

    if (all_names(value)) {
        return value;
    }
    list = json_array();
    if (!list) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, list, release, apr_pool_cleanup_null);
    if (is_name(value)) {
        json_array_append_new(list, json_string(json_string_value(value)));
    }
    for (i = 0; i < json_array_size(value); i++) {
        if (is_name(json_array_get(value, i))) {
            json_array_append(list, json_array_get(value, i));
        }
    }
    return json_array_size(list) > 0 ? list : NULL;
}

const json_t *kc_identity_client_roles(const kc_identity *identity, const char *client_id,
                                       apr_pool_t *pool)
{
    const json_t *client = json_object_get(identity->resource_access, client_id);

    return names_of(json_object_get(client, "roles"), pool);
}

/* Takes of one source what no earlier one had. */
static void read_source(kc_identity *identity, const char *source, const json_t *claims,
                        const char **realm_roles_from, apr_pool_t *pool)
{
    const json_t *clients = json_object_get(claims, "resource_access");
    const json_t *realm = json_object_get(claims, "realm_access");

    if (!identity->resource_access && json_object_size(clients) > 0) {
        identity->resource_access = clients;
        identity->roles_from = source;
    }
    if (!identity->realm_roles) {
        identity->realm_roles = names_of(json_object_get(realm, "roles"), pool);
        *realm_roles_from = identity->realm_roles ? source : NULL;
    }
    if (!identity->groups) {
        identity->groups = names_of(json_object_get(claims, "groups"), pool);
    }
}

void kc_roles_read(kc_identity *identity, const kc_sources *sources, apr_pool_t *pool)
{
    const char *realm_roles_from = NULL;

    identity->roles_from = NULL;
    read_source(identity, "access token", sources->access_token, &realm_roles_from, pool);
    read_source(identity, "ID token", sources->id_token, &realm_roles_from, pool);
    read_source(identity, "userinfo", sources->userinfo, &realm_roles_from, pool);
    if (!identity->roles_from) {
        identity->roles_from = realm_roles_from ? realm_roles_from : "nowhere";
    }
}
