/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The token endpoint: RFC 6749 sections 2.3.1, 4.1.3, 5.1 and 5.2. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "oidc/internal.h"
#include "unit.h"

static const kc_metadata both = {
    .token_endpoint = "https://sso.example.org/token", .auth_basic = 1, .auth_post = 1};
static const kc_metadata only_post = {.token_endpoint = "https://sso.example.org/token",
                                      .auth_post = 1};
static const kc_metadata neither = {.token_endpoint = "https://sso.example.org/token"};
static const kc_client client = {"a b", "p:+%/=\xc3\xa9", "https://app.example.org/cb"};

static kc_http_request request_for(const kc_metadata *metadata, const kc_client *who,
                                   apr_pool_t *pool)
{
    kc_http_request request;
    kc_error err = {0};

    assert_int_equal(kc_token_request(&request, metadata, who, "c/1", "v-1", pool, &err),
                     APR_SUCCESS);
    assert_string_equal(request.url, "https://sso.example.org/token");
    return request;
}

#define FORM                                    \
    "grant_type=authorization_code&code=c%2F1&" \
    "redirect_uri=https%3A%2F%2Fapp.example.org%2Fcb&code_verifier=v-1"

static void test_basic(void **state)
{
    kc_http_request request = request_for(&both, &client, *state);

    assert_string_equal(request.body, FORM);
    /* base64 of a+b:p%3A%2B%25%2F%3D%C3%A9 */
    assert_string_equal(request.authorization, "Basic YStiOnAlM0ElMkIlMjUlMkYlM0QlQzMlQTk=");
}

static void test_post(void **state)
{
    kc_http_request request = request_for(&only_post, &client, *state);

    assert_string_equal(request.body, FORM "&client_id=a+b&client_secret=p%3A%2B%25%2F%3D%C3%A9");
    assert_null(request.authorization);
}

static void test_public_client(void **state)
{
    const kc_client public_client = {"spa", NULL, "https://app.example.org/cb"};
    const kc_metadata *const all[] = {&both, &only_post, &neither};
    int i;

    for (i = 0; i < 3; i++) {
        kc_http_request request = request_for(all[i], &public_client, *state);

        assert_string_equal(request.body, FORM "&client_id=spa");
        assert_null(request.authorization);
    }
}

static void test_no_method_in_common(void **state)
{
    kc_http_request request;
    kc_error err = {0};

    assert_int_equal(kc_token_request(&request, &neither, &client, "c", "v", *state, &err),
                     APR_EGENERAL);
    assert_string_equal(err.id, "KC0601");
}

static kc_tokens *answer(int status, const char *body, kc_error *err, apr_pool_t *pool)
{
    kc_http_response response = {status, "application/json", body, strlen(body)};
    kc_tokens *tokens;
    apr_status_t rv = kc_token_answer(&tokens, &response, pool, err);

    assert_int_equal(rv == APR_SUCCESS, tokens != NULL);
    return tokens;
}

static void refused(int status, const char *body, kc_fault fault, const char *id, apr_pool_t *pool)
{
    kc_error err = {0};

    assert_null(answer(status, body, &err, pool));
    if (strcmp(err.id, id) != 0) {
        fail_msg("%d %s: %s instead of %s", status, body, err.id, id);
    }
    assert_int_equal(err.fault, fault);
}

static void test_answer(void **state)
{
    kc_error err = {0};
    kc_tokens *tokens =
        answer(200,
               "{\"access_token\":\"at\",\"expires_in\":300,\"refresh_expires_in\":1800,"
               "\"refresh_token\":\"rt\",\"token_type\":\"bearer\",\"id_token\":\"it\","
               "\"not-before-policy\":17,\"session_state\":\"s\",\"scope\":\"openid\"}",
               &err, *state);

    assert_non_null(tokens);
    assert_string_equal(tokens->access_token, "at");
    assert_string_equal(tokens->id_token, "it");
    assert_string_equal(tokens->refresh_token, "rt");
    assert_int_equal(tokens->expires_in, 300);
    assert_int_equal(tokens->refresh_expires_in, 1800);
    assert_int_equal(tokens->not_before, 17);
    tokens = answer(200,
                    "{\"access_token\":\"at\",\"token_type\":\"Bearer\",\"id_token\":\"it\","
                    "\"refresh_token\":null}",
                    &err, *state);
    assert_non_null(tokens);
    assert_null(tokens->refresh_token);
    assert_int_equal(tokens->expires_in, 0);
}

#define TOKENS "{\"access_token\":\"at\",\"id_token\":\"it\",\"token_type\":\"Bearer\""

static void test_answer_that_is_not_believed(void **state)
{
    static const struct {
        const char *body;
        const char *id;
    } answers[] = {
        {"", "KC0608"},
        {"null", "KC0608"},
        {"[]", "KC0608"},
        {"access_token=at&id_token=it", "KC0608"},
        {TOKENS ",\"id_token\":\"it\"}", "KC0608"},
        {TOKENS "}{}", "KC0608"},
        {"{}", "KC0610"},
        {"{\"error\":\"invalid_grant\"}", "KC0610"},
        {"{\"access_token\":\"at\",\"token_type\":\"Bearer\"}", "KC0610"},
        {"{\"access_token\":\"at\",\"id_token\":null,\"token_type\":\"Bearer\"}", "KC0610"},
        {"{\"access_token\":\"\",\"id_token\":\"it\",\"token_type\":\"Bearer\"}", "KC0609"},
        {"{\"access_token\":7,\"id_token\":\"it\",\"token_type\":\"Bearer\"}", "KC0609"},
        {"{\"access_token\":\"a\\r\\nX: y\",\"id_token\":\"it\",\"token_type\":\"Bearer\"}",
         "KC0609"},
        {"{\"access_token\":\"a\xc3\xa9\",\"id_token\":\"it\",\"token_type\":\"Bearer\"}",
         "KC0609"},
        {TOKENS ",\"refresh_token\":[]}", "KC0609"},
        {"{\"access_token\":\"at\",\"id_token\":\"it\"}", "KC0611"},
        {"{\"access_token\":\"at\",\"id_token\":\"it\",\"token_type\":1}", "KC0611"},
        {"{\"access_token\":\"at\",\"id_token\":\"it\",\"token_type\":\"DPoP\"}", "KC0611"},
        {TOKENS ",\"expires_in\":\"300\"}", "KC0612"},
        {TOKENS ",\"expires_in\":-1}", "KC0612"},
        {TOKENS ",\"refresh_expires_in\":[]}", "KC0612"},
        {TOKENS ",\"not-before-policy\":1.5}", "KC0612"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        refused(200, answers[i].body, KC_FAULT_PROVIDER, answers[i].id, *state);
    }
}

static void test_error_answers(void **state)
{
    refused(400, "{\"error\":\"invalid_grant\",\"error_description\":\"Code not valid\"}",
            KC_FAULT_REQUEST, "KC0602", *state);
    refused(401, "{\"error\":\"invalid_client\"}", KC_FAULT_PROVIDER, "KC0603", *state);
    refused(401, "{\"error\":\"unauthorized_client\"}", KC_FAULT_PROVIDER, "KC0604", *state);
    refused(400, "{\"error\":\"invalid_request\"}", KC_FAULT_PROVIDER, "KC0605", *state);
    refused(400, "{\"error\":17}", KC_FAULT_PROVIDER, "KC0605", *state);
    refused(404, "<html>", KC_FAULT_PROVIDER, "KC0605", *state);
    refused(500, "{\"error\":\"invalid_grant\"}", KC_FAULT_AWAY, "KC0606", *state);
    refused(503, "", KC_FAULT_AWAY, "KC0606", *state);
    refused(204, "", KC_FAULT_PROVIDER, "KC0607", *state);
    refused(302, "", KC_FAULT_PROVIDER, "KC0607", *state);
}

static void test_error_says_what_helps(void **state)
{
    kc_error err = {0};

    assert_null(answer(401,
                       "{\"error\":\"unauthorized_client\",\"error_description\":"
                       "\"Invalid client or Invalid client credentials\"}",
                       &err, *state));
    assert_non_null(strstr(err.text, "Invalid client or Invalid client credentials"));
    assert_non_null(strstr(err.text, "KCAuthClientSecret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_basic),         UNIT_TEST(test_post),
        UNIT_TEST(test_public_client), UNIT_TEST(test_no_method_in_common),
        UNIT_TEST(test_answer),        UNIT_TEST(test_answer_that_is_not_believed),
        UNIT_TEST(test_error_answers), UNIT_TEST(test_error_says_what_helps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
