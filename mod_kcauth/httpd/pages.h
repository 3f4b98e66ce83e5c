/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Refusals: page and log. */
#ifndef KC_HTTPD_PAGES_H
#define KC_HTTPD_PAGES_H

#include "httpd/module.h"
#include "httpd/request.h"
#include "httpd/site.h"

/** Hook insert_error_filter. */
void kc_page_insert(request_rec *r);

/** The filter that names JSON. */
void kc_pages_register(apr_pool_t *pool);

/**
 * Refuses with a page: logs the failure with a reference, and prepares what is shown unless an
 * ErrorDocument is set.
 * @param target  where "try again" leads after a login; NULL for the home page
 * @return the HTTP status that belongs to err->fault, to be returned from a hook or handler
 */
int kc_refuse(request_rec *r, const kc_error *err, const char *target);

/** Answers with a page that leads on to a local target by itself. */
int kc_page_lead_on(request_rec *r, const char *target);

/** 503: the session store does not answer. */
int kc_refuse_away(request_rec *r);

/** The 401 for scripts: JSON that names the login URL. */
int kc_refuse_script(request_rec *r, const kc_site *site);

/** Prepares the page of a denial, before it is known whether another line lets the person in. */
const kc_page *kc_page_denial(request_rec *r, const char *missing_role);

/** Takes it back. */
void kc_page_withdraw(request_rec *r);

#endif
