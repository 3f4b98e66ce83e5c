/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Who logged in, and Keycloak's roles, from claims of any shape. */

#include <string.h>

#include "oidc/internal.h"
#include "unit.h"

static apr_status_t release(void *json)
{
    json_decref(json);
    return APR_SUCCESS;
}

static const json_t *claims(const char *text, apr_pool_t *pool)
{
    json_t *json = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (text) {
        assert_non_null(json);
        apr_pool_cleanup_register(pool, json, release, apr_pool_cleanup_null);
    }
    return json;
}

static kc_sources sources_of(const char *access_token, const char *id_token, const char *userinfo,
                             apr_pool_t *pool)
{
    const kc_sources sources = {claims(access_token, pool), claims(id_token, pool),
                                claims(userinfo, pool)};

    return sources;
}

static kc_identity *identity_of(const char *access_token, const char *id_token,
                                const char *userinfo, apr_pool_t *pool)
{
    const kc_sources sources = sources_of(access_token, id_token, userinfo, pool);

    return kc_identity_make(&sources, "preferred_username", pool);
}

/* The names in a list, joined by commas. */
static void assert_names(const json_t *list, const char *expected)
{
    char joined[256] = "";
    apr_size_t i;

    for (i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        assert_non_null(name);
        assert_true(strlen(joined) + strlen(name) + 2 < sizeof(joined));
        strcat(strcat(joined, i ? "," : ""), name);
    }
    assert_string_equal(joined, expected);
}

#define ID                                                                                     \
    "{\"sub\":\"51d0\",\"preferred_username\":\"alice\",\"name\":\"Alice Adams\","             \
    "\"email\":\"alice@example.org\",\"sid\":\"z0R8\",\"acr\":\"1\",\"auth_time\":1795503400," \
    "\"iat\":1795503405}"

static void test_person(void **state)
{
    kc_identity *identity = identity_of(NULL, ID, NULL, *state);

    assert_string_equal(identity->sub, "51d0");
    assert_string_equal(identity->username, "alice");
    assert_string_equal(identity->name, "Alice Adams");
    assert_string_equal(identity->email, "alice@example.org");
    assert_string_equal(identity->sid, "z0R8");
    assert_string_equal(identity->acr, "1");
    assert_int_equal(identity->auth_time, 1795503400);
    assert_int_equal(identity->issued, 1795503405);
}

static void test_person_of_whom_little_is_known(void **state)
{
    kc_identity *identity = identity_of(NULL, "{\"sub\":\"51d0\"}", NULL, *state);

    assert_string_equal(identity->username, "51d0");
    assert_null(identity->name);
    assert_null(identity->email);
    assert_null(identity->sid);
    assert_null(identity->acr);
    assert_int_equal(identity->auth_time, 0);
    assert_null(identity->resource_access);
    assert_null(identity->realm_roles);
    assert_null(identity->groups);
    assert_string_equal(identity->roles_from, "nowhere");
    assert_null(kc_identity_client_roles(identity, "app", *state));
}

static void test_wrong_types_count_as_absent(void **state)
{
    static const char *const values[] = {"1",  "true", "null",        "\"\"",
                                         "[]", "{}",   "[1,{},null]", "{\"app\":1}"};
    apr_size_t i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        json_t *id_token = json_pack("{s:s}", "sub", "51d0");
        static const char *const names[] = {"preferred_username", "name",  "email", "sid", "acr",
                                            "realm_access",       "groups"};
        kc_sources sources = {NULL, id_token, NULL};
        kc_identity *identity;
        apr_size_t j;

        for (j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
            json_object_set_new(id_token, names[j], json_loads(values[i], JSON_DECODE_ANY, NULL));
        }
        json_object_set_new(id_token, "auth_time", json_string(values[i]));
        identity = kc_identity_make(&sources, "preferred_username", *state);
        assert_string_equal(identity->username, "51d0");
        assert_null(identity->name);
        assert_null(identity->email);
        assert_null(identity->sid);
        assert_null(identity->acr);
        assert_int_equal(identity->auth_time, 0);
        assert_null(identity->realm_roles);
        assert_null(identity->groups);
        json_decref(id_token);
    }
}

static void test_user_claim(void **state)
{
    const kc_sources sources = sources_of("{\"nick\":\"from access\"}", ID, NULL, *state);

    assert_string_equal(kc_identity_make(&sources, "email", *state)->username, "alice@example.org");
    assert_string_equal(kc_identity_make(&sources, "sub", *state)->username, "51d0");
    assert_string_equal(kc_identity_make(&sources, "nick", *state)->username, "from access");
    assert_string_equal(kc_identity_make(&sources, "none", *state)->username, "51d0");
}

static void test_userinfo_adds_names(void **state)
{
    kc_identity *identity =
        identity_of(NULL, "{\"sub\":\"51d0\"}",
                    "{\"sub\":\"51d0\",\"preferred_username\":\"alice\",\"name\":\"Alice\","
                    "\"sid\":\"forged\",\"acr\":\"9\",\"auth_time\":5,\"iat\":5}",
                    *state);

    assert_string_equal(identity->username, "alice");
    assert_string_equal(identity->name, "Alice");
    /* Only the ID token tells of the login. */
    assert_null(identity->sid);
    assert_null(identity->acr);
    assert_int_equal(identity->issued, 0);
    assert_int_equal(identity->auth_time, 0);
}

#define ACCESS                                                                   \
    "{\"realm_access\":{\"roles\":[\"staff\",\"hr\"]},"                          \
    "\"resource_access\":{\"app\":{\"roles\":[\"editor\",\"admin\"]},"           \
    "\"my.app/x\":{\"roles\":[\"dotted\"]},\"other\":{\"roles\":[\"reader\"]}}," \
    "\"groups\":[\"/sales/emea\"]}"

static void test_roles_of_the_access_token(void **state)
{
    kc_identity *identity = identity_of(ACCESS, ID, NULL, *state);

    assert_string_equal(identity->roles_from, "access token");
    assert_names(identity->realm_roles, "staff,hr");
    assert_names(identity->groups, "/sales/emea");
    assert_names(kc_identity_client_roles(identity, "app", *state), "editor,admin");
    assert_names(kc_identity_client_roles(identity, "other", *state), "reader");
    /* A key, never a path. */
    assert_names(kc_identity_client_roles(identity, "my.app/x", *state), "dotted");
    assert_null(kc_identity_client_roles(identity, "my", *state));
    assert_null(kc_identity_client_roles(identity, "roles", *state));
}

static void test_order_of_the_sources(void **state)
{
    const char *none = "{\"sub\":\"51d0\"}";
    kc_identity *identity;

    identity = identity_of(NULL, ACCESS, none, *state);
    assert_string_equal(identity->roles_from, "ID token");
    identity = identity_of("{\"resource_access\":{}}", none, ACCESS, *state);
    assert_string_equal(identity->roles_from, "userinfo");
    assert_names(kc_identity_client_roles(identity, "app", *state), "editor,admin");
    /* Replaced, never mixed. */
    identity = identity_of("{\"resource_access\":{\"app\":{\"roles\":[\"editor\"]}}}", ACCESS, none,
                           *state);
    assert_string_equal(identity->roles_from, "access token");
    assert_names(kc_identity_client_roles(identity, "app", *state), "editor");
    /* Each kind of role has its mapper, so it may come from another token. */
    assert_names(identity->realm_roles, "staff,hr");
    identity = identity_of(none, "{\"realm_access\":{\"roles\":[\"staff\"]}}", none, *state);
    assert_string_equal(identity->roles_from, "ID token");
}

static void test_single_string_is_a_list_of_one(void **state)
{
    kc_identity *identity =
        identity_of("{\"realm_access\":{\"roles\":\"staff\"},\"groups\":\"emea\","
                    "\"resource_access\":{\"app\":{\"roles\":\"admin\"}}}",
                    ID, NULL, *state);

    assert_names(identity->realm_roles, "staff");
    assert_names(identity->groups, "emea");
    assert_names(kc_identity_client_roles(identity, "app", *state), "admin");
}

static void test_what_is_no_name_is_no_role(void **state)
{
    kc_identity *identity =
        identity_of("{\"realm_access\":{\"roles\":[1,\"staff\",null,\"\",[\"x\"],\"hr\"]},"
                    "\"resource_access\":{\"a\":null,\"b\":[\"admin\"],\"c\":{\"roles\":7},"
                    "\"d\":{\"roles\":{\"admin\":1}},\"e\":{\"roles\":\"\"},\"f\":{\"roles\":[]},"
                    "\"g\":\"admin\",\"h\":{\"roles\":[true]}}}",
                    ID, NULL, *state);
    const char *client;

    assert_names(identity->realm_roles, "staff,hr");
    for (client = "abcdefgh"; *client; client++) {
        const char id[] = {*client, '\0'};

        assert_null(kc_identity_client_roles(identity, id, *state));
    }
}

static int lacks(const char *access_token, const char *id_token, apr_pool_t *pool)
{
    const kc_sources sources = sources_of(access_token, id_token, NULL, pool);

    return kc_identity_lacks(&sources, "preferred_username", pool);
}

static void test_when_userinfo_may_know_more(void **state)
{
    assert_false(lacks(ACCESS, ID, *state));
    assert_true(lacks(NULL, ID, *state));
    assert_true(lacks("{\"groups\":[\"a\"]}", ID, *state));
    assert_true(lacks(ACCESS, "{\"sub\":\"51d0\",\"name\":\"Alice\"}", *state));
    assert_true(lacks(ACCESS, "{\"sub\":\"51d0\",\"preferred_username\":\"alice\"}", *state));
    assert_false(lacks("{\"realm_access\":{\"roles\":\"staff\"},\"name\":\"Alice\"}",
                       "{\"sub\":\"51d0\",\"preferred_username\":\"alice\"}", *state));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_person),
        UNIT_TEST(test_person_of_whom_little_is_known),
        UNIT_TEST(test_wrong_types_count_as_absent),
        UNIT_TEST(test_user_claim),
        UNIT_TEST(test_userinfo_adds_names),
        UNIT_TEST(test_roles_of_the_access_token),
        UNIT_TEST(test_order_of_the_sources),
        UNIT_TEST(test_single_string_is_a_list_of_one),
        UNIT_TEST(test_what_is_no_name_is_no_role),
        UNIT_TEST(test_when_userinfo_may_know_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
