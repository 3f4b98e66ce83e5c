/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What a connection showed last, for sessions.c alone. */
#ifndef KC_HTTPD_MEMO_H
#define KC_HTTPD_MEMO_H

#include "httpd/module.h"
#include "httpd/site.h"

/**
 * The session that this connection showed last, when its Cookie header is the same as then, else
 * NULL. Whether it is over by now is not looked at.
 * @param good_at  set to where kc_is_revoked_since() keeps its number
 */
kc_session *kc_memo_recall(request_rec *r, const kc_site *site, apr_uint64_t **good_at);

/** Keeps a session that was read from a record, for the connection's next request. */
void kc_memo_keep(request_rec *r, const kc_site *site, const unsigned char *record, apr_size_t len,
                  const kc_session *session, apr_uint64_t good_at);

void kc_memo_forget(request_rec *r);

#endif
