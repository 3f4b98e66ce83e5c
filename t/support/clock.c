/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * The time of day as httpd and its modules ask for it, put off by what a test says while the server
 * runs. The file $KCAUTH_CLOCK holds by how many microseconds. Unlike libfaketime this gets on with
 * the sanitizers, as it replaces functions of APR that they do not.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <apr_thread_cond.h>
#include <apr_time.h>

static const apr_int64_t *difference;
static _Thread_local int waiting;

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("KCAUTH_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    difference = mmap(NULL, sizeof(*difference), PROT_READ, MAP_SHARED, fd, 0);
    if (difference == MAP_FAILED) {
        abort();
    }
    close(fd);
}

apr_time_t apr_time_now(void)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    return apr_time_make(now.tv_sec, now.tv_usec) +
           (waiting ? 0 : __atomic_load_n(difference, __ATOMIC_RELAXED));
}

/* Waits by the true time, which the system goes by: as long as ever. */
apr_status_t apr_thread_cond_timedwait(apr_thread_cond_t *cond, apr_thread_mutex_t *mutex,
                                       apr_interval_time_t timeout)
{
    apr_status_t (*original)(apr_thread_cond_t *, apr_thread_mutex_t *, apr_interval_time_t);
    apr_status_t rv;

    *(void **)&original = dlsym(RTLD_NEXT, "apr_thread_cond_timedwait");
    waiting = 1;
    rv = original(cond, mutex, timeout);
    waiting = 0;
    return rv;
}
