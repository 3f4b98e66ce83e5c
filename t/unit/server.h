/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* A small HTTP server on loopback, in a thread of the test: it answers what the test told it. */
#ifndef KC_UNIT_SERVER_H
#define KC_UNIT_SERVER_H

#include <apr_pools.h>

typedef struct server server;

/** Starts one that ends with the pool. */
server *server_start(apr_pool_t *pool);

/** http://127.0.0.1:PORT */
const char *server_origin(const server *http);

/** What a path answers from now on; the strings must stay. Before, it is 404. */
void server_answer(server *http, const char *path, int status, const char *type, const char *body);

/** Lets every answer wait. */
void server_delay(server *http, int milliseconds);

/** How often a path was asked for; all paths when it is NULL. */
int server_count(server *http, const char *path);

/** The last request for a path: its header and body. */
const char *server_request(server *http, const char *path, apr_pool_t *pool);

#endif
