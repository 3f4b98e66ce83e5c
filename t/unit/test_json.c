/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <string.h>

#include "base/base.h"
#include "unit.h"

static json_t *parse(apr_pool_t *pool, const char *text)
{
    json_t *object = NULL;

    assert_int_equal(kc_json_parse(&object, text, strlen(text), pool, NULL), APR_SUCCESS);
    return object;
}

static void assert_refused(apr_pool_t *pool, const char *text, apr_size_t len, const char *expected)
{
    const char *why = NULL;
    json_t *object;

    assert_int_equal(kc_json_parse(&object, text, len, pool, &why), APR_EINVAL);
    assert_non_null(why);
    if (!strstr(why, expected)) {
        fail_msg("'%s' was refused because %s", text, why);
    }
}

static void an_object_is_read(void **state)
{
    json_t *object = parse(*state, " {\"a\":\"b\xc3\xbcro\",\"c\":[],\"d\":{\"a\":1}}\r\n");

    assert_string_equal(kc_json_string(object, "a"), "b\xc3\xbcro");
    assert_int_equal(json_object_size(object), 3);
}

static void what_is_no_object_is_refused(void **state)
{
    assert_refused(*state, "[]", 2, "not an object");
    assert_refused(*state, "\"a\"", 3, "not an object");
    assert_refused(*state, "null", 4, "not an object");
    assert_refused(*state, "", 0, "");
    assert_refused(*state, "{\"a\":1", 6, "ends too early");
    assert_refused(*state, "{\"a\":1}{", 8, "follows its end");
    assert_refused(*state, "{\"a\":1}\0", 8, "follows its end");
    assert_refused(*state, "{'a':1}", 7, "not JSON");
    assert_refused(*state, "<html>", 6, "not JSON");
    assert_refused(*state, "\xef\xbb\xbf{}", 5, "not JSON");
}

static void members_that_come_twice_are_refused(void **state)
{
    const char *outer = "{\"iss\":1,\"aud\":2,\"iss\":1}";
    const char *inner = "{\"a\":{\"x\":1,\"x\":2}}";
    const char *escaped = "{\"iss\":1,\"\\u0069ss\":1}";

    assert_refused(*state, outer, strlen(outer), "twice");
    assert_refused(*state, inner, strlen(inner), "twice");
    assert_refused(*state, escaped, strlen(escaped), "twice");
}

static void what_is_no_text_is_refused(void **state)
{
    const char *nul = "{\"a\":\"b\\u0000c\"}";
    const char *nul_name = "{\"a\\u0000b\":1}";
    const char *latin1 = "{\"a\":\"b\xfcro\"}";
    const char *overlong = "{\"a\":\"\xc0\xaf\"}";
    const char *half = "{\"a\":\"\\ud800\"}";
    const char *number = "{\"a\":1e999}";

    assert_refused(*state, nul, strlen(nul), "NUL");
    assert_refused(*state, nul_name, strlen(nul_name), "NUL");
    assert_refused(*state, latin1, strlen(latin1), "UTF-8");
    assert_refused(*state, overlong, strlen(overlong), "UTF-8");
    assert_refused(*state, half, strlen(half), "");
    assert_refused(*state, number, strlen(number), "too big");
}

static void deep_nesting_is_refused(void **state)
{
    char text[100000];

    memset(text, '[', sizeof(text));
    memcpy(text, "{\"a\":", 5);
    assert_refused(*state, text, sizeof(text), "deep");
}

/* What is refused may be a token: the reason goes to the log and must not quote it. */
static void reasons_do_not_quote(void **state)
{
    static const char *const texts[] = {
        "{\"t\":\"s3cret\",\"t\":\"s3cret\"}", "{\"t\":s3cret}", "s3cret",
        "{\"s3cret\":1,\"s3cret\":2}",         "{}s3cret",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *why = NULL;
        json_t *object;

        assert_int_equal(kc_json_parse(&object, texts[i], strlen(texts[i]), *state, &why),
                         APR_EINVAL);
        assert_null(strstr(why, "s3cret"));
    }
}

static void strings_are_strings(void **state)
{
    json_t *object = parse(*state, "{\"a\":\"x\",\"b\":\"\",\"c\":1,\"d\":null,\"e\":[\"x\"]}");

    assert_string_equal(kc_json_string(object, "a"), "x");
    assert_null(kc_json_string(object, "b"));
    assert_null(kc_json_string(object, "c"));
    assert_null(kc_json_string(object, "d"));
    assert_null(kc_json_string(object, "e"));
    assert_null(kc_json_string(object, "z"));
    assert_null(kc_json_string(NULL, "a"));
}

static void integers_are_exact(void **state)
{
    json_t *object = parse(*state, "{\"a\":1795503539,\"b\":-1,\"c\":1.795503539e9,\"d\":1.5,"
                                   "\"e\":\"1\",\"f\":9223372036854775807,\"g\":1e300,\"h\":true,"
                                   "\"i\":9007199254740994.0,\"j\":-0.0}");
    apr_int64_t value = 42;

    assert_true(kc_json_integer(object, "a", &value));
    assert_int_equal(value, 1795503539);
    assert_true(kc_json_integer(object, "b", &value));
    assert_int_equal(value, -1);
    assert_true(kc_json_integer(object, "c", &value));
    assert_int_equal(value, 1795503539);
    assert_true(kc_json_integer(object, "f", &value));
    assert_true(value == INT64_MAX);
    assert_true(kc_json_integer(object, "j", &value));
    assert_int_equal(value, 0);
    value = 42;
    assert_false(kc_json_integer(object, "d", &value));
    assert_false(kc_json_integer(object, "e", &value));
    assert_false(kc_json_integer(object, "g", &value));
    assert_false(kc_json_integer(object, "h", &value));
    assert_false(kc_json_integer(object, "i", &value));
    assert_false(kc_json_integer(object, "z", &value));
    assert_int_equal(value, 42);
}

static void holds_a_string_alone_or_in_an_array(void **state)
{
    json_t *object =
        parse(*state, "{\"a\":\"app\",\"b\":[1,\"other\",\"app\"],\"c\":[\"apple\",[\"app\"]],"
                      "\"d\":{\"app\":1},\"e\":[]}");

    assert_true(kc_json_holds(json_object_get(object, "a"), "app"));
    assert_true(kc_json_holds(json_object_get(object, "b"), "app"));
    assert_false(kc_json_holds(json_object_get(object, "a"), "App"));
    assert_false(kc_json_holds(json_object_get(object, "c"), "app"));
    assert_false(kc_json_holds(json_object_get(object, "d"), "app"));
    assert_false(kc_json_holds(json_object_get(object, "e"), "app"));
    assert_false(kc_json_holds(NULL, "app"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(an_object_is_read),
        UNIT_TEST(what_is_no_object_is_refused),
        UNIT_TEST(members_that_come_twice_are_refused),
        UNIT_TEST(what_is_no_text_is_refused),
        UNIT_TEST(deep_nesting_is_refused),
        UNIT_TEST(reasons_do_not_quote),
        UNIT_TEST(strings_are_strings),
        UNIT_TEST(integers_are_exact),
        UNIT_TEST(holds_a_string_alone_or_in_an_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
