/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/base.h"
#include "peer.h"
#include "unit.h"

#define JSON_ANSWER \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
#define MIB (1024 * 1024)

static apr_pool_t *process_pool;

static int start_process(void **state)
{
    (void)state;
    /* What the environment says of proxies must not matter: nothing listens on port 9. */
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("https_proxy", "http://127.0.0.1:9", 1);
    setenv("all_proxy", "http://127.0.0.1:9", 1);
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&process_pool, NULL) != APR_SUCCESS) {
        return -1;
    }
    return kc_http_global_init(process_pool) == APR_SUCCESS ? 0 : -1;
}

static int end_process(void **state)
{
    (void)state;
    apr_pool_destroy(process_pool);
    apr_terminate();
    return 0;
}

static kc_http *make_http(int max_handles, apr_pool_t *pool)
{
    kc_http_options options = {NULL, apr_time_from_sec(2), max_handles};
    kc_http *http = NULL;

    assert_int_equal(kc_http_create(&http, &options, pool), APR_SUCCESS);
    return http;
}

static apr_status_t call_within(kc_http *http, const char *url, const char *body, int milliseconds,
                                kc_http_response *response, apr_pool_t *pool, kc_error *err)
{
    kc_http_request request = {.url = url, .body = body};

    request.deadline = apr_time_now() + apr_time_from_msec(milliseconds);
    return kc_http_call(http, &request, response, pool, err);
}

static kc_http_response get(kc_http *http, const char *url, apr_pool_t *pool)
{
    kc_http_response response;
    kc_error err = {0};

    if (call_within(http, url, NULL, 5000, &response, pool, &err) != APR_SUCCESS) {
        fail_msg("%s: %s", err.id, err.text);
    }
    return response;
}

static kc_http_response post(kc_http *http, const char *url, const char *body, apr_pool_t *pool)
{
    kc_http_response response;
    kc_error err = {0};

    if (call_within(http, url, body, 5000, &response, pool, &err) != APR_SUCCESS) {
        fail_msg("%s: %s", err.id, err.text);
    }
    return response;
}

static void assert_fails_within(kc_http *http, const char *url, const char *body, int milliseconds,
                                kc_fault fault, const char *id, apr_pool_t *pool)
{
    kc_http_response response;
    kc_error err = {0};

    assert_int_equal(call_within(http, url, body, milliseconds, &response, pool, &err),
                     APR_EGENERAL);
    if (strcmp(err.id, id) != 0 || err.fault != fault) {
        fail_msg("%s expected, but %s (%d): %s", id, err.id, err.fault, err.text);
    }
}

static void assert_fails(kc_http *http, const char *url, const char *body, kc_fault fault,
                         const char *id, apr_pool_t *pool)
{
    assert_fails_within(http, url, body, 5000, fault, id, pool);
}

/* What the peer says fails as told; the same handle then serves the next call. */
static void assert_answer_fails(const char *bytes, apr_size_t len, peer_end then, kc_fault fault,
                                const char *id, apr_pool_t *pool)
{
    peer *end = peer_start(NULL, pool);
    kc_http *http = make_http(1, pool);

    peer_step(end, bytes, len, then);
    peer_say(end, JSON_ANSWER, PEER_KEEP);
    assert_fails(http, peer_url(end, "/", pool), "a=b", fault, id, pool);
    assert_int_equal(get(http, peer_url(end, "/", pool), pool).status, 200);
}

/* --- one call ------------------------------------------------------------------------------- */

static void an_answer_is_read(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    kc_http *http = make_http(1, p);
    static const char bytes[] = "HTTP/1.1 418 Teapot\r\nContent-Length: 11\r\nContent-Type:  "
                                "Application/JWT ; charset=UTF-8\r\n\r\nhello\0world";
    kc_http_response response;

    peer_step(end, bytes, sizeof(bytes) - 1, PEER_KEEP);
    peer_say(end, "HTTP/1.1 204 No Content\r\n\r\n", PEER_KEEP);
    peer_say(end, "HTTP/1.0 200 OK\r\n\r\nuntil the end", PEER_CLOSE);
    response = get(http, peer_url(end, "/", p), p);
    assert_int_equal(response.status, 418);
    assert_string_equal(response.type, "application/jwt");
    assert_int_equal(response.len, 11);
    assert_memory_equal(response.body, "hello\0world", 12);
    response = get(http, peer_url(end, "/", p), p);
    assert_int_equal(response.status, 204);
    assert_string_equal(response.type, "");
    assert_string_equal(response.body, "");
    response = get(http, peer_url(end, "/", p), p);
    assert_string_equal(response.body, "until the end");
}

static void chunks_are_joined(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);

    peer_say(end,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n"
             "0\r\n\r\n",
             PEER_KEEP);
    peer_drip(end, 1);
    assert_string_equal(get(make_http(1, p), peer_url(end, "/", p), p).body, "{\"a\":1}");
}

static void a_get_says_who_we_are_and_nothing_more(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    const char *request;

    peer_say(end, JSON_ANSWER, PEER_KEEP);
    get(make_http(1, p), peer_url(end, "/a?b=c", p), p);
    request = peer_request(end, 0);
    assert_ptr_equal(strstr(request, "GET /a?b=c HTTP/1.1\r\n"), request);
    assert_non_null(strstr(request, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(request, "\r\nUser-Agent: mod_kcauth/"));
    assert_null(strstr(request, "Authorization"));
    assert_null(strstr(request, "Content-"));
    assert_null(strstr(request, "Cookie"));
    assert_string_equal(strstr(request, "\r\n\r\n"), "\r\n\r\n");
}

static void a_post_sends_a_form(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    kc_http *http = make_http(1, p);
    kc_http_request call = {.url = peer_url(end, "/token", p),
                            .body = "code=a%20b&state=c",
                            .accept = "application/jwt",
                            .authorization = "Basic YTpi",
                            .deadline = apr_time_now() + apr_time_from_sec(5)};
    kc_http_response response;
    const char *request;

    peer_say(end, JSON_ANSWER, PEER_KEEP);
    peer_say(end, JSON_ANSWER, PEER_KEEP);
    peer_say(end, JSON_ANSWER, PEER_KEEP);
    assert_int_equal(kc_http_call(http, &call, &response, p, NULL), APR_SUCCESS);
    request = peer_request(end, 0);
    assert_ptr_equal(strstr(request, "POST /token HTTP/1.1\r\n"), request);
    assert_non_null(strstr(request, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    assert_non_null(strstr(request, "\r\nContent-Length: 18\r\n"));
    assert_non_null(strstr(request, "\r\nAccept: application/jwt\r\n"));
    assert_non_null(strstr(request, "\r\nAuthorization: Basic YTpi\r\n"));
    assert_null(strstr(request, "Expect"));
    assert_non_null(strstr(request, "\r\n\r\ncode=a%20b&state=c"));
    /* nothing of it is left in the handle for the next call */
    get(http, peer_url(end, "/", p), p);
    assert_ptr_equal(strstr(peer_request(end, 1), "GET / "), peer_request(end, 1));
    assert_null(strstr(peer_request(end, 1), "Authorization"));
    assert_null(strstr(peer_request(end, 1), "code"));
    assert_int_equal(post(http, peer_url(end, "/", p), "", p).status, 200);
    assert_non_null(strstr(peer_request(end, 2), "\r\nContent-Length: 0\r\n"));
}

static void a_long_form_is_sent_whole(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    char *body = apr_palloc(p, 50001);

    memset(body, 'x', 50000);
    body[50000] = '\0';
    peer_say(end, JSON_ANSWER, PEER_KEEP);
    post(make_http(1, p), peer_url(end, "/", p), body, p);
    assert_string_equal(strstr(peer_request(end, 0), "\r\n\r\n") + 4, body);
}

static void redirects_are_not_followed(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    const char *target = peer_url(end, "/elsewhere", p);

    peer_say(
        end,
        apr_psprintf(p, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", target),
        PEER_KEEP);
    peer_say(end, JSON_ANSWER, PEER_KEEP);
    assert_int_equal(get(make_http(1, p), peer_url(end, "/", p), p).status, 302);
    assert_int_equal(peer_requests(end), 1);
}

static void cookies_are_not_kept(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    kc_http *http = make_http(1, p);

    peer_say(end, "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n", PEER_KEEP);
    peer_say(end, JSON_ANSWER, PEER_KEEP);
    get(http, peer_url(end, "/", p), p);
    get(http, peer_url(end, "/", p), p);
    assert_null(strstr(peer_request(end, 1), "ookie"));
}

/* --- answers that cannot be used ------------------------------------------------------------ */

static void answers_up_to_1_mib_are_read(void **state)
{
    apr_pool_t *p = *state;
    const char *head = "HTTP/1.1 200 OK\r\n\r\n";
    apr_size_t head_len = strlen(head);
    char *bytes = apr_palloc(p, head_len + MIB + 1);
    peer *end = peer_start(NULL, p);
    kc_http_response response;

    memset(bytes, 'x', head_len + MIB + 1);
    memcpy(bytes, head, head_len);
    peer_step(end, bytes, head_len + MIB, PEER_CLOSE);
    response = get(make_http(1, p), peer_url(end, "/", p), p);
    assert_int_equal(response.len, MIB);
    assert_int_equal(strspn(response.body, "x"), MIB);
    assert_answer_fails(bytes, head_len + MIB + 1, PEER_CLOSE, KC_FAULT_PROVIDER, "KC0205", p);
}

static void long_headers_are_refused(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    char *filler = apr_palloc(p, 70001);
    const char *fair, *big;

    memset(filler, 'x', 70000);
    filler[70000] = '\0';
    big = apr_psprintf(p, "HTTP/1.1 200 OK\r\nX: %s\r\nContent-Length: 0\r\n\r\n", filler);
    filler[60000] = '\0';
    fair = apr_psprintf(p, "HTTP/1.1 200 OK\r\nX: %s\r\nContent-Length: 0\r\n\r\n", filler);
    peer_say(end, fair, PEER_KEEP);
    assert_int_equal(get(make_http(1, p), peer_url(end, "/", p), p).status, 200);
    assert_answer_fails(big, strlen(big), PEER_CLOSE, KC_FAULT_PROVIDER, "KC0205", p);
}

static void endless_headers_are_refused(void **state)
{
    apr_pool_t *p = *state;
    const char *line = "HTTP/1.1 100 Continue\r\n\r\n";
    apr_size_t len = strlen(line), at;
    char *bytes = apr_palloc(p, MIB);

    for (at = 0; at + len <= MIB; at += len) {
        memcpy(bytes + at, line, len);
    }
    assert_answer_fails(bytes, at, PEER_CLOSE, KC_FAULT_PROVIDER, "KC0205", p);
}

static void what_is_no_http_is_refused(void **state)
{
    static const char *const answers[] = {
        "{\"access_token\":\"a\"}\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 banana\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\n",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        assert_answer_fails(answers[i], strlen(answers[i]), PEER_CLOSE, KC_FAULT_PROVIDER, "KC0206",
                            *state);
    }
}

static void cut_answers_are_no_answers(void **state)
{
    static const char *const answers[] = {
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"a\":1}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        assert_answer_fails(answers[i], strlen(answers[i]), PEER_CLOSE, KC_FAULT_AWAY, KC_HTTP_CUT,
                            *state);
        assert_answer_fails(answers[i], strlen(answers[i]), PEER_RESET, KC_FAULT_AWAY, KC_HTTP_CUT,
                            *state);
    }
}

static void nobody_there_is_an_outage(void **state)
{
    assert_fails(make_http(1, *state), "http://127.0.0.1:9/", NULL, KC_FAULT_AWAY, "KC0202",
                 *state);
}

static void only_http_urls_are_called(void **state)
{
    static const char *const urls[] = {"file:///etc/passwd",    "ftp://127.0.0.1/",    "/token", "",
                                       "http://u:p@127.0.0.1/", "http://127.0.0.1/a b"};
    apr_size_t i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_fails(make_http(1, *state), urls[i], NULL, KC_FAULT_CONFIG, "KC0209", *state);
    }
}

static void headers_cannot_be_smuggled_in(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    kc_http_request request = {.url = peer_url(end, "/", p),
                               .authorization = "Bearer a\r\nX-Other: b",
                               .deadline = apr_time_now() + apr_time_from_sec(5)};
    kc_http_response response;
    kc_error err = {0};

    assert_int_equal(kc_http_call(make_http(1, p), &request, &response, p, &err), APR_EGENERAL);
    assert_string_equal(err.id, "KC0209");
    assert_int_equal(peer_connections(end), 0);
}

static void errors_do_not_tell_what_was_sent(void **state)
{
    apr_pool_t *p = *state;
    kc_http_response response;
    kc_error err = {0};

    assert_int_equal(call_within(make_http(1, p), "http://127.0.0.1:9/token?t=s3cret",
                                 "code=s3cret", 5000, &response, p, &err),
                     APR_EGENERAL);
    assert_null(strstr(err.text, "s3cret"));
    assert_non_null(strstr(err.text, "POST http://127.0.0.1:9/token: "));
}

/* --- kept connections ----------------------------------------------------------------------- */

static void connections_are_kept(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    kc_http *http = make_http(4, p);
    int i;

    for (i = 0; i < 6; i++) {
        peer_say(end, JSON_ANSWER, PEER_KEEP);
        assert_int_equal(post(http, peer_url(end, "/", p), "a=b", p).status, 200);
    }
    assert_int_equal(peer_connections(end), 1);
    assert_int_equal(peer_requests(end), 6);
}

/* The provider closed it while it lay idle: that is seen, and costs a new connection only. */
static void a_post_takes_a_new_connection_when_the_kept_one_was_closed(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    kc_http *http = make_http(1, p);

    peer_say(end, JSON_ANSWER, PEER_CLOSE);
    peer_say(end, JSON_ANSWER, PEER_KEEP);
    get(http, peer_url(end, "/", p), p);
    usleep(100000);
    assert_int_equal(post(http, peer_url(end, "/", p), "code=a", p).status, 200);
    assert_int_equal(peer_connections(end), 2);
    assert_int_equal(peer_requests(end), 2);
}

/* Libcurl would send it again by itself: the provider saw it, but no byte of an answer came. */
static void a_post_that_is_cut_on_a_kept_connection_is_not_sent_again(void **state)
{
    static const peer_end cuts[] = {PEER_CLOSE, PEER_RESET};
    apr_pool_t *p = *state;
    int i;

    for (i = 0; i < 2; i++) {
        peer *end = peer_start(NULL, p);
        kc_http *http = make_http(1, p);

        peer_say(end, JSON_ANSWER, PEER_KEEP);
        peer_say(end, "", cuts[i]);
        peer_say(end, JSON_ANSWER, PEER_KEEP);
        get(http, peer_url(end, "/", p), p);
        assert_fails(http, peer_url(end, "/", p), "code=a", KC_FAULT_AWAY, KC_HTTP_CUT, p);
        usleep(100000);
        assert_int_equal(peer_requests(end), 2);
        /* the next one goes out as usual */
        assert_int_equal(post(http, peer_url(end, "/", p), "code=b", p).status, 200);
        assert_non_null(strstr(peer_request(end, 2), "\r\n\r\ncode=b"));
    }
}

/* A GET does no harm twice. This also shows that the test above would see a second POST. */
static void a_get_that_is_cut_on_a_kept_connection_is_sent_again(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    kc_http *http = make_http(1, p);

    peer_say(end, JSON_ANSWER, PEER_KEEP);
    peer_say(end, "", PEER_CLOSE);
    peer_say(end, JSON_ANSWER, PEER_KEEP);
    get(http, peer_url(end, "/", p), p);
    assert_int_equal(get(http, peer_url(end, "/", p), p).status, 200);
    assert_int_equal(peer_requests(end), 3);
}

/* --- time and handles ----------------------------------------------------------------------- */

static apr_time_t since(apr_time_t start)
{
    return apr_time_as_msec(apr_time_now() - start);
}

static void the_deadline_ends_every_wait(void **state)
{
    apr_pool_t *p = *state;
    peer *hanging = peer_start(NULL, p), *slow = peer_start(NULL, p);
    kc_http *http = make_http(2, p);
    apr_time_t start = apr_time_now();

    peer_say(hanging, "", PEER_HANG);
    peer_say(hanging, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{", PEER_HANG);
    peer_say(slow, JSON_ANSWER, PEER_KEEP);
    peer_drip(slow, 50);
    assert_fails_within(http, peer_url(hanging, "/", p), "a=b", 300, KC_FAULT_AWAY, "KC0203", p);
    assert_fails_within(http, peer_url(hanging, "/", p), NULL, 300, KC_FAULT_AWAY, "KC0203", p);
    assert_fails_within(http, peer_url(slow, "/", p), NULL, 300, KC_FAULT_AWAY, "KC0203", p);
    assert_in_range(since(start), 890, 3000);
}

static void no_time_left_means_no_call(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);

    peer_say(end, JSON_ANSWER, PEER_KEEP);
    assert_fails_within(make_http(1, p), peer_url(end, "/", p), "a=b", -1000, KC_FAULT_AWAY,
                        "KC0203", p);
    assert_int_equal(peer_connections(end), 0);
}

/* A call in a thread of its own; its pool must be its own too. */
typedef struct caller {
    kc_http *http;
    const char *url;
    int status;
} caller;

static void *run_caller(void *data)
{
    caller *self = data;
    kc_http_response response = {0};
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    if (call_within(self->http, self->url, "a=b", 5000, &response, pool, NULL) == APR_SUCCESS) {
        self->status = response.status;
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void handles_are_bounded_and_waited_for(void **state)
{
    enum { CALLERS = 6 };
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    kc_http *http = make_http(2, p);
    caller callers[CALLERS];
    pthread_t threads[CALLERS];
    int i;

    peer_delay(end, 50);
    for (i = 0; i < CALLERS; i++) {
        peer_say(end, JSON_ANSWER, PEER_KEEP);
        callers[i] = (caller){http, peer_url(end, "/", p), 0};
        assert_int_equal(pthread_create(&threads[i], NULL, run_caller, &callers[i]), 0);
    }
    for (i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].status, 200);
    }
    assert_in_range(peer_connections(end), 1, 2);
}

static void a_busy_pool_is_given_up_at_the_deadline(void **state)
{
    apr_pool_t *p = *state;
    peer *end = peer_start(NULL, p);
    kc_http *http = make_http(1, p);
    caller first = {http, peer_url(end, "/", p), 0};
    pthread_t thread;
    apr_time_t start;

    peer_delay(end, 2000);
    peer_say(end, JSON_ANSWER, PEER_KEEP);
    assert_int_equal(pthread_create(&thread, NULL, run_caller, &first), 0);
    while (peer_requests(end) == 0) {
        usleep(1000);
    }
    start = apr_time_now();
    assert_fails_within(http, peer_url(end, "/", p), "a=b", 200, KC_FAULT_AWAY, "KC0201", p);
    assert_in_range(since(start), 190, 1500);
    pthread_join(thread, NULL);
    assert_int_equal(first.status, 200);
    assert_int_equal(peer_requests(end), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(an_answer_is_read),
        UNIT_TEST(chunks_are_joined),
        UNIT_TEST(a_get_says_who_we_are_and_nothing_more),
        UNIT_TEST(a_post_sends_a_form),
        UNIT_TEST(a_long_form_is_sent_whole),
        UNIT_TEST(redirects_are_not_followed),
        UNIT_TEST(cookies_are_not_kept),
        UNIT_TEST(answers_up_to_1_mib_are_read),
        UNIT_TEST(long_headers_are_refused),
        UNIT_TEST(endless_headers_are_refused),
        UNIT_TEST(what_is_no_http_is_refused),
        UNIT_TEST(cut_answers_are_no_answers),
        UNIT_TEST(nobody_there_is_an_outage),
        UNIT_TEST(only_http_urls_are_called),
        UNIT_TEST(headers_cannot_be_smuggled_in),
        UNIT_TEST(errors_do_not_tell_what_was_sent),
        UNIT_TEST(connections_are_kept),
        UNIT_TEST(a_post_takes_a_new_connection_when_the_kept_one_was_closed),
        UNIT_TEST(a_post_that_is_cut_on_a_kept_connection_is_not_sent_again),
        UNIT_TEST(a_get_that_is_cut_on_a_kept_connection_is_sent_again),
        UNIT_TEST(the_deadline_ends_every_wait),
        UNIT_TEST(no_time_left_means_no_call),
        UNIT_TEST(handles_are_bounded_and_waited_for),
        UNIT_TEST(a_busy_pool_is_given_up_at_the_deadline),
    };

    return cmocka_run_group_tests(tests, start_process, end_process);
}
