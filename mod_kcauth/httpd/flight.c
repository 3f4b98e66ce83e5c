/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * One renewal at a time, over all servers that share a store. Within a server kc_flights sees to
 * it; between servers an entry of the store says who is at it, or what came of it. A store cannot
 * compare and set, so who wrote the entry waits a little, and goes on only if it was the last to
 * write. What is found in the store is entered in the server's own table, and asked for no more.
 */

#include <apr_strings.h>

#include <openssl/sha.h>

#include "httpd/renew.h"
#include "httpd/site.h"
#include "httpd/store.h"

enum {
    RESULT_KEPT = 60, /* seconds for which latecomers find what was renewed */
    ELSEWHERE = 1     /* seconds between two looks at what another server is at */
};

/* Longer than another server needs between its look at the entry and its own writing. */
#define CONTEST apr_time_from_msec(30)

/* An entry is one of these, and what follows it. */
enum { BEGUN = 'b', LANDED = 'l', ABANDONED = 'a' };

static const char *entry_of(request_rec *r, const char *name)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    const char *text = apr_pstrcat(r->pool, "renewal ", name, NULL);

    SHA256((const unsigned char *)text, strlen(text), digest);
    return kc_base64url_string(r->pool, digest, sizeof(digest));
}

static void tell(request_rec *r, const char *name, char what, const char *text, int seconds)
{
    const char *entry = apr_psprintf(r->pool, "%c%s", what, text);

    if (kc_store_is_shared() &&
        kc_store_put(r->server, entry_of(r, name), entry,
                     apr_time_now() + apr_time_from_sec(seconds), r->pool) != APR_SUCCESS) {
        return; /* said in the log by the store; the other servers ask for themselves */
    }
}

/* The result is as good as the session's cookies, so the store gets it sealed. */
static const char *unsealed(request_rec *r, const kc_site *site, const char *text)
{
    apr_size_t len = strlen(text), data_len;
    unsigned char *buf = apr_palloc(r->pool, len + 1);
    const unsigned char *data;

    if (kc_unseal(site->renewals, text, len, buf, &data, &data_len, NULL) != APR_SUCCESS) {
        return NULL;
    }
    return apr_pstrmemdup(r->pool, (const char *)data, data_len);
}

/* What another server said; entered here, over a flight of ours if there is one. */
static kc_flight_state hear(request_rec *r, const kc_site *site, const char *name,
                            const char *entry, const char **result)
{
    apr_time_t now = apr_time_now();

    switch (*entry) {
    case LANDED:
        *result = unsealed(r, site, entry + 1);
        kc_flight_land(site->flights, name, now, apr_time_from_sec(RESULT_KEPT), *result);
        return KC_FLIGHT_LANDED;
    case BEGUN:
        kc_flight_abandon(site->flights, name, now, apr_time_from_sec(ELSEWHERE));
        return KC_FLIGHT_UNDER_WAY;
    default:
        kc_flight_abandon(site->flights, name, now, apr_time_from_sec(KC_AWAY_INTERVAL));
        return KC_FLIGHT_ABANDONED;
    }
}

/* The entry, or NULL: none, no shared store, or one that is away. */
static const char *read_entry(request_rec *r, const char *name)
{
    char *entry;

    return kc_store_is_shared() &&
                   kc_store_get(r->server, entry_of(r, name), &entry, r->pool) == APR_SUCCESS
               ? entry
               : NULL;
}

kc_flight_state kc_renewal_look(request_rec *r, const kc_site *site, const char *name,
                                const char **result)
{
    kc_flight_state state = kc_flight_look(site->flights, name, apr_time_now(), result, r->pool);
    const char *entry = state == KC_FLIGHT_NONE ? read_entry(r, name) : NULL;

    return entry ? hear(r, site, name, entry, result) : state;
}

kc_flight_state kc_renewal_begin(request_rec *r, const kc_site *site, const char *name,
                                 const char **result)
{
    int timeout = site->conf->timeout + 5;
    kc_flight_state state =
        kc_flight_begin(site->flights, name, apr_time_now(), apr_time_from_sec(timeout));
    const char *entry, *mine;

    if (state == KC_FLIGHT_LANDED) {
        return kc_flight_look(site->flights, name, apr_time_now(), result, r->pool);
    }
    if (state != KC_FLIGHT_MINE || !kc_store_is_shared()) {
        return state;
    }
    entry = read_entry(r, name);
    if (entry) {
        return hear(r, site, name, entry, result);
    }
    mine = kc_random_string(r->pool, 16);
    tell(r, name, BEGUN, mine ? mine : "", timeout);
    apr_sleep(CONTEST);
    entry = read_entry(r, name);
    return entry && mine && strcmp(entry + 1, mine) ? hear(r, site, name, entry, result)
                                                    : KC_FLIGHT_MINE;
}

void kc_renewal_land(request_rec *r, const kc_site *site, const char *name, const char *result)
{
    const char *text = kc_seal(site->renewals, result, strlen(result), r->pool, NULL);

    kc_flight_land(site->flights, name, apr_time_now(), apr_time_from_sec(RESULT_KEPT), result);
    if (text) {
        tell(r, name, LANDED, text, RESULT_KEPT);
    }
}

void kc_renewal_abandon(request_rec *r, const kc_site *site, const char *name, int seconds)
{
    kc_flight_abandon(site->flights, name, apr_time_now(), apr_time_from_sec(seconds));
    tell(r, name, ABANDONED, "", seconds);
}
