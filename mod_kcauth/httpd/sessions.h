/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Sessions: cookie to session and back. */
#ifndef KC_HTTPD_SESSIONS_H
#define KC_HTTPD_SESSIONS_H

#include "httpd/module.h"

enum { KC_CLOCKS_DIFFER = 60 /**< seconds, of servers that share sessions, and Keycloak */ };

/**
 * The session of this request, or NULL: no cookie, a forged one, one that is over or revoked, or
 * (kc_request.away) a store that does not answer. Looked up once.
 */
kc_session *kc_session_of(request_rec *r);

/** Makes a new session of who logged in, under a new name, and sets its cookies. */
apr_status_t kc_session_start(request_rec *r, const kc_identity *identity, const kc_tokens *tokens,
                              kc_error *err);

/**
 * Replaces what the session knows by what Keycloak says now; what it is stays: its beginning, its
 * end, its name.
 * @param packed  receives what others may take over (kc_session_adopt); "" where they find it in
 * the store
 */
apr_status_t kc_session_renew(request_rec *r, const kc_identity *identity, const kc_tokens *tokens,
                              const char **packed, kc_error *err);

/** Takes over what another request renewed. APR_EINVAL when it cannot be read. */
KC_WARN_UNUSED apr_status_t kc_session_adopt(request_rec *r, const char *packed);

/** Puts the next renewal off to `due` (seconds since the epoch). */
void kc_session_postpone(request_rec *r, apr_int64_t due);

/** Writes down that the session is in use, at most once a minute. */
void kc_session_touch(request_rec *r);

/** Ends the session here and everywhere: its cookies are removed, and it is revoked. */
void kc_session_end(request_rec *r);

/** A text that names this one session as it was last renewed: what is done to it once. */
const char *kc_session_name(request_rec *r, const kc_session *session);

#endif
