/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * What every unit test needs: cmocka, which wants these headers before it, and a pool for each test.
 */
#ifndef KC_UNIT_H
#define KC_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_pools.h>

/** Setup of a test: *state is a pool of its own. */
static inline int unit_setup(void **state)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return -1;
    }
    *state = pool;
    return 0;
}

static inline int unit_teardown(void **state)
{
    apr_pool_destroy(*state);
    apr_terminate();
    return 0;
}

#define UNIT_TEST(test) cmocka_unit_test_setup_teardown(test, unit_setup, unit_teardown)

#endif
