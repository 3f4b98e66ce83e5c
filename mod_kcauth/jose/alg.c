/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The signature algorithms, RFC 7518 section 3.1 and RFC 8037 section 3.1. What is not in this
 * table is not verified.
 */

#include "jose/key.h"

#include <string.h>

static const kc_alg table[] = {
    {"RS256", KC_KEY_RSA, "SHA256", 0},  {"RS384", KC_KEY_RSA, "SHA384", 0},
    {"RS512", KC_KEY_RSA, "SHA512", 0},  {"PS256", KC_KEY_RSA, "SHA256", 1},
    {"PS384", KC_KEY_RSA, "SHA384", 1},  {"PS512", KC_KEY_RSA, "SHA512", 1},
    {"ES256", KC_KEY_P256, "SHA256", 0}, {"ES384", KC_KEY_P384, "SHA384", 0},
    {"ES512", KC_KEY_P521, "SHA512", 0}, {"EdDSA", KC_KEYS_OKP, NULL, 0},
};

enum { ROWS = sizeof(table) / sizeof(table[0]) };

const kc_alg *kc_alg_find(const char *name)
{
    int i;

    for (i = 0; i < ROWS; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

kc_alg_set kc_alg_bit(const kc_alg *alg)
{
    return (kc_alg_set)1 << (alg - table);
}

kc_alg_set kc_alg_all(void)
{
    return ((kc_alg_set)1 << ROWS) - 1;
}

kc_alg_set kc_alg_named(const json_t *names)
{
    kc_alg_set set = 0;
    size_t i;

    for (i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const kc_alg *alg = name ? kc_alg_find(name) : NULL;

        set |= alg ? kc_alg_bit(alg) : 0;
    }
    return set;
}
