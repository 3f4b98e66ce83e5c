/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * What httpd itself keeps in each child until it ends is no leak. A suppression would say the same
 * (lsan.supp has the rare ones), but takes a tenth of a second to look for names, at each end of a
 * process.
 */
#include <dlfcn.h>
#include <sanitizer/lsan_interface.h>
#include <stdint.h>

#include <apr_allocator.h>

apr_status_t apr_allocator_create(apr_allocator_t **allocator)
{
    apr_status_t (*original)(apr_allocator_t **);
    apr_status_t rv;

    *(void **)&original = dlsym(RTLD_NEXT, "apr_allocator_create");
    rv = original(allocator);
    if (rv == APR_SUCCESS) {
        __lsan_ignore_object(*allocator);
    }
    return rv;
}

/* PCRE2's: the regular expressions of the configuration. */
void *pcre2_compile_8(const void *pattern, size_t len, uint32_t options, int *error, size_t *at,
                      void *context)
{
    void *(*original)(const void *, size_t, uint32_t, int *, size_t *, void *);
    void *code;

    *(void **)&original = dlsym(RTLD_NEXT, "pcre2_compile_8");
    code = original(pattern, len, options, error, at, context);
    if (code) {
        __lsan_ignore_object(code);
    }
    return code;
}
