/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* A session becomes r->user, or there is a challenge. */
#ifndef KC_HTTPD_AUTHN_H
#define KC_HTTPD_AUTHN_H

#include "httpd/module.h"

/** Hook access_checker_ex. */
int kc_access(request_rec *r);
/** Hook check_user_id. */
int kc_authenticate(request_rec *r);

/** Hook note_auth_failure. */
int kc_note_auth_failure(request_rec *r, const char *auth_type);

#endif
