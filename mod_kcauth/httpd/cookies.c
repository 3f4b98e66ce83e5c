/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Cookies in and out. How they are read and split: base/cookie.c. */

#include <apr_strings.h>

#include "httpd/cookies.h"
#include "httpd/request.h"
#include "httpd/site.h"

kc_cookie kc_cookie_named(apr_pool_t *pool, const char *name, const char *path,
                          const char *samesite, int https)
{
    const char *prefix = !https ? "" : strcmp(path, "/") ? "__Secure-" : "__Host-";
    kc_cookie cookie = {apr_pstrcat(pool, prefix, name, NULL), path, samesite, 0, https};

    return cookie;
}

const char *kc_cookies_header(request_rec *r)
{
    const kc_request *request;

    r = kc_request_initial(r);
    request = kc_request_of(r);
    return request->cookies ? request->cookies : apr_table_get(r->headers_in, "Cookie");
}

const char *kc_cookie_get(request_rec *r, const kc_cookie *cookie, apr_size_t *len)
{
    const char *header = kc_cookies_header(r);

    return header ? kc_cookie_read(r->pool, header, cookie->name, len) : NULL;
}

/* --- out -------------------------------------------------------------------------------------- */

static const char *part_name(request_rec *r, const kc_cookie *cookie, unsigned part)
{
    return kc_cookie_part_name(r->pool, cookie->name, part);
}

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
    const char *header = kc_cookies_header(r);
    apr_size_t len;

    return header && kc_cookie_find(header, part_name(r, cookie, part), &len);
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

void kc_cookies_hide(request_rec *r, const kc_site *site)
{
    const char *header = apr_table_get(r->headers_in, "Cookie"), *kept;
    kc_request *request;

    if (!header || !strstr(header, site->conf->cookie_name)) {
        return;
    }
    request = kc_request_of(kc_request_initial(r));
    if (!request->cookies) { /* else hidden before an ErrorDocument, say */
        request->cookies = header;
    }
    kept = kc_cookies_without(r->pool, header, site->conf->cookie_name);
    if (kept) {
        apr_table_setn(r->headers_in, "Cookie", kept);
    } else {
        apr_table_unset(r->headers_in, "Cookie");
    }
}

void kc_cookies_show(request_rec *r)
{
    const char *header = kc_request_of(kc_request_initial(r))->cookies;

    if (header) {
        apr_table_setn(r->headers_in, "Cookie", header);
    }
}
