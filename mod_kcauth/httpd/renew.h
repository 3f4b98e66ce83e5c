/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Fresh roles, by one request at a time. */
#ifndef KC_HTTPD_RENEW_H
#define KC_HTTPD_RENEW_H

#include "httpd/module.h"
#include "httpd/site.h"

enum { KC_AWAY_INTERVAL = 30 /**< seconds between two attempts while Keycloak is away */ };

/**
 * Who renews a session, over all children, and over all servers that share a store (flight.c).
 * States are those of kc_flight_look and kc_flight_begin; a result is what was landed with, or NULL
 * where it is gone.
 */
kc_flight_state kc_renewal_look(request_rec *r, const kc_site *site, const char *name,
                                const char **result);
kc_flight_state kc_renewal_begin(request_rec *r, const kc_site *site, const char *name,
                                 const char **result);
void kc_renewal_land(request_rec *r, const kc_site *site, const char *name, const char *result);
/** @param seconds  before which nobody tries again */
void kc_renewal_abandon(request_rec *r, const kc_site *site, const char *name, int seconds);

/**
 * Has a session that is due renewed before a page of ours is shown: in place where it lies in the
 * store, else by a detour over the renew endpoint. The session may be another one afterwards, or
 * none.
 * @return OK to go on, or the status of a redirect or refusal
 */
int kc_renew(request_rec *r);

int kc_renew_handler(request_rec *r);

#endif
