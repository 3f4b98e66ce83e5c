/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_strings.h>
#include <openssl/ssl.h>

#include "unit.h"

enum { STEPS = 16, CONNECTIONS = 32, ROOM = 64 * 1024 };

typedef struct step {
    const char *bytes;
    apr_size_t len;
    peer_end then;
} step;

typedef struct connection {
    peer *end;
    int socket;
    SSL *tls;
    pthread_t thread;
} connection;

struct peer {
    int listener, port;
    SSL_CTX *tls;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    connection connections[CONNECTIONS];
    int connection_count;
    step steps[STEPS];
    int step_count, delay, drip;
    char *requests[STEPS];
    int request_count;
};

static int receive(connection *line, char *buf, int len)
{
    return line->tls ? SSL_read(line->tls, buf, len) : (int)recv(line->socket, buf, (size_t)len, 0);
}

static int transmit(connection *line, const char *buf, int len)
{
    return line->tls ? SSL_write(line->tls, buf, len)
                     : (int)send(line->socket, buf, (size_t)len, MSG_NOSIGNAL);
}

/* Bytes that the request has in all, or 0 while its header is not there. */
static apr_size_t whole_length(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n");
    const char *length = strstr(request, "\r\nContent-Length:");

    if (!end) {
        return 0;
    }
    return (apr_size_t)(end + 4 - request) + (length ? (apr_size_t)atoi(length + 17) : 0);
}

/* A whole request, which the caller frees; NULL when the connection ended before. */
static char *read_request(connection *line)
{
    char *request = calloc(1, ROOM);
    apr_size_t len = 0;

    if (!request) {
        return NULL;
    }
    while (whole_length(request) == 0 || len < whole_length(request)) {
        int got = receive(line, request + len, (int)(ROOM - 1 - len));

        if (got <= 0) {
            free(request);
            return NULL;
        }
        len += (apr_size_t)got;
    }
    return request;
}

static void send_bytes(connection *line, const step *answer, int drip)
{
    apr_size_t at = 0;

    while (at < answer->len) {
        int sent = transmit(line, answer->bytes + at, drip ? 1 : (int)(answer->len - at));

        if (sent <= 0) {
            return; /* the client gave up, which a test may want it to */
        }
        at += (apr_size_t)sent;
        usleep((useconds_t)drip * 1000);
    }
}

/* Answers one request; returns 0 when the connection is over. */
static int answer(connection *line)
{
    peer *end = line->end;
    char *request = read_request(line);
    step next = {"", 0, PEER_CLOSE};
    int delay, drip;

    if (!request) {
        return 0;
    }
    pthread_mutex_lock(&end->lock);
    if (end->request_count < end->step_count) {
        next = end->steps[end->request_count];
    }
    if (end->request_count < STEPS) {
        end->requests[end->request_count++] = request;
    } else {
        free(request);
    }
    delay = end->delay;
    drip = end->drip;
    pthread_mutex_unlock(&end->lock);
    usleep((useconds_t)delay * 1000);
    send_bytes(line, &next, drip);
    if (next.then == PEER_RESET) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};

        setsockopt(line->socket, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    if (next.then == PEER_HANG) {
        char byte;

        while (receive(line, &byte, 1) > 0) {
        }
    }
    return next.then == PEER_KEEP;
}

static void *hold(void *data)
{
    connection *line = data;

    if (line->end->tls) {
        line->tls = SSL_new(line->end->tls);
        SSL_set_fd(line->tls, line->socket);
    }
    if (!line->tls || SSL_accept(line->tls) == 1) {
        while (answer(line)) {
        }
    }
    SSL_free(line->tls);
    pthread_mutex_lock(&line->end->lock);
    close(line->socket);
    line->socket = -1;
    pthread_mutex_unlock(&line->end->lock);
    return NULL;
}

static void *serve(void *data)
{
    peer *end = data;
    int accepted;

    while ((accepted = accept(end->listener, NULL, NULL)) >= 0) {
        connection *line;

        pthread_mutex_lock(&end->lock);
        assert_true(end->connection_count < CONNECTIONS);
        line = &end->connections[end->connection_count++];
        line->end = end;
        line->socket = accepted;
        pthread_create(&line->thread, NULL, hold, line);
        pthread_mutex_unlock(&end->lock);
    }
    return NULL;
}

static apr_status_t stop(void *data)
{
    peer *end = data;
    int i;

    shutdown(end->listener, SHUT_RDWR);
    pthread_join(end->thread, NULL);
    close(end->listener);
    for (i = 0; i < end->connection_count; i++) {
        pthread_mutex_lock(&end->lock);
        if (end->connections[i].socket >= 0) {
            shutdown(end->connections[i].socket, SHUT_RDWR);
        }
        pthread_mutex_unlock(&end->lock);
        pthread_join(end->connections[i].thread, NULL);
    }
    for (i = 0; i < end->request_count; i++) {
        free(end->requests[i]);
    }
    pthread_mutex_destroy(&end->lock);
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

peer *peer_start(SSL_CTX *tls, apr_pool_t *pool)
{
    peer *end = apr_pcalloc(pool, sizeof(*end));

    end->tls = tls;
    end->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(end->listener >= 0);
    end->port = listen_somewhere(end->listener);
    pthread_mutex_init(&end->lock, NULL);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to whoever has hung up */
    assert_int_equal(pthread_create(&end->thread, NULL, serve, end), 0);
    apr_pool_cleanup_register(pool, end, stop, apr_pool_cleanup_null);
    return end;
}

const char *peer_url(const peer *end, const char *path, apr_pool_t *pool)
{
    const char *host = end->tls ? "https://localhost" : "http://127.0.0.1";

    return apr_psprintf(pool, "%s:%d%s", host, end->port, path);
}

void peer_step(peer *end, const char *bytes, apr_size_t len, peer_end then)
{
    pthread_mutex_lock(&end->lock);
    assert_true(end->step_count < STEPS);
    end->steps[end->step_count++] = (step){bytes, len, then};
    pthread_mutex_unlock(&end->lock);
}

void peer_say(peer *end, const char *text, peer_end then)
{
    peer_step(end, text, strlen(text), then);
}

void peer_drip(peer *end, int milliseconds)
{
    pthread_mutex_lock(&end->lock);
    end->drip = milliseconds;
    pthread_mutex_unlock(&end->lock);
}

void peer_delay(peer *end, int milliseconds)
{
    pthread_mutex_lock(&end->lock);
    end->delay = milliseconds;
    pthread_mutex_unlock(&end->lock);
}

int peer_connections(peer *end)
{
    int count;

    pthread_mutex_lock(&end->lock);
    count = end->connection_count;
    pthread_mutex_unlock(&end->lock);
    return count;
}

int peer_requests(peer *end)
{
    int count;

    pthread_mutex_lock(&end->lock);
    count = end->request_count;
    pthread_mutex_unlock(&end->lock);
    return count;
}

const char *peer_request(peer *end, int i)
{
    const char *request;

    pthread_mutex_lock(&end->lock);
    assert_true(i < end->request_count);
    request = end->requests[i];
    pthread_mutex_unlock(&end->lock);
    return request;
}
