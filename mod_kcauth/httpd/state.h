/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What must outlive a restart: files of the state folder. */
#ifndef KC_HTTPD_STATE_H
#define KC_HTTPD_STATE_H

#include "httpd/module.h"

/**
 * The key that seals sessions when none is configured: read from the state folder, made there on
 * the first start, mode 0600. Failures are in the error log.
 */
apr_status_t kc_state_key(kc_secret *key, const char *state_dir, server_rec *s, apr_pool_t *pool,
                          apr_pool_t *ptemp);

/**
 * The table of revocations, in a file of the state folder that is mapped and shared by all
 * children, generations and restarts.
 * @return NULL after a line in the error log
 */
kc_revocations *kc_state_revocations(const char *state_dir, apr_interval_time_t horizon,
                                     server_rec *s, apr_pool_t *pool, apr_pool_t *ptemp);

/**
 * Memory for a realm's metadata and keys (kc_provider_create), in a file of the state folder.
 * @param realm  what they are of: issuer and internal address
 * @return NULL after a line in the error log
 */
void *kc_state_documents(const char *state_dir, const char *realm, server_rec *s, apr_pool_t *pool,
                         apr_pool_t *ptemp);

#endif
