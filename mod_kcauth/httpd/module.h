/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * httpd: everything that knows request_rec or server_rec. The files, in the order a request meets
 * them:
 *
 *   directives.c  the command table            config.c    configuration, merged and checked
 *   secret.c      where secrets come from      state.c     what must outlive a restart
 *   site.c        start-up: a server's site    watchdog.c  what runs in the background
 *   request.c     what a request is asked      endpoints.c our own URLs
 *   cookies.c     cookies in and out           store.c     httpd's small object caches
 *   errand.c      calls with a deadline        copies.c    what the store said just now
 *   carry.c       how a session travels        sessions.c  cookie to session and back
 *   memo.c        what a connection showed
 *   authn.c       session to r->user, or a     authz.c     the kc-* providers behind Require
 *                 challenge                    denial.c    the log of a denial
 *   identity.c    what the application sees    renew.c     fresh roles
 *   login.c       to Keycloak                  callback.c  and back
 *   logout.c      the end                      notices.c   what Keycloak tells
 *   revoke.c      what was ended               about.c     the session endpoint
 *   flight.c      one renewal at a time        pages.c     every refusal: page and log
 *   trouble.c     the log, once a minute
 */
#ifndef KC_HTTPD_MODULE_H
#define KC_HTTPD_MODULE_H

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>

#include "base/base.h"
#include "oidc/oidc.h"
#include "session/session.h"

/** The one name that the .so exports. */
extern module AP_MODULE_DECLARE_DATA __attribute__((visibility("default"))) kcauth_module;

APLOG_USE_MODULE(kcauth);

#define KC_AUTH_TYPE "Keycloak"

/* --- configuration (directives.c, config.c) --------------------------------------------------- */

/** A role or group that a Require line, or KCAuthKeepRoles, names. */
typedef enum kc_role_kind {
    KC_ROLE_OWN,
    KC_ROLE_REALM,
    KC_ROLE_CLIENT,
    KC_ROLE_GROUP
} kc_role_kind;

typedef struct kc_role {
    kc_role_kind kind;
    const char *client; /**< of KC_ROLE_CLIENT */
    apr_size_t client_len;
    const char *name; /**< "*" in KCAuthKeepRoles: all of them */
    apr_size_t name_len;
} kc_role;

/** Reads `admin`, `realm:admin` or `other-client:admin`. */
kc_role *kc_role_parse(apr_pool_t *pool, const char *text);

enum { KC_UNSET = -1 };

/** KCAuthSession: where a session's record lies. */
typedef enum kc_session_kind {
    KC_SESSION_SIGNED,    /**< in cookies, readable */
    KC_SESSION_ENCRYPTED, /**< in cookies, unreadable */
    KC_SESSION_SERVER     /**< in the store; the cookie holds a random name */
} kc_session_kind;

/** A server's directives. Pointers are NULL and numbers KC_UNSET where nothing was said. */
typedef struct kc_server_conf {
    const char *discovery_url; /**< ends in /.well-known/openid-configuration */
    const char *issuer;        /**< the part before it */
    const char *defined_at;    /**< "file:line" of KCAuthDiscoveryURL */
    const char *client_id;
    const char *client_secret;
    const char *internal_url;
    const char *base_url; /**< without a slash at the end */
    const char *path;
    const char *scope;
    const char *response_mode; /**< "form_post", or "" for query */
    const char *post_logout_url;
    const char *ca_file;
    const char *state_dir;
    const char *cookie_name;
    const char *cookie_samesite;
    const char *user_claim;
    int timeout; /**< seconds */
    int connect_timeout;
    int max_calls; /**< of the whole server, so the main server's counts */
    int insecure_http;
    int session_idle;
    int session_max;
    int userinfo;          /**< kc_userinfo_when */
    int session;           /**< kc_session_kind */
    int revalidate;        /**< seconds; 0: never */
    int revalidate_strict; /**< whether an outage of Keycloak ends sessions that are due */

    apr_array_header_t *session_keys; /**< of kc_secret; empty: one is made on first start */
    apr_array_header_t *kept_roles;   /**< of kc_role *: KCAuthKeepRoles */
    apr_array_header_t *wanted_roles; /**< of kc_role *: named by Require lines of this server */
    int exports_headers;

    struct kc_site *site; /**< made at start-up; NULL where nothing is configured */
} kc_server_conf;

/** KCAuthExport, as bits. */
enum { KC_EXPORT_OFF = 0, KC_EXPORT_ENV = 1, KC_EXPORT_HEADERS = 2 };

typedef struct kc_dir_conf {
    const char *scope;
    int export;
    int pass_cookie;
} kc_dir_conf;

extern const command_rec kc_directives[];

void *kc_server_conf_create(apr_pool_t *pool, server_rec *s);
void *kc_server_conf_merge(apr_pool_t *pool, void *base, void *add);
void *kc_dir_conf_create(apr_pool_t *pool, char *dir);
void *kc_dir_conf_merge(apr_pool_t *pool, void *base, void *add);

kc_server_conf *kc_server_conf_of(const server_rec *s);
kc_dir_conf *kc_dir_conf_of(const request_rec *r);

/** Hook check_config: what only a whole server's directives can tell. Stops `httpd -t` too. */
int kc_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/**
 * Reads a secret: the value itself, file:PATH (one newline at the end is dropped), env:NAME or
 * exec:COMMAND (its first line).
 * @return NULL, or what is wrong, for the error message of the directive
 */
const char *kc_secret_load(apr_pool_t *pool, const char *spec, const char **secret);

/** Reads the keycloak.json of Keycloak's console into the server's directives. NULL, or what is
 * wrong. */
const char *kc_keycloak_json_load(apr_pool_t *pool, const char *path, kc_server_conf *conf);

/**
 * The key that seals sessions when none is configured: read from the state folder, made there on
 * the first start, mode 0600. Failures are in the error log.
 */
apr_status_t kc_state_key(kc_secret *key, const char *state_dir, server_rec *s, apr_pool_t *pool,
                          apr_pool_t *ptemp);

/* --- the state folder (state.c) and the store (store.c) --------------------------------------- */

/**
 * The table of revocations, in a file of the state folder that is mapped and shared by all
 * children, generations and restarts.
 * @return NULL after a line in the error log
 */
kc_revocations *kc_state_revocations(const char *state_dir, apr_interval_time_t horizon,
                                     server_rec *s, apr_pool_t *pool, apr_pool_t *ptemp);

/**
 * Memory for a realm's metadata and keys (kc_provider_create), in a file of the state folder.
 * @param realm  what they are of: issuer and internal address
 * @return NULL after a line in the error log
 */
void *kc_state_documents(const char *state_dir, const char *realm, server_rec *s, apr_pool_t *pool,
                         apr_pool_t *ptemp);

/** KCAuthSessionStore's argument. NULL, or what is wrong. One store serves the whole server. */
const char *kc_store_configure(cmd_parms *cmd, const char *arg);

void kc_store_pre_config(apr_pool_t *pconf);
/** Whether a store could be opened: one is configured, or the default's module is there. */
int kc_store_is_loaded(apr_pool_t *pool);
/** Opens the store, or keeps the one of before a restart. `needed`: also without the directive. */
apr_status_t kc_store_open(int needed, server_rec *s, apr_pool_t *pconf, apr_pool_t *ptemp);
void kc_store_child_init(server_rec *s, apr_pool_t *pchild);
/** Whether KCAuthSessionStore names a store that other servers may share. */
int kc_store_is_shared(void);

/**
 * Reads an entry as a NUL-terminated text of the pool.
 * @return APR_SUCCESS; APR_NOTFOUND; anything else: the store is away (said in the log once a
 * minute)
 */
KC_WARN_UNUSED apr_status_t kc_store_get(server_rec *s, const char *name, char **text,
                                         apr_pool_t *pool);
KC_WARN_UNUSED apr_status_t kc_store_put(server_rec *s, const char *name, const char *text,
                                         apr_time_t expires, apr_pool_t *pool);
void kc_store_remove(server_rec *s, const char *name, apr_pool_t *pool);

/* --- errands (errand.c) ----------------------------------------------------------------------- */

/** A call that another thread makes, with a deadline. */
typedef struct kc_errand kc_errand;

/** The call. It touches nothing but the baton and its pool, which live until it comes back. */
typedef apr_status_t kc_errand_fn(void *baton, apr_pool_t *pool);

apr_status_t kc_errand_child_init(void);
/** An errand, and the pool to lay its baton in. NULL: out of memory. To be ended by
 * kc_errand_end(), with which the pool is lost. */
kc_errand *kc_errand_prepare(apr_pool_t **pool);
/**
 * Waits for the call for two seconds at most.
 * @return what the call returned; APR_TIMEUP: it is late, and owns the baton now. For five seconds
 * after that, and while one call finds out whether it is so still, all others get it at once
 */
KC_WARN_UNUSED apr_status_t kc_errand_run(kc_errand *errand, kc_errand_fn *fn, void *baton);
void kc_errand_end(kc_errand *errand);

/* --- copies (copies.c) ------------------------------------------------------------------------ */

/** What kc_copy_keep() was given for this entry less than a second ago, as text of the pool, or
 * NULL. Names are hashes of 43 characters. */
char *kc_copy_find(const char *name, apr_time_t now, apr_pool_t *pool);
void kc_copy_keep(const char *name, apr_time_t now, const char *text);
/** The store holds something else now. */
void kc_copy_drop(const char *name);

/* --- cookies (cookies.c) ---------------------------------------------------------------------- */

/** A cookie's name on the wire, and its attributes. */
typedef struct kc_cookie {
    const char *name; /**< with its prefix, without a part number */
    const char *path;
    const char *samesite;
    int max_age; /**< seconds; 0: until the browser closes */
    int secure;
} kc_cookie;

/**
 * On https a cookie for "/" is __Host- and another one __Secure- (RFC 6265bis): a neighbour, or
 * plain http, cannot plant it.
 * @param name  the configured name and what follows it
 */
kc_cookie kc_cookie_named(apr_pool_t *pool, const char *name, const char *path,
                          const char *samesite, int https);

/* --- the log of what goes wrong again and again (trouble.c) ----------------------------------- */

/** How often each message of a realm was written lately. In memory that the children share. */
typedef struct kc_trouble kc_trouble;

/** Bytes of zeroed memory for so many realms, and the part of one of them. */
apr_size_t kc_trouble_size(int realms);
kc_trouble *kc_trouble_attach(void *shared, int realm);

/**
 * For a line that the provider or a client can cause at will: once a minute for each id it is
 * written at its level, with the number of those that were held back since. Those are written at
 * info, so that a reference is found there.
 */
void kc_trouble_log(request_rec *r, int level, const char *id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** The same of no request. `trouble` is of the realm that it is about; NULL: of the server's. */
void kc_trouble_log_server(server_rec *s, kc_trouble *trouble, int level, apr_status_t rv,
                           const char *id, const char *text);

/* --- a server's site (site.c, watchdog.c) ----------------------------------------------------- */

/** What a server with a client at Keycloak works with. Made once at start-up, read only after
 * child_init. */
typedef struct kc_site {
    const kc_server_conf *conf;
    const char *callback_path;
    const char *logout_path;
    const char *renew_path;
    kc_provider *provider;         /**< made in each child; shared by the sites of one realm */
    kc_cookie session_cookies[2];  /**< on http, on https */
    kc_cookie id_token_cookies[2]; /**< the same */
    kc_cookie refresh_cookies[2];
    kc_sealer *sessions;
    kc_sealer *logins;
    kc_sealer *id_tokens;
    kc_sealer *refresh_tokens;
    kc_sealer *renewals; /**< what servers tell each other of a renewed session */
    kc_realm_key realm_key;
    kc_once *once;
    kc_flights *flights;
    kc_revocations *revocations;
    volatile apr_uint32_t *turn; /**< shared over the children: whose turn among the login slots */
    _Atomic(apr_uint64_t) *unproven; /**< the same: ends told lately that nobody had proven */
    apr_array_header_t *kept;        /**< of kc_role *: what is kept besides the own client's */
    apr_uint32_t mark;               /**< of that list */
    kc_trouble *trouble;             /**< of its realm; shared by all children */
} kc_site;

/** Whether the text is this site's issuer, but for a slash at its end. */
int kc_site_is_issuer(const kc_site *site, const char *text);

/** The site of this server, or NULL. */
kc_site *kc_site_of(const server_rec *s);

int kc_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
void kc_child_init(apr_pool_t *pchild, server_rec *s);

/** Has `each_second` called in the background, in one child at a time, where httpd has
 * mod_watchdog. */
apr_status_t kc_watchdog_register(apr_pool_t *pconf, server_rec *s,
                                  void (*each_second)(server_rec *s, apr_pool_t *pool));

/**
 * In each child, before what works in the background is made: when the child ends, `hurry` is
 * called, and what is at work is waited for.
 */
void kc_watchdog_child_init(apr_pool_t *pchild, void (*hurry)(void));

/* --- a request (request.c) -------------------------------------------------------------------- */

typedef struct kc_endpoint kc_endpoint;

/** A refusal that is under way: what the page will say (pages.c). */
typedef struct kc_page {
    int status;
    kc_fault fault;
    const char *id;           /**< KC0123 */
    const char *ref;          /**< finds the log line */
    const char *retry;        /**< local URL of the link "try again", or NULL */
    const char *missing_role; /**< of a denial */
    int json;                 /**< a script asked: the body is JSON */
} kc_page;

/** A Require line as parsed: any of its roles is enough. */
typedef struct kc_requirement {
    const char *line;          /**< as in the configuration */
    apr_array_header_t *roles; /**< of kc_role */
} kc_requirement;

enum { KC_TOLD = 10 };

/** What the application sees of a session, in the order of the table in identity.c. Without control
 * characters; NULL where there is nothing to say. */
typedef struct kc_told {
    const char *texts[KC_TOLD];
} kc_told;

/** What we know of one request_rec. */
typedef struct kc_request {
    const kc_endpoint *endpoint; /**< when the URL is one of ours */
    kc_page *page;
    kc_session *session;           /**< of the initial request only */
    const kc_told *told;           /**< of that session; NULL: not made ready yet */
    const char *session_id;        /**< its name in the store, where it lies there */
    const void *ours_by;           /**< the per_dir_config that has AuthType Keycloak */
    const char *cookies;           /**< the Cookie header as it came, before ours were hidden */
    unsigned looked : 1;           /**< session and cookies are known */
    unsigned away : 1;             /**< the store did not say whether there is a session */
    unsigned old_key : 1;          /**< the session is sealed with a key that is going out of use */
    unsigned admitted : 1;         /**< access checks are passed */
    unsigned exported : 1;         /**< the environment is filled */
    unsigned reported : 1;         /**< the denial is in the log */
    const kc_requirement *refused; /**< the first kc-* Require line that did not hold */
    const kc_requirement *held;    /**< the last one that did */
} kc_request;

/** This request's, made on first use. */
kc_request *kc_request_of(request_rec *r);

/** The request that came over the wire: subrequests and internal redirects lead back to it. */
request_rec *kc_request_initial(request_rec *r);

/** This site's public origin, without a slash at the end. Never from the Host header. */
const char *kc_request_origin(request_rec *r, const kc_site *site);

/** Whether the site is seen over https, so that its cookies are Secure. */
int kc_request_is_https(request_rec *r, const kc_site *site);

/** Whether the request came in under the origin's host and port. */
int kc_request_is_canonical(request_rec *r, const kc_site *site);

/** Whether a person navigates here, so that a redirect to a login page makes sense. */
int kc_request_is_navigation(request_rec *r);

/** Path and query of the initial request, as a target to come back to after login. */
const char *kc_request_target(request_rec *r);

/** The local URL that starts a login for a target. */
const char *kc_login_url(request_rec *r, const kc_site *site, const char *target);

/** Whether `AuthType Keycloak` is in force here. */
int kc_request_is_ours(request_rec *r);

/** Whether the method is one of two (or twice the same): OK, or 405 with Allow. GET is HEAD too. */
int kc_request_only(request_rec *r, int one, int other);

/** Reads a body of at most 64 KiB, NUL-terminated. APR_EINVAL for a bigger or broken one. */
apr_status_t kc_request_body(request_rec *r, char **body, apr_size_t *len);

/** Reads a query or an urlencoded body of at most 64 KiB; else, and where it is none, APR_EINVAL. */
apr_status_t kc_request_parameters(request_rec *r, apr_table_t **out);

/** Answers with a redirect that no cache keeps. `status` is HTTP_MOVED_TEMPORARILY or
 * HTTP_SEE_OTHER. */
int kc_redirect(request_rec *r, int status, const char *location);

/* --- cookies in and out (cookies.c) ----------------------------------------------------------- */

/** The value of one cookie of the request as length-bounded text, parts joined; NULL when absent or
 * over the bounds. */
const char *kc_cookie_get(request_rec *r, const kc_cookie *cookie, apr_size_t *len);

/**
 * Sets it, in as many parts as it needs, and removes parts that the browser still holds.
 * @return APR_ENOSPC when it needs more than KC_COOKIE_PARTS; nothing is set then
 */
apr_status_t kc_cookie_set(request_rec *r, const kc_cookie *cookie, const char *value,
                           apr_size_t len);

/** Removes all its parts that the browser may hold. */
void kc_cookie_clear(request_rec *r, const kc_cookie *cookie);

/** Takes all cookies of this site out of what a backend will see. */
void kc_cookies_hide(request_rec *r, const kc_site *site);

/** The Cookie header as the browser sent it, also after ours were hidden; NULL: there is none. */
const char *kc_cookies_header(request_rec *r);

/** Puts the Cookie header back as it came. */
void kc_cookies_show(request_rec *r);

/* --- sessions (sessions.c, carry.c, renew.c, revoke.c) ---------------------------------------- */

/**
 * The session of this request, or NULL: no cookie, a forged one, one that is over or revoked, or
 * (kc_request.away) a store that does not answer. Looked up once.
 */
kc_session *kc_session_of(request_rec *r);

/** Makes a new session of who logged in, under a new name, and sets its cookies. */
apr_status_t kc_session_start(request_rec *r, const kc_identity *identity, const kc_tokens *tokens,
                              kc_error *err);

/**
 * Replaces what the session knows by what Keycloak says now; what it is stays: its beginning, its
 * end, its name.
 * @param packed  receives what others may take over (kc_session_adopt); "" where they find it in
 * the store
 */
apr_status_t kc_session_renew(request_rec *r, const kc_identity *identity, const kc_tokens *tokens,
                              const char **packed, kc_error *err);

/** Takes over what another request renewed. APR_EINVAL when it cannot be read. */
KC_WARN_UNUSED apr_status_t kc_session_adopt(request_rec *r, const char *packed);

/** Puts the next renewal off to `due` (seconds since the epoch). */
void kc_session_postpone(request_rec *r, apr_int64_t due);

/** Writes down that the session is in use, at most once a minute. */
void kc_session_touch(request_rec *r);

/** Ends the session here and everywhere: its cookies are removed, and it is revoked. */
void kc_session_end(request_rec *r);

/** A text that names this one session as it was last renewed: what is done to it once. */
const char *kc_session_name(request_rec *r, const kc_session *session);

enum { KC_AWAY_INTERVAL = 30 /**< seconds between two attempts while Keycloak is away */ };

/**
 * Who renews a session, over all children, and over all servers that share a store (flight.c).
 * States are those of kc_flight_look and kc_flight_begin; a result is what was landed with, or NULL
 * where it is gone.
 */
kc_flight_state kc_renewal_look(request_rec *r, const kc_site *site, const char *name,
                                const char **result);
kc_flight_state kc_renewal_begin(request_rec *r, const kc_site *site, const char *name,
                                 const char **result);
void kc_renewal_land(request_rec *r, const kc_site *site, const char *name, const char *result);
/** @param seconds  before which nobody tries again */
void kc_renewal_abandon(request_rec *r, const kc_site *site, const char *name, int seconds);

/** The session's ID token, or NULL. With cookies only the logout endpoint is sent it. */
const char *kc_carried_id_token(request_rec *r, const kc_site *site);

/** The refresh token, or NULL. With cookies only endpoints of ours are sent it. */
const char *kc_carried_refresh_token(request_rec *r, const kc_site *site);

/**
 * Has a session that is due renewed before a page of ours is shown: in place where it lies in the
 * store, else by a detour over the renew endpoint. The session may be another one afterwards, or
 * none.
 * @return OK to go on, or the status of a redirect or refusal
 */
int kc_renew(request_rec *r);

/** Revokes here, and tells the servers that share the store. */
void kc_site_revoke(server_rec *s, const kc_site *site, kc_revoked_kind kind, const char *name,
                    apr_time_t time, apr_pool_t *pool);

/** The same of what anybody can make up, a sid, where plenty of room is left. 0 when it is not. */
int kc_site_revoke_unproven(const kc_site *site, const char *sid);

/** For the watchdog: takes over what other servers revoked. */
void kc_revocations_exchange(server_rec *s, kc_revocations *table, apr_pool_t *pool);

/* --- hooks, in the order a request meets them ------------------------------------------------- */

int kc_strip_spoofed(request_rec *r);                            /* post_read_request: identity.c */
int kc_endpoint_translate(request_rec *r);                       /* translate_name: endpoints.c */
int kc_endpoint_map(request_rec *r);                             /* map_to_storage: endpoints.c */
int kc_access(request_rec *r);                                   /* access_checker_ex: authn.c */
int kc_authenticate(request_rec *r);                             /* check_user_id: authn.c */
int kc_fixups(request_rec *r);                                   /* fixups, first: identity.c */
int kc_fixups_proxied(request_rec *r);                           /* fixups, last: identity.c */
int kc_endpoint_handler(request_rec *r);                         /* handler: endpoints.c */
int kc_note_auth_failure(request_rec *r, const char *auth_type); /* note_auth_failure: authn.c */
void kc_page_insert(request_rec *r);                             /* insert_error_filter: pages.c */
int kc_log_denial(request_rec *r);                               /* log_transaction: denial.c */

void kc_authz_register(apr_pool_t *pool);    /* the providers behind Require: authz.c */
void kc_pages_register(apr_pool_t *pool);    /* the filter that names JSON: pages.c */
void kc_identity_register(apr_pool_t *pool); /* the filter for proxied pages' caching: identity.c */

/* --- the endpoints (login.c, callback.c, logout.c) -------------------------------------------- */

int kc_login_handler(request_rec *r);
int kc_callback_handler(request_rec *r);
int kc_logout_handler(request_rec *r);
int kc_renew_handler(request_rec *r);
int kc_session_handler(request_rec *r);             /* about.c */
int kc_backchannel_logout_handler(request_rec *r);  /* notices.c */
int kc_frontchannel_logout_handler(request_rec *r); /* notices.c */
int kc_admin_action_handler(request_rec *r);        /* notices.c */

/** Sends the browser to Keycloak, to come back to `target`. `attempt` counts the tries at one
 * login. Returns a handler's status. */
int kc_login_start(request_rec *r, const char *target, unsigned attempt);

/** The same without a page (prompt=none), for a session that has no refresh token. */
int kc_login_start_silent(request_rec *r, const char *target);

/** A cookie of a login under way, by its slot. */
kc_cookie kc_login_cookie(request_rec *r, const kc_site *site, unsigned slot);

/* --- what the application sees (identity.c) --------------------------------------------------- */

/** What is told of the session of this request: made once, in the initial request's memory. */
const kc_told *kc_identity_told(request_rec *r, const kc_session *session);

/** Fills environment and headers of this request from the session. */
void kc_identity_export(request_rec *r, const kc_session *session);

/* --- refusals (pages.c, denial.c) ------------------------------------------------------------- */

/**
 * Refuses with a page: logs the failure with a reference, and prepares what is shown unless an
 * ErrorDocument is set.
 * @param target  where "try again" leads after a login; NULL for the home page
 * @return the HTTP status that belongs to err->fault, to be returned from a hook or handler
 */
int kc_refuse(request_rec *r, const kc_error *err, const char *target);

/** Answers with a page that leads on to a local target by itself. */
int kc_page_lead_on(request_rec *r, const char *target);

/** 503: the session store does not answer. */
int kc_refuse_away(request_rec *r);

/** The 401 for scripts: JSON that names the login URL. */
int kc_refuse_script(request_rec *r, const kc_site *site);

/** The id of a denial by a Require line. */
#define KC_DENIED "KC0801"

/** Prepares the page of a denial, before it is known whether another line lets the person in. */
const kc_page *kc_page_denial(request_rec *r, const char *missing_role);

/** Takes it back. */
void kc_page_withdraw(request_rec *r);

/** Logs a denial by a Require line, once. */
void kc_denial_report(request_rec *r);

#endif
