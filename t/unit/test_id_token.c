/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The rules of the ID token: OpenID Connect Core 1.0 section 3.1.3.7. */

#include <string.h>

#include <apr_strings.h>

#include "oidc/oidc.h"
#include "signer.h"
#include "unit.h"

#define ISSUER "https://sso.example.org/realms/demo"

enum { NOW = 1800000000 };

static const kc_id_token_rules rules = {
    .issuer = ISSUER,
    .client_id = "app",
    .nonce = "n-0S6_WzA2Mj",
    .access_token = "an-access-token",
    .now = apr_time_from_sec(NOW),
};

static signer *the_signer;

/* One key for all tests: it takes long to make. */
static int make_key(void **state)
{
    apr_pool_t *pool;

    apr_initialize();
    if (apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return -1;
    }
    the_signer = signer_new(pool, "RS256", "k1");
    *state = pool;
    return 0;
}

static int drop_key(void **state)
{
    apr_pool_destroy(*state);
    apr_terminate();
    return 0;
}

static json_t *honest_claims(apr_pool_t *pool)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i}", "iss", ISSUER, "aud", "app",
                     "azp", "app", "sub", "51d0", "typ", "ID", "nonce", rules.nonce, "at_hash",
                     signer_at_hash(the_signer, rules.access_token, pool), "iat", NOW - 1, "exp",
                     NOW + 300);
}

/* The check's answer to honest claims, changed: NULL when they are believed, else the message id. */
static const char *answer_to(const char *change, const kc_id_token_rules *held_against,
                             const char *typ, apr_pool_t *pool)
{
    json_t *claims = honest_claims(pool);
    kc_error err = {0};
    apr_status_t rv;

    signer_change(claims, change);
    rv = kc_id_token_check(signer_jwt(the_signer, typ, claims, pool), held_against, &err);
    json_decref(claims);
    if (rv == APR_SUCCESS) {
        return NULL;
    }
    assert_int_equal(err.fault, KC_FAULT_PROVIDER);
    assert_true(*err.text);
    return err.id;
}

static void expect(const char *id, const char *change, apr_pool_t *pool)
{
    const char *found = answer_to(change, &rules, "JWT", pool);

    if (!found || strcmp(found, id) != 0) {
        fail_msg("%s: %s instead of %s", change, found ? found : "believed", id);
    }
}

static void expect_believed(const char *change, apr_pool_t *pool)
{
    const char *found = answer_to(change, &rules, "JWT", pool);

    if (found) {
        fail_msg("%s: %s", change, found);
    }
}

static void test_honest(void **state)
{
    expect_believed("{}", *state);
}

static void test_iss(void **state)
{
    expect("KC0403", "{\"iss\": \"" ISSUER "/\"}", *state);
    expect("KC0403", "{\"iss\": \"https://SSO.example.org/realms/demo\"}", *state);
    expect("KC0403", "{\"iss\": \"https://evil.test\"}", *state);
    expect("KC0403", "{\"iss\": [\"" ISSUER "\"]}", *state);
    expect("KC0403", "{\"iss\": null}", *state);
    expect("KC0403", "{\"iss\": {}}", *state);
}

static void test_aud_and_azp(void **state)
{
    expect_believed("{\"aud\": [\"app\"], \"azp\": {}}", *state);
    expect_believed("{\"aud\": \"app\", \"azp\": {}}", *state);
    expect_believed("{\"aud\": [\"other\", \"app\"]}", *state);
    expect("KC0404", "{\"aud\": \"other\"}", *state);
    expect("KC0404", "{\"aud\": \"App\"}", *state);
    expect("KC0404", "{\"aud\": [\"other\"]}", *state);
    expect("KC0404", "{\"aud\": []}", *state);
    expect("KC0404", "{\"aud\": [[\"app\"]]}", *state);
    expect("KC0404", "{\"aud\": {\"app\": 1}}", *state);
    expect("KC0404", "{\"aud\": {}}", *state);
    expect("KC0405", "{\"aud\": [\"app\", \"other\"], \"azp\": {}}", *state);
    expect("KC0405", "{\"aud\": [\"app\", \"other\"], \"azp\": \"other\"}", *state);
    expect("KC0405", "{\"azp\": \"other\"}", *state);
    expect("KC0405", "{\"azp\": null}", *state);
    expect("KC0405", "{\"azp\": [\"app\"]}", *state);
}

static void test_times(void **state)
{
    expect_believed("{\"exp\": 1799999941}", *state);
    expect("KC0406", "{\"exp\": 1799999940}", *state);
    expect("KC0406", "{\"exp\": \"1800000300\"}", *state);
    expect("KC0406", "{\"exp\": -9223372036854775808}", *state);
    expect("KC0406", "{\"exp\": {}}", *state);
    expect_believed("{\"exp\": 9223372036854775807}", *state);
    expect_believed("{\"iat\": 1800000060}", *state);
    expect_believed("{\"iat\": 1799999340}", *state);
    expect("KC0408", "{\"iat\": 1800000061}", *state);
    expect("KC0408", "{\"iat\": 9223372036854775807}", *state);
    expect("KC0408", "{\"iat\": 1799999339}", *state);
    expect("KC0408", "{\"iat\": -9223372036854775808}", *state);
    expect("KC0407", "{\"iat\": \"1800000000\"}", *state);
    expect("KC0407", "{\"iat\": {}}", *state);
    expect_believed("{\"nbf\": 1800000060}", *state);
    expect("KC0409", "{\"nbf\": 1800000061}", *state);
    expect("KC0409", "{\"nbf\": \"now\"}", *state);
}

static void test_sub(void **state)
{
    apr_pool_t *pool = *state;
    char *longest = apr_pcalloc(pool, 256);

    memset(longest, 's', 255);
    expect_believed(apr_psprintf(pool, "{\"sub\": \"%s\"}", longest), pool);
    expect("KC0410", apr_psprintf(pool, "{\"sub\": \"%ss\"}", longest), pool);
    expect("KC0410", "{\"sub\": \"\"}", pool);
    expect("KC0410", "{\"sub\": 17}", pool);
    expect("KC0410", "{\"sub\": {}}", pool);
}

static void test_nonce(void **state)
{
    kc_id_token_rules refreshed = rules;

    expect("KC0411", "{\"nonce\": \"n-0S6_WzA2M\"}", *state);
    expect("KC0411", "{\"nonce\": \"n-0S6_WzA2Mk\"}", *state);
    expect("KC0411", "{\"nonce\": \"n-0S6_WzA2Mjj\"}", *state);
    expect("KC0411", "{\"nonce\": 1}", *state);
    expect("KC0411", "{\"nonce\": {}}", *state);
    refreshed.nonce = NULL;
    assert_null(answer_to("{\"nonce\": {}}", &refreshed, "JWT", *state));
}

static void test_at_hash(void **state)
{
    kc_id_token_rules unknown = rules;

    expect_believed("{\"at_hash\": {}}", *state);
    expect("KC0412", "{\"at_hash\": \"AAAAAAAAAAAAAAAAAAAAAA\"}", *state);
    expect("KC0412", "{\"at_hash\": \"\"}", *state);
    expect("KC0412", "{\"at_hash\": 1}", *state);
    expect("KC0412", "{\"at_hash\": null}", *state);
    unknown.access_token = NULL;
    assert_null(answer_to("{\"at_hash\": \"AAAAAAAAAAAAAAAAAAAAAA\"}", &unknown, "JWT", *state));
}

/* A token of another kind, signed by the same key, that would fit else. */
static void test_kind(void **state)
{
    expect_believed("{\"typ\": {}}", *state);
    expect("KC0402", "{\"typ\": \"Bearer\"}", *state);
    expect("KC0402", "{\"typ\": \"Refresh\"}", *state);
    expect("KC0402", "{\"typ\": \"Logout\"}", *state);
    expect("KC0402", "{\"typ\": null}", *state);
    assert_null(answer_to("{}", &rules, NULL, *state));
    assert_null(answer_to("{}", &rules, "jwt", *state));
    assert_null(answer_to("{}", &rules, "application/jwt", *state));
    assert_string_equal(answer_to("{}", &rules, "at+jwt", *state), "KC0401");
    assert_string_equal(answer_to("{}", &rules, "logout+jwt", *state), "KC0401");
    assert_string_equal(answer_to("{}", &rules, "application/logout+jwt", *state), "KC0401");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_honest),  UNIT_TEST(test_iss),  UNIT_TEST(test_aud_and_azp),
        UNIT_TEST(test_times),   UNIT_TEST(test_sub),  UNIT_TEST(test_nonce),
        UNIT_TEST(test_at_hash), UNIT_TEST(test_kind),
    };

    return cmocka_run_group_tests(tests, make_key, drop_key);
}
