/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Logout tokens: OpenID Connect Back-Channel Logout 1.0 section 2.6, one lie at a time. */

#include <string.h>

#include <apr_strings.h>

#include "oidc/internal.h"
#include "unit.h"
#include "world.h"

#define ISSUER "https://sso.example.org/realms/demo"
#define EVENT  "\"http://schemas.openid.net/event/backchannel-logout\""

enum { NOW = 1800000000 };

static const kc_notice_rules rules = {ISSUER, "app", apr_time_from_sec(NOW)};

/* As Keycloak writes them. */
static json_t *honest_claims(const char *issuer, apr_int64_t now)
{
    return json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:{}}}", "exp",
                     (json_int_t)now + 120, "iat", (json_int_t)now, "jti", "2556", "iss", issuer,
                     "aud", "app", "sub", "51d0", "typ", "Logout", "sid", "ZqD5", "events",
                     "http://schemas.openid.net/event/backchannel-logout");
}

/* NULL when the token is believed, else the message id. */
static const char *answer_to(kc_logout_notice *notice, const char *typ, const char *change,
                             apr_pool_t *pool)
{
    static const kc_logout_notice untouched = {.sub = "untouched"};
    json_t *claims = honest_claims(ISSUER, NOW);
    kc_error err = {0};
    apr_status_t rv;

    signer_change(claims, change);
    *notice = untouched;
    rv = kc_logout_token_check(
        notice, signer_jwt(signer_new(pool, "EdDSA", "k1"), typ, claims, pool), &rules, &err);
    json_decref(claims);
    if (rv == APR_SUCCESS) {
        return NULL;
    }
    assert_memory_equal(notice, &untouched, sizeof(untouched));
    assert_int_equal(err.fault, KC_FAULT_REQUEST);
    assert_true(*err.text);
    return err.id;
}

static void expect(const char *id, const char *change, apr_pool_t *pool)
{
    kc_logout_notice notice;
    const char *found = answer_to(&notice, "logout+jwt", change, pool);

    if (!found || strcmp(found, id) != 0) {
        fail_msg("%s: %s instead of %s", change, found ? found : "believed", id);
    }
}

static kc_logout_notice expect_believed(const char *change, apr_pool_t *pool)
{
    kc_logout_notice notice;
    const char *found = answer_to(&notice, "logout+jwt", change, pool);

    if (found) {
        fail_msg("%s: %s", change, found);
    }
    return notice;
}

static void test_honest(void **state)
{
    kc_logout_notice notice = expect_believed("{}", *state);

    assert_string_equal(notice.sub, "51d0");
    assert_string_equal(notice.sid, "ZqD5");
    assert_string_equal(notice.id, "2556");
    assert_int_equal(notice.expires, NOW + 120 + 60);
    assert_int_equal(notice.not_before, 0);
    assert_null(notice.sids);
    assert_null(notice.action);
}

static void test_person_or_session(void **state)
{
    apr_pool_t *pool = *state;
    char *longest = apr_pcalloc(pool, 256);

    assert_null(expect_believed("{\"sub\": {}}", pool).sub);
    assert_null(expect_believed("{\"sid\": {}}", pool).sid);
    memset(longest, 's', 255);
    expect_believed(apr_psprintf(pool, "{\"sub\": \"%s\", \"sid\": {}}", longest), pool);
    expect("KC0922", apr_psprintf(pool, "{\"sub\": \"%ss\"}", longest), pool);
    expect("KC0922", apr_psprintf(pool, "{\"sid\": \"%ss\"}", longest), pool);
    expect("KC0924", "{\"sub\": {}, \"sid\": {}}", pool);
    expect("KC0922", "{\"sub\": \"\"}", pool);
    expect("KC0922", "{\"sid\": \"\"}", pool);
    expect("KC0922", "{\"sub\": {}, \"sid\": \"\"}", pool);
    expect("KC0922", "{\"sid\": null}", pool);
    expect("KC0922", "{\"sub\": null}", pool);
    expect("KC0922", "{\"sub\": 17}", pool);
    expect("KC0922", "{\"sid\": [\"ZqD5\"]}", pool);
    expect("KC0922", "{\"sid\": {\"a\": 1}}", pool);
}

static void test_jti(void **state)
{
    apr_pool_t *pool = *state;
    char *longest = apr_pcalloc(pool, 256);

    memset(longest, 'j', 255);
    expect_believed(apr_psprintf(pool, "{\"jti\": \"%s\"}", longest), pool);
    expect("KC0922", apr_psprintf(pool, "{\"jti\": \"%sj\"}", longest), pool);
    expect("KC0923", "{\"jti\": {}}", pool);
    expect("KC0922", "{\"jti\": \"\"}", pool);
    expect("KC0922", "{\"jti\": null}", pool);
    expect("KC0922", "{\"jti\": 2556}", pool);
}

static void test_iss(void **state)
{
    expect("KC0917", "{\"iss\": \"" ISSUER "/\"}", *state);
    expect("KC0917", "{\"iss\": \"https://SSO.example.org/realms/demo\"}", *state);
    expect("KC0917", "{\"iss\": \"https://evil.test\"}", *state);
    expect("KC0917", "{\"iss\": [\"" ISSUER "\"]}", *state);
    expect("KC0917", "{\"iss\": null}", *state);
    expect("KC0917", "{\"iss\": {}}", *state);
}

static void test_aud(void **state)
{
    expect_believed("{\"aud\": [\"app\"]}", *state);
    expect_believed("{\"aud\": [\"other\", \"app\"]}", *state);
    expect("KC0918", "{\"aud\": \"other\"}", *state);
    expect("KC0918", "{\"aud\": \"App\"}", *state);
    expect("KC0918", "{\"aud\": \"app \"}", *state);
    expect("KC0918", "{\"aud\": []}", *state);
    expect("KC0918", "{\"aud\": [[\"app\"]]}", *state);
    expect("KC0918", "{\"aud\": {\"app\": 1}}", *state);
    expect("KC0918", "{\"aud\": null}", *state);
    expect("KC0918", "{\"aud\": {}}", *state);
    expect("KC0918", "{\"aud\": {}, \"azp\": \"app\"}", *state);
}

static void test_times(void **state)
{
    expect_believed("{\"iat\": 1800000060}", *state);
    expect_believed("{\"iat\": 0}", *state);
    expect("KC0919", "{\"iat\": 1800000061}", *state);
    expect("KC0919", "{\"iat\": 9223372036854775807}", *state);
    expect("KC0919", "{\"iat\": \"1800000000\"}", *state);
    expect("KC0919", "{\"iat\": 1800000000.5}", *state);
    expect("KC0919", "{\"iat\": null}", *state);
    expect("KC0919", "{\"iat\": {}}", *state);
    assert_int_equal(expect_believed("{\"exp\": 1799999941}", *state).expires, NOW + 1);
    expect("KC0920", "{\"exp\": 1799999940}", *state);
    expect("KC0920", "{\"exp\": -9223372036854775808}", *state);
    expect("KC0920", "{\"exp\": \"1800000120\"}", *state);
    expect("KC0920", "{\"exp\": null}", *state);
    expect("KC0920", "{\"exp\": {}}", *state);
    expect_believed("{\"exp\": 1800086400}", *state);
    expect("KC0921", "{\"exp\": 1800086401}", *state);
    expect("KC0921", "{\"exp\": 9223372036854775807}", *state);
}

static void test_events(void **state)
{
    expect_believed("{\"events\": {" EVENT ": {\"revoke_offline_access\": true}}}", *state);
    expect_believed("{\"events\": {" EVENT ": {}, \"other\": 1}}", *state);
    expect("KC0916", "{\"events\": {}}", *state);
    expect("KC0916", "{\"events\": {\"other\": {}}}", *state);
    expect("KC0916", "{\"events\": {\"backchannel-logout\": {}}}", *state);
    expect("KC0916", "{\"events\": {" EVENT ": null}}", *state);
    expect("KC0916", "{\"events\": {" EVENT ": true}}", *state);
    expect("KC0916", "{\"events\": {" EVENT ": []}}", *state);
    expect("KC0916", "{\"events\": {" EVENT ": \"{}\"}}", *state);
    expect("KC0916", "{\"events\": [" EVENT "]}", *state);
    expect("KC0916", "{\"events\": " EVENT "}", *state);
    expect("KC0916", "{\"events\": null}", *state);
}

static void test_nonce(void **state)
{
    expect("KC0915", "{\"nonce\": \"n-0S6_WzA2Mj\"}", *state);
    expect("KC0915", "{\"nonce\": \"\"}", *state);
    expect("KC0915", "{\"nonce\": null}", *state);
    expect("KC0915", "{\"nonce\": 1}", *state);
}

/* A token of another kind, signed by the same key, that would fit else. */
static void test_kind(void **state)
{
    static const char *const good[] = {NULL,
                                       "JWT",
                                       "jwt",
                                       "logout+jwt",
                                       "Logout+JWT",
                                       "application/logout+jwt",
                                       "APPLICATION/Logout+jwt"};
    static const char *const bad[] = {
        "at+jwt",      "application/at+jwt", "secevent+jwt",       "logout",
        "logout+jwt ", "dpop+jwt",           "oauth-authz-req+jwt"};
    kc_logout_notice notice;
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(answer_to(&notice, good[i], "{}", *state));
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_string_equal(answer_to(&notice, bad[i], "{}", *state), "KC0913");
    }
    expect_believed("{\"typ\": {}}", *state);
    expect("KC0914", "{\"typ\": \"ID\"}", *state);
    expect("KC0914", "{\"typ\": \"Bearer\"}", *state);
    expect("KC0914", "{\"typ\": \"Refresh\"}", *state);
    expect("KC0914", "{\"typ\": \"logout\"}", *state);
    expect("KC0914", "{\"typ\": null}", *state);
    expect("KC0914", "{\"typ\": [\"Logout\"]}", *state);
}

/* --- with a provider -------------------------------------------------------------------------- */

static apr_status_t read_token(world *w, const char *token, kc_logout_notice *notice, kc_error *err,
                               apr_pool_t *pool)
{
    const kc_client client = {"app", "secret", "https://app.example.org/cb"};
    kc_provider_view view = world_known_to(w->children[0], pool);

    memset(err, 0, sizeof(*err));
    return kc_logout_token_read(notice, token, w->children[0], &view, &client, world_soon(), pool,
                                err);
}

static const char *honest_token(const world *w, const signer *key, apr_pool_t *pool)
{
    json_t *claims = honest_claims(w->issuer, apr_time_sec(apr_time_now()));
    const char *token = signer_token(key, "logout+jwt", claims, pool);

    json_decref(claims);
    return token;
}

static void test_signed(void **state)
{
    world *w = world_new(*state);
    kc_logout_notice notice;
    kc_error err;

    assert_int_equal(read_token(w, honest_token(w, w->key, *state), &notice, &err, *state),
                     APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_NONE);
    assert_string_equal(notice.sid, "ZqD5");
    assert_int_equal(server_count(w->http, "/certs"), 1);
}

static void expect_unverified(world *w, const char *token, const char *id, apr_pool_t *pool)
{
    kc_logout_notice notice;
    kc_error err;

    assert_int_not_equal(read_token(w, token, &notice, &err, pool), APR_SUCCESS);
    assert_string_equal(err.id, id);
    assert_int_equal(err.fault, KC_FAULT_REQUEST);
}

static const char *unsigned_token(const world *w, apr_pool_t *pool)
{
    const char *token = honest_token(w, w->key, pool), *payload = strchr(token, '.');

    /* {"alg":"none"} */
    return apr_pstrcat(pool, "eyJhbGciOiJub25lIn0",
                       apr_pstrndup(pool, payload, (apr_size_t)(strrchr(token, '.') + 1 - payload)),
                       "AA", NULL);
}

static void test_unsigned(void **state)
{
    apr_pool_t *pool = *state;
    world *w = world_new(pool);
    const char *token = honest_token(w, w->key, pool);
    char *big = apr_palloc(pool, 65538);

    expect_unverified(w, honest_token(w, signer_new(pool, "EdDSA", "k1"), pool), "KC0911", pool);
    expect_unverified(w, honest_token(w, signer_new(pool, "RS256", "k1"), pool), "KC0911", pool);
    expect_unverified(w, unsigned_token(w, pool), "KC0911", pool);
    expect_unverified(w, "", "KC0911", pool);
    expect_unverified(w, "a.b.c", "KC0911", pool);
    expect_unverified(w, apr_pstrcat(pool, token, "\n", NULL), "KC0911", pool);
    expect_unverified(w, apr_pstrndup(pool, token, strlen(token) - 1), "KC0911", pool);
    memset(big, 'a', 65537);
    big[65537] = '\0';
    expect_unverified(w, big, "KC0910", pool);
    big[65536] = '\0';
    expect_unverified(w, big, "KC0911", pool);
}

static void test_signed_with_a_key_changed_just_before(void **state)
{
    world *w = world_new(*state);
    kc_logout_notice notice;
    kc_error err;

    world_known_to(w->children[0], *state);
    world_rotate(w, *state);
    assert_int_equal(read_token(w, honest_token(w, w->key, *state), &notice, &err, *state),
                     APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_NONE);
    assert_int_equal(server_count(w->http, "/certs"), 2);
    /* Whoever makes up keys makes nobody fetch again. */
    expect_unverified(w, honest_token(w, signer_new(*state, "EdDSA", "k9"), *state), "KC0911",
                      *state);
    assert_int_equal(server_count(w->http, "/certs"), 2);
}

static void test_keys_that_cannot_be_had(void **state)
{
    static const struct {
        int status;
        const char *body;
    } answers[] = {{503, ""}, {200, "<html>"}};
    apr_size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        world *w = world_new(*state);
        kc_logout_notice notice;
        kc_error err;

        world_known_to(w->children[0], *state);
        world_rotate(w, *state);
        server_answer(w->http, "/certs", answers[i].status, "application/json", answers[i].body);
        assert_int_not_equal(read_token(w, honest_token(w, w->key, *state), &notice, &err, *state),
                             APR_SUCCESS);
        assert_int_equal(err.fault, KC_FAULT_AWAY);
        assert_string_equal(err.id, "KC0912");
    }
}

/* What else the provider signs for us ends nobody's session. */
static void test_id_token_is_no_logout_token(void **state)
{
    const apr_int64_t now = apr_time_sec(apr_time_now());
    world *w = world_new(*state);
    json_t *claims = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "iss", w->issuer, "aud",
                               "app", "sub", "51d0", "sid", "ZqD5", "typ", "ID", "jti", "1", "iat",
                               (json_int_t)now, "exp", (json_int_t)now + 60);

    expect_unverified(w, signer_token(w->key, "JWT", claims, *state), "KC0914", *state);
    json_object_del(claims, "typ");
    expect_unverified(w, signer_token(w->key, "JWT", claims, *state), "KC0916", *state);
    json_decref(claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_honest),
        UNIT_TEST(test_person_or_session),
        UNIT_TEST(test_jti),
        UNIT_TEST(test_iss),
        UNIT_TEST(test_aud),
        UNIT_TEST(test_times),
        UNIT_TEST(test_events),
        UNIT_TEST(test_nonce),
        UNIT_TEST(test_kind),
        UNIT_TEST(test_signed),
        UNIT_TEST(test_unsigned),
        UNIT_TEST(test_signed_with_a_key_changed_just_before),
        UNIT_TEST(test_keys_that_cannot_be_had),
        UNIT_TEST(test_id_token_is_no_logout_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
