/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The login state: any text, and any bytes that were sealed with the right key. */

#include "fuzz.h"
#include "session/session.h"

static kc_sealer *make_sealer(void)
{
    static const unsigned char bytes[32] = "a secret that has 32 bytes.....";
    static const kc_secret secret = {bytes, 32};
    static const kc_seal_binding binding = {"state", "kcauth_state_0", "https://sso.example.org",
                                            "app"};
    kc_sealer *sealer;

    FUZZ_PROMISE(kc_sealer_create(&sealer, KC_SEAL_ENCRYPTED, &binding, &secret, 1, fuzz_pool()) ==
                 APR_SUCCESS);
    return sealer;
}

static void open_text(kc_sealer *sealer, const char *text, size_t len)
{
    const apr_time_t now = apr_time_from_sec(1795500000);
    kc_login_state *state, *again;
    apr_status_t rv = kc_login_state_open(&state, text, len, sealer, now, fuzz_pool());
    char *sealed;

    if (rv != APR_SUCCESS && rv != APR_TIMEUP) {
        FUZZ_PROMISE(rv == APR_EINVAL && state == NULL);
        return;
    }
    sealed = kc_login_state_seal(state, sealer, fuzz_pool());
    FUZZ_PROMISE(sealed != NULL);
    FUZZ_PROMISE(kc_login_state_open(&again, sealed, strlen(sealed), sealer, now, fuzz_pool()) ==
                 rv);
    FUZZ_PROMISE(strcmp(again->id, state->id) == 0 && strcmp(again->nonce, state->nonce) == 0);
    FUZZ_PROMISE(strcmp(again->target, state->target) == 0 && again->attempt == state->attempt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kc_sealer *sealer = make_sealer();
    apr_size_t text_len;
    char *text;

    open_text(sealer, (const char *)data, size);
    text = kc_seal(sealer, data, size, fuzz_pool(), &text_len);
    FUZZ_PROMISE(text != NULL);
    open_text(sealer, text, text_len);
    apr_pool_clear(fuzz_pool());
    return 0;
}
