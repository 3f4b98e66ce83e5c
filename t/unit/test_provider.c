/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The provider as the children of an httpd see it: one fetch for all, failures, newer keys. */

#include <pthread.h>
#include <string.h>

#include "oidc/oidc.h"
#include "unit.h"
#include "world.h"

enum { THREADS = WORLD_CALLS };

/* --- what is known ---------------------------------------------------------------------------- */

static void test_one_fetch_serves_all_children(void **state)
{
    world *w = world_new(*state);
    kc_provider_view view;
    int i;

    assert_int_equal(server_count(w->http, NULL), 0);
    for (i = 0; i < WORLD_CHILDREN; i++) {
        view = world_known_to(w->children[i], *state);
        assert_string_equal(view.metadata->issuer, w->issuer);
        assert_int_equal(kc_jwks_count(view.keys), 1);
    }
    assert_ptr_equal(world_known_to(w->children[2], *state).keys, view.keys);
    assert_int_equal(server_count(w->http, NULL), 2);
}

typedef struct asking {
    kc_provider *child;
    pthread_t thread;
    apr_status_t rv;
} asking;

static void *ask(void *data)
{
    asking *self = data;
    kc_provider_view view;
    kc_error err;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    self->rv = kc_provider_get(self->child, &view, world_soon(), pool, &err);
    apr_pool_destroy(pool);
    return NULL;
}

/* Threads of several children ask at once; the server is slow. */
static void ask_at_once(world *w, apr_status_t expected)
{
    asking threads[THREADS];
    int i;

    server_delay(w->http, 100);
    for (i = 0; i < THREADS; i++) {
        threads[i].child = w->children[i % WORLD_CHILDREN];
        assert_int_equal(pthread_create(&threads[i].thread, NULL, ask, &threads[i]), 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i].thread, NULL);
        assert_int_equal(threads[i].rv, expected);
    }
    server_delay(w->http, 0);
}

static void test_threads_share_a_fetch(void **state)
{
    world *w = world_new(*state);

    ask_at_once(w, APR_SUCCESS);
    assert_int_equal(server_count(w->http, NULL), 2);
}

static void test_threads_share_a_failure(void **state)
{
    world *w = world_new(*state);

    server_answer(w->http, "/.well-known/openid-configuration", 503, "text/plain", "");
    ask_at_once(w, APR_EGENERAL);
    /* Each child hears of it once; none asks a second time for now. */
    assert_true(server_count(w->http, NULL) <= WORLD_CHILDREN);
}

static void test_failure_is_remembered_for_a_while(void **state)
{
    world *w = world_new(*state);
    kc_provider_view view;
    kc_error err = {0};
    int i;

    server_answer(w->http, "/.well-known/openid-configuration", 503, "text/plain", "");
    for (i = 0; i < 3; i++) {
        err.fault = KC_FAULT_NONE;
        assert_int_equal(kc_provider_get(w->children[0], &view, world_soon(), *state, &err),
                         APR_EGENERAL);
        assert_int_equal(err.fault, KC_FAULT_AWAY);
        assert_string_equal(err.id, "KC0242");
    }
    assert_int_equal(server_count(w->http, NULL), 1);
    world_publish(w, *state);
    apr_sleep(apr_time_from_msec(2100));
    world_known_to(w->children[0], *state);
}

static void test_answers_that_are_no_documents(void **state)
{
    static const struct {
        const char *path;
        int status;
        const char *body;
        kc_fault fault;
        const char *id;
    } answers[] = {
        {"/.well-known/openid-configuration", 404, "{}", KC_FAULT_PROVIDER, "KC0243"},
        {"/.well-known/openid-configuration", 302, "", KC_FAULT_PROVIDER, "KC0243"},
        {"/.well-known/openid-configuration", 200, "<html>", KC_FAULT_PROVIDER, "KC0221"},
        {"/certs", 500, "{}", KC_FAULT_AWAY, "KC0242"},
        {"/certs", 200, "{\"keys\":[]}", KC_FAULT_PROVIDER, "KC0244"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        world *w = world_new(*state);
        kc_provider_view view;
        kc_error err = {0};

        server_answer(w->http, answers[i].path, answers[i].status, "text/html", answers[i].body);
        assert_int_equal(kc_provider_get(w->children[0], &view, world_soon(), *state, &err),
                         APR_EGENERAL);
        assert_string_equal(err.id, answers[i].id);
        assert_int_equal(err.fault, answers[i].fault);
    }
}

static void test_deadline(void **state)
{
    world *w = world_new(*state);
    apr_time_t begin = apr_time_now();
    kc_provider_view view;
    kc_error err = {0};

    server_delay(w->http, 1500);
    assert_int_equal(
        kc_provider_get(w->children[0], &view, begin + apr_time_from_msec(200), *state, &err),
        APR_EGENERAL);
    assert_int_equal(err.fault, KC_FAULT_AWAY);
    assert_true(apr_time_now() - begin < apr_time_from_msec(1000));
}

/* --- newer keys ------------------------------------------------------------------------------- */

static void test_newer_keys_at_most_every_ten_seconds(void **state)
{
    world *w = world_new(*state);
    kc_provider_view view = world_known_to(w->children[0], *state), before = view;
    kc_error err;

    world_rotate(w, *state);
    assert_int_equal(kc_provider_newer_keys(w->children[0], &view, world_soon(), *state, &err),
                     APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_NONE);
    assert_ptr_not_equal(view.keys, before.keys);
    assert_int_equal(server_count(w->http, "/certs"), 2);
    assert_int_equal(server_count(w->http, "/.well-known/openid-configuration"), 1);
    /* Who holds the older ones may go on with them. */
    assert_int_equal(kc_jwks_count(before.keys), 1);
    assert_string_equal(before.metadata->issuer, w->issuer);
    /* Not due again, in any child. */
    before = view;
    assert_int_equal(kc_provider_newer_keys(w->children[0], &view, world_soon(), *state, &err),
                     APR_SUCCESS);
    assert_ptr_equal(view.keys, before.keys);
    view = world_known_to(w->children[1], *state);
    assert_int_equal(kc_provider_newer_keys(w->children[1], &view, world_soon(), *state, &err),
                     APR_SUCCESS);
    assert_int_equal(server_count(w->http, "/certs"), 2);
}

static void test_newer_keys_of_another_child_are_taken(void **state)
{
    world *w = world_new(*state);
    kc_provider_view first = world_known_to(w->children[0], *state);
    kc_provider_view second = world_known_to(w->children[1], *state), before = second;
    kc_error err;

    world_rotate(w, *state);
    assert_int_equal(kc_provider_newer_keys(w->children[0], &first, world_soon(), *state, &err),
                     APR_SUCCESS);
    assert_int_equal(kc_provider_newer_keys(w->children[1], &second, world_soon(), *state, &err),
                     APR_SUCCESS);
    assert_ptr_not_equal(second.keys, before.keys);
    assert_int_equal(server_count(w->http, "/certs"), 2);
}

static void test_keys_stay_when_newer_ones_cannot_be_had(void **state)
{
    world *w = world_new(*state);
    kc_provider_view view = world_known_to(w->children[0], *state), before = view;
    kc_error err;

    server_answer(w->http, "/certs", 503, "text/plain", "");
    assert_int_equal(kc_provider_newer_keys(w->children[0], &view, world_soon(), *state, &err),
                     APR_SUCCESS);
    assert_int_equal(err.fault, KC_FAULT_AWAY);
    assert_ptr_equal(view.keys, before.keys);
    assert_ptr_equal(world_known_to(w->children[0], *state).keys, before.keys);
}

/* A view may be the last that holds its snapshot. */
static void test_view_outlives_the_provider(void **state)
{
    apr_pool_t *child, *request;
    kc_provider_view view;
    world *w;

    apr_pool_create(&child, *state);
    apr_pool_create(&request, *state);
    w = world_new(child);
    view = world_known_to(w->children[0], request);
    apr_pool_destroy(child);
    assert_int_equal(kc_jwks_count(view.keys), 1);
    assert_non_null(strstr(view.metadata->token_endpoint, "/token"));
    apr_pool_destroy(request);
}

/* --- the watchdog's refresh ------------------------------------------------------------------- */

static void test_refresh(void **state)
{
    world *w = world_new(*state);
    kc_provider_view before, after;
    kc_error err = {0};

    assert_int_equal(
        kc_provider_refresh(w->children[0], apr_time_from_sec(60), world_soon(), *state, &err),
        APR_SUCCESS);
    assert_int_equal(server_count(w->http, NULL), 2);
    before = world_known_to(w->children[1], *state);
    assert_int_equal(
        kc_provider_refresh(w->children[0], apr_time_from_sec(60), world_soon(), *state, &err),
        APR_SUCCESS);
    assert_int_equal(server_count(w->http, NULL), 2);
    assert_int_equal(kc_provider_refresh(w->children[0], 0, world_soon(), *state, &err),
                     APR_SUCCESS);
    assert_int_equal(server_count(w->http, NULL), 4);
    after = world_known_to(w->children[1], *state);
    assert_ptr_not_equal(after.keys, before.keys);
}

static void test_refresh_in_vain_leaves_what_is_known(void **state)
{
    world *w = world_new(*state);
    kc_provider_view before = world_known_to(w->children[0], *state);
    kc_error err = {0};

    server_answer(w->http, "/certs", 200, "application/json", "{\"keys\":[]}");
    assert_int_equal(kc_provider_refresh(w->children[0], 0, world_soon(), *state, &err),
                     APR_EGENERAL);
    assert_string_equal(err.id, "KC0244");
    assert_ptr_equal(world_known_to(w->children[0], *state).keys, before.keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(test_one_fetch_serves_all_children),
        UNIT_TEST(test_threads_share_a_fetch),
        UNIT_TEST(test_threads_share_a_failure),
        UNIT_TEST(test_failure_is_remembered_for_a_while),
        UNIT_TEST(test_answers_that_are_no_documents),
        UNIT_TEST(test_deadline),
        UNIT_TEST(test_newer_keys_at_most_every_ten_seconds),
        UNIT_TEST(test_newer_keys_of_another_child_are_taken),
        UNIT_TEST(test_keys_stay_when_newer_ones_cannot_be_had),
        UNIT_TEST(test_view_outlives_the_provider),
        UNIT_TEST(test_refresh),
        UNIT_TEST(test_refresh_in_vain_leaves_what_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
