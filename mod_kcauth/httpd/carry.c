/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * How a session travels: the sealed record and tokens lie in cookies, or in the store under a
 * random name that is all the cookie holds. The store is asked by a hash of that name, so who reads
 * the store cannot make a cookie.
 */

#include <apr_strings.h>

#include <openssl/sha.h>

#include "httpd/carry.h"
#include "httpd/config.h"
#include "httpd/cookies.h"
#include "httpd/copies.h"
#include "httpd/request.h"
#include "httpd/site.h"
#include "httpd/store.h"
#include "httpd/trouble.h"

enum { ID_BYTES = 32 };

static int in_store(const kc_site *site)
{
    return site->conf->session == KC_SESSION_SERVER;
}

static const kc_cookie *session_cookie(request_rec *r, const kc_site *site)
{
    return &site->session_cookies[kc_request_is_https(r, site)];
}

static const kc_cookie *id_token_cookie(request_rec *r, const kc_site *site)
{
    return &site->id_token_cookies[kc_request_is_https(r, site)];
}

static const kc_cookie *refresh_cookie(request_rec *r, const kc_site *site)
{
    return &site->refresh_cookies[kc_request_is_https(r, site)];
}

/* --- names in the store ----------------------------------------------------------------------- */

static const char *entry(request_rec *r, const char *kind, const char *id)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    const char *text = apr_pstrcat(r->pool, kind, id, NULL);

    SHA256((const unsigned char *)text, strlen(text), digest);
    return kc_base64url_string(r->pool, digest, sizeof(digest));
}

static const char *record_entry(request_rec *r, const char *id)
{
    return entry(r, "record ", id);
}

static const char *tokens_entry(request_rec *r, const char *id)
{
    return entry(r, "tokens ", id);
}

static void remove_entries(request_rec *r, const char *id)
{
    const char *record = record_entry(r, id);

    kc_copy_drop(record);
    kc_store_remove(r->server, record, r->pool);
    kc_store_remove(r->server, tokens_entry(r, id), r->pool);
}

static const char **id_of(request_rec *r)
{
    return &kc_request_of(kc_request_initial(r))->session_id;
}

/* --- in --------------------------------------------------------------------------------------- */

const char *kc_carry_cookie(request_rec *r, const kc_site *site, apr_size_t *len)
{
    const char *cookie = kc_cookie_get(r, session_cookie(r, site), len);

    return cookie && in_store(site) && *len != kc_base64url_length(ID_BYTES) ? NULL : cookie;
}

static apr_status_t stored_record(request_rec *r, char **text)
{
    const char *name = record_entry(r, *id_of(r));
    apr_status_t rv;

    /* Our own URLs tell of the session, or end it: they ask for what is true now. */
    *text = kc_request_of(r)->endpoint ? NULL : kc_copy_find(name, r->request_time, r->pool);
    if (*text) {
        return APR_SUCCESS;
    }
    rv = kc_store_get(r->server, name, text, r->pool);
    if (rv == APR_SUCCESS) {
        kc_copy_keep(name, r->request_time, *text);
    }
    return rv;
}

void kc_carry_drop_copy(request_rec *r)
{
    kc_copy_drop(record_entry(r, *id_of(r)));
}

apr_status_t kc_carry_in(request_rec *r, const kc_site *site, const char **text, apr_size_t *len)
{
    char *stored;
    apr_status_t rv;

    if (!in_store(site)) {
        return APR_SUCCESS;
    }
    rv = stored_record(r, &stored);
    if (rv == APR_SUCCESS) {
        *text = stored;
        *len = strlen(stored);
    }
    return rv;
}

void kc_carry_name(request_rec *r, const kc_site *site, const char *cookie, apr_size_t len)
{
    if (in_store(site)) {
        *id_of(r) = apr_pstrmemdup(r->pool, cookie, len);
    }
}

/* The tokens' entry is both texts, with a blank between. */
static int stored_tokens(request_rec *r, char **id_token, char **refresh_token)
{
    const char *id = *id_of(r);

    if (!id || kc_store_get(r->server, tokens_entry(r, id), id_token, r->pool) != APR_SUCCESS ||
        (*refresh_token = strchr(*id_token, ' ')) == NULL) {
        return 0;
    }
    *(*refresh_token)++ = '\0';
    return 1;
}

static const char *unsealed(request_rec *r, kc_sealer *sealer, const char *text, apr_size_t len)
{
    unsigned char *buf = apr_palloc(r->pool, len + 1);
    const unsigned char *data;
    apr_size_t data_len;

    if (!len || kc_unseal(sealer, text, len, buf, &data, &data_len, NULL) != APR_SUCCESS) {
        return NULL;
    }
    return apr_pstrmemdup(r->pool, (const char *)data, data_len);
}

/* A token from its cookie, or from the store: the first of the two there, or the second. */
static const char *carried(request_rec *r, const kc_site *site, const kc_cookie *cookie,
                           kc_sealer *sealer, int second)
{
    char *stored[2];
    const char *text;
    apr_size_t len;

    if (in_store(site)) {
        return stored_tokens(r, &stored[0], &stored[1])
                   ? unsealed(r, sealer, stored[second], strlen(stored[second]))
                   : NULL;
    }
    text = kc_cookie_get(r, cookie, &len);
    return text ? unsealed(r, sealer, text, len) : NULL;
}

const char *kc_carried_id_token(request_rec *r, const kc_site *site)
{
    return carried(r, site, id_token_cookie(r, site), site->id_tokens, 0);
}

const char *kc_carried_refresh_token(request_rec *r, const kc_site *site)
{
    return carried(r, site, refresh_cookie(r, site), site->refresh_tokens, 1);
}

/* --- out -------------------------------------------------------------------------------------- */

apr_status_t kc_carry_record(request_rec *r, const kc_site *site, const char *text,
                             apr_int64_t expires)
{
    const char *id = *id_of(r), *name;

    if (!in_store(site)) {
        return kc_cookie_set(r, session_cookie(r, site), text, strlen(text));
    }
    if (!id) {
        return APR_EGENERAL;
    }
    name = record_entry(r, id);
    kc_copy_drop(name);
    return kc_store_put(r->server, name, text, apr_time_from_sec(expires), r->pool);
}

static void too_big(request_rec *r, const char *id, const char *what, const char *consequence)
{
    kc_trouble_log(r, APLOG_WARNING, id, "the %s does not fit into %d cookies; %s", what,
                   KC_COOKIE_PARTS, consequence);
}

void kc_carry_tokens(request_rec *r, const kc_site *site, const kc_carriage *carriage,
                     apr_int64_t expires)
{
    const char *both;

    if (in_store(site)) {
        both = apr_pstrcat(r->pool, carriage->id_token, " ", carriage->refresh_token, NULL);
        if (kc_store_put(r->server, tokens_entry(r, *id_of(r)), both, apr_time_from_sec(expires),
                         r->pool) != APR_SUCCESS) {
            kc_trouble_log(r, APLOG_WARNING, "KC0707",
                           "the store did not take the tokens of a session");
        }
        return;
    }
    if (*carriage->id_token && kc_cookie_set(r, id_token_cookie(r, site), carriage->id_token,
                                             strlen(carriage->id_token)) != APR_SUCCESS) {
        too_big(r, "KC0704", "ID token", "Keycloak will ask for a confirmation at logout");
    }
    if (*carriage->refresh_token &&
        kc_cookie_set(r, refresh_cookie(r, site), carriage->refresh_token,
                      strlen(carriage->refresh_token)) != APR_SUCCESS) {
        too_big(r, "KC0708", "refresh token", "roles are renewed through Keycloak's login page");
    }
}

apr_status_t kc_carry_new(request_rec *r, const kc_site *site)
{
    const char **id = id_of(r);
    const char *old;
    apr_size_t len;

    if (!in_store(site)) {
        return APR_SUCCESS;
    }
    old = kc_carry_cookie(r, site, &len);
    if (old) {
        old = apr_pstrmemdup(r->pool, old, len);
        remove_entries(r, old);
    }
    *id = kc_random_string(r->pool, ID_BYTES);
    return *id ? kc_cookie_set(r, session_cookie(r, site), *id, strlen(*id)) : APR_EGENERAL;
}

void kc_carry_end(request_rec *r, const kc_site *site)
{
    const char *id = *id_of(r);

    kc_cookie_clear(r, session_cookie(r, site));
    if (!in_store(site)) {
        kc_cookie_clear(r, id_token_cookie(r, site));
        kc_cookie_clear(r, refresh_cookie(r, site));
    } else if (id) {
        remove_entries(r, id);
        *id_of(r) = NULL;
    }
}
