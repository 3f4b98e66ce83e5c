/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The session record's bytes: how many times and lists there are (1 each), the times (8 each), the
 * mark (4), the lengths of all lists (4 each), then the lists themselves, of which the first holds
 * the strings.
 *
 * Sessions outlive the module that wrote them, and servers of two versions may share them. So new
 * fields go to the end of these tables: a reader takes what it knows and leaves the rest, and what
 * an older writer did not know is 0, "" or empty. Whoever changes what is there already raises
 * KC_FORMAT_VERSION, and everybody logs in anew.
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

enum { STRINGS = COUNT(string_at), TIMES = COUNT(time_at), LISTS = 1 + COUNT(list_at), COUNTS = 2 };

/* Of the first layout, which every record has. It had no counts, and began with a time, so with 0. */
enum { FIRST_STRINGS = 7, FIRST_TIMES = 6, FIRST_LISTS = 5 };

_Static_assert((int)STRINGS >= (int)FIRST_STRINGS && (int)TIMES >= (int)FIRST_TIMES &&
                   (int)LISTS >= (int)FIRST_LISTS,
               "fields are added, not taken away");

/* What a record has, and where. */
typedef struct shape {
    int times, lists;
    apr_size_t times_at, mark_at, lengths_at, lists_at;
} shape;

static shape shape_of(apr_size_t times_at, int times, int lists)
{
    shape made = {times, lists, times_at, 0, 0, 0};

    made.mark_at = times_at + 8 * (apr_size_t)times;
    made.lengths_at = made.mark_at + 4;
    made.lists_at = made.lengths_at + 4 * (apr_size_t)lists;
    return made;
}

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
    for (i = 1; i < LISTS; i++) {
        sum += list_of(session, i - 1)->len;
    }
    return shape_of(COUNTS, TIMES, LISTS).lists_at + sum;
}

void kc_session_write(const kc_session *session, unsigned char *buf)
{
    apr_size_t lens[STRINGS], strings_len = measure_strings(session, lens);
    const kc_names *list;
    int i;

    if (strings_len == 0) {
        return;
    }
    *buf++ = TIMES;
    *buf++ = LISTS;
    for (i = 0; i < TIMES; i++) {
        buf = kc_put64(buf, (apr_uint64_t)*time_of(session, i));
    }
    buf = kc_put32(buf, session->mark);
    buf = kc_put32(buf, (apr_uint32_t)strings_len);
    for (i = 1; i < LISTS; i++) {
        buf = kc_put32(buf, (apr_uint32_t)list_of(session, i - 1)->len);
    }
    for (i = 0; i < STRINGS; i++) {
        buf = kc_put_name(buf, *string_of(session, i), lens[i]);
    }
    for (i = 1; i < LISTS; i++) {
        list = list_of(session, i - 1);
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

static apr_status_t read_shape(shape *out, const unsigned char *buf, apr_size_t len)
{
    if (len < COUNTS) {
        return APR_EINVAL;
    }
    *out = buf[0] ? shape_of(COUNTS, buf[0], buf[1]) : shape_of(0, FIRST_TIMES, FIRST_LISTS);
    return out->times >= FIRST_TIMES && out->lists >= FIRST_LISTS && len >= out->lists_at
               ? APR_SUCCESS
               : APR_EINVAL;
}

static apr_status_t read_lists(kc_session *out, const shape *has, const unsigned char *buf,
                               apr_size_t len)
{
    const unsigned char *bytes = buf + has->lists_at, *length = buf + has->lengths_at;
    apr_size_t left = len - has->lists_at, at = 0, string_len;
    kc_names strings, unknown;
    const char *string;
    int i;

    if (take_list(&strings, length, &bytes, &left) != APR_SUCCESS ||
        strings.count < FIRST_STRINGS) {
        return APR_EINVAL;
    }
    for (i = 1; i < has->lists; i++) {
        if (take_list(i < LISTS ? list_of(out, i - 1) : &unknown, length + 4 * (apr_size_t)i,
                      &bytes, &left) != APR_SUCCESS) {
            return APR_EINVAL;
        }
    }
    for (i = 0; i < STRINGS; i++) {
        string = kc_names_next(&strings, &at, &string_len);
        *string_of(out, i) = string ? string : "";
    }
    return left == 0 ? APR_SUCCESS : APR_EINVAL;
}

apr_status_t kc_session_read(kc_session *out, const unsigned char *buf, apr_size_t len)
{
    shape has;
    int i;

    memset(out, 0, sizeof(*out));
    if (read_shape(&has, buf, len) != APR_SUCCESS ||
        read_lists(out, &has, buf, len) != APR_SUCCESS) {
        memset(out, 0, sizeof(*out));
        return APR_EINVAL;
    }
    for (i = 0; i < TIMES && i < has.times; i++) {
        *time_of(out, i) = (apr_int64_t)kc_get64(buf + has.times_at + 8 * (apr_size_t)i);
    }
    out->mark = kc_get32(buf + has.mark_at);
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
