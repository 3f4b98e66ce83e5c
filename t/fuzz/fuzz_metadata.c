/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Discovery documents. */

#include "fuzz.h"
#include "oidc/oidc.h"

static int is_url_at(const char *url, const char *origin)
{
    kc_url parts;

    return url && kc_url_parse(&parts, url, fuzz_pool()) == APR_SUCCESS &&
           (!origin || strcmp(parts.origin, origin) == 0);
}

static void parse(const uint8_t *data, size_t size, const char *internal_origin, int insecure)
{
    kc_error err = {0};
    kc_metadata *metadata;

    if (kc_metadata_parse(&metadata, (const char *)data, size,
                          "https://sso.example.org/realms/demo", internal_origin, insecure,
                          fuzz_pool(), &err) != APR_SUCCESS) {
        FUZZ_PROMISE(metadata == NULL && err.fault == KC_FAULT_PROVIDER && err.id && err.text[0]);
        return;
    }
    FUZZ_PROMISE(strncmp(metadata->issuer, "https://sso.example.org/realms/demo", 35) == 0);
    FUZZ_PROMISE(is_url_at(metadata->authorization_endpoint, NULL));
    FUZZ_PROMISE(is_url_at(metadata->token_endpoint, internal_origin));
    FUZZ_PROMISE(is_url_at(metadata->jwks_uri, internal_origin));
    FUZZ_PROMISE(metadata->algs != 0 && (metadata->algs & ~kc_alg_all()) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size, NULL, 0);
    parse(data, size, "http://127.0.0.1:8080", 1);
    apr_pool_clear(fuzz_pool());
    return 0;
}
