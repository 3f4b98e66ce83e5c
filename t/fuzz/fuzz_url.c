/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Absolute URLs: what parses stays what it is when it is put together and parsed again. */

#include "base/base.h"
#include "fuzz.h"

static void check_parts(const kc_url *url)
{
    apr_pool_t *pool = fuzz_pool();
    kc_url again;

    FUZZ_PROMISE(strcmp(url->scheme, "http") == 0 || strcmp(url->scheme, "https") == 0);
    FUZZ_PROMISE(url->port > 0 && url->port <= 65535 && url->host[0] && url->path[0] == '/');
    FUZZ_PROMISE(!strpbrk(url->origin, "@?#\\ "));
    FUZZ_PROMISE(kc_url_parse(&again, apr_pstrcat(pool, url->origin, url->path, NULL), pool) ==
                 APR_SUCCESS);
    FUZZ_PROMISE(strcmp(again.origin, url->origin) == 0 && strcmp(again.path, url->path) == 0);
    FUZZ_PROMISE(kc_url_is_safe(&again) == kc_url_is_safe(url));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char origin[] = "https://internal.example.org:8443";
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_string(data, size);
    kc_url url;
    apr_status_t rv = kc_url_parse(&url, text, pool);
    const char *moved = kc_url_rebase(pool, text, origin);

    FUZZ_PROMISE((rv == APR_SUCCESS) == (moved != NULL));
    if (rv == APR_SUCCESS && strlen(moved) <= 4000) {
        check_parts(&url);
        FUZZ_PROMISE(kc_url_parse(&url, moved, pool) == APR_SUCCESS);
        FUZZ_PROMISE(strcmp(url.origin, origin) == 0);
    }
    FUZZ_PROMISE(!strpbrk(kc_url_encode(pool, text), "/?#&=+\\ \"'<>:@"));
    free(text);
    apr_pool_clear(pool);
    return 0;
}
