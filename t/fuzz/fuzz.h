/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * What the fuzz targets share. A target is one function on any bytes; libFuzzer calls it with new
 * ones, replay.c with the seeds. It aborts where a promise of the tested header is broken.
 */
#ifndef KC_FUZZ_H
#define KC_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

/** libFuzzer's name for it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_PROMISE(condition)                                                     \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

/** A pool for one input; the target clears it before it returns. It owns all that is not static. */
static inline apr_pool_t *fuzz_pool(void)
{
    static apr_pool_t *pool;

    if (!pool) {
        FUZZ_PROMISE(apr_initialize() == APR_SUCCESS);
        FUZZ_PROMISE(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    }
    return pool;
}

/** The status of an answer, from any three bytes; digits stand for themselves. */
static inline int fuzz_status(const uint8_t *data)
{
    return (data[0] & 0x0f) * 100 + (data[1] & 0x0f) * 10 + (data[2] & 0x0f);
}

/** The input as a string in a block of its own size: a sanitizer sees its end. free() it. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    FUZZ_PROMISE(text != NULL);
    if (size) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    return text;
}

#endif
