/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The store: httpd's small object caches. */
#ifndef KC_HTTPD_STORE_H
#define KC_HTTPD_STORE_H

#include "httpd/module.h"

/** KCAuthSessionStore's argument. NULL, or what is wrong. One store serves the whole server. */
const char *kc_store_configure(cmd_parms *cmd, const char *arg);

void kc_store_pre_config(apr_pool_t *pconf);
/** Whether a store could be opened: one is configured, or the default's module is there. */
int kc_store_is_loaded(apr_pool_t *pool);
/** Opens the store, or keeps the one of before a restart. `needed`: also without the directive. */
apr_status_t kc_store_open(int needed, server_rec *s, apr_pool_t *pconf, apr_pool_t *ptemp);
void kc_store_child_init(server_rec *s, apr_pool_t *pchild);
/** Whether KCAuthSessionStore names a store that other servers may share. */
int kc_store_is_shared(void);

/**
 * Reads an entry as a NUL-terminated text of the pool.
 * @return APR_SUCCESS; APR_NOTFOUND; anything else: the store is away (said in the log once a
 * minute)
 */
KC_WARN_UNUSED apr_status_t kc_store_get(server_rec *s, const char *name, char **text,
                                         apr_pool_t *pool);
KC_WARN_UNUSED apr_status_t kc_store_put(server_rec *s, const char *name, const char *text,
                                         apr_time_t expires, apr_pool_t *pool);
void kc_store_remove(server_rec *s, const char *name, apr_pool_t *pool);

#endif
