/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The documents in shared memory: whole or not there, whoever writes, dies or scribbles. */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "oidc/internal.h"
#include "unit.h"

enum { NOW = 1800000000, BIG = 60000 };

static kc_shared *memory(apr_pool_t *pool)
{
    return apr_pcalloc(pool, kc_provider_shared_size());
}

static kc_documents documents(const char *metadata, const char *keys)
{
    const kc_documents both = {metadata, strlen(metadata), keys, strlen(keys), NOW};

    return both;
}

static void test_empty(void **state)
{
    kc_documents found;
    apr_uint64_t version;
    kc_shared *shared = memory(*state);

    assert_int_equal(kc_shared_version(shared), 0);
    assert_int_equal(kc_shared_read(&found, &version, shared, *state), APR_NOTFOUND);
}

static void test_newest_is_read(void **state)
{
    static const char *const texts[] = {"first", "the second", "3", "", "number five"};
    kc_shared *shared = memory(*state);
    apr_size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const kc_documents written = documents(texts[i], "some keys");
        kc_documents found;
        apr_uint64_t version;

        assert_int_equal(kc_shared_write(shared, &written, *state), APR_SUCCESS);
        assert_int_equal(kc_shared_read(&found, &version, shared, *state), APR_SUCCESS);
        assert_int_equal(version, i + 1);
        assert_int_equal(kc_shared_version(shared), version);
        assert_int_equal(found.metadata_len, strlen(texts[i]));
        assert_memory_equal(found.metadata, texts[i], found.metadata_len);
        assert_int_equal(found.keys_len, strlen("some keys"));
        assert_memory_equal(found.keys, "some keys", found.keys_len);
        assert_int_equal(found.fetched, NOW);
    }
}

static void test_too_big(void **state)
{
    kc_shared *shared = memory(*state);
    kc_documents written = documents("small", "keys");

    written.metadata = apr_pcalloc(*state, kc_provider_shared_size());
    written.metadata_len = kc_provider_shared_size() / 2;
    assert_int_equal(kc_shared_write(shared, &written, *state), APR_ENOSPC);
    written.metadata_len = (apr_size_t)-1;
    assert_int_equal(kc_shared_write(shared, &written, *state), APR_ENOSPC);
    assert_int_equal(kc_shared_version(shared), 0);
}

/* Any byte of the memory that is not as it was written: the document is gone, nothing else. */
static void test_scribbled_memory_is_not_believed(void **state)
{
    const kc_documents written = documents("{\"issuer\": \"a\"}", "{\"keys\": []}");
    kc_shared *shared = memory(*state);
    unsigned char *bytes = (unsigned char *)shared;
    apr_size_t changed = 0, at;
    kc_documents found;
    apr_uint64_t version;

    assert_int_equal(kc_shared_write(shared, &written, *state), APR_SUCCESS);
    /* Past the counters; the first write goes to the second slot. */
    for (at = 64; at < kc_provider_shared_size(); at++) {
        apr_status_t rv;

        if (!bytes[at]) {
            continue;
        }
        bytes[at] ^= 0xff;
        rv = kc_shared_read(&found, &version, shared, *state);
        assert_int_equal(rv, APR_NOTFOUND);
        bytes[at] ^= 0xff;
        changed++;
    }
    assert_true(changed > 60);
    memset(bytes + 64, 0xff, kc_provider_shared_size() - 64);
    assert_int_equal(kc_shared_read(&found, &version, shared, *state), APR_NOTFOUND);
    assert_int_equal(kc_shared_write(shared, &written, *state), APR_SUCCESS);
    assert_int_equal(kc_shared_read(&found, &version, shared, *state), APR_SUCCESS);
}

/* A document all of one letter, which also its keys are made of: a mixture would show. */
static void write_letters(kc_shared *shared, char letter, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, BIG);
    kc_documents written = {text, BIG - letter, text, (apr_size_t)letter * 10, letter};

    memset(text, letter, BIG);
    assert_int_equal(kc_shared_write(shared, &written, pool), APR_SUCCESS);
}

typedef enum outcome { NOTHING, WHOLE, TORN } outcome;

static outcome read_letters(kc_shared *shared, apr_pool_t *pool)
{
    kc_documents found;
    apr_uint64_t version;
    apr_size_t i;

    if (kc_shared_read(&found, &version, shared, pool) != APR_SUCCESS) {
        return NOTHING;
    }
    if (found.metadata_len != BIG - (apr_size_t)found.fetched ||
        found.keys_len != (apr_size_t)found.fetched * 10) {
        return TORN;
    }
    for (i = 0; i < found.metadata_len + found.keys_len; i++) {
        if (found.metadata[i] != (char)found.fetched) {
            return TORN;
        }
    }
    return WHOLE;
}

typedef struct writer {
    kc_shared *shared;
    char first, last;
    atomic_int *stop;
    int rounds;
} writer;

static void *keep_writing(void *data)
{
    writer *self = data;
    char letter = self->first;

    while (!atomic_load(self->stop)) {
        apr_pool_t *pool;

        apr_pool_create(&pool, NULL);
        write_letters(self->shared, letter, pool);
        apr_pool_destroy(pool);
        letter = (char)(letter == self->last ? self->first : letter + 1);
        self->rounds++;
    }
    return NULL;
}

/* Two writers at once, which the lease prevents unless one was thought to be dead. */
static void test_reads_are_never_torn(void **state)
{
    kc_shared *shared = memory(*state);
    atomic_int done = 0;
    writer writers[] = {{shared, 'a', 'm', &done, 0}, {shared, 'n', 'z', &done, 0}};
    pthread_t threads[2];
    int i, outcomes[3] = {0};

    write_letters(shared, 'A', *state);
    assert_int_equal(read_letters(shared, *state), WHOLE);
    for (i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, keep_writing, &writers[i]), 0);
    }
    for (i = 0; i < 2000; i++) {
        apr_pool_t *pool;

        apr_pool_create(&pool, *state);
        outcomes[read_letters(shared, pool)]++;
        apr_pool_destroy(pool);
    }
    atomic_store(&done, 1);
    for (i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_true(writers[i].rounds > 0);
    }
    assert_int_equal(outcomes[TORN], 0);
    assert_true(outcomes[WHOLE] > 0);
}

static void test_writer_killed_at_any_point(void **state)
{
    kc_shared *shared = mmap(NULL, kc_provider_shared_size(), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int round;

    assert_ptr_not_equal(shared, MAP_FAILED);
    write_letters(shared, 'A', *state);
    for (round = 0; round < 60; round++) {
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
            atomic_int never = 0;
            writer self = {shared, 'a', 'z', &never, 0};

            alarm(10); /* should this test not come to kill it */
            keep_writing(&self);
        }
        usleep((useconds_t)(500 + rand() % 3000));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        assert_int_equal(read_letters(shared, *state), WHOLE);
        write_letters(shared, 'B', *state);
        assert_int_equal(read_letters(shared, *state), WHOLE);
    }
    munmap(shared, kc_provider_shared_size());
}

static void test_lease(void **state)
{
    const apr_time_t now = apr_time_from_sec(NOW), second = apr_time_from_sec(1);
    kc_shared *shared = memory(*state);
    apr_time_t lease = kc_shared_lease(shared, now, now + 5 * second);

    assert_int_equal(lease, now + 5 * second);
    assert_int_equal(kc_shared_lease(shared, now + second, now + 9 * second), 0);
    kc_shared_release(shared, lease);
    lease = kc_shared_lease(shared, now + second, now + 9 * second);
    assert_int_equal(lease, now + 9 * second);
    /* Whoever had it was killed: it is over by itself, and then another's. */
    lease = kc_shared_lease(shared, now + 9 * second, now + 20 * second);
    assert_int_equal(lease, now + 20 * second);
    kc_shared_release(shared, now + 9 * second);
    assert_int_equal(kc_shared_lease(shared, now + 10 * second, now + 21 * second), 0);
    kc_shared_release(shared, lease);
    /* However far the deadline, and however far the clock is set back. */
    assert_int_equal(kc_shared_lease(shared, now, now + 3600 * second), now + 30 * second);
    assert_int_equal(kc_shared_lease(shared, now - 3600 * second, now - 3590 * second),
                     now - 3590 * second);
}

static void test_keys_are_due_once_in_a_while(void **state)
{
    const apr_time_t now = apr_time_from_sec(NOW), second = apr_time_from_sec(1);
    kc_shared *shared = memory(*state);

    assert_true(kc_shared_keys_due(shared, now));
    assert_false(kc_shared_keys_due(shared, now));
    assert_false(kc_shared_keys_due(shared, now + 10 * second - 1));
    assert_true(kc_shared_keys_due(shared, now + 10 * second));
    assert_false(kc_shared_keys_due(shared, now + 11 * second));
    /* The clock was set back. */
    assert_true(kc_shared_keys_due(shared, now - 3600 * second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_empty),
        UNIT_TEST(test_newest_is_read),
        UNIT_TEST(test_too_big),
        UNIT_TEST(test_scribbled_memory_is_not_believed),
        UNIT_TEST(test_reads_are_never_torn),
        UNIT_TEST(test_writer_killed_at_any_point),
        UNIT_TEST(test_lease),
        UNIT_TEST(test_keys_are_due_once_in_a_while),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
