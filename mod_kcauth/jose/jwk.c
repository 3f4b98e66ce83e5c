/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* JWK sets, RFC 7517: from JSON to the public keys that OpenSSL verifies signatures with. */

#include "jose/key.h"

#include <apr_strings.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

enum { RSA_MIN_BITS = 2048, RSA_MAX_BITS = 8192 };

/* A curve by its name in RFC 7518 section 6.2.1.1 or RFC 8037 section 2. */
typedef struct named_curve {
    const char *crv;
    const char *kty;
    const char *name; /* OpenSSL's, of the group or of the key type */
    kc_key_kind kind;
    apr_size_t len; /* bytes of a coordinate, or of an OKP key */
} named_curve;

/* clang-format off */
static const named_curve curves[] = {
    {"P-256",   "EC",  "P-256",   KC_KEY_P256,    32},
    {"P-384",   "EC",  "P-384",   KC_KEY_P384,    48},
    {"P-521",   "EC",  "P-521",   KC_KEY_P521,    66},
    {"Ed25519", "OKP", "ED25519", KC_KEY_ED25519, 32},
    {"Ed448",   "OKP", "ED448",   KC_KEY_ED448,   57}
};
/* clang-format on */

/* The member's bytes, or NULL when it is absent or no base64url. */
static unsigned char *read_bytes(const json_t *jwk, const char *name, apr_size_t *len,
                                 apr_pool_t *pool)
{
    const char *text = kc_json_string(jwk, name);
    unsigned char *bytes = text ? apr_palloc(pool, strlen(text)) : NULL;

    if (!bytes || kc_base64url_decode(bytes, len, text, strlen(text)) != APR_SUCCESS) {
        return NULL;
    }
    return bytes;
}

/* A public key of OpenSSL's kind `type`, checked, or NULL. */
static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY_CTX *check = NULL;
    EVP_PKEY *key = NULL;

    if (params && make && EVP_PKEY_fromdata_init(make) == 1 &&
        EVP_PKEY_fromdata(make, &key, EVP_PKEY_PUBLIC_KEY, params) == 1) {
        check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
        if (!check || EVP_PKEY_public_check(check) != 1) {
            EVP_PKEY_free(key);
            key = NULL;
        }
    }
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_CTX_free(make);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *read_rsa(const json_t *jwk, OSSL_PARAM_BLD *build, apr_pool_t *pool)
{
    apr_size_t n_len, e_len;
    unsigned char *n_bytes = read_bytes(jwk, "n", &n_len, pool);
    unsigned char *e_bytes = read_bytes(jwk, "e", &e_len, pool);
    BIGNUM *n, *e;
    EVP_PKEY *key = NULL;

    /* The room beyond the modulus is for leading zeros, which some providers send. */
    if (!n_bytes || !e_bytes || n_len > RSA_MAX_BITS / 8 + 8 || e_len > 8) {
        return NULL;
    }
    n = BN_bin2bn(n_bytes, (int)n_len, NULL);
    e = BN_bin2bn(e_bytes, (int)e_len, NULL);
    if (n && e && BN_num_bits(n) >= RSA_MIN_BITS && BN_num_bits(n) <= RSA_MAX_BITS &&
        BN_is_odd(e) && !BN_is_one(e) && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e)) {
        key = make_key("RSA", build);
    }
    BN_free(n);
    BN_free(e);
    return key;
}

static EVP_PKEY *read_ec(const json_t *jwk, const named_curve *curve, OSSL_PARAM_BLD *build,
                         apr_pool_t *pool)
{
    apr_size_t x_len, y_len;
    unsigned char *x = read_bytes(jwk, "x", &x_len, pool);
    unsigned char *y = read_bytes(jwk, "y", &y_len, pool);
    unsigned char *point = apr_palloc(pool, 1 + 2 * curve->len);

    if (!x || !y || x_len != curve->len || y_len != curve->len) {
        return NULL;
    }
    point[0] = 0x04; /* uncompressed: both coordinates follow (SEC 1 section 2.3.3) */
    memcpy(point + 1, x, x_len);
    memcpy(point + 1 + x_len, y, y_len);
    if (!OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve->name, 0) ||
        !OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
                                          1 + 2 * curve->len)) {
        return NULL;
    }
    return make_key("EC", build);
}

static EVP_PKEY *read_okp(const json_t *jwk, const named_curve *curve, OSSL_PARAM_BLD *build,
                          apr_pool_t *pool)
{
    apr_size_t len;
    unsigned char *x = read_bytes(jwk, "x", &len, pool);

    if (!x || len != curve->len ||
        !OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, x, len)) {
        return NULL;
    }
    return make_key(curve->name, build);
}

static const named_curve *find_curve(const json_t *jwk)
{
    const char *crv = kc_json_string(jwk, "crv");
    apr_size_t i;

    for (i = 0; crv && i < sizeof(curves) / sizeof(curves[0]); i++) {
        if (strcmp(curves[i].crv, crv) == 0) {
            return &curves[i];
        }
    }
    return NULL;
}

/* The public key and its kind; NULL for one that we have no use for. */
static EVP_PKEY *read_key(kc_key_kind *kind, const json_t *jwk, OSSL_PARAM_BLD *build,
                          apr_pool_t *pool)
{
    const char *kty = kc_json_string(jwk, "kty");
    const named_curve *curve;

    if (!kty) {
        return NULL;
    }
    if (strcmp(kty, "RSA") == 0) {
        *kind = KC_KEY_RSA;
        return read_rsa(jwk, build, pool);
    }
    curve = find_curve(jwk);
    if (!curve || strcmp(curve->kty, kty) != 0) {
        return NULL;
    }
    *kind = curve->kind;
    return curve->kind & KC_KEYS_EC ? read_ec(jwk, curve, build, pool)
                                    : read_okp(jwk, curve, build, pool);
}

/* Whether a member is absent or a string with something in it. */
static int is_optional_string(const json_t *jwk, const char *name)
{
    return !json_object_get(jwk, name) || kc_json_string(jwk, name);
}

/* RFC 7517 sections 4.2 to 4.5: whether the key is meant to verify signatures. */
static int is_for_signatures(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use");
    const json_t *operations = json_object_get(jwk, "key_ops");

    return (!use || (json_is_string(use) && kc_json_holds(use, "sig"))) &&
           (!operations || (json_is_array(operations) && kc_json_holds(operations, "verify"))) &&
           is_optional_string(jwk, "alg") && is_optional_string(jwk, "kid");
}

static apr_status_t free_key(void *pkey)
{
    EVP_PKEY_free(pkey);
    return APR_SUCCESS;
}

/* Puts a key into the set unless it is one of those to be passed over. */
static void add_key(kc_jwks *set, const json_t *jwk, apr_pool_t *pool)
{
    kc_jwk *key = &set->keys[set->count];
    const char *alg = kc_json_string(jwk, "alg");
    const char *kid = kc_json_string(jwk, "kid");
    OSSL_PARAM_BLD *build;

    key->alg = alg ? kc_alg_find(alg) : NULL;
    if (!is_for_signatures(jwk) || (alg && !key->alg)) {
        return;
    }
    build = OSSL_PARAM_BLD_new();
    key->pkey = build ? read_key(&key->kind, jwk, build, pool) : NULL;
    OSSL_PARAM_BLD_free(build);
    if (!key->pkey) {
        return;
    }
    apr_pool_cleanup_register(pool, key->pkey, free_key, apr_pool_cleanup_null);
    if (!key->alg || (key->alg->kinds & key->kind)) {
        key->kid = kid ? apr_pstrdup(pool, kid) : NULL;
        set->count++;
    }
}

apr_status_t kc_jwks_parse(kc_jwks **out, const char *text, apr_size_t len, apr_pool_t *pool,
                           kc_error *err)
{
    kc_jwks *set = apr_pcalloc(pool, sizeof(*set));
    const char *why = "it has no list of keys";
    json_t *root = NULL, *keys = NULL;
    apr_pool_t *scratch;
    size_t i;

    apr_pool_create(&scratch, pool);
    if (kc_json_parse(&root, text, len, scratch, &why) == APR_SUCCESS) {
        keys = json_object_get(root, "keys");
    }
    if (!json_is_array(keys)) {
        kc_fail(err, KC_FAULT_PROVIDER, "KC0301", "the provider's key set is not readable: %s",
                why);
        apr_pool_destroy(scratch);
        return APR_EGENERAL;
    }
    ERR_set_mark();
    for (i = 0; i < json_array_size(keys) && set->count < KC_JWKS_MAX; i++) {
        add_key(set, json_array_get(keys, i), pool);
    }
    ERR_pop_to_mark();
    apr_pool_destroy(scratch);
    *out = set;
    return APR_SUCCESS;
}

int kc_jwks_count(const kc_jwks *keys)
{
    return keys->count;
}
