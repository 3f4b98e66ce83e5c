/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_strings.h>

#include "unit.h"

enum { PATHS = 8, ROOM = 16384 };

typedef struct page {
    const char *path;
    int status;
    const char *type;
    const char *body;
    int count;
    char request[ROOM];
} page;

struct server {
    int listener;
    const char *origin;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    page pages[PATHS];
    int unknown; /* requests for other paths */
    int delay;
};

static page *find(server *http, const char *path, apr_size_t len)
{
    page *found = http->pages;

    while (found < http->pages + PATHS && found->path) {
        if (strlen(found->path) == len && memcmp(found->path, path, len) == 0) {
            return found;
        }
        found++;
    }
    return NULL;
}

/* Bytes that the request has in all, or 0 while its header is not there. */
static apr_size_t whole_length(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n");
    const char *length = strcasestr(request, "\r\nContent-Length:");

    if (!end) {
        return 0;
    }
    return (apr_size_t)(end + 4 - request) +
           (length && length < end ? (apr_size_t)atoi(length + 17) : 0);
}

static int receive(int peer, char *request)
{
    apr_size_t len = 0;

    request[0] = '\0';
    while (whole_length(request) == 0 || len < whole_length(request)) {
        ssize_t got = recv(peer, request + len, ROOM - 1 - len, 0);

        if (got <= 0) {
            return 0;
        }
        len += (apr_size_t)got;
        request[len] = '\0';
    }
    return 1;
}

static void reply(server *http, int peer, const char *request)
{
    const char *path = strchr(request, ' ') + 1;
    char head[256];
    page answer = {.status = 404, .type = "text/plain", .body = ""};
    page *found;
    int delay;

    pthread_mutex_lock(&http->lock);
    found = find(http, path, strcspn(path, " ?"));
    if (found) {
        found->count++;
        strcpy(found->request, request);
        answer.status = found->status;
        answer.type = found->type;
        answer.body = found->body;
    } else {
        http->unknown++;
    }
    delay = http->delay;
    pthread_mutex_unlock(&http->lock);
    usleep((useconds_t)delay * 1000);
    apr_snprintf(head, sizeof(head),
                 "HTTP/1.1 %d Answer\r\nContent-Type: %s\r\nContent-Length: %" APR_SIZE_T_FMT
                 "\r\nConnection: close\r\n\r\n",
                 answer.status, answer.type, strlen(answer.body));
    if (send(peer, head, strlen(head), MSG_NOSIGNAL) < 0 ||
        send(peer, answer.body, strlen(answer.body), MSG_NOSIGNAL) < 0) {
        return; /* the client gave up, which a test may want it to */
    }
}

static void *serve(void *data)
{
    server *http = data;
    char *request = malloc(ROOM);
    int peer;

    while (request && (peer = accept(http->listener, NULL, NULL)) >= 0) {
        if (receive(peer, request)) {
            reply(http, peer, request);
        }
        close(peer);
    }
    free(request);
    return NULL;
}

static apr_status_t stop(void *data)
{
    server *http = data;

    shutdown(http->listener, SHUT_RDWR);
    pthread_join(http->thread, NULL);
    close(http->listener);
    pthread_mutex_destroy(&http->lock);
    return APR_SUCCESS;
}

/* A free port below those that the system gives to clients. */
static int listen_somewhere(int listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int port = 20000 + getpid() % 10000, attempt;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (attempt = 0; attempt < 1000; attempt++, port++) {
        address.sin_port = htons((uint16_t)port);
        if (bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0) {
            assert_int_equal(listen(listener, 64), 0);
            return port;
        }
    }
    fail_msg("no port is free");
    return 0;
}

server *server_start(apr_pool_t *pool)
{
    server *http = apr_pcalloc(pool, sizeof(*http));

    http->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(http->listener >= 0);
    http->origin = apr_psprintf(pool, "http://127.0.0.1:%d", listen_somewhere(http->listener));
    pthread_mutex_init(&http->lock, NULL);
    assert_int_equal(pthread_create(&http->thread, NULL, serve, http), 0);
    apr_pool_cleanup_register(pool, http, stop, apr_pool_cleanup_null);
    return http;
}

const char *server_origin(const server *http)
{
    return http->origin;
}

void server_answer(server *http, const char *path, int status, const char *type, const char *body)
{
    page *found;

    pthread_mutex_lock(&http->lock);
    found = find(http, path, strlen(path));
    if (!found) {
        found = http->pages;
        while (found->path) {
            found++;
        }
        assert_true(found < http->pages + PATHS);
        found->path = path;
    }
    found->status = status;
    found->type = type;
    found->body = body;
    pthread_mutex_unlock(&http->lock);
}

void server_delay(server *http, int milliseconds)
{
    pthread_mutex_lock(&http->lock);
    http->delay = milliseconds;
    pthread_mutex_unlock(&http->lock);
}

int server_count(server *http, const char *path)
{
    int count, i;

    pthread_mutex_lock(&http->lock);
    count = path ? 0 : http->unknown;
    for (i = 0; i < PATHS && http->pages[i].path; i++) {
        if (!path || strcmp(path, http->pages[i].path) == 0) {
            count += http->pages[i].count;
        }
    }
    pthread_mutex_unlock(&http->lock);
    return count;
}

const char *server_request(server *http, const char *path, apr_pool_t *pool)
{
    const char *request;
    page *found;

    pthread_mutex_lock(&http->lock);
    found = find(http, path, strlen(path));
    assert_non_null(found);
    request = apr_pstrdup(pool, found->request);
    pthread_mutex_unlock(&http->lock);
    return request;
}
