/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Revocations, here and between servers. Servers that share a store keep one entry in it: what any
 * of them revoked in the last minutes, as "HASH-TIME" words. Each takes over what it finds there
 * once a second, and adds of its own what is missing (also what a server that wrote at the same
 * moment overwrote). Words leave by age alone, so all servers end up with the same.
 */

#include <stdlib.h>

#include <apr_strings.h>

#include "httpd/module.h"

#define ENTRY "revocations"

enum {
    TOLD_FOR = 300,
    TOLD_MAX = 2000,
    WORD = 34
}; /* seconds; words; characters of one, and a blank */

static const char *word_of(apr_pool_t *pool, const kc_revocation *revocation)
{
    return apr_psprintf(pool, "%016" APR_UINT64_T_HEX_FMT "-%016" APR_UINT64_T_HEX_FMT,
                        revocation->hash, (apr_uint64_t)revocation->time);
}

/* --- what is found ---------------------------------------------------------------------------- */

static int read_word(const char *word, kc_revocation *revocation)
{
    char *end;

    revocation->hash = strtoull(word, &end, 16);
    if (end != word + 16 || *end != '-') {
        return 0;
    }
    revocation->time = (apr_time_t)strtoull(word + 17, &end, 16);
    return end == word + 33 && (*end == ' ' || !*end);
}

static void take_over(kc_revocations *table, const char *text, apr_time_t since)
{
    apr_size_t left = strlen(text);
    kc_revocation revocation;

    for (; left >= WORD - 1 && read_word(text, &revocation); text += WORD, left -= WORD) {
        if (revocation.time >= since) {
            kc_revoke(table, &revocation);
        }
        if (left < WORD) {
            break;
        }
    }
}

/* --- what is told ----------------------------------------------------------------------------- */

typedef struct telling {
    apr_pool_t *pool;
    const char *found; /* what the entry says */
    apr_array_header_t *words;
    int missing; /* words of ours that are not in it */
} telling;

static void tell(void *baton, const kc_revocation *revocation)
{
    telling *news = baton;
    const char *word = word_of(news->pool, revocation);

    if (news->words->nelts < TOLD_MAX) {
        APR_ARRAY_PUSH(news->words, const char *) = word;
        news->missing += !strstr(news->found, word);
    }
}

void kc_revocations_exchange(server_rec *s, kc_revocations *table, apr_pool_t *pool)
{
    apr_time_t since = apr_time_now() - apr_time_from_sec(TOLD_FOR);
    telling news = {pool, "", apr_array_make(pool, 16, sizeof(const char *)), 0};
    char *found = NULL;
    apr_status_t rv;

    if (!kc_store_is_shared()) {
        return;
    }
    rv = kc_store_get(s, ENTRY, &found, pool);
    if (rv == APR_SUCCESS) {
        news.found = found;
        take_over(table, found, since);
    } else if (!APR_STATUS_IS_NOTFOUND(rv)) {
        return;
    }
    kc_revocations_each(table, since, tell, &news); /* by now that is theirs and ours */
    if (news.missing &&
        kc_store_put(s, ENTRY, apr_array_pstrcat(pool, news.words, ' '),
                     apr_time_now() + apr_time_from_sec(2 * TOLD_FOR), pool) != APR_SUCCESS) {
        return; /* said in the log by the store; the next second tries again */
    }
}

void kc_site_revoke(server_rec *s, const kc_site *site, kc_revoked_kind kind, const char *name,
                    apr_time_t time, apr_pool_t *pool)
{
    kc_revocation revocation = kc_revocation_make(&site->realm_key, kind, name, time);

    kc_revoke(site->revocations, &revocation);
    kc_revocations_exchange(s, site->revocations, pool);
}
