/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include "signer.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "unit.h"

struct signer {
    const char *alg;
    const char *kid;
    EVP_PKEY *pkey;
};

static int is_rsa(const signer *key)
{
    return strcmp(key->alg, "RS256") == 0;
}

static apr_status_t free_key(void *pkey)
{
    EVP_PKEY_free(pkey);
    return APR_SUCCESS;
}

signer *signer_new(apr_pool_t *pool, const char *alg, const char *kid)
{
    signer *key = apr_palloc(pool, sizeof(*key));

    key->alg = alg;
    key->kid = kid;
    key->pkey = is_rsa(key) ? EVP_RSA_gen(2048) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(key->pkey);
    apr_pool_cleanup_register(pool, key->pkey, free_key, apr_pool_cleanup_null);
    return key;
}

static const char *number(const signer *key, const char *name, apr_pool_t *pool)
{
    unsigned char bytes[512];
    BIGNUM *value = NULL;
    int len;

    assert_int_equal(EVP_PKEY_get_bn_param(key->pkey, name, &value), 1);
    len = BN_bn2bin(value, bytes);
    BN_free(value);
    return kc_base64url_string(pool, bytes, (apr_size_t)len);
}

const char *signer_keys(const signer *key, apr_pool_t *pool)
{
    unsigned char point[32];
    size_t len = sizeof(point);

    if (is_rsa(key)) {
        return apr_psprintf(pool,
                            "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\","
                            "\"kid\":\"%s\",\"n\":\"%s\",\"e\":\"%s\"}]}",
                            key->kid, number(key, OSSL_PKEY_PARAM_RSA_N, pool),
                            number(key, OSSL_PKEY_PARAM_RSA_E, pool));
    }
    assert_int_equal(EVP_PKEY_get_raw_public_key(key->pkey, point, &len), 1);
    return apr_psprintf(pool,
                        "{\"keys\":[{\"kty\":\"OKP\",\"use\":\"sig\",\"alg\":\"EdDSA\","
                        "\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":\"%s\"}]}",
                        key->kid, kc_base64url_string(pool, point, len));
}

void signer_change(json_t *claims, const char *change)
{
    json_t *changes = json_loads(change, 0, NULL);
    const char *name;
    json_t *value;

    assert_non_null(changes);
    json_object_foreach(changes, name, value)
    {
        if (json_is_object(value) && json_object_size(value) == 0) {
            json_object_del(claims, name);
        } else {
            json_object_set(claims, name, value);
        }
    }
    json_decref(changes);
}

static const char *encoded(const json_t *object, apr_pool_t *pool)
{
    char *text = json_dumps(object, JSON_COMPACT);
    const char *result;

    assert_non_null(text);
    result = kc_base64url_string(pool, text, strlen(text));
    free(text);
    return result;
}

static const char *signature(const signer *key, const char *input, apr_pool_t *pool)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *digest = is_rsa(key) ? EVP_sha256() : NULL;
    unsigned char bytes[512];
    size_t len = sizeof(bytes);

    assert_int_equal(EVP_DigestSignInit(context, NULL, digest, NULL, key->pkey), 1);
    assert_int_equal(
        EVP_DigestSign(context, bytes, &len, (const unsigned char *)input, strlen(input)), 1);
    EVP_MD_CTX_free(context);
    return kc_base64url_string(pool, bytes, len);
}

const char *signer_token(const signer *key, const char *typ, const json_t *claims, apr_pool_t *pool)
{
    json_t *header = json_pack("{s:s, s:s, s:s*}", "alg", key->alg, "kid", key->kid, "typ", typ);
    const char *input;

    assert_non_null(header);
    input = apr_pstrcat(pool, encoded(header, pool), ".", encoded(claims, pool), NULL);
    json_decref(header);
    return apr_pstrcat(pool, input, ".", signature(key, input, pool), NULL);
}

kc_jwt *signer_jwt(const signer *key, const char *typ, const json_t *claims, apr_pool_t *pool)
{
    const char *text = signer_keys(key, pool);
    kc_error err = {0};
    kc_jwks *keys;
    kc_jwt *jwt;

    assert_int_equal(kc_jwks_parse(&keys, text, strlen(text), pool, &err), APR_SUCCESS);
    if (kc_jwt_verify(&jwt, signer_token(key, typ, claims, pool), keys, kc_alg_all(), pool, &err) !=
        APR_SUCCESS) {
        fail_msg("%s %s", err.id, err.text);
    }
    return jwt;
}

const char *signer_at_hash(const signer *key, const char *token, apr_pool_t *pool)
{
    const EVP_MD *digest = is_rsa(key) ? EVP_sha256() : EVP_sha512();
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len;

    assert_int_equal(EVP_Digest(token, strlen(token), bytes, &len, digest, NULL), 1);
    return kc_base64url_string(pool, bytes, len / 2);
}
