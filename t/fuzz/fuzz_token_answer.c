/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Answers of the token endpoint, to a code and to a refresh token: status, then the body. */

#include "fuzz.h"
#include "oidc/internal.h"

static void read_answer(const kc_http_response *response, const kc_grant *grant)
{
    kc_error err = {0};
    kc_tokens *tokens;

    if (kc_token_answer(&tokens, response, grant, fuzz_pool(), &err) == APR_SUCCESS) {
        FUZZ_PROMISE(response->status == 200 && tokens->access_token[0] && tokens->id_token[0]);
        FUZZ_PROMISE(tokens->expires_in >= 0 && tokens->refresh_expires_in >= 0);
        FUZZ_PROMISE(tokens->refresh_token || !grant->refresh_token);
    } else {
        FUZZ_PROMISE(tokens == NULL && err.fault != KC_FAULT_NONE && err.id && err.text[0]);
        FUZZ_PROMISE((err.fault != KC_FAULT_REQUEST || !grant->refresh_token) &&
                     (err.fault != KC_FAULT_REFUSED || grant->refresh_token));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const kc_grant by_code = {.code = "the-code"}, by_refresh = {.refresh_token = "the-token"};
    kc_http_response response = {.type = "application/json"};
    char *body;

    if (size < 3) {
        return 0;
    }
    body = fuzz_string(data + 3, size - 3);
    response.status = fuzz_status(data);
    response.body = body;
    response.len = size - 3;
    read_answer(&response, &by_code);
    read_answer(&response, &by_refresh);
    free(body);
    apr_pool_clear(fuzz_pool());
    return 0;
}
