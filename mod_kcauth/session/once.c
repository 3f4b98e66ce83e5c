/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * What may be used only once: a table of hashes, one place for each text, changed by one atomic
 * exchange. No lock, so a child that is killed leaves none behind.
 */
#include <stdatomic.h>
#include <string.h>

#include <openssl/sha.h>

#include "session/layout.h"

enum { PLACES = 32768 };

typedef _Atomic(apr_uint64_t) place;

_Static_assert(sizeof(place) == sizeof(apr_uint64_t) && ATOMIC_LLONG_LOCK_FREE == 2,
               "processes share the table, so its atomics must need no lock");

struct kc_once {
    place *places;
};

apr_size_t kc_once_size(void)
{
    return PLACES * sizeof(place);
}

kc_once *kc_once_attach(void *shared, apr_pool_t *pool)
{
    kc_once *once = apr_palloc(pool, sizeof(*once));

    once->places = shared;
    return once;
}

int kc_once_use(kc_once *once, const char *text)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    apr_uint64_t hash;

    if (!SHA256((const unsigned char *)text, strlen(text), digest)) {
        return 0;
    }
    hash = kc_get64(digest);
    return atomic_exchange(&once->places[hash % PLACES], hash) != hash;
}
