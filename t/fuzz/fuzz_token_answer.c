/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Answers of the token endpoint: three digits of status, then the body. */

#include "fuzz.h"
#include "oidc/internal.h"

static int read_status(const char *text)
{
    int status = 0, i;

    for (i = 0; i < 3; i++) {
        status = status * 10 + (text[i] & 0x0f);
    }
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    kc_error err = {0};
    kc_http_response response = {.type = "application/json"};
    kc_tokens *tokens;
    char *body;

    if (size < 3) {
        return 0;
    }
    body = fuzz_string(data + 3, size - 3);
    response.status = read_status((const char *)data);
    response.body = body;
    response.len = size - 3;
    if (kc_token_answer(&tokens, &response, pool, &err) == APR_SUCCESS) {
        FUZZ_PROMISE(response.status == 200 && tokens->access_token[0] && tokens->id_token[0]);
        FUZZ_PROMISE(tokens->expires_in >= 0 && tokens->refresh_expires_in >= 0);
    } else {
        FUZZ_PROMISE(tokens == NULL && err.fault != KC_FAULT_NONE && err.id && err.text[0]);
    }
    free(body);
    apr_pool_clear(pool);
    return 0;
}
