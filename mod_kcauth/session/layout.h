/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * How numbers and strings lie in a record: big-endian, at any address. Private to the room.
 */
#ifndef KC_SESSION_LAYOUT_H
#define KC_SESSION_LAYOUT_H

#include <string.h>

#include "session/session.h"

enum {
    KC_NAME_MAX = 0xffff, /**< bytes of one string, by its two bytes of length */
    KC_NAME_OVERHEAD = 3  /**< what a string takes besides: its length and its NUL */
};

static inline unsigned char *kc_put16(unsigned char *at, apr_size_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
    return at + 2;
}

static inline unsigned char *kc_put32(unsigned char *at, apr_uint32_t value)
{
    return kc_put16(kc_put16(at, value >> 16), value & 0xffff);
}

static inline unsigned char *kc_put64(unsigned char *at, apr_uint64_t value)
{
    return kc_put32(kc_put32(at, (apr_uint32_t)(value >> 32)), (apr_uint32_t)value);
}

static inline apr_size_t kc_get16(const unsigned char *at)
{
    return (apr_size_t)at[0] << 8 | at[1];
}

static inline apr_uint32_t kc_get32(const unsigned char *at)
{
    return (apr_uint32_t)kc_get16(at) << 16 | (apr_uint32_t)kc_get16(at + 2);
}

static inline apr_uint64_t kc_get64(const unsigned char *at)
{
    return (apr_uint64_t)kc_get32(at) << 32 | kc_get32(at + 4);
}

/** One item of a kc_names list; len is at most KC_NAME_MAX. Returns where the next one goes. */
static inline unsigned char *kc_put_name(unsigned char *at, const char *name, apr_size_t len)
{
    at = kc_put16(at, len);
    memcpy(at, name, len);
    at[len] = '\0';
    return at + len + 1;
}

#endif
