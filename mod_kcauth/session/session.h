/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * session: the record of who is logged in, how it becomes bytes, how bytes are sealed so that only
 * we can have written them, the state of a login under way, and the memory of what was used up.
 * Knows nothing of HTTP, of httpd or of OpenID Connect.
 */
#ifndef KC_SESSION_H
#define KC_SESSION_H

#include "base/base.h"

/* --- names: lists read in place --------------------------------------------------------------- */

/**
 * A list of strings inside an encoded record: [length, two bytes][bytes][NUL], again and again, in
 * the order of writing. {NULL, 0, 0} is the empty list.
 */
typedef struct kc_names {
    const unsigned char *bytes;
    apr_size_t len;
    unsigned count;
} kc_names;

/**
 * Takes encoded bytes as a list, and counts it. The list points into them.
 * @return APR_SUCCESS; APR_EINVAL, and *out empty, when they are not whole items to the last byte
 */
KC_WARN_UNUSED apr_status_t kc_names_read(kc_names *out, const unsigned char *bytes,
                                          apr_size_t len);

/** Whether the list holds exactly these bytes. No allocation. */
int kc_names_have(const kc_names *names, const char *name, apr_size_t len);

/** Like kc_names_have in a list of pairs (client, role, client, role ...). */
int kc_names_have_pair(const kc_names *names, const char *first, apr_size_t first_len,
                       const char *second, apr_size_t second_len);

/** Walks: start with *at = 0; returns the next NUL-terminated string and its length, or NULL. */
const char *kc_names_next(const kc_names *names, apr_size_t *at, apr_size_t *len);

/** A list being made. */
typedef struct kc_names_builder {
    apr_pool_t *pool;
    unsigned char *bytes;
    apr_size_t len, room;
    unsigned count;
} kc_names_builder;

void kc_names_init(kc_names_builder *builder, apr_pool_t *pool);

/** APR_EINVAL for a name over 65,535 bytes or a list over 1 MiB; the list is then as before. */
KC_WARN_UNUSED apr_status_t kc_names_add(kc_names_builder *builder, const char *name);

/** Adds both or, with APR_EINVAL, neither: half a pair would shift all that follow. */
KC_WARN_UNUSED apr_status_t kc_names_add_pair(kc_names_builder *builder, const char *first,
                                              const char *second);

/** The list as it stands, pointing into the builder. Adding more makes it stale. */
kc_names kc_names_list(const kc_names_builder *builder);

/* --- the record ------------------------------------------------------------------------------- */

/**
 * A session. Strings are NUL-terminated, never NULL ("" where unknown), and point into the buffer
 * that the record was read from. Times are seconds since the epoch.
 */
typedef struct kc_session {
    const char *sub;
    const char *username;
    const char *name;
    const char *email;
    const char *sid;
    const char *acr;
    const char *roles_from; /**< which token the roles came from, for the log */
    apr_int64_t auth_time;
    apr_int64_t created;   /**< login; in microseconds, so that what came first is known */
    apr_int64_t seen;      /**< last use that was written down */
    apr_int64_t refreshed; /**< when the provider last confirmed it */
    apr_int64_t due;       /**< when the provider is to be asked again; 0: never */
    apr_int64_t expires;   /**< absolute end */
    apr_uint32_t mark;     /**< of the set of roles that the configuration wanted kept */
    kc_names roles;        /**< own client's */
    kc_names realm_roles;  /**< those kept */
    kc_names other_roles;  /**< pairs: client, role */
    kc_names groups;
} kc_session;

/** Bytes that the record takes; 0 when a string is over 65,535 bytes, and nothing is written. */
apr_size_t kc_session_length(const kc_session *session);

/** Writes kc_session_length() bytes. */
void kc_session_write(const kc_session *session, unsigned char *buf);

/**
 * Reads a record in place, also one of another version of the module: what that did not know is 0,
 * "" or empty. Every length is checked against len, nothing may be left over.
 * @return APR_SUCCESS; APR_EINVAL, and *out all zero
 */
KC_WARN_UNUSED apr_status_t kc_session_read(kc_session *out, const unsigned char *buf,
                                            apr_size_t len);

/** Of a session that was read from len bytes, makes one read from a copy of the same bytes at `to`. */
void kc_session_move(kc_session *session, const unsigned char *from, apr_size_t len,
                     const unsigned char *to);

/* --- sealing ---------------------------------------------------------------------------------- */

/** A secret of at least 32 bytes; the first of several seals, all open. */
typedef struct kc_secret {
    const unsigned char *bytes;
    apr_size_t len;
} kc_secret;

typedef enum kc_seal_kind {
    KC_SEAL_SIGNED,   /**< readable; HMAC-SHA-256 */
    KC_SEAL_ENCRYPTED /**< AES-256-GCM, random 96-bit nonce */
} kc_seal_kind;

/**
 * Seals and opens for one purpose. Its keys come from the secrets by HKDF-SHA-256 (RFC 5869) with
 * format version, kind, purpose, cookie name, issuer and client id in the info, each
 * length-prefixed: what was sealed for another site, client, cookie or purpose does not open.
 * Threads share it; prepared cipher contexts are lent out without a lock. Processes that fork
 * after its creation may all use it.
 */
typedef struct kc_sealer kc_sealer;

typedef struct kc_seal_binding {
    const char *purpose; /**< "session", "state", "id_token" ... */
    const char *cookie;  /**< the cookie's name */
    const char *issuer;
    const char *client_id;
} kc_seal_binding;

/**
 * @param count  1 to 8 secrets, which are not needed afterwards
 * @return APR_SUCCESS; APR_EINVAL for a secret under 32 bytes or a bad count; APR_EGENERAL when
 *         OpenSSL lacks an algorithm or memory
 */
KC_WARN_UNUSED apr_status_t kc_sealer_create(kc_sealer **out, kc_seal_kind kind,
                                             const kc_seal_binding *binding,
                                             const kc_secret *secrets, int count, apr_pool_t *pool);

/**
 * Seals len bytes into a base64url string of the pool.
 * @param text_len  (may be NULL) receives the string's length
 * @return NULL when OpenSSL has no randomness or memory, or for more than 16 MiB
 */
KC_WARN_UNUSED char *kc_seal(kc_sealer *sealer, const void *data, apr_size_t len, apr_pool_t *pool,
                             apr_size_t *text_len);

/**
 * Opens what kc_seal made. The text is checked whole before a byte of it is used. Allocates
 * nothing and takes no lock.
 * @param buf       room for text_len * 3 / 4 bytes, not the text itself; holds the data afterwards,
 *                  and what was decoded in vain after a failure
 * @param data      receives where in buf the data begins
 * @param data_len  receives its length
 * @param old_key   (may be NULL) set to 1 when another secret than the first opened it: reseal;
 *                  else to 0
 * @return APR_SUCCESS or APR_EINVAL, whatever is wrong with it
 */
KC_WARN_UNUSED apr_status_t kc_unseal(kc_sealer *sealer, const char *text, apr_size_t text_len,
                                      unsigned char *buf, const unsigned char **data,
                                      apr_size_t *data_len, int *old_key);

/* --- a login under way ------------------------------------------------------------------------ */

enum { KC_LOGIN_SLOTS = 16 };         /**< logins that one browser can have under way */
enum { KC_LOGIN_LIFETIME = 35 * 60 }; /**< seconds; Keycloak's own login page lives 30 minutes */

/**
 * What we must remember between sending a person to the provider and seeing the answer. Lives in an
 * encrypted cookie. Strings are never NULL.
 */
typedef struct kc_login_state {
    const char *id; /**< random part of the state parameter */
    const char *nonce;
    const char *verifier; /**< PKCE */
    const char *target;   /**< local path and query */
    apr_int64_t created;  /**< seconds since the epoch */
    unsigned attempt;     /**< 0 for the first; grows when a login heals itself: loops are cut */
    unsigned silent;      /**< whether it was asked without a page (prompt=none) */
} kc_login_state;

/**
 * Seals it to a cookie value of the pool.
 * @return NULL when it would be over 4,000 characters, more than a browser keeps (the target may be
 *         at fault: seal "/" instead), or when kc_seal fails
 */
KC_WARN_UNUSED char *kc_login_state_seal(const kc_login_state *state, kc_sealer *sealer,
                                         apr_pool_t *pool);

/**
 * Opens a cookie value into the pool.
 * @return APR_SUCCESS; APR_EINVAL, and *out NULL, when it is not ours; APR_TIMEUP when it is older
 *         than KC_LOGIN_LIFETIME (or from the future by more than a minute): *out is then readable,
 *         for its target
 */
KC_WARN_UNUSED apr_status_t kc_login_state_open(kc_login_state **out, const char *text,
                                                apr_size_t len, kc_sealer *sealer, apr_time_t now,
                                                apr_pool_t *pool);

/* --- once ------------------------------------------------------------------------------------- */

/**
 * A table in shared memory of what may be used only once (login states). Lock-free, fixed in size:
 * each text has one place in it, and a later text with the same place takes it over. So a text can
 * pass again after some 30,000 others, or after a restart. That is the second line of defence: what
 * it guards must also be dead elsewhere once used, as an authorization code is at the provider.
 */
typedef struct kc_once kc_once;

apr_size_t kc_once_size(void);

/** @param shared  kc_once_size() zeroed bytes, aligned for 8 bytes, shared over the children */
kc_once *kc_once_attach(void *shared, apr_pool_t *pool);

/**
 * Marks the text as used. Of callers at the same time, in any thread or child, one gets the 1.
 * @return 1 the first time; 0 when it was used before, or cannot be hashed
 */
int kc_once_use(kc_once *once, const char *text);

/* --- revocation ------------------------------------------------------------------------------- */

/**
 * What was ended before its time: one table in memory that children, generations and restarts
 * share, read without a lock in a few loads. An entry is a hash and a time; a session is revoked
 * when it was begun at that time or before. When a place must be made, the floor rises to the time
 * of what is dropped, and all sessions begun up to then are revoked: it fails closed.
 */
typedef struct kc_revocations kc_revocations;

apr_size_t kc_revocations_size(void);

/**
 * Safe while an earlier generation's children still use the memory.
 * @param memory   kc_revocations_size() bytes, mapped and shared, at the start of a page; zeroed,
 *                 or as an earlier server left them. Content of another layout, or with times more
 *                 than two hours ahead, is cleared; then everything begun until now is revoked,
 *                 since what was ended is not known
 * @param now      for that
 * @param horizon  the longest a session can last: older entries may be forgotten
 */
kc_revocations *kc_revocations_attach(void *memory, apr_time_t now, apr_interval_time_t horizon,
                                      apr_pool_t *pool);

/** Whose sessions these are: issuer and client id, hashed at start-up into the names of entries. */
typedef struct kc_realm_key {
    unsigned char bytes[16];
    apr_uint64_t everybody; /**< the hash of KC_REVOKED_ALL, which each request looks for */
} kc_realm_key;

kc_realm_key kc_realm_key_make(const char *issuer, const char *client_id);

/** What is revoked: a provider's session, a person, or everybody of the realm key. */
typedef enum kc_revoked_kind { KC_REVOKED_SID, KC_REVOKED_SUB, KC_REVOKED_ALL } kc_revoked_kind;

/** An entry as it is told to other servers: the same name has the same hash on all of them. */
typedef struct kc_revocation {
    apr_uint64_t hash;
    apr_time_t time; /**< to the millisecond */
} kc_revocation;

/**
 * The entry for a name ("" for KC_REVOKED_ALL).
 * @param time  rounded down to the millisecond, as are sessions: one begun in the same millisecond
 *              is revoked, one begun in the next is not. To spare what began at `time`, give a
 *              millisecond less
 */
kc_revocation kc_revocation_make(const kc_realm_key *key, kc_revoked_kind kind, const char *name,
                                 apr_time_t time);

/**
 * Enters it; from then on, for every thread and child, at once. A later time replaces an earlier
 * one, never the other way. A time more than an hour ahead is taken for an hour ahead, and one
 * before the horizon is left out.
 */
void kc_revoke(kc_revocations *table, const kc_revocation *revocation);

/**
 * The same for what nobody has proven: enters it only where plenty of room is left, so that making
 * things up ends no other session, and hides no proven end.
 * @return 0 when there was no room
 */
int kc_revoke_if_room(kc_revocations *table, const kc_revocation *revocation);

/**
 * Whether the session is revoked: by sid, sub, everybody, or the floor. An empty sid or sub is
 * nobody's. A session from the future is judged like others.
 */
int kc_is_revoked(const kc_revocations *table, const kc_realm_key *key, const kc_session *session);

/**
 * The same for a session that is asked about again and again: one load, in a cache line that only
 * revocations write to, while nothing at all was revoked since it was found good.
 * @param good_at  belongs to this one session: 0 at first, then what the last call left there
 */
int kc_is_revoked_since(const kc_revocations *table, const kc_realm_key *key,
                        const kc_session *session, apr_uint64_t *good_at);

/** Calls `tell` for each entry of `since` or later, as other servers may enter it. */
void kc_revocations_each(const kc_revocations *table, apr_time_t since,
                         void (*tell)(void *baton, const kc_revocation *revocation), void *baton);

/* --- flights ---------------------------------------------------------------------------------- */

/**
 * One at a time: who renews a session, seen by all threads and children. A flight that was begun
 * and neither landed nor failed within its time (its child was killed) is forgotten. No lock.
 *
 * Each name has one place among 65,536. While it is another name's, flying or kept, the flight
 * counts as under way, and the caller tries again later: never are there two of one name. Of
 * results the last 128 are kept.
 */
typedef struct kc_flights kc_flights;

apr_size_t kc_flights_size(void);

/** @param shared  kc_flights_size() zeroed bytes, aligned for 8 bytes, shared over the children */
kc_flights *kc_flights_attach(void *shared, apr_pool_t *pool);

typedef enum kc_flight_state {
    KC_FLIGHT_NONE, /**< nobody is at it */
    KC_FLIGHT_MINE, /**< the caller is, from now on, and must land or abandon it */
    KC_FLIGHT_UNDER_WAY,
    KC_FLIGHT_LANDED,   /**< done less than `keep` ago; the result is there */
    KC_FLIGHT_ABANDONED /**< tried in vain less than `keep` ago */
} kc_flight_state;

enum { KC_FLIGHT_RESULT_MAX = 24 * 1024 }; /**< bytes, without the NUL */

/**
 * What became of a flight.
 * @param name    names it: hashed
 * @param result  (may be NULL) receives a copy of the result, of the pool; NULL unless it landed,
 *                and when it had none, or one too big to keep, or 128 others have landed since
 */
kc_flight_state kc_flight_look(kc_flights *flights, const char *name, apr_time_t now,
                               const char **result, apr_pool_t *pool);

/**
 * Begins one, unless it is under way or was finished less than its `keep` ago; at most one caller
 * gets MINE.
 * @param timeout  after which it is forgotten, and another may begin it; ten minutes at the most, as
 *                 each `keep`
 */
kc_flight_state kc_flight_begin(kc_flights *flights, const char *name, apr_time_t now,
                                apr_interval_time_t timeout);

/**
 * Ends one's own: others find the result (NUL-terminated text; NULL for none) for `keep`. Also when
 * it took longer than its timeout, unless its place went to another name.
 */
void kc_flight_land(kc_flights *flights, const char *name, apr_time_t now, apr_interval_time_t keep,
                    const char *result);

/** Ends one's own in vain; it is not begun again for `keep`. A result that is there stays. */
void kc_flight_abandon(kc_flights *flights, const char *name, apr_time_t now,
                       apr_interval_time_t keep);

#endif
