/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The log of a denial. */
#ifndef KC_HTTPD_DENIAL_H
#define KC_HTTPD_DENIAL_H

#include "httpd/module.h"

/** Hook log_transaction. */
int kc_log_denial(request_rec *r);

/** The id of a denial by a Require line. */
#define KC_DENIED "KC0801"

/** Logs a denial by a Require line, once. */
void kc_denial_report(request_rec *r);

#endif
