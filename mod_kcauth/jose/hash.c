/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* at_hash and its like: OpenID Connect Core 1.0 section 3.1.3.6. */

#include "jose/key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* Half of what Ed448 takes from SHAKE256 (RFC 8032 section 5.2), and what Keycloak takes. */
enum { ED448_HALF = 57, ED448_KEYCLOAK = 32 };

/* Hashes by OpenSSL's name; `len` is how much a hash of free length gives. Returns the length. */
static apr_size_t hash_text(unsigned char *out, const char *name, apr_size_t len, const char *text)
{
    EVP_MD *digest = EVP_MD_fetch(NULL, name, NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned fixed_len = 0;
    int ok;

    ok = digest && context && EVP_DigestInit_ex2(context, digest, NULL) == 1 &&
         EVP_DigestUpdate(context, text, strlen(text)) == 1 &&
         (len ? EVP_DigestFinalXOF(context, out, len)
              : EVP_DigestFinal_ex(context, out, &fixed_len)) == 1;
    EVP_MD_CTX_free(context);
    EVP_MD_free(digest);
    return ok ? len + fixed_len : 0;
}

static int equals(const char *hash, const unsigned char *bytes, apr_size_t len)
{
    char text[EVP_MAX_MD_SIZE * 2];
    apr_size_t text_len = kc_base64url_encode(text, bytes, len);

    return len > 0 && strlen(hash) == text_len && CRYPTO_memcmp(hash, text, text_len) == 0;
}

int kc_jwt_hash_matches(const kc_jwt *jwt, const char *token, const char *hash)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    const char *digest = jwt->alg->digest;
    apr_size_t len;

    if (jwt->curve_bits == 448) {
        len = hash_text(bytes, "SHAKE256", ED448_HALF, token);
        return len == ED448_HALF &&
               (equals(hash, bytes, ED448_HALF) || equals(hash, bytes, ED448_KEYCLOAK));
    }
    len = hash_text(bytes, digest ? digest : "SHA512", 0, token);
    return equals(hash, bytes, len / 2);
}
