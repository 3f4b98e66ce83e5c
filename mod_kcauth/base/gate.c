/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * A bulkhead over processes: each counts in a slot of its own, so what a killed one had under way
 * is not lost but found, when the house looks full, in the slot of a process that is no more.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/base.h"

enum { SLOTS = 1024 };

/** A process number in the upper half, how many it has inside in the lower. 0: free. */
typedef _Atomic(apr_uint64_t) slot;

_Static_assert(sizeof(slot) == sizeof(apr_uint64_t) && ATOMIC_LLONG_LOCK_FREE == 2,
               "processes share the slots, so their atomics must need no lock");

struct kc_gate {
    slot *slots;
    int limit;
};

#define OWNER(value)  ((pid_t)((value) >> 32))
#define INSIDE(value) ((apr_uint32_t)(value))

apr_size_t kc_gate_size(void)
{
    return SLOTS * sizeof(slot);
}

kc_gate *kc_gate_attach(void *shared, int limit, apr_pool_t *pool)
{
    kc_gate *gate = apr_palloc(pool, sizeof(*gate));

    gate->slots = shared;
    gate->limit = limit;
    return gate;
}

static int is_dead(pid_t process)
{
    return kill(process, 0) != 0 && errno == ESRCH;
}

/** Frees the slots of processes that are no more. */
static void bury(kc_gate *gate)
{
    apr_uint64_t seen;
    int i;

    for (i = 0; i < SLOTS; i++) {
        seen = atomic_load(&gate->slots[i]);
        if (seen != 0 && is_dead(OWNER(seen))) {
            atomic_compare_exchange_strong(&gate->slots[i], &seen, 0);
        }
    }
}

/** Where this process counts: its own slot, or a free one from now on. NULL when all are taken. */
static slot *own_slot(kc_gate *gate)
{
    apr_uint64_t own = (apr_uint64_t)getpid() << 32, empty;
    int i, first = (int)(getpid() % SLOTS);

    for (i = 0; i < SLOTS; i++) {
        slot *at = &gate->slots[(first + i) % SLOTS];

        empty = 0;
        if (OWNER(atomic_load(at)) == getpid() || atomic_compare_exchange_strong(at, &empty, own) ||
            OWNER(empty) == getpid()) {
            return at;
        }
    }
    return NULL;
}

static int everybody_inside(const kc_gate *gate)
{
    int i, sum = 0;

    for (i = 0; i < SLOTS; i++) {
        sum += (int)INSIDE(atomic_load(&gate->slots[i]));
    }
    return sum;
}

/** Counts itself first and looks then: two at once may both be sent away, never both let in. */
static int try_to_enter(kc_gate *gate)
{
    slot *own = own_slot(gate);

    if (!own) {
        return 0;
    }
    atomic_fetch_add(own, 1);
    if (everybody_inside(gate) <= gate->limit) {
        return 1;
    }
    atomic_fetch_sub(own, 1);
    return 0;
}

int kc_gate_enter(kc_gate *gate)
{
    if (try_to_enter(gate)) {
        return 1;
    }
    bury(gate);
    return try_to_enter(gate);
}

void kc_gate_leave(kc_gate *gate)
{
    slot *own = own_slot(gate);

    if (own && INSIDE(atomic_load(own)) > 0) {
        atomic_fetch_sub(own, 1);
    }
}
