/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* JSON as it comes from outside: one object, no member twice, released with a pool. */

#include "base/base.h"

#include <apr_strings.h>
#include <string.h>

/* Above this a double no longer tells one integer from the next. */
#define MAX_EXACT 9007199254740992.0 /* 2^53 */

static apr_status_t release(void *object)
{
    json_decref(object);
    return APR_SUCCESS;
}

/* Jansson's own texts quote the input, which may be a token. */
static const char *reason(enum json_error_code code)
{
    switch (code) {
    case json_error_duplicate_key:
        return "a member comes twice";
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "something follows its end";
    case json_error_invalid_utf8:
        return "it is not UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a string holds NUL";
    case json_error_numeric_overflow:
        return "a number is too big";
    case json_error_stack_overflow:
        return "it is nested too deeply";
    default:
        return "it is not JSON";
    }
}

static apr_status_t refuse(const char **why, const char *text)
{
    if (why) {
        *why = text;
    }
    return APR_EINVAL;
}

apr_status_t kc_json_parse(json_t **out, const char *text, apr_size_t len, apr_pool_t *pool,
                           const char **why)
{
    json_error_t error;
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

    if (!value) {
        return refuse(why, apr_psprintf(pool, "%s (byte %d)", reason(json_error_code(&error)),
                                        error.position));
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return refuse(why, "it is not an object");
    }
    apr_pool_cleanup_register(pool, value, release, apr_pool_cleanup_null);
    *out = value;
    return APR_SUCCESS;
}

const char *kc_json_string(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text && *text ? text : NULL;
}

int kc_json_integer(const json_t *object, const char *name, apr_int64_t *out)
{
    const json_t *value = json_object_get(object, name);
    double real;

    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return 1;
    }
    real = json_real_value(value);
    if (!json_is_real(value) || real < -MAX_EXACT || real > MAX_EXACT ||
        real != (double)(apr_int64_t)real) {
        return 0;
    }
    *out = (apr_int64_t)real;
    return 1;
}

int kc_json_holds(const json_t *value, const char *wanted)
{
    size_t i;

    if (json_is_string(value)) {
        return strcmp(json_string_value(value), wanted) == 0;
    }
    for (i = 0; i < json_array_size(value); i++) {
        const char *item = json_string_value(json_array_get(value, i));

        if (item && strcmp(item, wanted) == 0) {
            return 1;
        }
    }
    return 0;
}
