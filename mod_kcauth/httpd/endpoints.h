/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Our own URLs. */
#ifndef KC_HTTPD_ENDPOINTS_H
#define KC_HTTPD_ENDPOINTS_H

#include "httpd/module.h"

/** Hook translate_name. */
int kc_endpoint_translate(request_rec *r);
/** Hook map_to_storage. */
int kc_endpoint_map(request_rec *r);

/** Hook handler. */
int kc_endpoint_handler(request_rec *r);

int kc_callback_handler(request_rec *r);
int kc_logout_handler(request_rec *r);

int kc_session_handler(request_rec *r);
int kc_backchannel_logout_handler(request_rec *r);
int kc_frontchannel_logout_handler(request_rec *r);
int kc_admin_action_handler(request_rec *r);

#endif
