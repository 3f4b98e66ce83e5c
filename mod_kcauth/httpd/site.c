/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Start-up: from a server's directives to the site that its requests work with. */

#include <apr_shm.h>
#include <apr_strings.h>

#include <ap_mpm.h>

#include "httpd/config.h"
#include "httpd/cookies.h"
#include "httpd/revoke.h"
#include "httpd/site.h"
#include "httpd/state.h"
#include "httpd/store.h"
#include "httpd/trouble.h"

/* A realm as one or more sites use it: calls, metadata and keys are theirs together. */
typedef struct realm {
    kc_provider_options options;
    kc_http_options http;
    int timeout; /* seconds for a fetch in the background */
    void *shared;
    kc_provider *provider; /* of this child */
    kc_trouble *trouble;
    int away; /* it did not answer this child */
} realm;

/* All that start-up makes. Lives in the configuration's pool, so a restart begins anew. */
typedef struct runtime {
    apr_array_header_t *realms; /* of realm * */
    apr_array_header_t *sites;  /* of kc_site *, with its realm at the same index of site_realms */
    apr_array_header_t *site_realms;
    kc_revocations *revocations;
    kc_gate *gate;
    apr_time_t began;
} runtime;

static runtime *started;

kc_site *kc_site_of(const server_rec *s)
{
    return kc_server_conf_of(s)->site;
}

int kc_site_is_issuer(const kc_site *site, const char *text)
{
    apr_size_t len = strlen(site->conf->issuer);

    return !strncmp(text, site->conf->issuer, len) && (!text[len] || !strcmp(text + len, "/"));
}

/* --- defaults --------------------------------------------------------------------------------- */

static void default_text(const char **field, const char *value)
{
    if (!*field) {
        *field = value;
    }
}

static void default_number(int *field, int value)
{
    if (*field == KC_UNSET) {
        *field = value;
    }
}

/* The defaults of docs/directives.md, in one place. */
static kc_server_conf *with_defaults(apr_pool_t *pool, const kc_server_conf *said)
{
    kc_server_conf *conf = apr_pmemdup(pool, said, sizeof(*said));

    default_text(&conf->path, "/oauth");
    default_text(&conf->response_mode, "");
    default_text(&conf->post_logout_url, "/");
    default_text(&conf->state_dir, ap_server_root_relative(pool, "kcauth"));
    default_text(&conf->cookie_name, "kcauth");
    default_text(&conf->cookie_samesite, "Lax");
    default_text(&conf->user_claim, "preferred_username");
    default_number(&conf->timeout, 10);
    default_number(&conf->connect_timeout, 2);
    default_number(&conf->insecure_http, 0);
    default_number(&conf->session_idle, 1800);
    default_number(&conf->session_max, 36000);
    default_number(&conf->userinfo, KC_USERINFO_AUTO);
    default_number(&conf->session, KC_SESSION_SIGNED);
    default_number(&conf->revalidate, 300);
    default_number(&conf->revalidate_strict, 0);
    return conf;
}

/* --- the roles to keep ------------------------------------------------------------------------ */

static int same_role(const kc_role *a, const kc_role *b)
{
    return a->kind == b->kind && a->name_len == b->name_len && a->client_len == b->client_len &&
           !memcmp(a->name, b->name, a->name_len) &&
           (!a->client_len || !memcmp(a->client, b->client, a->client_len));
}

static apr_uint32_t hash_bytes(apr_uint32_t hash, const char *bytes, apr_size_t len)
{
    for (; len; len--, bytes++) {
        hash = (hash ^ (unsigned char)*bytes) * 16777619u; /* FNV-1a */
    }
    return hash;
}

static apr_uint32_t hash_role(const kc_role *role)
{
    char kind = (char)role->kind;
    apr_uint32_t hash = hash_bytes(2166136261u, &kind, 1);

    hash = hash_bytes(hash, role->client_len ? role->client : "", role->client_len);
    hash = hash_bytes(hash, "", 1);
    return hash_bytes(hash, role->name, role->name_len);
}

/* Adds what is not there yet; the mark is a sum, so the order of the lines does not matter. */
static void keep_roles(kc_site *site, const apr_array_header_t *roles)
{
    int i, k;

    for (i = 0; i < roles->nelts; i++) {
        const kc_role *role = APR_ARRAY_IDX(roles, i, const kc_role *);

        for (k = 0; k < site->kept->nelts; k++) {
            if (same_role(APR_ARRAY_IDX(site->kept, k, const kc_role *), role)) {
                break;
            }
        }
        if (role->kind != KC_ROLE_OWN && k == site->kept->nelts) {
            APR_ARRAY_PUSH(site->kept, const kc_role *) = role;
            site->mark += hash_role(role);
        }
    }
}

/* --- sealers ---------------------------------------------------------------------------------- */

static kc_sealer *make_sealer(kc_site *site, kc_seal_kind kind, const char *purpose,
                              const kc_secret *keys, int count, server_rec *s, apr_pool_t *pool)
{
    kc_seal_binding binding = {purpose, site->conf->cookie_name, site->conf->issuer,
                               site->conf->client_id};
    kc_sealer *sealer = NULL;

    if (kc_sealer_create(&sealer, kind, &binding, keys, count, pool) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, 0, s,
                     "KC0150: OpenSSL could not prepare the keys of server %s", s->server_hostname);
        return NULL;
    }
    return sealer;
}

static int same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

/* Whether two sites would derive the same keys: hosts that inherit their client from the main server
 * do. */
static int same_seals(const kc_server_conf *a, const kc_server_conf *b)
{
    int made = !a->session_keys->nelts && !b->session_keys->nelts;

    return (made ? same_text(a->state_dir, b->state_dir) : a->session_keys == b->session_keys) &&
           (a->session == KC_SESSION_SIGNED) == (b->session == KC_SESSION_SIGNED) &&
           same_text(a->cookie_name, b->cookie_name) && same_text(a->issuer, b->issuer) &&
           same_text(a->client_id, b->client_id);
}

/* Takes over the sealers of a site that has the same keys, if there is one before it. */
static int share_sealers(kc_site *site, const apr_array_header_t *sites)
{
    int i;

    for (i = 0; i < sites->nelts; i++) {
        const kc_site *other = APR_ARRAY_IDX(sites, i, const kc_site *);

        if (other != site && other->renewals && same_seals(site->conf, other->conf)) {
            site->sessions = other->sessions;
            site->logins = other->logins;
            site->id_tokens = other->id_tokens;
            site->refresh_tokens = other->refresh_tokens;
            site->renewals = other->renewals;
            return 1;
        }
    }
    return 0;
}

static apr_status_t seal_site(kc_site *site, server_rec *s, apr_pool_t *pool, apr_pool_t *ptemp)
{
    kc_secret made;
    const kc_secret *keys = (const kc_secret *)(void *)site->conf->session_keys->elts;
    int count = site->conf->session_keys->nelts;
    int readable = site->conf->session == KC_SESSION_SIGNED;

    if (!count) {
        apr_status_t rv = kc_state_key(&made, site->conf->state_dir, s, ptemp, ptemp);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        keys = &made;
        count = 1;
    }
    site->sessions = make_sealer(site, readable ? KC_SEAL_SIGNED : KC_SEAL_ENCRYPTED, "session",
                                 keys, count, s, pool);
    site->logins = make_sealer(site, KC_SEAL_ENCRYPTED, "login", keys, count, s, pool);
    site->id_tokens = make_sealer(site, KC_SEAL_ENCRYPTED, "id_token", keys, count, s, pool);
    site->refresh_tokens =
        make_sealer(site, KC_SEAL_ENCRYPTED, "refresh_token", keys, count, s, pool);
    site->renewals = make_sealer(site, KC_SEAL_ENCRYPTED, "renewal", keys, count, s, pool);
    return site->sessions && site->logins && site->id_tokens && site->refresh_tokens &&
                   site->renewals
               ? APR_SUCCESS
               : APR_EGENERAL;
}

/* --- realms ----------------------------------------------------------------------------------- */

static realm *realm_of(runtime *rt, const kc_server_conf *conf, apr_pool_t *pool)
{
    realm *one;
    int i;

    for (i = 0; i < rt->realms->nelts; i++) {
        one = APR_ARRAY_IDX(rt->realms, i, realm *);
        if (same_text(one->options.issuer, conf->issuer) &&
            same_text(one->options.internal_origin, conf->internal_url) &&
            same_text(one->http.ca_file, conf->ca_file) &&
            one->options.insecure == conf->insecure_http && one->timeout == conf->timeout &&
            one->http.connect_timeout == apr_time_from_sec(conf->connect_timeout)) {
            return one;
        }
    }
    one = apr_pcalloc(pool, sizeof(*one));
    one->options.issuer = conf->issuer;
    one->options.discovery_url = conf->discovery_url;
    one->options.internal_origin = conf->internal_url;
    one->options.insecure = conf->insecure_http;
    one->http.ca_file = conf->ca_file;
    one->http.connect_timeout = apr_time_from_sec(conf->connect_timeout);
    one->timeout = conf->timeout;
    APR_ARRAY_PUSH(rt->realms, realm *) = one;
    return one;
}

/* --- in the background ------------------------------------------------------------------------ */

static void refresh_realm(realm *one, server_rec *s, apr_pool_t *pool)
{
    apr_time_t now = apr_time_now();
    apr_interval_time_t max_age = apr_time_from_sec(3600);
    kc_error err = {0};

    if (max_age > now - started->began) { /* what is known from before the start is asked anew */
        max_age = now - started->began;
    }
    if (kc_provider_refresh(one->provider, max_age, now + apr_time_from_sec(one->timeout), pool,
                            &err) == APR_SUCCESS) {
        if (one->away) {
            kc_trouble_log_server(s, one->trouble, APLOG_NOTICE, 0, "KC0155",
                                  apr_pstrcat(pool, one->options.issuer, " answers again", NULL));
        }
        one->away = 0;
    } else {
        kc_trouble_log_server(s, one->trouble, APLOG_WARNING, 0, err.id,
                              apr_pstrcat(pool, one->options.issuer, ": ", err.text, NULL));
        one->away = 1;
    }
}

/* Once a second: fetches what is lacking or over an hour old, and hears what other servers revoked.
 */
static void work_in_background(server_rec *s, apr_pool_t *pool)
{
    int i;

    for (i = 0; started && i < started->realms->nelts; i++) {
        realm *one = APR_ARRAY_IDX(started->realms, i, realm *);

        if (one->provider) {
            refresh_realm(one, s, pool);
        }
    }
    if (started) {
        kc_revocations_exchange(s, started->revocations, pool);
    }
}

/* --- post_config ------------------------------------------------------------------------------ */

static apr_status_t make_site(runtime *rt, server_rec *s, apr_pool_t *pool, apr_pool_t *ptemp)
{
    kc_server_conf *said = kc_server_conf_of(s);
    kc_site *site = apr_pcalloc(pool, sizeof(*site));
    kc_server_conf *conf = with_defaults(pool, said);
    int https;

    site->conf = conf;
    site->callback_path = apr_pstrcat(pool, conf->path, "/login/callback", NULL);
    site->logout_path = apr_pstrcat(pool, conf->path, "/logout", NULL);
    site->renew_path = apr_pstrcat(pool, conf->path, "/renew", NULL);
    site->realm_key = kc_realm_key_make(conf->issuer, conf->client_id);
    for (https = 0; https < 2; https++) {
        site->session_cookies[https] =
            kc_cookie_named(pool, conf->cookie_name, "/", conf->cookie_samesite, https);
        site->id_token_cookies[https] =
            kc_cookie_named(pool, apr_pstrcat(pool, conf->cookie_name, "_id", NULL),
                            site->logout_path, "Lax", https);
        site->refresh_cookies[https] =
            kc_cookie_named(pool, apr_pstrcat(pool, conf->cookie_name, "_refresh", NULL),
                            conf->path, "Lax", https); /* for renew, and for logout */
    }
    site->kept = apr_array_make(pool, 8, sizeof(const kc_role *));
    keep_roles(site, conf->kept_roles);
    keep_roles(site, conf->wanted_roles);
    said->site = site;
    APR_ARRAY_PUSH(rt->sites, kc_site *) = site;
    APR_ARRAY_PUSH(rt->site_realms, realm *) = realm_of(rt, conf, pool);
    return share_sealers(site, rt->sites) ? APR_SUCCESS : seal_site(site, s, pool, ptemp);
}

/* A quarter of the workers, unless the main server says otherwise. */
static int max_calls(const server_rec *s)
{
    const kc_server_conf *conf = kc_server_conf_of(s);
    int servers = 1, threads = 1, quarter;

    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &servers);
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    quarter = servers * (threads > 0 ? threads : 1) / 4;
    return conf->max_calls != KC_UNSET ? conf->max_calls : quarter > 0 ? quarter : 1;
}

/* One anonymous segment that all children inherit: two counters, what was used up, renewals under way,
 * who waits for Keycloak, and what was written to the log. Fresh from the kernel it is zeroed. */
static apr_status_t share(runtime *rt, server_rec *s, apr_pool_t *pool)
{
    enum { COUNTERS = 64 }; /* a cache line of their own */
    apr_size_t flights_at = COUNTERS + APR_ALIGN(kc_once_size(), 64);
    apr_size_t gate_at = flights_at + APR_ALIGN(kc_flights_size(), 64);
    apr_size_t trouble_at = gate_at + APR_ALIGN(kc_gate_size(), 64);
    apr_size_t size = trouble_at + kc_trouble_size(rt->realms->nelts);
    apr_shm_t *shm;
    char *base;
    int i;
    apr_status_t rv = apr_shm_create(&shm, size, NULL, pool);

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, rv, s,
                     "KC0151: no shared memory of %" APR_SIZE_T_FMT " bytes", size);
        return rv;
    }
    base = apr_shm_baseaddr_get(shm);
    rt->gate = kc_gate_attach(base + gate_at, max_calls(s), pool);
    for (i = 0; i < rt->realms->nelts; i++) {
        APR_ARRAY_IDX(rt->realms, i, realm *)->trouble = kc_trouble_attach(base + trouble_at, i);
    }
    for (i = 0; i < rt->sites->nelts; i++) {
        kc_site *site = APR_ARRAY_IDX(rt->sites, i, kc_site *);

        site->turn = (apr_uint32_t *)(void *)base;
        site->unproven = (_Atomic(apr_uint64_t) *)(void *)(base + COUNTERS / 2);
        site->once = i ? APR_ARRAY_IDX(rt->sites, 0, kc_site *)->once
                       : kc_once_attach(base + COUNTERS, pool);
        site->flights = i ? APR_ARRAY_IDX(rt->sites, 0, kc_site *)->flights
                          : kc_flights_attach(base + flights_at, pool);
        site->trouble = APR_ARRAY_IDX(rt->site_realms, i, realm *)->trouble;
    }
    return APR_SUCCESS;
}

/* What is known of each realm, from before a restart too. */
static apr_status_t share_documents(runtime *rt, server_rec *s, apr_pool_t *pool, apr_pool_t *ptemp)
{
    const kc_site *first = APR_ARRAY_IDX(rt->sites, 0, kc_site *);
    int i;

    for (i = 0; i < rt->realms->nelts; i++) {
        realm *one = APR_ARRAY_IDX(rt->realms, i, realm *);
        const char *name =
            apr_pstrcat(ptemp, one->options.issuer, " ",
                        one->options.internal_origin ? one->options.internal_origin : "", NULL);

        one->shared = kc_state_documents(first->conf->state_dir, name, s, pool, ptemp);
        one->options.gate = rt->gate;
        if (!one->shared) {
            return APR_EGENERAL;
        }
    }
    return APR_SUCCESS;
}

/* One table for all: an entry's name says whose it is. */
static apr_status_t share_revocations(runtime *rt, server_rec *s, apr_pool_t *pool,
                                      apr_pool_t *ptemp)
{
    const kc_site *first = APR_ARRAY_IDX(rt->sites, 0, kc_site *);
    int i, horizon = 0;

    for (i = 0; i < rt->sites->nelts; i++) {
        int max = APR_ARRAY_IDX(rt->sites, i, kc_site *)->conf->session_max;

        horizon = max > horizon ? max : horizon;
    }
    rt->revocations =
        kc_state_revocations(first->conf->state_dir, apr_time_from_sec(horizon), s, pool, ptemp);
    for (i = 0; i < rt->sites->nelts; i++) {
        APR_ARRAY_IDX(rt->sites, i, kc_site *)->revocations = rt->revocations;
    }
    return rt->revocations ? APR_SUCCESS : APR_EGENERAL;
}

static int needs_store(const runtime *rt)
{
    int i;

    for (i = 0; i < rt->sites->nelts; i++) {
        if (APR_ARRAY_IDX(rt->sites, i, kc_site *)->conf->session == KC_SESSION_SERVER) {
            return 1;
        }
    }
    return 0;
}

/* A split session fills a Cookie header beyond httpd's default line. Limits that an admin chose
 * stay. */
static void make_room_for_cookies(server_rec *s)
{
    for (; s; s = s->next) {
        if (s->limit_req_fieldsize == DEFAULT_LIMIT_REQUEST_FIELDSIZE) {
            s->limit_req_fieldsize = KC_COOKIE_PARTS * 4096 + DEFAULT_LIMIT_REQUEST_FIELDSIZE;
        }
    }
}

int kc_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    runtime *rt;
    server_rec *one;

    (void)plog;
    /* httpd reads its configuration twice at start; the first reading is only a check. */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    started = NULL;
    rt = apr_pcalloc(pconf, sizeof(*rt));
    rt->began = apr_time_now();
    rt->realms = apr_array_make(pconf, 4, sizeof(realm *));
    rt->sites = apr_array_make(pconf, 4, sizeof(kc_site *));
    rt->site_realms = apr_array_make(pconf, 4, sizeof(realm *));
    for (one = s; one; one = one->next) {
        kc_server_conf *conf = kc_server_conf_of(one);

        if (conf->discovery_url && make_site(rt, one, pconf, ptemp) != APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    if (!rt->sites->nelts) {
        return OK;
    }
    if (kc_http_global_init(pconf) != APR_SUCCESS || share(rt, s, pconf) != APR_SUCCESS ||
        share_documents(rt, s, pconf, ptemp) != APR_SUCCESS ||
        share_revocations(rt, s, pconf, ptemp) != APR_SUCCESS ||
        kc_store_open(needs_store(rt), s, pconf, ptemp) != APR_SUCCESS ||
        kc_watchdog_register(pconf, s, work_in_background) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    make_room_for_cookies(s);
    started = rt;
    return OK;
}

/* --- in each child ---------------------------------------------------------------------------- */

static apr_status_t open_realm(realm *one, apr_pool_t *pchild)
{
    kc_http *http;
    int threads = 0;
    apr_status_t rv;

    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    one->http.max_handles = threads > 0 ? threads : 1;
    rv = kc_http_create(&http, &one->http, pchild);
    return rv == APR_SUCCESS
               ? kc_provider_create(&one->provider, &one->options, one->shared, http, pchild)
               : rv;
}

static void hurry(void)
{
    int i;

    for (i = 0; i < started->realms->nelts; i++) {
        const realm *one = APR_ARRAY_IDX(started->realms, i, realm *);

        if (one->provider) {
            kc_http_stop(kc_provider_http(one->provider));
        }
    }
}

void kc_child_init(apr_pool_t *pchild, server_rec *s)
{
    int i;

    if (started) {
        kc_watchdog_child_init(pchild, hurry);
        kc_store_child_init(s, pchild);
    }
    for (i = 0; started && i < started->realms->nelts; i++) {
        realm *one = APR_ARRAY_IDX(started->realms, i, realm *);
        apr_status_t rv = open_realm(one, pchild);

        if (rv != APR_SUCCESS) {
            /* Sites without a provider refuse logins; whoever is logged in stays so. */
            ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, "KC0152: cannot prepare calls to %s",
                         one->options.issuer);
            one->provider = NULL;
        }
    }
    for (i = 0; started && i < started->sites->nelts; i++) {
        APR_ARRAY_IDX(started->sites, i, kc_site *)->provider =
            APR_ARRAY_IDX(started->site_realms, i, realm *)->provider;
    }
}
