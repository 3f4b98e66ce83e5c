/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Keycloak's admin actions, one lie at a time. */

#include <string.h>

#include <apr_strings.h>

#include "oidc/internal.h"
#include "unit.h"
#include "world.h"

enum { NOW = 1800000000 };

static const kc_notice_rules rules = {"https://sso.example.org/realms/demo", "app",
                                      apr_time_from_sec(NOW)};

/* As Keycloak writes them. */
#define LOGOUT_OF_ONE                                                                        \
    "{\"id\": \"8cd4-1800000000\", \"expiration\": 1800000030, \"resource\": \"app\", "      \
    "\"action\": \"LOGOUT\", \"adapterSessionIds\": [\"my-app-sess-1\"], \"notBefore\": 0, " \
    "\"keycloakSessionIds\": [\"HPM1\"]}"
#define LOGOUT_OF_ALL                                                                   \
    "{\"id\": \"9434-1800000000\", \"expiration\": 1800000030, \"resource\": \"app\", " \
    "\"action\": \"LOGOUT\", \"notBefore\": 1800000000}"
#define PUSH                                                                            \
    "{\"id\": \"37bb-1800000000\", \"expiration\": 1800000030, \"resource\": \"app\", " \
    "\"action\": \"PUSH_NOT_BEFORE\", \"notBefore\": 1799999984}"
#define TEST                                                                            \
    "{\"id\": \"88e6-1800000000\", \"expiration\": 1800000030, \"resource\": \"app\", " \
    "\"action\": \"TEST_AVAILABILITY\"}"

static json_t *changed(const char *honest, const char *change)
{
    json_t *claims = json_loads(honest, 0, NULL);

    assert_non_null(claims);
    signer_change(claims, change);
    return claims;
}

/* NULL when it is believed, else the message id. */
static const char *answer_to(kc_logout_notice *notice, const char *action, const char *typ,
                             const char *honest, const char *change, apr_pool_t *pool)
{
    static const kc_logout_notice untouched = {.action = "untouched"};
    json_t *claims = changed(honest, change);
    kc_jwt *jwt = signer_jwt(signer_new(pool, "EdDSA", "k1"), typ, claims, pool);
    kc_error err = {0};

    json_decref(claims);
    *notice = untouched;
    if (kc_admin_action_check(notice, action, jwt, &rules, &err) == APR_SUCCESS) {
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
    const char *found = answer_to(&notice, "LOGOUT", "JWT", LOGOUT_OF_ONE, change, pool);

    if (!found || strcmp(found, id) != 0) {
        fail_msg("%s: %s instead of %s", change, found ? found : "believed", id);
    }
}

static kc_logout_notice expect_believed(const char *change, apr_pool_t *pool)
{
    kc_logout_notice notice;
    const char *found = answer_to(&notice, "LOGOUT", "JWT", LOGOUT_OF_ONE, change, pool);

    if (found) {
        fail_msg("%s: %s", change, found);
    }
    return notice;
}

static void test_logout_of_one(void **state)
{
    kc_logout_notice notice = expect_believed("{}", *state);

    assert_string_equal(notice.action, "LOGOUT");
    assert_string_equal(notice.id, "8cd4-1800000000");
    assert_int_equal(notice.expires, NOW + 30 + 60);
    assert_int_equal(notice.not_before, 0);
    assert_int_equal(json_array_size(notice.sids), 1);
    assert_true(kc_json_holds(notice.sids, "HPM1"));
    assert_null(notice.sub);
    assert_null(notice.sid);
}

static void test_logout_of_all(void **state)
{
    kc_logout_notice notice;

    assert_null(answer_to(&notice, "LOGOUT", "JWT", LOGOUT_OF_ALL, "{}", *state));
    assert_null(notice.sids);
    assert_int_equal(notice.not_before, NOW);
}

static void test_push_not_before(void **state)
{
    kc_logout_notice notice;

    assert_null(answer_to(&notice, "PUSH_NOT_BEFORE", "JWT", PUSH, "{}", *state));
    assert_int_equal(notice.not_before, NOW - 16);
    /* The console's "Clear". */
    assert_null(answer_to(&notice, "PUSH_NOT_BEFORE", "JWT", PUSH, "{\"notBefore\": 0}", *state));
    assert_int_equal(notice.not_before, 0);
    assert_string_equal(
        answer_to(&notice, "PUSH_NOT_BEFORE", "JWT", PUSH, "{\"notBefore\": {}}", *state),
        "KC0952");
}

static void test_test_availability(void **state)
{
    kc_logout_notice notice;

    assert_null(answer_to(&notice, "TEST_AVAILABILITY", "JWT", TEST, "{}", *state));
    assert_string_equal(notice.action, "TEST_AVAILABILITY");
}

/* What was signed for one address is no good at another. */
static void test_action(void **state)
{
    static const char *const actions[] = {"LOGOUT", "PUSH_NOT_BEFORE", "TEST_AVAILABILITY"};
    static const char *const bodies[] = {LOGOUT_OF_ALL, PUSH, TEST};
    kc_logout_notice notice;
    int i, j;

    for (i = 0; i < 3; i++) {
        for (j = 0; j < 3; j++) {
            const char *found = answer_to(&notice, actions[i], "JWT", bodies[j], "{}", *state);

            if (i == j) {
                assert_null(found);
            } else {
                assert_string_equal(found, "KC0945");
            }
        }
    }
    expect("KC0945", "{\"action\": \"logout\"}", *state);
    expect("KC0945", "{\"action\": [\"LOGOUT\"]}", *state);
    expect("KC0945", "{\"action\": null}", *state);
    expect("KC0945", "{\"action\": {}}", *state);
}

static void test_resource(void **state)
{
    expect("KC0946", "{\"resource\": \"other\"}", *state);
    expect("KC0946", "{\"resource\": \"App\"}", *state);
    expect("KC0946", "{\"resource\": \"app/\"}", *state);
    expect("KC0946", "{\"resource\": \"\"}", *state);
    expect("KC0946", "{\"resource\": [\"app\"]}", *state);
    expect("KC0946", "{\"resource\": null}", *state);
    expect("KC0946", "{\"resource\": {}}", *state);
}

static void test_expiration(void **state)
{
    assert_int_equal(expect_believed("{\"expiration\": 1799999941}", *state).expires, NOW + 1);
    expect("KC0947", "{\"expiration\": 1799999940}", *state);
    expect("KC0947", "{\"expiration\": 0}", *state);
    expect("KC0947", "{\"expiration\": -9223372036854775808}", *state);
    expect("KC0947", "{\"expiration\": \"1800000030\"}", *state);
    expect("KC0947", "{\"expiration\": 1800000030.5}", *state);
    expect("KC0947", "{\"expiration\": null}", *state);
    expect("KC0947", "{\"expiration\": {}}", *state);
    expect("KC0947", "{\"expiration\": {}, \"exp\": 1800000030}", *state);
    expect_believed("{\"expiration\": 1800000600}", *state);
    expect("KC0948", "{\"expiration\": 1800000601}", *state);
    expect("KC0948", "{\"expiration\": 1800000030000}", *state);
    expect("KC0948", "{\"expiration\": 9223372036854775807}", *state);
}

static void test_id(void **state)
{
    apr_pool_t *pool = *state;
    char *longest = apr_pcalloc(pool, 256);

    memset(longest, 'i', 255);
    expect_believed(apr_psprintf(pool, "{\"id\": \"%s\"}", longest), pool);
    expect("KC0949", apr_psprintf(pool, "{\"id\": \"%si\"}", longest), pool);
    expect("KC0949", "{\"id\": \"\"}", pool);
    expect("KC0949", "{\"id\": 8}", pool);
    expect("KC0949", "{\"id\": null}", pool);
    expect("KC0949", "{\"id\": {}}", pool);
    expect("KC0949", "{\"id\": {}, \"jti\": \"8cd4\"}", pool);
}

static void test_session_ids(void **state)
{
    apr_pool_t *pool = *state;
    char *longest = apr_pcalloc(pool, 256);

    memset(longest, 's', 255);
    assert_int_equal(
        json_array_size(expect_believed("{\"keycloakSessionIds\": [\"a\", \"b\"]}", pool).sids), 2);
    expect_believed(apr_psprintf(pool, "{\"keycloakSessionIds\": [\"%s\"]}", longest), pool);
    expect("KC0950", apr_psprintf(pool, "{\"keycloakSessionIds\": [\"%ss\"]}", longest), pool);
    /* Nobody, which is not everybody. */
    assert_non_null(expect_believed("{\"keycloakSessionIds\": []}", pool).sids);
    assert_null(expect_believed("{\"keycloakSessionIds\": {}}", pool).sids);
    expect("KC0950", "{\"keycloakSessionIds\": null}", pool);
    expect("KC0950", "{\"keycloakSessionIds\": \"HPM1\"}", pool);
    expect("KC0950", "{\"keycloakSessionIds\": {\"HPM1\": 1}}", pool);
    expect("KC0950", "{\"keycloakSessionIds\": [\"HPM1\", 1]}", pool);
    expect("KC0950", "{\"keycloakSessionIds\": [\"HPM1\", \"\"]}", pool);
    expect("KC0950", "{\"keycloakSessionIds\": [\"HPM1\", null]}", pool);
    expect("KC0950", "{\"keycloakSessionIds\": [[\"HPM1\"]]}", pool);
}

static void test_not_before(void **state)
{
    assert_int_equal(expect_believed("{\"notBefore\": {}}", *state).not_before, 0);
    assert_int_equal(expect_believed("{\"notBefore\": 17}", *state).not_before, 17);
    assert_int_equal(expect_believed("{\"notBefore\": 1800000060}", *state).not_before, NOW + 60);
    expect("KC0953", "{\"notBefore\": 1800000061}", *state);
    expect("KC0953", "{\"notBefore\": 9223372036854775807}", *state);
    expect("KC0951", "{\"notBefore\": -1}", *state);
    expect("KC0951", "{\"notBefore\": \"0\"}", *state);
    expect("KC0951", "{\"notBefore\": 0.5}", *state);
    expect("KC0951", "{\"notBefore\": null}", *state);
    expect("KC0951", "{\"notBefore\": [0]}", *state);
}

/* A token of another kind, signed by the same key, into which a mapper put all the rest. */
static void test_kind(void **state)
{
    static const char *const bad[] = {"logout+jwt", "at+jwt", "application/at+jwt", "JWT "};
    kc_logout_notice notice;
    apr_size_t i;

    assert_null(answer_to(&notice, "LOGOUT", NULL, LOGOUT_OF_ONE, "{}", *state));
    assert_null(answer_to(&notice, "LOGOUT", "jwt", LOGOUT_OF_ONE, "{}", *state));
    assert_null(answer_to(&notice, "LOGOUT", "application/jwt", LOGOUT_OF_ONE, "{}", *state));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_string_equal(answer_to(&notice, "LOGOUT", bad[i], LOGOUT_OF_ONE, "{}", *state),
                            "KC0943");
    }
    expect("KC0944", "{\"typ\": \"ID\"}", *state);
    expect("KC0944", "{\"typ\": \"Bearer\"}", *state);
    expect("KC0944", "{\"typ\": \"Logout\"}", *state);
    expect("KC0944", "{\"typ\": null}", *state);
    expect("KC0944", "{\"iss\": \"https://sso.example.org/realms/demo\"}", *state);
    expect("KC0944", "{\"aud\": \"app\"}", *state);
    expect("KC0944", "{\"sub\": \"51d0\"}", *state);
}

/* --- with a provider -------------------------------------------------------------------------- */

static apr_status_t read_action(world *w, const char *token, kc_logout_notice *notice,
                                kc_error *err, apr_pool_t *pool)
{
    const kc_client client = {"app", "secret", "https://app.example.org/cb"};
    kc_provider_view view = world_known_to(w->children[0], pool);

    memset(err, 0, sizeof(*err));
    return kc_admin_action_read(notice, "LOGOUT", token, w->children[0], &view, &client,
                                world_soon(), pool, err);
}

static const char *fresh_action(const signer *key, apr_pool_t *pool)
{
    json_t *claims =
        changed(LOGOUT_OF_ONE, apr_psprintf(pool, "{\"expiration\": %" APR_TIME_T_FMT "}",
                                            apr_time_sec(apr_time_now()) + 30));
    const char *token = signer_token(key, "JWT", claims, pool);

    json_decref(claims);
    return token;
}

static void expect_unverified(world *w, const char *token, const char *id, apr_pool_t *pool)
{
    kc_logout_notice notice;
    kc_error err;

    assert_int_not_equal(read_action(w, token, &notice, &err, pool), APR_SUCCESS);
    assert_string_equal(err.id, id);
    assert_int_equal(err.fault, KC_FAULT_REQUEST);
}

static void test_signed(void **state)
{
    apr_pool_t *pool = *state;
    world *w = world_new(pool);
    kc_logout_notice notice;
    char *big = apr_palloc(pool, 65538);
    kc_error err;

    assert_int_equal(read_action(w, fresh_action(w->key, pool), &notice, &err, pool), APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_NONE);
    assert_true(kc_json_holds(notice.sids, "HPM1"));
    expect_unverified(w, fresh_action(signer_new(pool, "EdDSA", "k1"), pool), "KC0941", pool);
    expect_unverified(w, "", "KC0941", pool);
    expect_unverified(w, LOGOUT_OF_ALL, "KC0941", pool);
    memset(big, 'a', 65537);
    big[65537] = '\0';
    expect_unverified(w, big, "KC0940", pool);
}

static void test_signed_with_a_key_changed_just_before(void **state)
{
    world *w = world_new(*state);
    kc_logout_notice notice;
    kc_error err;

    world_known_to(w->children[0], *state);
    world_rotate(w, *state);
    assert_int_equal(read_action(w, fresh_action(w->key, *state), &notice, &err, *state),
                     APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_NONE);
    assert_int_equal(server_count(w->http, "/certs"), 2);
}

static void test_keys_that_cannot_be_had(void **state)
{
    world *w = world_new(*state);
    kc_logout_notice notice;
    kc_error err;

    world_known_to(w->children[0], *state);
    world_rotate(w, *state);
    server_answer(w->http, "/certs", 503, "text/plain", "");
    assert_int_not_equal(read_action(w, fresh_action(w->key, *state), &notice, &err, *state),
                         APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_AWAY);
    assert_string_equal(err.id, "KC0942");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_logout_of_one),
        UNIT_TEST(test_logout_of_all),
        UNIT_TEST(test_push_not_before),
        UNIT_TEST(test_test_availability),
        UNIT_TEST(test_action),
        UNIT_TEST(test_resource),
        UNIT_TEST(test_expiration),
        UNIT_TEST(test_id),
        UNIT_TEST(test_session_ids),
        UNIT_TEST(test_not_before),
        UNIT_TEST(test_kind),
        UNIT_TEST(test_signed),
        UNIT_TEST(test_signed_with_a_key_changed_just_before),
        UNIT_TEST(test_keys_that_cannot_be_had),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
