/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <string.h>

#include "base/base.h"
#include "unit.h"

static void a_failure_says_whose_which_and_what(void **state)
{
    kc_error err;

    (void)state;
    assert_int_equal(kc_fail(&err, KC_FAULT_AWAY, "KC0999", "%s answered %d", "it", 503),
                     APR_EGENERAL);
    assert_int_equal(err.fault, KC_FAULT_AWAY);
    assert_string_equal(err.id, "KC0999");
    assert_string_equal(err.text, "it answered 503");
    assert_int_equal(kc_fail(NULL, KC_FAULT_AWAY, "KC0999", "nobody listens"), APR_EGENERAL);
}

static void a_long_text_is_cut(void **state)
{
    char text[2000];
    kc_error err;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    kc_fail(&err, KC_FAULT_CONFIG, "KC0999", "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void random_strings_are_long_and_differ(void **state)
{
    char *first = kc_random_string(*state, 32);
    char *second = kc_random_string(*state, 32);

    assert_int_equal(strlen(first), 43);
    assert_int_equal(strlen(second), 43);
    assert_string_not_equal(first, second);
}

static void random_bytes_fill_the_buffer(void **state)
{
    static const unsigned char zero[16];
    unsigned char bytes[48];

    (void)state;
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(kc_random_bytes(bytes, 32), APR_SUCCESS);
    assert_memory_not_equal(bytes, zero, 16);
    assert_memory_not_equal(bytes + 16, zero, 16);
    assert_memory_equal(bytes + 32, zero, 16);
}

/* Each byte at each place of texts up to three words long. */
static void control_characters_are_found_wherever_they_stand(void **state)
{
    char text[24];
    unsigned len, at, byte;

    (void)state;
    for (len = 1; len <= sizeof(text); len++) {
        for (at = 0; at < len; at++) {
            for (byte = 0; byte < 256; byte++) {
                memset(text, ' ', len);
                text[at] = (char)byte;
                assert_int_equal(kc_text_has_controls(text, len), byte < 0x20 || byte == 0x7f);
            }
        }
    }
    assert_int_equal(kc_text_has_controls("", 0), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(a_failure_says_whose_which_and_what),
        UNIT_TEST(a_long_text_is_cut),
        UNIT_TEST(random_strings_are_long_and_differ),
        UNIT_TEST(random_bytes_fill_the_buffer),
        UNIT_TEST(control_characters_are_found_wherever_they_stand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
