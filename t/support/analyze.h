/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * For t/analyze alone, before each file: what a reader of one file cannot know of others. Without
 * it each failure might be none, and each piece of memory missing.
 */
#include <stdlib.h>

#include <apr_strings.h>

#include "base/base.h"

#define FOUND __attribute__((returns_nonnull))

/* A pool that has no memory ends the process: httpd and libapr see to that. */
FOUND void *apr_palloc(apr_pool_t *pool, apr_size_t size);
FOUND char *apr_psprintf(apr_pool_t *pool, const char *format, ...);
FOUND char *apr_pstrcat(apr_pool_t *pool, ...);

/* It never says APR_SUCCESS. */
#define kc_fail(...) ((kc_fail)(__VA_ARGS__), APR_EGENERAL)

#ifdef KC_UNIT_H
/* cmocka's asserts do not come back when they fail. */
#undef assert_non_null
#define assert_non_null(pointer) ((pointer) ? (void)0 : abort())
#endif
