/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * One at a time: each name has one place in a table, and who changes it by an atomic exchange has
 * the flight. Only one place: with a choice of two, two callers could each take one. When another
 * name is there, the newcomer is told that the flight is under way, and tries again later.
 *
 * Results lie in a ring apart, the oldest is overwritten. Each is sealed by a hash over the name
 * and itself. So a result that is half-written, or half-overwritten while it is being read, or
 * another's, is none: no writer need be waited for, not even one that was killed in the middle.
 */
#include <stdatomic.h>
#include <string.h>

#include <apr_siphash.h>
#include <openssl/sha.h>

#include "session/session.h"

enum {
    PLACES = 65536,
    RESULTS = 128,
    TAG_BITS = 11,
    WORD = sizeof(apr_uint64_t),
    TRIES = 16 /* more than the callers of one name can need */
};

#define LONGEST apr_time_from_sec(600) /* of a timeout, and of what is kept */

/** What is known of the name at a place. All zero: nothing, and its time is over. */
typedef struct status {
    apr_uint64_t until : 42;     /* milliseconds since 1970; then it is forgotten */
    apr_uint64_t state : 3;      /* kc_flight_state */
    apr_uint64_t result : 8;     /* 1 + its place in the ring; 0: none */
    apr_uint64_t tag : TAG_BITS; /* of the name */
} status;

typedef _Atomic(status) place;
typedef _Atomic(apr_uint64_t) word;

_Static_assert(sizeof(status) == WORD && sizeof(place) == WORD && sizeof(word) == WORD &&
                   ATOMIC_LLONG_LOCK_FREE == 2,
               "processes share the table, so its atomics must need no lock");

/** Words, since two threads may be at them at once. */
typedef struct slot {
    word seal[SHA256_DIGEST_LENGTH / WORD];
    word len;
    word text[KC_FLIGHT_RESULT_MAX / WORD];
} slot;

typedef struct table {
    place places[PLACES];
    word landed; /* how many results were written: the ring's hand */
    slot results[RESULTS];
} table;

struct kc_flights {
    table *shared;
};

apr_size_t kc_flights_size(void)
{
    return sizeof(table);
}

kc_flights *kc_flights_attach(void *memory, apr_pool_t *pool)
{
    kc_flights *flights = apr_palloc(pool, sizeof(*flights));

    flights->shared = memory;
    return flights;
}

/* --- results ---------------------------------------------------------------------------------- */

static void write_words(word *to, const void *from, apr_size_t len)
{
    const unsigned char *at = from;

    for (; len > 0; to++) {
        apr_size_t part = len < WORD ? len : WORD;
        apr_uint64_t bytes = 0;

        memcpy(&bytes, at, part);
        atomic_store_explicit(to, bytes, memory_order_relaxed);
        at += part;
        len -= part;
    }
}

static void read_words(void *to, word *from, apr_size_t len)
{
    unsigned char *at = to;

    for (; len > 0; from++) {
        apr_size_t part = len < WORD ? len : WORD;
        apr_uint64_t bytes = atomic_load_explicit(from, memory_order_relaxed);

        memcpy(at, &bytes, part);
        at += part;
        len -= part;
    }
}

/** @return 0 when OpenSSL fails */
static int seal_result(unsigned char seal[SHA256_DIGEST_LENGTH], const char *name, const char *text,
                       apr_size_t len)
{
    unsigned char both[2 * SHA256_DIGEST_LENGTH];

    return SHA256((const unsigned char *)name, strlen(name), both) &&
           SHA256((const unsigned char *)text, len, both + SHA256_DIGEST_LENGTH) &&
           SHA256(both, sizeof(both), seal);
}

/** @return 1 + where it lies; 0 when it is not kept */
static unsigned keep_result(table *shared, const char *name, const char *text)
{
    unsigned char seal[SHA256_DIGEST_LENGTH];
    apr_size_t len = text ? strlen(text) : 0;
    apr_uint64_t number;
    slot *into;

    if (!text || len > KC_FLIGHT_RESULT_MAX || !seal_result(seal, name, text, len)) {
        return 0;
    }
    number = atomic_fetch_add(&shared->landed, 1) % RESULTS;
    into = &shared->results[number];
    write_words(into->seal, seal, sizeof(seal));
    atomic_store_explicit(&into->len, len, memory_order_relaxed);
    write_words(into->text, text, len);
    return 1 + (unsigned)number;
}

/** A copy; NULL when it is gone. */
static const char *find_result(table *shared, unsigned number, const char *name, apr_pool_t *pool)
{
    unsigned char kept[SHA256_DIGEST_LENGTH], seal[SHA256_DIGEST_LENGTH];
    apr_uint64_t len;
    slot *from;
    char *text;

    if (number < 1 || number > RESULTS) {
        return NULL;
    }
    from = &shared->results[number - 1];
    len = atomic_load_explicit(&from->len, memory_order_relaxed);
    if (len > KC_FLIGHT_RESULT_MAX) {
        return NULL;
    }
    text = apr_palloc(pool, len + 1);
    read_words(kept, from->seal, sizeof(kept));
    read_words(text, from->text, len);
    text[len] = '\0';
    if (!seal_result(seal, name, text, len) || memcmp(seal, kept, sizeof(seal)) != 0) {
        return NULL;
    }
    return text;
}

/* --- places ----------------------------------------------------------------------------------- */

static apr_uint64_t hash_name(const char *name)
{
    static const unsigned char no_key[APR_SIPHASH_KSIZE];

    return apr_siphash24(name, strlen(name), no_key);
}

/** The lowest bits of a hash choose the place, the highest are the tag. */
static place *place_of(const kc_flights *flights, apr_uint64_t hash)
{
    return &flights->shared->places[hash % PLACES];
}

static apr_uint64_t tag_of(apr_uint64_t hash)
{
    return hash >> (64 - TAG_BITS);
}

static status make_status(apr_uint64_t hash, kc_flight_state state, apr_time_t now,
                          apr_interval_time_t time)
{
    status made = {0};

    made.until = (apr_uint64_t)apr_time_as_msec(now + (time < LONGEST ? time : LONGEST));
    made.state = state;
    made.tag = tag_of(hash);
    return made;
}

/** What the place says of the name. A time too far ahead is of a clock that was set back since. */
static kc_flight_state judge(status found, apr_uint64_t hash, apr_time_t now)
{
    apr_time_t left = apr_time_from_msec((apr_int64_t)found.until) - now;

    if (left <= 0 || left > 2 * LONGEST) {
        return KC_FLIGHT_NONE;
    }
    return found.tag == tag_of(hash) ? (kc_flight_state)found.state : KC_FLIGHT_UNDER_WAY;
}

kc_flight_state kc_flight_look(kc_flights *flights, const char *name, apr_time_t now,
                               const char **result, apr_pool_t *pool)
{
    apr_uint64_t hash = hash_name(name);
    status found = atomic_load(place_of(flights, hash));
    kc_flight_state state = judge(found, hash, now);

    if (result) {
        *result = state == KC_FLIGHT_LANDED ? find_result(flights->shared, found.result, name, pool)
                                            : NULL;
    }
    return state;
}

kc_flight_state kc_flight_begin(kc_flights *flights, const char *name, apr_time_t now,
                                apr_interval_time_t timeout)
{
    apr_uint64_t hash = hash_name(name);
    place *at = place_of(flights, hash);
    status mine = make_status(hash, KC_FLIGHT_UNDER_WAY, now, timeout);
    status found = atomic_load(at);
    int i;

    for (i = 0; i < TRIES; i++) {
        kc_flight_state state = judge(found, hash, now);

        if (state != KC_FLIGHT_NONE) {
            return state;
        }
        if (atomic_compare_exchange_strong(at, &found, mine)) {
            return KC_FLIGHT_MINE;
        }
    }
    return KC_FLIGHT_UNDER_WAY;
}

/**
 * Who was late finds that another has begun since: the first result is as good as theirs, but the
 * first failure says nothing against a result. A place that went to another name stays with it.
 */
static void end(kc_flights *flights, apr_uint64_t hash, apr_time_t now, status done)
{
    place *at = place_of(flights, hash);
    status found = atomic_load(at);
    int i;

    for (i = 0; i < TRIES; i++) {
        kc_flight_state state = judge(found, hash, now);

        if (state != KC_FLIGHT_NONE && found.tag != done.tag) {
            return;
        }
        if (state == KC_FLIGHT_LANDED && done.state == KC_FLIGHT_ABANDONED) {
            return;
        }
        if (atomic_compare_exchange_strong(at, &found, done)) {
            return;
        }
    }
}

void kc_flight_land(kc_flights *flights, const char *name, apr_time_t now, apr_interval_time_t keep,
                    const char *result)
{
    apr_uint64_t hash = hash_name(name);
    status done = make_status(hash, KC_FLIGHT_LANDED, now, keep);

    done.result = keep_result(flights->shared, name, result);
    end(flights, hash, now, done);
}

void kc_flight_abandon(kc_flights *flights, const char *name, apr_time_t now,
                       apr_interval_time_t keep)
{
    apr_uint64_t hash = hash_name(name);

    end(flights, hash, now, make_status(hash, KC_FLIGHT_ABANDONED, now, keep));
}
