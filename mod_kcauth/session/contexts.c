/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Slots of prepared contexts. A thread looks into one slot only: what it finds there is its own by
 * an exchange. Two threads that share a slot disturb each other only when both are at work in the
 * same fraction of a microsecond, and then one makes a context and throws it away.
 */
#include <stdatomic.h>
#include <string.h>

#include <openssl/crypto.h>

#include "session/contexts.h"

enum { SLOTS = 16, CACHE_LINE = 64 };

/** As long as a cache line, so that neighbours do not slow each other down. */
typedef struct slot {
    _Atomic(void *) context;
    char padding[CACHE_LINE - sizeof(void *)];
} slot;

struct kc_contexts {
    const kc_context_type *type;
    unsigned char key[KC_KEY_BYTES];
    slot slots[SLOTS];
};

/* The leak check does not look into the memory of pools, where it would find the contexts. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#define SHOW_TO_LEAK_CHECK(region, size)   __lsan_register_root_region(region, size)
#define HIDE_FROM_LEAK_CHECK(region, size) __lsan_unregister_root_region(region, size)
#else
#define SHOW_TO_LEAK_CHECK(region, size)   (void)(region)
#define HIDE_FROM_LEAK_CHECK(region, size) (void)(region)
#endif

static atomic_uint thread_count;
static _Thread_local unsigned thread_number; /* 0: none yet */

static slot *own_slot(kc_contexts *contexts)
{
    if (thread_number == 0) {
        thread_number = 1 + atomic_fetch_add_explicit(&thread_count, 1, memory_order_relaxed);
    }
    return &contexts->slots[thread_number % SLOTS];
}

static apr_status_t wipe(void *data)
{
    kc_contexts *contexts = data;
    void *context;
    int i;

    for (i = 0; i < SLOTS; i++) {
        context = atomic_exchange(&contexts->slots[i].context, NULL);
        if (context) {
            contexts->type->destroy(context);
        }
    }
    OPENSSL_cleanse(contexts->key, sizeof(contexts->key));
    HIDE_FROM_LEAK_CHECK(contexts, sizeof(*contexts));
    return APR_SUCCESS;
}

kc_contexts *kc_contexts_create(const kc_context_type *type, const unsigned char key[KC_KEY_BYTES],
                                apr_pool_t *pool)
{
    kc_contexts *contexts = apr_pcalloc(pool, sizeof(*contexts));

    contexts->type = type;
    memcpy(contexts->key, key, KC_KEY_BYTES);
    SHOW_TO_LEAK_CHECK(contexts, sizeof(*contexts));
    apr_pool_cleanup_register(pool, contexts, wipe, apr_pool_cleanup_null);
    return contexts;
}

void *kc_contexts_take(kc_contexts *contexts)
{
    slot *own = own_slot(contexts);
    void *context = atomic_exchange_explicit(&own->context, NULL, memory_order_acquire);

    return context ? context : contexts->type->make(contexts->key);
}

void kc_contexts_give(kc_contexts *contexts, void *context)
{
    slot *own = own_slot(contexts);
    void *empty = NULL;

    if (!atomic_compare_exchange_strong_explicit(&own->context, &empty, context,
                                                 memory_order_release, memory_order_relaxed)) {
        contexts->type->destroy(context);
    }
}
