/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Authorization request and response, and the logout request, which is built alike. */

#include <string.h>

#include "oidc/internal.h"
#include "unit.h"

static const kc_metadata metadata = {
    .issuer = "https://sso.example.org/realms/demo",
    .authorization_endpoint = "https://sso.example.org/auth",
    .end_session_endpoint = "https://sso.example.org/logout?ui=1",
    .iss_parameter = 1,
};

static const kc_client client = {
    .id = "my.app/x & y",
    .secret = "never-sent-this-way",
    .redirect_uri = "https://app.example.org/oauth/login/callback",
};

/* RFC 7636 appendix B. */
static void test_pkce_challenge(void **state)
{
    assert_string_equal(kc_pkce_challenge(*state, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
                        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

static void test_request(void **state)
{
    kc_authorization_request request = {
        .scope = "openid profile",
        .state = "0abc",
        .nonce = "n1",
        .code_verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    };
    const char *query = "https://sso.example.org/auth?response_type=code"
                        "&client_id=my.app%2Fx+%26+y"
                        "&redirect_uri=https%3A%2F%2Fapp.example.org%2Foauth%2Flogin%2Fcallback"
                        "&scope=openid+profile&state=0abc&nonce=n1"
                        "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
                        "&code_challenge_method=S256";
    const char *url = kc_authorization_url(&metadata, &client, &request, *state);

    assert_string_equal(url, query);
    request.response_mode = "form_post";
    url = kc_authorization_url(&metadata, &client, &request, *state);
    assert_memory_equal(url, query, strlen(query));
    assert_string_equal(url + strlen(query), "&response_mode=form_post");
    request.prompt = "none";
    url = kc_authorization_url(&metadata, &client, &request, *state);
    assert_string_equal(url + strlen(query), "&response_mode=form_post&prompt=none");
}

static kc_authorization_response response_of(const char *query, apr_pool_t *pool)
{
    kc_authorization_response response;
    apr_table_t *parameters;

    assert_int_equal(kc_form_parse(&parameters, query, strlen(query), 20, pool), APR_SUCCESS);
    kc_authorization_response_read(&response, parameters);
    return response;
}

static void test_response_is_read(void **state)
{
    kc_authorization_response response =
        response_of("state=1&session_state=x&iss=https%3A%2F%2Fa&code=c.d", *state);

    assert_string_equal(response.state, "1");
    assert_string_equal(response.iss, "https://a");
    assert_string_equal(response.code, "c.d");
    assert_null(response.error);
    assert_null(response.error_description);
    assert_null(response_of("code=&state=1", *state).code);
}

#define ISS "iss=https%3A%2F%2Fsso.example.org%2Frealms%2Fdemo&"

static void check(const char *query, kc_fault fault, const char *id, apr_pool_t *pool)
{
    kc_authorization_response response = response_of(query, pool);
    kc_error err = {0};

    assert_int_equal(kc_authorization_response_check(&response, &metadata, &err), APR_EGENERAL);
    assert_int_equal(err.fault, fault);
    assert_string_equal(err.id, id);
    assert_null(strstr(err.text, "the-code"));
}

static void test_response_with_a_code(void **state)
{
    kc_authorization_response response = response_of(ISS "code=the-code", *state);

    assert_int_equal(kc_authorization_response_check(&response, &metadata, NULL), APR_SUCCESS);
    check(ISS "state=1", KC_FAULT_REQUEST, "KC0531", *state);
    check(ISS "code=", KC_FAULT_REQUEST, "KC0531", *state);
}

static void test_iss(void **state)
{
    kc_authorization_response response = response_of("code=the-code", *state);
    kc_metadata silent = metadata;

    check("code=the-code", KC_FAULT_PROVIDER, "KC0522", *state);
    check("code=the-code&iss=https%3A%2F%2Fevil.test", KC_FAULT_PROVIDER, "KC0521", *state);
    check("code=the-code&iss=https%3A%2F%2Fsso.example.org%2Frealms%2Fdemo%2F", KC_FAULT_PROVIDER,
          "KC0521", *state);
    /* An error of somebody else is not believed either. */
    check("error=access_denied", KC_FAULT_PROVIDER, "KC0522", *state);
    check("error=access_denied&iss=https%3A%2F%2Fevil.test", KC_FAULT_PROVIDER, "KC0521", *state);
    silent.iss_parameter = 0;
    assert_int_equal(kc_authorization_response_check(&response, &silent, NULL), APR_SUCCESS);
    response = response_of("code=the-code&iss=https%3A%2F%2Fevil.test", *state);
    assert_int_equal(kc_authorization_response_check(&response, &silent, NULL), APR_EGENERAL);
}

static void test_errors(void **state)
{
    check(ISS "error=access_denied", KC_FAULT_REFUSED, "KC0523", *state);
    check(ISS "error=access_denied&code=the-code", KC_FAULT_REFUSED, "KC0523", *state);
    check(ISS "error=interaction_required", KC_FAULT_REFUSED, "KC0524", *state);
    check(ISS "error=login_required", KC_FAULT_REFUSED, "KC0524", *state);
    check(ISS "error=consent_required", KC_FAULT_REFUSED, "KC0524", *state);
    check(ISS "error=temporarily_unavailable", KC_FAULT_AWAY, "KC0525", *state);
    check(ISS "error=server_error", KC_FAULT_PROVIDER, "KC0526", *state);
    check(ISS "error=invalid_scope&error_description=Invalid+scopes", KC_FAULT_PROVIDER, "KC0527",
          *state);
    check(ISS "error=unauthorized_client", KC_FAULT_PROVIDER, "KC0528", *state);
    check(ISS "error=invalid_request", KC_FAULT_PROVIDER, "KC0529", *state);
    check(ISS "error=no_such_error", KC_FAULT_PROVIDER, "KC0530", *state);
}

/* The log line stays short, whatever is sent; what would help stands at its end. */
static void test_description_is_bounded(void **state)
{
    kc_authorization_response response = {.iss = metadata.issuer};
    char text[2000];
    kc_error err = {0};

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    response.error = text;
    response.error_description = text;
    assert_int_equal(kc_authorization_response_check(&response, &metadata, &err), APR_EGENERAL);
    assert_true(strlen(err.text) < 400);
    assert_non_null(strstr(err.text, "an error that we do not know"));
}

static int stale(const char *query, apr_pool_t *pool)
{
    kc_authorization_response response = response_of(query, pool);

    return kc_authorization_response_is_stale(&response);
}

static void test_stale(void **state)
{
    assert_true(stale("error=login_required", *state));
    assert_true(
        stale("error=temporarily_unavailable&error_description=authentication_expired", *state));
    assert_false(stale("error=temporarily_unavailable&error_description=maintenance", *state));
    assert_false(stale("error=temporarily_unavailable", *state));
    assert_false(stale("error=access_denied", *state));
    assert_false(stale("code=the-code", *state));
}

static void test_logout(void **state)
{
    const kc_metadata without = {.issuer = metadata.issuer};

    assert_string_equal(
        kc_logout_url(&metadata, &client, "a.b.c", "https://app.example.org/", *state),
        "https://sso.example.org/logout?ui=1&id_token_hint=a.b.c&client_id=my.app%2Fx+%26+y"
        "&post_logout_redirect_uri=https%3A%2F%2Fapp.example.org%2F");
    assert_string_equal(kc_logout_url(&metadata, &client, NULL, "https://app.example.org/", *state),
                        "https://sso.example.org/logout?ui=1&client_id=my.app%2Fx+%26+y"
                        "&post_logout_redirect_uri=https%3A%2F%2Fapp.example.org%2F");
    assert_null(kc_logout_url(&without, &client, "a.b.c", "https://app.example.org/", *state));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_pkce_challenge),
        UNIT_TEST(test_request),
        UNIT_TEST(test_response_is_read),
        UNIT_TEST(test_response_with_a_code),
        UNIT_TEST(test_iss),
        UNIT_TEST(test_errors),
        UNIT_TEST(test_description_is_bounded),
        UNIT_TEST(test_stale),
        UNIT_TEST(test_logout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
