/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* application/x-www-form-urlencoded, RFC 6749 appendix B: queries and bodies, made and read. */

#include "base/base.h"
#include "base/text.h"

#include <apr_strings.h>
#include <string.h>

void kc_form_init(kc_form *form, apr_pool_t *pool)
{
    form->pool = pool;
    form->pairs = apr_array_make(pool, 8, sizeof(const char *));
}

void kc_form_add(kc_form *form, const char *name, const char *value)
{
    if (value) {
        APR_ARRAY_PUSH(form->pairs, const char *) =
            apr_pstrcat(form->pool, kc_form_encode(form->pool, name), "=",
                        kc_form_encode(form->pool, value), NULL);
    }
}

char *kc_form_string(const kc_form *form)
{
    return apr_array_pstrcat(form->pool, form->pairs, '&');
}

char *kc_form_url(const kc_form *form, const char *url)
{
    const char *query = strchr(url, '?');
    apr_size_t len = strlen(url);
    const char *joint = "?";

    if (apr_is_empty_array(form->pairs)) {
        return apr_pstrdup(form->pool, url);
    }
    if (query) {
        joint = url[len - 1] == '?' || url[len - 1] == '&' ? "" : "&";
    }
    return apr_pstrcat(form->pool, url, joint, kc_form_string(form), NULL);
}

/* Decodes [text, end) into a new string, or NULL when an escape is broken or stands for NUL. */
static char *decode(apr_pool_t *pool, const char *text, const char *end)
{
    char *decoded = apr_palloc(pool, (apr_size_t)(end - text) + 1);
    char *out = decoded;

    while (text < end) {
        int c = *text == '+' ? ' ' : (unsigned char)*text;

        if (*text == '%') {
            c = kc_text_escape(text, end);
        }
        if (c <= 0) {
            return NULL;
        }
        text += *text == '%' ? 3 : 1;
        *out++ = (char)c;
    }
    *out = '\0';
    return decoded;
}

static apr_status_t add_pair(apr_table_t *table, const char *text, const char *end,
                             apr_pool_t *pool)
{
    const char *equals = memchr(text, '=', (apr_size_t)(end - text));
    const char *name = decode(pool, text, equals ? equals : end);
    const char *value = decode(pool, equals ? equals + 1 : end, end);

    if (!name || !value || apr_table_get(table, name)) {
        return APR_EINVAL;
    }
    apr_table_addn(table, name, value);
    return APR_SUCCESS;
}

apr_status_t kc_form_parse(apr_table_t **out, const char *text, apr_size_t len, int max,
                           apr_pool_t *pool)
{
    apr_table_t *table = apr_table_make(pool, 8);
    const char *end = text + len;

    while (text < end) {
        const char *stop = memchr(text, '&', (apr_size_t)(end - text));

        stop = stop ? stop : end;
        if (stop > text && (max-- <= 0 || add_pair(table, text, stop, pool) != APR_SUCCESS)) {
            return APR_EINVAL;
        }
        text = stop < end ? stop + 1 : end;
    }
    *out = table;
    return APR_SUCCESS;
}
