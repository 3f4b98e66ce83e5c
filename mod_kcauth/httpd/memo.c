/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * What a connection showed last: its Cookie header, and the session that it led to. A browser sends
 * the same bytes with each request of a connection, and what was verified once need not be verified
 * again, nor read, nor made ready for the application. Times and revocations are looked at each
 * time all the same.
 */

#include <apr_strings.h>

#include "httpd/config.h"
#include "httpd/cookies.h"
#include "httpd/identity.h"
#include "httpd/memo.h"
#include "httpd/request.h"
#include "httpd/site.h"

/* Bytes that are written over again and again. */
typedef struct kept {
    char *bytes;
    apr_size_t len, room;
} kept;

typedef struct memo {
    const kc_site *site; /* the one that opened it; NULL: there is nothing here */
    kept header;
    kept texts; /* the record, and what the application is told */
    kept id;    /* in the store */
    kc_session session;
    kc_told told;
    apr_uint64_t good_at; /* see kc_is_revoked_since() */
    apr_int64_t asked;    /* when the store was; the memo stands for it within the same second */
    unsigned old_key;
} memo;

/* NULL: there is none. */
static memo *memo_of(const conn_rec *c)
{
    return ap_get_module_config(c->conn_config, &kcauth_module);
}

/*
 * NULL where a memo is of no use: streams that share a connection are at work at the same time, and
 * of a connection's first request it is not known whether another one follows.
 */
static memo *memo_for(conn_rec *c)
{
    memo *last = memo_of(c);

    if (!last && !c->master && c->keepalives) {
        last = apr_pcalloc(c->pool, sizeof(*last));
        ap_set_module_config(c->conn_config, &kcauth_module, last);
    }
    return last;
}

/* Room is doubled, so that what is left behind in the pool stays bounded. */
static void make_room(conn_rec *c, kept *to, apr_size_t len)
{
    if (len > to->room) {
        to->room = 2 * len;
        to->bytes = apr_palloc(c->pool, to->room);
    }
    to->len = 0;
}

static char *append(kept *to, const void *bytes, apr_size_t len)
{
    char *at = to->bytes + to->len;

    memcpy(at, bytes, len);
    to->len += len;
    return at;
}

/* --- in --------------------------------------------------------------------------------------- */

/* The texts in one piece, so that one copy is enough later. */
static void keep_texts(conn_rec *c, memo *last, const unsigned char *record, apr_size_t record_len,
                       const kc_told *told)
{
    apr_size_t lens[KC_TOLD], len = record_len;
    int i;

    for (i = 0; i < KC_TOLD; i++) {
        lens[i] = told->texts[i] ? strlen(told->texts[i]) + 1 : 0;
        len += lens[i];
    }
    make_room(c, &last->texts, len);
    kc_session_move(&last->session, record, record_len,
                    (unsigned char *)append(&last->texts, record, record_len));
    for (i = 0; i < KC_TOLD; i++) {
        last->told.texts[i] = lens[i] ? append(&last->texts, told->texts[i], lens[i]) : NULL;
    }
}

void kc_memo_keep(request_rec *r, const kc_site *site, const unsigned char *record, apr_size_t len,
                  const kc_session *session, apr_uint64_t good_at)
{
    const kc_request *request = kc_request_of(r);
    const char *header = kc_cookies_header(r), *id = request->session_id;
    memo *last = memo_for(r->connection);

    if (!last) {
        return;
    }
    last->site = site;
    last->session = *session;
    keep_texts(r->connection, last, record, len, kc_identity_told(r, session));
    make_room(r->connection, &last->header, strlen(header) + 1);
    append(&last->header, header, strlen(header) + 1);
    make_room(r->connection, &last->id, id ? strlen(id) + 1 : 0);
    if (id) {
        append(&last->id, id, strlen(id) + 1);
    }
    last->good_at = good_at;
    last->asked = kc_request_time(r);
    last->old_key = request->old_key;
}

/* --- out -------------------------------------------------------------------------------------- */

/* In the request's memory: what points there must outlive the connection's next request. */
static kc_session *copy_for(request_rec *r, const memo *last)
{
    kc_request *request = kc_request_of(r);
    const char *from = last->texts.bytes;
    char *to = apr_pmemdup(r->pool, from, last->texts.len);
    kc_session *session = apr_pmemdup(r->pool, &last->session, sizeof(*session));
    kc_told *told = apr_palloc(r->pool, sizeof(*told));
    int i;

    kc_session_move(session, (const unsigned char *)from, last->texts.len,
                    (const unsigned char *)to);
    for (i = 0; i < KC_TOLD; i++) {
        const char *text = last->told.texts[i];

        told->texts[i] = text ? to + (text - from) : NULL;
    }
    request->told = told;
    request->old_key = last->old_key;
    if (last->id.len) {
        request->session_id = apr_pmemdup(r->pool, last->id.bytes, last->id.len);
    }
    return session;
}

kc_session *kc_memo_recall(request_rec *r, const kc_site *site, apr_uint64_t **good_at)
{
    memo *last = memo_of(r->connection);
    const char *header = kc_cookies_header(r);

    if (!last || last->site != site || !header || strcmp(header, last->header.bytes) ||
        (site->conf->session == KC_SESSION_SERVER &&
         (kc_request_time(r) != last->asked || kc_request_of(r)->endpoint))) {
        return NULL;
    }
    *good_at = &last->good_at;
    return copy_for(r, last);
}

void kc_memo_forget(request_rec *r)
{
    memo *last = memo_of(r->connection);

    if (last) {
        last->site = NULL;
    }
}
