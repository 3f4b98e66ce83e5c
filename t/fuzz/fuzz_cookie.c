/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Cookie headers: what is found lies in the header, and what is hidden is not found again. */

#include "base/base.h"
#include "fuzz.h"

static const char *const names[] = {"kcauth", "__Host-kcauth", "__Secure-kcauth_id",
                                    "kcauth_state_7"};

static int lies_in(const char *piece, size_t len, const char *text)
{
    return piece >= text && piece + len <= text + strlen(text);
}

/* NAME=, at the start or after a blank or semicolon. */
static int is_named(const char *value, const char *header, const char *name)
{
    size_t len = strlen(name) + 1;
    const char *at = value - len;

    return (size_t)(value - header) >= len && value[-1] == '=' && !memcmp(at, name, len - 1) &&
           (at == header || strchr(" \t;", at[-1]));
}

static void find(const char *header, const char *name)
{
    apr_size_t len;
    const char *value = kc_cookie_find(header, name, &len);

    if (value) {
        FUZZ_PROMISE(lies_in(value, len, header) && !memchr(value, ';', len));
        FUZZ_PROMISE(!len || is_named(value, header, name));
        FUZZ_PROMISE(!len || (value[len - 1] != ' ' && value[len - 1] != '\t'));
    }
}

static void read_whole(const char *header, const char *name)
{
    apr_pool_t *pool = fuzz_pool();
    apr_size_t len, second;
    const char *value = kc_cookie_read(pool, header, name, &len);

    if (!value) {
        return;
    }
    FUZZ_PROMISE(len <= KC_COOKIE_PARTS * KC_COOKIE_PART && !memchr(value, ';', len));
    if (lies_in(value, len, header)) {
        FUZZ_PROMISE(len && len <= KC_COOKIE_PART);
    } else {
        FUZZ_PROMISE(kc_cookie_find(header, kc_cookie_part_name(pool, name, 2), &second));
    }
}

static void hide(const char *header)
{
    const char *kept = kc_cookies_without(fuzz_pool(), header, "kcauth"), *again;
    apr_size_t len;
    size_t i;

    if (!kept) {
        return;
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        FUZZ_PROMISE(!kc_cookie_find(kept, names[i], &len));
    }
    again = kc_cookies_without(fuzz_pool(), kept, "kcauth");
    FUZZ_PROMISE(again && strcmp(again, kept) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *header = fuzz_string(data, size);
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        find(header, names[i]);
        read_whole(header, names[i]);
    }
    hide(header);
    free(header);
    apr_pool_clear(fuzz_pool());
    return 0;
}
