/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The providers behind `Require kc-...`. */
#ifndef KC_HTTPD_AUTHZ_H
#define KC_HTTPD_AUTHZ_H

#include "httpd/module.h"

/** The providers behind Require. */
void kc_authz_register(apr_pool_t *pool);

#endif
