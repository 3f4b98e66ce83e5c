/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The state folder: the session key that is made on the first start, the table of revocations, and
 * each realm's metadata and keys, so that a restart while Keycloak is away does no harm. */

#include <fcntl.h>

#include <apr_file_io.h>
#include <apr_mmap.h>
#include <apr_portable.h>
#include <apr_strings.h>

#include <openssl/sha.h>

#include "httpd/state.h"

enum { KEY_BYTES = 48, KEY_MAX = 4096 };

static apr_status_t say(server_rec *s, apr_status_t rv, const char *id, const char *what,
                        const char *path)
{
    ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, rv, s,
                 "%s: %s %s; KCAuthStateDir names the folder, KCAuthSessionKey gives a key instead",
                 id, what, path);
    return rv;
}

static apr_status_t make_folder(const char *path, server_rec *s, apr_pool_t *ptemp)
{
    apr_status_t rv = apr_dir_make_recursive(
        path, APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_UEXECUTE, ptemp);

    return rv == APR_SUCCESS || APR_STATUS_IS_EEXIST(rv)
               ? APR_SUCCESS
               : say(s, rv, "KC0144", "cannot create the folder", path);
}

/* Written aside and moved into place, so that a crash leaves a whole key or none. */
static apr_status_t make_key(const char *path, server_rec *s, apr_pool_t *ptemp)
{
    char *text = kc_random_string(ptemp, KEY_BYTES);
    char *aside = apr_pstrcat(ptemp, path, ".XXXXXX", NULL);
    apr_file_t *file;
    apr_status_t rv;

    if (!text) {
        return say(s, APR_EGENERAL, "KC0140", "no randomness for a new key", path);
    }
    rv = apr_file_mktemp(&file, aside,
                         APR_FOPEN_CREATE | APR_FOPEN_EXCL | APR_FOPEN_WRITE | APR_FOPEN_BINARY,
                         ptemp);
    if (rv != APR_SUCCESS) {
        return say(s, rv, "KC0141", "cannot create", path);
    }
    rv = apr_file_perms_set(aside, APR_FPROT_UREAD | APR_FPROT_UWRITE);
    if (rv == APR_SUCCESS) {
        rv = apr_file_write_full(file, text, strlen(text), NULL);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_sync(file);
    }
    apr_file_close(file);
    if (rv == APR_SUCCESS) {
        rv = apr_file_rename(aside, path, ptemp);
    }
    if (rv != APR_SUCCESS) {
        apr_file_remove(aside, ptemp);
        return say(s, rv, "KC0142", "cannot write", path);
    }
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "KC0143: made a new session key, %s", path);
    return APR_SUCCESS;
}

static apr_status_t read_key(kc_secret *key, const char *path, apr_pool_t *pool, apr_pool_t *ptemp)
{
    apr_file_t *file;
    char *text = apr_palloc(pool, KEY_MAX);
    apr_status_t rv =
        apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BINARY, APR_OS_DEFAULT, ptemp);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_file_read_full(file, text, KEY_MAX, &key->len);
    apr_file_close(file);
    key->bytes = (const unsigned char *)text;
    return APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv;
}

apr_status_t kc_state_key(kc_secret *key, const char *state_dir, server_rec *s, apr_pool_t *pool,
                          apr_pool_t *ptemp)
{
    const char *path = apr_pstrcat(ptemp, state_dir, "/session.key", NULL);
    apr_status_t rv = make_folder(state_dir, s, ptemp);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = read_key(key, path, pool, ptemp);
    if (APR_STATUS_IS_ENOENT(rv)) {
        rv = make_key(path, s, ptemp);
        if (rv == APR_SUCCESS) {
            rv = read_key(key, path, pool, ptemp);
        } else {
            return rv;
        }
    }
    if (rv != APR_SUCCESS) {
        return say(s, rv, "KC0145", "cannot read", path);
    }
    if (key->len < 32) {
        return say(s, APR_EINVAL, "KC0146", "fewer than 32 bytes in", path);
    }
    return APR_SUCCESS;
}

/* All of a file gets its place on the disk: where the disk is full, writing to a hole of a mapped
 * file is a crash. */
static apr_status_t take_room(apr_file_t *file, const apr_finfo_t *info, apr_size_t size)
{
    apr_os_file_t fd;
    apr_status_t rv = apr_file_trunc(file, (apr_off_t)size);

    if (rv != APR_SUCCESS || info->csize >= (apr_off_t)size) {
        return rv;
    }
    rv = apr_os_file_get(&fd, file);
    return rv == APR_SUCCESS ? posix_fallocate(fd, 0, (off_t)size) : rv;
}

/*
 * A file as memory. It is mapped before httpd gives up root's rights; its children inherit the
 * mapping, and whatever they write stays. One of another size is another version's: it is left to
 * the children that still use it, and *was_another tells that a new one took its name.
 */
static void *map_file(const char *state_dir, const char *name, apr_size_t size, int *was_another,
                      server_rec *s, apr_pool_t *pool, apr_pool_t *ptemp)
{
    const char *path = apr_pstrcat(ptemp, state_dir, "/", name, NULL);
    apr_finfo_t info;
    apr_file_t *file;
    apr_mmap_t *map;
    apr_status_t rv = make_folder(state_dir, s, ptemp);

    if (rv != APR_SUCCESS) {
        return NULL;
    }
    *was_another = apr_stat(&info, path, APR_FINFO_SIZE, ptemp) == APR_SUCCESS && info.size &&
                   info.size != (apr_off_t)size;
    if (*was_another) {
        (void)apr_file_remove(path, ptemp);
    }
    rv = apr_file_open(&file, path,
                       APR_FOPEN_CREATE | APR_FOPEN_READ | APR_FOPEN_WRITE | APR_FOPEN_BINARY,
                       APR_FPROT_UREAD | APR_FPROT_UWRITE, ptemp);
    if (rv == APR_SUCCESS) {
        rv = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_CSIZE, file);
    }
    if (rv == APR_SUCCESS) {
        rv = take_room(file, &info, size);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_mmap_create(&map, file, 0, size, APR_MMAP_READ | APR_MMAP_WRITE, pool);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, rv, s,
                     "KC0147: cannot map %s; KCAuthStateDir names its folder", path);
        return NULL;
    }
    apr_file_close(file);
    return map->mm;
}

kc_revocations *kc_state_revocations(const char *state_dir, apr_interval_time_t horizon,
                                     server_rec *s, apr_pool_t *pool, apr_pool_t *ptemp)
{
    apr_size_t size = kc_revocations_size();
    int was_another;
    void *memory = map_file(state_dir, "revoked", size, &was_another, s, pool, ptemp);

    if (!memory) {
        return NULL;
    }
    if (was_another) {
        memset(memory, 0xff, size); /* what was ended is not known: content of another layout */
    }
    return kc_revocations_attach(memory, apr_time_now(), horizon, pool);
}

/* Named by what the documents are of, so that those of another realm are never met there. */
void *kc_state_documents(const char *state_dir, const char *realm, server_rec *s, apr_pool_t *pool,
                         apr_pool_t *ptemp)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    int was_another;
    void *memory;

    SHA256((const unsigned char *)realm, strlen(realm), digest);
    memory = map_file(state_dir,
                      apr_pstrcat(ptemp, "realm-", kc_base64url_string(ptemp, digest, 18), NULL),
                      kc_provider_shared_size(), &was_another, s, pool, ptemp);
    if (memory) {
        kc_provider_shared_open(memory);
    }
    return memory;
}
