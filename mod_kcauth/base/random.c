/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Random bytes and strings from OpenSSL's generator, which every child seeds for itself. */

#include "base/base.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

apr_status_t kc_random_bytes(void *buf, apr_size_t len)
{
    if (len > INT_MAX || RAND_bytes(buf, (int)len) != 1) {
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

char *kc_random_string(apr_pool_t *pool, apr_size_t bytes)
{
    unsigned char *buf = apr_palloc(pool, bytes);
    char *text = NULL;

    if (kc_random_bytes(buf, bytes) == APR_SUCCESS) {
        text = kc_base64url_string(pool, buf, bytes);
    }
    OPENSSL_cleanse(buf, bytes);
    return text;
}
