/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* A provider's signature key: what it publishes, and the tokens that it signs. */
#ifndef KC_UNIT_SIGNER_H
#define KC_UNIT_SIGNER_H

#include <apr_pools.h>
#include <jansson.h>

#include "jose/jose.h"

typedef struct signer signer;

/** A new key, for "RS256" (2048 bits) or "EdDSA" (Ed25519), freed with the pool. */
signer *signer_new(apr_pool_t *pool, const char *alg, const char *kid);

/** A JWK set with the public half of one key. */
const char *signer_keys(const signer *key, apr_pool_t *pool);

/**
 * Lays `change`, a JSON object, over the claims. A member of it that is {} is taken away from them.
 */
void signer_change(json_t *claims, const char *change);

/** A compact JWS of the claims. @param typ of its header, or NULL */
const char *signer_token(const signer *key, const char *typ, const json_t *claims,
                         apr_pool_t *pool);

/** The same, verified as every token is before its claims are looked at. */
kc_jwt *signer_jwt(const signer *key, const char *typ, const json_t *claims, apr_pool_t *pool);

/** at_hash of a token for an ID token of this key (OpenID Connect Core 3.1.3.6). */
const char *signer_at_hash(const signer *key, const char *token, apr_pool_t *pool);

#endif
