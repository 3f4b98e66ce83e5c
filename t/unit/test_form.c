/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <string.h>

#include "base/base.h"
#include "unit.h"

static apr_table_t *parse(apr_pool_t *pool, const char *text)
{
    apr_table_t *table = NULL;

    assert_int_equal(kc_form_parse(&table, text, strlen(text), 8, pool), APR_SUCCESS);
    return table;
}

static void pairs_are_encoded_and_joined(void **state)
{
    kc_form form;

    kc_form_init(&form, *state);
    assert_string_equal(kc_form_string(&form), "");
    kc_form_add(&form, "scope", "openid profile");
    kc_form_add(&form, "absent", NULL);
    kc_form_add(&form, "a&b", "c=d+e%\xc3\xbc");
    kc_form_add(&form, "empty", "");
    assert_string_equal(kc_form_string(&form),
                        "scope=openid+profile&a%26b=c%3Dd%2Be%25%C3%BC&empty=");
}

static void a_form_becomes_a_query(void **state)
{
    kc_form form;

    kc_form_init(&form, *state);
    assert_string_equal(kc_form_url(&form, "https://a/b"), "https://a/b");
    kc_form_add(&form, "c", "d");
    assert_string_equal(kc_form_url(&form, "https://a/b"), "https://a/b?c=d");
    assert_string_equal(kc_form_url(&form, "https://a/b?e=f"), "https://a/b?e=f&c=d");
    assert_string_equal(kc_form_url(&form, "https://a/b?"), "https://a/b?c=d");
    assert_string_equal(kc_form_url(&form, "https://a/b?e=f&"), "https://a/b?e=f&c=d");
}

static void a_query_comes_apart(void **state)
{
    apr_table_t *table =
        parse(*state, "code=a.b-c&state=x+y%2B%c3%BC&iss=http%3A%2F%2Fa&empty=&bare"
                      "&q=a=b");

    assert_string_equal(apr_table_get(table, "code"), "a.b-c");
    assert_string_equal(apr_table_get(table, "state"), "x y+\xc3\xbc");
    assert_string_equal(apr_table_get(table, "iss"), "http://a");
    assert_string_equal(apr_table_get(table, "empty"), "");
    assert_string_equal(apr_table_get(table, "bare"), "");
    assert_string_equal(apr_table_get(table, "q"), "a=b");
    assert_null(apr_table_get(table, "nothing"));
}

static void nothing_between_ampersands_counts_for_nothing(void **state)
{
    assert_true(apr_is_empty_table(parse(*state, "")));
    assert_true(apr_is_empty_table(parse(*state, "&&&&&&&&&&&&&&&&&&")));
    assert_string_equal(apr_table_get(parse(*state, "&a=b&"), "a"), "b");
}

static void what_was_written_is_read(void **state)
{
    char value[256];
    kc_form form;
    int c;

    for (c = 1; c < 256; c++) {
        value[c - 1] = (char)c;
    }
    value[255] = '\0';
    kc_form_init(&form, *state);
    kc_form_add(&form, "a", value);
    assert_string_equal(apr_table_get(parse(*state, kc_form_string(&form)), "a"), value);
}

static void malformed_forms_are_refused(void **state)
{
    static const char *const texts[] = {
        "a=%",     "a=%4", "a=%zz",     "%=a",     "a=%00", "%00=a",
        "a=b&a=c", "a&a",  "a=b&%61=c", "a=b&A=c", "=a&=b", "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9",
    };
    apr_table_t *table;
    apr_size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (kc_form_parse(&table, texts[i], strlen(texts[i]), 8, *state) != APR_EINVAL) {
            fail_msg("'%s' was taken apart", texts[i]);
        }
    }
    assert_int_equal(kc_form_parse(&table, "a=\0b", 4, 8, *state), APR_EINVAL);
}

/* The escape must end where the text ends, not where the memory does. */
static void nothing_is_read_beyond_the_length(void **state)
{
    apr_table_t *table;

    assert_int_equal(kc_form_parse(&table, "a=%41", 4, 8, *state), APR_EINVAL);
    assert_int_equal(kc_form_parse(&table, "a=b&c=d", 3, 8, *state), APR_SUCCESS);
    assert_null(apr_table_get(table, "c"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(pairs_are_encoded_and_joined),
        UNIT_TEST(a_form_becomes_a_query),
        UNIT_TEST(a_query_comes_apart),
        UNIT_TEST(nothing_between_ampersands_counts_for_nothing),
        UNIT_TEST(what_was_written_is_read),
        UNIT_TEST(malformed_forms_are_refused),
        UNIT_TEST(nothing_is_read_beyond_the_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
