/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Revocations, here and between servers. Servers that share a store keep one entry in it: what any
 * of them revoked in the last minutes, as "HASH-TIME-TOLD" words. Each takes over what it finds
 * there once a second, and adds of its own what is missing, also what a server that wrote at the
 * same moment overwrote. Words leave by the age of their telling alone, so all end up with the
 * same. What nobody has proven takes a share of it at most.
 */

#include <stdatomic.h>
#include <stdlib.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "httpd/revoke.h"
#include "httpd/site.h"
#include "httpd/store.h"
#include "httpd/trouble.h"

#define ENTRY "revocations"
#define HEX16 "%016" APR_UINT64_T_HEX_FMT

enum {
    TOLD_FOR = 300, /* seconds */
    TOLD_MAX = 4000,
    UNPROVEN_MAX = TOLD_MAX / 8, /* of a server, in each span of TOLD_FOR */
    KEY = 33,                    /* characters of HASH-TIME */
    WORD = KEY + 17 + 1          /* of the whole, and a blank */
};

/* What is to stand in the entry. */
typedef struct news {
    apr_pool_t *pool;
    apr_time_t now;
    apr_hash_t *known;         /* by HASH-TIME */
    apr_array_header_t *words; /* of const char * */
    int added;                 /* words that were not in the entry */
} news;

/* --- what is found ---------------------------------------------------------------------------- */

static int read_number(const char *text, char end, apr_uint64_t *number)
{
    char *stop;

    *number = strtoull(text, &stop, 16);
    return stop == text + 16 && *stop == end;
}

static int read_word(const char *word, kc_revocation *revocation, apr_time_t *told)
{
    apr_uint64_t time = 0, when = 0;

    if (!read_number(word, '-', &revocation->hash) || !read_number(word + 17, '-', &time) ||
        (!read_number(word + 34, ' ', &when) && !read_number(word + 34, '\0', &when))) {
        return 0;
    }
    revocation->time = (apr_time_t)time;
    *told = (apr_time_t)when;
    return 1;
}

static void keep(news *all, const char *word)
{
    APR_ARRAY_PUSH(all->words, const char *) = word;
    apr_hash_set(all->known, word, KEY, word);
}

/* Enters what other servers told, and keeps it in the entry while it is young. */
static void take_over(kc_revocations *table, news *all, const char *text)
{
    apr_size_t left = strlen(text);
    kc_revocation revocation;
    apr_time_t told;

    while (left >= WORD - 1 && read_word(text, &revocation, &told)) {
        kc_revoke(table, &revocation);
        if (told > all->now - apr_time_from_sec(TOLD_FOR) && all->words->nelts < TOLD_MAX &&
            !apr_hash_get(all->known, text, KEY)) {
            keep(all, apr_pstrmemdup(all->pool, text, WORD - 1));
        }
        if (left < WORD) {
            return;
        }
        text += WORD;
        left -= WORD;
    }
}

/* --- what is told ----------------------------------------------------------------------------- */

static void tell(void *baton, const kc_revocation *revocation)
{
    news *all = baton;
    const char *word = apr_psprintf(all->pool, HEX16 "-" HEX16 "-" HEX16, revocation->hash,
                                    (apr_uint64_t)revocation->time, (apr_uint64_t)all->now);

    if (!apr_hash_get(all->known, word, KEY)) {
        if (all->words->nelts < TOLD_MAX) {
            keep(all, word);
        }
        all->added++;
    }
}

static void complain_of_many(server_rec *s, const news *all)
{
    if (all->words->nelts < TOLD_MAX) {
        return;
    }
    kc_trouble_log_server(s, NULL, APLOG_WARNING, 0, "KC0968",
                          apr_psprintf(all->pool,
                                       "over %d sessions ended in %d seconds; other servers hear "
                                       "of some of them by KCAuthRevalidate only",
                                       TOLD_MAX, TOLD_FOR));
}

/* `first` (may be NULL) is told whatever its time, as a not-before may lie far back, and before all
 * others, so that there is room for it. */
static void exchange(server_rec *s, kc_revocations *table, const kc_revocation *first,
                     apr_pool_t *pool)
{
    news all = {pool, apr_time_now(), apr_hash_make(pool),
                apr_array_make(pool, 16, sizeof(const char *)), 0};
    char *found = NULL;
    apr_status_t rv = kc_store_get(s, ENTRY, &found, pool);

    if (first) {
        tell(&all, first);
    }
    if (rv == APR_SUCCESS) {
        take_over(table, &all, found);
    } else if (!APR_STATUS_IS_NOTFOUND(rv)) {
        return; /* said in the log by the store; the next second tries again */
    }
    kc_revocations_each(table, all.now - apr_time_from_sec(TOLD_FOR), tell, &all);
    complain_of_many(s, &all);
    if (all.added && kc_store_put(s, ENTRY, apr_array_pstrcat(pool, all.words, ' '),
                                  all.now + apr_time_from_sec(2 * TOLD_FOR), pool) != APR_SUCCESS) {
        return;
    }
}

void kc_revocations_exchange(server_rec *s, kc_revocations *table, apr_pool_t *pool)
{
    if (kc_store_is_shared()) {
        exchange(s, table, NULL, pool);
    }
}

void kc_site_revoke(server_rec *s, const kc_site *site, kc_revoked_kind kind, const char *name,
                    apr_time_t time, apr_pool_t *pool)
{
    kc_revocation revocation = kc_revocation_make(&site->realm_key, kind, name, time);

    kc_revoke(site->revocations, &revocation);
    if (kc_store_is_shared()) {
        exchange(s, site->revocations, &revocation, pool);
    }
}

/* Counts one more of this span of time, unless there were enough: the span's number, then how many.
 * The background tells them, with all that is in the table. */
static int within_share(_Atomic(apr_uint64_t) *counter)
{
    apr_uint64_t span = (apr_uint64_t)(apr_time_sec(apr_time_now()) / TOLD_FOR) << 32;
    apr_uint64_t seen = atomic_load(counter), next;

    do {
        next = (seen >> 32 == span >> 32 ? seen : span) + 1;
        if (next - span > UNPROVEN_MAX) {
            return 0;
        }
    } while (!atomic_compare_exchange_weak(counter, &seen, next));
    return 1;
}

int kc_site_revoke_unproven(const kc_site *site, const char *sid)
{
    kc_revocation revocation =
        kc_revocation_make(&site->realm_key, KC_REVOKED_SID, sid, apr_time_now());

    return (!kc_store_is_shared() || within_share(site->unproven)) &&
           kc_revoke_if_room(site->revocations, &revocation);
}
