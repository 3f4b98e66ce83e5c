/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Tokens with a good signature and any content: a line of header, then the claims. They are signed
 * here, so that the rules behind the signature are reached.
 */
#include <openssl/evp.h>

#include "fuzz.h"
#include "oidc/internal.h"

static const char issuer[] = "https://sso.example.org/realms/demo";
static const apr_int64_t now = 1795500000;

/** One key pair for the whole run, the same in each. */
static EVP_PKEY *signing_key(void)
{
    static const unsigned char seed[32] = "thirty-two bytes of an Ed25519.";
    static EVP_PKEY *key;

    if (!key) {
        key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
        FUZZ_PROMISE(key != NULL);
    }
    return key;
}

static kc_jwks *public_keys(void)
{
    apr_pool_t *pool = fuzz_pool();
    unsigned char raw[32];
    size_t len = sizeof(raw);
    const char *text;
    kc_jwks *keys;

    FUZZ_PROMISE(EVP_PKEY_get_raw_public_key(signing_key(), raw, &len) == 1);
    text = apr_pstrcat(pool, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"",
                       kc_base64url_string(pool, raw, len), "\"}]}", NULL);
    FUZZ_PROMISE(kc_jwks_parse(&keys, text, strlen(text), pool, NULL) == APR_SUCCESS);
    FUZZ_PROMISE(kc_jwks_count(keys) == 1);
    return keys;
}

static const char *sign(const char *header, size_t header_len, const char *claims,
                        size_t claims_len)
{
    apr_pool_t *pool = fuzz_pool();
    const char *input = apr_pstrcat(pool, kc_base64url_string(pool, header, header_len), ".",
                                    kc_base64url_string(pool, claims, claims_len), NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char signature[64];
    size_t len = sizeof(signature);

    FUZZ_PROMISE(ctx &&
                 EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, signing_key(), NULL) == 1);
    FUZZ_PROMISE(
        EVP_DigestSign(ctx, signature, &len, (const unsigned char *)input, strlen(input)) == 1);
    EVP_MD_CTX_free(ctx);
    return apr_pstrcat(pool, input, ".", kc_base64url_string(pool, signature, len), NULL);
}

static void check_rules(const kc_jwt *jwt)
{
    const kc_id_token_rules rules = {issuer, "app", "the-nonce", "the-access-token",
                                     apr_time_from_sec(now)};
    kc_error err = {0};
    apr_int64_t exp;

    if (kc_id_token_check(jwt, &rules, &err) == APR_SUCCESS) {
        FUZZ_PROMISE(strcmp(kc_json_string(jwt->claims, "iss"), issuer) == 0);
        FUZZ_PROMISE(strcmp(kc_json_string(jwt->claims, "nonce"), "the-nonce") == 0);
        FUZZ_PROMISE(kc_json_holds(json_object_get(jwt->claims, "aud"), "app"));
        FUZZ_PROMISE(kc_json_integer(jwt->claims, "exp", &exp) && exp > now - 60);
        FUZZ_PROMISE(kc_json_string(jwt->claims, "sub") != NULL);
    } else {
        FUZZ_PROMISE(err.fault != KC_FAULT_NONE && err.id && err.text[0]);
    }
    if (kc_access_token_check(jwt, &rules, "the-sub", &err) == APR_SUCCESS) {
        FUZZ_PROMISE(strcmp(kc_json_string(jwt->claims, "iss"), issuer) == 0);
        FUZZ_PROMISE(strcmp(kc_json_string(jwt->claims, "azp"), "app") == 0);
        FUZZ_PROMISE(strcmp(kc_json_string(jwt->claims, "typ"), "Bearer") == 0);
        FUZZ_PROMISE(kc_json_integer(jwt->claims, "exp", &exp) && exp > now - 60);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *header = (const char *)data, *end = header + size;
    const char *claims = size ? memchr(header, '\n', size) : NULL;
    const char *token;
    kc_jwt *jwt;

    if (!claims) {
        return 0;
    }
    token = sign(header, (size_t)(claims - header), claims + 1, (size_t)(end - claims - 1));
    if (kc_jwt_verify(&jwt, token, public_keys(), kc_alg_all(), fuzz_pool(), NULL) == APR_SUCCESS) {
        FUZZ_PROMISE(jwt->curve_bits == 255);
        FUZZ_PROMISE(!json_object_get(jwt->header, "crit"));
        check_rules(jwt);
    }
    apr_pool_clear(fuzz_pool());
    return 0;
}
