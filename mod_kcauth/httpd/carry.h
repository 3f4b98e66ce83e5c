/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* How a session travels: in cookies, or in the store. */
#ifndef KC_HTTPD_CARRY_H
#define KC_HTTPD_CARRY_H

#include "httpd/module.h"
#include "httpd/site.h"

/** A record and its tokens as they travel. All texts are sealed. */
typedef struct kc_carriage {
    const char *record;
    const char *id_token;      /**< or "" */
    const char *refresh_token; /**< or "" */
} kc_carriage;

/** The session's cookie: the sealed record, or its name in the store. NULL: none of ours. */
const char *kc_carry_cookie(request_rec *r, const kc_site *site, apr_size_t *len);

/** Notes the cookie as the session's name, where sessions lie in the store. */
void kc_carry_name(request_rec *r, const kc_site *site, const char *cookie, apr_size_t len);

/**
 * From the cookie to the sealed record, which replaces it in *text: asks the store where the record
 * lies there.
 * @return APR_SUCCESS; APR_NOTFOUND; else the store is away
 */
KC_WARN_UNUSED apr_status_t kc_carry_in(request_rec *r, const kc_site *site, const char **text,
                                        apr_size_t *len);

/** The record in the store is another one than a copy in this child: it is read from there next. */
void kc_carry_drop_copy(request_rec *r);

/** Sends a record out under its present name (store) or in its cookies. APR_ENOSPC: too big. */
KC_WARN_UNUSED apr_status_t kc_carry_record(request_rec *r, const kc_site *site, const char *text,
                                            apr_int64_t expires);

/** Sends tokens out. One that does not fit is left out, and the log says what that means. */
void kc_carry_tokens(request_rec *r, const kc_site *site, const kc_carriage *carriage,
                     apr_int64_t expires);

/** A new name, for a new session; the one that came with the request is forgotten in the store. */
KC_WARN_UNUSED apr_status_t kc_carry_new(request_rec *r, const kc_site *site);

/** Removes cookies and entries. */
void kc_carry_end(request_rec *r, const kc_site *site);

/** The session's ID token, or NULL. With cookies only the logout endpoint is sent it. */
const char *kc_carried_id_token(request_rec *r, const kc_site *site);

/** The refresh token, or NULL. With cookies only endpoints of ours are sent it. */
const char *kc_carried_refresh_token(request_rec *r, const kc_site *site);

#endif
