/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Cookies, in and out. */
#ifndef KC_HTTPD_COOKIES_H
#define KC_HTTPD_COOKIES_H

#include "httpd/module.h"

typedef struct kc_site kc_site; /* site.h */

/** A cookie's name on the wire, and its attributes. */
typedef struct kc_cookie {
    const char *name; /**< with its prefix, without a part number */
    const char *path;
    const char *samesite;
    int max_age; /**< seconds; 0: until the browser closes */
    int secure;
} kc_cookie;

/**
 * On https a cookie for "/" is __Host- and another one __Secure- (RFC 6265bis): a neighbour, or
 * plain http, cannot plant it.
 * @param name  the configured name and what follows it
 */
kc_cookie kc_cookie_named(apr_pool_t *pool, const char *name, const char *path,
                          const char *samesite, int https);

/** The value of one cookie of the request as length-bounded text, parts joined; NULL when absent or
 * over the bounds. */
const char *kc_cookie_get(request_rec *r, const kc_cookie *cookie, apr_size_t *len);

/**
 * Sets it, in as many parts as it needs, and removes parts that the browser still holds.
 * @return APR_ENOSPC when it needs more than KC_COOKIE_PARTS; nothing is set then
 */
apr_status_t kc_cookie_set(request_rec *r, const kc_cookie *cookie, const char *value,
                           apr_size_t len);

/** Removes all its parts that the browser may hold. */
void kc_cookie_clear(request_rec *r, const kc_cookie *cookie);

/** Takes all cookies of this site out of what a backend will see. */
void kc_cookies_hide(request_rec *r, const kc_site *site);

/** The Cookie header as the browser sent it, also after ours were hidden; NULL: there is none. */
const char *kc_cookies_header(request_rec *r);

/** Puts the Cookie header back as it came. */
void kc_cookies_show(request_rec *r);

#endif
