/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * One secret, one key per purpose: HKDF-SHA-256.
 */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "session/keys.h"
#include "session/layout.h"

static int derive(EVP_KDF_CTX *ctx, unsigned char *out, apr_size_t out_len, const kc_secret *secret,
                  const void *salt, apr_size_t salt_len, const void *info, apr_size_t info_len)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[5], *next = params;

    *next++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    *next++ =
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret->bytes, secret->len);
    /* OpenSSL 3.0 takes an absent salt, but no empty one. */
    if (salt_len) {
        *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_len);
    }
    if (info_len) {
        *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_len);
    }
    *next = OSSL_PARAM_construct_end();
    return EVP_KDF_derive(ctx, out, out_len, params) == 1;
}

apr_status_t kc_hkdf(unsigned char *out, apr_size_t out_len, const kc_secret *secret,
                     const void *salt, apr_size_t salt_len, const void *info, apr_size_t info_len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    int done = ctx && derive(ctx, out, out_len, secret, salt, salt_len, info, info_len);

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return done ? APR_SUCCESS : APR_EGENERAL;
}

/**
 * Each part has its length before it, so that no two bindings give the same bytes.
 */
static unsigned char *binding_info(apr_size_t *len, kc_seal_kind kind,
                                   const kc_seal_binding *binding, apr_pool_t *pool)
{
    const char *parts[] = {binding->purpose, binding->cookie, binding->issuer, binding->client_id};
    const apr_size_t count = sizeof(parts) / sizeof(parts[0]);
    unsigned char *info, *at;
    apr_size_t i;

    *len = 2;
    for (i = 0; i < count; i++) {
        *len += 4 + strlen(parts[i]);
    }
    at = info = apr_palloc(pool, *len);
    *at++ = KC_FORMAT_VERSION;
    *at++ = (unsigned char)kind;
    for (i = 0; i < count; i++) {
        at = kc_put32(at, (apr_uint32_t)strlen(parts[i]));
        memcpy(at, parts[i], strlen(parts[i]));
        at += strlen(parts[i]);
    }
    return info;
}

apr_status_t kc_key_derive(unsigned char out[KC_KEY_BYTES], const kc_secret *secret,
                           kc_seal_kind kind, const kc_seal_binding *binding, apr_pool_t *pool)
{
    unsigned char *info;
    apr_size_t len;

    if (secret->len < KC_SECRET_MIN) {
        return APR_EINVAL;
    }
    info = binding_info(&len, kind, binding, pool);
    return kc_hkdf(out, KC_KEY_BYTES, secret, NULL, 0, info, len);
}
