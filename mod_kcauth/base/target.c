/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The guard against open redirects. A target is judged as everybody on its way may read it: with
 * escapes undone, path parameters dropped, dot segments and empty segments collapsed.
 */

#include "base/base.h"
#include "base/text.h"

#include <string.h>

#define MAX_TARGET 2000

static int is_control(int c)
{
    return (c >= 0 && c < 0x20) || c == 0x7f;
}

/*
 * Whether the text has only visible ASCII and no backslash, which browsers take for a slash, and
 * no escaped control character: URL parsers drop some of them (TAB, LF, CR) wherever they stand.
 */
static int characters_are_fine(const char *text, const char *end)
{
    for (; text < end; text++) {
        if (*text <= ' ' || *text >= 0x7f || *text == '\\' ||
            is_control(kc_text_escape(text, end))) {
            return 0;
        }
    }
    return 1;
}

/* Undoes the escapes of a path and makes backslashes slashes. NULL when an escape is broken. */
static char *decode_path(apr_pool_t *pool, const char *path, const char *end)
{
    char *decoded = apr_palloc(pool, (apr_size_t)(end - path) + 1);
    char *out = decoded;

    while (path < end) {
        int c = *path == '%' ? kc_text_escape(path, end) : *path;

        if (c < 0) {
            return NULL;
        }
        path += *path == '%' ? 3 : 1;
        *out++ = (char)(c == '\\' ? '/' : c);
    }
    *out = '\0';
    return decoded;
}

/*
 * Whether a decoded path, which starts with a slash, might collapse to one that starts with two: an
 * empty segment, not the last one, is met while no named segment stands before it. Empty segments
 * are never counted as something to go up from: some readers merge them.
 */
static int may_leave_site(const char *path)
{
    unsigned depth = 0;

    while (*path) {
        const char *segment = ++path;
        apr_size_t len;

        path += strcspn(path, "/");
        len = strcspn(segment, ";/");
        if (len == 0) {
            if (depth == 0 && *path) {
                return 1;
            }
        } else if (len == 2 && memcmp(segment, "..", 2) == 0) {
            depth -= depth > 0;
        } else if (len != 1 || *segment != '.') {
            depth++;
        }
    }
    return 0;
}

const char *kc_url_local_target(apr_pool_t *pool, const char *text)
{
    apr_size_t len = text ? strlen(text) : 0;
    const char *path;

    if (len == 0 || len > MAX_TARGET || *text != '/' || !characters_are_fine(text, text + len)) {
        return "/";
    }
    path = decode_path(pool, text, text + strcspn(text, "?#"));
    return path && !may_leave_site(path) ? text : "/";
}
