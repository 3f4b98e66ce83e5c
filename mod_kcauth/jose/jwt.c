/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Compact JWS with a JSON payload: RFC 7515 sections 5.2 and 7.1, RFC 7519 section 7.2, RFC 8725.
 * Nothing of a token is believed before its signature holds, except which key and algorithm it
 * asks for, and these must be ours.
 */

#include "jose/key.h"

#include <openssl/evp.h>
#include <string.h>

enum { MAX_TOKEN = 256 * 1024 };

/* A text inside the token; not terminated. */
typedef struct slice {
    const char *text;
    apr_size_t len;
} slice;

typedef struct compact {
    slice header, payload, signature;
    slice input; /* what was signed: header, dot, payload */
} compact;

/* Takes base64url characters up to `end`. Returns 0 when there are none, or others too. */
static int take_part(slice *part, const char **at, char end)
{
    part->text = *at;
    part->len = strspn(*at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    *at += part->len;
    return part->len > 0 && *(*at)++ == end;
}

static int split(compact *out, const char *token)
{
    const char *at = token;

    if (!take_part(&out->header, &at, '.') || !take_part(&out->payload, &at, '.') ||
        !take_part(&out->signature, &at, '\0')) {
        return 0;
    }
    out->input.text = token;
    out->input.len = out->header.len + 1 + out->payload.len;
    return 1;
}

int kc_jwt_is_compact(const char *token)
{
    compact parts;

    return split(&parts, token);
}

static unsigned char *decode(const slice *part, apr_size_t *len, apr_pool_t *pool)
{
    unsigned char *bytes = apr_palloc(pool, part->len);

    return kc_base64url_decode(bytes, len, part->text, part->len) == APR_SUCCESS ? bytes : NULL;
}

static apr_status_t unreadable(kc_error *err, const char *what, const char *why)
{
    return kc_fail(err, KC_FAULT_PROVIDER, "KC0303", "the token's %s is not readable: %s", what,
                   why);
}

/* Reads a part that is a JSON object; `what` names it in the error. */
static apr_status_t read_object(json_t **out, const slice *part, const char *what, apr_pool_t *pool,
                                kc_error *err)
{
    const char *why = "it is not base64url";
    apr_size_t len;
    const char *text = (const char *)decode(part, &len, pool);

    if (!text || kc_json_parse(out, text, len, pool, &why) != APR_SUCCESS) {
        return unreadable(err, what, why);
    }
    return APR_SUCCESS;
}

/* The header's string, or NULL when absent. Returns 0 when it is there and no string. */
static int optional_string(const char **out, const json_t *header, const char *name)
{
    *out = kc_json_string(header, name);
    return *out || !json_object_get(header, name);
}

/* RFC 7515 section 4.1: what the token asks for, and whether we may grant it. */
static apr_status_t check_header(kc_jwt *jwt, kc_alg_set allowed, kc_error *err)
{
    static const char *const refused[] = {"crit", "b64", "zip", "cty"};
    const char *alg = kc_json_string(jwt->header, "alg");
    apr_size_t i;

    jwt->alg = alg ? kc_alg_find(alg) : NULL;
    if (!jwt->alg || !(kc_alg_bit(jwt->alg) & allowed)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0304",
                       "the token's algorithm '%.16s' is not one that may be used", alg ? alg : "");
    }
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (json_object_get(jwt->header, refused[i])) {
            return kc_fail(err, KC_FAULT_PROVIDER, "KC0305",
                           "the token's header has '%s', which is not supported", refused[i]);
        }
    }
    if (!optional_string(&jwt->typ, jwt->header, "typ") ||
        !optional_string(&jwt->kid, jwt->header, "kid")) {
        return unreadable(err, "header", "its typ or kid is no string");
    }
    return APR_SUCCESS;
}

static int fits(const kc_jwk *key, const kc_jwt *jwt)
{
    return (key->kind & jwt->alg->kinds) && (!key->alg || key->alg == jwt->alg) &&
           (!jwt->kid || (key->kid && strcmp(key->kid, jwt->kid) == 0));
}

static apr_status_t check_keys(const kc_jwt *jwt, const kc_jwks *keys, kc_error *err)
{
    int found = 0, i;

    for (i = 0; i < keys->count; i++) {
        found += fits(&keys->keys[i], jwt);
    }
    if (found == 0) {
        kc_fail(err, KC_FAULT_PROVIDER, "KC0306",
                "the provider has no key for the token (alg %s, kid '%.64s')", jwt->alg->name,
                jwt->kid ? jwt->kid : "");
        return APR_NOTFOUND;
    }
    if (found > 1 && !jwt->kid) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0307",
                       "the token names no key, and %d keys of the provider fit", found);
    }
    return APR_SUCCESS;
}

static int curve_bits(kc_key_kind kind)
{
    switch (kind) {
    case KC_KEY_ED25519:
        return 255;
    case KC_KEY_ED448:
        return 448;
    default:
        return 0;
    }
}

/* Several keys may have one kid (RFC 7517 section 4.5), so each that fits is tried. */
static apr_status_t check_signature(kc_jwt *jwt, const compact *parts, const kc_jwks *keys,
                                    apr_pool_t *pool, kc_error *err)
{
    apr_size_t len;
    unsigned char *signature = decode(&parts->signature, &len, pool);
    int i;

    for (i = 0; signature && i < keys->count; i++) {
        const kc_jwk *key = &keys->keys[i];

        if (fits(key, jwt) &&
            kc_jws_verify(jwt->alg, key, parts->input.text, parts->input.len, signature, len)) {
            jwt->curve_bits = curve_bits(key->kind);
            return APR_SUCCESS;
        }
    }
    return kc_fail(err, KC_FAULT_PROVIDER, "KC0308",
                   "the token's signature does not hold (alg %s, kid '%.64s')", jwt->alg->name,
                   jwt->kid ? jwt->kid : "");
}

apr_status_t kc_jwt_verify(kc_jwt **out, const char *token, const kc_jwks *keys, kc_alg_set allowed,
                           apr_pool_t *pool, kc_error *err)
{
    kc_jwt *jwt = apr_pcalloc(pool, sizeof(*jwt));
    compact parts;
    apr_status_t rv;

    if (strlen(token) > MAX_TOKEN || !split(&parts, token)) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0302",
                       "the token is not a signed JWT in compact form, or too long");
    }
    rv = read_object(&jwt->header, &parts.header, "header", pool, err);
    if (rv == APR_SUCCESS) {
        rv = check_header(jwt, allowed, err);
    }
    if (rv == APR_SUCCESS) {
        rv = check_keys(jwt, keys, err);
    }
    if (rv == APR_SUCCESS) {
        rv = check_signature(jwt, &parts, keys, pool, err);
    }
    if (rv == APR_SUCCESS) {
        rv = read_object(&jwt->claims, &parts.payload, "payload", pool, err);
    }
    if (rv == APR_SUCCESS) {
        *out = jwt;
    }
    return rv;
}
