/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Copies of what the store said, which stand for it no longer than a second in this child: a
 * browser that loads a page with its parts on several connections asks for the same session again
 * and again. Who finds a copy in use by another thread does without.
 */

#include <stdatomic.h>

#include <apr_strings.h>

#include "httpd/copies.h"

enum { COPIES = 128, NAME_LEN = 43, TEXT_MAX = 8 * 1024 };

#define LIFE apr_time_from_sec(1)

typedef struct copy {
    atomic_flag in_use;
    char name[NAME_LEN];
    apr_size_t len;
    apr_time_t made; /* 0: there is none */
    char text[TEXT_MAX];
} copy;

static copy copies[COPIES];

/* Takes the place where a copy of this entry is, or would be. The names are hashes already. */
static copy *take(const char *name)
{
    unsigned at = (unsigned char)name[0] * 31u + (unsigned char)name[1];
    copy *place = &copies[at % COPIES];

    return atomic_flag_test_and_set_explicit(&place->in_use, memory_order_acquire) ? NULL : place;
}

static void give_back(copy *place)
{
    atomic_flag_clear_explicit(&place->in_use, memory_order_release);
}

static int is_of(const copy *place, const char *name)
{
    return memcmp(place->name, name, NAME_LEN) == 0;
}

char *kc_copy_find(const char *name, apr_time_t now, apr_pool_t *pool)
{
    copy *place = take(name);
    char *text = NULL;

    if (place) {
        if (is_of(place, name) && now >= place->made && now - place->made < LIFE) {
            text = apr_pstrmemdup(pool, place->text, place->len);
        }
        give_back(place);
    }
    return text;
}

void kc_copy_keep(const char *name, apr_time_t now, const char *text)
{
    apr_size_t len = strlen(text);
    copy *place = len <= TEXT_MAX ? take(name) : NULL;

    if (place) {
        memcpy(place->name, name, NAME_LEN);
        memcpy(place->text, text, len);
        place->len = len;
        place->made = now;
        give_back(place);
    }
}

void kc_copy_drop(const char *name)
{
    copy *place = take(name);

    if (place) {
        if (is_of(place, name)) {
            place->made = 0;
        }
        give_back(place);
    }
}
