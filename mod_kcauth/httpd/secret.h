/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Where secrets come from. */
#ifndef KC_HTTPD_SECRET_H
#define KC_HTTPD_SECRET_H

#include "httpd/config.h"
#include "httpd/module.h"

/**
 * Reads a secret: the value itself, file:PATH (one newline at the end is dropped), env:NAME or
 * exec:COMMAND (its first line).
 * @return NULL, or what is wrong, for the error message of the directive
 */
const char *kc_secret_load(apr_pool_t *pool, const char *spec, const char **secret);

/** Reads the keycloak.json of Keycloak's console into the server's directives. NULL, or what is
 * wrong. */
const char *kc_keycloak_json_load(apr_pool_t *pool, const char *path, kc_server_conf *conf);

#endif
