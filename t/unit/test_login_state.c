/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <string.h>

#include <apr_strings.h>

#include "session/session.h"
#include "unit.h"

static const apr_int64_t created = 1795500000;

static kc_sealer *sealer_for(apr_pool_t *pool, const char *purpose)
{
    static const unsigned char bytes[32] = "a secret of thirty-two bytes...";
    const kc_secret secret = {bytes, sizeof(bytes)};
    const kc_seal_binding binding = {purpose, "kcauth_state_0", "https://sso.example.org", "app"};
    kc_sealer *sealer;

    assert_int_equal(kc_sealer_create(&sealer, KC_SEAL_ENCRYPTED, &binding, &secret, 1, pool),
                     APR_SUCCESS);
    return sealer;
}

static kc_login_state login(const char *target)
{
    kc_login_state state = {"the-id", "the-nonce", "the-verifier", target, created, 2, 1};

    return state;
}

static apr_status_t opened_after(kc_login_state **out, apr_int64_t seconds, const char *text,
                                 kc_sealer *sealer, apr_pool_t *pool)
{
    return kc_login_state_open(out, text, strlen(text), sealer,
                               apr_time_from_sec(created + seconds), pool);
}

static void comes_back_as_it_was(void **state)
{
    kc_sealer *sealer = sealer_for(*state, "state");
    kc_login_state sent = login("/profile?tab=2&x=%20"), *back;
    char *text = kc_login_state_seal(&sent, sealer, *state);

    assert_non_null(text);
    assert_int_equal(opened_after(&back, 5, text, sealer, *state), APR_SUCCESS);
    assert_string_equal(back->id, "the-id");
    assert_string_equal(back->nonce, "the-nonce");
    assert_string_equal(back->verifier, "the-verifier");
    assert_string_equal(back->target, "/profile?tab=2&x=%20");
    assert_int_equal(back->created, created);
    assert_int_equal(back->attempt, 2);
    assert_int_equal(back->silent, 1);
}

static void lives_for_35_minutes(void **state)
{
    kc_sealer *sealer = sealer_for(*state, "state");
    kc_login_state sent = login("/"), *back;
    char *text = kc_login_state_seal(&sent, sealer, *state);

    assert_non_null(text);
    assert_int_equal(opened_after(&back, 35 * 60, text, sealer, *state), APR_SUCCESS);
    assert_int_equal(opened_after(&back, 35 * 60 + 1, text, sealer, *state), APR_TIMEUP);
    assert_string_equal(back->target, "/");
    assert_int_equal(opened_after(&back, -60, text, sealer, *state), APR_SUCCESS);
    assert_int_equal(opened_after(&back, -61, text, sealer, *state), APR_TIMEUP);
    assert_string_equal(back->target, "/");
}

static void times_at_the_ends_of_the_scale_are_out(void **state)
{
    static const apr_int64_t times[] = {INT64_MIN, INT64_MAX, -1, 0};
    kc_sealer *sealer = sealer_for(*state, "state");
    kc_login_state sent = login("/"), *back;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char *text;

        sent.created = times[i];
        text = kc_login_state_seal(&sent, sealer, *state);
        assert_non_null(text);
        assert_int_equal(opened_after(&back, 0, text, sealer, *state), APR_TIMEUP);
    }
}

static void what_is_not_ours_is_refused(void **state)
{
    kc_sealer *sealer = sealer_for(*state, "state");
    kc_sealer *other = sealer_for(*state, "id_token");
    kc_login_state sent = login("/"), *back;
    char *text = kc_login_state_seal(&sent, other, *state);
    char *junk = apr_pcalloc(*state, 5001);

    assert_non_null(text);
    assert_int_equal(opened_after(&back, 0, text, sealer, *state), APR_EINVAL);
    assert_null(back);
    assert_int_equal(opened_after(&back, 0, "", sealer, *state), APR_EINVAL);
    assert_null(back);
    memset(junk, 'A', 5000);
    assert_int_equal(opened_after(&back, 0, junk, sealer, *state), APR_EINVAL);
    assert_null(back);
}

/** Sealed by us, but no login state: any length, any number of strings. */
static void other_contents_are_refused(void **state)
{
    static const char record[] = "\0\0\0\0\0\0\0\0"
                                 "\0\0\0\0"
                                 "\0\0\0\0"
                                 "\0\1a\0"
                                 "\0\1b\0"
                                 "\0\1c\0"
                                 "\0\1d\0"
                                 "\0\1e";
    const apr_size_t four = 16 + 16;
    kc_sealer *sealer = sealer_for(*state, "state");
    kc_login_state *back;

    for (apr_size_t len = 0; len <= sizeof(record); len++) {
        char *text = kc_seal(sealer, record, len, *state, NULL);

        assert_non_null(text);
        assert_int_equal(opened_after(&back, 0, text, sealer, *state),
                         len == four ? APR_TIMEUP : APR_EINVAL);
        assert_int_equal(back != NULL, len == four);
    }
}

static void a_target_too_long_is_not_sealed(void **state)
{
    kc_sealer *sealer = sealer_for(*state, "state");
    char *target = apr_pcalloc(*state, 70001);
    kc_login_state sent = login(target), *back;
    char *text;

    memset(target, 't', 2800);
    text = kc_login_state_seal(&sent, sealer, *state);
    assert_non_null(text);
    assert_true(strlen(text) <= 4000);
    assert_int_equal(opened_after(&back, 0, text, sealer, *state), APR_SUCCESS);
    assert_string_equal(back->target, target);
    memset(target, 't', 3000);
    assert_null(kc_login_state_seal(&sent, sealer, *state));
    memset(target, 't', 70000);
    assert_null(kc_login_state_seal(&sent, sealer, *state));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(comes_back_as_it_was),
        UNIT_TEST(lives_for_35_minutes),
        UNIT_TEST(times_at_the_ends_of_the_scale_are_out),
        UNIT_TEST(what_is_not_ours_is_refused),
        UNIT_TEST(other_contents_are_refused),
        UNIT_TEST(a_target_too_long_is_not_sealed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
