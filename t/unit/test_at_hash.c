/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <string.h>

#include "jose/key.h"
#include "unit.h"

/* The access token and the code of OpenID Connect Core 1.0 appendix A. */
#define ACCESS_TOKEN "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
#define CODE         "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"

/* Hashes of that access token by Python's hashlib: left halves, and starts of SHAKE256. */
#define SHA256_HALF "77QmUPtjPfzWtF2AnpK9RQ"
#define SHA384_HALF "jtAeDp945y1dDqU3nkIVGNZP1HjH_MFs"
#define SHA512_HALF "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM"
#define SHAKE_57    "W6Ie3EoycJT-JESJ2WSAWX7LRP3FuHvmvNycBMeL-NngYGhJXChp7YRUBdOXcrKGZD4qnhCAstjO"
#define SHAKE_32    "W6Ie3EoycJT-JESJ2WSAWX7LRP3FuHvmvNycBMeL-Nk"
#define SHAKE_16    "W6Ie3EoycJT-JESJ2WSAWQ"
#define SHAKE_64 \
    "W6Ie3EoycJT-JESJ2WSAWX7LRP3FuHvmvNycBMeL-NngYGhJXChp7YRUBdOXcrKGZD4qnhCAstjOWUQ_tFkIdw"

static int matches(const char *alg, int curve_bits, const char *token, const char *hash)
{
    kc_jwt jwt = {.alg = kc_alg_find(alg), .curve_bits = curve_bits};

    assert_non_null(jwt.alg);
    return kc_jwt_hash_matches(&jwt, token, hash);
}

static void examples_of_openid_connect_core_hold(void **state)
{
    (void)state;
    assert_true(matches("RS256", 0, ACCESS_TOKEN, SHA256_HALF));
    assert_true(matches("RS256", 0, CODE, "LDktKdoQak3Pk0cnXxCltA"));
}

static void the_algorithm_decides_the_hash(void **state)
{
    static const char *const algs[] = {"RS", "PS", "ES"};
    static const char *const halves[] = {SHA256_HALF, SHA384_HALF, SHA512_HALF};
    static const char *const bits[] = {"256", "384", "512"};
    int family, size, half;

    (void)state;
    for (family = 0; family < 3; family++) {
        for (size = 0; size < 3; size++) {
            char alg[6];

            strcpy(alg, algs[family]);
            strcat(alg, bits[size]);
            for (half = 0; half < 3; half++) {
                assert_int_equal(matches(alg, 0, ACCESS_TOKEN, halves[half]), half == size);
            }
        }
    }
}

static void ed25519_takes_sha512(void **state)
{
    (void)state;
    assert_true(matches("EdDSA", 255, ACCESS_TOKEN, SHA512_HALF));
    assert_false(matches("EdDSA", 255, ACCESS_TOKEN, SHA256_HALF));
    assert_false(matches("EdDSA", 255, ACCESS_TOKEN, SHAKE_57));
    assert_false(matches("EdDSA", 255, ACCESS_TOKEN, SHAKE_32));
}

static void ed448_takes_shake256_of_two_lengths(void **state)
{
    (void)state;
    assert_true(matches("EdDSA", 448, ACCESS_TOKEN, SHAKE_57));
    assert_true(matches("EdDSA", 448, ACCESS_TOKEN, SHAKE_32));
    assert_false(matches("EdDSA", 448, ACCESS_TOKEN, SHAKE_16));
    assert_false(matches("EdDSA", 448, ACCESS_TOKEN, SHAKE_64));
    assert_false(matches("EdDSA", 448, ACCESS_TOKEN, SHA512_HALF));
}

static void nothing_else_matches(void **state)
{
    (void)state;
    assert_false(matches("RS256", 0, ACCESS_TOKEN, ""));
    assert_false(matches("RS256", 0, ACCESS_TOKEN, "7"));
    assert_false(matches("RS256", 0, ACCESS_TOKEN, "77QmUPtjPfzWtF2AnpK9RR"));
    assert_false(matches("RS256", 0, ACCESS_TOKEN, "77QmUPtjPfzWtF2AnpK9R"));
    assert_false(matches("RS256", 0, ACCESS_TOKEN, "77QmUPtjPfzWtF2AnpK9RQ=="));
    assert_false(matches("RS256", 0, ACCESS_TOKEN, "77QmUPtjPfzWtF2AnpK9RQA"));
    assert_false(matches("RS256", 0, ACCESS_TOKEN "x", SHA256_HALF));
    assert_false(matches("RS256", 0, "", SHA256_HALF));
    /* the whole hash, not its half */
    assert_false(matches("RS256", 0, "", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(examples_of_openid_connect_core_hold),
        UNIT_TEST(the_algorithm_decides_the_hash),
        UNIT_TEST(ed25519_takes_sha512),
        UNIT_TEST(ed448_takes_shake256_of_two_lengths),
        UNIT_TEST(nothing_else_matches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
