/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Keys of every kind, and tokens whose every byte the test decides: for the tests of jose itself.
 */
#ifndef KC_UNIT_KEYPAIR_H
#define KC_UNIT_KEYPAIR_H

#include <apr_pools.h>
#include <openssl/evp.h>

#include "jose/jose.h"

/** A new key that serves the algorithm; of Ed25519 for "EdDSA", of Ed448 for "Ed448". */
EVP_PKEY *keypair_new(const char *alg);

/** The public half as a JWK, with further members (",\"kid\":\"a\"") or "". */
const char *keypair_jwk(EVP_PKEY *key, const char *members, apr_pool_t *pool);

/** A parsed JWK set of the JWKs (joined by commas). */
kc_jwks *keypair_set(const char *jwks, apr_pool_t *pool);

/** Base64url of the text. */
const char *keypair_text(const char *text, apr_pool_t *pool);

/** Base64url of the signature of `input` as the algorithm has it (ES: r and s, PS: the salt). */
const char *keypair_signature(EVP_PKEY *key, const char *alg, const char *input, apr_pool_t *pool);

/** A compact JWS with exactly this header and payload. */
const char *keypair_token(EVP_PKEY *key, const char *alg, const char *header, const char *payload,
                          apr_pool_t *pool);

#endif
