/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * httpd: everything that knows request_rec or server_rec. The files, in the order a request meets
 * them:
 *
 *   directives.c  the command table            config.c    configuration, merged and checked
 *   secret.c      where secrets come from      state.c     what must outlive a restart
 *   site.c        start-up: a server's site    watchdog.c  what runs in the background
 *   request.c     what a request is asked      endpoints.c our own URLs
 *   cookies.c     cookies in and out           store.c     httpd's small object caches
 *   errand.c      calls with a deadline        copies.c    what the store said just now
 *   carry.c       how a session travels        sessions.c  cookie to session and back
 *   memo.c        what a connection showed
 *   authn.c       session to r->user, or a     authz.c     the kc-* providers behind Require
 *                 challenge                    denial.c    the log of a denial
 *   identity.c    what the application sees    renew.c     fresh roles
 *   login.c       to Keycloak                  callback.c  and back
 *   logout.c      the end                      notices.c   what Keycloak tells
 *   revoke.c      what was ended               about.c     the session endpoint
 *   flight.c      one renewal at a time        pages.c     every refusal: page and log
 *   trouble.c     the log, once a minute
 *
 * Each has a header of its name; what directives.c reads is in config.h, flight.c serves renew.h,
 * watchdog.c site.h, and the handlers of our URLs are in endpoints.h. Here is what all include.
 */
#ifndef KC_HTTPD_MODULE_H
#define KC_HTTPD_MODULE_H

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>

#include "base/base.h"
#include "oidc/oidc.h"
#include "session/session.h"

/** The one name that the .so exports. */
extern module AP_MODULE_DECLARE_DATA __attribute__((visibility("default"))) kcauth_module;

APLOG_USE_MODULE(kcauth);

#define KC_AUTH_TYPE "Keycloak"

#endif
