/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* From a code or a refresh token to a known person, against a provider in a thread of this test. */

#include <string.h>

#include <apr_strings.h>

#include "oidc/oidc.h"
#include "unit.h"
#include "world.h"

static json_t *token_claims(const world *w, const char *typ)
{
    const apr_int64_t now = apr_time_sec(apr_time_now());

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "iss", w->issuer, "aud",
                     "app", "azp", "app", "sub", "51d0", "typ", typ, "nonce", "n1", "iat",
                     (json_int_t)now, "exp", (json_int_t)now + 60, "preferred_username", "alice",
                     "name", "Alice Adams");
}

/* What the token endpoint answers; the access token holds this member besides. */
static void issue(world *w, const char *member, json_t *value, apr_pool_t *pool)
{
    json_t *id = token_claims(w, "ID"), *access = token_claims(w, "Bearer");
    const char *access_token;

    json_object_set_new(access, member, value);
    access_token = signer_token(w->key, "JWT", access, pool);
    json_object_set_new(id, "at_hash", json_string(signer_at_hash(w->key, access_token, pool)));
    server_answer(w->http, "/token", 200, "application/json",
                  apr_psprintf(pool,
                               "{\"access_token\":\"%s\",\"id_token\":\"%s\","
                               "\"token_type\":\"Bearer\",\"expires_in\":60}",
                               access_token, signer_token(w->key, "JWT", id, pool)));
    json_decref(id);
    json_decref(access);
}

static apr_status_t log_in(world *w, kc_userinfo_when userinfo, kc_identity **identity,
                           kc_error *err, apr_pool_t *pool)
{
    const kc_client client = {"app", "secret", "https://app.example.org/cb"};
    const kc_login login = {.code = "the-code",
                            .code_verifier = "the-verifier",
                            .nonce = "n1",
                            .user_claim = "preferred_username",
                            .userinfo = userinfo,
                            .deadline = world_soon(),
                            .client_session_state = "our-session"};
    kc_provider_view view = world_known_to(w->children[0], pool);
    kc_tokens *tokens = NULL;
    apr_status_t rv;

    memset(err, 0, sizeof(*err));
    rv = kc_login_finish(identity, &tokens, w->children[0], &view, &client, &login, pool, err);
    assert_null(strstr(err->text, "the-code"));
    assert_null(strstr(err->text, "the-verifier"));
    return rv;
}

static json_t *admin_of_app(void)
{
    return json_pack("{s:{s:[s]}}", "app", "roles", "admin");
}

static void test_login_costs_one_call(void **state)
{
    world *w = world_new(*state);
    kc_identity *identity;
    kc_error err;
    const char *request;

    world_known_to(w->children[0], *state);
    issue(w, "resource_access", admin_of_app(), *state);
    assert_int_equal(log_in(w, KC_USERINFO_AUTO, &identity, &err, *state), APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_NONE);
    assert_int_equal(server_count(w->http, NULL), 3);
    assert_string_equal(identity->username, "alice");
    assert_string_equal(identity->roles_from, "access token");
    assert_true(kc_json_holds(kc_identity_client_roles(identity, "app", *state), "admin"));
    request = server_request(w->http, "/token", *state);
    assert_non_null(strstr(request, "\r\nAuthorization: Basic YXBwOnNlY3JldA==\r\n"));
    assert_non_null(strstr(request, "&code=the-code&"));
    assert_non_null(strstr(request, "&code_verifier=the-verifier"));
    assert_non_null(strstr(request, "&client_session_state=our-session"));
}

static void test_login_with_a_key_changed_just_before(void **state)
{
    world *w = world_new(*state);
    kc_identity *identity;
    kc_error err;

    world_known_to(w->children[0], *state);
    world_rotate(w, *state);
    issue(w, "resource_access", admin_of_app(), *state);
    assert_int_equal(log_in(w, KC_USERINFO_AUTO, &identity, &err, *state), APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_NONE);
    assert_int_equal(server_count(w->http, "/certs"), 2);
}

static void test_login_with_a_key_that_nobody_publishes(void **state)
{
    world *w = world_new(*state);
    kc_identity *identity;
    kc_error err;

    world_known_to(w->children[0], *state);
    w->key = signer_new(*state, "EdDSA", "k9");
    issue(w, "resource_access", admin_of_app(), *state);
    assert_int_not_equal(log_in(w, KC_USERINFO_AUTO, &identity, &err, *state), APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_PROVIDER);
    /* Its keys cannot be asked for: that is what went wrong. */
    w = world_new(*state);
    world_known_to(w->children[0], *state);
    w->key = signer_new(*state, "EdDSA", "k9");
    issue(w, "resource_access", admin_of_app(), *state);
    server_answer(w->http, "/certs", 503, "text/plain", "");
    assert_int_not_equal(log_in(w, KC_USERINFO_AUTO, &identity, &err, *state), APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_AWAY);
}

static void test_login_with_an_opaque_access_token(void **state)
{
    world *w = world_new(*state);
    json_t *id = token_claims(w, "ID");
    kc_identity *identity;
    kc_error err;

    json_object_set_new(id, "resource_access", admin_of_app());
    server_answer(w->http, "/token", 200, "application/json",
                  apr_psprintf(*state,
                               "{\"access_token\":\"5a1f.opaque\",\"id_token\":\"%s\","
                               "\"token_type\":\"Bearer\"}",
                               signer_token(w->key, "JWT", id, *state)));
    json_decref(id);
    assert_int_equal(log_in(w, KC_USERINFO_AUTO, &identity, &err, *state), APR_SUCCESS);
    assert_string_equal(identity->roles_from, "ID token");
}

/* --- userinfo --------------------------------------------------------------------------------- */

#define USERINFO "{\"sub\":\"51d0\",\"resource_access\":{\"app\":{\"roles\":\"admin\"}}}"

static void test_userinfo_is_asked_when_roles_lack(void **state)
{
    world *w = world_new(*state);
    kc_identity *identity;
    kc_error err;

    issue(w, "scope", json_string("openid"), *state);
    server_answer(w->http, "/userinfo", 200, "application/json", USERINFO);
    assert_int_equal(log_in(w, KC_USERINFO_OFF, &identity, &err, *state), APR_SUCCESS);
    assert_string_equal(identity->roles_from, "nowhere");
    assert_int_equal(server_count(w->http, "/userinfo"), 0);
    assert_int_equal(log_in(w, KC_USERINFO_AUTO, &identity, &err, *state), APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_NONE);
    assert_string_equal(identity->roles_from, "userinfo");
    assert_int_equal(server_count(w->http, "/userinfo"), 1);
    assert_non_null(
        strstr(server_request(w->http, "/userinfo", *state), "\r\nAuthorization: Bearer ey"));
}

static void test_userinfo_is_always_asked_when_on(void **state)
{
    world *w = world_new(*state);
    kc_identity *identity;
    kc_error err;

    issue(w, "resource_access", admin_of_app(), *state);
    server_answer(w->http, "/userinfo", 200, "application/json", USERINFO);
    assert_int_equal(log_in(w, KC_USERINFO_ON, &identity, &err, *state), APR_SUCCESS);
    assert_string_equal(identity->roles_from, "access token");
    assert_int_equal(server_count(w->http, "/userinfo"), 1);
}

static void test_userinfo_that_is_no_help(void **state)
{
    static const struct {
        int status;
        const char *type;
        const char *body;
        kc_fault fault;
        const char *id;
        int tolerated; /* under AUTO */
    } answers[] = {
        {401, "text/plain", "", KC_FAULT_PROVIDER, "KC0451", 1},
        {403, "text/plain", "", KC_FAULT_PROVIDER, "KC0451", 1},
        {500, "text/plain", "", KC_FAULT_AWAY, "KC0452", 0},
        {404, "application/json", USERINFO, KC_FAULT_PROVIDER, "KC0453", 0},
        {200, "text/html", USERINFO, KC_FAULT_PROVIDER, "KC0457", 0},
        {200, "application/json", "{", KC_FAULT_PROVIDER, "KC0458", 0},
        {200, "application/json", "{\"sub\":\"other\"}", KC_FAULT_PROVIDER, "KC0459", 0},
        {200, "application/json", "{}", KC_FAULT_PROVIDER, "KC0459", 0},
        {200, "application/jwt", "hello", KC_FAULT_PROVIDER, "KC0302", 0},
    };
    world *w = world_new(*state);
    kc_identity *identity;
    kc_error err;
    apr_size_t i;

    issue(w, "scope", json_string("openid"), *state);
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        server_answer(w->http, "/userinfo", answers[i].status, answers[i].type, answers[i].body);
        assert_int_equal(log_in(w, KC_USERINFO_AUTO, &identity, &err, *state) == APR_SUCCESS,
                         answers[i].tolerated);
        assert_string_equal(err.id, answers[i].id);
        assert_int_equal(err.fault, answers[i].fault);
        assert_int_not_equal(log_in(w, KC_USERINFO_ON, &identity, &err, *state), APR_SUCCESS);
        assert_string_equal(err.id, answers[i].id);
        assert_int_equal(err.fault, answers[i].fault);
    }
}

/* The message id of a login with this signed userinfo; NULL when it is believed. */
static const char *signed_userinfo(world *w, const signer *key, const char *issuer, const char *aud,
                                   const char *sub, apr_pool_t *pool)
{
    json_t *claims = json_pack("{s:s*, s:s*, s:s}", "iss", issuer, "aud", aud, "sub", sub);
    kc_error *err = apr_palloc(pool, sizeof(*err));
    kc_identity *identity;

    server_answer(w->http, "/userinfo", 200, "application/jwt",
                  signer_token(key, NULL, claims, pool));
    json_decref(claims);
    return log_in(w, KC_USERINFO_ON, &identity, err, pool) == APR_SUCCESS ? NULL : err->id;
}

static void test_signed_userinfo(void **state)
{
    world *w = world_new(*state);
    const signer *forger = signer_new(*state, "EdDSA", "k1");

    issue(w, "scope", json_string("openid"), *state);
    assert_null(signed_userinfo(w, w->key, w->issuer, "app", "51d0", *state));
    assert_null(signed_userinfo(w, w->key, NULL, NULL, "51d0", *state));
    assert_string_equal(signed_userinfo(w, w->key, w->issuer, "app", "other", *state), "KC0459");
    assert_string_equal(signed_userinfo(w, w->key, "https://evil.test", "app", "51d0", *state),
                        "KC0454");
    assert_string_equal(signed_userinfo(w, w->key, w->issuer, "other", "51d0", *state), "KC0455");
    assert_string_equal(signed_userinfo(w, forger, w->issuer, "app", "51d0", *state), "KC0308");
}

/* --- renewal ---------------------------------------------------------------------------------- */

/* As the token endpoint answers a refresh token: the ID token has no nonce. */
static void issue_again(world *w, const char *sub, const char *refresh_token, apr_pool_t *pool)
{
    json_t *id = token_claims(w, "ID"), *access = token_claims(w, "Bearer");

    json_object_del(id, "nonce");
    json_object_set_new(id, "sub", json_string(sub));
    json_object_set_new(access, "sub", json_string(sub));
    json_object_set_new(access, "resource_access", admin_of_app());
    server_answer(w->http, "/token", 200, "application/json",
                  apr_psprintf(pool,
                               "{\"access_token\":\"%s\",\"id_token\":\"%s\",%s"
                               "\"token_type\":\"Bearer\",\"not-before-policy\":17}",
                               signer_token(w->key, "JWT", access, pool),
                               signer_token(w->key, "JWT", id, pool), refresh_token));
    json_decref(id);
    json_decref(access);
}

static apr_status_t renew(world *w, kc_identity **identity, kc_tokens **tokens, kc_error *err,
                          apr_pool_t *pool)
{
    const kc_client client = {"app", "secret", "https://app.example.org/cb"};
    const kc_renewal renewal = {.refresh_token = "old-refresh",
                                .sub = "51d0",
                                .user_claim = "preferred_username",
                                .deadline = world_soon(),
                                .client_session_state = "our-session"};
    kc_provider_view view = world_known_to(w->children[0], pool);
    apr_status_t rv;

    memset(err, 0, sizeof(*err));
    *identity = NULL;
    *tokens = NULL;
    rv = kc_login_renew(identity, tokens, w->children[0], &view, &client, &renewal, pool, err);
    assert_int_equal(rv == APR_SUCCESS, *identity != NULL);
    assert_int_equal(rv == APR_SUCCESS, *tokens != NULL);
    assert_null(strstr(err->text, "old-refresh"));
    return rv;
}

static void test_renewal(void **state)
{
    const apr_int64_t before = apr_time_sec(apr_time_now());
    world *w = world_new(*state);
    kc_identity *identity;
    kc_tokens *tokens;
    kc_error err;
    const char *request;

    issue_again(w, "51d0", "\"refresh_token\":\"new-refresh\",", *state);
    assert_int_equal(renew(w, &identity, &tokens, &err, *state), APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_NONE);
    assert_string_equal(identity->username, "alice");
    assert_true(identity->issued >= before);
    assert_true(kc_json_holds(kc_identity_client_roles(identity, "app", *state), "admin"));
    assert_string_equal(tokens->refresh_token, "new-refresh");
    assert_int_equal(tokens->not_before, 17);
    request = server_request(w->http, "/token", *state);
    assert_non_null(strstr(request, "\r\nAuthorization: Basic YXBwOnNlY3JldA==\r\n"));
    assert_string_equal(strstr(request, "\r\n\r\n") + 4,
                        "grant_type=refresh_token&refresh_token=old-refresh"
                        "&client_session_state=our-session");
}

static void test_renewal_without_a_new_refresh_token(void **state)
{
    world *w = world_new(*state);
    kc_identity *identity;
    kc_tokens *tokens;
    kc_error err;

    issue_again(w, "51d0", "", *state);
    assert_int_equal(renew(w, &identity, &tokens, &err, *state), APR_SUCCESS);
    assert_string_equal(tokens->refresh_token, "old-refresh");
}

static void test_renewal_with_a_key_changed_just_before(void **state)
{
    world *w = world_new(*state);
    kc_identity *identity;
    kc_tokens *tokens;
    kc_error err;

    world_known_to(w->children[0], *state);
    world_rotate(w, *state);
    issue_again(w, "51d0", "", *state);
    assert_int_equal(renew(w, &identity, &tokens, &err, *state), APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_NONE);
}

static void test_renewal_of_another_person(void **state)
{
    world *w = world_new(*state);
    kc_identity *identity;
    kc_tokens *tokens;
    kc_error err;

    issue_again(w, "51d1", "", *state);
    assert_int_equal(renew(w, &identity, &tokens, &err, *state), APR_EGENERAL);
    assert_string_equal(err.id, "KC0621");
    assert_int_equal(err.fault, KC_FAULT_PROVIDER);
}

static void test_renewal_signed_by_another(void **state)
{
    world *w = world_new(*state);
    kc_identity *identity;
    kc_tokens *tokens;
    kc_error err;

    world_known_to(w->children[0], *state);
    w->key = signer_new(*state, "EdDSA", "k1");
    issue_again(w, "51d0", "", *state);
    assert_int_not_equal(renew(w, &identity, &tokens, &err, *state), APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_PROVIDER);
}

/* A session ends by the provider's word only: neither by its absence, nor by its nonsense. */
static void test_renewal_that_fails(void **state)
{
    static const struct {
        int status;
        const char *body;
        kc_fault fault;
        const char *id;
    } answers[] = {
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"Token is not active\"}",
         KC_FAULT_REFUSED, "KC0620"},
        {401, "{\"error\":\"unauthorized_client\"}", KC_FAULT_PROVIDER, "KC0604"},
        {503, "", KC_FAULT_AWAY, "KC0606"},
        {200, "{\"access_token\":\"at\",\"token_type\":\"Bearer\"}", KC_FAULT_PROVIDER, "KC0610"},
    };
    world *w = world_new(*state);
    kc_identity *identity;
    kc_tokens *tokens;
    kc_error err;
    apr_size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        server_answer(w->http, "/token", answers[i].status, "application/json", answers[i].body);
        assert_int_not_equal(renew(w, &identity, &tokens, &err, *state), APR_SUCCESS);
        assert_string_equal(err.id, answers[i].id);
        assert_int_equal(err.fault, answers[i].fault);
    }
}

/* --- revocation ------------------------------------------------------------------------------- */

static void test_revocation(void **state)
{
    const kc_client client = {"app", "secret", "https://app.example.org/cb"};
    world *w = world_new(*state);
    kc_metadata metadata = *world_known_to(w->children[0], *state).metadata;
    kc_error err = {0};
    const char *request;

    metadata.revocation_endpoint = apr_pstrcat(*state, w->issuer, "/revoke", NULL);
    server_answer(w->http, "/revoke", 200, "text/plain", "");
    assert_int_equal(
        kc_token_revoke(w->calls, &metadata, &client, "old-refresh", world_soon(), *state, &err),
        APR_SUCCESS);
    request = server_request(w->http, "/revoke", *state);
    assert_string_equal(strstr(request, "\r\n\r\n") + 4,
                        "token=old-refresh&token_type_hint=refresh_token");
    server_answer(w->http, "/revoke", 503, "text/plain", "");
    assert_int_equal(
        kc_token_revoke(w->calls, &metadata, &client, "old-refresh", world_soon(), *state, &err),
        APR_EGENERAL);
    assert_int_equal(err.fault, KC_FAULT_AWAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_login_costs_one_call),
        UNIT_TEST(test_login_with_a_key_changed_just_before),
        UNIT_TEST(test_login_with_a_key_that_nobody_publishes),
        UNIT_TEST(test_login_with_an_opaque_access_token),
        UNIT_TEST(test_userinfo_is_asked_when_roles_lack),
        UNIT_TEST(test_userinfo_is_always_asked_when_on),
        UNIT_TEST(test_userinfo_that_is_no_help),
        UNIT_TEST(test_signed_userinfo),
        UNIT_TEST(test_renewal),
        UNIT_TEST(test_renewal_without_a_new_refresh_token),
        UNIT_TEST(test_renewal_with_a_key_changed_just_before),
        UNIT_TEST(test_renewal_of_another_person),
        UNIT_TEST(test_renewal_signed_by_another),
        UNIT_TEST(test_renewal_that_fails),
        UNIT_TEST(test_revocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
