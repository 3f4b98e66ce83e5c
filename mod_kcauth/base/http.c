/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Calls over HTTP, by libcurl. Each handle keeps its own connections; the list hands out the one
 * that was given back last, so that they stay warm.
 */

#include "config.h"

#include "base/base.h"
#include "base/text.h"

#include <apr_reslist.h>
#include <apr_strings.h>
#include <curl/curl.h>
#include <stdatomic.h>
#include <string.h>

/* Bytes of an answer. Of the header, far less than where libcurl itself gives up. */
#define MAX_BODY   (1024 * 1024)
#define MAX_HEADER (64 * 1024)

/* A token answer or a discovery document fits in without growing. */
#define FIRST_ROOM (8 * 1024)

/*
 * How long one wait for a free handle lasts. apr_reslist knows one limit for all callers, so they
 * wait in slices and look at their own deadline in between.
 */
#define WAIT_SLICE apr_time_from_msec(50)

struct kc_http {
    kc_http_options options;
    atomic_int stopped;     /* calls under way are to end */
    apr_reslist_t *handles; /* of CURL */
};

/* One call under way. */
typedef struct transfer {
    const kc_http_request *request;
    const kc_http *http;
    apr_pool_t *pool;
    const char *unsent; /* what is left of the request's body */
    char *body;         /* of the answer */
    apr_size_t len, room;
    apr_size_t header_len;
    int header_whole; /* its empty line was seen */
    char reason[CURL_ERROR_SIZE];
} transfer;

/* --- what libcurl calls --------------------------------------------------------------------- */

/* Hands over the request's body, once. */
static size_t on_send(char *buf, size_t size, size_t count, void *baton)
{
    transfer *call = baton;
    apr_size_t len = strlen(call->unsent);

    len = len < size * count ? len : size * count;
    if (len == 0) {
        return CURL_READFUNC_ABORT;
    }
    memcpy(buf, call->unsent, len);
    call->unsent += len;
    return len;
}

/*
 * When a kept connection dies before the first byte of an answer, libcurl sends the request again
 * on a new one. It must not: the provider may have read it, and a code that is sent twice kills
 * the tokens it was good for. So the body cannot be rewound.
 */
static int on_rewind(void *baton, curl_off_t offset, int origin)
{
    (void)baton;
    (void)offset;
    (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

/*
 * Takes one line of the header. Libcurl is content when the connection ends in the middle of it, so
 * we look for the empty line ourselves; a status line begins anew, since 1xx answers come before.
 */
static size_t on_header(char *data, size_t size, size_t count, void *baton)
{
    transfer *call = baton;

    if (size * count >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        call->header_whole = 0;
    } else if (size * count > 0 && (*data == '\r' || *data == '\n')) {
        call->header_whole = 1;
    }
    call->header_len += size * count;
    return call->header_len > MAX_HEADER ? 0 : size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *baton)
{
    transfer *call = baton;
    apr_size_t len = size * count;

    if (len > MAX_BODY - call->len) {
        return 0;
    }
    if (call->len + len >= call->room) {
        apr_size_t room = 2 * (call->len + len) + FIRST_ROOM;
        char *body = apr_palloc(call->pool, room);

        memcpy(body, call->body, call->len);
        call->body = body;
        call->room = room;
    }
    memcpy(call->body + call->len, data, len);
    call->len += len;
    return len;
}

/* Asked at least once a second: a call ends early when the process does. */
static int on_progress(void *baton, curl_off_t all_down, curl_off_t down, curl_off_t all_up,
                       curl_off_t up)
{
    const transfer *call = baton;

    (void)all_down;
    (void)down;
    (void)all_up;
    (void)up;
    return atomic_load(&call->http->stopped);
}

/* --- handles -------------------------------------------------------------------------------- */

/* Sets all that is the same for every call. Returns 0 when libcurl lacks something of it. */
static int set_constants(CURL *curl, const kc_http_options *options)
{
    int failed = 0;

    failed |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    failed |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    failed |= curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    failed |= curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    failed |= curl_easy_setopt(curl, CURLOPT_PROXY, "");
    failed |= curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    failed |= curl_easy_setopt(curl, CURLOPT_USERAGENT, "mod_kcauth/" PACKAGE_VERSION);
    failed |= curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    failed |= curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    failed |= curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (options->ca_file) {
        failed |= curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file);
        failed |= curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    failed |= curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_send);
    failed |= curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_rewind);
    failed |= curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    failed |= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    failed |= curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    failed |= curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    return !failed;
}

static apr_status_t make_handle(void **out, void *params, apr_pool_t *pool)
{
    CURL *curl = curl_easy_init();

    (void)pool;
    if (!curl || !set_constants(curl, params)) {
        curl_easy_cleanup(curl);
        return APR_EGENERAL;
    }
    *out = curl;
    return APR_SUCCESS;
}

static apr_status_t free_handle(void *curl, void *params, apr_pool_t *pool)
{
    (void)params;
    (void)pool;
    curl_easy_cleanup(curl);
    return APR_SUCCESS;
}

static apr_status_t undo_global_init(void *unused)
{
    (void)unused;
    curl_global_cleanup();
    return APR_SUCCESS;
}

apr_status_t kc_http_global_init(apr_pool_t *pool)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return APR_EGENERAL;
    }
    apr_pool_cleanup_register(pool, NULL, undo_global_init, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

apr_status_t kc_http_create(kc_http **out, const kc_http_options *options, apr_pool_t *pool)
{
    kc_http *http = apr_pcalloc(pool, sizeof(*http));
    apr_allocator_t *allocator;
    apr_pool_t *own;
    apr_status_t rv;

    http->options = *options;
    http->options.ca_file = apr_pstrdup(pool, options->ca_file);
    /* The list takes memory while calls are made, so its pool shares no allocator with others. */
    if ((rv = apr_allocator_create(&allocator)) != APR_SUCCESS) {
        return rv;
    }
    if ((rv = apr_pool_create_ex(&own, pool, NULL, allocator)) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return rv;
    }
    apr_allocator_owner_set(allocator, own);
    rv = apr_reslist_create(&http->handles, 0, options->max_handles, options->max_handles, 0,
                            make_handle, free_handle, &http->options, own);
    if (rv == APR_SUCCESS) {
        apr_reslist_timeout_set(http->handles, WAIT_SLICE);
        *out = http;
    }
    return rv;
}

void kc_http_stop(kc_http *http)
{
    atomic_store(&http->stopped, 1);
}

/* A handle for this call alone. APR_TIMEUP when none comes free before the deadline. */
static apr_status_t borrow(CURL **curl, kc_http *http, apr_time_t deadline)
{
    apr_status_t rv;
    void *handle;

    do {
        rv = apr_reslist_acquire(http->handles, &handle);
    } while (APR_STATUS_IS_TIMEUP(rv) && apr_time_now() < deadline);
    if (rv == APR_SUCCESS) {
        *curl = handle;
    }
    return rv;
}

/* --- one call ------------------------------------------------------------------------------- */

static int add_header(struct curl_slist **headers, apr_pool_t *pool, const char *name,
                      const char *value)
{
    struct curl_slist *longer =
        curl_slist_append(*headers, apr_pstrcat(pool, name, ":", value ? " " : "", value, NULL));

    *headers = longer ? longer : *headers;
    return longer != NULL;
}

/* The request's headers. "Expect:" keeps libcurl from asking before it sends a long body. */
static int make_headers(struct curl_slist **headers, const transfer *call)
{
    const kc_http_request *request = call->request;
    const char *accept = request->accept ? request->accept : "application/json";

    return add_header(headers, call->pool, "Accept", accept) &&
           (!request->authorization ||
            add_header(headers, call->pool, "Authorization", request->authorization)) &&
           (!request->body ||
            (add_header(headers, call->pool, "Content-Type", "application/x-www-form-urlencoded") &&
             add_header(headers, call->pool, "Expect", NULL)));
}

/* Sets all that differs from call to call: a handle remembers what the last one had. */
static int set_request(CURL *curl, transfer *call, const struct curl_slist *headers, long left,
                       long connect)
{
    const kc_http_request *request = call->request;
    int failed = 0;

    failed |= curl_easy_setopt(curl, CURLOPT_URL, request->url);
    failed |= curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    failed |= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left);
    failed |= curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect < left ? connect : left);
    failed |= curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->reason);
    failed |= curl_easy_setopt(curl, CURLOPT_READDATA, call);
    failed |= curl_easy_setopt(curl, CURLOPT_HEADERDATA, call);
    failed |= curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    failed |= curl_easy_setopt(curl, CURLOPT_XFERINFODATA, call);
    if (request->body) {
        failed |= curl_easy_setopt(curl, CURLOPT_POST, 1L);
        failed |=
            curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(request->body));
    } else {
        failed |= curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    return !failed;
}

static CURLcode perform(CURL *curl, const kc_http_options *options, transfer *call)
{
    apr_interval_time_t left = call->request->deadline - apr_time_now();
    struct curl_slist *headers = NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;

    if (left < apr_time_from_msec(1)) {
        return CURLE_OPERATION_TIMEDOUT;
    }
    if (make_headers(&headers, call) &&
        set_request(curl, call, headers, (long)apr_time_as_msec(left),
                    (long)apr_time_as_msec(options->connect_timeout))) {
        code = curl_easy_perform(curl);
    }
    if (code == CURLE_OK && !call->header_whole) {
        code = CURLE_PARTIAL_FILE;
    }
    /* Closing the connection, some day, must not write into a buffer that is gone. */
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    return code;
}

static void read_response(kc_http_response *response, CURL *curl, transfer *call)
{
    const char *type = NULL;
    long status = 0;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    type = type ? type : "";
    call->body[call->len] = '\0';
    response->status = (int)status;
    response->type = kc_text_lower(apr_pstrmemdup(call->pool, type, strcspn(type, "; \t")));
    response->body = call->body;
    response->len = call->len;
}

/* Says what went wrong: the method, the URL without its query, and libcurl's words. */
static apr_status_t explain(CURLcode code, const transfer *call, kc_error *err)
{
    const char *url = call->request->url;
    const char *method = call->request->body ? "POST" : "GET";
    const char *reason = *call->reason ? call->reason : curl_easy_strerror(code);
    int url_len = (int)strcspn(url, "?");
    kc_fault fault = KC_FAULT_AWAY;
    const char *id = "KC0202";

    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        id = "KC0203";
        break;
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_ABORTED_BY_CALLBACK:
        id = KC_HTTP_CUT;
        reason = "the connection was cut, and a POST is not sent twice";
        break;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        id = KC_HTTP_CUT;
        break;
    case CURLE_WRITE_ERROR:
        fault = KC_FAULT_PROVIDER;
        id = "KC0205";
        reason = "the answer is over 1 MiB, or its header over 64 KiB";
        break;
    case CURLE_UNSUPPORTED_PROTOCOL: /* of the answer: the URL was looked at before */
    case CURLE_WEIRD_SERVER_REPLY:
        fault = KC_FAULT_PROVIDER;
        id = "KC0206";
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        fault = KC_FAULT_PROVIDER;
        id = "KC0207";
        break;
    case CURLE_SSL_CACERT_BADFILE:
        fault = KC_FAULT_CONFIG;
        id = "KC0208";
        break;
    default:
        break;
    }
    url_len = url_len < 200 ? url_len : 200;
    return kc_fail(err, fault, id, "%s %.*s: %s", method, url_len, url, reason);
}

/* Whether a header's value has no control character, which might start another header. */
static int is_header_value(const char *value)
{
    for (; value && *value; value++) {
        if ((unsigned char)*value < ' ' || *value == 0x7f) {
            return 0;
        }
    }
    return 1;
}

apr_status_t kc_http_call(kc_http *http, const kc_http_request *request, kc_http_response *response,
                          apr_pool_t *pool, kc_error *err)
{
    transfer call = {.request = request, .http = http, .pool = pool, .unsent = request->body};
    apr_status_t rv;
    CURLcode code;
    kc_url url;
    CURL *curl;

    if (kc_url_parse(&url, request->url, pool) != APR_SUCCESS ||
        !is_header_value(request->authorization) || !is_header_value(request->accept)) {
        return kc_fail(err, KC_FAULT_CONFIG, "KC0209",
                       "a request to the provider cannot be made: its URL is not http or https, "
                       "or a header has control characters");
    }
    rv = borrow(&curl, http, request->deadline);
    if (APR_STATUS_IS_TIMEUP(rv)) {
        return kc_fail(err, KC_FAULT_AWAY, "KC0201",
                       "no connection to the provider came free in time, all %d are in use",
                       http->options.max_handles);
    }
    if (rv != APR_SUCCESS) {
        return kc_fail(err, KC_FAULT_CONFIG, "KC0210", "libcurl cannot be set up as needed");
    }
    call.body = apr_palloc(pool, FIRST_ROOM);
    call.room = FIRST_ROOM;
    code = perform(curl, &http->options, &call);
    if (code == CURLE_OK) {
        read_response(response, curl, &call);
    }
    apr_reslist_release(http->handles, curl);
    return code == CURLE_OK ? APR_SUCCESS : explain(code, &call, err);
}
