/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * What only the files of this room, its tests and its fuzzers share. Requests are built and answers
 * read by functions without a network, so that each can be tested alone.
 */
#ifndef KC_OIDC_INTERNAL_H
#define KC_OIDC_INTERNAL_H

#include "oidc/oidc.h"

/** Clock difference to the provider that is forgiven, in seconds. */
enum { KC_CLOCK_SKEW = 60 };

/* --- members.c: reading JSON that may be of any shape ----------------------------------------- */

/** The member, or NULL when it is absent or null. */
const json_t *kc_member(const json_t *object, const char *name);

/**
 * An optional string. *out is NULL when the member is absent.
 * @return APR_SUCCESS; APR_EINVAL when it is of another type or empty
 */
KC_WARN_UNUSED apr_status_t kc_member_string(const char **out, const json_t *object,
                                             const char *name);

/**
 * An optional number that counts something. *out is 0 when the member is absent.
 * @return APR_SUCCESS; APR_EINVAL when it is of another type, has a fraction or is negative
 */
KC_WARN_UNUSED apr_status_t kc_member_count(apr_int64_t *out, const json_t *object,
                                            const char *name);

/* --- claims.c: rules that several kinds of token share ---------------------------------------- */

/** Whether the header's typ is absent or one of the two (RFC 8725 section 3.11). */
int kc_claims_header_typ_is(const kc_jwt *jwt, const char *typ, const char *or_typ);

/** Whether the claim is exactly this string. */
int kc_claims_equal(const json_t *claims, const char *name, const char *wanted);

/** Whether exp is there and not over (RFC 7519 section 4.1.4). */
int kc_claims_live(const json_t *claims, apr_time_t now);

/** Whether the time claim is absent, or a number that does not lie ahead of us (nbf, iat). */
int kc_claims_begun(const json_t *claims, const char *name, apr_time_t now);

/* --- authorization.c -------------------------------------------------------------------------- */

/** The S256 challenge of a verifier (RFC 7636 section 4.2); NULL when OpenSSL cannot hash. */
char *kc_pkce_challenge(apr_pool_t *pool, const char *verifier);

/* --- client.c --------------------------------------------------------------------------------- */

/**
 * A form for one of the provider's endpoints, with the client's authentication: client_secret_basic
 * unless the metadata offers only client_secret_post; none without a secret. The deadline is left
 * to the caller.
 * @return APR_SUCCESS; APR_EGENERAL (PROVIDER) when the provider takes no secret as we send it
 */
KC_WARN_UNUSED apr_status_t kc_client_request(kc_http_request *out, const char *url, kc_form *form,
                                              const kc_metadata *metadata, const kc_client *client,
                                              kc_error *err);

/** The provider's words in an error answer (RFC 6749 section 5.2); NULL for what it did not say. */
typedef struct kc_refusal {
    const char *error;
    const char *description;
} kc_refusal;

/** Reads any answer. Strings are of the pool. */
void kc_client_refusal(kc_refusal *out, const kc_http_response *response, apr_pool_t *pool);

/* --- token.c ---------------------------------------------------------------------------------- */

/** What is given for tokens: a refresh token, or else a code. */
typedef struct kc_grant {
    const char *code;
    const char *code_verifier;
    const char *refresh_token;        /**< or NULL */
    const char *client_session_state; /**< or NULL */
} kc_grant;

/** All but the deadline; fails as kc_client_request(). */
KC_WARN_UNUSED apr_status_t kc_token_request(kc_http_request *out, const kc_metadata *metadata,
                                             const kc_client *client, const kc_grant *grant,
                                             apr_pool_t *pool, kc_error *err);

/**
 * Reads any answer of the token endpoint. invalid_grant is fault REQUEST for a code, REFUSED for a
 * refresh token; other 4xx PROVIDER with the provider's words in the log, 5xx AWAY. An answer
 * without an access token of type Bearer, or without an ID token, is PROVIDER. Where it brings no
 * refresh token, the one that was given stays.
 */
KC_WARN_UNUSED apr_status_t kc_token_answer(kc_tokens **out, const kc_http_response *response,
                                            const kc_grant *grant, apr_pool_t *pool, kc_error *err);

/** Asks the token endpoint (RFC 6749 sections 4.1.3 and 6): see kc_token_answer(). */
KC_WARN_UNUSED apr_status_t kc_token_call(kc_tokens **out, kc_http *http,
                                          const kc_metadata *metadata, const kc_client *client,
                                          const kc_grant *grant, apr_time_t deadline,
                                          apr_pool_t *pool, kc_error *err);

/* --- revoke.c --------------------------------------------------------------------------------- */

/** All but the deadline. The metadata must name the endpoint. */
KC_WARN_UNUSED apr_status_t kc_revocation_request(kc_http_request *out, const kc_metadata *metadata,
                                                  const kc_client *client,
                                                  const char *refresh_token, apr_pool_t *pool,
                                                  kc_error *err);

/** Reads any answer of the revocation endpoint. */
KC_WARN_UNUSED apr_status_t kc_revocation_answer(const kc_http_response *response, apr_pool_t *pool,
                                                 kc_error *err);

/* --- verifier.c ------------------------------------------------------------------------------- */

/** What verifies the tokens of one login or notice: renews its keys once at the most. */
typedef struct kc_verifier {
    kc_provider *provider;
    kc_provider_view *view;
    apr_time_t deadline;
    unsigned renewed : 1; /**< newer keys were asked for */
    unsigned keyless : 1; /**< they could not be had, and a token failed for want of them */
} kc_verifier;

/** kc_jwt_verify() with the provider's algorithms; once more with newer keys where one lacks. */
KC_WARN_UNUSED apr_status_t kc_verifier_jwt(kc_jwt **out, const char *token, kc_verifier *verifier,
                                            apr_pool_t *pool, kc_error *err);

/* --- notice.c --------------------------------------------------------------------------------- */

/** A kind of notice, for texts, and the message ids of what all kinds may lack. */
typedef struct kc_notice_kind {
    const char *name;
    const char *too_long;
    const char *unverified;
    const char *keyless;
} kc_notice_kind;

/**
 * Verifies the signature of what anybody may have sent: 64 KiB at the most, and a failure is
 * REQUEST, or AWAY when newer keys were needed and could not be had.
 */
KC_WARN_UNUSED apr_status_t kc_notice_verify(kc_jwt **out, const char *token,
                                             const kc_notice_kind *kind, kc_verifier *verifier,
                                             apr_pool_t *pool, kc_error *err);

/** Whether `value` (may be NULL) is a string of 1 to 255 bytes; *out is left alone when not. */
int kc_notice_name(const char **out, const json_t *value);

/** What a notice is held against. */
typedef struct kc_notice_rules {
    const char *issuer;
    const char *client_id;
    apr_time_t now;
} kc_notice_rules;

/* --- logout_token.c --------------------------------------------------------------------------- */

/** All rules behind the signature: see kc_logout_token_read(). *out is set by success only. */
KC_WARN_UNUSED apr_status_t kc_logout_token_check(kc_logout_notice *out, const kc_jwt *jwt,
                                                  const kc_notice_rules *rules, kc_error *err);

/* --- admin_action.c --------------------------------------------------------------------------- */

/** All rules behind the signature: see kc_admin_action_read(). *out is set by success only. */
KC_WARN_UNUSED apr_status_t kc_admin_action_check(kc_logout_notice *out, const char *action,
                                                  const kc_jwt *jwt, const kc_notice_rules *rules,
                                                  kc_error *err);

/* --- userinfo.c ------------------------------------------------------------------------------- */

/** What a userinfo answer is held against. */
typedef struct kc_userinfo_rules {
    const char *issuer;
    const char *client_id;
    const char *sub; /**< of the ID token */
    apr_time_t now;
} kc_userinfo_rules;

/**
 * Reads an answer of the userinfo endpoint (OpenID Connect Core 5.3.2), signed or plain.
 * @return APR_SUCCESS; APR_EACCES when it refused the access token (401, 403); else APR_EGENERAL.
 *         *err is filled in both latter cases
 */
KC_WARN_UNUSED apr_status_t kc_userinfo_answer(const json_t **out, const kc_http_response *response,
                                               const kc_userinfo_rules *rules,
                                               kc_verifier *verifier, apr_pool_t *pool,
                                               kc_error *err);

/** Asks with the access token and reads the answer: see kc_userinfo_answer(). */
KC_WARN_UNUSED apr_status_t kc_userinfo_fetch(const json_t **out, const char *access_token,
                                              const kc_userinfo_rules *rules, kc_verifier *verifier,
                                              apr_pool_t *pool, kc_error *err);

/* --- identity.c, roles.c ---------------------------------------------------------------------- */

/** Verified claims by where they came from; NULL for what there is not. */
typedef struct kc_sources {
    const json_t *access_token;
    const json_t *id_token;
    const json_t *userinfo;
} kc_sources;

/** Puts a person together. The ID token's sub is there already. */
kc_identity *kc_identity_make(const kc_sources *sources, const char *user_claim, apr_pool_t *pool);

/** Whether the sources hold no role, no user name or no name, so that userinfo may know more. */
int kc_identity_lacks(const kc_sources *sources, const char *user_claim, apr_pool_t *pool);

/** Fills in resource_access, realm_roles, groups and roles_from. */
void kc_roles_read(kc_identity *identity, const kc_sources *sources, apr_pool_t *pool);

/* --- provider_shared.c: the documents in shared memory ---------------------------------------- */

/** Both documents as they came. */
typedef struct kc_documents {
    const char *metadata;
    apr_size_t metadata_len;
    const char *keys;
    apr_size_t keys_len;
    apr_time_t fetched; /**< when the metadata came */
} kc_documents;

/** The memory that the children share. Zeroed is empty. */
typedef struct kc_shared kc_shared;

/** Number of the newest documents; 0 when there are none. Costs one load. */
apr_uint64_t kc_shared_version(const kc_shared *shared);

/**
 * Copies the newest documents to the pool.
 * @return APR_SUCCESS; APR_NOTFOUND when there are none that are whole
 */
KC_WARN_UNUSED apr_status_t kc_shared_read(kc_documents *out, apr_uint64_t *version,
                                           const kc_shared *shared, apr_pool_t *pool);

/** Makes these the newest. APR_ENOSPC when they do not fit; who writes should hold the lease. */
KC_WARN_UNUSED apr_status_t kc_shared_write(kc_shared *shared, const kc_documents *documents,
                                            apr_pool_t *pool);

/**
 * Takes the right to fetch, which ends by itself at `until` (30 s from now at most), so that a
 * killed process does not keep it.
 * @return what kc_shared_release() wants; 0 while another has the right
 */
apr_time_t kc_shared_lease(kc_shared *shared, apr_time_t now, apr_time_t until);

/** Gives the right back, if it still is ours. */
void kc_shared_release(kc_shared *shared, apr_time_t lease);

/** Whether keys may be fetched for an unknown kid, once in 10 s; a yes counts as a fetch. */
int kc_shared_keys_due(kc_shared *shared, apr_time_t now);

#endif
