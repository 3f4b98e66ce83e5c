/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Compact JWTs as they come. No RSA key in the set: that OpenSSL checks one takes 10 ms.
 */

#include "fuzz.h"
#include "jose/jose.h"

static const char keys_text[] =
    "{\"keys\":["
    "{\"kid\":\"kid-ES256\",\"kty\":\"EC\",\"alg\":\"ES256\",\"use\":\"sig\",\"crv\":\"P-256\""
    ",\"x\":\"Il1Xv6WDWsO_47fIgu_jmKMCSVdATfQX2pqnSASzobM\""
    ",\"y\":\"1q96QA869eNbDZ8mt7AxCu1chGkQTk4SgyhsnPisWoM\"},"
    "{\"kid\":\"kid-Ed25519\",\"kty\":\"OKP\",\"alg\":\"EdDSA\",\"use\":\"sig\",\"crv\":\"Ed25519\""
    ",\"x\":\"9LGcMFLu0l3oTLDyqyzZV7WboHYBUQjz7Psjk_zEUyQ\"}"
    "]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *token = fuzz_string(data, size);
    kc_error err = {0};
    kc_jwks *keys;
    kc_jwt *jwt;
    apr_status_t rv;

    FUZZ_PROMISE(kc_jwks_parse(&keys, keys_text, sizeof(keys_text) - 1, pool, NULL) == APR_SUCCESS);
    FUZZ_PROMISE(kc_jwks_count(keys) == 2);
    rv = kc_jwt_verify(&jwt, token, keys, kc_alg_all(), pool, &err);
    if (rv == APR_SUCCESS) {
        FUZZ_PROMISE(kc_jwt_is_compact(token) && jwt->alg);
        FUZZ_PROMISE(json_is_object(jwt->header) && json_is_object(jwt->claims));
        FUZZ_PROMISE(!kc_jwt_hash_matches(jwt, token, token));
    } else {
        FUZZ_PROMISE(rv == APR_NOTFOUND || rv == APR_EGENERAL);
        FUZZ_PROMISE(err.fault == KC_FAULT_PROVIDER && err.id && err.text[0]);
    }
    free(token);
    apr_pool_clear(pool);
    return 0;
}
