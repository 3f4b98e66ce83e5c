/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * A provider (a server in a thread of the test) and children of an httpd, played by several
 * kc_provider on one piece of shared memory.
 */
#ifndef KC_UNIT_WORLD_H
#define KC_UNIT_WORLD_H

#include "oidc/oidc.h"
#include "server.h"
#include "signer.h"

enum { WORLD_CHILDREN = 3 };
enum { WORLD_CALLS = 8 }; /**< to the provider at once */

typedef struct world {
    server *http;
    const char *issuer;
    kc_http *calls;
    kc_provider *children[WORLD_CHILDREN];
    signer *key;
} world;

/** A provider that knows one key, and children that know nothing yet. */
world *world_new(apr_pool_t *pool);

/** Discovery document and keys are as they should be, whatever was answered before. */
void world_publish(world *w, apr_pool_t *pool);

/** The provider signs with another key, and publishes that one only. */
void world_rotate(world *w, apr_pool_t *pool);

/** What a child knows, or fetches now; it must succeed. */
kc_provider_view world_known_to(kc_provider *child, apr_pool_t *pool);

/** A deadline far enough for any honest answer. */
apr_time_t world_soon(void);

#endif
