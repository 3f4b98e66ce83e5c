/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The sealer: base64url around a sealed record, one set of contexts for each secret.
 */
#include <string.h>

#include <openssl/crypto.h>

#include "session/methods.h"

enum { SECRETS_MAX = 8, DATA_MAX = 16 * 1024 * 1024, TEXT_MAX = DATA_MAX / 3 * 4 };

struct kc_sealer {
    const kc_seal_method *method;
    int count;
    kc_contexts *keys[SECRETS_MAX];
};

static apr_status_t add_key(kc_sealer *sealer, const kc_secret *secret, kc_seal_kind kind,
                            const kc_seal_binding *binding, apr_pool_t *pool)
{
    unsigned char key[KC_KEY_BYTES];
    apr_status_t rv = kc_key_derive(key, secret, kind, binding, pool);

    if (rv == APR_SUCCESS) {
        sealer->keys[sealer->count++] = kc_contexts_create(&sealer->method->context, key, pool);
    }
    OPENSSL_cleanse(key, sizeof(key));
    return rv;
}

/** Whether OpenSSL has what the method needs; better known at the start than at a request. */
static apr_status_t try_out(kc_contexts *contexts)
{
    void *context = kc_contexts_take(contexts);

    if (!context) {
        return APR_EGENERAL;
    }
    kc_contexts_give(contexts, context);
    return APR_SUCCESS;
}

apr_status_t kc_sealer_create(kc_sealer **out, kc_seal_kind kind, const kc_seal_binding *binding,
                              const kc_secret *secrets, int count, apr_pool_t *pool)
{
    kc_sealer *sealer = apr_pcalloc(pool, sizeof(*sealer));
    apr_status_t rv = APR_SUCCESS;
    int i;

    *out = NULL;
    if (count < 1 || count > SECRETS_MAX) {
        return APR_EINVAL;
    }
    sealer->method = kind == KC_SEAL_SIGNED ? &kc_seal_signed : &kc_seal_encrypted;
    for (i = 0; i < count && rv == APR_SUCCESS; i++) {
        rv = add_key(sealer, &secrets[i], kind, binding, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = try_out(sealer->keys[0]);
    }
    if (rv == APR_SUCCESS) {
        *out = sealer;
    }
    return rv;
}

/** Lends a context of the key to the method's protect or check. */
static int with_context(kc_contexts *contexts,
                        int (*work)(void *context, unsigned char *sealed, apr_size_t data_len),
                        unsigned char *sealed, apr_size_t data_len)
{
    void *context = kc_contexts_take(contexts);
    int done;

    if (!context) {
        return 0;
    }
    done = work(context, sealed, data_len);
    kc_contexts_give(contexts, context);
    return done;
}

char *kc_seal(kc_sealer *sealer, const void *data, apr_size_t len, apr_pool_t *pool,
              apr_size_t *text_len)
{
    const kc_seal_method *method = sealer->method;
    apr_size_t sealed_len = method->front + len + method->back;
    unsigned char *sealed;

    if (len > DATA_MAX - method->front - method->back) {
        return NULL;
    }
    sealed = apr_palloc(pool, sealed_len);
    sealed[0] = KC_FORMAT_VERSION;
    if (len) {
        memcpy(sealed + method->front, data, len);
    }
    if (!with_context(sealer->keys[0], method->protect, sealed, len)) {
        return NULL;
    }
    if (text_len) {
        *text_len = kc_base64url_length(sealed_len);
    }
    return kc_base64url_string(pool, sealed, sealed_len);
}

apr_status_t kc_unseal(kc_sealer *sealer, const char *text, apr_size_t text_len, unsigned char *buf,
                       const unsigned char **data, apr_size_t *data_len, int *old_key)
{
    const kc_seal_method *method = sealer->method;
    const apr_size_t overhead = method->front + method->back;
    apr_size_t len;
    int i;

    *data = NULL;
    *data_len = 0;
    if (old_key) {
        *old_key = 0;
    }
    for (i = 0; i < sealer->count && text_len <= TEXT_MAX; i++) {
        /* Decoded anew for each key, since decryption with a wrong one leaves garbage. */
        if (kc_base64url_decode(buf, &len, text, text_len) != APR_SUCCESS || len < overhead ||
            buf[0] != KC_FORMAT_VERSION) {
            break;
        }
        if (with_context(sealer->keys[i], method->check, buf, len - overhead)) {
            *data = buf + method->front;
            *data_len = len - overhead;
            if (old_key) {
                *old_key = i > 0;
            }
            return APR_SUCCESS;
        }
    }
    return APR_EINVAL;
}
