/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Errands: calls of which nobody knows when they come back, as those of a store behind a network.
 * Another thread goes, and who sent it waits for a limited time. After an errand that was late the
 * next ones are not sent at all for some seconds; then one of them finds out.
 */

#include <stdatomic.h>

#include <apr_thread_cond.h>
#include <apr_thread_pool.h>

#include "httpd/errand.h"

/* A thread whose call never comes back is lost, so there may be more of them than are ever needed
 * at once: one errand in PAUSE seconds can be lost, until the system gives up the connection. */
enum { THREADS_MAX = 128 };

#define DEADLINE apr_time_from_sec(2)
#define PAUSE    apr_time_from_sec(5)

/* Held by who waits and by who goes; it ends with the last of them. */
struct kc_errand {
    apr_pool_t *pool;
    atomic_int holders;
    kc_errand_fn *fn;
    void *baton;
    apr_thread_mutex_t *mutex; /* of what follows */
    apr_thread_cond_t *returned;
    int done;
    apr_status_t result;
};

static apr_thread_pool_t *threads;
static _Atomic(apr_time_t) resume; /* no errand before; 0: as usual */

apr_status_t kc_errand_child_init(void)
{
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create_unmanaged(&pool); /* a child that ends waits for no errand */

    if (rv == APR_SUCCESS) {
        rv = apr_thread_pool_create(&threads, 0, THREADS_MAX, pool);
    }
    if (rv == APR_SUCCESS) {
        apr_thread_pool_idle_max_set(threads, THREADS_MAX);
        apr_thread_pool_threshold_set(threads, 0);
    }
    return rv;
}

kc_errand *kc_errand_prepare(apr_pool_t **pool)
{
    kc_errand *errand;

    if (apr_pool_create_unmanaged(pool) != APR_SUCCESS) {
        return NULL;
    }
    errand = apr_pcalloc(*pool, sizeof(*errand));
    errand->pool = *pool;
    atomic_init(&errand->holders, 1);
    if (apr_thread_mutex_create(&errand->mutex, APR_THREAD_MUTEX_DEFAULT, *pool) != APR_SUCCESS ||
        apr_thread_cond_create(&errand->returned, *pool) != APR_SUCCESS) {
        apr_pool_destroy(*pool);
        return NULL;
    }
    return errand;
}

void kc_errand_end(kc_errand *errand)
{
    if (atomic_fetch_sub(&errand->holders, 1) == 1) {
        apr_pool_destroy(errand->pool);
    }
}

static void *APR_THREAD_FUNC go(apr_thread_t *thread, void *data)
{
    kc_errand *errand = data;
    apr_status_t rv;

    (void)thread;
    if (atomic_load(&errand->holders) > 1) { /* somebody still waits */
        rv = errand->fn(errand->baton, errand->pool);
        apr_thread_mutex_lock(errand->mutex);
        errand->result = rv;
        errand->done = 1;
        apr_thread_cond_signal(errand->returned);
        apr_thread_mutex_unlock(errand->mutex);
    }
    kc_errand_end(errand);
    return NULL;
}

static int may_go(apr_time_t now)
{
    apr_time_t at = atomic_load(&resume), later = now + DEADLINE + PAUSE;

    /* One that lies further ahead is of a clock that was set back since: it counts as over. */
    return at == 0 ||
           ((now >= at || at > later) && atomic_compare_exchange_strong(&resume, &at, later));
}

/* Waits until it is done, or until the deadline. */
static apr_status_t await(kc_errand *errand, apr_time_t deadline)
{
    apr_interval_time_t left = DEADLINE;
    apr_status_t rv;

    apr_thread_mutex_lock(errand->mutex);
    while (!errand->done && left > 0) {
        apr_thread_cond_timedwait(errand->returned, errand->mutex, left);
        left = deadline - apr_time_now();
    }
    rv = errand->done ? errand->result : APR_TIMEUP;
    apr_thread_mutex_unlock(errand->mutex);
    return rv;
}

apr_status_t kc_errand_run(kc_errand *errand, kc_errand_fn *fn, void *baton)
{
    apr_time_t now = apr_time_now();
    apr_status_t rv;

    if (!threads || !may_go(now)) {
        return APR_TIMEUP;
    }
    errand->fn = fn;
    errand->baton = baton;
    atomic_fetch_add(&errand->holders, 1);
    rv = apr_thread_pool_push(threads, go, errand, APR_THREAD_TASK_PRIORITY_NORMAL, NULL);
    if (rv != APR_SUCCESS) {
        atomic_fetch_sub(&errand->holders, 1);
        return rv;
    }
    rv = await(errand, now + DEADLINE);
    if (APR_STATUS_IS_TIMEUP(rv)) {
        atomic_store(&resume, apr_time_now() + PAUSE);
    } else if (atomic_load(&resume)) {
        atomic_store(&resume, 0);
    }
    return rv;
}
