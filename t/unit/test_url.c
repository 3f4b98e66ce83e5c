/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <apr_strings.h>
#include <string.h>

#include "base/base.h"
#include "unit.h"

static void assert_parts(apr_pool_t *pool, const char *text, const char *origin, const char *host,
                         int port, const char *path)
{
    kc_url url;

    if (kc_url_parse(&url, text, pool) != APR_SUCCESS) {
        fail_msg("'%s' was refused", text);
    }
    assert_string_equal(url.origin, origin);
    assert_string_equal(url.host, host);
    assert_int_equal(url.port, port);
    assert_string_equal(url.path, path);
}

static void urls_come_apart(void **state)
{
    apr_pool_t *p = *state;

    assert_parts(p, "https://sso.example.org/realms/X", "https://sso.example.org",
                 "sso.example.org", 443, "/realms/X");
    assert_parts(p, "http://localhost:8080", "http://localhost:8080", "localhost", 8080, "/");
    assert_parts(p, "HTTPS://SSO.Example.org:443/A?b=C", "https://sso.example.org",
                 "sso.example.org", 443, "/A?b=C");
    assert_parts(p, "http://a:80/", "http://a", "a", 80, "/");
    assert_parts(p, "http://a:443/", "http://a:443", "a", 443, "/");
    assert_parts(p, "http://a?b", "http://a", "a", 80, "/?b");
    assert_parts(p, "http://a/b?c=http://d/e?f", "http://a", "a", 80, "/b?c=http://d/e?f");
    assert_parts(p, "https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443", "[2001:db8::1]",
                 8443, "/x");
    assert_parts(p, "http://[::1]", "http://[::1]", "[::1]", 80, "/");
    assert_parts(p, "http://a/b%C3%BCro/@:;", "http://a", "a", 80, "/b%C3%BCro/@:;");
}

static void what_is_no_url_of_ours_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "/",
        "//a/",
        "a/b",
        "ftp://a/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http:/a/",
        "http:a",
        "http://",
        "http:///x",
        "http://:80/",
        "http://?x",
        "http://u@a/",
        "http://u:p@a/",
        "http://a@b:80/",
        "http://a/#f",
        "http://a#f",
        "http://a /",
        "http://a/ b",
        " http://a/",
        "http://a/\t",
        "http://a/\n",
        "http://a\r\n/",
        "http://a/\x7f",
        "http://a\\b/",
        "http://a/\\b",
        "http://a/b\xc3\xbcro",
        "http://b\xc3\xbcro/",
        "http://a:/",
        "http://a:0/",
        "http://a:65536/",
        "http://a:80x/",
        "http://a:+80/",
        "http://a:-1/",
        "http://a:123456/",
        "http://a:80:80/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[::1%25lo]/",
        "http://[x]/",
        "http://[]/",
        "http://::1/",
        "http://a%2fb/",
        "http://a,b/",
        "http://a/%",
        "http://a/%4",
        "http://a/%zz",
        "http://a/?%g1",
        "http://a/<",
        "http://a/\"",
        "http://a/^",
        "http://a/`",
        "http://a/{x}",
        "http://a/|",
        "http://[::ffff:255.255.255.255:1:2:3:4:5:6:7:8:9:10:11]/",
    };
    apr_size_t i;
    kc_url url;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (kc_url_parse(&url, texts[i], *state) != APR_EINVAL) {
            fail_msg("'%s' was taken apart", texts[i]);
        }
    }
}

static void long_urls_are_refused(void **state)
{
    char text[4002] = "http://a/";
    kc_url url;

    memset(text + 9, 'x', sizeof(text) - 9);
    text[4000] = '\0';
    assert_int_equal(kc_url_parse(&url, text, *state), APR_SUCCESS);
    text[4000] = 'x';
    text[4001] = '\0';
    assert_int_equal(kc_url_parse(&url, text, *state), APR_EINVAL);
}

static int is_safe(apr_pool_t *pool, const char *text)
{
    kc_url url;

    assert_int_equal(kc_url_parse(&url, text, pool), APR_SUCCESS);
    return kc_url_is_safe(&url);
}

static void tokens_travel_by_https_or_loopback(void **state)
{
    assert_true(is_safe(*state, "https://sso.example.org/"));
    assert_true(is_safe(*state, "http://localhost:8080/"));
    assert_true(is_safe(*state, "http://LocalHost/"));
    assert_true(is_safe(*state, "http://127.0.0.1:8080/"));
    assert_true(is_safe(*state, "http://127.255.0.9/"));
    assert_true(is_safe(*state, "http://[::1]:8080/"));
    assert_false(is_safe(*state, "http://sso.example.org/"));
    assert_false(is_safe(*state, "http://localhost.example.org/"));
    assert_false(is_safe(*state, "http://127.0.0.1.example.org/"));
    assert_false(is_safe(*state, "http://128.0.0.1/"));
    assert_false(is_safe(*state, "http://10.0.0.127/"));
    assert_false(is_safe(*state, "http://[::2]/"));
    assert_false(is_safe(*state, "http://[::ffff:10.0.0.1]/"));
    assert_false(is_safe(*state, "http://127/"));
    assert_false(is_safe(*state, "http://0/"));
}

static void origins_are_replaced(void **state)
{
    apr_pool_t *p = *state;

    assert_string_equal(kc_url_rebase(p, "https://sso.example.org/a?b=c", "http://10.0.0.1:8080"),
                        "http://10.0.0.1:8080/a?b=c");
    assert_string_equal(kc_url_rebase(p, "https://sso.example.org:9443", "https://inner"),
                        "https://inner/");
    assert_null(kc_url_rebase(p, "nonsense", "https://inner"));
}

static void everything_but_unreserved_is_encoded(void **state)
{
    char all[256];
    int c;

    assert_string_equal(kc_url_encode(*state, "azAZ09-._~"), "azAZ09-._~");
    assert_string_equal(kc_url_encode(*state, "a b+c/d?e=f&g%h#"),
                        "a%20b%2Bc%2Fd%3Fe%3Df%26g%25h%23");
    assert_string_equal(kc_url_encode(*state, "b\xc3\xbcro"), "b%C3%BCro");
    assert_string_equal(kc_url_encode(*state, ""), "");
    for (c = 1; c < 256; c++) {
        all[c - 1] = (char)c;
    }
    all[255] = '\0';
    assert_int_equal(strlen(kc_url_encode(*state, all)), 66 + 3 * (255 - 66));
}

/* RFC 6749 appendix B. */
static void forms_write_a_blank_as_plus(void **state)
{
    assert_string_equal(kc_form_encode(*state, " %&+\xc2\xa3\xe2\x82\xac"),
                        "+%25%26%2B%C2%A3%E2%82%AC");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(urls_come_apart),
        UNIT_TEST(what_is_no_url_of_ours_is_refused),
        UNIT_TEST(long_urls_are_refused),
        UNIT_TEST(tokens_travel_by_https_or_loopback),
        UNIT_TEST(origins_are_replaced),
        UNIT_TEST(everything_but_unreserved_is_encoded),
        UNIT_TEST(forms_write_a_blank_as_plus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
