/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What runs in the background: one child at a time keeps metadata and keys fresh for all. */

#include <stdatomic.h>

#include <apr_optional.h>
#include <mod_watchdog.h>

#include <openssl/crypto.h>

#include "httpd/site.h"

static server_rec *main_server;
static void (*work)(server_rec *s, apr_pool_t *pool);
static void (*hurry_up)(void);

/*
 * mod_watchdog's thread outlives what a child works with: the child must wait for a tick to end,
 * and have no other one, before its pool goes.
 */
static atomic_int at_work, stopping;

static apr_status_t tick(int state, void *data, apr_pool_t *pool)
{
    (void)data;
    atomic_store(&at_work, 1);
    if (state == AP_WATCHDOG_STATE_RUNNING && !atomic_load(&stopping)) {
        work(main_server, pool);
        OPENSSL_thread_stop();
    }
    atomic_store(&at_work, 0);
    return APR_SUCCESS;
}

static apr_status_t stop(void *unused)
{
    (void)unused;
    atomic_store(&stopping, 1);
    hurry_up();
    while (atomic_load(&at_work)) {
        apr_sleep(apr_time_from_msec(1));
    }
    return APR_SUCCESS;
}

void kc_watchdog_child_init(apr_pool_t *pchild, void (*hurry)(void))
{
    atomic_store(&stopping, 0);
    hurry_up = hurry;
    apr_pool_pre_cleanup_register(pchild, NULL, stop);
}

apr_status_t kc_watchdog_register(apr_pool_t *pconf, server_rec *s,
                                  void (*each_second)(server_rec *s, apr_pool_t *pool))
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get_instance =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *register_callback =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;
    apr_status_t rv;

    if (!get_instance || !register_callback) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "KC0153: mod_watchdog is not loaded; the first login of a child will wait "
                     "for Keycloak's metadata");
        return APR_SUCCESS;
    }
    main_server = s;
    work = each_second;
    /* A singleton: whatever the number of children, one of them asks. */
    rv = get_instance(&watchdog, "_kcauth_", 0, 1, pconf);
    if (rv == APR_SUCCESS) {
        rv = register_callback(watchdog, apr_time_from_sec(1), NULL, tick);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, rv, s,
                     "KC0154: mod_watchdog takes no callback");
    }
    return rv;
}
