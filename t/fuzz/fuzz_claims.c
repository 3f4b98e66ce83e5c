/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The rules of ID token and access token, on claims whose signature holds. */

#include "oidc/internal.h"
#include "signed.h"

static const char issuer[] = "https://sso.example.org/realms/demo";
static const apr_int64_t now = 1795500000;

static void check_rules(const kc_jwt *jwt)
{
    const kc_id_token_rules rules = {issuer, "app", "the-nonce", "the-access-token",
                                     apr_time_from_sec(now)};
    kc_error err = {0};
    apr_int64_t exp;

    if (kc_id_token_check(jwt, &rules, &err) == APR_SUCCESS) {
        FUZZ_PROMISE(strcmp(kc_json_string(jwt->claims, "iss"), issuer) == 0);
        FUZZ_PROMISE(strcmp(kc_json_string(jwt->claims, "nonce"), "the-nonce") == 0);
        FUZZ_PROMISE(kc_json_holds(json_object_get(jwt->claims, "aud"), "app"));
        FUZZ_PROMISE(kc_json_integer(jwt->claims, "exp", &exp) && exp > now - 60);
        FUZZ_PROMISE(kc_json_string(jwt->claims, "sub") != NULL);
    } else {
        FUZZ_PROMISE(err.fault != KC_FAULT_NONE && err.id && err.text[0]);
    }
    if (kc_access_token_check(jwt, &rules, "the-sub", &err) == APR_SUCCESS) {
        FUZZ_PROMISE(strcmp(kc_json_string(jwt->claims, "iss"), issuer) == 0);
        FUZZ_PROMISE(strcmp(kc_json_string(jwt->claims, "azp"), "app") == 0);
        FUZZ_PROMISE(strcmp(kc_json_string(jwt->claims, "typ"), "Bearer") == 0);
        FUZZ_PROMISE(kc_json_integer(jwt->claims, "exp", &exp) && exp > now - 60);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const kc_jwt *jwt = fuzz_jwt(data, size);

    if (jwt) {
        check_rules(jwt);
    }
    apr_pool_clear(fuzz_pool());
    return 0;
}
