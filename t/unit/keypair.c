/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include "keypair.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "unit.h"

EVP_PKEY *keypair_new(const char *alg)
{
    EVP_PKEY *key;

    if (strncmp(alg, "ES", 2) == 0) {
        const char *bits = alg + 2;

        key = EVP_EC_gen(strcmp(bits, "256") == 0   ? "P-256"
                         : strcmp(bits, "384") == 0 ? "P-384"
                                                    : "P-521");
    } else if (strcmp(alg, "EdDSA") == 0) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    } else if (strcmp(alg, "Ed448") == 0) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    } else {
        key = EVP_RSA_gen(2048);
    }
    assert_non_null(key);
    return key;
}

/* A number of the key as base64url, of `len` bytes, or of as few as hold it when len is 0. */
static const char *number(EVP_PKEY *key, const char *name, int len, apr_pool_t *pool)
{
    unsigned char bytes[1024];
    BIGNUM *value = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &value), 1);
    len = len ? len : BN_num_bytes(value);
    assert_int_equal(BN_bn2binpad(value, bytes, len), len);
    BN_free(value);
    return kc_base64url_string(pool, bytes, (apr_size_t)len);
}

static int coordinate_len(EVP_PKEY *key)
{
    return (EVP_PKEY_get_bits(key) + 7) / 8;
}

const char *keypair_jwk(EVP_PKEY *key, const char *members, apr_pool_t *pool)
{
    unsigned char point[57];
    size_t len = sizeof(point);
    int size = coordinate_len(key);

    if (EVP_PKEY_is_a(key, "RSA")) {
        return apr_psprintf(pool, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}",
                            number(key, OSSL_PKEY_PARAM_RSA_N, 0, pool),
                            number(key, OSSL_PKEY_PARAM_RSA_E, 0, pool), members);
    }
    if (EVP_PKEY_is_a(key, "EC")) {
        return apr_psprintf(pool, "{\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"%s}",
                            EVP_PKEY_get_bits(key),
                            number(key, OSSL_PKEY_PARAM_EC_PUB_X, size, pool),
                            number(key, OSSL_PKEY_PARAM_EC_PUB_Y, size, pool), members);
    }
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, point, &len), 1);
    return apr_psprintf(pool, "{\"kty\":\"OKP\",\"crv\":\"%s\",\"x\":\"%s\"%s}",
                        len == 57 ? "Ed448" : "Ed25519", kc_base64url_string(pool, point, len),
                        members);
}

kc_jwks *keypair_set(const char *jwks, apr_pool_t *pool)
{
    const char *text = apr_pstrcat(pool, "{\"keys\":[", jwks, "]}", NULL);
    kc_jwks *set = NULL;

    assert_int_equal(kc_jwks_parse(&set, text, strlen(text), pool, NULL), APR_SUCCESS);
    return set;
}

const char *keypair_text(const char *text, apr_pool_t *pool)
{
    return kc_base64url_string(pool, text, strlen(text));
}

/* DER to r and s, side by side. */
static size_t to_raw(unsigned char *bytes, size_t len, int size)
{
    const unsigned char *der = bytes;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);

    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes, size), size);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), bytes + size, size), size);
    ECDSA_SIG_free(pair);
    return 2 * (size_t)size;
}

const char *keypair_signature(EVP_PKEY *key, const char *alg, const char *input, apr_pool_t *pool)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    const char *digest = NULL;
    unsigned char bytes[1024];
    size_t len = sizeof(bytes);

    if (alg[0] != 'E' || alg[1] != 'd') {
        digest = apr_pstrcat(pool, "SHA", alg + 2, NULL);
    }
    assert_int_equal(EVP_DigestSignInit_ex(context, &options, digest, NULL, NULL, key, NULL), 1);
    if (alg[0] == 'P') {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    assert_int_equal(
        EVP_DigestSign(context, bytes, &len, (const unsigned char *)input, strlen(input)), 1);
    EVP_MD_CTX_free(context);
    if (EVP_PKEY_is_a(key, "EC")) {
        len = to_raw(bytes, len, coordinate_len(key));
    }
    return kc_base64url_string(pool, bytes, len);
}

const char *keypair_token(EVP_PKEY *key, const char *alg, const char *header, const char *payload,
                          apr_pool_t *pool)
{
    const char *input =
        apr_pstrcat(pool, keypair_text(header, pool), ".", keypair_text(payload, pool), NULL);

    return apr_pstrcat(pool, input, ".", keypair_signature(key, alg, input, pool), NULL);
}
