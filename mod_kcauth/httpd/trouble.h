/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The log of what goes wrong again and again. */
#ifndef KC_HTTPD_TROUBLE_H
#define KC_HTTPD_TROUBLE_H

#include "httpd/module.h"

/** How often each message of a realm was written lately. In memory that the children share. */
typedef struct kc_trouble kc_trouble;

/** Bytes of zeroed memory for so many realms, and the part of one of them. */
apr_size_t kc_trouble_size(int realms);
kc_trouble *kc_trouble_attach(void *shared, int realm);

/**
 * For a line of what goes wrong for everybody at once: once a minute for each id it is written at
 * its level, with the number of those that were held back since. Those are written at info, so that
 * a reference is found there.
 */
void kc_trouble_log(request_rec *r, int level, const char *id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/**
 * Logs a failure, with `more` after its text: what is wrong for everybody by kc_trouble_log(), what
 * one request did each time.
 */
void kc_trouble_log_error(request_rec *r, int level, const kc_error *err, const char *more);

/**
 * kc_trouble_log() of no request.
 * @param trouble  of the realm that it is about; NULL: of the server
 */
void kc_trouble_log_server(server_rec *s, kc_trouble *trouble, int level, apr_status_t rv,
                           const char *id, const char *text);

#endif
