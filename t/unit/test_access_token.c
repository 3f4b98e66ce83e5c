/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The rules of Keycloak's access token, before a role is read from it. */

#include <string.h>

#include "oidc/oidc.h"
#include "signer.h"
#include "unit.h"

#define ISSUER "https://sso.example.org/realms/demo"

enum { NOW = 1800000000 };

static const kc_id_token_rules rules = {
    .issuer = ISSUER,
    .client_id = "my.app/x",
    .now = apr_time_from_sec(NOW),
};

/* NULL when the claims are believed, else the message id. */
static const char *answer_to(const char *claims_text, const char *typ, apr_pool_t *pool)
{
    json_t *claims = json_loads(claims_text, 0, NULL);
    kc_error err = {0};
    apr_status_t rv;

    assert_non_null(claims);
    rv = kc_access_token_check(signer_jwt(signer_new(pool, "EdDSA", "k1"), typ, claims, pool),
                               &rules, "51d0", &err);
    json_decref(claims);
    if (rv == APR_SUCCESS) {
        return NULL;
    }
    assert_int_equal(err.fault, KC_FAULT_PROVIDER);
    return err.id;
}

#define ISS "\"iss\": \"" ISSUER "\", "
#define TYP "\"typ\": \"Bearer\", "
#define AZP "\"azp\": \"my.app/x\", "
#define SUB "\"sub\": \"51d0\", "
#define EXP "\"exp\": 1800000300"

static void test_honest(void **state)
{
    assert_null(answer_to("{" ISS TYP AZP SUB EXP "}", "JWT", *state));
    assert_null(answer_to("{" ISS TYP AZP SUB EXP "}", NULL, *state));
    assert_null(answer_to("{" ISS TYP AZP SUB EXP "}", "at+jwt", *state));
    assert_null(answer_to("{" ISS TYP AZP SUB EXP "}", "application/at+jwt", *state));
    /* The audience is other services; a lightweight token has no sub. */
    assert_null(answer_to("{" ISS TYP AZP "\"aud\": [\"account\"], " EXP "}", "JWT", *state));
}

static void test_kind(void **state)
{
    assert_string_equal(answer_to("{" ISS TYP AZP EXP "}", "logout+jwt", *state), "KC0431");
    assert_string_equal(answer_to("{" ISS AZP EXP "}", "JWT", *state), "KC0432");
    assert_string_equal(answer_to("{" ISS AZP EXP ", \"typ\": \"ID\"}", "JWT", *state), "KC0432");
    assert_string_equal(answer_to("{" ISS AZP EXP ", \"typ\": \"DPoP\"}", "JWT", *state), "KC0432");
    assert_string_equal(answer_to("{" ISS AZP EXP ", \"typ\": [\"Bearer\"]}", "JWT", *state),
                        "KC0432");
}

static void test_parties(void **state)
{
    assert_string_equal(answer_to("{" TYP AZP EXP "}", "JWT", *state), "KC0433");
    assert_string_equal(answer_to("{\"iss\": \"" ISSUER "/\", " TYP AZP EXP "}", "JWT", *state),
                        "KC0433");
    assert_string_equal(answer_to("{" ISS TYP EXP "}", "JWT", *state), "KC0434");
    assert_string_equal(answer_to("{" ISS TYP EXP ", \"azp\": \"my\"}", "JWT", *state), "KC0434");
    assert_string_equal(answer_to("{" ISS TYP EXP ", \"aud\": \"my.app/x\"}", "JWT", *state),
                        "KC0434");
    assert_string_equal(answer_to("{" ISS TYP AZP EXP ", \"sub\": \"other\"}", "JWT", *state),
                        "KC0435");
    assert_string_equal(answer_to("{" ISS TYP AZP EXP ", \"sub\": null}", "JWT", *state), "KC0435");
}

static void test_times(void **state)
{
    assert_string_equal(answer_to("{" ISS TYP AZP SUB "\"iat\": 1800000000}", "JWT", *state),
                        "KC0436");
    assert_string_equal(answer_to("{" ISS TYP AZP SUB "\"exp\": 1799999940}", "JWT", *state),
                        "KC0436");
    assert_null(answer_to("{" ISS TYP AZP SUB "\"exp\": 1799999941}", "JWT", *state));
    assert_string_equal(answer_to("{" ISS TYP AZP EXP ", \"nbf\": 1800000061}", "JWT", *state),
                        "KC0437");
    assert_string_equal(answer_to("{" ISS TYP AZP EXP ", \"iat\": 1800000061}", "JWT", *state),
                        "KC0437");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_honest),
        UNIT_TEST(test_kind),
        UNIT_TEST(test_parties),
        UNIT_TEST(test_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
