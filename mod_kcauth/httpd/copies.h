/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What the store said within the last second. */
#ifndef KC_HTTPD_COPIES_H
#define KC_HTTPD_COPIES_H

#include "httpd/module.h"

/** What kc_copy_keep() was given for this entry less than a second ago, as text of the pool, or
 * NULL. Names are hashes of 43 characters. */
char *kc_copy_find(const char *name, apr_time_t now, apr_pool_t *pool);
void kc_copy_keep(const char *name, apr_time_t now, const char *text);
/** The store holds something else now. */
void kc_copy_drop(const char *name);

#endif
