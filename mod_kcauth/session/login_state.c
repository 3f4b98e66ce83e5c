/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * A login under way as a cookie value: [created, 8 bytes][attempt, 4][silent, 4][id, nonce,
 * verifier, target].
 */
#include "session/layout.h"

enum { FIXED_BYTES = 8 + 4 + 4, STRINGS = 4, TEXT_MAX = 4000, CLOCK_SKEW = 60 };

char *kc_login_state_seal(const kc_login_state *state, kc_sealer *sealer, apr_pool_t *pool)
{
    const char *strings[STRINGS] = {state->id, state->nonce, state->verifier, state->target};
    apr_size_t lens[STRINGS], len = FIXED_BYTES, text_len;
    unsigned char *record, *at;
    char *text;
    int i;

    for (i = 0; i < STRINGS; i++) {
        lens[i] = strlen(strings[i]);
        len += KC_NAME_OVERHEAD + lens[i];
    }
    if (len > TEXT_MAX) {
        return NULL;
    }
    record = apr_palloc(pool, len);
    at = kc_put32(kc_put64(record, (apr_uint64_t)state->created), state->attempt);
    at = kc_put32(at, state->silent);
    for (i = 0; i < STRINGS; i++) {
        at = kc_put_name(at, strings[i], lens[i]);
    }
    text = kc_seal(sealer, record, len, pool, &text_len);
    return text && text_len <= TEXT_MAX ? text : NULL;
}

static apr_status_t read_state(kc_login_state *out, const unsigned char *record, apr_size_t len)
{
    apr_size_t at = 0, string_len;
    kc_names strings;

    if (len < FIXED_BYTES ||
        kc_names_read(&strings, record + FIXED_BYTES, len - FIXED_BYTES) != APR_SUCCESS ||
        strings.count != STRINGS) {
        return APR_EINVAL;
    }
    out->created = (apr_int64_t)kc_get64(record);
    out->attempt = kc_get32(record + 8);
    out->silent = kc_get32(record + 12);
    out->id = kc_names_next(&strings, &at, &string_len);
    out->nonce = kc_names_next(&strings, &at, &string_len);
    out->verifier = kc_names_next(&strings, &at, &string_len);
    out->target = kc_names_next(&strings, &at, &string_len);
    return APR_SUCCESS;
}

apr_status_t kc_login_state_open(kc_login_state **out, const char *text, apr_size_t len,
                                 kc_sealer *sealer, apr_time_t now, apr_pool_t *pool)
{
    const apr_int64_t seconds = apr_time_sec(now);
    kc_login_state *state;
    const unsigned char *record;
    unsigned char *buf;
    apr_size_t record_len;

    *out = NULL;
    if (len > TEXT_MAX) {
        return APR_EINVAL;
    }
    buf = apr_palloc(pool, len);
    if (kc_unseal(sealer, text, len, buf, &record, &record_len, NULL) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    state = apr_palloc(pool, sizeof(*state));
    if (read_state(state, record, record_len) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    *out = state;
    if (state->created > seconds + CLOCK_SKEW || state->created < seconds - KC_LOGIN_LIFETIME) {
        return APR_TIMEUP;
    }
    return APR_SUCCESS;
}
