/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * One provider as one child sees it. What is known lies parsed in a snapshot that never changes;
 * newer documents make a new snapshot, and the old one goes when nobody holds it any more. One
 * thread of a child fetches at a time, and by the lease in shared memory one child; all others wait
 * for what it brings.
 */

#include <stdatomic.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "oidc/internal.h"

static const apr_interval_time_t failure_memory = apr_time_from_sec(2);
static const apr_interval_time_t poll_interval = apr_time_from_msec(20);

/* One version of the documents, parsed. Lies in a pool of its own, which no parent can end. */
typedef struct snapshot {
    apr_pool_t *pool;
    atomic_uint holders;
    apr_uint64_t version;
    kc_documents documents;
    kc_provider_view view;
} snapshot;

struct kc_provider {
    kc_provider_options options;
    const char *discovery_url; /* where we ask, so at the internal origin if there is one */
    kc_shared *shared;
    kc_http *http;
    apr_thread_mutex_t *lock; /* of all below */
    apr_thread_cond_t *fetched;
    apr_uint64_t refused; /* the version of documents that could not be made this child's */
    int fetching;         /* a thread of this child is at it */
    snapshot *current;
    apr_time_t failed; /* when documents were last asked for in vain */
    kc_error failure;
};

/* What a fetch is about. */
typedef struct fetch {
    kc_provider *provider;
    const snapshot *known; /* its keys shall be renewed; NULL: both documents are wanted */
    apr_uint64_t version;  /* of which newer ones are wanted */
    apr_time_t deadline;
    apr_pool_t *pool;
    kc_error *err;
} fetch;

/* --- snapshots -------------------------------------------------------------------------------- */

static apr_status_t drop(void *data)
{
    snapshot *old = data;

    if (atomic_fetch_sub(&old->holders, 1) == 1) {
        apr_pool_destroy(old->pool);
    }
    return APR_SUCCESS;
}

/* The caller has the lock, or holds it already: so it cannot go meanwhile. */
static void hold(snapshot *snap, apr_pool_t *pool)
{
    atomic_fetch_add(&snap->holders, 1);
    apr_pool_cleanup_register(pool, snap, drop, apr_pool_cleanup_null);
}

static apr_status_t parse(kc_provider_view *view, const kc_provider *provider,
                          const kc_documents *documents, apr_pool_t *pool, kc_error *err)
{
    const kc_provider_options *options = &provider->options;
    kc_metadata *metadata;
    kc_jwks *keys;
    apr_status_t rv;

    rv = kc_metadata_parse(&metadata, documents->metadata, documents->metadata_len, options->issuer,
                           options->internal_origin, options->insecure, pool, err);
    if (rv == APR_SUCCESS) {
        rv = kc_jwks_parse(&keys, documents->keys, documents->keys_len, pool, err);
    }
    if (rv == APR_SUCCESS) {
        view->metadata = metadata;
        view->keys = keys;
    }
    return rv;
}

/* Makes the newest documents of the shared memory this child's, if it has not got them yet. With
 * the lock. */
static void adopt(kc_provider *provider)
{
    snapshot *old = provider->current, *newer;
    apr_uint64_t version = kc_shared_version(provider->shared);
    apr_pool_t *pool;

    if (version == 0 || (old && old->version == version) ||
        apr_pool_create_unmanaged(&pool) != APR_SUCCESS) {
        return;
    }
    newer = apr_pcalloc(pool, sizeof(*newer));
    newer->pool = pool;
    atomic_init(&newer->holders, 1);
    if (kc_shared_read(&newer->documents, &newer->version, provider->shared, pool) != APR_SUCCESS ||
        parse(&newer->view, provider, &newer->documents, pool, NULL) != APR_SUCCESS) {
        drop(newer);
        provider->refused = version;
        return;
    }
    provider->current = newer;
    if (old) {
        drop(old);
    }
}

/* --- fetching: without the lock --------------------------------------------------------------- */

static apr_status_t download(kc_http_response *response, const char *what, const char *url,
                             const fetch *in)
{
    const kc_http_request request = {.url = url, .deadline = in->deadline};
    apr_status_t rv = kc_http_call(in->provider->http, &request, response, in->pool, in->err);
    int status = response->status;

    if (rv != APR_SUCCESS || status == 200) {
        return rv;
    }
    if (status >= 500) {
        return kc_fail(in->err, KC_FAULT_AWAY, "KC0242", "%.200s answered %d for the %s", url,
                       status, what);
    }
    return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0243",
                   "%.200s answered %d, not the %s: check the address and the realm's name in "
                   "KCAuthDiscoveryURL",
                   url, status, what);
}

static apr_status_t download_keys(kc_documents *documents, const char *url, const fetch *in)
{
    kc_http_response response = {0};
    kc_jwks *keys;
    apr_status_t rv = download(&response, "keys", url, in);

    if (rv == APR_SUCCESS) {
        rv = kc_jwks_parse(&keys, response.body, response.len, in->pool, in->err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (kc_jwks_count(keys) == 0) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0244",
                       "the key set at %.200s holds no key that we could verify a signature with",
                       url);
    }
    documents->keys = response.body;
    documents->keys_len = response.len;
    return APR_SUCCESS;
}

static apr_status_t download_both(kc_documents *documents, const fetch *in)
{
    const kc_provider_options *options = &in->provider->options;
    kc_http_response response = {0};
    kc_metadata *metadata;
    apr_status_t rv = download(&response, "discovery document", in->provider->discovery_url, in);

    if (rv == APR_SUCCESS) {
        rv = kc_metadata_parse(&metadata, response.body, response.len, options->issuer,
                               options->internal_origin, options->insecure, in->pool, in->err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    documents->metadata = response.body;
    documents->metadata_len = response.len;
    documents->fetched = apr_time_now();
    return download_keys(documents, metadata->jwks_uri, in);
}

/* With the lease. */
static apr_status_t renew(const fetch *in)
{
    kc_documents documents = {0};
    apr_status_t rv;

    if (in->known) {
        documents = in->known->documents;
        rv = download_keys(&documents, in->known->view.metadata->jwks_uri, in);
    } else {
        rv = download_both(&documents, in);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = kc_shared_write(in->provider->shared, &documents, in->pool);
    if (rv != APR_SUCCESS) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0245",
                       "discovery document and keys are too big together (%" APR_SIZE_T_FMT
                       " bytes)",
                       documents.metadata_len + documents.keys_len);
    }
    return APR_SUCCESS;
}

/* Brings newer documents into the shared memory, or waits until another child has done it. */
static apr_status_t run(const fetch *in)
{
    kc_shared *shared = in->provider->shared;
    apr_status_t rv = APR_SUCCESS;
    apr_time_t now, lease = 0;

    while (kc_shared_version(shared) == in->version) {
        now = apr_time_now();
        if (now >= in->deadline) {
            return kc_fail(in->err, KC_FAULT_AWAY, "KC0241",
                           "no time was left to wait for the provider's metadata or keys");
        }
        lease = kc_shared_lease(shared, now, in->deadline);
        if (lease) {
            break;
        }
        apr_sleep(poll_interval);
    }
    /* Another may have written between the look at the version and the lease. */
    if (lease && kc_shared_version(shared) == in->version &&
        (!in->known || kc_shared_keys_due(shared, apr_time_now()))) {
        rv = renew(in);
    }
    if (lease) {
        kc_shared_release(shared, lease);
    }
    return rv;
}

/* --- in turn: with the lock ------------------------------------------------------------------- */

/* Waits until the thread that fetches has ended, whatever came of it. */
static apr_status_t await(kc_provider *provider, apr_time_t deadline, kc_error *err)
{
    while (provider->fetching) {
        apr_interval_time_t left = deadline - apr_time_now();

        if (left <= 0) {
            return kc_fail(err, KC_FAULT_AWAY, "KC0246",
                           "another login was still waiting for the provider's metadata or keys");
        }
        apr_thread_cond_timedwait(provider->fetched, provider->lock, left);
    }
    return APR_SUCCESS;
}

/* Fetches; the lock is given up meanwhile. Nobody else of this child may be at it. */
static apr_status_t fetch_now(kc_provider *provider, snapshot *known, apr_time_t deadline,
                              apr_pool_t *pool, kc_error *err)
{
    fetch job = {
        provider, known, provider->current ? provider->current->version : provider->refused,
        deadline, NULL,  err};
    apr_status_t rv = apr_pool_create(&job.pool, pool);

    if (rv != APR_SUCCESS) {
        return kc_fail(err, KC_FAULT_CONFIG, "KC0247", "no memory to fetch metadata or keys");
    }
    if (known) {
        hold(known, job.pool);
    }
    provider->fetching = 1;
    apr_thread_mutex_unlock(provider->lock);
    rv = run(&job);
    apr_pool_destroy(job.pool);
    apr_thread_mutex_lock(provider->lock);
    provider->fetching = 0;
    adopt(provider);
    apr_thread_cond_broadcast(provider->fetched);
    return rv;
}

/* Both documents, unless they were asked for in vain just now. */
static apr_status_t fetch_both(kc_provider *provider, apr_time_t deadline, apr_pool_t *pool,
                               kc_error *err)
{
    apr_interval_time_t since = apr_time_now() - provider->failed;
    apr_status_t rv;

    if (since >= 0 && since < failure_memory) {
        *err = provider->failure;
        return APR_EGENERAL;
    }
    rv = fetch_now(provider, NULL, deadline, pool, err);
    if (rv != APR_SUCCESS) {
        provider->failed = apr_time_now();
        provider->failure = *err;
    }
    return rv;
}

/* --- what the room offers --------------------------------------------------------------------- */

static apr_status_t forget(void *data)
{
    kc_provider *provider = data;

    if (provider->current) {
        drop(provider->current);
    }
    return APR_SUCCESS;
}

apr_status_t kc_provider_create(kc_provider **out, const kc_provider_options *options, void *shared,
                                kc_http *http, apr_pool_t *pool)
{
    kc_provider *provider = apr_pcalloc(pool, sizeof(*provider));
    const char *origin = options->internal_origin;
    apr_status_t rv;

    provider->options.issuer = apr_pstrdup(pool, options->issuer);
    provider->options.discovery_url = apr_pstrdup(pool, options->discovery_url);
    provider->options.internal_origin = apr_pstrdup(pool, origin);
    provider->options.insecure = options->insecure;
    provider->options.gate = options->gate;
    provider->discovery_url = provider->options.discovery_url;
    if (origin) {
        provider->discovery_url = kc_url_rebase(pool, options->discovery_url, origin);
    }
    provider->shared = shared;
    provider->http = http;
    if (!provider->discovery_url) {
        return APR_EINVAL;
    }
    if ((rv = apr_thread_mutex_create(&provider->lock, APR_THREAD_MUTEX_DEFAULT, pool)) !=
            APR_SUCCESS ||
        (rv = apr_thread_cond_create(&provider->fetched, pool)) != APR_SUCCESS) {
        return rv;
    }
    apr_pool_cleanup_register(pool, provider, forget, apr_pool_cleanup_null);
    *out = provider;
    return APR_SUCCESS;
}

kc_http *kc_provider_http(const kc_provider *provider)
{
    return provider->http;
}

apr_status_t kc_provider_enter(kc_provider *provider, kc_error *err)
{
    if (!provider->options.gate || kc_gate_enter(provider->options.gate)) {
        return APR_SUCCESS;
    }
    return kc_fail(err, KC_FAULT_AWAY, "KC0231",
                   "KCAuthMaxCalls requests wait for Keycloak already: it is slow, or away");
}

void kc_provider_leave(kc_provider *provider)
{
    if (provider->options.gate) {
        kc_gate_leave(provider->options.gate);
    }
}

static void lend(kc_provider_view *view, snapshot *current, apr_pool_t *pool)
{
    hold(current, pool);
    *view = current->view;
}

/* Nothing is known yet: waits for who is at it, or fetches. */
static apr_status_t get_first(kc_provider *provider, apr_time_t deadline, apr_pool_t *pool,
                              kc_error *err)
{
    apr_status_t rv = kc_provider_enter(provider, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = await(provider, deadline, err);
    if (rv == APR_SUCCESS && !provider->current) {
        rv = fetch_both(provider, deadline, pool, err);
    }
    kc_provider_leave(provider);
    return rv;
}

apr_status_t kc_provider_get(kc_provider *provider, kc_provider_view *view, apr_time_t deadline,
                             apr_pool_t *pool, kc_error *err)
{
    apr_status_t rv = APR_SUCCESS;
    kc_error failure = {0};

    apr_thread_mutex_lock(provider->lock);
    adopt(provider);
    if (!provider->current) {
        rv = get_first(provider, deadline, pool, &failure);
    }
    if (rv == APR_SUCCESS && !provider->current) {
        rv = kc_fail(&failure, KC_FAULT_AWAY, "KC0248",
                     "the provider's metadata and keys were fetched, and lost again in shared "
                     "memory");
    }
    if (rv == APR_SUCCESS) {
        lend(view, provider->current, pool);
    } else if (err) {
        *err = failure;
    }
    apr_thread_mutex_unlock(provider->lock);
    return rv;
}

static int is_newest(const kc_provider *provider, const kc_provider_view *view)
{
    return !provider->current || provider->current->view.keys == view->keys;
}

apr_status_t kc_provider_newer_keys(kc_provider *provider, kc_provider_view *view,
                                    apr_time_t deadline, apr_pool_t *pool, kc_error *err)
{
    apr_status_t rv = APR_SUCCESS;
    kc_error failure = {0};

    apr_thread_mutex_lock(provider->lock);
    adopt(provider);
    if (is_newest(provider, view)) {
        rv = await(provider, deadline, &failure);
    }
    if (rv == APR_SUCCESS && is_newest(provider, view) && provider->current) {
        rv = fetch_now(provider, provider->current, deadline, pool, &failure);
    }
    if (!is_newest(provider, view)) {
        lend(view, provider->current, pool);
    }
    apr_thread_mutex_unlock(provider->lock);
    if (rv == APR_SUCCESS) {
        failure.fault = KC_FAULT_NONE;
    }
    if (err) {
        *err = failure;
    }
    return APR_SUCCESS;
}

static int is_old(const kc_provider *provider, apr_interval_time_t max_age)
{
    apr_interval_time_t age;

    if (!provider->current) {
        return 1;
    }
    age = apr_time_now() - provider->current->documents.fetched;
    return age < 0 || age > max_age;
}

apr_status_t kc_provider_refresh(kc_provider *provider, apr_interval_time_t max_age,
                                 apr_time_t deadline, apr_pool_t *pool, kc_error *err)
{
    apr_status_t rv = APR_SUCCESS;
    kc_error failure = {0};

    apr_thread_mutex_lock(provider->lock);
    adopt(provider);
    if (is_old(provider, max_age)) {
        rv = await(provider, deadline, &failure);
    }
    if (rv == APR_SUCCESS && is_old(provider, max_age)) {
        rv = fetch_both(provider, deadline, pool, &failure);
    }
    apr_thread_mutex_unlock(provider->lock);
    if (rv != APR_SUCCESS && err) {
        *err = failure;
    }
    return rv;
}
