/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The text of a Cookie header, RFC 6265. The session is looked for in it with each request, so it
 * is read where it lies.
 */

#include "base/base.h"

#include <apr_strings.h>
#include <string.h>

/* One name=value pair of the header: pieces of it. */
typedef struct pair {
    const char *name, *value;
    apr_size_t name_len, value_len;
} pair;

/* The next pair (section 5.4 of the RFC). Returns 0 at the end. */
static int next_pair(const char **at, pair *out)
{
    const char *p = *at + strspn(*at, " ;\t");
    const char *end, *equals;

    if (!*p) {
        return 0;
    }
    end = strchr(p, ';'); /* faster than strcspn, and a session may be 30 KB */
    end = end ? end : p + strlen(p);
    *at = end;
    equals = memchr(p, '=', (apr_size_t)(end - p));
    out->name = p;
    out->name_len = (apr_size_t)((equals ? equals : end) - p);
    out->value = equals ? equals + 1 : end;
    while (out->value < end && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    out->value_len = (apr_size_t)(end - out->value);
    return 1;
}

const char *kc_cookie_find(const char *header, const char *name, apr_size_t *len)
{
    apr_size_t name_len = strlen(name);
    pair each;

    while (next_pair(&header, &each)) {
        if (each.name_len == name_len && !memcmp(each.name, name, name_len)) {
            *len = each.value_len;
            return each.value;
        }
    }
    return NULL;
}

const char *kc_cookie_part_name(apr_pool_t *pool, const char *name, unsigned part)
{
    return part == 1 ? name : apr_psprintf(pool, "%s_%u", name, part);
}

static const char *join(apr_pool_t *pool, const char *header, const char *name, unsigned parts,
                        const char *first, apr_size_t *len)
{
    char *whole = apr_palloc(pool, (apr_size_t)parts * KC_COOKIE_PART);
    apr_size_t at = *len, part_len;
    unsigned part;

    memcpy(whole, first, *len);
    for (part = 2; part <= parts; part++) {
        const char *value =
            kc_cookie_find(header, kc_cookie_part_name(pool, name, part), &part_len);

        if (!value || part_len > KC_COOKIE_PART) {
            return NULL;
        }
        memcpy(whole + at, value, part_len);
        at += part_len;
    }
    *len = at;
    return whole;
}

const char *kc_cookie_read(apr_pool_t *pool, const char *header, const char *name, apr_size_t *len)
{
    const char *value = kc_cookie_find(header, name, len);

    if (!value || !*len || *len > KC_COOKIE_PART) {
        return NULL;
    }
    if (*len < 2 || value[1] != '.') {
        return value;
    }
    if (*value < '2' || *value > '0' + KC_COOKIE_PARTS) {
        return NULL;
    }
    *len -= 2;
    return join(pool, header, name, (unsigned)(*value - '0'), value + 2, len);
}

static int drop_prefix(pair *cookie, const char *prefix)
{
    apr_size_t len = strlen(prefix);

    if (cookie->name_len < len || memcmp(cookie->name, prefix, len)) {
        return 0;
    }
    cookie->name += len;
    cookie->name_len -= len;
    return 1;
}

/* NAME, NAME_2 .. NAME_8, NAME_state_0 .., NAME_id and its parts. */
static int belongs_to(pair cookie, const char *name)
{
    (void)(drop_prefix(&cookie, "__Host-") || drop_prefix(&cookie, "__Secure-"));
    return drop_prefix(&cookie, name) && (!cookie.name_len || *cookie.name == '_');
}

const char *kc_cookies_without(apr_pool_t *pool, const char *header, const char *name)
{
    char *kept = apr_palloc(pool, 2 * strlen(header) + 3); /* "; " may stand for ";" */
    char *to = kept;
    pair each;

    while (next_pair(&header, &each)) {
        if (!belongs_to(each, name)) {
            apr_size_t len = (apr_size_t)(each.value + each.value_len - each.name);

            memcpy(to, "; ", 2);
            memcpy(to + 2, each.name, len);
            to += 2 + len;
        }
    }
    *to = '\0';
    return to == kept ? NULL : kept + 2;
}
