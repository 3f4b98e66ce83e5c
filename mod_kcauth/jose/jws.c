/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* One signature under one key, RFC 7518 sections 3.3 to 3.5 and RFC 8037 section 3.1. */

#include "jose/key.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

/*
 * RFC 7518 section 3.4: R and S side by side, each as long as a coordinate. OpenSSL wants DER.
 * Returns what OPENSSL_free frees, or NULL.
 */
static unsigned char *ecdsa_der(const unsigned char *raw, apr_size_t len, int *der_len)
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)(len / 2), NULL);
    BIGNUM *s = BN_bin2bn(raw + len / 2, (int)(len / 2), NULL);
    unsigned char *der = NULL;

    if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
        *der_len = i2d_ECDSA_SIG(pair, &der);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(pair);
    return der;
}

/* How long a signature of the key is: exactly. */
static apr_size_t signature_length(const kc_jwk *key)
{
    if (key->kind & KC_KEYS_EC) {
        return 2 * (((apr_size_t)EVP_PKEY_get_bits(key->pkey) + 7) / 8);
    }
    return (apr_size_t)EVP_PKEY_get_size(key->pkey);
}

static int verify(const kc_alg *alg, const kc_jwk *key, const void *text, apr_size_t text_len,
                  const unsigned char *signature, apr_size_t len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    int holds;

    /* PS: MGF1 by the same digest is OpenSSL's default, the salt's length is not. */
    holds =
        context &&
        EVP_DigestVerifyInit_ex(context, &options, alg->digest, NULL, NULL, key->pkey, NULL) == 1 &&
        (!alg->pss || (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) > 0 &&
                       EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) > 0)) &&
        EVP_DigestVerify(context, signature, len, text, text_len) == 1;
    EVP_MD_CTX_free(context);
    return holds;
}

int kc_jws_verify(const kc_alg *alg, const kc_jwk *key, const void *text, apr_size_t text_len,
                  const unsigned char *signature, apr_size_t len)
{
    unsigned char *der = NULL;
    int der_len = 0;
    int holds;

    if (len != signature_length(key)) {
        return 0;
    }
    /* A bad signature leaves its errors behind, which the server's own TLS would trip over. */
    ERR_set_mark();
    if (key->kind & KC_KEYS_EC) {
        der = ecdsa_der(signature, len, &der_len);
        holds = der && verify(alg, key, text, text_len, der, (apr_size_t)der_len);
        OPENSSL_free(der);
    } else {
        holds = verify(alg, key, text, text_len, signature, len);
    }
    ERR_pop_to_mark();
    return holds;
}
