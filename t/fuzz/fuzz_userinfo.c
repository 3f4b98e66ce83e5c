/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Answers of the userinfo endpoint: a line "status type", then the body. That of a JWT is signed
 * here (signed.h).
 */

#include "oidc/internal.h"
#include "signed.h"

/** The rest of the line. */
static const char *read_type(const char **at, const char *end)
{
    const char *line = *at;
    const char *stop = memchr(line, '\n', (size_t)(end - line));

    *at = stop ? stop + 1 : end;
    return apr_pstrmemdup(fuzz_pool(), line, (size_t)((stop ? stop : end) - line));
}

static const char *signed_body(const char *body, const char *end)
{
    const char *claims = memchr(body, '\n', (size_t)(end - body));

    return claims ? sign(body, (size_t)(claims - body), claims + 1, (size_t)(end - claims - 1))
                  : "";
}

static void read_answer(const kc_http_response *response)
{
    static const kc_metadata metadata = {.algs = ~0u};
    const kc_userinfo_rules rules = {"https://sso.example.org/realms/demo", "app", "the-sub",
                                     apr_time_from_sec(1795500000)};
    kc_provider_view view = {&metadata, public_keys()};
    kc_verifier verifier = {.view = &view, .renewed = 1};
    const json_t *claims;
    kc_error err = {0};

    if (kc_userinfo_answer(&claims, response, &rules, &verifier, fuzz_pool(), &err) ==
        APR_SUCCESS) {
        FUZZ_PROMISE(response->status == 200);
        FUZZ_PROMISE(strcmp(kc_json_string(claims, "sub"), "the-sub") == 0);
    } else {
        FUZZ_PROMISE(claims == NULL && err.fault != KC_FAULT_NONE && err.id && err.text[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data + 4, *end = (const char *)data + size;
    kc_http_response response = {0};
    char *body;

    if (size < 4) {
        return 0;
    }
    response.status = fuzz_status(data);
    response.type = read_type(&at, end);
    body = fuzz_string((const uint8_t *)at, (size_t)(end - at));
    response.body = strcmp(response.type, "application/jwt") ? body : signed_body(at, end);
    response.len = strlen(response.body);
    read_answer(&response);
    free(body);
    apr_pool_clear(fuzz_pool());
    return 0;
}
