/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Failures as the rooms hand them up: whose fault, which message, one sentence. */

#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

apr_status_t kc_fail(kc_error *err, kc_fault fault, const char *id, const char *fmt, ...)
{
    va_list args;

    if (err) {
        err->fault = fault;
        err->id = id;
        va_start(args, fmt);
        (void)vsnprintf(err->text, sizeof(err->text), fmt, args);
        va_end(args);
    }
    return APR_EGENERAL;
}
