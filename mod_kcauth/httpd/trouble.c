/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The log of what goes wrong again and again: an outage must not bury all else under lines of its
 * own. Each message has one line a minute at its level; those between are counted, and written at
 * info. The counts of a realm lie in memory that all children share. A killed child leaves no
 * lock behind, as there is none.
 */

#include <stdatomic.h>
#include <stdlib.h>

#include <apr_strings.h>

#include "httpd/site.h"
#include "httpd/trouble.h"

enum { IDS = 1000, MORE_MAX = 64 };

#define QUIET apr_time_from_sec(60)

/* One message; its place in the table is the number in its id. */
struct kc_trouble {
    _Atomic(apr_time_t) said;
    _Atomic(apr_uint64_t) held;
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && sizeof(apr_time_t) == sizeof(long long),
               "processes share the counts, so their atomics must need no lock");

/* Of servers without a realm; of this child alone. */
static kc_trouble own[IDS];

apr_size_t kc_trouble_size(int realms)
{
    return (apr_size_t)realms * IDS * sizeof(kc_trouble);
}

kc_trouble *kc_trouble_attach(void *shared, int realm)
{
    return (kc_trouble *)shared + (apr_size_t)realm * IDS;
}

/* Whether it is this line that is written at its level; then `more` says what was held back. */
static int is_due(kc_trouble *one, char more[MORE_MAX])
{
    apr_time_t now = apr_time_now(), said = atomic_load(&one->said);
    apr_uint64_t held;

    /* What was said in the future was said before the clock was set back. */
    if ((now >= said && now - said < QUIET) ||
        !atomic_compare_exchange_strong(&one->said, &said, now)) {
        atomic_fetch_add(&one->held, 1);
        return 0;
    }
    held = atomic_exchange(&one->held, 0);
    if (held) {
        apr_snprintf(more, MORE_MAX,
                     "; and %" APR_UINT64_T_FMT " more of these in the last %" APR_INT64_T_FMT
                     " seconds",
                     held, now > said ? apr_time_sec(now - said) : 0);
    }
    return 1;
}

/* The level to write at. */
static int level_of(kc_trouble *table, int level, const char *id, char more[MORE_MAX])
{
    *more = '\0';
    return is_due(&table[strtoul(id + 2, NULL, 10) % IDS], more) ? level : APLOG_INFO;
}

static kc_trouble *table_of(const server_rec *s)
{
    const kc_site *site = kc_site_of(s);

    return site ? site->trouble : own;
}

void kc_trouble_log(request_rec *r, int level, const char *id, const char *format, ...)
{
    char more[MORE_MAX];
    va_list args;

    level = level_of(table_of(r->server), level, id, more);
    if (APLOG_R_IS_LEVEL(r, level)) {
        va_start(args, format);
        ap_log_rerror(APLOG_MARK, level, 0, r, "%s: %s%s", id, apr_pvsprintf(r->pool, format, args),
                      more);
        va_end(args);
    }
}

void kc_trouble_log_error(request_rec *r, int level, const kc_error *err, const char *more)
{
    if (err->fault == KC_FAULT_AWAY || err->fault == KC_FAULT_CONFIG) {
        kc_trouble_log(r, level, err->id, "%s%s", err->text, more);
    } else { /* of this one request, as its line in the access log is */
        ap_log_rerror(APLOG_MARK, level, 0, r, "%s: %s%s", err->id, err->text, more);
    }
}

void kc_trouble_log_server(server_rec *s, kc_trouble *table, int level, apr_status_t rv,
                           const char *id, const char *text)
{
    char more[MORE_MAX];

    level = level_of(table ? table : table_of(s), level, id, more);
    ap_log_error(APLOG_MARK, level, rv, s, "%s: %s%s", id, text, more);
}
