/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "session/session.h"
#include "unit.h"

static kc_names list_of(apr_pool_t *pool, const char *first, const char *second)
{
    kc_names_builder builder;

    kc_names_init(&builder, pool);
    assert_int_equal(kc_names_add(&builder, first), APR_SUCCESS);
    assert_int_equal(kc_names_add(&builder, second), APR_SUCCESS);
    return kc_names_list(&builder);
}

static kc_session alice(apr_pool_t *pool)
{
    kc_session session = {
        .sub = "3f6c2c4e-7a0c-4c55-9d1e-0a3f5b7c9d11",
        .username = "alice",
        .name = "Alice Liddell",
        .email = "alice@example.org",
        .sid = "z0R8aN2y3zOoztwzY6ykdltA",
        .acr = "1",
        .roles_from = "access token",
        .auth_time = 1795500000,
        .created = 1795500001,
        .seen = 1795500062,
        .refreshed = 1795500301,
        .due = 1795500601,
        .expires = 1795536001,
        .mark = 0xfedcba98,
        .roles = list_of(pool, "admin", "editor"),
        .realm_roles = list_of(pool, "staff", "hr"),
        .other_roles = list_of(pool, "other", "reader"),
        .groups = list_of(pool, "/sales", "/sales/emea"),
    };

    return session;
}

static unsigned char *written(apr_pool_t *pool, const kc_session *session, apr_size_t *len)
{
    unsigned char *record;

    *len = kc_session_length(session);
    record = apr_palloc(pool, *len + 1);
    record[*len] = 0xa5;
    kc_session_write(session, record);
    assert_int_equal(record[*len], 0xa5);
    return record;
}

static void assert_names_equal(const kc_names *a, const kc_names *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->bytes, b->bytes, a->len);
}

static void comes_back_as_it_was(void **state)
{
    kc_session session = alice(*state), read;
    apr_size_t len;
    unsigned char *record = written(*state, &session, &len);

    assert_int_equal(kc_session_read(&read, record, len), APR_SUCCESS);
    assert_string_equal(read.sub, session.sub);
    assert_string_equal(read.username, session.username);
    assert_string_equal(read.name, session.name);
    assert_string_equal(read.email, session.email);
    assert_string_equal(read.sid, session.sid);
    assert_string_equal(read.acr, session.acr);
    assert_string_equal(read.roles_from, session.roles_from);
    assert_int_equal(read.auth_time, session.auth_time);
    assert_int_equal(read.created, session.created);
    assert_int_equal(read.seen, session.seen);
    assert_int_equal(read.refreshed, session.refreshed);
    assert_int_equal(read.due, session.due);
    assert_int_equal(read.expires, session.expires);
    assert_int_equal(read.mark, session.mark);
    assert_names_equal(&read.roles, &session.roles);
    assert_names_equal(&read.realm_roles, &session.realm_roles);
    assert_names_equal(&read.other_roles, &session.other_roles);
    assert_names_equal(&read.groups, &session.groups);
}

static void expect_between(const void *text, const unsigned char *begin, apr_size_t len)
{
    assert_true((const unsigned char *)text >= begin && (const unsigned char *)text < begin + len);
}

/** Nothing points to where it came from, which may be gone. */
static void moves_to_a_copy(void **state)
{
    kc_session session = alice(*state), read;
    apr_size_t len;
    unsigned char *record = written(*state, &session, &len);
    unsigned char *copy = apr_palloc(*state, len);

    assert_int_equal(kc_session_read(&read, record, len), APR_SUCCESS);
    memcpy(copy, record, len);
    kc_session_move(&read, record, len, copy);
    memset(record, 'x', len);
    expect_between(read.sub, copy, len);
    assert_string_equal(read.sub, session.sub);
    assert_string_equal(read.roles_from, session.roles_from);
    assert_names_equal(&read.roles, &session.roles);
    assert_names_equal(&read.realm_roles, &session.realm_roles);
    assert_names_equal(&read.other_roles, &session.other_roles);
    assert_names_equal(&read.groups, &session.groups);
    expect_between(read.groups.bytes, copy, len);
    assert_int_equal(read.expires, session.expires);
}

/** Lists of no names too, and what never lay in the record. */
static void moves_without_roles(void **state)
{
    kc_session session = alice(*state), read;
    apr_size_t len;
    unsigned char *record, *copy;

    memset(&session.roles, 0, sizeof(session.roles));
    memset(&session.groups, 0, sizeof(session.groups));
    record = written(*state, &session, &len);
    assert_int_equal(kc_session_read(&read, record, len), APR_SUCCESS);
    read.acr = "";
    read.groups.bytes = NULL;
    copy = apr_pmemdup(*state, record, len);
    kc_session_move(&read, record, len, copy);
    assert_string_equal(read.acr, "");
    assert_null(read.groups.bytes);
    assert_int_equal(read.roles.count, 0);
    assert_false(kc_names_have(&read.groups, "", 0));
    assert_true(kc_names_have(&read.realm_roles, "hr", 2));
}

static void empty_comes_back_too(void **state)
{
    kc_session session = {.sub = "",
                          .username = "",
                          .name = "",
                          .email = "",
                          .sid = "",
                          .acr = "",
                          .roles_from = "",
                          .created = -1,
                          .expires = INT64_MAX};
    kc_session read;
    apr_size_t len;
    unsigned char *record = written(*state, &session, &len);

    assert_int_equal(kc_session_read(&read, record, len), APR_SUCCESS);
    assert_string_equal(read.sub, "");
    assert_string_equal(read.roles_from, "");
    assert_int_equal(read.created, -1);
    assert_int_equal(read.expires, INT64_MAX);
    assert_int_equal(read.roles.count, 0);
    assert_int_equal(read.groups.count, 0);
}

static void points_into_the_buffer(void **state)
{
    kc_session session = alice(*state), read;
    apr_size_t len;
    unsigned char *record = written(*state, &session, &len);
    const char *start = (const char *)record;

    assert_int_equal(kc_session_read(&read, record, len), APR_SUCCESS);
    assert_in_range(read.sub - start, 0, len - 1);
    assert_in_range((const char *)read.groups.bytes - start, 0, len - 1);
}

static void a_string_too_long_is_not_written(void **state)
{
    kc_session session = alice(*state);
    char *name = apr_palloc(*state, 65537);
    unsigned char untouched = 0xa5;

    memset(name, 'n', 65536);
    name[65536] = '\0';
    session.name = name;
    assert_int_equal(kc_session_length(&session), 0);
    kc_session_write(&session, &untouched);
    assert_int_equal(untouched, 0xa5);
    name[65535] = '\0';
    assert_true(kc_session_length(&session) > 65535);
}

/** Touches each byte that a reader of the session may touch. */
static unsigned touch(const kc_session *session)
{
    const char *strings[] = {session->sub, session->username, session->name,      session->email,
                             session->sid, session->acr,      session->roles_from};
    const kc_names *lists[] = {&session->roles, &session->realm_roles, &session->other_roles,
                               &session->groups};
    unsigned sum = 0;
    const char *name;
    apr_size_t i, at, len;

    for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        assert_non_null(strings[i]);
        sum += (unsigned)strlen(strings[i]);
    }
    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (at = 0; (name = kc_names_next(lists[i], &at, &len));) {
            assert_true(strlen(name) <= len);
            sum++;
        }
    }
    return sum;
}

/** In a block of its own size, so that a sanitizer sees each byte read beyond it. */
static apr_status_t read_alone(const unsigned char *record, apr_size_t len)
{
    static const kc_session zero;
    unsigned char *block = malloc(len ? len : 1);
    kc_session read;
    apr_status_t rv;

    assert_non_null(block);
    memcpy(block, record, len);
    memset(&read, 0xff, sizeof(read));
    rv = kc_session_read(&read, block, len);
    if (rv == APR_SUCCESS) {
        assert_true(touch(&read) > 0);
    } else {
        assert_int_equal(rv, APR_EINVAL);
        assert_memory_equal(&read, &zero, sizeof(zero));
    }
    free(block);
    return rv;
}

static void every_truncation_is_refused(void **state)
{
    kc_session session = alice(*state);
    apr_size_t len, cut;
    unsigned char *record = written(*state, &session, &len);

    assert_int_equal(read_alone(record, len), APR_SUCCESS);
    for (cut = 0; cut < len; cut++) {
        assert_int_equal(read_alone(record, cut), APR_EINVAL);
    }
}

static void nothing_may_be_left_over(void **state)
{
    kc_session session = alice(*state);
    apr_size_t len;
    unsigned char *record = written(*state, &session, &len);
    unsigned char *longer = apr_pcalloc(*state, len + 3);

    memcpy(longer, record, len);
    assert_int_equal(read_alone(longer, len + 1), APR_EINVAL);
    assert_int_equal(read_alone(longer, len + 3), APR_EINVAL);
}

static void every_flipped_byte_stays_inside(void **state)
{
    kc_session session = alice(*state);
    apr_size_t len, i;
    unsigned char *record = written(*state, &session, &len);
    int mask, refused = 0;

    for (i = 0; i < len; i++) {
        for (mask = 1; mask < 256; mask++) {
            record[i] ^= (unsigned char)mask;
            refused += read_alone(record, len) != APR_SUCCESS;
            record[i] ^= (unsigned char)mask;
        }
    }
    assert_true(refused > 0);
}

/** The format: whoever breaks this test by more than a field at the end raises KC_FORMAT_VERSION. */
static void the_format_is_this(void **state)
{
    kc_session session = {.sub = "s",
                          .username = "",
                          .name = "",
                          .email = "",
                          .sid = "",
                          .acr = "",
                          .roles_from = "t",
                          .auth_time = 1,
                          .created = 2,
                          .seen = 3,
                          .refreshed = 4,
                          .due = 5,
                          .expires = 0x0102030405060708,
                          .mark = 0x0a0b0c0d};
    static const unsigned char expected[] = "\6\5"
                                            "\0\0\0\0\0\0\0\1"
                                            "\0\0\0\0\0\0\0\2"
                                            "\0\0\0\0\0\0\0\3"
                                            "\0\0\0\0\0\0\0\4"
                                            "\0\0\0\0\0\0\0\5"
                                            "\1\2\3\4\5\6\7\10"
                                            "\12\13\14\15"
                                            "\0\0\0\27"
                                            "\0\0\0\4"
                                            "\0\0\0\0"
                                            "\0\0\0\0"
                                            "\0\0\0\0"
                                            "\0\1s\0"
                                            "\0\0\0"
                                            "\0\0\0"
                                            "\0\0\0"
                                            "\0\0\0"
                                            "\0\0\0"
                                            "\0\1t\0"
                                            "\0\1r";
    apr_size_t len;
    unsigned char *record;
    kc_names_builder roles;

    kc_names_init(&roles, *state);
    assert_int_equal(kc_names_add(&roles, "r"), APR_SUCCESS);
    session.roles = kc_names_list(&roles);
    record = written(*state, &session, &len);
    assert_int_equal(len, sizeof(expected));
    assert_memory_equal(record, expected, len);
}

/* --- other versions --------------------------------------------------------------------------- */

enum { HEAD = 2, LENGTHS_AT = HEAD + 6 * 8 + 4, LISTS_AT = LENGTHS_AT + 5 * 4 };

/** Puts len bytes into a record at a place. */
static void insert(unsigned char *record, apr_size_t *len, apr_size_t at, const void *bytes,
                   apr_size_t bytes_len)
{
    memmove(record + at + bytes_len, record + at, *len - at);
    memcpy(record + at, bytes, bytes_len);
    *len += bytes_len;
}

static void assert_is_alice(const kc_session *read, apr_pool_t *pool)
{
    kc_session session = alice(pool);

    assert_string_equal(read->sub, session.sub);
    assert_string_equal(read->roles_from, session.roles_from);
    assert_int_equal(read->auth_time, session.auth_time);
    assert_int_equal(read->expires, session.expires);
    assert_int_equal(read->mark, session.mark);
    assert_names_equal(&read->roles, &session.roles);
    assert_names_equal(&read->groups, &session.groups);
}

static void the_first_layout_is_read(void **state)
{
    kc_session session = alice(*state), read;
    apr_size_t len;
    unsigned char *record = written(*state, &session, &len);

    assert_int_equal(read_alone(record + HEAD, len - HEAD), APR_SUCCESS);
    assert_int_equal(kc_session_read(&read, record + HEAD, len - HEAD), APR_SUCCESS);
    assert_is_alice(&read, *state);
}

/** One time, one string and one list more than we know. */
static void a_later_layout_is_read(void **state)
{
    kc_session session = alice(*state), read;
    apr_size_t len, strings_len;
    unsigned char *record = written(*state, &session, &len);
    unsigned char *later = apr_pcalloc(*state, len + 64);

    memcpy(later, record, len);
    strings_len = (apr_size_t)later[LENGTHS_AT + 2] << 8 | later[LENGTHS_AT + 3];
    insert(later, &len, len, "\0\3new", 6);
    insert(later, &len, LISTS_AT + strings_len, "\0\5later", 8);
    insert(later, &len, LISTS_AT, "\0\0\0\6", 4);
    strings_len += 8;
    later[LENGTHS_AT + 2] = (unsigned char)(strings_len >> 8);
    later[LENGTHS_AT + 3] = (unsigned char)strings_len;
    insert(later, &len, LENGTHS_AT - 4, "\0\0\0\0\0\0\0\7", 8);
    later[0]++;
    later[1]++;
    assert_int_equal(read_alone(later, len), APR_SUCCESS);
    assert_int_equal(kc_session_read(&read, later, len), APR_SUCCESS);
    assert_is_alice(&read, *state);
    assert_int_equal(read_alone(later, len - 1), APR_EINVAL);
}

/** Fewer fields than any version ever wrote. */
static void less_than_the_first_layout_is_refused(void **state)
{
    kc_session session = alice(*state);
    apr_size_t len, shorter;
    unsigned char *record = written(*state, &session, &len);
    unsigned char *less = apr_palloc(*state, len);

    memcpy(less, record, len);
    memmove(less + HEAD, less + HEAD + 8, len - HEAD - 8);
    less[0]--;
    assert_int_equal(read_alone(less, len - 8), APR_EINVAL);

    memcpy(less, record, len);
    shorter = len - session.groups.len;
    memmove(less + LISTS_AT - 4, less + LISTS_AT, shorter - LISTS_AT);
    less[1]--;
    assert_int_equal(read_alone(less, shorter - 4), APR_EINVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(comes_back_as_it_was),
        UNIT_TEST(moves_to_a_copy),
        UNIT_TEST(moves_without_roles),
        UNIT_TEST(empty_comes_back_too),
        UNIT_TEST(points_into_the_buffer),
        UNIT_TEST(a_string_too_long_is_not_written),
        UNIT_TEST(every_truncation_is_refused),
        UNIT_TEST(nothing_may_be_left_over),
        UNIT_TEST(every_flipped_byte_stays_inside),
        UNIT_TEST(the_format_is_this),
        UNIT_TEST(the_first_layout_is_read),
        UNIT_TEST(a_later_layout_is_read),
        UNIT_TEST(less_than_the_first_layout_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
