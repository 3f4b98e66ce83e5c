/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Plain answers of the userinfo endpoint. */

#include "fuzz.h"
#include "oidc/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const kc_userinfo_rules rules = {"https://sso.example.org/realms/demo", "app", "the-sub", 0};
    apr_pool_t *pool = fuzz_pool();
    char *body = fuzz_string(data, size);
    kc_http_response response = {200, "application/json", body, size};
    kc_verifier verifier = {.renewed = 1};
    const json_t *claims;
    kc_error err = {0};

    if (kc_userinfo_answer(&claims, &response, &rules, &verifier, pool, &err) == APR_SUCCESS) {
        FUZZ_PROMISE(strcmp(kc_json_string(claims, "sub"), "the-sub") == 0);
    } else {
        FUZZ_PROMISE(claims == NULL && err.fault != KC_FAULT_NONE && err.id && err.text[0]);
    }
    free(body);
    apr_pool_clear(pool);
    return 0;
}
