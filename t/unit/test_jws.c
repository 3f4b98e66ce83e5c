/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <string.h>

#include <apr_strings.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/rsa.h>

#include "jose/key.h"
#include "keypair.h"
#include "unit.h"
#include "vectors.h"

static const kc_jwk *only_key(const char *jwk, apr_pool_t *pool)
{
    const kc_jwks *set = keypair_set(jwk, pool);

    assert_int_equal(kc_jwks_count(set), 1);
    return &set->keys[0];
}

static int holds(const kc_jwk *key, const char *alg, const char *input, const char *signature)
{
    unsigned char bytes[2048];
    apr_size_t len;

    assert_int_equal(kc_base64url_decode(bytes, &len, signature, strlen(signature)), APR_SUCCESS);
    return kc_jws_verify(kc_alg_find(alg), key, input, strlen(input), bytes, len);
}

/* The token's signature holds, and holds no more when a bit of the text or of itself is changed. */
static void assert_token_holds(const char *jwk, const char *alg, const char *token,
                               apr_pool_t *pool)
{
    const kc_jwk *key = only_key(jwk, pool);
    char *input = apr_pstrdup(pool, token);
    char *signature = strrchr(input, '.');

    *signature++ = '\0';
    assert_true(holds(key, alg, input, signature));
    input[3] ^= 1;
    assert_false(holds(key, alg, input, signature));
    input[3] ^= 1;
    signature[20] = signature[20] == 'A' ? 'B' : 'A';
    assert_false(holds(key, alg, input, signature));
}

static void vectors_of_rfc7515_hold(void **state)
{
    assert_token_holds(RFC7515_A2_KEY, "RS256", RFC7515_A2_TOKEN, *state);
    assert_token_holds(RFC7515_A3_KEY, "ES256", RFC7515_A3_TOKEN, *state);
    assert_token_holds(RFC7515_A4_KEY, "ES512", RFC7515_A4_TOKEN, *state);
}

static void vectors_of_rfc7520_hold(void **state)
{
    assert_token_holds(RFC7520_RSA_KEY, "RS256", RFC7520_4_1_TOKEN, *state);
    assert_token_holds(RFC7520_RSA_KEY, "PS384", RFC7520_4_2_TOKEN, *state);
    assert_token_holds(RFC7520_EC_KEY, "ES512", RFC7520_4_3_TOKEN, *state);
}

static void vector_of_rfc8037_holds(void **state)
{
    assert_token_holds(RFC8037_KEY, "EdDSA", RFC8037_TOKEN, *state);
}

/* A key of one algorithm: its signature holds under it and under no other of the same kind. */
static void assert_signs(const char *alg, const char *name, apr_pool_t *pool)
{
    static const char *const names[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                        "PS512", "ES256", "ES384", "ES512", "EdDSA"};
    EVP_PKEY *pair = keypair_new(alg);
    const kc_jwk *key = only_key(keypair_jwk(pair, "", pool), pool);
    const char *signature = keypair_signature(pair, alg, "a.b", pool);
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (kc_alg_find(names[i])->kinds & key->kind) {
            assert_int_equal(holds(key, names[i], "a.b", signature), strcmp(names[i], name) == 0);
        }
    }
    assert_false(holds(key, name, "a.c", signature));
    assert_false(holds(key, name, "", signature));
    EVP_PKEY_free(pair);
}

static void every_algorithm_holds_for_itself_alone(void **state)
{
    static const char *const algs[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                       "PS512", "ES256", "ES384", "ES512"};
    apr_size_t i;

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        assert_signs(algs[i], algs[i], *state);
    }
    assert_signs("EdDSA", "EdDSA", *state);
    assert_signs("Ed448", "EdDSA", *state);
}

/* One byte less, one more, twice as many, none: for each kind of key. */
static void lengths_are_strict(void **state)
{
    static const char *const algs[] = {"RS256", "PS256", "ES256", "ES384",
                                       "ES512", "EdDSA", "Ed448"};
    unsigned char bytes[2048];
    apr_size_t i, len, other;

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        const char *name = strcmp(algs[i], "Ed448") == 0 ? "EdDSA" : algs[i];
        const kc_alg *alg = kc_alg_find(name);
        EVP_PKEY *pair = keypair_new(algs[i]);
        const kc_jwk *key = only_key(keypair_jwk(pair, "", *state), *state);
        const char *signature = keypair_signature(pair, algs[i], "a.b", *state);

        memset(bytes, 0, sizeof(bytes));
        assert_int_equal(kc_base64url_decode(bytes, &len, signature, strlen(signature)),
                         APR_SUCCESS);
        for (other = 0; other <= 2 * len; other++) {
            assert_int_equal(kc_jws_verify(alg, key, "a.b", 3, bytes, other), other == len);
        }
        EVP_PKEY_free(pair);
    }
}

/*
 * A signature that begins with a zero byte is the same number without it; OpenSSL takes the short
 * one for PS. One in 256 begins so: sign until it does.
 */
static void leading_zeros_belong_to_the_signature(void **state)
{
    EVP_PKEY *pair = keypair_new("PS256");
    const kc_jwk *key = only_key(keypair_jwk(pair, "", *state), *state);
    unsigned char bytes[512];
    apr_size_t len;

    do {
        const char *signature = keypair_signature(pair, "PS256", "a.b", *state);

        assert_int_equal(kc_base64url_decode(bytes, &len, signature, strlen(signature)),
                         APR_SUCCESS);
    } while (bytes[0] != 0);
    assert_true(kc_jws_verify(kc_alg_find("PS256"), key, "a.b", 3, bytes, len));
    assert_false(kc_jws_verify(kc_alg_find("PS256"), key, "a.b", 3, bytes + 1, len - 1));
    EVP_PKEY_free(pair);
}

/* CVE-2022-21449: r and s must be 1 to n - 1. */
static void ecdsa_numbers_out_of_range_are_refused(void **state)
{
    EVP_PKEY *pair = keypair_new("ES256");
    const kc_jwk *key = only_key(keypair_jwk(pair, "", *state), *state);
    const kc_alg *alg = kc_alg_find("ES256");
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    const char *signature = keypair_signature(pair, "ES256", "a.b", *state);
    unsigned char good[64], bad[64], order[32];
    apr_size_t len;

    assert_int_equal(kc_base64url_decode(good, &len, signature, strlen(signature)), APR_SUCCESS);
    BN_bn2binpad(EC_GROUP_get0_order(group), order, 32);
    memset(bad, 0, 64);
    assert_false(kc_jws_verify(alg, key, "a.b", 3, bad, 64));
    memcpy(bad, good, 32);
    assert_false(kc_jws_verify(alg, key, "a.b", 3, bad, 64));
    memset(bad, 0, 32);
    memcpy(bad + 32, good + 32, 32);
    assert_false(kc_jws_verify(alg, key, "a.b", 3, bad, 64));
    memcpy(bad, order, 32);
    assert_false(kc_jws_verify(alg, key, "a.b", 3, bad, 64));
    memcpy(bad, good, 32);
    memcpy(bad + 32, order, 32);
    assert_false(kc_jws_verify(alg, key, "a.b", 3, bad, 64));
    memset(bad, 0xff, 64);
    assert_false(kc_jws_verify(alg, key, "a.b", 3, bad, 64));
    assert_true(kc_jws_verify(alg, key, "a.b", 3, good, 64));
    EC_GROUP_free(group);
    EVP_PKEY_free(pair);
}

/* The length of DER can be that of r and s: a DER signature is still none. */
static void der_is_no_jws_signature(void **state)
{
    EVP_PKEY *pair = keypair_new("ES256");
    const kc_jwk *key = only_key(keypair_jwk(pair, "", *state), *state);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char der[128];
    size_t len = sizeof(der);

    assert_int_equal(EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, pair, NULL), 1);
    assert_int_equal(EVP_DigestSign(context, der, &len, (const unsigned char *)"a.b", 3), 1);
    assert_false(kc_jws_verify(kc_alg_find("ES256"), key, "a.b", 3, der, len));
    assert_false(kc_jws_verify(kc_alg_find("ES256"), key, "a.b", 3, der, 64));
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pair);
}

/* RFC 7518 section 3.5: the salt is as long as the hash, or it is another scheme. */
static void pss_salts_of_other_lengths_are_refused(void **state)
{
    static const int lengths[] = {0, 20, 31, 32, 33, RSA_PSS_SALTLEN_MAX};
    EVP_PKEY *pair = keypair_new("PS256");
    const kc_jwk *key = only_key(keypair_jwk(pair, "", *state), *state);
    apr_size_t i;

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        EVP_PKEY_CTX *options;
        unsigned char bytes[512];
        size_t len = sizeof(bytes);

        EVP_DigestSignInit_ex(context, &options, "SHA256", NULL, NULL, pair, NULL);
        EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(options, lengths[i]);
        assert_int_equal(EVP_DigestSign(context, bytes, &len, (const unsigned char *)"a.b", 3), 1);
        assert_int_equal(kc_jws_verify(kc_alg_find("PS256"), key, "a.b", 3, bytes, len),
                         lengths[i] == 32);
        EVP_MD_CTX_free(context);
    }
    EVP_PKEY_free(pair);
}

/* The server's TLS looks at the same queue and would take our errors for its own. */
static void no_errors_are_left_behind(void **state)
{
    const kc_jwk *rsa = only_key(RFC7515_A2_KEY, *state);
    const kc_jwk *ec = only_key(RFC7515_A3_KEY, *state);
    unsigned char bytes[256] = {0};

    ERR_clear_error();
    assert_false(kc_jws_verify(kc_alg_find("RS256"), rsa, "a.b", 3, bytes, 256));
    assert_false(kc_jws_verify(kc_alg_find("ES256"), ec, "a.b", 3, bytes, 64));
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(vectors_of_rfc7515_hold),
        UNIT_TEST(vectors_of_rfc7520_hold),
        UNIT_TEST(vector_of_rfc8037_holds),
        UNIT_TEST(every_algorithm_holds_for_itself_alone),
        UNIT_TEST(lengths_are_strict),
        UNIT_TEST(leading_zeros_belong_to_the_signature),
        UNIT_TEST(ecdsa_numbers_out_of_range_are_refused),
        UNIT_TEST(der_is_no_jws_signature),
        UNIT_TEST(pss_salts_of_other_lengths_are_refused),
        UNIT_TEST(no_errors_are_left_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
