/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/session.h"
#include "unit.h"

static void *shared_table(void)
{
    void *table =
        mmap(NULL, kc_once_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(table != MAP_FAILED);
    return table;
}

static void once_is_once(void **state)
{
    void *table = shared_table();
    kc_once *once = kc_once_attach(table, *state);

    assert_int_equal(kc_once_use(once, "one"), 1);
    assert_int_equal(kc_once_use(once, "one"), 0);
    assert_int_equal(kc_once_use(once, "two"), 1);
    assert_int_equal(kc_once_use(once, "one"), 0);
    assert_int_equal(kc_once_use(once, ""), 1);
    assert_int_equal(kc_once_use(once, ""), 0);
    munmap(table, kc_once_size());
}

static void remembers_a_thousand(void **state)
{
    void *table = shared_table();
    kc_once *once = kc_once_attach(table, *state);
    char text[32];
    int i, again = 0;

    for (i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "login-%d", i);
        assert_int_equal(kc_once_use(once, text), 1);
    }
    /* Few share a place with a later one: about 1000 * 1000 / 2 / 32768 = 15. */
    for (i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "login-%d", i);
        again += kc_once_use(once, text);
    }
    assert_in_range(again, 0, 40);
    munmap(table, kc_once_size());
}

static void what_a_child_used_is_used(void **state)
{
    void *table = shared_table();
    kc_once *once = kc_once_attach(table, *state);
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(kc_once_use(kc_once_attach(table, *state), "login") == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(kc_once_use(once, "login"), 0);
    munmap(table, kc_once_size());
}

enum { THREADS = 8, TEXTS = 2000 };

typedef struct racer {
    kc_once *once;
    pthread_barrier_t *start;
    unsigned char won[TEXTS];
} racer;

static void *race(void *arg)
{
    racer *r = arg;
    char text[32];

    for (int i = 0; i < TEXTS; i++) {
        if (i % 100 == 0) {
            pthread_barrier_wait(r->start);
        }
        snprintf(text, sizeof(text), "raced-%d", i / 100);
        r->won[i] = (unsigned char)kc_once_use(r->once, text);
    }
    return NULL;
}

/** All threads use the same text at the same time, again and again: one use of it may pass. */
static void one_of_many_wins(void **state)
{
    static racer racers[THREADS];
    void *table = shared_table();
    kc_once *once = kc_once_attach(table, *state);
    pthread_t threads[THREADS];
    pthread_barrier_t start;

    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) {
        racers[i].once = once;
        racers[i].start = &start;
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (int text = 0; text < TEXTS / 100; text++) {
        int wins = 0;

        for (int i = 0; i < THREADS * 100; i++) {
            wins += racers[i / 100].won[text * 100 + i % 100];
        }
        assert_int_equal(wins, 1);
    }
    pthread_barrier_destroy(&start);
    munmap(table, kc_once_size());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(once_is_once),
        UNIT_TEST(remembers_a_thousand),
        UNIT_TEST(what_a_child_used_is_used),
        UNIT_TEST(one_of_many_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
