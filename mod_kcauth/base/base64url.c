/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * base64url without padding, RFC 4648 section 5. Each request of a logged-in person decodes a
 * cookie, so the loops look a table up and test for errors once, at the end.
 */

#include <string.h>

#include <arpa/inet.h>

#include "base/base.h"

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/*
 * What each character stands for, in the top six bits of a word, so that four words, shifted by six
 * more each, are three bytes in their order. XX, which is no character of the alphabet, leaves bit
 * 0 set, however it is shifted.
 */
#define V(n)   ((apr_uint32_t)(n) << 26)
#define XX     (1 << 0 | 1 << 6 | 1 << 12 | 1 << 18)
#define ROW_XX XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX

/* clang-format off */
static const apr_uint32_t values[256] = {
    ROW_XX,
    ROW_XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, V(62), XX, XX, /* '-' */
    V(52), V(53), V(54), V(55), V(56), V(57), V(58), V(59), V(60), V(61), XX, XX, XX, XX, XX, XX,
    XX, V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9), V(10), V(11), V(12), V(13),
    V(14), V(15), V(16), V(17), V(18), V(19), V(20), V(21), V(22), V(23), V(24), V(25), /* 'Z' */
    XX, XX, XX, XX, V(63), /* '_' */
    XX, V(26), V(27), V(28), V(29), V(30), V(31), V(32), V(33), V(34), V(35), V(36), V(37), V(38),
    V(39), V(40), V(41), V(42), V(43), V(44), V(45), V(46), V(47), V(48), V(49), V(50), V(51),
    XX, XX, XX, XX, XX,
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

/* Four characters: their bits in the upper 24, what is wrong with them in bit 0. */
static inline apr_uint32_t quad(const unsigned char *in)
{
    return values[in[0]] | values[in[1]] >> 6 | values[in[2]] >> 12 | values[in[3]] >> 18;
}

apr_status_t kc_base64url_decode(void *dst, apr_size_t *dst_len, const char *src, apr_size_t len)
{
    const unsigned char *in = (const unsigned char *)src;
    unsigned char *out = dst;
    apr_uint32_t bits, bad = 0;

    /* While more follows, four bytes may be stored for three. */
    for (; len >= 8; len -= 4, in += 4, out += 3) {
        apr_uint32_t ordered;

        bits = quad(in);
        bad |= bits;
        ordered = htonl(bits);
        memcpy(out, &ordered, sizeof(ordered));
    }
    if (len >= 4) {
        bits = quad(in);
        bad |= bits;
        *out++ = (unsigned char)(bits >> 24);
        *out++ = (unsigned char)(bits >> 16);
        *out++ = (unsigned char)(bits >> 8);
        len -= 4;
        in += 4;
    }
    if (len == 1) {
        return APR_EINVAL;
    }
    /* Two or three characters are left: the bits that fill no byte must be zero. */
    if (len) {
        bits = values[in[0]] | values[in[1]] >> 6 | (len == 3 ? values[in[2]] >> 12 : 0);
        bad |= bits | (bits << (len == 3 ? 16 : 8) != 0);
        *out++ = (unsigned char)(bits >> 24);
        if (len == 3) {
            *out++ = (unsigned char)(bits >> 16);
        }
    }
    *dst_len = (apr_size_t)(out - (unsigned char *)dst);
    return bad & 1 ? APR_EINVAL : APR_SUCCESS;
}
