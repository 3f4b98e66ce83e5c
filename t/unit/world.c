/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include "world.h"

#include <apr_strings.h>

#include "unit.h"

apr_time_t world_soon(void)
{
    return apr_time_now() + apr_time_from_sec(5);
}

void world_publish(world *w, apr_pool_t *pool)
{
    server_answer(w->http, "/.well-known/openid-configuration", 200, "application/json",
                  apr_psprintf(pool,
                               "{\"issuer\":\"%s\",\"authorization_endpoint\":\"%s/auth\","
                               "\"token_endpoint\":\"%s/token\",\"jwks_uri\":\"%s/certs\","
                               "\"userinfo_endpoint\":\"%s/userinfo\","
                               "\"id_token_signing_alg_values_supported\":[\"RS256\",\"EdDSA\"]}",
                               w->issuer, w->issuer, w->issuer, w->issuer, w->issuer));
    server_answer(w->http, "/certs", 200, "application/json", signer_keys(w->key, pool));
}

world *world_new(apr_pool_t *pool)
{
    const kc_http_options http_options = {NULL, apr_time_from_sec(1), WORLD_CALLS};
    world *w = apr_pcalloc(pool, sizeof(*w));
    void *shared = apr_pcalloc(pool, kc_provider_shared_size());
    kc_provider_options options = {0};
    int i;

    w->http = server_start(pool);
    w->issuer = server_origin(w->http);
    w->key = signer_new(pool, "EdDSA", "k1");
    options.issuer = w->issuer;
    options.discovery_url = apr_pstrcat(pool, w->issuer, "/.well-known/openid-configuration", NULL);
    assert_int_equal(kc_http_global_init(pool), APR_SUCCESS);
    assert_int_equal(kc_http_create(&w->calls, &http_options, pool), APR_SUCCESS);
    for (i = 0; i < WORLD_CHILDREN; i++) {
        assert_int_equal(kc_provider_create(&w->children[i], &options, shared, w->calls, pool),
                         APR_SUCCESS);
    }
    world_publish(w, pool);
    return w;
}

kc_provider_view world_known_to(kc_provider *child, apr_pool_t *pool)
{
    kc_provider_view view;
    kc_error err = {0};

    if (kc_provider_get(child, &view, world_soon(), pool, &err) != APR_SUCCESS) {
        fail_msg("%s %s", err.id, err.text);
    }
    return view;
}

void world_rotate(world *w, apr_pool_t *pool)
{
    w->key = signer_new(pool, "EdDSA", "k2");
    world_publish(w, pool);
}
