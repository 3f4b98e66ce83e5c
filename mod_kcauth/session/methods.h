/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The two ways to seal. Both work in place on [front][data][back], where the front begins with the
 * format version. Private to the room.
 */
#ifndef KC_SESSION_METHODS_H
#define KC_SESSION_METHODS_H

#include "session/contexts.h"

typedef struct kc_seal_method {
    kc_context_type context;
    apr_size_t front; /**< bytes before the data */
    apr_size_t back;  /**< bytes after it */

    /** Fills in front (but for the version) and back, and hides the data if need be. 1 or 0. */
    int (*protect)(void *context, unsigned char *sealed, apr_size_t data_len);

    /** Undoes that. 1, or 0 when a bit differs; the data is then worthless. */
    int (*check)(void *context, unsigned char *sealed, apr_size_t data_len);
} kc_seal_method;

/** [version][data][HMAC-SHA-256 of both] */
extern const kc_seal_method kc_seal_signed;

/** [version][nonce][data, AES-256-GCM][tag]; the version is authenticated with it. */
extern const kc_seal_method kc_seal_encrypted;

#endif
