/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The other end of a connection, byte by byte: it answers each request with the next step of a
 * script, keeps, cuts or hangs as the step says, and remembers what it was sent. For the tests of
 * calls over HTTP; server.h is for those who want pages.
 */
#ifndef KC_UNIT_PEER_H
#define KC_UNIT_PEER_H

#include <apr_pools.h>
#include <openssl/types.h>

typedef struct peer peer;

typedef enum peer_end {
    PEER_KEEP,  /**< the connection stays open for the next request */
    PEER_CLOSE, /**< closed, with a FIN */
    PEER_RESET, /**< closed, with an RST */
    PEER_HANG   /**< open, and silent until the test ends */
} peer_end;

/** Starts one on 127.0.0.1 that ends with the pool. @param tls  or NULL for plain text */
peer *peer_start(SSL_CTX *tls, apr_pool_t *pool);

/** http://127.0.0.1:PORT/path, or https://localhost:PORT/path with TLS. */
const char *peer_url(const peer *end, const char *path, apr_pool_t *pool);

/** Adds a step: `len` bytes that answer a request (they must stay), and what comes then. */
void peer_step(peer *end, const char *bytes, apr_size_t len, peer_end then);

/** The same for a text. */
void peer_say(peer *end, const char *text, peer_end then);

/** Sends the bytes of all steps one by one, with this pause between. */
void peer_drip(peer *end, int milliseconds);

/** Waits before each answer. */
void peer_delay(peer *end, int milliseconds);

/** Connections accepted so far. */
int peer_connections(peer *end);

/** Whole requests read so far. */
int peer_requests(peer *end);

/** The text of request number i, from 0. */
const char *peer_request(peer *end, int i);

#endif
