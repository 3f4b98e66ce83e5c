/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What we know of a request, and what it is asked. */
#ifndef KC_HTTPD_REQUEST_H
#define KC_HTTPD_REQUEST_H

#include "httpd/identity.h"
#include "httpd/module.h"
#include "httpd/site.h"

typedef struct kc_endpoint kc_endpoint;

/** A refusal that is under way: what the page will say (pages.c). */
typedef struct kc_page {
    int status;
    kc_fault fault;
    const char *id;           /**< KC0123 */
    const char *ref;          /**< finds the log line */
    const char *retry;        /**< local URL of the link "try again", or NULL */
    const char *missing_role; /**< of a denial */
    int json;                 /**< a script asked: the body is JSON */
} kc_page;

/** A Require line as parsed: any of its roles is enough. */
typedef struct kc_requirement {
    const char *line;          /**< as in the configuration */
    apr_array_header_t *roles; /**< of kc_role */
} kc_requirement;

/** What we know of one request_rec. */
typedef struct kc_request {
    const kc_endpoint *endpoint; /**< when the URL is one of ours */
    kc_page *page;
    kc_session *session;           /**< of the initial request only */
    const kc_told *told;           /**< of that session; NULL: not made ready yet */
    const char *session_id;        /**< its name in the store, where it lies there */
    const void *ours_by;           /**< the per_dir_config that has AuthType Keycloak */
    const char *cookies;           /**< the Cookie header as it came, before ours were hidden */
    unsigned looked : 1;           /**< session and cookies are known */
    unsigned away : 1;             /**< the store did not say whether there is a session */
    unsigned old_key : 1;          /**< the session is sealed with a key that is going out of use */
    unsigned admitted : 1;         /**< access checks are passed */
    unsigned exported : 1;         /**< the environment is filled */
    unsigned reported : 1;         /**< the denial is in the log */
    const kc_requirement *refused; /**< the first kc-* Require line that did not hold */
    const kc_requirement *held;    /**< the last one that did */
} kc_request;

/** This request's, made on first use. */
kc_request *kc_request_of(request_rec *r);

/** When it came, in seconds, as the times of a session are. */
static inline apr_int64_t kc_request_time(const request_rec *r)
{
    return apr_time_sec(r->request_time);
}

/** The request that came over the wire: subrequests and internal redirects lead back to it. */
request_rec *kc_request_initial(request_rec *r);

/** This site's public origin, without a slash at the end. Never from the Host header. */
const char *kc_request_origin(request_rec *r, const kc_site *site);

/** Whether the site is seen over https, so that its cookies are Secure. */
int kc_request_is_https(request_rec *r, const kc_site *site);

/** Whether the request came in under the origin's host and port. */
int kc_request_is_canonical(request_rec *r, const kc_site *site);

/** Whether a person navigates here, so that a redirect to a login page makes sense. */
int kc_request_is_navigation(request_rec *r);

/** Path and query of the initial request, as a target to come back to after login. */
const char *kc_request_target(request_rec *r);

/** The local URL that starts a login for a target. */
const char *kc_login_url(request_rec *r, const kc_site *site, const char *target);

/** Whether `AuthType Keycloak` is in force here. */
int kc_request_is_ours(request_rec *r);

/** Whether the method is one of two (or twice the same): OK, or 405 with Allow. GET is HEAD too. */
int kc_request_only(request_rec *r, int one, int other);

/** Reads a body of at most 64 KiB, NUL-terminated. APR_EINVAL for a bigger or broken one. */
apr_status_t kc_request_body(request_rec *r, char **body, apr_size_t *len);

/** Reads a query or an urlencoded body of at most 64 KiB; else, and where it is none, APR_EINVAL. */
apr_status_t kc_request_parameters(request_rec *r, apr_table_t **out);

/** Answers with a redirect that no cache keeps. `status` is HTTP_MOVED_TEMPORARILY or
 * HTTP_SEE_OTHER. */
int kc_redirect(request_rec *r, int status, const char *location);

#endif
