/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Calls that may never come back, made by another thread, with a deadline. */
#ifndef KC_HTTPD_ERRAND_H
#define KC_HTTPD_ERRAND_H

#include "httpd/module.h"

/** A call that another thread makes, with a deadline. */
typedef struct kc_errand kc_errand;

/** The call. It touches nothing but the baton and its pool, which live until it comes back. */
typedef apr_status_t kc_errand_fn(void *baton, apr_pool_t *pool);

apr_status_t kc_errand_child_init(void);
/** An errand, and the pool to lay its baton in. NULL: out of memory. To be ended by
 * kc_errand_end(), with which the pool is lost. */
kc_errand *kc_errand_prepare(apr_pool_t **pool);
/**
 * Waits for the call for two seconds at most.
 * @return what the call returned; APR_TIMEUP: it is late, and owns the baton now. For five seconds
 * after that, and while one call finds out whether it is so still, all others get it at once
 */
KC_WARN_UNUSED apr_status_t kc_errand_run(kc_errand *errand, kc_errand_fn *fn, void *baton);
void kc_errand_end(kc_errand *errand);

#endif
