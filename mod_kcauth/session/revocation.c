/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * What was ended before its time: a table of words, each a time and the tag of a name, in small
 * buckets. All changes are single atomic exchanges, so a child that is killed leaves no lock and no
 * half of an entry behind, and a file that holds the table is good at any moment.
 *
 * Room for some 80,000 entries within the horizon; then the floor begins to rise over the oldest.
 * A tag is short: of a million sessions a few meet the entry of another name. If they are older
 * than that entry, they have to log in once more.
 */
#include <stdatomic.h>
#include <string.h>

#include <apr_siphash.h>

#include "session/session.h"

enum {
    WORDS = 16, /* of 8 bytes: two neighbouring cache lines */
    BUCKETS = 16384,
    TAG_BITS = 23, /* the other 41 bits hold milliseconds: enough until 2089 */
    TRIES = 1000
};

#define MAGIC         APR_UINT64_C(0x4b435265766f6b02) /* "KCRevok", layout 2 */
#define TAG_MASK      ((APR_UINT64_C(1) << TAG_BITS) - 1)
#define LAST_MOMENT   ((APR_INT64_C(1) << (64 - TAG_BITS)) - 1)
#define FIRST_MOMENT  APR_INT64_C(1577836800000) /* 2020-01-01, in milliseconds since 1970 */
#define CLOCKS_DIFFER apr_time_from_sec(3600)    /* how far other clocks may be ahead of ours */

/** A time, in milliseconds since 2020, before a tag; 0: empty. */
typedef _Atomic(apr_uint64_t) word;

_Static_assert(sizeof(word) == sizeof(apr_uint64_t) && ATOMIC_LLONG_LOCK_FREE == 2,
               "processes share the table, so its atomics must need no lock");

typedef struct bucket {
    word words[WORDS];
} bucket;

typedef struct table {
    word magic; /* 0: fresh memory */
    word floor; /* sessions begun up to this time are revoked; 0: none for that reason */
    word epoch; /* counts the changes; nothing but that it differs has a meaning */
    word unused[WORDS - 3];
    bucket buckets[BUCKETS];
} table;

struct kc_revocations {
    table *shared;
    apr_interval_time_t horizon;
};

/**
 * The time as the table counts it. Never 0, and what it cannot count is its first or last moment.
 * It rounds down for sessions and for entries alike, so what began within the millisecond of an
 * entry counts as before it, and what began in the next one as after it.
 */
static apr_uint64_t moment(apr_time_t time)
{
    apr_int64_t ms = apr_time_as_msec(time) - FIRST_MOMENT;

    return (apr_uint64_t)(ms < 1 ? 1 : ms > LAST_MOMENT ? LAST_MOMENT : ms);
}

/** The time in an entry: what moment() made, back again. */
static apr_time_t time_of(apr_uint64_t entry)
{
    return apr_time_from_msec((apr_int64_t)(entry >> TAG_BITS) + FIRST_MOMENT);
}

static apr_uint64_t later(apr_uint64_t a, apr_uint64_t b)
{
    return a > b ? a : b;
}

/* --- attaching -------------------------------------------------------------------------------- */

static int makes_sense(table *shared, apr_time_t now)
{
    apr_uint64_t magic = atomic_load(&shared->magic);
    /* Twice, since others may be entering what is as far ahead as it may be. */
    apr_uint64_t latest = magic == MAGIC ? moment(now + 2 * CLOCKS_DIFFER) : 0;
    apr_uint64_t highest = 0;
    int i;

    for (i = 0; i < BUCKETS * WORDS; i++) {
        highest = later(highest, atomic_load(&shared->buckets[i / WORDS].words[i % WORDS]));
    }
    return (magic == MAGIC || magic == 0) && highest >> TAG_BITS <= latest &&
           atomic_load(&shared->floor) <= latest;
}

/**
 * After a change, which comes before it in every processor's view: who reads the new number (or a
 * later one) and looks then, sees the change. Who looked before has read an older number, and finds
 * it gone. If we are killed in between, nobody was told yet that the change is made.
 */
static void move_epoch(table *shared)
{
    atomic_fetch_add_explicit(&shared->epoch, 1, memory_order_acq_rel);
}

/** In an order that fails closed when we are killed in the middle. */
static void clear(table *shared, apr_time_t now)
{
    int i;

    atomic_store(&shared->floor, moment(now));
    for (i = 0; i < BUCKETS * WORDS; i++) {
        atomic_store(&shared->buckets[i / WORDS].words[i % WORDS], 0);
    }
    move_epoch(shared);
}

apr_size_t kc_revocations_size(void)
{
    return sizeof(table);
}

kc_revocations *kc_revocations_attach(void *memory, apr_time_t now, apr_interval_time_t horizon,
                                      apr_pool_t *pool)
{
    kc_revocations *revocations = apr_palloc(pool, sizeof(*revocations));

    revocations->shared = memory;
    revocations->horizon = horizon;
    if (!makes_sense(revocations->shared, now)) {
        clear(revocations->shared, now);
    }
    atomic_store(&revocations->shared->magic, MAGIC);
    return revocations;
}

/* --- names ------------------------------------------------------------------------------------ */

/** The kind goes into the key, so that the name can be hashed where it lies. */
static apr_uint64_t hash_name(const kc_realm_key *key, kc_revoked_kind kind, const char *name)
{
    kc_realm_key kind_key = *key;

    kind_key.bytes[0] ^= (unsigned char)kind;
    return apr_siphash24(name, strlen(name), kind_key.bytes);
}

kc_realm_key kc_realm_key_make(const char *issuer, const char *client_id)
{
    static const unsigned char no_key[APR_SIPHASH_KSIZE];
    kc_realm_key key;

    _Static_assert(sizeof(key.bytes) == APR_SIPHASH_KSIZE &&
                       sizeof(key.bytes) == 2 * APR_SIPHASH_DSIZE,
                   "two hashes are a key");
    apr_siphash24_auth(key.bytes, issuer, strlen(issuer), no_key);
    apr_siphash24_auth(key.bytes + APR_SIPHASH_DSIZE, client_id, strlen(client_id), no_key);
    key.everybody = hash_name(&key, KC_REVOKED_ALL, "");
    return key;
}

/** The lowest bits of a hash choose the bucket, the highest are the tag. */
static bucket *bucket_of(const kc_revocations *revocations, apr_uint64_t hash)
{
    return &revocations->shared->buckets[hash % BUCKETS];
}

static apr_uint64_t tag_of(apr_uint64_t hash)
{
    return hash >> (64 - TAG_BITS);
}

/** As much of a hash as an entry keeps. */
static apr_uint64_t join(apr_uint64_t bucket_number, apr_uint64_t tag)
{
    return tag << (64 - TAG_BITS) | bucket_number;
}

kc_revocation kc_revocation_make(const kc_realm_key *key, kc_revoked_kind kind, const char *name,
                                 apr_time_t time)
{
    apr_uint64_t hash = hash_name(key, kind, name);
    kc_revocation revocation;

    revocation.hash = join(hash % BUCKETS, tag_of(hash));
    revocation.time = time - time % 1000;
    return revocation;
}

/* --- entering --------------------------------------------------------------------------------- */

static void raise_floor(kc_revocations *revocations, apr_uint64_t time)
{
    word *floor = &revocations->shared->floor;
    apr_uint64_t seen = atomic_load(floor);

    while (seen < time && !atomic_compare_exchange_weak(floor, &seen, time)) {
    }
}

/** The word with the tag, else the empty or oldest one; *seen receives what it holds. */
static word *choose_word(bucket *from, apr_uint64_t tag, apr_uint64_t *seen)
{
    word *chosen = &from->words[0];
    int i;

    *seen = ~APR_UINT64_C(0);
    for (i = 0; i < WORDS; i++) {
        apr_uint64_t found = atomic_load(&from->words[i]);

        if (found != 0 && (found & TAG_MASK) == tag) {
            *seen = found;
            return &from->words[i];
        }
        if (found < *seen) {
            *seen = found;
            chosen = &from->words[i];
        }
    }
    return chosen;
}

/** @return 1 when done; 0 when another writer was quicker: try again */
static int enter(kc_revocations *revocations, bucket *into, apr_uint64_t entry,
                 apr_uint64_t forgotten)
{
    apr_uint64_t seen;
    word *chosen = choose_word(into, entry & TAG_MASK, &seen);

    if ((seen & TAG_MASK) != (entry & TAG_MASK) && seen >> TAG_BITS >= forgotten) {
        /* The older of the two is left out. The floor is up before: see kc_is_revoked(). */
        raise_floor(revocations, (seen < entry ? seen : entry) >> TAG_BITS);
    }
    return seen >= entry || atomic_compare_exchange_strong(chosen, &seen, entry);
}

static void enter_or_rise(kc_revocations *revocations, const kc_revocation *revocation,
                          apr_uint64_t time, apr_uint64_t forgotten)
{
    int i;

    for (i = 0; i < TRIES; i++) {
        if (enter(revocations, bucket_of(revocations, revocation->hash),
                  time << TAG_BITS | tag_of(revocation->hash), forgotten)) {
            return;
        }
    }
    raise_floor(revocations, time);
}

void kc_revoke(kc_revocations *revocations, const kc_revocation *revocation)
{
    apr_time_t now = apr_time_now();
    apr_time_t latest = now + CLOCKS_DIFFER;
    apr_uint64_t time = moment(revocation->time < latest ? revocation->time : latest);
    apr_uint64_t forgotten = moment(now - revocations->horizon);

    if (time >= forgotten) {
        enter_or_rise(revocations, revocation, time, forgotten);
        /* Also when it was there already: who entered it may not have come this far. */
        move_epoch(revocations->shared);
    }
}

int kc_revoke_if_room(kc_revocations *revocations, const kc_revocation *revocation)
{
    const bucket *into = bucket_of(revocations, revocation->hash);
    apr_uint64_t forgotten = moment(apr_time_now() - revocations->horizon);
    int i, taken = 0;

    for (i = 0; i < WORDS; i++) {
        taken += atomic_load(&into->words[i]) >> TAG_BITS >= forgotten;
    }
    if (taken >= WORDS / 2) {
        return 0;
    }
    kc_revoke(revocations, revocation);
    return 1;
}

/* --- asking ----------------------------------------------------------------------------------- */

/** The latest time entered for a hash, 0 for none. Writers that raced may have left two. */
static apr_uint64_t newest(const kc_revocations *revocations, apr_uint64_t hash)
{
    bucket *from = bucket_of(revocations, hash);
    apr_uint64_t tag = tag_of(hash);
    apr_uint64_t found = 0;
    int i;

    for (i = 0; i < WORDS; i++) {
        apr_uint64_t entry = atomic_load_explicit(&from->words[i], memory_order_acquire);

        if ((entry & TAG_MASK) == tag) {
            found = later(found, entry);
        }
    }
    return found >> TAG_BITS;
}

/** The processor fetches the bucket while the next name is being hashed. */
static void fetch_ahead(const bucket *wanted)
{
    __builtin_prefetch(&wanted->words[0]);
    __builtin_prefetch(&wanted->words[WORDS / 2]);
}

int kc_is_revoked(const kc_revocations *revocations, const kc_realm_key *key,
                  const kc_session *session)
{
    const char *names[] = {
        [KC_REVOKED_SID] = session->sid, [KC_REVOKED_SUB] = session->sub, [KC_REVOKED_ALL] = ""};
    apr_uint64_t hashes[KC_REVOKED_ALL + 1];
    apr_uint64_t ended = 0;
    int kind;

    for (kind = KC_REVOKED_SID; kind <= KC_REVOKED_ALL; kind++) {
        hashes[kind] = kind == KC_REVOKED_ALL ? key->everybody
                                              : hash_name(key, (kc_revoked_kind)kind, names[kind]);
        fetch_ahead(bucket_of(revocations, hashes[kind]));
    }
    for (kind = KC_REVOKED_SID; kind <= KC_REVOKED_ALL; kind++) {
        if (*names[kind] || kind == KC_REVOKED_ALL) {
            ended = later(ended, newest(revocations, hashes[kind]));
        }
    }
    /* The floor comes last: for an entry that was gone above, it had been raised before. */
    ended = later(ended, atomic_load_explicit(&revocations->shared->floor, memory_order_acquire));
    return moment(session->created) <= ended;
}

int kc_is_revoked_since(const kc_revocations *revocations, const kc_realm_key *key,
                        const kc_session *session, apr_uint64_t *good_at)
{
    /* Before the look, and never 0: see move_epoch(). */
    apr_uint64_t now = 1 + atomic_load_explicit(&revocations->shared->epoch, memory_order_acquire);

    if (now == *good_at) {
        return 0;
    }
    if (kc_is_revoked(revocations, key, session)) {
        return 1;
    }
    *good_at = now;
    return 0;
}

/* --- telling ---------------------------------------------------------------------------------- */

void kc_revocations_each(const kc_revocations *revocations, apr_time_t since,
                         void (*tell)(void *baton, const kc_revocation *revocation), void *baton)
{
    apr_uint64_t first = moment(since);
    int i;

    for (i = 0; i < BUCKETS * WORDS; i++) {
        apr_uint64_t entry = atomic_load(&revocations->shared->buckets[i / WORDS].words[i % WORDS]);
        kc_revocation revocation;

        if (entry != 0 && entry >> TAG_BITS >= first) {
            revocation.hash = join((apr_uint64_t)i / WORDS, entry & TAG_MASK);
            revocation.time = time_of(entry);
            tell(baton, &revocation);
        }
    }
}
