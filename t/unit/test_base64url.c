/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "unit.h"

static apr_status_t decode(void *dst, apr_size_t *len, const char *text)
{
    return kc_base64url_decode(dst, len, text, strlen(text));
}

static void assert_refused(const char *text)
{
    unsigned char bytes[64];
    apr_size_t len;

    if (decode(bytes, &len, text) != APR_EINVAL) {
        fail_msg("'%s' was decoded", text);
    }
}

/* RFC 4648 section 10, with the padding left out. */
static void vectors_of_rfc4648(void **state)
{
    static const char *const vectors[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"},
    };
    unsigned char bytes[16];
    apr_size_t i, len;

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const char *plain = vectors[i][0], *encoded = vectors[i][1];

        assert_int_equal(kc_base64url_length(strlen(plain)), strlen(encoded));
        assert_string_equal(kc_base64url_string(*state, plain, strlen(plain)), encoded);
        assert_int_equal(decode(bytes, &len, encoded), APR_SUCCESS);
        assert_int_equal(len, strlen(plain));
        assert_memory_equal(bytes, plain, len);
    }
}

/* RFC 7515 appendix C. */
static void vector_of_rfc7515(void **state)
{
    static const unsigned char octets[] = {3, 236, 255, 224, 193};

    assert_string_equal(kc_base64url_string(*state, octets, sizeof(octets)), "A-z_4ME");
}

static void every_length_and_byte_survives(void **state)
{
    unsigned char bytes[256 + 64], back[256 + 64];
    apr_size_t i, len, back_len;

    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i * 167 + 13);
    }
    for (len = 0; len <= sizeof(bytes); len++) {
        char *text = kc_base64url_string(*state, bytes, len);

        assert_int_equal(strlen(text), kc_base64url_length(len));
        assert_int_equal(decode(back, &back_len, text), APR_SUCCESS);
        assert_int_equal(back_len, len);
        assert_memory_equal(back, bytes, len);
    }
}

static void decodes_in_place(void **state)
{
    char text[] = "Zm9vYmFyZm9vYmE";
    apr_size_t len;

    (void)state;
    assert_int_equal(decode(text, &len, text), APR_SUCCESS);
    assert_int_equal(len, 11);
    assert_memory_equal(text, "foobarfooba", 11);
}

/* Two characters hold 8 of 12 bits, three hold 16 of 18: the rest must be zero. */
static void one_value_has_one_spelling(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[8];
    apr_size_t i, len, two = 0, three = 0;

    (void)state;
    for (i = 0; i < 64; i++) {
        char text[4] = {'Q', alphabet[i], '\0', '\0'};

        two += decode(bytes, &len, text) == APR_SUCCESS;
        text[1] = 'Q';
        text[2] = alphabet[i];
        three += decode(bytes, &len, text) == APR_SUCCESS;
    }
    assert_int_equal(two, 4);
    assert_int_equal(three, 16);
    assert_refused("Zh");
    assert_refused("Zm9vYmF");
    assert_refused("Zm9vYmEA=");
}

static void foreign_characters_are_refused_everywhere(void **state)
{
    unsigned char bytes[8];
    apr_size_t at, len;
    int c, accepted = 0;

    (void)state;
    for (c = 0; c < 256; c++) {
        for (at = 0; at < 7; at++) {
            char text[] = "AAAAAAA";

            text[at] = (char)c;
            /* The last of three characters after a group of four must not carry stray bits. */
            accepted += kc_base64url_decode(bytes, &len, text, 7) == APR_SUCCESS;
        }
    }
    assert_int_equal(accepted, 6 * 64 + 16);
}

static void malformed_text_is_refused(void **state)
{
    (void)state;
    assert_refused("A");
    assert_refused("AAAAA");
    assert_refused("Zg==");
    assert_refused("Zm8=");
    assert_refused("=");
    assert_refused("Zm9v Zm9v");
    assert_refused("Zm9v\n");
    assert_refused("+/+/");
    assert_refused("Zm9v\xc3\xa4");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(vectors_of_rfc4648),
        UNIT_TEST(vector_of_rfc7515),
        UNIT_TEST(every_length_and_byte_survives),
        UNIT_TEST(decodes_in_place),
        UNIT_TEST(one_value_has_one_spelling),
        UNIT_TEST(foreign_characters_are_refused_everywhere),
        UNIT_TEST(malformed_text_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
