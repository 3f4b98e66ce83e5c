/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Sealing by HMAC-SHA-256 (RFC 2104): readable, but only we can have written it.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "session/methods.h"

enum { FRONT = 1, MAC_BYTES = 32 };

static void *make(const unsigned char key[KC_KEY_BYTES])
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof(digest) - 1), OSSL_PARAM_END};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

    EVP_MAC_free(mac);
    if (ctx && !EVP_MAC_init(ctx, key, KC_KEY_BYTES, params)) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

static void destroy(void *context)
{
    EVP_MAC_CTX_free(context);
}

static int compute(EVP_MAC_CTX *ctx, const unsigned char *data, apr_size_t len, unsigned char *mac)
{
    size_t mac_len;

    /* No key given: the context goes on with the one it has. */
    return EVP_MAC_init(ctx, NULL, 0, NULL) && EVP_MAC_update(ctx, data, len) &&
           EVP_MAC_final(ctx, mac, &mac_len, MAC_BYTES) && mac_len == MAC_BYTES;
}

static int protect(void *context, unsigned char *sealed, apr_size_t data_len)
{
    return compute(context, sealed, FRONT + data_len, sealed + FRONT + data_len);
}

static int check(void *context, unsigned char *sealed, apr_size_t data_len)
{
    unsigned char mac[MAC_BYTES];

    return compute(context, sealed, FRONT + data_len, mac) &&
           CRYPTO_memcmp(mac, sealed + FRONT + data_len, MAC_BYTES) == 0;
}

const kc_seal_method kc_seal_signed = {{make, destroy}, FRONT, MAC_BYTES, protect, check};
