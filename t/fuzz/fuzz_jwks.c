/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* JWK sets as a provider may send them. */

#include "fuzz.h"
#include "jose/jose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    kc_error err = {0};
    kc_jwks *keys;

    if (kc_jwks_parse(&keys, (const char *)data, size, pool, &err) == APR_SUCCESS) {
        FUZZ_PROMISE(kc_jwks_count(keys) >= 0 && kc_jwks_count(keys) <= 64);
    } else {
        FUZZ_PROMISE(err.fault == KC_FAULT_PROVIDER && err.id && err.text[0]);
    }
    apr_pool_clear(pool);
    return 0;
}
