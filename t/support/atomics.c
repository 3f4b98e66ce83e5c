/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * APR's atomics once more, in front of its own, so that TSan sees them: httpd hands recycled memory
 * from thread to thread by them, and nothing else tells that it does.
 */
#include <apr_atomic.h>

void *apr_atomic_casptr(volatile void **mem, void *with, const void *cmp)
{
    volatile void *seen = (void *)cmp;

    __atomic_compare_exchange_n(mem, &seen, with, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return (void *)seen;
}

void *apr_atomic_xchgptr(volatile void **mem, void *with)
{
    return (void *)__atomic_exchange_n(mem, with, __ATOMIC_SEQ_CST);
}

apr_uint32_t apr_atomic_cas32(volatile apr_uint32_t *mem, apr_uint32_t with, apr_uint32_t cmp)
{
    __atomic_compare_exchange_n(mem, &cmp, with, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return cmp;
}

apr_uint32_t apr_atomic_xchg32(volatile apr_uint32_t *mem, apr_uint32_t value)
{
    return __atomic_exchange_n(mem, value, __ATOMIC_SEQ_CST);
}

apr_uint32_t apr_atomic_add32(volatile apr_uint32_t *mem, apr_uint32_t value)
{
    return __atomic_fetch_add(mem, value, __ATOMIC_SEQ_CST);
}

void apr_atomic_sub32(volatile apr_uint32_t *mem, apr_uint32_t value)
{
    __atomic_fetch_sub(mem, value, __ATOMIC_SEQ_CST);
}

apr_uint32_t apr_atomic_inc32(volatile apr_uint32_t *mem)
{
    return __atomic_fetch_add(mem, 1, __ATOMIC_SEQ_CST);
}

int apr_atomic_dec32(volatile apr_uint32_t *mem)
{
    return __atomic_sub_fetch(mem, 1, __ATOMIC_SEQ_CST) != 0;
}

apr_uint32_t apr_atomic_read32(volatile apr_uint32_t *mem)
{
    return __atomic_load_n(mem, __ATOMIC_SEQ_CST);
}

void apr_atomic_set32(volatile apr_uint32_t *mem, apr_uint32_t value)
{
    __atomic_store_n(mem, value, __ATOMIC_SEQ_CST);
}
