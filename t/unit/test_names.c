/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <stdlib.h>
#include <string.h>

#include "session/session.h"
#include "unit.h"

static kc_names list_of(apr_pool_t *pool, const char *const *names)
{
    kc_names_builder builder;

    kc_names_init(&builder, pool);
    for (; *names; names++) {
        assert_int_equal(kc_names_add(&builder, *names), APR_SUCCESS);
    }
    return kc_names_list(&builder);
}

static int have(const kc_names *names, const char *name)
{
    return kc_names_have(names, name, strlen(name));
}

static int have_pair(const kc_names *names, const char *first, const char *second)
{
    return kc_names_have_pair(names, first, strlen(first), second, strlen(second));
}

static char *repeat(apr_pool_t *pool, char c, apr_size_t len)
{
    char *text = apr_palloc(pool, len + 1);

    memset(text, c, len);
    text[len] = '\0';
    return text;
}

static void holds_what_was_added(void **state)
{
    static const char *const roles[] = {"admin", "", "b\xc3\xbcro", "has, comma", NULL};
    kc_names names = list_of(*state, roles);

    assert_int_equal(names.count, 4);
    assert_true(have(&names, "admin"));
    assert_true(have(&names, ""));
    assert_true(have(&names, "b\xc3\xbcro"));
    assert_true(have(&names, "has, comma"));
}

static void holds_nothing_else(void **state)
{
    static const char *const roles[] = {"admin", "editor", NULL};
    kc_names names = list_of(*state, roles);
    kc_names none = {NULL, 0, 0};

    assert_false(have(&names, "admi"));
    assert_false(have(&names, "admin2"));
    assert_false(have(&names, "Admin"));
    assert_false(have(&names, ""));
    assert_false(kc_names_have(&names, "admin\0", 6));
    assert_false(kc_names_have(&names, "admin\0\0\6editor", 14));
    assert_false(have(&none, ""));
}

static void walks_in_order(void **state)
{
    static const char *const roles[] = {"c", "a", "", "b", NULL};
    kc_names names = list_of(*state, roles);
    apr_size_t at = 0, len;
    const char *name;
    int i = 0;

    while ((name = kc_names_next(&names, &at, &len))) {
        assert_string_equal(name, roles[i]);
        assert_int_equal(len, strlen(roles[i]));
        i++;
    }
    assert_int_equal(i, 4);
    assert_null(kc_names_next(&names, &at, &len));
}

static void pairs_stay_pairs(void **state)
{
    static const char *const pairs[] = {"app", "admin", "admin", "reader", "x", NULL};
    kc_names names = list_of(*state, pairs);

    assert_true(have_pair(&names, "app", "admin"));
    assert_true(have_pair(&names, "admin", "reader"));
    assert_false(have_pair(&names, "admin", "admin"));
    assert_false(have_pair(&names, "reader", "x"));
    assert_false(have_pair(&names, "app", "reader"));
    assert_false(have_pair(&names, "x", ""));
}

static void half_a_pair_is_not_added(void **state)
{
    char *too_long = repeat(*state, 'r', 65536);
    kc_names_builder builder;
    kc_names names;

    kc_names_init(&builder, *state);
    assert_int_equal(kc_names_add_pair(&builder, "app", "admin"), APR_SUCCESS);
    assert_int_equal(kc_names_add_pair(&builder, "app", too_long), APR_EINVAL);
    assert_int_equal(kc_names_add_pair(&builder, too_long, "admin"), APR_EINVAL);
    assert_int_equal(kc_names_add_pair(&builder, "other", "reader"), APR_SUCCESS);
    names = kc_names_list(&builder);
    assert_int_equal(names.count, 4);
    assert_true(have_pair(&names, "app", "admin"));
    assert_true(have_pair(&names, "other", "reader"));
}

static void grows_and_keeps_all(void **state)
{
    kc_names_builder builder;
    kc_names names;
    char name[32];
    int i;

    kc_names_init(&builder, *state);
    for (i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "role-%d", i);
        assert_int_equal(kc_names_add(&builder, name), APR_SUCCESS);
    }
    names = kc_names_list(&builder);
    assert_int_equal(names.count, 5000);
    for (i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "role-%d", i);
        assert_true(have(&names, name));
    }
}

static void long_names_are_refused(void **state)
{
    kc_names_builder builder;
    kc_names names;

    kc_names_init(&builder, *state);
    assert_int_equal(kc_names_add(&builder, repeat(*state, 'a', 65535)), APR_SUCCESS);
    assert_int_equal(kc_names_add(&builder, repeat(*state, 'b', 65536)), APR_EINVAL);
    names = kc_names_list(&builder);
    assert_int_equal(names.count, 1);
    assert_true(have(&names, repeat(*state, 'a', 65535)));
}

static void long_lists_are_refused(void **state)
{
    const char *name = repeat(*state, 'a', 65533);
    kc_names_builder builder;
    int i;

    kc_names_init(&builder, *state);
    for (i = 0; i < 16; i++) {
        assert_int_equal(kc_names_add(&builder, name), APR_SUCCESS);
    }
    assert_int_equal(builder.len, 1024 * 1024);
    assert_int_equal(kc_names_add(&builder, ""), APR_EINVAL);
    assert_int_equal(builder.len, 1024 * 1024);
    assert_int_equal(builder.count, 16);
}

static void reads_what_was_written(void **state)
{
    static const char *const roles[] = {"admin", "", "editor", NULL};
    kc_names written = list_of(*state, roles), names;

    assert_int_equal(kc_names_read(&names, written.bytes, written.len), APR_SUCCESS);
    assert_int_equal(names.count, 3);
    assert_true(have(&names, "editor"));
    assert_int_equal(kc_names_read(&names, NULL, 0), APR_SUCCESS);
    assert_int_equal(names.count, 0);
}

/** In a block of its own size, so that a sanitizer sees each byte read beyond it. */
static apr_status_t read_alone(const void *bytes, apr_size_t len)
{
    unsigned char *block = malloc(len ? len : 1);
    kc_names names;
    apr_status_t rv;

    assert_non_null(block);
    memcpy(block, bytes, len);
    rv = kc_names_read(&names, block, len);
    if (rv != APR_SUCCESS) {
        assert_null(names.bytes);
        assert_int_equal(names.len, 0);
        assert_int_equal(names.count, 0);
    }
    free(block);
    return rv;
}

static void broken_bytes_are_refused(void **state)
{
    static const char *const roles[] = {"admin", "editor", NULL};
    kc_names written = list_of(*state, roles);
    apr_size_t len;

    for (len = 0; len <= written.len; len++) {
        apr_status_t expected =
            len == 0 || len == 8 || len == written.len ? APR_SUCCESS : APR_EINVAL;

        assert_int_equal(read_alone(written.bytes, len), expected);
    }
    assert_int_equal(read_alone("\0\1a\0", 4), APR_SUCCESS);
    assert_int_equal(read_alone("\0\1ab", 4), APR_EINVAL);
    assert_int_equal(read_alone("\0\2a\0", 4), APR_EINVAL);
    assert_int_equal(read_alone("\0\0a\0", 4), APR_EINVAL);
    assert_int_equal(read_alone("\xff\xff"
                                "a\0",
                                4),
                     APR_EINVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(holds_what_was_added),     UNIT_TEST(holds_nothing_else),
        UNIT_TEST(walks_in_order),           UNIT_TEST(pairs_stay_pairs),
        UNIT_TEST(half_a_pair_is_not_added), UNIT_TEST(grows_and_keeps_all),
        UNIT_TEST(long_names_are_refused),   UNIT_TEST(long_lists_are_refused),
        UNIT_TEST(reads_what_was_written),   UNIT_TEST(broken_bytes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
