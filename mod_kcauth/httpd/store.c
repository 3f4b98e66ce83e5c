/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The store: any of httpd's small object caches (mod_socache_*), for sessions of kind `server` and
 * for what servers tell each other. It outlives a restart of httpd: the instance is kept with the
 * process, only the provider's code is looked up anew.
 */

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include <ap_provider.h>
#include <ap_socache.h>
#include <util_mutex.h>

#include "httpd/errand.h"
#include "httpd/store.h"
#include "httpd/trouble.h"

#define MUTEX_TYPE "kcauth-store"
#define KEPT       "kcauth-store-instance"
#define NAMESPACE  "kcauth"

enum {
    ENTRY_MAX = 256 * 1024,
    DEFAULT_SIZE = 32 * 1024 * 1024,
    SENTINEL_SECONDS = 60,
    LIFE_MIN = 5,
    LIFE_MAX = 30 * 86400
};

/* What is kept over restarts. */
typedef struct kept {
    const char *spec; /* provider:arguments */
    ap_socache_instance_t *instance;
    apr_global_mutex_t *mutex; /* NULL where the provider needs none */
} kept;

static const char *configured; /* KCAuthSessionStore, NULL without */
static const ap_socache_provider_t *provider;
static kept *store;

/* --- configuration ---------------------------------------------------------------------------- */

void kc_store_pre_config(apr_pool_t *pconf)
{
    configured = NULL;
    provider = NULL;
    store = NULL;
    ap_mutex_register(pconf, MUTEX_TYPE, NULL, APR_LOCK_DEFAULT, 0);
}

static const ap_socache_provider_t *look_up(apr_pool_t *pool, const char *spec)
{
    const char *name = apr_pstrmemdup(pool, spec, strcspn(spec, ":"));

    return ap_lookup_provider(AP_SOCACHE_PROVIDER_GROUP, name, AP_SOCACHE_PROVIDER_VERSION);
}

static const char *arguments(const char *spec)
{
    const char *colon = strchr(spec, ':');

    return colon ? colon + 1 : NULL;
}

const char *kc_store_configure(cmd_parms *cmd, const char *arg)
{
    const ap_socache_provider_t *found = look_up(cmd->temp_pool, arg);
    ap_socache_instance_t *trial;
    const char *what;

    if (!found) {
        return apr_psprintf(
            cmd->pool,
            "no store of this kind is loaded; load mod_socache_%.*s, or write one of "
            "shmcb, redis, memcache, dbm",
            (int)strcspn(arg, ":"), arg);
    }
    what = found->create(&trial, arguments(arg), cmd->temp_pool, cmd->temp_pool);
    if (what) {
        return what;
    }
    configured = arg;
    return NULL;
}

int kc_store_is_loaded(apr_pool_t *pool)
{
    return configured || look_up(pool, "shmcb");
}

/* --- start ------------------------------------------------------------------------------------ */

static const char *default_spec(apr_pool_t *pool)
{
    return apr_psprintf(pool, "shmcb:%s(%d)", ap_runtime_dir_relative(pool, "kcauth-sessions"),
                        DEFAULT_SIZE);
}

/*
 * A pool that is never destroyed: providers leave clean-ups in it, whose code is gone by the time
 * that the process ends. Memory, also shared one, ends with the process. Threads make connections
 * in it, so its allocator has a lock.
 */
static apr_status_t lasting_pool(apr_pool_t **pool)
{
    apr_allocator_t *allocator;
    apr_thread_mutex_t *mutex;
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv == APR_SUCCESS) {
        rv = apr_pool_create_unmanaged_ex(pool, NULL, allocator);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, *pool);
    }
    if (rv == APR_SUCCESS) {
        apr_allocator_mutex_set(allocator, mutex);
    }
    return rv;
}

static apr_status_t create(kept *made, const char *spec, server_rec *s, apr_pool_t *ptemp)
{
    struct ap_socache_hints hints = {43, 700, apr_time_from_sec(60)};
    apr_pool_t *pool;
    const char *what;
    apr_status_t rv = lasting_pool(&pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    made->spec = apr_pstrdup(pool, spec);
    what = provider->create(&made->instance, arguments(made->spec), ptemp, pool);
    if (what) {
        ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, 0, s,
                     "KC0170: KCAuthSessionStore: %s", what);
        return APR_EGENERAL;
    }
    rv = provider->init(made->instance, NAMESPACE, &hints, s, pool);
    if (rv == APR_SUCCESS && provider->flags & AP_SOCACHE_FLAG_NOTMPSAFE) {
        rv = ap_global_mutex_create(&made->mutex, NULL, MUTEX_TYPE, NULL, s, s->process->pool, 0);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, rv, s,
                     "KC0171: the session store %s cannot be opened", spec);
    }
    return rv;
}

apr_status_t kc_store_open(int needed, server_rec *s, apr_pool_t *pconf, apr_pool_t *ptemp)
{
    const char *spec = configured ? configured : default_spec(pconf);
    kept *before = ap_retained_data_get(KEPT);
    apr_status_t rv;

    if (!configured && !needed) {
        return APR_SUCCESS;
    }
    provider = look_up(ptemp, spec);
    if (!provider) {
        return APR_ENOTIMPL; /* kc_check_config() has seen to it */
    }
    if (!before) {
        before = ap_retained_data_create(KEPT, sizeof(*before));
    }
    if (!before->spec || strcmp(before->spec, spec)) {
        memset(before, 0, sizeof(*before));
        rv = create(before, spec, s, ptemp);
        if (rv != APR_SUCCESS) {
            before->spec = NULL;
            return rv;
        }
    }
    store = before;
    return APR_SUCCESS;
}

/* What needs no lock of ours is a server of its own. */
static int is_far(void)
{
    return !store->mutex;
}

void kc_store_child_init(server_rec *s, apr_pool_t *pchild)
{
    if (store && store->mutex) {
        const char *file = apr_global_mutex_lockfile(store->mutex);
        apr_status_t rv = apr_global_mutex_child_init(&store->mutex, file, pchild);

        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, "KC0173: the store's lock is out of reach");
            store = NULL; /* who is logged in there is told to come back later */
        }
    }
    if (store && is_far()) {
        apr_status_t rv = kc_errand_child_init();

        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, "KC0174: no threads to call the store by");
        }
    }
}

int kc_store_is_shared(void)
{
    return store && configured && is_far();
}

/* --- entries ---------------------------------------------------------------------------------- */

static apr_status_t away(server_rec *s, apr_status_t rv)
{
    kc_trouble_log_server(s, NULL, APLOG_ERR, rv, "KC0720", "the session store does not answer");
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_EGENERAL : rv;
}

/* One call of the store. */
typedef struct call {
    server_rec *s;
    const char *name;
    const char *text; /* what is put, or was got */
    unsigned len;
    apr_time_t expires;
} call;

static apr_status_t read_entry(call *c, apr_pool_t *pool)
{
    unsigned char *buf = apr_palloc(pool, ENTRY_MAX);

    c->text = (const char *)buf;
    c->len = ENTRY_MAX;
    return provider->retrieve(store->instance, c->s, (const unsigned char *)c->name,
                              (unsigned)strlen(c->name), buf, &c->len, pool);
}

static apr_status_t put_entry(void *baton, apr_pool_t *pool)
{
    call *c = baton;

    return provider->store(store->instance, c->s, (const unsigned char *)c->name,
                           (unsigned)strlen(c->name), c->expires,
                           (unsigned char *)apr_pstrmemdup(pool, c->text, c->len), c->len, pool);
}

static apr_status_t remove_entry(void *baton, apr_pool_t *pool)
{
    call *c = baton;

    return provider->remove(store->instance, c->s, (const unsigned char *)c->name,
                            (unsigned)strlen(c->name), pool);
}

/*
 * Clients of remote stores say "not found" of a server that they gave up for a while. An entry that
 * must be there tells one from the other: it is looked for when another one is missing, and written
 * when it is missing itself.
 */
static int is_there(server_rec *s, apr_pool_t *pool)
{
    call sentinel = {s, "sentinel", NULL, 0, 0};

    if (read_entry(&sentinel, pool) == APR_SUCCESS) {
        return 1;
    }
    sentinel.text = "here";
    sentinel.len = 4;
    sentinel.expires = apr_time_now() + apr_time_from_sec(SENTINEL_SECONDS);
    return put_entry(&sentinel, pool) == APR_SUCCESS;
}

static apr_status_t get_entry(void *baton, apr_pool_t *pool)
{
    call *c = baton;
    apr_status_t rv = read_entry(c, pool);

    if (APR_STATUS_IS_NOTFOUND(rv) && is_far() && !is_there(c->s, pool)) {
        return APR_EGENERAL;
    }
    return rv;
}

/* A store behind a network may never answer: it is called with a deadline, and from memory of its
 * own, which outlives who waits. */
static apr_status_t call_far(kc_errand_fn *fn, call *c, apr_pool_t *pool)
{
    apr_pool_t *own;
    kc_errand *errand = kc_errand_prepare(&own);
    apr_status_t rv;
    call *sent;

    if (!errand) {
        return APR_ENOMEM;
    }
    sent = apr_pmemdup(own, c, sizeof(*c));
    sent->name = apr_pstrdup(own, c->name);
    sent->text = apr_pstrmemdup(own, c->text ? c->text : "", c->len);
    rv = kc_errand_run(errand, fn, sent);
    if (rv == APR_SUCCESS && fn == get_entry) { /* the other calls bring nothing back */
        c->text = apr_pstrmemdup(pool, sent->text, sent->len);
        c->len = sent->len;
    }
    kc_errand_end(errand);
    return rv;
}

static apr_status_t call_store(kc_errand_fn *fn, call *c, apr_pool_t *pool)
{
    apr_status_t rv;

    if (!store) {
        return APR_ENOTIMPL;
    }
    if (is_far()) {
        return call_far(fn, c, pool);
    }
    rv = apr_global_mutex_lock(store->mutex);
    if (rv == APR_SUCCESS) {
        rv = fn(c, pool);
        apr_global_mutex_unlock(store->mutex);
    }
    return rv;
}

apr_status_t kc_store_get(server_rec *s, const char *name, char **text, apr_pool_t *pool)
{
    call c = {s, name, NULL, 0, 0};
    apr_pool_t *scratch;
    apr_status_t rv;

    apr_pool_create(&scratch, pool);
    rv = call_store(get_entry, &c, scratch);
    if (rv == APR_SUCCESS) {
        *text = apr_pstrmemdup(pool, c.text, c.len);
    } else if (!store || !APR_STATUS_IS_NOTFOUND(rv)) {
        rv = away(s, rv);
    }
    apr_pool_destroy(scratch);
    return rv;
}

/* Stores are told seconds. Of none Redis makes an error and memcached an entry for ever; of more
 * than thirty days memcached makes a date. What an entry says of its own end counts in any case. */
static apr_time_t within_limits(apr_time_t expires)
{
    apr_time_t now = apr_time_now();
    apr_time_t first = now + apr_time_from_sec(LIFE_MIN), last = now + apr_time_from_sec(LIFE_MAX);

    return expires < first ? first : expires > last ? last : expires;
}

apr_status_t kc_store_put(server_rec *s, const char *name, const char *text, apr_time_t expires,
                          apr_pool_t *pool)
{
    call c = {s, name, text, (unsigned)strlen(text), within_limits(expires)};
    apr_status_t rv = call_store(put_entry, &c, pool);

    return rv == APR_SUCCESS ? rv : away(s, rv);
}

void kc_store_remove(server_rec *s, const char *name, apr_pool_t *pool)
{
    call c = {s, name, NULL, 0, 0};

    (void)call_store(remove_entry, &c, pool);
}
