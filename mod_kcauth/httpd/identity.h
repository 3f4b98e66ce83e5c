/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What the application sees. */
#ifndef KC_HTTPD_IDENTITY_H
#define KC_HTTPD_IDENTITY_H

#include "httpd/module.h"

enum { KC_TOLD = 10 };

/** What the application sees of a session, in the order of the table in identity.c. Without control
 * characters; NULL where there is nothing to say. */
typedef struct kc_told {
    const char *texts[KC_TOLD];
} kc_told;

/** Hook post_read_request. */
int kc_strip_spoofed(request_rec *r);

/** Hook fixups, first. */
int kc_fixups(request_rec *r);
/** Hook fixups, last. */
int kc_fixups_proxied(request_rec *r);

/** The filter for proxied pages' caching. */
void kc_identity_register(apr_pool_t *pool);

/** What is told of the session of this request: made once, in the initial request's memory. */
const kc_told *kc_identity_told(request_rec *r, const kc_session *session);

/** Fills environment and headers of this request from the session. */
void kc_identity_export(request_rec *r, const kc_session *session);

#endif
