/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>
#include <openssl/err.h>

#include "session/keys.h"
#include "session/session.h"
#include "unit.h"

static const kc_seal_binding binding = {"session", "kcauth", "https://sso.example.org/realms/demo",
                                        "app"};
static const unsigned char bytes_a[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                          11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                          22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
static const unsigned char bytes_b[40] = "another secret, which is longer: 40 byte";
static const kc_secret secret_a = {bytes_a, sizeof(bytes_a)};
static const kc_secret secret_b = {bytes_b, sizeof(bytes_b)};
static const kc_seal_kind kinds[] = {KC_SEAL_SIGNED, KC_SEAL_ENCRYPTED};

#define EACH_KIND(kind) /* NOLINTNEXTLINE(bugprone-macro-parentheses): it declares a name */ \
    for (const kc_seal_kind *kind = kinds; kind < kinds + sizeof(kinds) / sizeof(kinds[0]); kind++)

static kc_sealer *sealer_for(apr_pool_t *pool, kc_seal_kind kind, const kc_seal_binding *bound,
                             const kc_secret *secret)
{
    kc_sealer *sealer;

    assert_int_equal(kc_sealer_create(&sealer, kind, bound, secret, 1, pool), APR_SUCCESS);
    return sealer;
}

static kc_sealer *sealer_a(apr_pool_t *pool, kc_seal_kind kind)
{
    return sealer_for(pool, kind, &binding, &secret_a);
}

/** Opens in a block as large as promised to be enough: a sanitizer sees each byte beyond. */
static apr_status_t opens(kc_sealer *sealer, const char *text, apr_size_t text_len,
                          const char *expected, int *old_key)
{
    unsigned char *buf = malloc(text_len * 3 / 4 + 1);
    const unsigned char *data;
    apr_size_t len;
    apr_status_t rv;

    assert_non_null(buf);
    rv = kc_unseal(sealer, text, text_len, buf, &data, &len, old_key);
    if (rv == APR_SUCCESS) {
        assert_int_equal(len, strlen(expected));
        assert_memory_equal(data, expected, len);
    } else {
        assert_int_equal(rv, APR_EINVAL);
        assert_null(data);
        assert_int_equal(len, 0);
    }
    free(buf);
    return rv;
}

static char *sealed(kc_sealer *sealer, const char *data, apr_pool_t *pool)
{
    apr_size_t text_len;
    char *text = kc_seal(sealer, data, strlen(data), pool, &text_len);

    assert_non_null(text);
    assert_int_equal(text_len, strlen(text));
    return text;
}

static void opens_what_it_sealed(void **state)
{
    static const char *const data[] = {
        "", "x", "hello", "exactly as long as two blocks...",
        "0123456789012345678901234567890123456789012345678901234567"};

    EACH_KIND(kind)
    {
        kc_sealer *sealer = sealer_a(*state, *kind);

        for (int round = 0; round < 3; round++) {
            for (apr_size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
                char *text = sealed(sealer, data[i], *state);
                int old_key = 7;

                assert_int_equal(opens(sealer, text, strlen(text), data[i], &old_key), APR_SUCCESS);
                assert_int_equal(old_key, 0);
                assert_int_equal(opens(sealer, text, strlen(text), data[i], NULL), APR_SUCCESS);
            }
        }
    }
}

static void opens_the_biggest_session(void **state)
{
    char *data = apr_palloc(*state, 30001);

    memset(data, 'r', 30000);
    data[30000] = '\0';
    EACH_KIND(kind)
    {
        kc_sealer *sealer = sealer_a(*state, *kind);
        char *text = sealed(sealer, data, *state);

        assert_int_equal(opens(sealer, text, strlen(text), data, NULL), APR_SUCCESS);
    }
}

static void too_much_is_not_sealed(void **state)
{
    static const char nothing[1];

    EACH_KIND(kind)
    {
        assert_null(kc_seal(sealer_a(*state, *kind), nothing, 16 * 1024 * 1024, *state, NULL));
        assert_null(kc_seal(sealer_a(*state, *kind), nothing, (apr_size_t)-1, *state, NULL));
    }
}

/** Computed apart, with Python's hmac and cryptography: the format and the derivation of keys. */
static void the_format_is_this(void **state)
{
    static const char signed_text[] = "AWhlbGxveP7Mo0mig_xkEFQGUab-2zlAmNKI4pbN5i49_ABOy6s";
    static const char encrypted_text[] = "AQABAgMEBQYHCAkKC3ruu4DynaHePC4dUPRC5DxnBlHuRg";
    kc_sealer *sealer = sealer_a(*state, KC_SEAL_SIGNED);

    assert_string_equal(sealed(sealer, "hello", *state), signed_text);
    assert_int_equal(opens(sealer, signed_text, strlen(signed_text), "hello", NULL), APR_SUCCESS);
    sealer = sealer_a(*state, KC_SEAL_ENCRYPTED);
    assert_int_equal(opens(sealer, encrypted_text, strlen(encrypted_text), "hello", NULL),
                     APR_SUCCESS);
}

static void encrypted_hides_and_never_repeats(void **state)
{
    kc_sealer *sealer = sealer_a(*state, KC_SEAL_ENCRYPTED);
    char *first = sealed(sealer, "the same words", *state);
    char *second = sealed(sealer, "the same words", *state);
    unsigned char raw[64];
    apr_size_t len;

    assert_string_not_equal(first, second);
    assert_int_equal(kc_base64url_decode(raw, &len, first, strlen(first)), APR_SUCCESS);
    assert_memory_not_equal(raw + len - 16 - 14, "the same words", 14);
}

static void every_flipped_bit_is_refused(void **state)
{
    EACH_KIND(kind)
    {
        kc_sealer *sealer = sealer_a(*state, *kind);
        char *text = sealed(sealer, "admin=0", *state);
        unsigned char raw[128];
        apr_size_t len;

        assert_int_equal(kc_base64url_decode(raw, &len, text, strlen(text)), APR_SUCCESS);
        for (apr_size_t bit = 0; bit < len * 8; bit++) {
            raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
            text = kc_base64url_string(*state, raw, len);
            assert_int_equal(opens(sealer, text, strlen(text), "", NULL), APR_EINVAL);
            raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        text = kc_base64url_string(*state, raw, len);
        assert_int_equal(opens(sealer, text, strlen(text), "admin=0", NULL), APR_SUCCESS);
    }
}

static void every_other_spelling_is_refused(void **state)
{
    EACH_KIND(kind)
    {
        kc_sealer *sealer = sealer_a(*state, *kind);
        char *text = sealed(sealer, "admin=0", *state);
        apr_size_t len = strlen(text);

        for (apr_size_t i = 0; i < len; i++) {
            char kept = text[i];

            for (int c = 0; c < 256; c++) {
                text[i] = (char)c;
                assert_int_equal(opens(sealer, text, len, "admin=0", NULL),
                                 text[i] == kept ? APR_SUCCESS : APR_EINVAL);
            }
            text[i] = kept;
        }
        for (apr_size_t cut = 0; cut < len; cut++) {
            assert_int_equal(opens(sealer, text, cut, "", NULL), APR_EINVAL);
        }
        text = apr_pstrcat(*state, text, "A", NULL);
        assert_int_equal(opens(sealer, text, len + 1, "", NULL), APR_EINVAL);
    }
}

static void other_bindings_are_refused(void **state)
{
    static const kc_seal_binding others[] = {
        {"state", "kcauth", "https://sso.example.org/realms/demo", "app"},
        {"session", "__Host-kcauth", "https://sso.example.org/realms/demo", "app"},
        {"session", "kcauth", "https://sso.example.org/realms/other", "app"},
        {"session", "kcauth", "https://sso.example.org/realms/demo", "app2"},
        {"sessionk", "cauth", "https://sso.example.org/realms/demo", "app"},
        {"session", "kcauth", "https://sso.example.org/realms/dem", "oapp"},
        {"", "", "", ""},
    };

    EACH_KIND(kind)
    {
        kc_sealer *ours = sealer_a(*state, *kind);
        char *text = sealed(ours, "hello", *state);

        for (apr_size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
            kc_sealer *other = sealer_for(*state, *kind, &others[i], &secret_a);

            assert_int_equal(opens(other, text, strlen(text), "", NULL), APR_EINVAL);
            text = sealed(other, "hello", *state);
            assert_int_equal(opens(ours, text, strlen(text), "", NULL), APR_EINVAL);
            text = sealed(ours, "hello", *state);
        }
    }
}

static void the_other_kind_is_refused(void **state)
{
    kc_sealer *one = sealer_a(*state, KC_SEAL_SIGNED);
    kc_sealer *other = sealer_a(*state, KC_SEAL_ENCRYPTED);
    char *text = sealed(one, "hello, signed, with room for a nonce", *state);

    assert_int_equal(opens(other, text, strlen(text), "", NULL), APR_EINVAL);
    text = sealed(other, "hello, encrypted, with room for a MAC", *state);
    assert_int_equal(opens(one, text, strlen(text), "", NULL), APR_EINVAL);
}

static void old_keys_open_and_say_so(void **state)
{
    const kc_secret both[] = {secret_b, secret_a};

    EACH_KIND(kind)
    {
        kc_sealer *before = sealer_a(*state, *kind), *rotated;
        char *old_text = sealed(before, "hello", *state), *new_text;
        int old_key;

        assert_int_equal(kc_sealer_create(&rotated, *kind, &binding, both, 2, *state), APR_SUCCESS);
        assert_int_equal(opens(rotated, old_text, strlen(old_text), "hello", &old_key),
                         APR_SUCCESS);
        assert_int_equal(old_key, 1);
        new_text = sealed(rotated, "hello", *state);
        assert_int_equal(opens(rotated, new_text, strlen(new_text), "hello", &old_key),
                         APR_SUCCESS);
        assert_int_equal(old_key, 0);
        assert_int_equal(opens(before, new_text, strlen(new_text), "", &old_key), APR_EINVAL);
        assert_int_equal(old_key, 0);
    }
}

static void bad_secrets_are_refused(void **state)
{
    const kc_secret shorter = {bytes_a, 31}, none = {bytes_a, 0};
    const kc_secret second_short[] = {secret_a, shorter};
    kc_secret nine[9];
    kc_sealer *sealer;

    for (int i = 0; i < 9; i++) {
        nine[i] = secret_a;
    }
    EACH_KIND(kind)
    {
        assert_int_equal(kc_sealer_create(&sealer, *kind, &binding, &shorter, 1, *state),
                         APR_EINVAL);
        assert_null(sealer);
        assert_int_equal(kc_sealer_create(&sealer, *kind, &binding, &none, 1, *state), APR_EINVAL);
        assert_int_equal(kc_sealer_create(&sealer, *kind, &binding, second_short, 2, *state),
                         APR_EINVAL);
        assert_int_equal(kc_sealer_create(&sealer, *kind, &binding, nine, 9, *state), APR_EINVAL);
        assert_int_equal(kc_sealer_create(&sealer, *kind, &binding, nine, 0, *state), APR_EINVAL);
        assert_int_equal(kc_sealer_create(&sealer, *kind, &binding, nine, 8, *state), APR_SUCCESS);
    }
}

/** RFC 5869, appendix A.1 to A.3: those with SHA-256. */
static void hkdf_gives_the_vectors_of_its_rfc(void **state)
{
    static const unsigned char okm1[] = {
        0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36,
        0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56,
        0xec, 0xc4, 0xc5, 0xbf, 0x34, 0x00, 0x72, 0x08, 0xd5, 0xb8, 0x87, 0x18, 0x58, 0x65};
    static const unsigned char okm2[] = {
        0xb1, 0x1e, 0x39, 0x8d, 0xc8, 0x03, 0x27, 0xa1, 0xc8, 0xe7, 0xf7, 0x8c, 0x59, 0x6a,
        0x49, 0x34, 0x4f, 0x01, 0x2e, 0xda, 0x2d, 0x4e, 0xfa, 0xd8, 0xa0, 0x50, 0xcc, 0x4c,
        0x19, 0xaf, 0xa9, 0x7c, 0x59, 0x04, 0x5a, 0x99, 0xca, 0xc7, 0x82, 0x72, 0x71, 0xcb,
        0x41, 0xc6, 0x5e, 0x59, 0x0e, 0x09, 0xda, 0x32, 0x75, 0x60, 0x0c, 0x2f, 0x09, 0xb8,
        0x36, 0x77, 0x93, 0xa9, 0xac, 0xa3, 0xdb, 0x71, 0xcc, 0x30, 0xc5, 0x81, 0x79, 0xec,
        0x3e, 0x87, 0xc1, 0x4c, 0x01, 0xd5, 0xc1, 0xf3, 0x43, 0x4f, 0x1d, 0x87};
    static const unsigned char okm3[] = {
        0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f, 0x71, 0x5f, 0x80, 0x2a, 0x06, 0x3c,
        0x5a, 0x31, 0xb8, 0xa1, 0x1f, 0x5c, 0x5e, 0xe1, 0x87, 0x9e, 0xc3, 0x45, 0x4e, 0x5f,
        0x3c, 0x73, 0x8d, 0x2d, 0x9d, 0x20, 0x13, 0x95, 0xfa, 0xa4, 0xb6, 0x1a, 0x96, 0xc8};
    unsigned char all[256], same[22], out[82];
    kc_secret ikm = {same, sizeof(same)};

    (void)state;
    for (int i = 0; i < 256; i++) {
        all[i] = (unsigned char)i;
    }
    memset(same, 0x0b, sizeof(same));
    assert_int_equal(kc_hkdf(out, 42, &ikm, all, 13, all + 0xf0, 10), APR_SUCCESS);
    assert_memory_equal(out, okm1, 42);
    assert_int_equal(kc_hkdf(out, 42, &ikm, NULL, 0, NULL, 0), APR_SUCCESS);
    assert_memory_equal(out, okm3, 42);
    ikm.bytes = all;
    ikm.len = 80;
    assert_int_equal(kc_hkdf(out, 82, &ikm, all + 0x60, 80, all + 0xb0, 80), APR_SUCCESS);
    assert_memory_equal(out, okm2, 82);
}

/** The server's TLS code looks at the thread's queue of errors after its own calls. */
static void no_error_is_left_in_openssl(void **state)
{
    EACH_KIND(kind)
    {
        kc_sealer *sealer = sealer_a(*state, *kind);
        char *text = sealed(sealer, "hello", *state);

        text[4] = text[4] == 'A' ? 'B' : 'A';
        ERR_clear_error();
        assert_int_equal(opens(sealer, text, strlen(text), "", NULL), APR_EINVAL);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

enum { THREADS = 24, ROUNDS = 400 };

typedef struct hammer {
    kc_sealer *sealer;
    char data[40];
    int failures;
} hammer;

static void *work(void *arg)
{
    hammer *h = arg;
    unsigned char buf[256];
    const unsigned char *data;
    apr_size_t len, text_len;
    apr_pool_t *pool;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        h->failures++;
        return NULL;
    }
    for (int i = 0; i < ROUNDS; i++) {
        char *text = kc_seal(h->sealer, h->data, sizeof(h->data), pool, &text_len);

        if (!text || kc_unseal(h->sealer, text, text_len, buf, &data, &len, NULL) != APR_SUCCESS ||
            len != sizeof(h->data) || memcmp(data, h->data, len) != 0) {
            h->failures++;
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

/** More threads than there are slots for contexts, so that some must share. */
static void threads_share_a_sealer(void **state)
{
    EACH_KIND(kind)
    {
        kc_sealer *sealer = sealer_a(*state, *kind);
        pthread_t threads[THREADS];
        hammer hammers[THREADS];

        for (int i = 0; i < THREADS; i++) {
            memset(&hammers[i], 0, sizeof(hammers[i]));
            memset(hammers[i].data, 'a' + i, sizeof(hammers[i].data));
            hammers[i].sealer = sealer;
            assert_int_equal(pthread_create(&threads[i], NULL, work, &hammers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            assert_int_equal(hammers[i].failures, 0);
        }
    }
}

/** What a child seals, as read from a pipe. The child inherits the parent's context. */
static char *sealed_by_child(kc_sealer *sealer, const char *data, apr_pool_t *pool)
{
    char *text = apr_pcalloc(pool, 256);
    int pipes[2], status;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *sent = kc_seal(sealer, data, strlen(data), pool, NULL);

        _exit(sent && write(pipes[1], sent, strlen(sent)) == (ssize_t)strlen(sent) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(read(pipes[0], text, 255) > 0);
    close(pipes[0]);
    close(pipes[1]);
    return text;
}

static void children_share_a_sealer(void **state)
{
    EACH_KIND(kind)
    {
        kc_sealer *sealer = sealer_a(*state, *kind);
        char *ours = sealed(sealer, "hello", *state);
        char *one = sealed_by_child(sealer, "hello", *state);
        char *two = sealed_by_child(sealer, "hello", *state);

        assert_int_equal(opens(sealer, ours, strlen(ours), "hello", NULL), APR_SUCCESS);
        assert_int_equal(opens(sealer, one, strlen(one), "hello", NULL), APR_SUCCESS);
        assert_int_equal(opens(sealer, two, strlen(two), "hello", NULL), APR_SUCCESS);
        if (*kind == KC_SEAL_ENCRYPTED) {
            assert_string_not_equal(one, two);
        }
    }
}

static void a_session_makes_a_small_cookie(void **state)
{
    kc_names_builder roles;
    kc_session alice = {.sub = "3f6c2c4e-7a0c-4c55-9d1e-0a3f5b7c9d11",
                        .username = "alice",
                        .name = "Alice Liddell",
                        .email = "alice@example.org",
                        .sid = "z0R8aN2y3zOoztwzY6ykdltA",
                        .acr = "1",
                        .roles_from = "access token"};
    unsigned char record[512];
    apr_size_t text_len;

    kc_names_init(&roles, *state);
    assert_int_equal(kc_names_add(&roles, "admin"), APR_SUCCESS);
    alice.roles = kc_names_list(&roles);
    assert_true(kc_session_length(&alice) <= sizeof(record));
    kc_session_write(&alice, record);
    EACH_KIND(kind)
    {
        assert_non_null(
            kc_seal(sealer_a(*state, *kind), record, kc_session_length(&alice), *state, &text_len));
        assert_in_range(text_len, 1, 350);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(opens_what_it_sealed),
        UNIT_TEST(opens_the_biggest_session),
        UNIT_TEST(too_much_is_not_sealed),
        UNIT_TEST(the_format_is_this),
        UNIT_TEST(encrypted_hides_and_never_repeats),
        UNIT_TEST(every_flipped_bit_is_refused),
        UNIT_TEST(every_other_spelling_is_refused),
        UNIT_TEST(other_bindings_are_refused),
        UNIT_TEST(the_other_kind_is_refused),
        UNIT_TEST(old_keys_open_and_say_so),
        UNIT_TEST(bad_secrets_are_refused),
        UNIT_TEST(hkdf_gives_the_vectors_of_its_rfc),
        UNIT_TEST(no_error_is_left_in_openssl),
        UNIT_TEST(threads_share_a_sealer),
        UNIT_TEST(children_share_a_sealer),
        UNIT_TEST(a_session_makes_a_small_cookie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
