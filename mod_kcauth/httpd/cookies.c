/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Cookies in and out. A value that is too big for one cookie is split over several: the first part
 * begins with the number of parts and a '.', which is in no base64url text; the others are called
 * NAME_2 and so on.
 */

#include <apr_strings.h>

#include "httpd/module.h"

kc_cookie kc_cookie_named(apr_pool_t *pool, const char *name, const char *path,
                          const char *samesite, int https)
{
    const char *prefix = !https ? "" : strcmp(path, "/") ? "__Secure-" : "__Host-";
    kc_cookie cookie = {apr_pstrcat(pool, prefix, name, NULL), path, samesite, 0, https};

    return cookie;
}

static const char *part_name(request_rec *r, const kc_cookie *cookie, unsigned part)
{
    return part == 1 ? cookie->name : apr_psprintf(r->pool, "%s_%u", cookie->name, part);
}

/* The header as the browser sent it, also after ours were hidden from a backend. */
static const char *header_of(request_rec *r)
{
    const kc_request *request;

    r = kc_request_initial(r);
    request = kc_request_of(r);
    return request->cookies ? request->cookies : apr_table_get(r->headers_in, "Cookie");
}

/* --- in --------------------------------------------------------------------------------------- */

/* One walk over name=value pairs (RFC 6265 section 5.4). Returns 0 at the end. */
static int next_pair(const char **at, const char **name, apr_size_t *name_len, const char **value,
                     apr_size_t *value_len)
{
    const char *p = *at + strspn(*at, " ;\t");
    const char *end, *equals;

    if (!*p) {
        return 0;
    }
    end = p + strcspn(p, ";");
    *at = end;
    equals = memchr(p, '=', (apr_size_t)(end - p));
    *name = p;
    *name_len = (apr_size_t)((equals ? equals : end) - p);
    *value = equals ? equals + 1 : end;
    while (*value < end && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    *value_len = (apr_size_t)(end - *value);
    return 1;
}

/* The first cookie of this name, which by RFC 6265 is the one with the longest path. */
static const char *find(const char *header, const char *name, apr_size_t *len)
{
    apr_size_t want = strlen(name), name_len;
    const char *at = header, *key, *value;

    while (next_pair(&at, &key, &name_len, &value, len)) {
        if (name_len == want && !memcmp(key, name, want)) {
            return value;
        }
    }
    return NULL;
}

static const char *join(request_rec *r, const kc_cookie *cookie, const char *header, unsigned parts,
                        const char *first, apr_size_t *len)
{
    char *whole = apr_palloc(r->pool, (apr_size_t)parts * KC_COOKIE_PART);
    apr_size_t at = *len, part_len;
    unsigned part;

    memcpy(whole, first, *len);
    for (part = 2; part <= parts; part++) {
        const char *value = find(header, part_name(r, cookie, part), &part_len);

        if (!value || part_len > KC_COOKIE_PART) {
            return NULL;
        }
        memcpy(whole + at, value, part_len);
        at += part_len;
    }
    *len = at;
    return whole;
}

const char *kc_cookie_get(request_rec *r, const kc_cookie *cookie, apr_size_t *len)
{
    const char *header = header_of(r);
    const char *value = header ? find(header, part_name(r, cookie, 1), len) : NULL;

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
    return join(r, cookie, header, (unsigned)(*value - '0'), value + 2, len);
}

/* --- out -------------------------------------------------------------------------------------- */

static void send_part(request_rec *r, const kc_cookie *cookie, unsigned part, const char *value,
                      const char *age)
{
    /* err_headers_out: they go out with redirects and errors too. */
    apr_table_addn(r->err_headers_out, "Set-Cookie",
                   apr_pstrcat(r->pool, part_name(r, cookie, part), "=", value, "; Path=",
                               cookie->path, age, "; HttpOnly; SameSite=", cookie->samesite,
                               cookie->secure ? "; Secure" : "", NULL));
}

static int browser_holds(request_rec *r, const kc_cookie *cookie, unsigned part)
{
    const char *header = header_of(r);
    apr_size_t len;

    return header && find(header, part_name(r, cookie, part), &len);
}

static void clear_from(request_rec *r, const kc_cookie *cookie, unsigned part)
{
    for (; part <= KC_COOKIE_PARTS; part++) {
        if (browser_holds(r, cookie, part)) {
            send_part(r, cookie, part, "", "; Max-Age=0");
        }
    }
}

apr_status_t kc_cookie_set(request_rec *r, const kc_cookie *cookie, const char *value,
                           apr_size_t len)
{
    const char *age = cookie->max_age ? apr_psprintf(r->pool, "; Max-Age=%d", cookie->max_age) : "";
    unsigned part, parts = (unsigned)((len + 2 + KC_COOKIE_PART - 1) / KC_COOKIE_PART);

    if (parts > KC_COOKIE_PARTS) {
        return APR_ENOSPC;
    }
    if (len <= KC_COOKIE_PART) {
        send_part(r, cookie, 1, apr_pstrmemdup(r->pool, value, len), age);
        clear_from(r, cookie, 2);
        return APR_SUCCESS;
    }
    send_part(r, cookie, 1, apr_psprintf(r->pool, "%u.%.*s", parts, KC_COOKIE_PART - 2, value),
              age);
    value += KC_COOKIE_PART - 2;
    len -= KC_COOKIE_PART - 2;
    for (part = 2; part <= parts; part++) {
        apr_size_t some = len > KC_COOKIE_PART ? KC_COOKIE_PART : len;

        send_part(r, cookie, part, apr_pstrmemdup(r->pool, value, some), age);
        value += some;
        len -= some;
    }
    clear_from(r, cookie, parts + 1);
    return APR_SUCCESS;
}

void kc_cookie_clear(request_rec *r, const kc_cookie *cookie)
{
    send_part(r, cookie, 1, "", "; Max-Age=0");
    clear_from(r, cookie, 2);
}

/* --- hidden from backends --------------------------------------------------------------------- */

static int has_prefix(const char **name, apr_size_t *len, const char *prefix)
{
    apr_size_t prefix_len = strlen(prefix);

    if (*len < prefix_len || memcmp(*name, prefix, prefix_len)) {
        return 0;
    }
    *name += prefix_len;
    *len -= prefix_len;
    return 1;
}

/* NAME, NAME_2 .. NAME_8, NAME_state_0 .., NAME_id and its parts. */
static int is_ours(const char *name, apr_size_t len, const char *ours)
{
    (void)(has_prefix(&name, &len, "__Host-") || has_prefix(&name, &len, "__Secure-"));
    return has_prefix(&name, &len, ours) && (!len || *name == '_');
}

void kc_cookies_hide(request_rec *r, const kc_site *site)
{
    const char *header = apr_table_get(r->headers_in, "Cookie"), *at = header;
    const char *name, *value;
    apr_size_t name_len, value_len;
    kc_request *request;
    char *kept, *to;

    if (!header || !strstr(header, site->conf->cookie_name)) {
        return;
    }
    request = kc_request_of(kc_request_initial(r));
    if (!request->cookies) { /* else hidden before an ErrorDocument, say */
        request->cookies = header;
    }
    to = kept = apr_palloc(r->pool, 2 * strlen(header) + 3); /* "; " may stand for ";" */
    while (next_pair(&at, &name, &name_len, &value, &value_len)) {
        if (!is_ours(name, name_len, site->conf->cookie_name)) {
            apr_size_t len = (apr_size_t)(value + value_len - name);

            memcpy(to, "; ", 2);
            memcpy(to + 2, name, len);
            to += 2 + len;
        }
    }
    *to = '\0';
    if (to == kept) {
        apr_table_unset(r->headers_in, "Cookie");
    } else {
        apr_table_setn(r->headers_in, "Cookie", kept + 2);
    }
}

void kc_cookies_show(request_rec *r)
{
    const char *header = kc_request_of(kc_request_initial(r))->cookies;

    if (header) {
        apr_table_setn(r->headers_in, "Cookie", header);
    }
}
