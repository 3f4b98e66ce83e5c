/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What was ended before its time, here and on other servers. */
#ifndef KC_HTTPD_REVOKE_H
#define KC_HTTPD_REVOKE_H

#include "httpd/module.h"
#include "httpd/site.h"

/** Revokes here, and tells the servers that share the store. */
void kc_site_revoke(server_rec *s, const kc_site *site, kc_revoked_kind kind, const char *name,
                    apr_time_t time, apr_pool_t *pool);

/** The same of what anybody can make up, a sid, where plenty of room is left. 0 when it is not. */
int kc_site_revoke_unproven(const kc_site *site, const char *sid);

/** For the watchdog: takes over what other servers revoked. */
void kc_revocations_exchange(server_rec *s, kc_revocations *table, apr_pool_t *pool);

#endif
