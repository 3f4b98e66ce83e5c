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

static unsigned char is_control(char c)
{
    return (unsigned char)(((unsigned char)c < 0x20) | (c == 0x7f));
}

/*
 * This looks at hundreds of role names with each request, so by blocks, and without a way out of
 * them: compilers make one comparison of each.
 */
int kc_text_has_controls(const char *text, apr_size_t len)
{
    enum { BLOCK = 16 };
    unsigned char found = 0;
    int i;

    for (; len >= BLOCK; len -= BLOCK, text += BLOCK) {
        for (i = 0; i < BLOCK; i++) {
            found |= is_control(text[i]);
        }
    }
    for (; len; len--, text++) {
        found |= is_control(*text);
    }
    return found != 0;
}
