/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What jose's files share: algorithms, keys, and one signature under one key. */
#ifndef KC_JOSE_KEY_H
#define KC_JOSE_KEY_H

#include "jose/jose.h"

#include <openssl/types.h>

/** Kinds of key; bits, so that an algorithm can name all that serve it. */
typedef enum kc_key_kind {
    KC_KEY_RSA = 1 << 0,
    KC_KEY_P256 = 1 << 1,
    KC_KEY_P384 = 1 << 2,
    KC_KEY_P521 = 1 << 3,
    KC_KEY_ED25519 = 1 << 4,
    KC_KEY_ED448 = 1 << 5
} kc_key_kind;

enum {
    KC_KEYS_EC = KC_KEY_P256 | KC_KEY_P384 | KC_KEY_P521,
    KC_KEYS_OKP = KC_KEY_ED25519 | KC_KEY_ED448
};

struct kc_alg {
    const char *name;   /**< in JOSE headers and metadata */
    unsigned kinds;     /**< the kinds of key that serve it */
    const char *digest; /**< OpenSSL's name; NULL where the scheme brings its own (EdDSA) */
    int pss;            /**< RSA only: RSASSA-PSS instead of PKCS #1 v1.5 */
};

/** The row of this name, or NULL. */
const kc_alg *kc_alg_find(const char *name);

/** The row as a set. */
kc_alg_set kc_alg_bit(const kc_alg *alg);

/** A public key that verifies signatures. */
typedef struct kc_jwk {
    kc_key_kind kind;
    const char *kid;   /**< or NULL */
    const kc_alg *alg; /**< the only one it may be used with, or NULL for all of its kind */
    EVP_PKEY *pkey;
} kc_jwk;

enum { KC_JWKS_MAX = 64 };

struct kc_jwks {
    int count;
    kc_jwk keys[KC_JWKS_MAX];
};

/**
 * Whether the signature over `text` holds under the key, which must be of a kind that serves the
 * algorithm (RFC 7518 section 3, RFC 8037 section 3.1). Lengths are strict.
 */
int kc_jws_verify(const kc_alg *alg, const kc_jwk *key, const void *text, apr_size_t text_len,
                  const unsigned char *signature, apr_size_t len);

#endif
