/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Sealing by AES-256-GCM (NIST SP 800-38D): only we can read it or have written it. Nonces are
 * random, so one key serves for some 2^32 seals; keys that are rotated never come near.
 */
#include <openssl/evp.h>

#include "base/base.h"
#include "session/methods.h"

enum { VERSION_BYTES = 1, NONCE_BYTES = 12, FRONT = VERSION_BYTES + NONCE_BYTES, TAG_BYTES = 16 };

static void *make(const unsigned char key[KC_KEY_BYTES])
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int ready = cipher && ctx && EVP_EncryptInit_ex2(ctx, cipher, key, NULL, NULL);

    EVP_CIPHER_free(cipher);
    if (!ready) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

static void destroy(void *context)
{
    EVP_CIPHER_CTX_free(context);
}

/** A new nonce for the key that the context has, then the version as associated data. */
static int begin(EVP_CIPHER_CTX *ctx, const unsigned char *sealed, int encrypt)
{
    int n;

    return EVP_CipherInit_ex2(ctx, NULL, NULL, sealed + VERSION_BYTES, encrypt, NULL) &&
           EVP_CipherUpdate(ctx, NULL, &n, sealed, VERSION_BYTES);
}

/* In GCM all data comes out of the update; the final call gives or checks the tag alone. */

static int protect(void *context, unsigned char *sealed, apr_size_t data_len)
{
    unsigned char *data = sealed + FRONT, *tag = data + data_len;
    int n;

    return kc_random_bytes(sealed + VERSION_BYTES, NONCE_BYTES) == APR_SUCCESS &&
           begin(context, sealed, 1) && EVP_CipherUpdate(context, data, &n, data, (int)data_len) &&
           EVP_CipherFinal_ex(context, tag, &n) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag);
}

static int check(void *context, unsigned char *sealed, apr_size_t data_len)
{
    unsigned char *data = sealed + FRONT, *tag = data + data_len;
    int n;

    return begin(context, sealed, 0) && EVP_CipherUpdate(context, data, &n, data, (int)data_len) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) &&
           EVP_CipherFinal_ex(context, tag, &n);
}

const kc_seal_method kc_seal_encrypted = {{make, destroy}, FRONT, TAG_BYTES, protect, check};
