/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The session record's bytes: the times (8 each), the mark (4), the lengths of all lists (4 each),
 * then the lists themselves, of which the first holds the strings. The format version lies in the
 * seal around the record: whoever changes one of these tables raises it.
 */
#include <stddef.h>

#include "session/layout.h"

static const apr_size_t string_at[] = {
    offsetof(kc_session, sub),       offsetof(kc_session, username), offsetof(kc_session, name),
    offsetof(kc_session, email),     offsetof(kc_session, sid),      offsetof(kc_session, acr),
    offsetof(kc_session, roles_from)};

static const apr_size_t time_at[] = {
    offsetof(kc_session, auth_time), offsetof(kc_session, created), offsetof(kc_session, seen),
    offsetof(kc_session, refreshed), offsetof(kc_session, due),     offsetof(kc_session, expires)};

static const apr_size_t list_at[] = {offsetof(kc_session, roles), offsetof(kc_session, realm_roles),
                                     offsetof(kc_session, other_roles),
                                     offsetof(kc_session, groups)};

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum {
    STRINGS = COUNT(string_at),
    TIMES = COUNT(time_at),
    LISTS = COUNT(list_at),
    MARK_AT = 8 * TIMES,
    LENGTHS_AT = MARK_AT + 4,
    FIXED_BYTES = LENGTHS_AT + 4 * (1 + LISTS)
};

static const char **string_of(const kc_session *session, int i)
{
    return (const char **)((char *)session + string_at[i]);
}

static apr_int64_t *time_of(const kc_session *session, int i)
{
    return (apr_int64_t *)((char *)session + time_at[i]);
}

static kc_names *list_of(const kc_session *session, int i)
{
    return (kc_names *)((char *)session + list_at[i]);
}

/** Bytes of the list of strings, and of each string in it; 0 when one is too long. */
static apr_size_t measure_strings(const kc_session *session, apr_size_t lens[STRINGS])
{
    apr_size_t sum = 0;
    int i;

    for (i = 0; i < STRINGS; i++) {
        lens[i] = strlen(*string_of(session, i));
        if (lens[i] > KC_NAME_MAX) {
            return 0;
        }
        sum += lens[i] + KC_NAME_OVERHEAD;
    }
    return sum;
}

apr_size_t kc_session_length(const kc_session *session)
{
    apr_size_t lens[STRINGS], sum = measure_strings(session, lens);
    int i;

    if (sum == 0) {
        return 0;
    }
    for (i = 0; i < LISTS; i++) {
        sum += list_of(session, i)->len;
    }
    return FIXED_BYTES + sum;
}

void kc_session_write(const kc_session *session, unsigned char *buf)
{
    apr_size_t lens[STRINGS], strings_len = measure_strings(session, lens);
    const kc_names *list;
    int i;

    if (strings_len == 0) {
        return;
    }
    for (i = 0; i < TIMES; i++) {
        buf = kc_put64(buf, (apr_uint64_t)*time_of(session, i));
    }
    buf = kc_put32(buf, session->mark);
    buf = kc_put32(buf, (apr_uint32_t)strings_len);
    for (i = 0; i < LISTS; i++) {
        buf = kc_put32(buf, (apr_uint32_t)list_of(session, i)->len);
    }
    for (i = 0; i < STRINGS; i++) {
        buf = kc_put_name(buf, *string_of(session, i), lens[i]);
    }
    for (i = 0; i < LISTS; i++) {
        list = list_of(session, i);
        if (list->len) {
            memcpy(buf, list->bytes, list->len);
            buf += list->len;
        }
    }
}

/** Takes a list off the front of *bytes, its length given by the four bytes at `length`. */
static apr_status_t take_list(kc_names *out, const unsigned char *length,
                              const unsigned char **bytes, apr_size_t *left)
{
    apr_size_t len = kc_get32(length);

    if (len > *left || kc_names_read(out, *bytes, len) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    *bytes += len;
    *left -= len;
    return APR_SUCCESS;
}

static apr_status_t read_record(kc_session *out, const unsigned char *buf, apr_size_t len)
{
    const unsigned char *bytes = buf + FIXED_BYTES, *length = buf + LENGTHS_AT;
    apr_size_t left = len - FIXED_BYTES, at = 0, string_len;
    kc_names strings;
    int i;

    if (take_list(&strings, length, &bytes, &left) != APR_SUCCESS || strings.count != STRINGS) {
        return APR_EINVAL;
    }
    for (i = 0; i < LISTS; i++) {
        if (take_list(list_of(out, i), length + 4 * (1 + i), &bytes, &left) != APR_SUCCESS) {
            return APR_EINVAL;
        }
    }
    for (i = 0; i < STRINGS; i++) {
        *string_of(out, i) = kc_names_next(&strings, &at, &string_len);
    }
    for (i = 0; i < TIMES; i++) {
        *time_of(out, i) = (apr_int64_t)kc_get64(buf + 8 * i);
    }
    out->mark = kc_get32(buf + MARK_AT);
    return left == 0 ? APR_SUCCESS : APR_EINVAL;
}

apr_status_t kc_session_read(kc_session *out, const unsigned char *buf, apr_size_t len)
{
    memset(out, 0, sizeof(*out));
    if (len < FIXED_BYTES || read_record(out, buf, len) != APR_SUCCESS) {
        memset(out, 0, sizeof(*out));
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

/* What lies in the record has moved along; what does not ("", no list) stays. */
static const void *moved(const void *at, const unsigned char *from, apr_size_t len,
                         const unsigned char *to)
{
    apr_size_t offset = (apr_size_t)((apr_uintptr_t)at - (apr_uintptr_t)from);

    return offset <= len ? to + offset : at;
}

void kc_session_move(kc_session *session, const unsigned char *from, apr_size_t len,
                     const unsigned char *to)
{
    int i;

    for (i = 0; i < COUNT(string_at); i++) {
        *string_of(session, i) = moved(*string_of(session, i), from, len, to);
    }
    for (i = 0; i < COUNT(list_at); i++) {
        list_of(session, i)->bytes = moved(list_of(session, i)->bytes, from, len, to);
    }
}
