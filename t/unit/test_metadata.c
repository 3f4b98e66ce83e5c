/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The discovery document: OpenID Connect Discovery 1.0 sections 3 and 4.3. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "oidc/oidc.h"
#include "unit.h"

#define ISSUER "https://sso.example.org/realms/demo"

static const char document[] =
    "{\"issuer\": \"" ISSUER "\", "
    "\"authorization_endpoint\": \"" ISSUER "/auth\", "
    "\"token_endpoint\": \"" ISSUER "/token\", "
    "\"jwks_uri\": \"" ISSUER "/certs\", "
    "\"userinfo_endpoint\": \"" ISSUER "/userinfo\", "
    "\"revocation_endpoint\": \"" ISSUER "/revoke\", "
    "\"end_session_endpoint\": \"" ISSUER "/logout\", "
    "\"id_token_signing_alg_values_supported\": [\"HS256\", \"RS256\", \"none\", \"EdDSA\"], "
    "\"token_endpoint_auth_methods_supported\": [\"client_secret_basic\", \"private_key_jwt\"], "
    "\"authorization_response_iss_parameter_supported\": true}";

/* The document with `change`, a JSON object, laid over; a member that is {} is taken away. */
static const char *changed(const char *change, apr_pool_t *pool)
{
    json_t *whole = json_loads(document, 0, NULL);
    json_t *changes = json_loads(change, 0, NULL);
    const char *name, *text;
    json_t *value;
    char *dumped;

    assert_non_null(whole);
    assert_non_null(changes);
    json_object_foreach(changes, name, value)
    {
        if (json_is_object(value)) {
            json_object_del(whole, name);
        } else {
            json_object_set(whole, name, value);
        }
    }
    dumped = json_dumps(whole, 0);
    text = apr_pstrdup(pool, dumped);
    free(dumped);
    json_decref(whole);
    json_decref(changes);
    return text;
}

static kc_metadata *parsed(const char *text, const char *issuer, const char *internal_origin,
                           int insecure, apr_pool_t *pool)
{
    kc_error err = {0};
    kc_metadata *metadata;

    if (kc_metadata_parse(&metadata, text, strlen(text), issuer, internal_origin, insecure, pool,
                          &err) != APR_SUCCESS) {
        fail_msg("%s %s", err.id, err.text);
    }
    return metadata;
}

static kc_metadata *believed(const char *change, apr_pool_t *pool)
{
    return parsed(changed(change, pool), ISSUER, NULL, 0, pool);
}

static void refused_text(const char *id, const char *text, apr_pool_t *pool)
{
    kc_error err = {0};
    kc_metadata *metadata;

    assert_int_equal(kc_metadata_parse(&metadata, text, strlen(text), ISSUER, NULL, 0, pool, &err),
                     APR_EGENERAL);
    assert_int_equal(err.fault, KC_FAULT_PROVIDER);
    assert_string_equal(err.id, id);
    assert_null(metadata);
}

static void refused(const char *id, const char *change, apr_pool_t *pool)
{
    refused_text(id, changed(change, pool), pool);
}

static void test_members(void **state)
{
    kc_metadata *metadata = believed("{}", *state);

    assert_string_equal(metadata->issuer, ISSUER);
    assert_string_equal(metadata->authorization_endpoint, ISSUER "/auth");
    assert_string_equal(metadata->token_endpoint, ISSUER "/token");
    assert_string_equal(metadata->jwks_uri, ISSUER "/certs");
    assert_string_equal(metadata->userinfo_endpoint, ISSUER "/userinfo");
    assert_string_equal(metadata->revocation_endpoint, ISSUER "/revoke");
    assert_string_equal(metadata->end_session_endpoint, ISSUER "/logout");
    assert_int_equal(metadata->iss_parameter, 1);
    assert_int_equal(metadata->auth_basic, 1);
    assert_int_equal(metadata->auth_post, 0);
}

static void test_algorithms_are_those_of_both(void **state)
{
    json_t *ours = json_pack("[s, s]", "RS256", "EdDSA");

    assert_int_equal(believed("{}", *state)->algs, kc_alg_named(ours));
    json_decref(ours);
    refused("KC0228", "{\"id_token_signing_alg_values_supported\": [\"HS256\", \"none\"]}", *state);
    refused("KC0228", "{\"id_token_signing_alg_values_supported\": [256, null]}", *state);
    refused("KC0228", "{\"id_token_signing_alg_values_supported\": \"RS256\"}", *state);
    refused("KC0228", "{\"id_token_signing_alg_values_supported\": {}}", *state);
}

static void test_optional_members(void **state)
{
    kc_metadata *metadata = believed("{\"userinfo_endpoint\": {}, \"end_session_endpoint\": null, "
                                     "\"revocation_endpoint\": null, "
                                     "\"token_endpoint_auth_methods_supported\": {}, "
                                     "\"authorization_response_iss_parameter_supported\": {}}",
                                     *state);

    assert_null(metadata->userinfo_endpoint);
    assert_null(metadata->end_session_endpoint);
    assert_null(metadata->revocation_endpoint);
    assert_int_equal(metadata->iss_parameter, 0);
    assert_int_equal(metadata->auth_basic, 1);
    assert_int_equal(metadata->auth_post, 0);
}

static void test_authentication_methods(void **state)
{
    kc_metadata *metadata =
        believed("{\"token_endpoint_auth_methods_supported\": [\"client_secret_post\"]}", *state);

    assert_int_equal(metadata->auth_basic, 0);
    assert_int_equal(metadata->auth_post, 1);
    refused("KC0229", "{\"token_endpoint_auth_methods_supported\": \"client_secret_post\"}",
            *state);
    refused("KC0230", "{\"authorization_response_iss_parameter_supported\": \"true\"}", *state);
}

static void test_scope_roles(void **state)
{
    assert_int_equal(believed("{}", *state)->scope_roles, 1);
    assert_int_equal(
        believed("{\"scopes_supported\": [\"openid\", \"roles\"]}", *state)->scope_roles, 1);
    assert_int_equal(believed("{\"scopes_supported\": [\"openid\"]}", *state)->scope_roles, 0);
    assert_int_equal(believed("{\"scopes_supported\": \"openid\"}", *state)->scope_roles, 0);
}

static void test_issuer(void **state)
{
    const char *slashed = changed("{\"issuer\": \"" ISSUER "/\"}", *state);

    assert_string_equal(parsed(slashed, ISSUER, NULL, 0, *state)->issuer, ISSUER "/");
    assert_string_equal(parsed(document, ISSUER "/", NULL, 0, *state)->issuer, ISSUER);
    refused("KC0223", "{\"issuer\": \"" ISSUER "//\"}", *state);
    refused("KC0223", "{\"issuer\": \"https://evil.test/realms/demo\"}", *state);
    refused("KC0223", "{\"issuer\": \"http://sso.example.org/realms/demo\"}", *state);
    refused("KC0222", "{\"issuer\": {}}", *state);
    refused("KC0222", "{\"issuer\": [\"" ISSUER "\"]}", *state);
}

static void test_endpoints(void **state)
{
    refused("KC0225", "{\"authorization_endpoint\": {}}", *state);
    refused("KC0225", "{\"token_endpoint\": null}", *state);
    refused("KC0225", "{\"jwks_uri\": {}}", *state);
    refused("KC0224", "{\"token_endpoint\": 5}", *state);
    refused("KC0224", "{\"end_session_endpoint\": \"\"}", *state);
    refused("KC0224", "{\"revocation_endpoint\": 1}", *state);
    refused("KC0227", "{\"revocation_endpoint\": \"http://sso.example.org/revoke\"}", *state);
    refused("KC0226", "{\"token_endpoint\": \"/token\"}", *state);
    refused("KC0226", "{\"jwks_uri\": \"file:///etc/passwd\"}", *state);
    refused("KC0226", "{\"authorization_endpoint\": \"javascript:alert(1)\"}", *state);
    refused("KC0226", "{\"authorization_endpoint\": \"https://a.test/\\r\\nX: y\"}", *state);
    refused("KC0226", "{\"end_session_endpoint\": \"https://user:word@a.test/\"}", *state);
    refused("KC0227", "{\"userinfo_endpoint\": \"http://sso.example.org/userinfo\"}", *state);
}

static void test_plain_http(void **state)
{
    const char *text = changed("{\"token_endpoint\": \"http://sso.example.org/token\"}", *state);

    assert_string_equal(parsed(text, ISSUER, NULL, 1, *state)->token_endpoint,
                        "http://sso.example.org/token");
    assert_string_equal(
        believed("{\"token_endpoint\": \"http://127.0.0.1:8080/token\"}", *state)->token_endpoint,
        "http://127.0.0.1:8080/token");
}

/* What we call moves; where browsers go stays. */
static void test_internal_origin(void **state)
{
    kc_metadata *metadata = parsed(document, ISSUER, "http://127.0.0.1:8080", 0, *state);
    kc_error err = {0};

    assert_string_equal(metadata->issuer, ISSUER);
    assert_string_equal(metadata->authorization_endpoint, ISSUER "/auth");
    assert_string_equal(metadata->end_session_endpoint, ISSUER "/logout");
    assert_string_equal(metadata->token_endpoint, "http://127.0.0.1:8080/realms/demo/token");
    assert_string_equal(metadata->jwks_uri, "http://127.0.0.1:8080/realms/demo/certs");
    assert_string_equal(metadata->userinfo_endpoint, "http://127.0.0.1:8080/realms/demo/userinfo");
    assert_string_equal(metadata->revocation_endpoint, "http://127.0.0.1:8080/realms/demo/revoke");
    assert_int_equal(kc_metadata_parse(&metadata, document, strlen(document), ISSUER,
                                       "http://keycloak:8080", 0, *state, &err),
                     APR_EGENERAL);
    assert_string_equal(err.id, "KC0227");
}

static void test_text(void **state)
{
    static const char *const texts[] = {
        "", "null", "[]", "\"x\"", "{", "{}{}", "<html>", "{\"issuer\": \"a\", \"issuer\": \"a\"}"};
    apr_size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refused_text("KC0221", texts[i], *state);
    }
    refused_text("KC0222", "{}", *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_members),          UNIT_TEST(test_algorithms_are_those_of_both),
        UNIT_TEST(test_optional_members), UNIT_TEST(test_authentication_methods),
        UNIT_TEST(test_scope_roles),      UNIT_TEST(test_issuer),
        UNIT_TEST(test_endpoints),        UNIT_TEST(test_plain_http),
        UNIT_TEST(test_internal_origin),  UNIT_TEST(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
