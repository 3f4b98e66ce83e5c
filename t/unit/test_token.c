/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The token endpoint and its like: RFC 6749 sections 2.3.1, 4.1.3, 5.1, 5.2 and 6, RFC 7009. */

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
static const kc_grant by_code = {.code = "c/1", .code_verifier = "v-1"};
static const kc_grant by_refresh = {.refresh_token = "r+1"};

static kc_http_request request_for(const kc_metadata *metadata, const kc_client *who,
                                   const kc_grant *grant, apr_pool_t *pool)
{
    kc_http_request request;
    kc_error err = {0};

    assert_int_equal(kc_token_request(&request, metadata, who, grant, pool, &err), APR_SUCCESS);
    assert_string_equal(request.url, "https://sso.example.org/token");
    return request;
}

#define FORM                                    \
    "grant_type=authorization_code&code=c%2F1&" \
    "redirect_uri=https%3A%2F%2Fapp.example.org%2Fcb&code_verifier=v-1"

static void test_basic(void **state)
{
    kc_http_request request = request_for(&both, &client, &by_code, *state);

    assert_string_equal(request.body, FORM);
    /* base64 of a+b:p%3A%2B%25%2F%3D%C3%A9 */
    assert_string_equal(request.authorization, "Basic YStiOnAlM0ElMkIlMjUlMkYlM0QlQzMlQTk=");
}

static void test_post(void **state)
{
    kc_http_request request = request_for(&only_post, &client, &by_code, *state);

    assert_string_equal(request.body, FORM "&client_id=a+b&client_secret=p%3A%2B%25%2F%3D%C3%A9");
    assert_null(request.authorization);
}

static void test_public_client(void **state)
{
    const kc_client public_client = {"spa", NULL, "https://app.example.org/cb"};
    const kc_metadata *const all[] = {&both, &only_post, &neither};
    int i;

    for (i = 0; i < 3; i++) {
        kc_http_request request = request_for(all[i], &public_client, &by_code, *state);

        assert_string_equal(request.body, FORM "&client_id=spa");
        assert_null(request.authorization);
    }
}

static void test_refresh(void **state)
{
    static const char form[] = "grant_type=refresh_token&refresh_token=r%2B1";

    assert_string_equal(request_for(&both, &client, &by_refresh, *state).body, form);
    assert_string_equal(request_for(&both, &client, &by_refresh, *state).authorization,
                        request_for(&both, &client, &by_code, *state).authorization);
    assert_string_equal(
        request_for(&only_post, &client, &by_refresh, *state).body,
        apr_pstrcat(*state, form, "&client_id=a+b&client_secret=p%3A%2B%25%2F%3D%C3%A9", NULL));
}

static void test_client_session_state(void **state)
{
    const kc_grant code = {.code = "c/1", .code_verifier = "v-1", .client_session_state = "our id"};
    const kc_grant refresh = {.refresh_token = "r", .client_session_state = "our id"};

    assert_string_equal(request_for(&both, &client, &code, *state).body,
                        FORM "&client_session_state=our+id");
    assert_string_equal(request_for(&both, &client, &refresh, *state).body,
                        "grant_type=refresh_token&refresh_token=r&client_session_state=our+id");
}

static void test_no_method_in_common(void **state)
{
    kc_http_request request;
    kc_error err = {0};

    assert_int_equal(kc_token_request(&request, &neither, &client, &by_code, *state, &err),
                     APR_EGENERAL);
    assert_string_equal(err.id, "KC0601");
}

static kc_tokens *answer_to(const kc_grant *grant, int status, const char *body, kc_error *err,
                            apr_pool_t *pool)
{
    kc_http_response response = {status, "application/json", body, strlen(body)};
    kc_tokens *tokens;
    apr_status_t rv = kc_token_answer(&tokens, &response, grant, pool, err);

    assert_int_equal(rv == APR_SUCCESS, tokens != NULL);
    return tokens;
}

static kc_tokens *answer(int status, const char *body, kc_error *err, apr_pool_t *pool)
{
    return answer_to(&by_code, status, body, err, pool);
}

static void refused_to(const kc_grant *grant, int status, const char *body, kc_fault fault,
                       const char *id, apr_pool_t *pool)
{
    kc_error err = {0};

    assert_null(answer_to(grant, status, body, &err, pool));
    if (strcmp(err.id, id) != 0) {
        fail_msg("%d %s: %s instead of %s", status, body, err.id, id);
    }
    assert_int_equal(err.fault, fault);
}

static void refused(int status, const char *body, kc_fault fault, const char *id, apr_pool_t *pool)
{
    refused_to(&by_code, status, body, fault, id, pool);
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

/* --- refresh ---------------------------------------------------------------------------------- */

static void test_refresh_keeps_the_old_token(void **state)
{
    kc_error err = {0};
    kc_tokens *tokens = answer_to(&by_refresh, 200, TOKENS "}", &err, *state);

    assert_non_null(tokens);
    assert_string_equal(tokens->refresh_token, "r+1");
    tokens = answer_to(&by_refresh, 200, TOKENS ",\"refresh_token\":null}", &err, *state);
    assert_non_null(tokens);
    assert_string_equal(tokens->refresh_token, "r+1");
    tokens = answer_to(&by_refresh, 200, TOKENS ",\"refresh_token\":\"r+2\"}", &err, *state);
    assert_non_null(tokens);
    assert_string_equal(tokens->refresh_token, "r+2");
}

/* Only invalid_grant tells that the session is over. */
static void test_refresh_error_answers(void **state)
{
    static const struct {
        int status;
        const char *body;
        kc_fault fault;
        const char *id;
    } answers[] = {
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"Session not active\"}",
         KC_FAULT_REFUSED, "KC0620"},
        {400, "{\"error\":\"invalid_grant\"}", KC_FAULT_REFUSED, "KC0620"},
        {401, "{\"error\":\"invalid_client\"}", KC_FAULT_PROVIDER, "KC0603"},
        {401, "{\"error\":\"unauthorized_client\"}", KC_FAULT_PROVIDER, "KC0604"},
        {400, "{\"error\":\"Invalid_Grant\"}", KC_FAULT_PROVIDER, "KC0605"},
        {400, "{\"error\":[\"invalid_grant\"]}", KC_FAULT_PROVIDER, "KC0605"},
        {400, "{\"error_description\":\"invalid_grant\"}", KC_FAULT_PROVIDER, "KC0605"},
        {400, "invalid_grant", KC_FAULT_PROVIDER, "KC0605"},
        {404, "", KC_FAULT_PROVIDER, "KC0605"},
        {429, "", KC_FAULT_PROVIDER, "KC0605"},
        {500, "{\"error\":\"invalid_grant\"}", KC_FAULT_AWAY, "KC0606"},
        {503, "", KC_FAULT_AWAY, "KC0606"},
        {302, "", KC_FAULT_PROVIDER, "KC0607"},
        {200, "{\"error\":\"invalid_grant\"}", KC_FAULT_PROVIDER, "KC0610"},
        {200, "{\"access_token\":\"at\",\"token_type\":\"Bearer\"}", KC_FAULT_PROVIDER, "KC0610"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        refused_to(&by_refresh, answers[i].status, answers[i].body, answers[i].fault, answers[i].id,
                   *state);
    }
}

static void test_refused_refresh_says_why_in_bounds(void **state)
{
    char *words = apr_pcalloc(*state, 4001);
    kc_error err = {0};

    assert_null(answer_to(&by_refresh, 400,
                          "{\"error\":\"invalid_grant\",\"error_description\":\"Stale token\"}",
                          &err, *state));
    assert_non_null(strstr(err.text, "Stale token"));
    assert_null(strstr(err.text, "r+1"));
    memset(words, 'w', 4000);
    assert_null(answer_to(
        &by_refresh, 400,
        apr_psprintf(*state, "{\"error\":\"invalid_grant\",\"error_description\":\"%s\"}", words),
        &err, *state));
    assert_true(strlen(err.text) < 400);
    assert_non_null(strstr(err.text, "logs in again"));
}

/* --- revocation ------------------------------------------------------------------------------- */

static void test_revocation_request(void **state)
{
    static const char form[] = "token=r%2B1&token_type_hint=refresh_token";
    kc_metadata metadata = both;
    kc_http_request request;
    kc_error err = {0};

    metadata.revocation_endpoint = "https://sso.example.org/revoke";
    assert_int_equal(kc_revocation_request(&request, &metadata, &client, "r+1", *state, &err),
                     APR_SUCCESS);
    assert_string_equal(request.url, "https://sso.example.org/revoke");
    assert_string_equal(request.body, form);
    assert_string_equal(request.authorization,
                        request_for(&both, &client, &by_code, *state).authorization);
    metadata.auth_basic = 0;
    assert_int_equal(kc_revocation_request(&request, &metadata, &client, "r+1", *state, &err),
                     APR_SUCCESS);
    assert_string_equal(
        request.body,
        apr_pstrcat(*state, form, "&client_id=a+b&client_secret=p%3A%2B%25%2F%3D%C3%A9", NULL));
    metadata.auth_post = 0;
    assert_int_equal(kc_revocation_request(&request, &metadata, &client, "r+1", *state, &err),
                     APR_EGENERAL);
    assert_string_equal(err.id, "KC0601");
}

static void test_revocation_answers(void **state)
{
    static const struct {
        int status;
        const char *body;
        kc_fault fault;
        const char *id;
    } answers[] = {
        {200, "", KC_FAULT_NONE, NULL},
        {200, "{\"error\":\"invalid_token\"}", KC_FAULT_NONE, NULL},
        {400, "{\"error\":\"unsupported_token_type\"}", KC_FAULT_PROVIDER, "KC0632"},
        {401, "<html>", KC_FAULT_PROVIDER, "KC0632"},
        {204, "", KC_FAULT_PROVIDER, "KC0632"},
        {302, "", KC_FAULT_PROVIDER, "KC0632"},
        {500, "", KC_FAULT_AWAY, "KC0631"},
        {503, "{\"error\":\"temporarily_unavailable\"}", KC_FAULT_AWAY, "KC0631"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        kc_http_response response = {answers[i].status, "application/json", answers[i].body,
                                     strlen(answers[i].body)};
        kc_error err = {0};
        apr_status_t rv = kc_revocation_answer(&response, *state, &err);

        assert_int_equal(rv == APR_SUCCESS, answers[i].fault == KC_FAULT_NONE);
        assert_int_equal(err.fault, answers[i].fault);
        if (answers[i].id) {
            assert_string_equal(err.id, answers[i].id);
        }
    }
}

static void test_revocation_without_an_endpoint(void **state)
{
    kc_error err = {0};

    assert_int_equal(kc_token_revoke(NULL, &both, &client, "r+1", 0, *state, &err), APR_ENOTIMPL);
    assert_string_equal(err.id, "KC0630");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_basic),
        UNIT_TEST(test_post),
        UNIT_TEST(test_public_client),
        UNIT_TEST(test_refresh),
        UNIT_TEST(test_client_session_state),
        UNIT_TEST(test_no_method_in_common),
        UNIT_TEST(test_answer),
        UNIT_TEST(test_answer_that_is_not_believed),
        UNIT_TEST(test_error_answers),
        UNIT_TEST(test_error_says_what_helps),
        UNIT_TEST(test_refresh_keeps_the_old_token),
        UNIT_TEST(test_refresh_error_answers),
        UNIT_TEST(test_refused_refresh_says_why_in_bounds),
        UNIT_TEST(test_revocation_request),
        UNIT_TEST(test_revocation_answers),
        UNIT_TEST(test_revocation_without_an_endpoint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
