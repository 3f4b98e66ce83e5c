/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/session.h"
#include "unit.h"

enum { NAME_BYTES = 32 };

#define SECOND  apr_time_from_sec(1)
#define HOUR    apr_time_from_sec(3600)
#define HORIZON (10 * HOUR)

static kc_realm_key our_key(void)
{
    return kc_realm_key_make("https://sso.example.org/realms/r", "app");
}

static void *map_memory(apr_size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

static apr_status_t unmap(void *memory)
{
    return munmap(memory, kc_revocations_size()) == 0 ? APR_SUCCESS : APR_EGENERAL;
}

/** Zeroed memory for a table, until the pool ends. */
static void *new_memory(apr_pool_t *pool)
{
    void *memory = map_memory(kc_revocations_size());

    apr_pool_cleanup_register(pool, memory, unmap, apr_pool_cleanup_null);
    return memory;
}

static kc_revocations *new_table(apr_pool_t *pool)
{
    return kc_revocations_attach(new_memory(pool), apr_time_now(), HORIZON, pool);
}

static void revoke_name(kc_revocations *table, kc_revoked_kind kind, const char *name,
                        apr_time_t time)
{
    kc_realm_key key = our_key();
    kc_revocation revocation = kc_revocation_make(&key, kind, name, time);

    kc_revoke(table, &revocation);
}

static int revoked(const kc_revocations *table, const char *sid, const char *sub,
                   apr_time_t created)
{
    kc_realm_key key = our_key();
    kc_session session = {0};

    session.sid = sid;
    session.sub = sub;
    session.created = created;
    return kc_is_revoked(table, &key, &session);
}

static const char *name_of(char name[NAME_BYTES], int number)
{
    snprintf(name, NAME_BYTES, "session-%d", number);
    return name;
}

/* --- who is revoked --------------------------------------------------------------------------- */

static void fresh_memory_is_empty(void **state)
{
    kc_revocations *table = new_table(*state);

    assert_false(revoked(table, "sid", "sub", apr_time_now()));
    assert_false(revoked(table, "sid", "sub", apr_time_now() - HORIZON));
    assert_false(revoked(table, "", "", 0));
}

static void a_name_revokes_its_own(void **state)
{
    apr_time_t now = apr_time_now();
    kc_revocations *table = new_table(*state);

    revoke_name(table, KC_REVOKED_SID, "s1", now);
    assert_true(revoked(table, "s1", "alice", now - SECOND));
    assert_false(revoked(table, "s2", "alice", now - SECOND));
    assert_false(revoked(table, "s2", "s1", now - SECOND));

    revoke_name(table, KC_REVOKED_SUB, "bob", now);
    assert_true(revoked(table, "s2", "bob", now - SECOND));
    assert_true(revoked(table, "", "bob", now - SECOND));
    assert_false(revoked(table, "bob", "alice", now - SECOND));
    assert_false(revoked(table, "s2", "bob", now + SECOND));
}

static void everybody_is_of_one_realm_key(void **state)
{
    apr_time_t now = apr_time_now();
    kc_revocations *table = new_table(*state);
    kc_realm_key other_client = kc_realm_key_make("https://sso.example.org/realms/r", "app2");
    kc_realm_key other_realm = kc_realm_key_make("https://sso.example.org/realms/r2", "app");
    kc_session session = {0};

    session.sid = "s1";
    session.sub = "alice";
    session.created = now - SECOND;
    revoke_name(table, KC_REVOKED_ALL, "", now);
    assert_true(revoked(table, "s1", "alice", now - SECOND));
    assert_true(revoked(table, "", "carol", now - HOUR));
    assert_false(revoked(table, "s1", "alice", now + SECOND));
    assert_false(kc_is_revoked(table, &other_client, &session));
    assert_false(kc_is_revoked(table, &other_realm, &session));
}

static void an_empty_name_is_nobodys(void **state)
{
    apr_time_t now = apr_time_now();
    kc_revocations *table = new_table(*state);

    revoke_name(table, KC_REVOKED_SID, "", now);
    revoke_name(table, KC_REVOKED_SUB, "", now);
    assert_false(revoked(table, "", "alice", now - SECOND));
    assert_false(revoked(table, "s1", "", now - SECOND));
}

/** Revoked at any point of a millisecond: what began in it or before is dead, later is alive. */
static void a_millisecond_decides(void **state)
{
    static const int points[] = {0, 1, 500, 999};
    apr_time_t ms = apr_time_from_msec(apr_time_as_msec(apr_time_now()));
    char name[NAME_BYTES];
    unsigned i;

    for (i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        kc_revocations *table = new_table(*state);

        revoke_name(table, KC_REVOKED_SID, name_of(name, 1), ms + points[i]);
        assert_true(revoked(table, name, "alice", ms - 1));
        assert_true(revoked(table, name, "alice", ms));
        assert_true(revoked(table, name, "alice", ms + 999));
        assert_false(revoked(table, name, "alice", ms + 1000));
        assert_false(revoked(table, name, "alice", ms + 1999));
    }
}

static void the_latest_time_stays(void **state)
{
    apr_time_t now = apr_time_now();
    kc_revocations *table = new_table(*state);

    revoke_name(table, KC_REVOKED_SID, "s1", now - 10 * SECOND);
    assert_false(revoked(table, "s1", "alice", now - 5 * SECOND));
    revoke_name(table, KC_REVOKED_SID, "s1", now);
    assert_true(revoked(table, "s1", "alice", now - 5 * SECOND));
    revoke_name(table, KC_REVOKED_SID, "s1", now - 20 * SECOND);
    assert_true(revoked(table, "s1", "alice", now - 5 * SECOND));
}

static void clocks_that_are_wrong(void **state)
{
    apr_time_t now = apr_time_now();
    void *memory = new_memory(*state);
    kc_revocations *table = kc_revocations_attach(memory, now, HORIZON, *state);

    revoke_name(table, KC_REVOKED_SID, "future", now + 20 * 365 * 24 * HOUR);
    assert_true(revoked(table, "future", "alice", now + SECOND));
    assert_false(revoked(table, "future", "alice", now + 2 * HOUR));
    table = kc_revocations_attach(memory, now, HORIZON, *state);
    assert_true(revoked(table, "future", "alice", now + SECOND));
    assert_false(revoked(table, "other", "alice", now));

    /* A horizon of longer than time itself: nothing is too old. */
    table = kc_revocations_attach(memory, now, 100 * 365 * 24 * HOUR, *state);
    revoke_name(table, KC_REVOKED_SID, "past", 0);
    assert_true(revoked(table, "past", "alice", 0));
    assert_false(revoked(table, "past", "alice", now));
}

/* --- asked again and again -------------------------------------------------------------------- */

static int revoked_since(const kc_revocations *table, const char *sid, const char *sub,
                         apr_time_t created, apr_uint64_t *good_at)
{
    kc_realm_key key = our_key();
    kc_session session = {0};

    session.sid = sid;
    session.sub = sub;
    session.created = created;
    return kc_is_revoked_since(table, &key, &session, good_at);
}

static void what_was_good_is_looked_at_again_after_a_change(void **state)
{
    static const struct {
        kc_revoked_kind kind;
        const char *name;
    } ways[] = {{KC_REVOKED_SID, "s1"}, {KC_REVOKED_SUB, "alice"}, {KC_REVOKED_ALL, ""}};
    apr_time_t now = apr_time_now();
    unsigned i;

    for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        kc_revocations *table = new_table(*state);
        apr_uint64_t good_at = 0;

        assert_false(revoked_since(table, "s1", "alice", now - SECOND, &good_at));
        assert_false(revoked_since(table, "s1", "alice", now - SECOND, &good_at));
        revoke_name(table, KC_REVOKED_SID, "another", now);
        assert_false(revoked_since(table, "s1", "alice", now - SECOND, &good_at));
        revoke_name(table, ways[i].kind, ways[i].name, now - 2 * SECOND);
        assert_false(revoked_since(table, "s1", "alice", now - SECOND, &good_at));
        revoke_name(table, ways[i].kind, ways[i].name, now);
        assert_true(revoked_since(table, "s1", "alice", now - SECOND, &good_at));
        assert_true(revoked_since(table, "s1", "alice", now - SECOND, &good_at));
    }
}

/** The number is one session's own: it says nothing of another one. */
static void nothing_is_good_that_was_not_looked_at(void **state)
{
    apr_time_t now = apr_time_now();
    kc_revocations *table = new_table(*state);
    apr_uint64_t good_at = 0;

    assert_false(revoked_since(table, "s1", "alice", now - SECOND, &good_at));
    assert_true(good_at != 0);
    good_at = 0;
    revoke_name(table, KC_REVOKED_SID, "s2", now);
    assert_true(revoked_since(table, "s2", "alice", now - SECOND, &good_at));
    assert_true(good_at == 0);
}

/** Who enters what is there already may be the only one to be told that it is done. */
static void an_entry_made_twice_is_a_change_twice(void **state)
{
    apr_time_t now = apr_time_now();
    kc_revocations *table = new_table(*state);
    apr_uint64_t first = 0, second = 0, third = 0;

    revoke_name(table, KC_REVOKED_SID, "s1", now);
    assert_false(revoked_since(table, "s2", "bob", now, &first));
    revoke_name(table, KC_REVOKED_SID, "s1", now);
    assert_false(revoked_since(table, "s2", "bob", now, &second));
    assert_false(revoked_since(table, "s2", "bob", now, &third));
    assert_true(first != second && second == third);
}

/** A table that is cleared ends all, also for an earlier generation's children. */
static void a_cleared_table_is_a_change(void **state)
{
    apr_time_t now = apr_time_now();
    unsigned char *memory = new_memory(*state);
    kc_revocations *table = kc_revocations_attach(memory, now, HORIZON, *state);
    apr_uint64_t good_at = 0;

    assert_false(revoked_since(table, "s1", "alice", now - SECOND, &good_at));
    memory[0] ^= 1; /* another layout */
    (void)kc_revocations_attach(memory, now, HORIZON, *state);
    assert_true(revoked_since(table, "s1", "alice", now - SECOND, &good_at));
}

/* --- how much it holds ------------------------------------------------------------------------ */

static void holds_60000(void **state)
{
    enum { ENTRIES = 60000 };
    apr_time_t now = apr_time_now();
    kc_revocations *table = new_table(*state);
    char name[NAME_BYTES];
    int i;

    for (i = 0; i < ENTRIES; i++) {
        revoke_name(table, KC_REVOKED_SID, name_of(name, i), now - i * 10000);
    }
    for (i = 0; i < ENTRIES; i++) {
        assert_true(revoked(table, name_of(name, i), "alice", now - i * 10000));
    }
    /* Nothing was dropped for it: the floor did not rise. */
    assert_false(revoked(table, "another", "alice", now - HOUR));
}

static void a_full_table_fails_closed(void **state)
{
    enum { ENTRIES = 400000 };
    apr_time_t now = apr_time_now();
    apr_time_t first = now - HOUR;
    kc_revocations *table = new_table(*state);
    char name[NAME_BYTES];
    int i;

    /* In an order that is not that of time. */
    for (i = 0; i < ENTRIES; i++) {
        revoke_name(table, KC_REVOKED_SID, name_of(name, i), first + (i * 7919LL % ENTRIES) * 1000);
    }
    for (i = 0; i < ENTRIES; i++) {
        assert_true(
            revoked(table, name_of(name, i), "alice", first + (i * 7919LL % ENTRIES) * 1000));
    }
    assert_true(revoked(table, "another", "alice", first));
    assert_false(revoked(table, "another", "alice", now));
}

/** Of two that cannot both stay the older one goes: the floor rises no more than it must. */
static void the_floor_rises_little(void **state)
{
    enum { ENTRIES = 400000 };
    apr_time_t now = apr_time_now();
    kc_revocations *table = new_table(*state);
    char name[NAME_BYTES];
    int i;

    for (i = 0; i < ENTRIES; i++) {
        revoke_name(table, KC_REVOKED_SID, name_of(name, i), now - HOUR);
    }
    for (i = 0; i < 100; i++) {
        revoke_name(table, KC_REVOKED_SUB, name_of(name, i), now - HOUR / 2);
        assert_true(revoked(table, "s", name, now - HOUR / 2));
    }
    assert_true(revoked(table, "another", "alice", now - HOUR));
    assert_false(revoked(table, "another", "alice", now - HOUR + SECOND));
}

static void what_is_too_old_is_left_out(void **state)
{
    apr_time_t now = apr_time_now();
    kc_revocations *table = new_table(*state);

    revoke_name(table, KC_REVOKED_SID, "s1", now - HORIZON - SECOND);
    assert_false(revoked(table, "s1", "alice", now - HORIZON - SECOND));
    revoke_name(table, KC_REVOKED_SID, "s1", now - HORIZON + 60 * SECOND);
    assert_true(revoked(table, "s1", "alice", now - HORIZON + 60 * SECOND));
}

/* Hundreds of thousands of made-up names take half of the table, and end nobody else's session. */
static void what_nobody_proved_costs_nobody(void **state)
{
    enum { MADE_UP = 600000 };
    apr_time_t now = apr_time_now();
    kc_revocations *table = kc_revocations_attach(new_memory(*state), now, HORIZON, *state);
    kc_realm_key key = our_key();
    kc_revocation revocation;
    char name[NAME_BYTES];
    int i, entered = 0;

    for (i = 0; i < MADE_UP; i++) {
        revocation = kc_revocation_make(&key, KC_REVOKED_SID, name_of(name, i), now);
        entered += kc_revoke_if_room(table, &revocation);
    }
    assert_true(entered > 0 && entered < MADE_UP);
    assert_true(revoked(table, name_of(name, 0), "alice", now - SECOND));
    assert_false(revoked(table, "bystander", "bob", now - HOUR));
    revoke_name(table, KC_REVOKED_SID, "proven", now);
    assert_true(revoked(table, "proven", "carol", now - SECOND));
    assert_false(revoked(table, "bystander", "bob", now - HOUR));
}

/* --- what is found at the start --------------------------------------------------------------- */

static void a_file_keeps_it(void **state)
{
    apr_time_t now = apr_time_now();
    apr_size_t size = kc_revocations_size();
    FILE *file = tmpfile();
    void *memory;
    int i;

    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), (off_t)size), 0);
    for (i = 0; i < 2; i++) {
        kc_revocations *table;

        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
        assert_true(memory != MAP_FAILED);
        table = kc_revocations_attach(memory, now, HORIZON, *state);
        assert_int_equal(revoked(table, "s1", "alice", now - SECOND), i);
        assert_false(revoked(table, "s2", "alice", now - SECOND));
        revoke_name(table, KC_REVOKED_SID, "s1", now);
        assert_int_equal(munmap(memory, size), 0);
    }
    fclose(file);
}

/** Everything begun until `now` is over, nothing that begins later; and entries are taken again. */
static void expect_cleared(void *memory, apr_time_t now, apr_pool_t *pool)
{
    kc_revocations *table = kc_revocations_attach(memory, now, HORIZON, pool);

    assert_true(revoked(table, "s1", "alice", now));
    assert_true(revoked(table, "another", "bob", now - HOUR));
    assert_false(revoked(table, "s1", "alice", now + SECOND));
    assert_false(revoked(table, "another", "bob", now + SECOND));
    revoke_name(table, KC_REVOKED_SID, "s1", now + SECOND);
    table = kc_revocations_attach(memory, now + SECOND, HORIZON, pool);
    assert_true(revoked(table, "s1", "alice", now + SECOND));
    assert_false(revoked(table, "another", "bob", now + SECOND));
}

static void nonsense_is_cleared(void **state)
{
    apr_size_t size = kc_revocations_size();
    apr_time_t now = apr_time_now();
    unsigned char *memory = new_memory(*state);
    apr_size_t i;

    memset(memory, 0xff, size);
    expect_cleared(memory, now, *state);

    memory[0] ^= 1; /* another layout */
    expect_cleared(memory, now, *state);

    for (i = 0; i < size; i++) {
        memory[i] = (unsigned char)(i * 131 >> 3);
    }
    expect_cleared(memory, now, *state);

    memset(memory, 0, size);
    memory[size - 1] = 1; /* no magic number, but not fresh either */
    expect_cleared(memory, now, *state);
}

static void times_that_cannot_be_are_cleared(void **state)
{
    apr_time_t now = apr_time_now();
    void *memory = new_memory(*state);
    kc_revocations *table = kc_revocations_attach(memory, now, HORIZON, *state);

    revoke_name(table, KC_REVOKED_SID, "s1", now);
    /* The clock was set back since: a little, then by more than can be. */
    table = kc_revocations_attach(memory, now - HOUR, HORIZON, *state);
    assert_false(revoked(table, "another", "alice", now - HOUR));
    assert_true(revoked(table, "s1", "alice", now));
    expect_cleared(memory, now - 3 * HOUR, *state);
}

static void a_floor_that_cannot_be_is_cleared(void **state)
{
    apr_size_t size = kc_revocations_size();
    apr_time_t now = apr_time_now();
    void *memory = new_memory(*state);

    memset(memory, 0xff, size);
    (void)kc_revocations_attach(memory, now, HORIZON, *state); /* the floor is all there is now */
    expect_cleared(memory, now - 3 * HOUR, *state);
}

/* --- other servers ---------------------------------------------------------------------------- */

typedef struct heard {
    kc_revocations *enter_into;
    kc_revocation last;
    int count;
} heard;

static void hear(void *baton, const kc_revocation *revocation)
{
    heard *h = baton;

    h->last = *revocation;
    h->count++;
    if (h->enter_into) {
        kc_revoke(h->enter_into, revocation);
    }
}

static void an_entry_is_told_as_it_was_made(void **state)
{
    apr_time_t now = apr_time_now();
    kc_realm_key key = our_key();
    char name[NAME_BYTES];
    int i;

    for (i = 0; i < 100; i++) {
        kc_revocations *table = new_table(*state);
        kc_revocation made = kc_revocation_make(&key, KC_REVOKED_SUB, name_of(name, i), now);
        heard h = {0};

        kc_revoke(table, &made);
        kc_revocations_each(table, now, hear, &h);
        assert_int_equal(h.count, 1);
        assert_true(h.last.hash == made.hash);
        assert_true(h.last.time == made.time && made.time == now - now % 1000);
        kc_revocations_each(table, now + 1000, hear, &h);
        assert_int_equal(h.count, 1);
        apr_pool_clear(*state);
    }
}

static void another_server_takes_it_over(void **state)
{
    apr_time_t now = apr_time_now();
    kc_revocations *here = new_table(*state);
    kc_revocations *there = new_table(*state);
    heard h = {0};
    char name[NAME_BYTES];
    int i;

    for (i = 0; i < 1000; i++) {
        revoke_name(here, KC_REVOKED_SID, name_of(name, i), now - i * 1000);
    }
    h.enter_into = there;
    kc_revocations_each(here, now - 499 * 1000, hear, &h);
    assert_int_equal(h.count, 500);
    for (i = 0; i < 1000; i++) {
        assert_int_equal(revoked(there, name_of(name, i), "alice", now - i * 1000), i < 500);
    }
}

/* --- many at once ----------------------------------------------------------------------------- */

enum { THREADS = 4, FITTING = 12, CROWD = 80, ROUNDS = 4000 };

/** Shared by threads or processes that crowd one bucket. */
typedef struct crowd {
    unsigned size;
    char names[CROWD][NAME_BYTES];
    _Atomic(apr_int64_t) entered[CROWD]; /* time with which each is known to be in */
    atomic_uint thread_count;
    atomic_int missed;
    void *memory;
    kc_revocations *table;
    apr_time_t start;
} crowd;

/** Names whose hashes agree in the bits that choose the bucket, which holds 16 of them. */
static crowd *make_crowd(unsigned size, apr_pool_t *pool)
{
    crowd *c = map_memory(sizeof(*c));
    kc_realm_key key = our_key();
    char name[NAME_BYTES];
    unsigned found;
    int i;

    for (found = 0, i = 0; found < size; i++) {
        if (kc_revocation_make(&key, KC_REVOKED_SID, name_of(name, i), 0).hash % 16384 == 0) {
            memcpy(c->names[found++], name, sizeof(name));
        }
    }
    c->size = size;
    c->memory = new_memory(pool);
    c->table = kc_revocations_attach(c->memory, apr_time_now(), HORIZON, pool);
    c->start = apr_time_now() - HOUR;
    return c;
}

/** Enters names of its own and those of its neighbours, and asks for them all in between. */
static void jostle(crowd *c, unsigned number, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        unsigned mine = ((unsigned)i * THREADS + number) % c->size;
        unsigned others = (unsigned)i * 7 % c->size;
        apr_int64_t time = c->start + i * 1000;
        apr_int64_t known = atomic_load(&c->entered[others]);

        revoke_name(c->table, KC_REVOKED_SID, c->names[mine], time);
        revoke_name(c->table, KC_REVOKED_SID, c->names[others], time);
        atomic_store(&c->entered[mine], time); /* only we store this one */
        if (known && !revoked(c->table, c->names[others], "alice", known)) {
            atomic_fetch_add(&c->missed, 1);
        }
    }
}

static void expect_all_in(crowd *c)
{
    assert_int_equal(atomic_load(&c->missed), 0);
    for (unsigned i = 0; i < c->size; i++) {
        if (c->entered[i]) {
            assert_true(revoked(c->table, c->names[i], "alice", c->entered[i]));
        }
    }
    assert_false(revoked(c->table, "another", "alice", c->start + HOUR));
}

static void *jostle_thread(void *arg)
{
    crowd *c = arg;

    jostle(c, atomic_fetch_add(&c->thread_count, 1), ROUNDS);
    return NULL;
}

static void run_threads(crowd *c)
{
    pthread_t threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, jostle_thread, c), 0);
    }
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    expect_all_in(c);
}

static void threads_lose_no_entry(void **state)
{
    crowd *c = make_crowd(FITTING, *state);

    run_threads(c);
    /* All had room: it was not the floor that kept them. */
    assert_false(revoked(c->table, "another", "alice", c->start));
    munmap(c, sizeof(*c));
}

static void threads_that_crowd_fail_closed(void **state)
{
    crowd *c = make_crowd(CROWD, *state);

    run_threads(c);
    assert_true(revoked(c->table, "another", "alice", c->start));
    munmap(c, sizeof(*c));
}

/** Children are killed while they enter, again and again: nothing is lost, nothing hangs. */
static void killed_writers_leave_it_whole(void **state)
{
    crowd *c = make_crowd(CROWD, *state);
    pid_t pids[THREADS];
    int killing, i;

    for (killing = 0; killing < 20; killing++) {
        for (i = 0; i < THREADS; i++) {
            pids[i] = fork();
            assert_true(pids[i] >= 0);
            if (pids[i] == 0) {
                jostle(c, (unsigned)i, INT32_MAX);
                _exit(1);
            }
        }
        usleep(3000);
        for (i = 0; i < THREADS; i++) {
            int status;

            assert_int_equal(kill(pids[i], SIGKILL), 0);
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_true(WIFSIGNALED(status));
        }
        expect_all_in(c);
    }
    munmap(c, sizeof(*c));
}

/** It comes from another server, and finds its bucket full of what is newer. */
static void a_late_entry_goes_to_the_floor(void **state)
{
    crowd *c = make_crowd(17, *state);
    unsigned i;

    for (i = 0; i < 16; i++) {
        revoke_name(c->table, KC_REVOKED_SID, c->names[i], c->start);
    }
    assert_false(revoked(c->table, "another", "alice", c->start - HOUR));
    revoke_name(c->table, KC_REVOKED_SID, c->names[16], c->start - HOUR);
    assert_true(revoked(c->table, c->names[16], "alice", c->start - HOUR));
    assert_true(revoked(c->table, "another", "alice", c->start - HOUR));
    assert_false(revoked(c->table, "another", "alice", c->start - HOUR + SECOND));
    assert_true(revoked(c->table, c->names[0], "alice", c->start));
    munmap(c, sizeof(*c));
}

/** The floor does not rise for an entry that no session can be older than. */
static void what_is_too_old_makes_way(void **state)
{
    crowd *c = make_crowd(17, *state);
    apr_time_t now = apr_time_now();
    kc_revocations *shorter;
    heard h = {0};
    unsigned i;

    for (i = 0; i < 16; i++) {
        revoke_name(c->table, KC_REVOKED_SID, c->names[i], now - 2 * HOUR);
    }
    shorter = kc_revocations_attach(c->memory, now, HOUR, *state);
    revoke_name(shorter, KC_REVOKED_SID, c->names[16], now);
    assert_true(revoked(shorter, c->names[16], "alice", now));
    assert_false(revoked(shorter, "another", "alice", now - 2 * HOUR));
    kc_revocations_each(shorter, 0, hear, &h);
    assert_int_equal(h.count, 16);
    munmap(c, sizeof(*c));
}

/** Writers that race could leave a name twice: the later time counts, wherever it lies. */
static void of_two_entries_the_later_counts(void **state)
{
    apr_time_t now = apr_time_now();
    void *memory = new_memory(*state);
    kc_revocations *table = kc_revocations_attach(memory, now, HORIZON, *state);
    apr_uint64_t *entry = memory;
    apr_uint64_t later;

    revoke_name(table, KC_REVOKED_SID, "s1", now - 10 * SECOND);
    for (entry += 16; *entry == 0; entry++) { /* past the header */
    }
    entry[1] = entry[0];
    assert_false(revoked(table, "s1", "alice", now - 5 * SECOND));
    revoke_name(table, KC_REVOKED_SID, "s1", now);
    assert_true(entry[0] > entry[1]);
    assert_true(revoked(table, "s1", "alice", now - 5 * SECOND));
    later = entry[0];
    entry[0] = entry[1];
    entry[1] = later;
    assert_true(revoked(table, "s1", "alice", now - 5 * SECOND));
}

enum { ENDINGS = 3000 };

/** One thread ends sessions, and says so; another one asks for each, all the time. */
typedef struct watch {
    kc_revocations *table;
    apr_time_t start;
    atomic_int asked; /* the number of the session that is watched */
    atomic_int told;  /* of the one that was ended last */
} watch;

static void *end_what_is_watched(void *data)
{
    watch *w = data;
    char name[NAME_BYTES];
    int i;

    for (i = 1; i <= ENDINGS; i++) {
        while (atomic_load(&w->asked) < i) {
            sched_yield();
        }
        revoke_name(w->table, KC_REVOKED_SID, name_of(name, i), w->start);
        atomic_store(&w->told, i);
    }
    return NULL;
}

/** Whoever was told that a session is ended finds it ended, however good it was a moment before. */
static void what_was_told_is_seen(void **state)
{
    watch w = {new_table(*state), apr_time_now(), 0, 0};
    char name[NAME_BYTES];
    pthread_t writer;
    int i, over;

    assert_int_equal(pthread_create(&writer, NULL, end_what_is_watched, &w), 0);
    for (i = 1; i <= ENDINGS; i++) {
        apr_uint64_t good_at = 0;

        assert_false(revoked_since(w.table, name_of(name, i), "alice", w.start, &good_at));
        atomic_store(&w.asked, i);
        do {
            int told = atomic_load(&w.told) >= i;

            over = revoked_since(w.table, name, "alice", w.start, &good_at);
            assert_true(over || !told);
        } while (!over);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
}

static void what_a_child_revoked_is_revoked(void **state)
{
    apr_time_t now = apr_time_now();
    kc_revocations *table = new_table(*state);
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        revoke_name(table, KC_REVOKED_SID, "s1", now);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(revoked(table, "s1", "alice", now));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(fresh_memory_is_empty),
        UNIT_TEST(a_name_revokes_its_own),
        UNIT_TEST(everybody_is_of_one_realm_key),
        UNIT_TEST(an_empty_name_is_nobodys),
        UNIT_TEST(a_millisecond_decides),
        UNIT_TEST(the_latest_time_stays),
        UNIT_TEST(clocks_that_are_wrong),
        UNIT_TEST(what_was_good_is_looked_at_again_after_a_change),
        UNIT_TEST(nothing_is_good_that_was_not_looked_at),
        UNIT_TEST(an_entry_made_twice_is_a_change_twice),
        UNIT_TEST(a_cleared_table_is_a_change),
        UNIT_TEST(holds_60000),
        UNIT_TEST(a_full_table_fails_closed),
        UNIT_TEST(the_floor_rises_little),
        UNIT_TEST(what_is_too_old_is_left_out),
        UNIT_TEST(a_file_keeps_it),
        UNIT_TEST(nonsense_is_cleared),
        UNIT_TEST(times_that_cannot_be_are_cleared),
        UNIT_TEST(a_floor_that_cannot_be_is_cleared),
        UNIT_TEST(an_entry_is_told_as_it_was_made),
        UNIT_TEST(another_server_takes_it_over),
        UNIT_TEST(a_late_entry_goes_to_the_floor),
        UNIT_TEST(what_is_too_old_makes_way),
        UNIT_TEST(what_nobody_proved_costs_nobody),
        UNIT_TEST(of_two_entries_the_later_counts),
        UNIT_TEST(threads_lose_no_entry),
        UNIT_TEST(threads_that_crowd_fail_closed),
        UNIT_TEST(killed_writers_leave_it_whole),
        UNIT_TEST(what_was_told_is_seen),
        UNIT_TEST(what_a_child_revoked_is_revoked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
