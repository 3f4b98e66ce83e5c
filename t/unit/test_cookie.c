/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <apr_strings.h>
#include <string.h>

#include "base/base.h"
#include "unit.h"

/* What is read of a cookie "a", as a string; NULL when there is none. */
static const char *read_a(apr_pool_t *pool, const char *header)
{
    apr_size_t len;
    const char *value = kc_cookie_read(pool, header, "a", &len);

    return value ? apr_pstrmemdup(pool, value, len) : NULL;
}

static void a_cookie_is_found_among_others(void **state)
{
    assert_string_equal(read_a(*state, "a=x"), "x");
    assert_string_equal(read_a(*state, "b=y; a=x; c=z"), "x");
    assert_string_equal(read_a(*state, "b=y;a=x;c=z"), "x");
    assert_string_equal(read_a(*state, ";; \t;\ta=x \t ; b=y"), "x");
    assert_string_equal(read_a(*state, "a=x=y"), "x=y");
    assert_string_equal(read_a(*state, "a=\"x\""), "\"x\"");
}

static void the_first_of_two_counts(void **state)
{
    assert_string_equal(read_a(*state, "a=x; a=y"), "x");
    assert_null(read_a(*state, "a=; a=y"));
    assert_null(read_a(*state, "a; a=y"));
}

static void another_name_is_another_cookie(void **state)
{
    static const char *const headers[] = {"",        "a",       "a=",    "A=x",        "aa=x",
                                          "ba=x",    "b=a=x",   "=a=x",  "a =x",       "a_2=x",
                                          "\"a\"=x", "b=\"a=x", "b a=x", "__Host-a=x", NULL};
    const char *const *header;

    for (header = headers; *header; header++) {
        assert_null(read_a(*state, *header));
    }
}

static void parts_are_joined_in_their_order(void **state)
{
    assert_string_equal(read_a(*state, "a=2.x; a_2=y"), "xy");
    assert_string_equal(read_a(*state, "a_3=z; a_2=y; a=3.x; a_4=other"), "xyz");
    assert_string_equal(read_a(*state, "a=2.; a_2=y"), "y");
}

static void all_parts_must_be_there(void **state)
{
    static const char *const headers[] = {
        "a=2.x",        "a=3.x; a_2=y", "a=3.x; a_3=z",  "a=0.x; a_2=y", "a=1.x", "a=9.x; a_2=y",
        "a=:.x; a_2=y", "a=..x",        "a=2.x; a_02=y", "a=2.x; A_2=y", NULL};
    const char *const *header;

    for (header = headers; *header; header++) {
        assert_null(read_a(*state, *header));
    }
}

static const char *filled(apr_pool_t *pool, apr_size_t len)
{
    char *text = apr_palloc(pool, len + 1);

    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static void a_part_has_its_limit(void **state)
{
    const char *most = filled(*state, KC_COOKIE_PART), *more = filled(*state, KC_COOKIE_PART + 1);

    assert_string_equal(read_a(*state, apr_pstrcat(*state, "a=", most, NULL)), most);
    assert_null(read_a(*state, apr_pstrcat(*state, "a=", more, NULL)));
    assert_string_equal(read_a(*state, apr_pstrcat(*state, "a=2.", most + 2, "; a_2=", most, NULL)),
                        apr_pstrcat(*state, most + 2, most, NULL));
    assert_null(read_a(*state, apr_pstrcat(*state, "a=2.x; a_2=", more, NULL)));
}

static void cookies_of_a_name_are_taken_out(void **state)
{
    static const char *const headers[][2] = {
        {"b=y", "b=y"},
        {"b=y;c=z; d", "b=y; c=z; d"},
        {"a=x; b=y; a_2=x; a_state_7=x; c=z", "b=y; c=z"},
        {"__Host-a=x; __Secure-a_id=x; b=y", "b=y"},
        {"aa=x; A=x; a-b=x; b_a=x; __Host-aa=x", "aa=x; A=x; a-b=x; b_a=x; __Host-aa=x"},
        {"b=y; a; a_", "b=y"},
    };
    size_t i;

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_string_equal(kc_cookies_without(*state, headers[i][0], "a"), headers[i][1]);
    }
    assert_null(kc_cookies_without(*state, "", "a"));
    assert_null(kc_cookies_without(*state, "a=x; ;__Host-a_2=x", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_cookie_is_found_among_others),  UNIT_TEST(the_first_of_two_counts),
        UNIT_TEST(another_name_is_another_cookie),  UNIT_TEST(parts_are_joined_in_their_order),
        UNIT_TEST(all_parts_must_be_there),         UNIT_TEST(a_part_has_its_limit),
        UNIT_TEST(cookies_of_a_name_are_taken_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
