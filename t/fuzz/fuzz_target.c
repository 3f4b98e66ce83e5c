/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Where a person is sent after login: nothing that a browser might take for another site. */

#include "base/base.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_string(data, size);
    const char *target = kc_url_local_target(pool, text), *at;

    if (target != text) {
        FUZZ_PROMISE(strcmp(target, "/") == 0);
    }
    FUZZ_PROMISE(target[0] == '/' && target[1] != '/' && target[1] != '\\');
    FUZZ_PROMISE(strncmp(target, "/%2f", 4) != 0 && strncmp(target, "/%5C", 4) != 0);
    FUZZ_PROMISE(!kc_text_has_controls(target, strlen(target)));
    for (at = target; *at; at++) {
        FUZZ_PROMISE(*at > 0x20 && *at < 0x7f && *at != '\\');
    }
    FUZZ_PROMISE(kc_url_local_target(pool, target) == target || strcmp(target, "/") == 0);
    free(text);
    apr_pool_clear(pool);
    return 0;
}
