/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Tokens with a good signature and any content: a line of header, then the claims. They are signed
 * here, so that the rules behind the signature are reached.
 */
#ifndef KC_FUZZ_SIGNED_H
#define KC_FUZZ_SIGNED_H

#include <openssl/evp.h>

#include "fuzz.h"
#include "jose/jose.h"

/** One key pair for the whole run, the same in each. */
static inline EVP_PKEY *signing_key(void)
{
    static const unsigned char seed[32] = "thirty-two bytes of an Ed25519.";
    static EVP_PKEY *key;

    if (!key) {
        key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
        FUZZ_PROMISE(key != NULL);
    }
    return key;
}

static inline kc_jwks *public_keys(void)
{
    apr_pool_t *pool = fuzz_pool();
    unsigned char raw[32];
    size_t len = sizeof(raw);
    const char *text;
    kc_jwks *keys;

    FUZZ_PROMISE(EVP_PKEY_get_raw_public_key(signing_key(), raw, &len) == 1);
    text = apr_pstrcat(pool, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"",
                       kc_base64url_string(pool, raw, len), "\"}]}", NULL);
    FUZZ_PROMISE(kc_jwks_parse(&keys, text, strlen(text), pool, NULL) == APR_SUCCESS);
    FUZZ_PROMISE(kc_jwks_count(keys) == 1);
    return keys;
}

static inline const char *sign(const char *header, size_t header_len, const char *claims,
                               size_t claims_len)
{
    apr_pool_t *pool = fuzz_pool();
    const char *input = apr_pstrcat(pool, kc_base64url_string(pool, header, header_len), ".",
                                    kc_base64url_string(pool, claims, claims_len), NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char signature[64];
    size_t len = sizeof(signature);

    FUZZ_PROMISE(ctx &&
                 EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, signing_key(), NULL) == 1);
    FUZZ_PROMISE(
        EVP_DigestSign(ctx, signature, &len, (const unsigned char *)input, strlen(input)) == 1);
    EVP_MD_CTX_free(ctx);
    return apr_pstrcat(pool, input, ".", kc_base64url_string(pool, signature, len), NULL);
}

/** The input as a token that verifies, of the pool; NULL when it cannot be one. */
static inline kc_jwt *fuzz_jwt(const uint8_t *data, size_t size)
{
    const char *header = (const char *)data, *end = header + size;
    const char *claims = size ? memchr(header, '\n', size) : NULL;
    const char *token;
    kc_jwt *jwt;

    if (!claims) {
        return NULL;
    }
    token = sign(header, (size_t)(claims - header), claims + 1, (size_t)(end - claims - 1));
    if (kc_jwt_verify(&jwt, token, public_keys(), kc_alg_all(), fuzz_pool(), NULL) != APR_SUCCESS) {
        return NULL;
    }
    FUZZ_PROMISE(jwt->curve_bits == 255);
    FUZZ_PROMISE(!json_object_get(jwt->header, "crit"));
    return jwt;
}

#endif
