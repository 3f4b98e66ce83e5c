/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * base64url without padding, RFC 4648 section 5. Each request of a logged-in person decodes a
 * cookie, so the loops look a table up and test for errors once, at the end.
 */

#include "base/base.h"

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* What no character of the alphabet stands for: more than six bits. */
#define XX     0x80
#define ROW_XX XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX

/* clang-format off */
static const unsigned char values[256] = {
    ROW_XX,
    ROW_XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, 62, XX, XX, /* '-' */
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, XX, XX, XX, /* '0' to '9' */
    XX,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, /* 'A' to 'O' */
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, XX, XX, XX, XX, 63, /* 'P' to 'Z', '_' */
    XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, /* 'a' to 'o' */
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX, /* 'p' to 'z' */
    ROW_XX, ROW_XX, ROW_XX, ROW_XX, ROW_XX, ROW_XX, ROW_XX, ROW_XX
};
/* clang-format on */

apr_size_t kc_base64url_length(apr_size_t len)
{
    apr_size_t rest = len % 3;

    return len / 3 * 4 + (rest ? rest + 1 : 0);
}

apr_size_t kc_base64url_encode(char *dst, const void *src, apr_size_t len)
{
    const unsigned char *in = src;
    char *out = dst;

    for (; len >= 3; len -= 3, in += 3) {
        *out++ = alphabet[in[0] >> 2];
        *out++ = alphabet[(in[0] << 4 | in[1] >> 4) & 0x3f];
        *out++ = alphabet[(in[1] << 2 | in[2] >> 6) & 0x3f];
        *out++ = alphabet[in[2] & 0x3f];
    }
    if (len == 1) {
        *out++ = alphabet[in[0] >> 2];
        *out++ = alphabet[in[0] << 4 & 0x3f];
    } else if (len == 2) {
        *out++ = alphabet[in[0] >> 2];
        *out++ = alphabet[(in[0] << 4 | in[1] >> 4) & 0x3f];
        *out++ = alphabet[in[1] << 2 & 0x3f];
    }
    return (apr_size_t)(out - dst);
}

char *kc_base64url_string(apr_pool_t *pool, const void *src, apr_size_t len)
{
    char *text = apr_palloc(pool, kc_base64url_length(len) + 1);

    text[kc_base64url_encode(text, src, len)] = '\0';
    return text;
}

apr_status_t kc_base64url_decode(void *dst, apr_size_t *dst_len, const char *src, apr_size_t len)
{
    const unsigned char *in = (const unsigned char *)src;
    unsigned char *out = dst;
    unsigned bad = 0;

    for (; len >= 4; len -= 4, in += 4, out += 3) {
        unsigned a = values[in[0]], b = values[in[1]], c = values[in[2]], d = values[in[3]];
        unsigned bits = a << 18 | b << 12 | c << 6 | d;

        bad |= a | b | c | d;
        out[0] = (unsigned char)(bits >> 16);
        out[1] = (unsigned char)(bits >> 8);
        out[2] = (unsigned char)bits;
    }
    if (len == 1) {
        return APR_EINVAL;
    }
    /* Two or three characters are left: the bits that fill no byte must be zero. */
    if (len) {
        unsigned a = values[in[0]], b = values[in[1]], c = len == 3 ? values[in[2]] : 0;
        unsigned stray = len == 3 ? c & 0x03 : b & 0x0f;

        bad |= a | b | c | (stray ? XX : 0);
        *out++ = (unsigned char)(a << 2 | b >> 4);
        if (len == 3) {
            *out++ = (unsigned char)(b << 4 | c >> 2);
        }
    }
    *dst_len = (apr_size_t)(out - (unsigned char *)dst);
    return bad & XX ? APR_EINVAL : APR_SUCCESS;
}
