/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * From an administrator's secret to a key. Private to the room.
 */
#ifndef KC_SESSION_KEYS_H
#define KC_SESSION_KEYS_H

#include "session/session.h"

enum {
    KC_FORMAT_VERSION = 1, /**< of all that lies in a seal; one byte */
    KC_SECRET_MIN = 32,    /**< bytes */
    KC_KEY_BYTES = 32      /**< of HMAC-SHA-256 and of AES-256 */
};

/**
 * HKDF with SHA-256, RFC 5869: extract, then expand.
 * @param salt  may be NULL when salt_len is 0
 * @param info  may be NULL when info_len is 0
 * @return APR_SUCCESS; APR_EGENERAL when OpenSSL refuses
 */
KC_WARN_UNUSED apr_status_t kc_hkdf(unsigned char *out, apr_size_t out_len, const kc_secret *secret,
                                    const void *salt, apr_size_t salt_len, const void *info,
                                    apr_size_t info_len);

/**
 * The key that this secret gives for this kind of seal and this binding.
 * @return APR_SUCCESS; APR_EINVAL for a secret under KC_SECRET_MIN bytes; APR_EGENERAL
 */
KC_WARN_UNUSED apr_status_t kc_key_derive(unsigned char out[KC_KEY_BYTES], const kc_secret *secret,
                                          kc_seal_kind kind, const kc_seal_binding *binding,
                                          apr_pool_t *pool);

#endif
