/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Percent-encoding, and the case of ASCII letters. */

#include "base/text.h"
#include "base/base.h"

#include <string.h>

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int kc_text_escape(const char *text, const char *end)
{
    int high, low;

    if (end - text < 3 || *text != '%') {
        return -1;
    }
    high = hex_value(text[1]);
    low = hex_value(text[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

char *kc_text_lower(char *text)
{
    char *at;

    for (at = text; *at; at++) {
        if (*at >= 'A' && *at <= 'Z') {
            *at |= 0x20;
        }
    }
    return text;
}

static int is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* Both encodings: they differ in what a blank becomes. */
static char *encode(apr_pool_t *pool, const char *text, const char *blank)
{
    static const char digits[] = "0123456789ABCDEF";
    char *encoded = apr_palloc(pool, strlen(text) * 3 + 1);
    char *out = encoded;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (is_unreserved(*text)) {
            *out++ = *text;
        } else if (c == ' ') {
            memcpy(out, blank, strlen(blank));
            out += strlen(blank);
        } else {
            *out++ = '%';
            *out++ = digits[c >> 4];
            *out++ = digits[c & 0x0f];
        }
    }
    *out = '\0';
    return encoded;
}

char *kc_url_encode(apr_pool_t *pool, const char *text)
{
    return encode(pool, text, "%20");
}

char *kc_form_encode(apr_pool_t *pool, const char *text)
{
    return encode(pool, text, "+");
}

/* Eight bytes at a time: this looks at hundreds of role names with each request. */
int kc_text_has_controls(const char *text, apr_size_t len)
{
    const apr_uint64_t ones = APR_UINT64_C(0x0101010101010101), tops = ones << 7;
    apr_uint64_t found = 0, eight, del;

    for (; len >= sizeof(eight); len -= sizeof(eight), text += sizeof(eight)) {
        memcpy(&eight, text, sizeof(eight));
        del = eight ^ (ones * 0x7f);
        /* A byte below 0x20 borrows from its top bit, and so does one that equals DEL. */
        found |= (eight - ones * 0x20) & ~eight & tops;
        found |= (del - ones) & ~del & tops;
    }
    for (; len; len--, text++) {
        found |= (unsigned char)*text < 0x20 || *text == 0x7f;
    }
    return found != 0;
}
