/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The provider's documents in memory that all children share, so that one fetch serves them all.
 *
 * Two slots take turns: a writer fills the one that is not in use and then counts the version up,
 * which is what makes it the newest. So a writer may be killed at any point, and the older
 * documents stay. A slot carries its SHA-256: whatever several writers did to each other, and
 * however a reader was overtaken, what is not whole is not believed. Nobody waits for anybody, and
 * there is no lock to be left behind. The lease only spares the provider from being asked by many.
 */

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include <apr_strings.h>
#include <openssl/sha.h>

#include "oidc/internal.h"

typedef apr_uint64_t word;

/* What lies in a slot: this head, then the metadata, then the keys. */
typedef struct head {
    unsigned char digest[SHA256_DIGEST_LENGTH]; /* of all that follows */
    word metadata_len;
    word keys_len;
    word fetched;
} head;

enum {
    SLOT_BYTES = 128 * 1024,
    SLOT_WORDS = SLOT_BYTES / sizeof(word),
    HEAD_WORDS = sizeof(head) / sizeof(word),
    TEXT_BYTES = SLOT_BYTES - sizeof(head)
};

/* Words, not bytes, and atomic ones: two processes may touch a slot at once, see above. */
typedef struct slot {
    _Atomic(word) words[SLOT_WORDS];
} slot;

struct kc_shared {
    _Atomic(word) version;
    _Atomic(word) lease;      /* until when somebody has the right to fetch; 0: nobody */
    _Atomic(word) keys_asked; /* when keys were last fetched for an unknown kid */
    slot slots[2];
};

/* Between processes only what the machine does without a lock will do. */
static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && sizeof(word) == sizeof(long long),
              "64-bit atomics must be lock-free");
static_assert(sizeof(head) % sizeof(word) == 0, "the head is made of words");

static const apr_interval_time_t longest_lease = apr_time_from_sec(30);
static const apr_interval_time_t keys_interval = apr_time_from_sec(10);

apr_size_t kc_provider_shared_size(void)
{
    return sizeof(kc_shared);
}

void kc_provider_shared_open(void *memory)
{
    kc_shared *shared = memory;

    atomic_store(&shared->lease, 0);
    atomic_store(&shared->keys_asked, 0);
}

apr_uint64_t kc_shared_version(const kc_shared *shared)
{
    return atomic_load_explicit(&shared->version, memory_order_acquire);
}

static int seal(unsigned char *digest, const head *record, apr_size_t text_len)
{
    const unsigned char *body = (const unsigned char *)record + sizeof(record->digest);

    return SHA256(body, sizeof(*record) - sizeof(record->digest) + text_len, digest) != NULL;
}

static void load(word *to, const slot *from, apr_size_t start, apr_size_t count)
{
    apr_size_t i;

    for (i = 0; i < count; i++) {
        to[i] = atomic_load_explicit(&from->words[start + i], memory_order_relaxed);
    }
}

static apr_size_t words_for(apr_size_t bytes)
{
    return (bytes + sizeof(word) - 1) / sizeof(word);
}

/* Copies first and believes then: another process may be writing meanwhile. */
static apr_status_t read_slot(kc_documents *out, const slot *from, apr_pool_t *pool)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    apr_size_t text_len;
    head seen, *record;

    load((word *)&seen, from, 0, HEAD_WORDS);
    if (seen.metadata_len > TEXT_BYTES || seen.keys_len > TEXT_BYTES - seen.metadata_len) {
        return APR_EGENERAL;
    }
    text_len = seen.metadata_len + seen.keys_len;
    record = apr_palloc(pool, sizeof(*record) + words_for(text_len) * sizeof(word));
    *record = seen;
    load((word *)(record + 1), from, HEAD_WORDS, words_for(text_len));
    if (!seal(digest, record, text_len) || memcmp(digest, record->digest, sizeof(digest)) != 0) {
        return APR_EGENERAL;
    }
    out->metadata = (const char *)(record + 1);
    out->metadata_len = record->metadata_len;
    out->keys = out->metadata + out->metadata_len;
    out->keys_len = record->keys_len;
    out->fetched = (apr_time_t)record->fetched;
    return APR_SUCCESS;
}

apr_status_t kc_shared_read(kc_documents *out, apr_uint64_t *version, const kc_shared *shared,
                            apr_pool_t *pool)
{
    int attempt;

    /* A reader that two writers overtook tries again, with what is the newest then. */
    for (attempt = 0; attempt < 3; attempt++) {
        *version = kc_shared_version(shared);
        if (*version == 0) {
            return APR_NOTFOUND;
        }
        if (read_slot(out, &shared->slots[*version % 2], pool) == APR_SUCCESS) {
            return APR_SUCCESS;
        }
    }
    return APR_NOTFOUND;
}

apr_status_t kc_shared_write(kc_shared *shared, const kc_documents *documents, apr_pool_t *pool)
{
    word version = kc_shared_version(shared);
    slot *to = &shared->slots[(version + 1) % 2];
    apr_size_t text_len, count, i;
    head *record;

    if (documents->metadata_len > TEXT_BYTES ||
        documents->keys_len > TEXT_BYTES - documents->metadata_len) {
        return APR_ENOSPC;
    }
    text_len = documents->metadata_len + documents->keys_len;
    count = HEAD_WORDS + words_for(text_len);
    record = apr_pcalloc(pool, count * sizeof(word));
    record->metadata_len = documents->metadata_len;
    record->keys_len = documents->keys_len;
    record->fetched = (word)documents->fetched;
    memcpy(record + 1, documents->metadata, documents->metadata_len);
    memcpy((char *)(record + 1) + documents->metadata_len, documents->keys, documents->keys_len);
    if (!seal(record->digest, record, text_len)) {
        return APR_EGENERAL;
    }
    for (i = 0; i < count; i++) {
        atomic_store_explicit(&to->words[i], ((word *)record)[i], memory_order_relaxed);
    }
    /* Counted up by another meanwhile: then theirs is the newest. */
    atomic_compare_exchange_strong_explicit(&shared->version, &version, version + 1,
                                            memory_order_release, memory_order_relaxed);
    return APR_SUCCESS;
}

apr_time_t kc_shared_lease(kc_shared *shared, apr_time_t now, apr_time_t until)
{
    word held = atomic_load(&shared->lease);

    if (until > now + longest_lease) {
        until = now + longest_lease;
    }
    /* One that ends too far ahead is of a clock that was set back since: it counts as over. */
    if ((apr_time_t)held > now && (apr_time_t)held <= now + longest_lease) {
        return 0;
    }
    return atomic_compare_exchange_strong(&shared->lease, &held, (word)until) ? until : 0;
}

void kc_shared_release(kc_shared *shared, apr_time_t lease)
{
    word held = (word)lease;

    atomic_compare_exchange_strong(&shared->lease, &held, 0);
}

int kc_shared_keys_due(kc_shared *shared, apr_time_t now)
{
    word asked = atomic_load(&shared->keys_asked);

    if ((apr_time_t)asked <= now && now - (apr_time_t)asked < keys_interval) {
        return 0;
    }
    return atomic_compare_exchange_strong(&shared->keys_asked, &asked, (word)now);
}
