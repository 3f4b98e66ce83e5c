/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "unit.h"

static void *shared_memory(void)
{
    void *memory =
        mmap(NULL, kc_gate_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

static void as_many_as_the_limit_enter(void **state)
{
    kc_gate *gate = kc_gate_attach(shared_memory(), 3, *state);

    assert_true(kc_gate_enter(gate));
    assert_true(kc_gate_enter(gate));
    assert_true(kc_gate_enter(gate));
    assert_false(kc_gate_enter(gate));
    kc_gate_leave(gate);
    assert_true(kc_gate_enter(gate));
    assert_false(kc_gate_enter(gate));
}

static void leaving_an_empty_house_makes_no_room(void **state)
{
    kc_gate *gate = kc_gate_attach(shared_memory(), 1, *state);

    kc_gate_leave(gate);
    kc_gate_leave(gate);
    assert_true(kc_gate_enter(gate));
    assert_false(kc_gate_enter(gate));
}

/** A child enters, tells by a byte, and dies when its pipe closes. */
static pid_t child_inside(kc_gate *gate, int how_many, int *hold)
{
    int told[2], wait[2];
    char byte;
    pid_t child;

    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(wait), 0);
    child = fork();
    if (child == 0) {
        close(wait[1]);
        while (how_many-- > 0) {
            byte = (char)kc_gate_enter(gate);
        }
        if (write(told[1], &byte, 1) == 1) {
            (void)!read(wait[0], &byte, 1);
        }
        _exit(0);
    }
    assert_int_equal(read(told[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    close(told[0]);
    close(told[1]);
    close(wait[0]);
    *hold = wait[1];
    return child;
}

static void children_are_counted_together_and_the_dead_forgotten(void **state)
{
    kc_gate *gate = kc_gate_attach(shared_memory(), 3, *state);
    int hold;
    pid_t child = child_inside(gate, 2, &hold);

    assert_true(kc_gate_enter(gate));
    assert_false(kc_gate_enter(gate));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(hold);
    assert_true(kc_gate_enter(gate));
    assert_true(kc_gate_enter(gate));
    assert_false(kc_gate_enter(gate));
}

enum { LIMIT = 4, THREADS = 16, ROUNDS = 20000 };

typedef struct crowd {
    kc_gate *gate;
    atomic_int inside, most, entered;
} crowd;

static void *come_and_go(void *data)
{
    crowd *all = data;
    int i, now, most;

    for (i = 0; i < ROUNDS; i++) {
        if (kc_gate_enter(all->gate)) {
            now = atomic_fetch_add(&all->inside, 1) + 1;
            most = atomic_load(&all->most);
            while (now > most && !atomic_compare_exchange_weak(&all->most, &most, now)) {
            }
            atomic_fetch_add(&all->entered, 1);
            atomic_fetch_sub(&all->inside, 1);
            kc_gate_leave(all->gate);
        }
    }
    return NULL;
}

static void a_crowd_never_exceeds_the_limit(void **state)
{
    crowd all = {kc_gate_attach(shared_memory(), LIMIT, *state), 0, 0, 0};
    pthread_t threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &all), 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(atomic_load(&all.most) <= LIMIT);
    assert_true(atomic_load(&all.entered) > 0);
    for (i = 0; i < LIMIT; i++) {
        assert_true(kc_gate_enter(all.gate)); /* all have left */
    }
    assert_false(kc_gate_enter(all.gate));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(as_many_as_the_limit_enter),
        UNIT_TEST(leaving_an_empty_house_makes_no_room),
        UNIT_TEST(children_are_counted_together_and_the_dead_forgotten),
        UNIT_TEST(a_crowd_never_exceeds_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
