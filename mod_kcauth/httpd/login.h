/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The way to Keycloak. */
#ifndef KC_HTTPD_LOGIN_H
#define KC_HTTPD_LOGIN_H

#include "httpd/cookies.h"
#include "httpd/module.h"
#include "httpd/site.h"

int kc_login_handler(request_rec *r);

/** Sends the browser to Keycloak, to come back to `target`. `attempt` counts the tries at one
 * login. Returns a handler's status. */
int kc_login_start(request_rec *r, const char *target, unsigned attempt);

/** The same without a page (prompt=none), for a session that has no refresh token. */
int kc_login_start_silent(request_rec *r, const char *target);

/** A cookie of a login under way, by its slot. */
kc_cookie kc_login_cookie(request_rec *r, const kc_site *site, unsigned slot);

#endif
