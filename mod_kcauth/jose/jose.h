/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * jose: signed tokens. JWK (RFC 7517), JWS (RFC 7515), JWA (RFC 7518), EdDSA (RFC 8037), JWT
 * (RFC 7519), over OpenSSL's EVP. Only public-key signatures: RS, PS and ES with 256, 384, 512,
 * and EdDSA with Ed25519 and Ed448. "none" and HS are not in the table, so no setting can bring
 * them back.
 */
#ifndef KC_JOSE_H
#define KC_JOSE_H

#include "base/base.h"

/** One algorithm of JWA; a row of a constant table. */
typedef struct kc_alg kc_alg;

/** A set of algorithms: one bit per row of that table. */
typedef apr_uint32_t kc_alg_set;

/** Every algorithm we verify. */
kc_alg_set kc_alg_all(void);

/**
 * Those of a metadata member's names (a JSON array, or NULL) that we verify; names we do not know
 * are passed over.
 */
kc_alg_set kc_alg_named(const json_t *names);

/** A JWK set: a provider's public signature keys. Immutable once parsed; threads may share it. */
typedef struct kc_jwks kc_jwks;

/**
 * Reads a JWK set. Passed over: keys of unknown kind or curve, of `use` other than "sig", with
 * `key_ops` that lack "verify", with an `alg` we do not verify or that is not their kind's,
 * symmetric keys, RSA below 2048 or above 8192 bits, keys that OpenSSL finds invalid. At most 64
 * keys are kept. A set without a usable key is no error: verification then finds none.
 * @param pool  owns the set and its EVP_PKEYs
 * @return APR_SUCCESS; APR_EGENERAL (fault PROVIDER) when the text is no JWK set
 */
KC_WARN_UNUSED apr_status_t kc_jwks_parse(kc_jwks **out, const char *text, apr_size_t len,
                                          apr_pool_t *pool, kc_error *err);

/** How many usable keys it holds. */
int kc_jwks_count(const kc_jwks *keys);

/** A JWT whose signature holds. Header and claims live as long as the pool it was read with. */
typedef struct kc_jwt {
    const kc_alg *alg;
    const char *typ; /**< as sent, or NULL */
    const char *kid; /**< as sent, or NULL */
    json_t *header;
    json_t *claims;
    int curve_bits; /**< of an EdDSA key (255, 448), which decides the hash of at_hash; else 0 */
} kc_jwt;

/**
 * Whether the text has the form of a compact JWS: three non-empty parts of base64url. Says nothing
 * about its worth.
 */
int kc_jwt_is_compact(const char *token);

/**
 * Verifies a compact JWS with a JSON payload. Refused: algorithms outside `allowed`, `crit`,
 * `b64`, `zip`, nested content (`cty`), duplicated members, over 256 KiB. Keys in the header (jwk,
 * jku, x5c, x5u) are never looked at. A key serves when its kid is the token's and its kind (and
 * alg, curve) is the algorithm's; a token without kid is accepted when exactly one key fits. The
 * payload is not parsed before its signature holds.
 * @return APR_SUCCESS; APR_NOTFOUND when no key fits (newer keys may: fetch them and try again);
 *         else APR_EGENERAL. *err is filled in both latter cases, with fault PROVIDER
 */
KC_WARN_UNUSED apr_status_t kc_jwt_verify(kc_jwt **out, const char *token, const kc_jwks *keys,
                                          kc_alg_set allowed, apr_pool_t *pool, kc_error *err);

/**
 * OpenID Connect Core 3.1.3.6: whether `hash` is the base64url of the left half of the token's
 * hash, by the hash function of the JWT's algorithm: SHA-512 for Ed25519; SHAKE256 for Ed448, of
 * which 57 bytes (half of 114, as RFC 8032 uses it) or 32 (Keycloak) are accepted. Constant time.
 */
int kc_jwt_hash_matches(const kc_jwt *jwt, const char *token, const char *hash);

#endif
