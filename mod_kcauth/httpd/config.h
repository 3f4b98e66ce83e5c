/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Directives: what they are read into, merged and checked. */
#ifndef KC_HTTPD_CONFIG_H
#define KC_HTTPD_CONFIG_H

#include "httpd/module.h"

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

#endif
