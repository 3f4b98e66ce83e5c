/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* base64url: one value has one spelling. */

#include "base/base.h"
#include "fuzz.h"

static void as_text(const char *text, size_t len)
{
    unsigned char *bytes = malloc(len * 3 / 4 + 1);
    char *again = malloc(len + 1);
    apr_size_t bytes_len;

    FUZZ_PROMISE(bytes && again);
    if (kc_base64url_decode(bytes, &bytes_len, text, len) == APR_SUCCESS) {
        FUZZ_PROMISE(bytes_len == len * 3 / 4);
        FUZZ_PROMISE(kc_base64url_length(bytes_len) == len);
        FUZZ_PROMISE(kc_base64url_encode(again, bytes, bytes_len) == len);
        FUZZ_PROMISE(memcmp(again, text, len) == 0);
    }
    free(again);
    free(bytes);
}

static void as_bytes(const uint8_t *data, size_t size)
{
    apr_size_t len = kc_base64url_length(size), again_len;
    char *text = malloc(len + 1);

    FUZZ_PROMISE(text != NULL);
    FUZZ_PROMISE(kc_base64url_encode(text, data, size) == len);
    FUZZ_PROMISE(kc_base64url_decode(text, &again_len, text, len) == APR_SUCCESS);
    FUZZ_PROMISE(again_len == size && memcmp(text, data, size) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_text((const char *)data, size);
    as_bytes(data, size);
    return 0;
}
