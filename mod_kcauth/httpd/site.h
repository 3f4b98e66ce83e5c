/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What a server works with, made at start-up, and what runs in the background. */
#ifndef KC_HTTPD_SITE_H
#define KC_HTTPD_SITE_H

#include "httpd/config.h"
#include "httpd/cookies.h"
#include "httpd/module.h"
#include "httpd/trouble.h"

/** What a server with a client at Keycloak works with. Made once at start-up, read only after
 * child_init. */
typedef struct kc_site {
    const kc_server_conf *conf;
    const char *callback_path;
    const char *logout_path;
    const char *renew_path;
    kc_provider *provider;         /**< made in each child; shared by the sites of one realm */
    kc_cookie session_cookies[2];  /**< on http, on https */
    kc_cookie id_token_cookies[2]; /**< the same */
    kc_cookie refresh_cookies[2];
    kc_sealer *sessions;
    kc_sealer *logins;
    kc_sealer *id_tokens;
    kc_sealer *refresh_tokens;
    kc_sealer *renewals; /**< what servers tell each other of a renewed session */
    kc_realm_key realm_key;
    kc_once *once;
    kc_flights *flights;
    kc_revocations *revocations;
    volatile apr_uint32_t *turn; /**< shared over the children: whose turn among the login slots */
    _Atomic(apr_uint64_t) *unproven; /**< the same: ends told lately that nobody had proven */
    apr_array_header_t *kept;        /**< of kc_role *: what is kept besides the own client's */
    apr_uint32_t mark;               /**< of that list */
    kc_trouble *trouble;             /**< of its realm; shared by all children */
} kc_site;

/** Whether the text is this site's issuer, but for a slash at its end. */
int kc_site_is_issuer(const kc_site *site, const char *text);

/** The site of this server, or NULL. */
kc_site *kc_site_of(const server_rec *s);

int kc_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
void kc_child_init(apr_pool_t *pchild, server_rec *s);

/** Has `each_second` called in the background, in one child at a time, where httpd has
 * mod_watchdog. */
apr_status_t kc_watchdog_register(apr_pool_t *pconf, server_rec *s,
                                  void (*each_second)(server_rec *s, apr_pool_t *pool));

/**
 * In each child, before what works in the background is made: when the child ends, `hurry` is
 * called, and what is at work is waited for.
 */
void kc_watchdog_child_init(apr_pool_t *pchild, void (*hurry)(void));

#endif
