/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <string.h>

#include <apr_strings.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "jose/key.h"
#include "keypair.h"
#include "unit.h"
#include "vectors.h"

#define X256 "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y256 "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define X25519_KEY \
    "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08\"}"

static int count(const char *jwks, apr_pool_t *pool)
{
    return kc_jwks_count(keypair_set(jwks, pool));
}

/* The RSA key of RFC 7515, with further members. */
static const char *rsa_with(const char *members, apr_pool_t *pool)
{
    const char *key = RFC7515_A2_KEY;

    return apr_pstrcat(pool, apr_pstrmemdup(pool, key, strlen(key) - 1), members, "}", NULL);
}

static const char *ec(const char *crv, const char *x, const char *y, apr_pool_t *pool)
{
    return apr_psprintf(pool, "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}", crv, x,
                        y);
}

static void set_of_rfc7517_has_one_key_for_signatures(void **state)
{
    const char *text = RFC7517_A1_SET;
    kc_jwks *set;

    assert_int_equal(kc_jwks_parse(&set, text, strlen(text), *state, NULL), APR_SUCCESS);
    assert_int_equal(kc_jwks_count(set), 1);
    assert_string_equal(set->keys[0].kid, "2011-04-29");
    assert_ptr_equal(set->keys[0].alg, kc_alg_find("RS256"));
    assert_int_equal(EVP_PKEY_get_bits(set->keys[0].pkey), 2048);
}

static void every_kind_is_read(void **state)
{
    static const char *const algs[] = {"RS256", "ES256", "ES384", "ES512", "EdDSA", "Ed448"};
    static const kc_key_kind kinds[] = {KC_KEY_RSA,  KC_KEY_P256,    KC_KEY_P384,
                                        KC_KEY_P521, KC_KEY_ED25519, KC_KEY_ED448};
    apr_size_t i;

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        EVP_PKEY *pair = keypair_new(algs[i]);
        kc_jwks *set = keypair_set(keypair_jwk(pair, "", *state), *state);

        assert_int_equal(kc_jwks_count(set), 1);
        assert_int_equal(set->keys[0].kind, kinds[i]);
        assert_int_equal(EVP_PKEY_eq(set->keys[0].pkey, pair), 1);
        EVP_PKEY_free(pair);
    }
}

static void what_is_no_set_is_an_error(void **state)
{
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"keys\":null}",
        "{\"keys\":{}}",
        "{\"keys\":\"x\"}",
        "<html>",
        "{\"keys\":[]",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"kty\":\"EC\"}]}",
    };
    kc_jwks *set;
    apr_size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        kc_error err = {0};

        assert_int_equal(kc_jwks_parse(&set, texts[i], strlen(texts[i]), *state, &err),
                         APR_EGENERAL);
        assert_int_equal(err.fault, KC_FAULT_PROVIDER);
        assert_string_equal(err.id, "KC0301");
    }
}

static void what_is_no_key_is_passed_over(void **state)
{
    static const char *const others[] = {
        "1",
        "null",
        "[]",
        "{}",
        "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\",\"alg\":"
        "\"HS256\"}",
        "{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\",\"pub\":\"AAAA\"}",
        "{\"kty\":\"rsa\",\"n\":\"AAAA\",\"e\":\"AQAB\"}",
        "{\"kty\":1}",
        "{\"kty\":\"RSA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"}",
        "{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"}",
        X25519_KEY,
    };
    apr_size_t i;

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const char *both = apr_pstrcat(*state, others[i], ",", RFC8037_KEY, NULL);

        if (count(others[i], *state) != 0) {
            fail_msg("%s was read", others[i]);
        }
        assert_int_equal(count(both, *state), 1);
    }
    assert_int_equal(count("", *state), 0);
}

static void keys_for_other_uses_are_passed_over(void **state)
{
    static const char *const fine[] = {
        "",
        ",\"use\":\"sig\"",
        ",\"alg\":\"RS256\"",
        ",\"alg\":\"PS512\"",
        ",\"key_ops\":[\"verify\"]",
        ",\"key_ops\":[\"sign\",\"verify\"]",
        ",\"use\":\"sig\",\"x5c\":[\"MIIB\"],\"x5t\":\"a\",\"ext\":true",
    };
    static const char *const other[] = {
        ",\"use\":\"enc\"",
        ",\"use\":\"Sig\"",
        ",\"use\":\"\"",
        ",\"use\":[\"sig\"]",
        ",\"use\":null",
        ",\"key_ops\":[\"encrypt\"]",
        ",\"key_ops\":[]",
        ",\"key_ops\":\"verify\"",
        ",\"alg\":\"RSA-OAEP\"",
        ",\"alg\":\"HS256\"",
        ",\"alg\":\"none\"",
        ",\"alg\":\"ES256\"",
        ",\"alg\":\"EdDSA\"",
        ",\"alg\":1",
        ",\"alg\":\"\"",
        ",\"alg\":\"rs256\"",
        ",\"kid\":1",
        ",\"kid\":\"\"",
        ",\"use\":\"enc\",\"key_ops\":[\"verify\"]",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        assert_int_equal(count(rsa_with(fine[i], *state), *state), 1);
    }
    for (i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        if (count(rsa_with(other[i], *state), *state) != 0) {
            fail_msg("a key with %s was read", other[i]);
        }
    }
}

/* RFC 7518 section 6.2.1.2: a coordinate is as long as its curve says, zeros included. */
static void points_off_the_curve_are_passed_over(void **state)
{
    apr_pool_t *p = *state;

    assert_int_equal(count(ec("P-256", X256, Y256, p), p), 1);
    assert_int_equal(count(ec("P-256", Y256, X256, p), p), 0);
    assert_int_equal(count(ec("P-256", X256, X256, p), p), 0);
    assert_int_equal(count(ec("P-384", X256, Y256, p), p), 0);
    assert_int_equal(count(ec("P-256", X256 "AA", Y256, p), p), 0);
    assert_int_equal(count(ec("P-256", "AA" X256, Y256, p), p), 0);
    assert_int_equal(count(ec("P-256", X256, X256 "=", p), p), 0);
    assert_int_equal(count(ec("P-256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", p),
                           p),
                     0);
}

static void weak_rsa_keys_are_passed_over(void **state)
{
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    EVP_PKEY *almost = EVP_RSA_gen(2046);
    EVP_PKEY *large = EVP_RSA_gen(3072);

    assert_int_equal(count(keypair_jwk(weak, "", *state), *state), 0);
    assert_int_equal(count(keypair_jwk(almost, "", *state), *state), 0);
    assert_int_equal(count(keypair_jwk(large, "", *state), *state), 1);
    EVP_PKEY_free(weak);
    EVP_PKEY_free(almost);
    EVP_PKEY_free(large);
}

/* The key of RFC 7515 with another exponent: even, one, none, endless. */
static void odd_exponents_are_passed_over(void **state)
{
    static const char *const exponents[] = {"",     "AA",           "AQ", "Ag",
                                            "AQAA", "AQABAQABAQAB", "A",  "=="};
    apr_size_t i;

    for (i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
        const char *key = RFC7515_A2_KEY;
        const char *e = strstr(key, "AQAB");
        const char *changed = apr_pstrcat(
            *state, apr_pstrmemdup(*state, key, (apr_size_t)(e - key)), exponents[i], e + 4, NULL);

        if (count(changed, *state) != 0) {
            fail_msg("exponent '%s' was read", exponents[i]);
        }
    }
}

static void huge_rsa_keys_are_passed_over(void **state)
{
    unsigned char modulus[1200];
    const char *key;

    memset(modulus, 0xff, sizeof(modulus));
    key = apr_psprintf(*state, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"}",
                       kc_base64url_string(*state, modulus, sizeof(modulus)));
    assert_int_equal(count(key, *state), 0);
}

static void at_most_64_keys_are_kept(void **state)
{
    const char *jwks = RFC8037_KEY;
    int i;

    for (i = 0; i < 99; i++) {
        jwks = apr_pstrcat(*state, jwks, ",", RFC8037_KEY, NULL);
    }
    assert_int_equal(count(jwks, *state), 64);
}

static void algorithms_are_found_by_name(void **state)
{
    json_t *names = json_pack("[s,s,s,s,i,n]", "HS256", "none", "ES256", "rs256", 1);
    json_t *all = json_pack("[s,s,s,s,s,s,s,s,s,s]", "RS256", "RS384", "RS512", "PS256", "PS384",
                            "PS512", "ES256", "ES384", "ES512", "EdDSA");

    (void)state;
    assert_int_equal(kc_alg_named(names), kc_alg_bit(kc_alg_find("ES256")));
    assert_int_equal(kc_alg_named(all), kc_alg_all());
    assert_int_equal(kc_alg_named(NULL), 0);
    assert_null(kc_alg_find("none"));
    assert_null(kc_alg_find("HS256"));
    assert_null(kc_alg_find(""));
    json_decref(names);
    json_decref(all);
}

static void no_errors_are_left_behind(void **state)
{
    ERR_clear_error();
    assert_int_equal(count(ec("P-256", Y256, X256, *state), *state), 0);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(set_of_rfc7517_has_one_key_for_signatures),
        UNIT_TEST(every_kind_is_read),
        UNIT_TEST(what_is_no_set_is_an_error),
        UNIT_TEST(what_is_no_key_is_passed_over),
        UNIT_TEST(keys_for_other_uses_are_passed_over),
        UNIT_TEST(points_off_the_curve_are_passed_over),
        UNIT_TEST(weak_rsa_keys_are_passed_over),
        UNIT_TEST(odd_exponents_are_passed_over),
        UNIT_TEST(huge_rsa_keys_are_passed_over),
        UNIT_TEST(at_most_64_keys_are_kept),
        UNIT_TEST(algorithms_are_found_by_name),
        UNIT_TEST(no_errors_are_left_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
