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
#define TIMEOUT (10 * SECOND)
#define KEEP    (30 * SECOND)

static void *map_memory(apr_size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

static apr_status_t unmap(void *memory)
{
    return munmap(memory, kc_flights_size()) == 0 ? APR_SUCCESS : APR_EGENERAL;
}

static kc_flights *new_flights(apr_pool_t *pool)
{
    void *memory = map_memory(kc_flights_size());

    apr_pool_cleanup_register(pool, memory, unmap, apr_pool_cleanup_null);
    return kc_flights_attach(memory, pool);
}

static const char *name_of(char name[NAME_BYTES], const char *kind, int number)
{
    snprintf(name, NAME_BYTES, "%s-%d", kind, number);
    return name;
}

static void expect_look(kc_flights *flights, const char *name, apr_time_t now,
                        kc_flight_state expected, const char *expected_result, apr_pool_t *pool)
{
    const char *result = "untouched";

    assert_int_equal(kc_flight_look(flights, name, now, &result, pool), expected);
    if (expected_result) {
        assert_non_null(result);
        assert_string_equal(result, expected_result);
    } else {
        assert_null(result);
    }
    assert_int_equal(kc_flight_look(flights, name, now, NULL, NULL), expected);
}

/* --- one flight ------------------------------------------------------------------------------- */

static void a_flight_lands(void **state)
{
    apr_time_t now = apr_time_now();
    kc_flights *flights = new_flights(*state);

    expect_look(flights, "a", now, KC_FLIGHT_NONE, NULL, *state);
    assert_int_equal(kc_flight_begin(flights, "a", now, TIMEOUT), KC_FLIGHT_MINE);
    assert_int_equal(kc_flight_begin(flights, "a", now, TIMEOUT), KC_FLIGHT_UNDER_WAY);
    expect_look(flights, "a", now + SECOND, KC_FLIGHT_UNDER_WAY, NULL, *state);
    expect_look(flights, "b", now, KC_FLIGHT_NONE, NULL, *state);

    kc_flight_land(flights, "a", now + SECOND, KEEP, "the result");
    expect_look(flights, "a", now + SECOND, KC_FLIGHT_LANDED, "the result", *state);
    expect_look(flights, "a", now + KEEP, KC_FLIGHT_LANDED, "the result", *state);
    assert_int_equal(kc_flight_begin(flights, "a", now + KEEP, TIMEOUT), KC_FLIGHT_LANDED);

    expect_look(flights, "a", now + KEEP + 2 * SECOND, KC_FLIGHT_NONE, NULL, *state);
    assert_int_equal(kc_flight_begin(flights, "a", now + KEEP + 2 * SECOND, TIMEOUT),
                     KC_FLIGHT_MINE);
}

static void a_flight_is_abandoned(void **state)
{
    apr_time_t now = apr_time_now();
    kc_flights *flights = new_flights(*state);

    assert_int_equal(kc_flight_begin(flights, "a", now, TIMEOUT), KC_FLIGHT_MINE);
    kc_flight_abandon(flights, "a", now, KEEP);
    expect_look(flights, "a", now + KEEP - SECOND, KC_FLIGHT_ABANDONED, NULL, *state);
    assert_int_equal(kc_flight_begin(flights, "a", now + KEEP - SECOND, TIMEOUT),
                     KC_FLIGHT_ABANDONED);
    assert_int_equal(kc_flight_begin(flights, "a", now + KEEP, TIMEOUT), KC_FLIGHT_MINE);
}

static void a_lost_flight_is_forgotten(void **state)
{
    apr_time_t now = apr_time_now();
    kc_flights *flights = new_flights(*state);

    assert_int_equal(kc_flight_begin(flights, "a", now, TIMEOUT), KC_FLIGHT_MINE);
    assert_int_equal(kc_flight_begin(flights, "a", now + TIMEOUT - SECOND, TIMEOUT),
                     KC_FLIGHT_UNDER_WAY);
    expect_look(flights, "a", now + TIMEOUT, KC_FLIGHT_NONE, NULL, *state);
    assert_int_equal(kc_flight_begin(flights, "a", now + TIMEOUT, TIMEOUT), KC_FLIGHT_MINE);
    assert_int_equal(kc_flight_begin(flights, "a", now + TIMEOUT, TIMEOUT), KC_FLIGHT_UNDER_WAY);
}

/** The first took too long, and the second began meanwhile. */
static void a_late_result_counts_a_late_failure_does_not(void **state)
{
    apr_time_t now = apr_time_now();
    kc_flights *flights = new_flights(*state);

    assert_int_equal(kc_flight_begin(flights, "a", now, TIMEOUT), KC_FLIGHT_MINE);
    assert_int_equal(kc_flight_begin(flights, "a", now + TIMEOUT, TIMEOUT), KC_FLIGHT_MINE);
    kc_flight_land(flights, "a", now + TIMEOUT, KEEP, "of the first");
    expect_look(flights, "a", now + TIMEOUT, KC_FLIGHT_LANDED, "of the first", *state);
    kc_flight_abandon(flights, "a", now + TIMEOUT, KEEP);
    expect_look(flights, "a", now + TIMEOUT, KC_FLIGHT_LANDED, "of the first", *state);
    kc_flight_land(flights, "a", now + TIMEOUT, KEEP, "of the second");
    expect_look(flights, "a", now + TIMEOUT, KC_FLIGHT_LANDED, "of the second", *state);
}

static void a_clock_set_back_wedges_nothing(void **state)
{
    apr_time_t now = apr_time_now();
    apr_time_t earlier = now - 3600 * SECOND;
    kc_flights *flights = new_flights(*state);

    assert_int_equal(kc_flight_begin(flights, "a", now, TIMEOUT), KC_FLIGHT_MINE);
    expect_look(flights, "a", earlier, KC_FLIGHT_NONE, NULL, *state);
    assert_int_equal(kc_flight_begin(flights, "a", earlier, TIMEOUT), KC_FLIGHT_MINE);
    assert_int_equal(kc_flight_begin(flights, "a", earlier, TIMEOUT), KC_FLIGHT_UNDER_WAY);
}

static void ten_minutes_are_the_longest(void **state)
{
    apr_time_t now = apr_time_now();
    apr_time_t longest = 600 * SECOND;
    kc_flights *flights = new_flights(*state);

    assert_int_equal(kc_flight_begin(flights, "a", now, 24 * longest), KC_FLIGHT_MINE);
    /* Who asks may have taken the time a little earlier. */
    assert_int_equal(kc_flight_begin(flights, "a", now - SECOND, TIMEOUT), KC_FLIGHT_UNDER_WAY);
    assert_int_equal(kc_flight_begin(flights, "a", now + longest, TIMEOUT), KC_FLIGHT_MINE);
}

/* --- results ---------------------------------------------------------------------------------- */

static void results_are_bounded(void **state)
{
    apr_time_t now = apr_time_now();
    kc_flights *flights = new_flights(*state);
    char *text = apr_palloc(*state, KC_FLIGHT_RESULT_MAX + 2);

    kc_flight_land(flights, "none", now, KEEP, NULL);
    expect_look(flights, "none", now, KC_FLIGHT_LANDED, NULL, *state);
    kc_flight_land(flights, "empty", now, KEEP, "");
    expect_look(flights, "empty", now, KC_FLIGHT_LANDED, "", *state);

    memset(text, 'x', KC_FLIGHT_RESULT_MAX + 1);
    text[KC_FLIGHT_RESULT_MAX + 1] = '\0';
    kc_flight_land(flights, "too long", now, KEEP, text);
    expect_look(flights, "too long", now, KC_FLIGHT_LANDED, NULL, *state);
    text[KC_FLIGHT_RESULT_MAX] = '\0';
    kc_flight_land(flights, "longest", now, KEEP, text);
    expect_look(flights, "longest", now, KC_FLIGHT_LANDED, text, *state);
    text[KC_FLIGHT_RESULT_MAX - 1] = '\0';
    kc_flight_land(flights, "longest", now, KEEP, text);
    expect_look(flights, "longest", now, KC_FLIGHT_LANDED, text, *state);
}

static void a_new_result_hides_the_old(void **state)
{
    apr_time_t now = apr_time_now();
    kc_flights *flights = new_flights(*state);

    kc_flight_land(flights, "a", now, KEEP, "old");
    kc_flight_land(flights, "a", now, KEEP, NULL);
    expect_look(flights, "a", now, KC_FLIGHT_LANDED, NULL, *state);
}

static void the_last_results_are_kept(void **state)
{
    enum { LANDED = 300, KEPT = 128 };
    apr_time_t now = apr_time_now();
    kc_flights *flights = new_flights(*state);
    char name[NAME_BYTES];
    int i;

    for (i = 0; i < LANDED; i++) {
        name_of(name, "flight", i);
        assert_int_equal(kc_flight_begin(flights, name, now, TIMEOUT), KC_FLIGHT_MINE);
        kc_flight_land(flights, name, now, KEEP, name);
    }
    for (i = 0; i < LANDED; i++) {
        name_of(name, "flight", i);
        expect_look(flights, name, now, KC_FLIGHT_LANDED, i < LANDED - KEPT ? NULL : name, *state);
    }
}

/* --- two names at one place ------------------------------------------------------------------- */

/** While `name` is in flight: another name that finds its place taken. */
static const char *find_neighbour(kc_flights *flights, char other[NAME_BYTES], apr_time_t now)
{
    int i;

    for (i = 0; i < 10000000; i++) {
        name_of(other, "other", i);
        if (kc_flight_look(flights, other, now, NULL, NULL) == KC_FLIGHT_UNDER_WAY) {
            return other;
        }
    }
    fail_msg("no name has the same place");
    return NULL;
}

static void neighbours_wait_for_each_other(void **state)
{
    apr_time_t now = apr_time_now();
    kc_flights *flights = new_flights(*state);
    char buf[NAME_BYTES];
    const char *other;

    assert_int_equal(kc_flight_begin(flights, "a", now, TIMEOUT), KC_FLIGHT_MINE);
    other = find_neighbour(flights, buf, now);
    assert_int_equal(kc_flight_begin(flights, other, now, TIMEOUT), KC_FLIGHT_UNDER_WAY);

    /* What the other does late, after its time, does not touch ours. */
    kc_flight_land(flights, other, now, KEEP, "of the other");
    expect_look(flights, other, now, KC_FLIGHT_UNDER_WAY, NULL, *state);
    kc_flight_abandon(flights, other, now, KEEP);
    expect_look(flights, other, now, KC_FLIGHT_UNDER_WAY, NULL, *state);
    expect_look(flights, "a", now, KC_FLIGHT_UNDER_WAY, NULL, *state);

    /* While ours is kept, none is begun there: it would be begun twice. */
    kc_flight_land(flights, "a", now, KEEP, "ours");
    assert_int_equal(kc_flight_begin(flights, other, now, TIMEOUT), KC_FLIGHT_UNDER_WAY);
    expect_look(flights, other, now, KC_FLIGHT_UNDER_WAY, NULL, *state);
    expect_look(flights, "a", now, KC_FLIGHT_LANDED, "ours", *state);

    assert_int_equal(kc_flight_begin(flights, other, now + KEEP, TIMEOUT), KC_FLIGHT_MINE);
    kc_flight_land(flights, other, now + KEEP, KEEP, "of the other");
    expect_look(flights, other, now + KEEP, KC_FLIGHT_LANDED, "of the other", *state);
    expect_look(flights, "a", now + KEEP, KC_FLIGHT_UNDER_WAY, NULL, *state);
}

/* --- many at once ----------------------------------------------------------------------------- */

enum { RACERS = 4, RACES = 5000, SPINS = 5000 };

typedef struct races {
    kc_flights *flights;
    apr_time_t now;
    char names[RACES][NAME_BYTES];
    atomic_int ready[RACES]; /* racers at the line */
    atomic_int mine[RACES];
    atomic_int wrong; /* told neither MINE nor UNDER_WAY */
} races;

/** Spins at first: who sleeps starts late, and a race is over in some nanoseconds. */
static void wait_at_line(atomic_int *ready)
{
    int spins = 0;

    atomic_fetch_add(ready, 1);
    while (atomic_load_explicit(ready, memory_order_relaxed) < RACERS) {
        if (++spins > SPINS) {
            sched_yield();
        }
    }
}

static void race(races *all)
{
    for (int i = 0; i < RACES; i++) {
        kc_flight_state told;

        wait_at_line(&all->ready[i]);
        told = kc_flight_begin(all->flights, all->names[i], all->now, TIMEOUT);
        if (told == KC_FLIGHT_MINE) {
            atomic_fetch_add(&all->mine[i], 1);
        } else if (told != KC_FLIGHT_UNDER_WAY) {
            atomic_fetch_add(&all->wrong, 1);
        }
    }
}

static races *new_races(apr_pool_t *pool)
{
    races *all = map_memory(sizeof(*all));

    all->flights = new_flights(pool);
    all->now = apr_time_now();
    for (int i = 0; i < RACES; i++) {
        name_of(all->names[i], "raced", i);
    }
    return all;
}

/** One has each flight; none has one whose place is an earlier name's. */
static void expect_one_winner_each(races *all)
{
    int without = 0;

    assert_int_equal(atomic_load(&all->wrong), 0);
    for (int i = 0; i < RACES; i++) {
        assert_in_range(atomic_load(&all->mine[i]), 0, 1);
        without += atomic_load(&all->mine[i]) == 0;
    }
    /* About 5000 * 5000 / 2 / 65536 = 190. */
    assert_in_range(without, 100, 300);
    munmap(all, sizeof(*all));
}

static void *race_thread(void *arg)
{
    race(arg);
    return NULL;
}

static void one_of_many_threads_has_it(void **state)
{
    races *all = new_races(*state);
    pthread_t threads[RACERS];

    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, race_thread, all), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    expect_one_winner_each(all);
}

static void one_of_many_processes_has_it(void **state)
{
    races *all = new_races(*state);
    pid_t pids[RACERS];
    int status;

    for (int i = 0; i < RACERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            race(all);
            _exit(0);
        }
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    expect_one_winner_each(all);
}

/* --- results that are overwritten while they are read ----------------------------------------- */

enum { LANDERS = 4, LANDINGS = 3000, NAMES = 8, TEXT_MAX = 3000 };

typedef struct churn {
    kc_flights *flights;
    apr_time_t now;
    atomic_uint number;
    atomic_int torn; /* results that nobody landed */
    atomic_int whole;
} churn;

/** Whether it is one that land_some() made for the name: "NAME:" and one letter, repeated. */
static int is_whole(const char *result, const char *name)
{
    apr_size_t name_len = strlen(name);
    const char *letters = result + name_len + 1;

    return strncmp(result, name, name_len) == 0 && result[name_len] == ':' &&
           strspn(letters, (char[]){letters[0], '\0'}) == strlen(letters) &&
           strlen(letters) == (apr_size_t)(letters[0] - 'A' + 1) * 100;
}

static void land_some(churn *c, unsigned seed)
{
    char name[NAME_BYTES], text[TEXT_MAX];
    unsigned letters = seed % 26 + 1;
    int len;

    name_of(name, "churned", (int)(seed / 26 % NAMES));
    len = snprintf(text, sizeof(text), "%s:", name);
    memset(text + len, (int)('A' + letters - 1), letters * 100);
    text[(unsigned)len + letters * 100] = '\0';
    kc_flight_land(c->flights, name, c->now, KEEP, text);
}

static void read_some(churn *c, unsigned seed, apr_pool_t *pool)
{
    const char *result;
    char name[NAME_BYTES];

    name_of(name, "churned", (int)(seed % NAMES));
    (void)kc_flight_look(c->flights, name, c->now, &result, pool);
    if (result) {
        atomic_fetch_add(is_whole(result, name) ? &c->whole : &c->torn, 1);
    }
    apr_pool_clear(pool);
}

static churn *new_churn(apr_pool_t *pool)
{
    churn *c = map_memory(sizeof(*c));

    c->flights = new_flights(pool);
    c->now = apr_time_now();
    return c;
}

static void *churn_thread(void *arg)
{
    churn *c = arg;
    unsigned number = atomic_fetch_add(&c->number, 1);
    apr_pool_t *pool;

    if (apr_pool_create(&pool, NULL) == APR_SUCCESS) {
        for (unsigned i = 0; i < LANDINGS; i++) {
            land_some(c, i * LANDERS + number);
            read_some(c, i, pool);
        }
        apr_pool_destroy(pool);
    }
    return NULL;
}

static void no_result_is_torn(void **state)
{
    churn *c = new_churn(*state);
    pthread_t threads[LANDERS];

    for (int i = 0; i < LANDERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn_thread, c), 0);
    }
    for (int i = 0; i < LANDERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&c->torn), 0);
    assert_in_range(atomic_load(&c->whole), 1, LANDERS * LANDINGS);
    munmap(c, sizeof(*c));
}

static void a_killed_writer_leaves_nothing_torn(void **state)
{
    churn *c = new_churn(*state);
    pid_t pids[LANDERS];
    int status;

    for (int killing = 0; killing < 20; killing++) {
        for (int i = 0; i < LANDERS; i++) {
            pids[i] = fork();
            assert_true(pids[i] >= 0);
            if (pids[i] == 0) {
                for (unsigned n = 0;; n++) {
                    land_some(c, n * LANDERS + (unsigned)i);
                }
            }
        }
        usleep(3000);
        for (int i = 0; i < LANDERS; i++) {
            assert_int_equal(kill(pids[i], SIGKILL), 0);
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_true(WIFSIGNALED(status));
        }
        for (unsigned i = 0; i < NAMES; i++) {
            apr_pool_t *pool;

            assert_int_equal(apr_pool_create(&pool, *state), APR_SUCCESS);
            read_some(c, i, pool);
            apr_pool_destroy(pool);
        }
    }
    assert_int_equal(atomic_load(&c->torn), 0);
    land_some(c, 25);
    expect_look(c->flights, "churned-1", c->now + KEEP, KC_FLIGHT_NONE, NULL, *state);
    assert_int_equal(kc_flight_begin(c->flights, "churned-1", c->now + KEEP, TIMEOUT),
                     KC_FLIGHT_MINE);
    munmap(c, sizeof(*c));
}

/** The text of a result as it lies in the memory. */
static char *find_text(char *memory, const char *text)
{
    return memmem(memory, kc_flights_size(), text, strlen(text));
}

/** What a writer leaves that was killed, or woke up late, in the middle of a result. */
static void a_half_written_result_is_none(void **state)
{
    apr_time_t now = apr_time_now();
    char *memory = map_memory(kc_flights_size());
    kc_flights *flights = kc_flights_attach(memory, *state);
    char *text;

    kc_flight_land(flights, "a", now, KEEP, "the first half, the second half");
    text = find_text(memory, "the first half");
    assert_non_null(text);
    text[20] ^= 1;
    expect_look(flights, "a", now, KC_FLIGHT_LANDED, NULL, *state);
    text[20] ^= 1;
    expect_look(flights, "a", now, KC_FLIGHT_LANDED, "the first half, the second half", *state);
    memset(text - 8, 0xff, 8); /* its length */
    expect_look(flights, "a", now, KC_FLIGHT_LANDED, NULL, *state);
    munmap(memory, kc_flights_size());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(a_flight_lands),
        UNIT_TEST(a_flight_is_abandoned),
        UNIT_TEST(a_lost_flight_is_forgotten),
        UNIT_TEST(a_late_result_counts_a_late_failure_does_not),
        UNIT_TEST(a_clock_set_back_wedges_nothing),
        UNIT_TEST(ten_minutes_are_the_longest),
        UNIT_TEST(results_are_bounded),
        UNIT_TEST(a_new_result_hides_the_old),
        UNIT_TEST(the_last_results_are_kept),
        UNIT_TEST(neighbours_wait_for_each_other),
        UNIT_TEST(one_of_many_threads_has_it),
        UNIT_TEST(one_of_many_processes_has_it),
        UNIT_TEST(no_result_is_torn),
        UNIT_TEST(a_killed_writer_leaves_nothing_torn),
        UNIT_TEST(a_half_written_result_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
