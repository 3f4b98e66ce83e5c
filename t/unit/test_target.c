/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <apr_strings.h>
#include <string.h>

#include "base/base.h"
#include "unit.h"

static void assert_all_pass(apr_pool_t *pool, const char *const *targets)
{
    for (; *targets; targets++) {
        if (strcmp(kc_url_local_target(pool, *targets), *targets) != 0) {
            fail_msg("'%s' did not pass", *targets);
        }
    }
}

static void assert_all_go_home(apr_pool_t *pool, const char *const *targets)
{
    for (; *targets; targets++) {
        if (strcmp(kc_url_local_target(pool, *targets), "/") != 0) {
            fail_msg("'%s' passed", *targets);
        }
    }
}

static void ordinary_targets_pass(void **state)
{
    static const char *const targets[] = {
        "/",
        "/profile",
        "/a/b/",
        "/a//b",
        "/a///",
        "/a?b=c&d",
        "/?",
        "/?u=http://x/y",
        "/?next=//evil.example",
        "/a?u=https%3A%2F%2Fx%2F",
        "/a?q=100%",
        "/b%C3%BCro/%E2%82%AC",
        "/a%20b",
        "/a%2Fb/c",
        "/a%5Cb",
        "/a/../b",
        "/../b",
        "/./a",
        "/a/./b/..",
        "/..",
        "/.",
        "/...//a",
        "/.well-known/x",
        "/a;b=c/d;e",
        "/;jsessionid=1",
        "/@evil.example",
        "/a:b@c",
        "/http://evil.example",
        "/a|b?c={d}",
        "/a#b",
        "/a?b#//c",
        "/~user/",
        "/*",
        "/%3Fa",
        NULL,
    };

    assert_all_pass(*state, targets);
}

static void what_is_no_path_goes_home(void **state)
{
    static const char *const targets[] = {
        "",
        "a",
        "?a",
        "#",
        "http://evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "evil.example/a",
        "@evil.example",
        ".//evil.example",
        "%2f",
        "%2fa",
        NULL,
    };

    assert_string_equal(kc_url_local_target(*state, NULL), "/");
    assert_all_go_home(*state, targets);
}

static void two_slashes_in_any_spelling_go_home(void **state)
{
    static const char *const targets[] = {
        "//evil.example",
        "///evil.example",
        "////",
        "//",
        "//evil.example/%2f..",
        "/\\evil.example",
        "/\\/evil.example",
        "\\/evil.example",
        "\\\\evil.example",
        "/a\\b",
        "/?a=\\",
        "/%2fevil.example",
        "/%2Fevil.example",
        "/%2f%2fevil.example",
        "/%5cevil.example",
        "/%5Cevil.example",
        "/%5c%5cevil.example",
        "/%2f",
        "/%5c",
        NULL,
    };

    assert_all_go_home(*state, targets);
}

static void what_collapses_to_two_slashes_goes_home(void **state)
{
    static const char *const targets[] = {
        "/.//evil.example",
        "/././/evil.example",
        "/..//evil.example",
        "/x/..//evil.example",
        "/x/y/../..//evil.example",
        "/x//..//evil.example",
        "/x/../../..//evil.example",
        "/%2e//evil.example",
        "/%2e%2e//evil.example",
        "/x/%2e%2E//evil.example",
        "/x/.%2e//evil.example",
        "/.%2fevil.example/%2e%2e//x/../..//y",
        "/x%2f..%2f%2fevil.example",
        "/x/..%5c/evil.example",
        "/;//evil.example",
        "/;a=b//evil.example",
        "/%3b//evil.example",
        "/;/evil.example",
        "/.;//evil.example",
        "/x/..;//evil.example",
        "/x/..;a=b//evil.example",
        "/;/",
        NULL,
    };

    assert_all_go_home(*state, targets);
}

static void control_characters_go_home(void **state)
{
    static const char *const targets[] = {
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r/evil.example",
        "/a\tb",
        "/a\x01",
        "/a\x7f",
        "/ /evil.example",
        "/a b",
        "/a ",
        "/a?b c",
        "/%09/evil.example",
        "/%0a/evil.example",
        "/%0D/evil.example",
        "/a%0d%0aSet-Cookie:x",
        "/a?b=%0d%0aX:y",
        "/%00",
        "/a%00b",
        "/a?b=%1f",
        "/a%7f",
        "/./\t/evil.example",
        "/./ /evil.example",
        NULL,
    };

    assert_all_go_home(*state, targets);
}

static void every_control_character_goes_home(void **state)
{
    int c;

    for (c = 0; c < 0x100; c++) {
        const char *encoded = apr_psprintf(*state, "/a%%%02x", c);
        const char *in_query = apr_psprintf(*state, "/a?b=%%%02X", c);
        const char *raw = apr_psprintf(*state, "/a%cb", c ? c : 1);
        int is_control = c < 0x20 || c == 0x7f;
        int is_foreign = is_control || c == ' ' || c == '\\' || c >= 0x80;

        assert_string_equal(kc_url_local_target(*state, encoded), is_control ? "/" : encoded);
        assert_string_equal(kc_url_local_target(*state, in_query), is_control ? "/" : in_query);
        if (c != '%') {
            assert_string_equal(kc_url_local_target(*state, raw), is_foreign ? "/" : raw);
        }
    }
}

static void bad_escapes_in_the_path_go_home(void **state)
{
    static const char *const targets[] = {"/%", "/%2", "/a%zz", "/100%/b", "/%%32f", "/%g0", NULL};

    assert_all_go_home(*state, targets);
}

static void bytes_that_are_not_ascii_go_home(void **state)
{
    static const char *const targets[] = {
        "/b\xc3\xbcro", "/\xe3\x80\x82", "/\xef\xbc\x8f/evil.example", "/?a=\xff", "/\x85/", NULL,
    };

    assert_all_go_home(*state, targets);
}

static void long_targets_go_home(void **state)
{
    char target[2002];

    memset(target, 'a', sizeof(target));
    target[0] = '/';
    target[2000] = '\0';
    assert_string_equal(kc_url_local_target(*state, target), target);
    target[2000] = 'a';
    target[2001] = '\0';
    assert_string_equal(kc_url_local_target(*state, target), "/");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(ordinary_targets_pass),
        UNIT_TEST(what_is_no_path_goes_home),
        UNIT_TEST(two_slashes_in_any_spelling_go_home),
        UNIT_TEST(what_collapses_to_two_slashes_goes_home),
        UNIT_TEST(control_characters_go_home),
        UNIT_TEST(every_control_character_goes_home),
        UNIT_TEST(bad_escapes_in_the_path_go_home),
        UNIT_TEST(bytes_that_are_not_ascii_go_home),
        UNIT_TEST(long_targets_go_home),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
