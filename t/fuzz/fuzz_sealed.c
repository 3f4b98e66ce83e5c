/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Sealed text: nothing opens that was not sealed, and what was sealed opens. */

#include "fuzz.h"
#include "session/session.h"

static kc_sealer *make_sealer(kc_seal_kind kind)
{
    static const unsigned char bytes[2][32] = {"the newer secret has 32 bytes..",
                                               "the older secret has 32 bytes.."};
    static const kc_secret secrets[] = {{bytes[0], 32}, {bytes[1], 32}};
    static const kc_seal_binding binding = {"session", "kcauth", "https://sso.example.org", "app"};
    kc_sealer *sealer;

    FUZZ_PROMISE(kc_sealer_create(&sealer, kind, &binding, secrets, 2, fuzz_pool()) == APR_SUCCESS);
    return sealer;
}

static void as_text(kc_sealer *sealer, const char *text, size_t len)
{
    unsigned char *buf = malloc(len * 3 / 4 + 1);
    const unsigned char *data;
    apr_size_t data_len;
    int old_key;

    FUZZ_PROMISE(buf != NULL);
    if (kc_unseal(sealer, text, len, buf, &data, &data_len, &old_key) == APR_SUCCESS) {
        FUZZ_PROMISE(data > buf && data + data_len <= buf + len * 3 / 4);
    } else {
        FUZZ_PROMISE(data == NULL && data_len == 0);
    }
    free(buf);
}

static void as_data(kc_sealer *sealer, const uint8_t *data, size_t size)
{
    apr_size_t text_len, opened_len;
    char *text = kc_seal(sealer, data, size, fuzz_pool(), &text_len);
    const unsigned char *opened;
    unsigned char *buf;
    int old_key;

    FUZZ_PROMISE(text != NULL);
    buf = malloc(text_len * 3 / 4);
    FUZZ_PROMISE(buf != NULL);
    FUZZ_PROMISE(kc_unseal(sealer, text, text_len, buf, &opened, &opened_len, &old_key) ==
                 APR_SUCCESS);
    FUZZ_PROMISE(opened_len == size && memcmp(opened, data, size) == 0 && !old_key);
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const kc_seal_kind kinds[] = {KC_SEAL_SIGNED, KC_SEAL_ENCRYPTED};
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        kc_sealer *sealer = make_sealer(kinds[i]);

        as_text(sealer, (const char *)data, size);
        as_data(sealer, data, size);
    }
    apr_pool_clear(fuzz_pool());
    return 0;
}
