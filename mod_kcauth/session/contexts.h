/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Prepared OpenSSL contexts, lent to one thread at a time. Private to the room.
 *
 * Setting a key up costs more than the use of it, so a context that holds its key is kept and used
 * again. A lock would make threads wait for each other, a context per thread would have to be
 * cleaned up by threads that httpd owns; so a few slots are shared and each taken by one atomic
 * instruction.
 */
#ifndef KC_SESSION_CONTEXTS_H
#define KC_SESSION_CONTEXTS_H

#include "session/keys.h"

/** A kind of context. */
typedef struct kc_context_type {
    void *(*make)(const unsigned char key[KC_KEY_BYTES]); /**< NULL when OpenSSL fails */
    void (*destroy)(void *context);
} kc_context_type;

/** The contexts of one key. */
typedef struct kc_contexts kc_contexts;

/** The key is copied; copy and contexts are wiped with the pool. */
kc_contexts *kc_contexts_create(const kc_context_type *type, const unsigned char key[KC_KEY_BYTES],
                                apr_pool_t *pool);

/** A context that nobody else has until it is given back. NULL when OpenSSL fails. */
void *kc_contexts_take(kc_contexts *contexts);

/** Gives back what kc_contexts_take lent, by the same thread. */
void kc_contexts_give(kc_contexts *contexts, void *context);

#endif
