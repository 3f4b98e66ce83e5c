/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * oidc: what is said to the provider, and what is believed of its answers. OAuth 2.0 (RFC 6749),
 * PKCE (RFC 7636), the iss parameter (RFC 9207), OpenID Connect Core, Discovery and RP-Initiated
 * Logout 1.0, with Keycloak's roles.
 */
#ifndef KC_OIDC_H
#define KC_OIDC_H

#include "base/base.h"
#include "jose/jose.h"

/* --- the provider: metadata and keys ---------------------------------------------------------- */

/** The members of the discovery document that we use. Immutable. */
typedef struct kc_metadata {
    const char *issuer; /**< as the provider spells it: tokens must say exactly this */
    const char *authorization_endpoint;
    const char *token_endpoint;
    const char *jwks_uri;
    const char *userinfo_endpoint;    /**< or NULL */
    const char *revocation_endpoint;  /**< RFC 7009; or NULL */
    const char *end_session_endpoint; /**< or NULL */
    kc_alg_set algs;                  /**< those listed for ID tokens that we verify; not empty */
    unsigned iss_parameter : 1;       /**< RFC 9207: every authorization response carries iss */
    unsigned auth_basic : 1;  /**< client_secret_basic is allowed (so too when nothing is said) */
    unsigned auth_post : 1;   /**< client_secret_post is allowed */
    unsigned scope_roles : 1; /**< scope "roles" exists, or nothing is said about scopes */
} kc_metadata;

/**
 * Reads a discovery document (OpenID Connect Discovery 1.0 section 4.2) and checks it: issuer equal
 * to `issuer` but for one slash at the end, endpoints absolute and safe (https or loopback, unless
 * `insecure`), members of the right type. A member that is null counts as absent.
 * @param internal_origin  back-channel endpoints (token, jwks, userinfo, revocation) are moved to
 *                         this origin; NULL leaves them. Those that a browser is sent to stay
 *                         public
 * @param pool             owns the result
 * @return APR_SUCCESS, or APR_EGENERAL with *err filled, fault PROVIDER
 */
KC_WARN_UNUSED apr_status_t kc_metadata_parse(kc_metadata **out, const char *text, apr_size_t len,
                                              const char *issuer, const char *internal_origin,
                                              int insecure, apr_pool_t *pool, kc_error *err);

/** One provider as one child sees it. Threads share it; a lock is taken at logins only. */
typedef struct kc_provider kc_provider;

typedef struct kc_provider_options {
    const char *issuer;          /**< discovery URL without /.well-known/openid-configuration */
    const char *discovery_url;   /**< public */
    const char *internal_origin; /**< KCAuthInternalURL, or NULL */
    int insecure;                /**< KCAuthInsecureHTTP */
    kc_gate *gate;               /**< bounds who waits for the provider; NULL: nothing does */
} kc_provider_options;

/**
 * To be called when a server starts, before it has children, on memory that an earlier one may have
 * left: what was under way there is over. Documents are checked when they are read.
 */
void kc_provider_shared_open(void *shared);

/** Bytes of zeroed memory, shared over the children, that a provider keeps its documents in. */
apr_size_t kc_provider_shared_size(void);

/**
 * Makes a child's view of a provider. Nothing is fetched yet.
 * @param options  copied
 * @param shared   kc_provider_shared_size() bytes, aligned for 64-bit words, zeroed when the server
 *                 starts, the same for all children. Written by whichever process fetched; a writer
 *                 that is killed leaves the older documents in use, and no lock
 * @param http     used for all calls; must outlive the provider
 * @param pool     owns the provider
 */
KC_WARN_UNUSED apr_status_t kc_provider_create(kc_provider **out,
                                               const kc_provider_options *options, void *shared,
                                               kc_http *http, apr_pool_t *pool);

/** A consistent pair of metadata and keys, held until the pool it was asked with is cleared. */
typedef struct kc_provider_view {
    const kc_metadata *metadata;
    const kc_jwks *keys;
} kc_provider_view;

/**
 * What is known now. Fetches discovery and keys only when nothing is known yet (one thread of one
 * child fetches, others wait until their deadline); after a failure nothing is asked again for 2 s,
 * callers get the failure at once.
 */
KC_WARN_UNUSED apr_status_t kc_provider_get(kc_provider *provider, kc_provider_view *view,
                                            apr_time_t deadline, apr_pool_t *pool, kc_error *err);

/**
 * A token named a key that we lack: fetches the keys once more and renews *view, at most once in
 * 10 s over all children. Who comes while others fetch waits for theirs.
 * @return APR_SUCCESS also when the fetch was not due or failed: the view is then as it was, and
 *         *err tells what failed (its fault is KC_FAULT_NONE when nothing did)
 */
KC_WARN_UNUSED apr_status_t kc_provider_newer_keys(kc_provider *provider, kc_provider_view *view,
                                                   apr_time_t deadline, apr_pool_t *pool,
                                                   kc_error *err);

/**
 * For the watchdog: fetches both documents when none are known, or when the last ones are older
 * than `max_age`. Old ones stay in use when the provider does not answer.
 * @return APR_SUCCESS when nothing was due or all went well
 */
KC_WARN_UNUSED apr_status_t kc_provider_refresh(kc_provider *provider, apr_interval_time_t max_age,
                                                apr_time_t deadline, apr_pool_t *pool,
                                                kc_error *err);

/**
 * To be called before a thread waits for the provider's answer (what this header offers does so by
 * itself; kc_token_revoke() does not). A failure is AWAY: too many wait already.
 */
KC_WARN_UNUSED apr_status_t kc_provider_enter(kc_provider *provider, kc_error *err);
void kc_provider_leave(kc_provider *provider);

/** What calls to the provider's endpoints go through. */
kc_http *kc_provider_http(const kc_provider *provider);

/* --- the client and a login ------------------------------------------------------------------- */

/** Who we are at the provider. */
typedef struct kc_client {
    const char *id;
    const char *secret;       /**< or NULL: a public client, authenticated by PKCE alone */
    const char *redirect_uri; /**< the callback's absolute URL */
} kc_client;

typedef struct kc_authorization_request {
    const char *scope;
    const char *state;
    const char *nonce;
    const char *code_verifier; /**< its S256 challenge is sent */
    const char *response_mode; /**< "form_post", or NULL for query */
    const char *prompt;        /**< "none" for an answer without a page, or NULL */
} kc_authorization_request;

/**
 * The URL that the browser is sent to (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
 * @return a string of the pool, or NULL when OpenSSL cannot hash
 */
char *kc_authorization_url(const kc_metadata *metadata, const kc_client *client,
                           const kc_authorization_request *request, apr_pool_t *pool);

/** What came back to the callback; NULL for what did not. */
typedef struct kc_authorization_response {
    const char *code;
    const char *state;
    const char *iss;
    const char *error;
    const char *error_description;
} kc_authorization_response;

/**
 * Picks the members from parsed parameters. One without a value counts as absent (RFC 6749
 * section 3.1). Strings live as long as the table.
 */
void kc_authorization_response_read(kc_authorization_response *out, const apr_table_t *parameters);

/**
 * RFC 9207: iss equal to the metadata's when sent, required when promised (else PROVIDER); then
 * whether there is a code or an error. An error response is a failure: access_denied,
 * interaction_required and its kin (login_, consent_, account_selection_required) REFUSED,
 * temporarily_unavailable AWAY, server_error and the rest PROVIDER; a response with neither code
 * nor error is REQUEST. error_description is put into the log text, bounded.
 */
KC_WARN_UNUSED apr_status_t kc_authorization_response_check(
    const kc_authorization_response *response, const kc_metadata *metadata, kc_error *err);

/**
 * Whether asking again will do: the login form was sent twice (temporarily_unavailable with
 * authentication_expired), or login_required.
 */
int kc_authorization_response_is_stale(const kc_authorization_response *response);

/** Answer of the token endpoint (RFC 6749 section 5.1). Strings are of the pool. */
typedef struct kc_tokens {
    const char *access_token;
    const char *id_token;
    const char *refresh_token; /**< or NULL */
    apr_int64_t expires_in;    /**< seconds, of the access token; 0 when not said */
    apr_int64_t
        refresh_expires_in; /**< seconds, of the refresh token, so of the provider's session;
                                         0 when not said */
    apr_int64_t not_before; /**< Keycloak's not-before-policy, seconds since the epoch; 0: none */
} kc_tokens;

/** What a token's claims are held against. */
typedef struct kc_id_token_rules {
    const char *issuer;
    const char *client_id;
    const char *nonce;        /**< NULL: not checked (a refresh) */
    const char *access_token; /**< for at_hash; NULL: not checked */
    apr_time_t now;
} kc_id_token_rules;

/**
 * OpenID Connect Core 3.1.3.7 on verified claims; 60 s of clock difference are allowed, and iat may
 * lie 10 minutes back. at_hash is optional, but must fit when there. Tokens of another kind (typ of
 * header or payload) are refused. Every failure is PROVIDER.
 */
KC_WARN_UNUSED apr_status_t kc_id_token_check(const kc_jwt *jwt, const kc_id_token_rules *rules,
                                              kc_error *err);

/**
 * Keycloak's access token: iss, exp, typ Bearer (payload), azp = client_id, sub equal where it has
 * one. `aud` is no help: it never names the own client. Every failure is PROVIDER.
 */
KC_WARN_UNUSED apr_status_t kc_access_token_check(const kc_jwt *jwt, const kc_id_token_rules *rules,
                                                  const char *sub, kc_error *err);

/** When userinfo is asked: KCAuthUserInfo. */
typedef enum kc_userinfo_when {
    KC_USERINFO_AUTO = 0, /**< when the tokens hold no role, no user name or no name */
    KC_USERINFO_ON,
    KC_USERINFO_OFF
} kc_userinfo_when;

/** Who logged in. Strings are UTF-8 of the pool; JSON values live as long. */
typedef struct kc_identity {
    const char *sub;
    const char *username;          /**< the user claim (preferred_username), else sub */
    const char *name;              /**< or NULL */
    const char *email;             /**< or NULL */
    const char *sid;               /**< or NULL */
    const char *acr;               /**< or NULL */
    apr_int64_t issued;            /**< iat of the ID token, the provider's clock, seconds */
    apr_int64_t auth_time;         /**< seconds since the epoch; 0 when not said */
    const json_t *resource_access; /**< object: client id to {"roles": [...]}; or NULL */
    const json_t *realm_roles;     /**< array of strings, not empty; or NULL */
    const json_t *groups;          /**< array of strings, not empty; or NULL */
    const char *roles_from; /**< "access token", "ID token", "userinfo" or "nowhere": where the
                                 clients' roles, or else the realm's, were found. For the log */
} kc_identity;

/**
 * The roles of one client as an array of strings (a single string counts as a list of one), or NULL
 * when there are none. The client id is a key, never a path.
 * @param pool  owns the list where one had to be made
 */
const json_t *kc_identity_client_roles(const kc_identity *identity, const char *client_id,
                                       apr_pool_t *pool);

/** Everything between the code and a known person. */
typedef struct kc_login {
    const char *code;
    const char *code_verifier;
    const char *nonce;
    const char *user_claim; /**< KCAuthUserClaim */
    kc_userinfo_when userinfo;
    apr_time_t deadline;
    const char *client_session_state; /**< Keycloak: our name for the session, or NULL */
} kc_login;

/**
 * Exchanges the code, verifies the ID token (newer keys fetched once when its key is unknown),
 * reads roles from access token, ID token or userinfo, in this order, each verified before it is
 * read. An access token that is no JWT is no error, one that is a JWT and does not verify is.
 * @param out     the person
 * @param tokens  receives the tokens
 * @return APR_SUCCESS; *err, zeroed before, then holds a warning for the log when its fault is not
 *         KC_FAULT_NONE: under AUTO userinfo may refuse the access token (401, 403), and the person
 *         has no roles from there. Else a failure, nothing is set
 */
KC_WARN_UNUSED apr_status_t kc_login_finish(kc_identity **out, kc_tokens **tokens,
                                            kc_provider *provider, kc_provider_view *view,
                                            const kc_client *client, const kc_login *login,
                                            apr_pool_t *pool, kc_error *err);

/** What a session is renewed with. */
typedef struct kc_renewal {
    const char *refresh_token;
    const char *sub; /**< the new ID token must name the same person (Core 12.2) */
    const char *user_claim;
    kc_userinfo_when userinfo;
    apr_time_t deadline;
    const char *client_session_state; /**< as at login, or NULL */
} kc_renewal;

/**
 * Uses a refresh token (RFC 6749 section 6, OpenID Connect Core section 12) and reads the person
 * anew: roles are what the new tokens say. The answer must hold an ID token, of the same sub.
 * @param tokens  refresh_token is the new one, or the old one when the answer brings none
 * @return as kc_login_finish(), but that invalid_grant is fault REFUSED: the provider has ended the
 *         session. AWAY (no answer, 5xx) and PROVIDER say nothing about it
 */
KC_WARN_UNUSED apr_status_t kc_login_renew(kc_identity **out, kc_tokens **tokens,
                                           kc_provider *provider, kc_provider_view *view,
                                           const kc_client *client, const kc_renewal *renewal,
                                           apr_pool_t *pool, kc_error *err);

/**
 * Revokes a refresh token (RFC 7009). At Keycloak this ends the SSO session too, when no other
 * client is in it.
 * @return APR_SUCCESS for any 200; APR_ENOTIMPL when the provider has no such endpoint; else
 *         APR_EGENERAL: AWAY (no answer, 5xx) or PROVIDER. *err is filled in both latter cases
 */
KC_WARN_UNUSED apr_status_t kc_token_revoke(kc_http *http, const kc_metadata *metadata,
                                            const kc_client *client, const char *refresh_token,
                                            apr_time_t deadline, apr_pool_t *pool, kc_error *err);

/* --- logout ----------------------------------------------------------------------------------- */

/**
 * RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0 section 2): the URL for the browser,
 * or NULL when the provider has no end_session_endpoint.
 * @param id_token  the hint, or NULL
 */
char *kc_logout_url(const kc_metadata *metadata, const kc_client *client, const char *id_token,
                    const char *post_logout_redirect_uri, apr_pool_t *pool);

/**
 * What the provider tells about ended sessions. Strings have 1 to 255 bytes; they and the list live
 * as long as the pool that the notice was read with.
 */
typedef struct kc_logout_notice {
    const char *sub;        /**< or NULL */
    const char *sid;        /**< or NULL; without it all sessions of sub */
    const char *id;         /**< jti, or Keycloak's id: to be used once */
    apr_int64_t expires;    /**< seconds since the epoch; when the id may be forgotten */
    apr_int64_t not_before; /**< of an admin action: sessions older than this end; 0: none */
    const json_t *sids;     /**< of an admin action: array of strings; NULL: everybody */
    const char *action; /**< of an admin action: "LOGOUT", "PUSH_NOT_BEFORE", "TEST_AVAILABILITY" */
} kc_logout_notice;

/**
 * A logout token: every validation of OpenID Connect Back-Channel Logout 1.0 section 2.6 but the
 * memory of jti, which is the caller's. Signature (newer keys once) by an algorithm of ID tokens,
 * iss, aud, iat, exp (passed by 60 s at most, and a day ahead), jti, events, sub or sid, no nonce.
 * The header's typ is logout+jwt, JWT or absent; the payload's is Logout or absent. Up to 64 KiB.
 * Every failure is REQUEST, unless newer keys cannot be had (AWAY).
 * @param out  left alone by a failure
 */
KC_WARN_UNUSED apr_status_t kc_logout_token_read(kc_logout_notice *out, const char *token,
                                                 kc_provider *provider, kc_provider_view *view,
                                                 const kc_client *client, apr_time_t deadline,
                                                 apr_pool_t *pool, kc_error *err);

/**
 * Keycloak's admin action, the body of its POST to k_logout, k_push_not_before or k_test_available:
 * signature by the realm's keys, action = `action`, resource = client id, expiration passed by 60 s
 * at most and not over 10 minutes ahead, an id, notBefore over 60 s ahead never. What has iss, aud,
 * sub or typ is a token of another kind. The memory of ids is the caller's. Bounds and failures as
 * above.
 * @param out  left alone by a failure. A LOGOUT with an empty list of sids ends nobody, one without
 *             a list everybody
 */
KC_WARN_UNUSED apr_status_t kc_admin_action_read(kc_logout_notice *out, const char *action,
                                                 const char *token, kc_provider *provider,
                                                 kc_provider_view *view, const kc_client *client,
                                                 apr_time_t deadline, apr_pool_t *pool,
                                                 kc_error *err);

#endif
