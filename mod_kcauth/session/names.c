/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Lists of strings that are read where they lie: no allocation, no table to build, no JSON.
 */
#include "session/layout.h"

enum { FIRST_ROOM = 256, LIST_MAX = 1024 * 1024 };

apr_status_t kc_names_read(kc_names *out, const unsigned char *bytes, apr_size_t len)
{
    kc_names list = {bytes, len, 0};
    apr_size_t at = 0, name_len;

    while (kc_names_next(&list, &at, &name_len)) {
        list.count++;
    }
    if (at != len) {
        memset(out, 0, sizeof(*out));
        return APR_EINVAL;
    }
    *out = list;
    return APR_SUCCESS;
}

const char *kc_names_next(const kc_names *names, apr_size_t *at, apr_size_t *len)
{
    apr_size_t left = names->len - *at;
    const unsigned char *item;

    if (left < KC_NAME_OVERHEAD) {
        return NULL;
    }
    item = names->bytes + *at;
    *len = kc_get16(item);
    if (left - KC_NAME_OVERHEAD < *len || item[2 + *len] != '\0') {
        return NULL;
    }
    *at += KC_NAME_OVERHEAD + *len;
    return (const char *)item + 2;
}

static int same(const char *a, apr_size_t a_len, const char *b, apr_size_t b_len)
{
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* Asked with each request, of hundreds of names: so without kc_names_next(), which looks again at
 * what kc_names_read() has looked at. */
int kc_names_have(const kc_names *names, const char *name, apr_size_t len)
{
    const unsigned char *held = names->bytes;
    unsigned left;

    for (left = names->count; left; left--) {
        apr_size_t held_len = kc_get16(held);

        if (held_len == len && !memcmp(held + 2, name, len)) {
            return 1;
        }
        held += KC_NAME_OVERHEAD + held_len;
    }
    return 0;
}

int kc_names_have_pair(const kc_names *names, const char *first, apr_size_t first_len,
                       const char *second, apr_size_t second_len)
{
    apr_size_t at = 0, a_len, b_len;
    const char *a, *b;

    while ((a = kc_names_next(names, &at, &a_len)) && (b = kc_names_next(names, &at, &b_len))) {
        if (same(a, a_len, first, first_len) && same(b, b_len, second, second_len)) {
            return 1;
        }
    }
    return 0;
}

void kc_names_init(kc_names_builder *builder, apr_pool_t *pool)
{
    memset(builder, 0, sizeof(*builder));
    builder->pool = pool;
}

static void make_room(kc_names_builder *builder, apr_size_t more)
{
    apr_size_t room = builder->room ? builder->room : FIRST_ROOM;
    unsigned char *bytes;

    while (room - builder->len < more) {
        room *= 2;
    }
    if (room == builder->room) {
        return;
    }
    bytes = apr_palloc(builder->pool, room);
    if (builder->len) {
        memcpy(bytes, builder->bytes, builder->len);
    }
    builder->bytes = bytes;
    builder->room = room;
}

apr_status_t kc_names_add(kc_names_builder *builder, const char *name)
{
    apr_size_t len = strlen(name);

    if (len > KC_NAME_MAX || len + KC_NAME_OVERHEAD > LIST_MAX - builder->len) {
        return APR_EINVAL;
    }
    make_room(builder, len + KC_NAME_OVERHEAD);
    kc_put_name(builder->bytes + builder->len, name, len);
    builder->len += len + KC_NAME_OVERHEAD;
    builder->count++;
    return APR_SUCCESS;
}

apr_status_t kc_names_add_pair(kc_names_builder *builder, const char *first, const char *second)
{
    const kc_names_builder before = *builder;
    apr_status_t rv = kc_names_add(builder, first);

    if (rv == APR_SUCCESS) {
        rv = kc_names_add(builder, second);
    }
    if (rv != APR_SUCCESS) {
        *builder = before;
    }
    return rv;
}

kc_names kc_names_list(const kc_names_builder *builder)
{
    kc_names list = {builder->bytes, builder->len, builder->count};

    return list;
}
