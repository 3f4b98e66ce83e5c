/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <openssl/hmac.h>

#include "jose/jose.h"
#include "keypair.h"
#include "unit.h"
#include "vectors.h"

#define CLAIMS "{\"iss\":\"https://a\",\"sub\":\"b\"}"

/* Made once: RSA keys take their time. */
static EVP_PKEY *rsa, *other_rsa, *ec, *ed25519, *ed448;

static int make_keys(void **state)
{
    (void)state;
    rsa = keypair_new("RS256");
    other_rsa = keypair_new("RS256");
    ec = keypair_new("ES256");
    ed25519 = keypair_new("EdDSA");
    ed448 = keypair_new("Ed448");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(other_rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed25519);
    EVP_PKEY_free(ed448);
    return 0;
}

static const char *jwk(EVP_PKEY *key, const char *kid, apr_pool_t *pool)
{
    return keypair_jwk(key, kid ? apr_psprintf(pool, ",\"kid\":\"%s\"", kid) : "", pool);
}

static const char *two(const char *first, const char *second, apr_pool_t *pool)
{
    return apr_pstrcat(pool, first, ",", second, NULL);
}

/* A token of the RSA key, RS256, with this header. */
static const char *with_header(const char *header, apr_pool_t *pool)
{
    return keypair_token(rsa, "RS256", header, CLAIMS, pool);
}

static kc_jwt *assert_verifies(const char *token, const char *jwks, apr_pool_t *pool)
{
    kc_error err = {0};
    kc_jwt *jwt = NULL;

    if (kc_jwt_verify(&jwt, token, keypair_set(jwks, pool), kc_alg_all(), pool, &err) !=
        APR_SUCCESS) {
        fail_msg("%s: %s", err.id, err.text);
    }
    return jwt;
}

static void assert_fails_with(const char *token, const char *jwks, kc_alg_set allowed,
                              apr_status_t status, const char *id, apr_pool_t *pool)
{
    kc_error err = {0};
    kc_jwt *jwt = NULL;

    assert_int_equal(kc_jwt_verify(&jwt, token, keypair_set(jwks, pool), allowed, pool, &err),
                     status);
    assert_null(jwt);
    assert_int_equal(err.fault, KC_FAULT_PROVIDER);
    assert_string_equal(err.id, id);
}

static void assert_refused(const char *token, const char *id, apr_pool_t *pool)
{
    assert_fails_with(token, jwk(rsa, "a", pool), kc_alg_all(), APR_EGENERAL, id, pool);
}

static void a_token_is_read(void **state)
{
    const char *token = with_header("{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"a\"}", *state);
    kc_jwt *jwt = assert_verifies(token, jwk(rsa, "a", *state), *state);

    assert_string_equal(jwt->typ, "JWT");
    assert_string_equal(jwt->kid, "a");
    assert_string_equal(kc_json_string(jwt->header, "alg"), "RS256");
    assert_string_equal(kc_json_string(jwt->claims, "sub"), "b");
    assert_int_equal(jwt->curve_bits, 0);
}

static void vectors_of_rfc7515_verify(void **state)
{
    kc_jwt *jwt = assert_verifies(RFC7515_A2_TOKEN, RFC7515_A2_KEY, *state);
    apr_int64_t exp;

    assert_string_equal(kc_json_string(jwt->claims, "iss"), "joe");
    jwt = assert_verifies(RFC7515_A3_TOKEN, RFC7515_A3_KEY, *state);
    assert_true(kc_json_integer(jwt->claims, "exp", &exp));
    assert_int_equal(exp, 1300819380);
    assert_null(jwt->typ);
    assert_null(jwt->kid);
}

/* Their signatures hold, but what they sign is no claims set. */
static void payloads_that_are_no_object_are_refused(void **state)
{
    assert_fails_with(RFC7515_A4_TOKEN, RFC7515_A4_KEY, kc_alg_all(), APR_EGENERAL, "KC0303",
                      *state);
    assert_fails_with(RFC8037_TOKEN, RFC8037_KEY, kc_alg_all(), APR_EGENERAL, "KC0303", *state);
    assert_refused(keypair_token(rsa, "RS256", "{\"alg\":\"RS256\"}", "[]", *state), "KC0303",
                   *state);
    assert_refused(
        keypair_token(rsa, "RS256", "{\"alg\":\"RS256\"}", "{\"sub\":\"a\",\"sub\":\"b\"}", *state),
        "KC0303", *state);
    assert_refused(keypair_token(rsa, "RS256", "{\"alg\":\"RS256\"}", "{\"sub\":\"\xff\"}", *state),
                   "KC0303", *state);
}

static void every_algorithm_verifies(void **state)
{
    static const char *const algs[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                       "PS512", "ES256", "ES384", "ES512"};
    apr_size_t i;

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        EVP_PKEY *key = algs[i][0] == 'E' ? keypair_new(algs[i]) : rsa;
        const char *header = apr_psprintf(*state, "{\"alg\":\"%s\"}", algs[i]);
        const char *token = keypair_token(key, algs[i], header, CLAIMS, *state);

        assert_verifies(token, jwk(key, NULL, *state), *state);
        if (key != rsa) {
            EVP_PKEY_free(key);
        }
    }
}

static void the_curve_of_eddsa_is_told(void **state)
{
    const char *header = "{\"alg\":\"EdDSA\",\"kid\":\"a\"}";
    const char *small = keypair_token(ed25519, "EdDSA", header, CLAIMS, *state);
    const char *large = keypair_token(ed448, "EdDSA", header, CLAIMS, *state);
    const char *both = two(jwk(ed25519, "a", *state), jwk(ed448, "a", *state), *state);

    assert_int_equal(assert_verifies(small, both, *state)->curve_bits, 255);
    assert_int_equal(assert_verifies(large, both, *state)->curve_bits, 448);
}

static void none_is_no_algorithm(void **state)
{
    static const char *const names[] = {"none",  "None",     "NONE",  "nOnE",   "",    "HS256",
                                        "HS512", "RSA-OAEP", "rs256", "RS256 ", "RS1", "ES256K"};
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *header = apr_psprintf(*state, "{\"alg\":\"%s\",\"kid\":\"a\"}", names[i]);

        assert_refused(with_header(header, *state), "KC0304", *state);
    }
    assert_refused(with_header("{\"kid\":\"a\"}", *state), "KC0304", *state);
    assert_refused(with_header("{\"alg\":[\"RS256\"],\"kid\":\"a\"}", *state), "KC0304", *state);
    assert_refused(with_header("{\"alg\":null,\"kid\":\"a\"}", *state), "KC0304", *state);
    /* with the empty signature that RFC 7515 appendix A.5 gives it */
    assert_refused("eyJhbGciOiJub25lIn0." RFC7515_PAYLOAD ".", "KC0302", *state);
}

/* The public key as an HMAC secret: the trick that mixes up kinds of keys. */
static void hs256_with_the_public_key_is_refused(void **state)
{
    const char *input =
        apr_pstrcat(*state, keypair_text("{\"alg\":\"HS256\",\"kid\":\"a\"}", *state), ".",
                    keypair_text(CLAIMS, *state), NULL);
    const char *secret = jwk(rsa, "a", *state);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len;

    assert_non_null(HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)input,
                         strlen(input), mac, &len));
    assert_refused(apr_pstrcat(*state, input, ".", kc_base64url_string(*state, mac, len), NULL),
                   "KC0304", *state);
}

static void only_allowed_algorithms_are_used(void **state)
{
    json_t *names = json_pack("[s,s]", "ES256", "PS256");
    const char *token = with_header("{\"alg\":\"RS256\"}", *state);
    const char *keys = jwk(rsa, NULL, *state);

    assert_fails_with(token, keys, kc_alg_named(names), APR_EGENERAL, "KC0304", *state);
    assert_fails_with(token, keys, 0, APR_EGENERAL, "KC0304", *state);
    json_decref(names);
}

static void headers_that_change_the_rules_are_refused(void **state)
{
    static const char *const members[] = {
        "\"crit\":[\"exp\"],\"exp\":1",
        "\"crit\":[]",
        "\"crit\":null",
        "\"b64\":false",
        "\"b64\":true",
        "\"zip\":\"DEF\"",
        "\"cty\":\"JWT\"",
        "\"cty\":\"\"",
        "\"crit\":[\"b64\"],\"b64\":false",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const char *header = apr_psprintf(*state, "{\"alg\":\"RS256\",%s}", members[i]);

        assert_refused(with_header(header, *state), "KC0305", *state);
    }
}

static void headers_that_are_no_object_are_refused(void **state)
{
    static const char *const headers[] = {
        "[]",
        "\"RS256\"",
        "{\"alg\":\"RS256\",\"alg\":\"RS256\"}",
        "{\"alg\":\"RS256\",\"kid\":\"a\",\"kid\":\"b\"}",
        "{\"alg\":\"RS256\"} x",
        "{\"alg\":\"RS256\",\"kid\":1}",
        "{\"alg\":\"RS256\",\"kid\":\"\"}",
        "{\"alg\":\"RS256\",\"kid\":null}",
        "{\"alg\":\"RS256\",\"typ\":{}}",
        "{\"alg\":\"RS256\",\"x\":\"\\u0000\"}",
        "{\"alg\":\"RS256\",\"x\":\"\xc0\xaf\"}",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_refused(with_header(headers[i], *state), "KC0303", *state);
    }
}

/* A header may bring keys and addresses; they count for nothing either way. */
static void keys_in_the_header_are_never_looked_at(void **state)
{
    const char *header = apr_psprintf(*state,
                                      "{\"alg\":\"RS256\",\"kid\":\"a\",\"jwk\":%s,"
                                      "\"jku\":\"https://evil.example/\",\"x5u\":\"https://e\","
                                      "\"x5c\":[\"MIIB\"]}",
                                      jwk(other_rsa, "a", *state));

    assert_refused(keypair_token(other_rsa, "RS256", header, CLAIMS, *state), "KC0308", *state);
    assert_verifies(with_header(header, *state), jwk(rsa, "a", *state), *state);
}

static void the_kid_names_the_key(void **state)
{
    apr_pool_t *p = *state;
    const char *keys = two(jwk(rsa, "a", p), jwk(other_rsa, "b", p), p);

    assert_verifies(with_header("{\"alg\":\"RS256\",\"kid\":\"a\"}", p), keys, p);
    assert_fails_with(with_header("{\"alg\":\"RS256\",\"kid\":\"b\"}", p), keys, kc_alg_all(),
                      APR_EGENERAL, "KC0308", p);
    assert_fails_with(with_header("{\"alg\":\"RS256\",\"kid\":\"c\"}", p), keys, kc_alg_all(),
                      APR_NOTFOUND, "KC0306", p);
    assert_fails_with(with_header("{\"alg\":\"RS256\",\"kid\":\"A\"}", p), keys, kc_alg_all(),
                      APR_NOTFOUND, "KC0306", p);
    assert_fails_with(with_header("{\"alg\":\"RS256\",\"kid\":\"a\"}", p), jwk(rsa, NULL, p),
                      kc_alg_all(), APR_NOTFOUND, "KC0306", p);
    assert_fails_with(with_header("{\"alg\":\"RS256\",\"kid\":\"a\"}", p), "", kc_alg_all(),
                      APR_NOTFOUND, "KC0306", p);
}

static void one_kid_may_be_that_of_several_keys(void **state)
{
    apr_pool_t *p = *state;
    const char *keys = two(jwk(other_rsa, "a", p), two(jwk(ec, "a", p), jwk(rsa, "a", p), p), p);

    assert_verifies(with_header("{\"alg\":\"RS256\",\"kid\":\"a\"}", p), keys, p);
}

static void without_kid_exactly_one_key_must_fit(void **state)
{
    apr_pool_t *p = *state;
    const char *token = with_header("{\"alg\":\"RS256\"}", p);

    assert_verifies(token, jwk(rsa, NULL, p), p);
    assert_verifies(token, jwk(rsa, "a", p), p);
    assert_verifies(token, two(jwk(ec, "b", p), jwk(rsa, "a", p), p), p);
    assert_verifies(token, two(keypair_jwk(other_rsa, ",\"use\":\"enc\"", p), jwk(rsa, "a", p), p),
                    p);
    assert_verifies(token,
                    two(keypair_jwk(other_rsa, ",\"alg\":\"PS256\"", p), jwk(rsa, "a", p), p), p);
    assert_fails_with(token, two(jwk(other_rsa, "b", p), jwk(rsa, "a", p), p), kc_alg_all(),
                      APR_EGENERAL, "KC0307", p);
    assert_fails_with(token, jwk(ec, "a", p), kc_alg_all(), APR_NOTFOUND, "KC0306", p);
}

static void a_key_serves_its_own_algorithm_and_use_alone(void **state)
{
    apr_pool_t *p = *state;
    const char *token = with_header("{\"alg\":\"RS256\",\"kid\":\"a\"}", p);
    const char *es512 = keypair_token(ec, "ES256", "{\"alg\":\"ES512\",\"kid\":\"a\"}", CLAIMS, p);

    assert_verifies(token, keypair_jwk(rsa, ",\"kid\":\"a\",\"alg\":\"RS256\"", p), p);
    assert_fails_with(token, keypair_jwk(rsa, ",\"kid\":\"a\",\"alg\":\"RS512\"", p), kc_alg_all(),
                      APR_NOTFOUND, "KC0306", p);
    assert_fails_with(token, keypair_jwk(rsa, ",\"kid\":\"a\",\"use\":\"enc\"", p), kc_alg_all(),
                      APR_NOTFOUND, "KC0306", p);
    assert_fails_with(es512, jwk(ec, "a", p), kc_alg_all(), APR_NOTFOUND, "KC0306", p);
}

static void changed_tokens_are_refused(void **state)
{
    apr_pool_t *p = *state;
    const char *header = "{\"alg\":\"RS256\",\"kid\":\"a\"}";
    const char *token = with_header(header, p);
    const char *first = strchr(token, '.'), *last = strrchr(token, '.');
    const char *forged = keypair_text("{\"iss\":\"https://a\",\"sub\":\"admin\"}", p);

    assert_refused(apr_pstrcat(p, apr_pstrmemdup(p, token, (apr_size_t)(first + 1 - token)), forged,
                               last, NULL),
                   "KC0308", p);
    assert_refused(
        apr_pstrcat(p, keypair_text("{\"kid\":\"a\",\"alg\":\"RS256\"}", p), first, NULL), "KC0308",
        p);
    assert_refused(keypair_token(other_rsa, "RS256", header, CLAIMS, p), "KC0308", p);
    assert_refused(apr_pstrcat(p, token, "AA", NULL), "KC0308", p);
    assert_refused(apr_pstrmemdup(p, token, strlen(token) - 2), "KC0308", p);
    assert_refused(
        apr_pstrcat(p, apr_pstrmemdup(p, token, (apr_size_t)(last + 1 - token)), "AAAA", NULL),
        "KC0308", p);
}

static void other_forms_are_refused(void **state)
{
    apr_pool_t *p = *state;
    const char *token = with_header("{\"alg\":\"RS256\",\"kid\":\"a\"}", p);
    const char *const texts[] = {
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a..b",
        ".a.b",
        "a.b.",
        "opaque",
        apr_pstrcat(p, token, ".", NULL),
        apr_pstrcat(p, token, "..", NULL),
        apr_pstrcat(p, token, ".AAAA.AAAA", NULL),
        apr_pstrcat(p, ".", token, NULL),
        apr_pstrcat(p, " ", token, NULL),
        apr_pstrcat(p, token, "\n", NULL),
        apr_pstrcat(p, token, "=", NULL),
        apr_pstrcat(p, token, "==", NULL),
        apr_pstrcat(p, "Bearer ", token, NULL),
        apr_pstrcat(p, token, "\xc3\xa4", NULL),
        "{\"payload\":\"a\",\"protected\":\"b\",\"signature\":\"c\"}",
    };
    apr_size_t i;

    assert_true(kc_jwt_is_compact(token));
    assert_true(kc_jwt_is_compact("a.b.c"));
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_refused(texts[i], "KC0302", p);
        assert_false(kc_jwt_is_compact(texts[i]));
    }
}

/* Stray bits would give one token many spellings: the last character of a part is checked. */
static void parts_that_are_not_canonical_are_refused(void **state)
{
    apr_pool_t *p = *state;
    char *token = apr_pstrdup(p, with_header("{\"alg\":\"RS256\",\"kid\":\"a\"}", p));
    char *end = token + strlen(token) - 1;

    /* 256 bytes are 342 characters; the last one carries two bits and four zeros. */
    assert_non_null(strchr("AQgw", *end));
    *end += 1;
    assert_true(kc_jwt_is_compact(token));
    assert_refused(token, "KC0308", p);
    assert_refused("eyJ.eyJ.AAAA", "KC0303", p);
    assert_refused("e.eyJ.AAAA", "KC0303", p);
    assert_refused("AAAA.AAAA.AAAA", "KC0303", p);
}

static void huge_tokens_are_refused(void **state)
{
    apr_pool_t *p = *state;
    char *filler = apr_palloc(p, 300 * 1024);
    const char *big, *fair;

    memset(filler, 'x', 300 * 1024);
    filler[150 * 1024] = '\0';
    fair = keypair_token(rsa, "RS256", "{\"alg\":\"RS256\"}",
                         apr_psprintf(p, "{\"a\":\"%s\"}", filler), p);
    filler[150 * 1024] = 'x';
    filler[200 * 1024] = '\0';
    big = keypair_token(rsa, "RS256", "{\"alg\":\"RS256\"}",
                        apr_psprintf(p, "{\"a\":\"%s\"}", filler), p);
    assert_verifies(fair, jwk(rsa, "a", p), p);
    assert_refused(big, "KC0302", p);
}

/* The error goes to the log: it may name alg and kid, cut short, and nothing else of the token. */
static void errors_do_not_tell_the_token(void **state)
{
    apr_pool_t *p = *state;
    char *kid = apr_palloc(p, 1000);
    kc_error err;
    kc_jwt *jwt;

    memset(kid, 'k', 1000);
    kid[999] = '\0';
    assert_int_equal(
        kc_jwt_verify(&jwt,
                      with_header(apr_psprintf(p, "{\"alg\":\"RS256\",\"kid\":\"%s\"}", kid), p),
                      keypair_set(jwk(rsa, "a", p), p), kc_alg_all(), p, &err),
        APR_NOTFOUND);
    assert_true(strlen(err.text) < 200);
    assert_null(strstr(err.text, "eyJ"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(a_token_is_read),
        UNIT_TEST(vectors_of_rfc7515_verify),
        UNIT_TEST(payloads_that_are_no_object_are_refused),
        UNIT_TEST(every_algorithm_verifies),
        UNIT_TEST(the_curve_of_eddsa_is_told),
        UNIT_TEST(none_is_no_algorithm),
        UNIT_TEST(hs256_with_the_public_key_is_refused),
        UNIT_TEST(only_allowed_algorithms_are_used),
        UNIT_TEST(headers_that_change_the_rules_are_refused),
        UNIT_TEST(headers_that_are_no_object_are_refused),
        UNIT_TEST(keys_in_the_header_are_never_looked_at),
        UNIT_TEST(the_kid_names_the_key),
        UNIT_TEST(one_kid_may_be_that_of_several_keys),
        UNIT_TEST(without_kid_exactly_one_key_must_fit),
        UNIT_TEST(a_key_serves_its_own_algorithm_and_use_alone),
        UNIT_TEST(changed_tokens_are_refused),
        UNIT_TEST(other_forms_are_refused),
        UNIT_TEST(parts_that_are_not_canonical_are_refused),
        UNIT_TEST(huge_tokens_are_refused),
        UNIT_TEST(errors_do_not_tell_the_token),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
