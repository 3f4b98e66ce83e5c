/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * base: what every other room stands on. Errors, base64url, random, JSON, URLs, forms and cookies,
 * calls over HTTP. Nothing here knows OAuth, sessions or httpd.
 */
#ifndef KC_BASE_H
#define KC_BASE_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>
#include <jansson.h>

#define KC_WARN_UNUSED      __attribute__((warn_unused_result))
#define KC_PRINTF(fmt, arg) __attribute__((format(printf, fmt, arg)))

/* --- errors --------------------------------------------------------------------------------- */

/** Whose fault a failure is. The server's front decides the HTTP status by it. */
typedef enum kc_fault {
    KC_FAULT_NONE = 0,
    KC_FAULT_CONFIG,   /**< the administrator's: a setting, a file, an unwritable folder */
    KC_FAULT_REQUEST,  /**< the browser's: missing, stale or forged parameters */
    KC_FAULT_REFUSED,  /**< nobody's: the person, or the provider's policy, said no */
    KC_FAULT_PROVIDER, /**< the provider's: it answered, and the answer cannot be believed */
    KC_FAULT_AWAY      /**< the provider's: no answer, too late, or a 5xx */
} kc_fault;

/**
 * What went wrong, for the error log. Never holds a secret, token, code or cookie, and pieces
 * that come from outside are bounded; the log escapes control characters.
 */
typedef struct kc_error {
    kc_fault fault;
    const char *id; /**< "KC0123", a literal: the message's entry in docs/operations.md */
    char text[512]; /**< one English sentence for the administrator, no trailing full stop */
} kc_error;

/**
 * Fills *err (may be NULL) and returns APR_EGENERAL, so that a failure is one line:
 * `return kc_fail(...)`. A text that is too long is cut.
 */
apr_status_t kc_fail(kc_error *err, kc_fault fault, const char *id, const char *fmt, ...)
    KC_PRINTF(4, 5);

/* --- base64url, RFC 4648 section 5, without padding ----------------------------------------- */

/** Characters that len bytes take, no NUL counted. */
apr_size_t kc_base64url_length(apr_size_t len);

/** Writes kc_base64url_length(len) characters and no NUL to dst; returns that number. */
apr_size_t kc_base64url_encode(char *dst, const void *src, apr_size_t len);

/** The same as a new string of the pool. */
char *kc_base64url_string(apr_pool_t *pool, const void *src, apr_size_t len);

/**
 * Decodes exactly len characters. Canonical input only: no padding, blanks, or stray bits in the
 * last character, so that one value has one spelling.
 * @param dst       room for len * 3 / 4 bytes; may be src itself; undefined after a failure
 * @param dst_len   receives the number of bytes written
 * @return APR_SUCCESS or APR_EINVAL
 */
KC_WARN_UNUSED apr_status_t kc_base64url_decode(void *dst, apr_size_t *dst_len, const char *src,
                                                apr_size_t len);

/* --- random --------------------------------------------------------------------------------- */

/**
 * Fills buf from OpenSSL's generator. A failure is APR_EGENERAL and must be treated as fatal for
 * the request.
 */
KC_WARN_UNUSED apr_status_t kc_random_bytes(void *buf, apr_size_t len);

/**
 * A new base64url string of the pool made of `bytes` random bytes, or NULL when there is no
 * randomness.
 */
KC_WARN_UNUSED char *kc_random_string(apr_pool_t *pool, apr_size_t bytes);

/* --- JSON ----------------------------------------------------------------------------------- */

/**
 * Parses one JSON object. Duplicated members, anything but an object at the top, trailing data,
 * bytes that are no UTF-8, and NUL in strings are errors (RFC 7515 section 4: names MUST be
 * unique).
 * @param out   the object; released when the pool is cleared
 * @param why   (may be NULL) receives a short reason after a failure; it never quotes the text
 * @return APR_SUCCESS or APR_EINVAL
 */
KC_WARN_UNUSED apr_status_t kc_json_parse(json_t **out, const char *text, apr_size_t len,
                                          apr_pool_t *pool, const char **why);

/** The member's string, or NULL when absent, no string or empty. Lives as long as the object. */
const char *kc_json_string(const json_t *object, const char *name);

/**
 * Reads an integer (or a real without fraction, within 2^53).
 * @return 1, or 0 when the member is absent or of another type; *out is then left alone
 */
int kc_json_integer(const json_t *object, const char *name, apr_int64_t *out);

/** Whether `value` (may be NULL) is the string `wanted` or an array that holds it. */
int kc_json_holds(const json_t *value, const char *wanted);

/* --- text ------------------------------------------------------------------------------------- */

/** Whether the text has a control character (below blank, or DEL), which could end a line. */
int kc_text_has_controls(const char *text, apr_size_t len);

/* --- URLs and forms ------------------------------------------------------------------------- */

/** The parts of a URL of ours or of the provider's: strings of the pool that parsed it. */
typedef struct kc_url {
    const char *scheme; /**< "http" or "https" */
    const char *host;   /**< lower case, with brackets where it is an IPv6 literal */
    int port;           /**< the default of the scheme when none is given */
    const char *origin; /**< scheme://host, and :port unless it is the default */
    const char *path;   /**< path and query, "/" at least */
} kc_url;

/**
 * Parses an absolute http(s) URL (RFC 3986). User info, fragments, backslashes, bad escapes and
 * everything that a URL must escape (blanks, control characters, non-ASCII) are refused, as is a
 * text over 4000 bytes.
 * @return APR_SUCCESS or APR_EINVAL
 */
KC_WARN_UNUSED apr_status_t kc_url_parse(kc_url *out, const char *text, apr_pool_t *pool);

/** Whether tokens may travel to this URL: https, or http to localhost, 127.0.0.0/8 or [::1]. */
int kc_url_is_safe(const kc_url *url);

/** The same URL at another origin (scheme://host[:port]); NULL when `url` does not parse. */
const char *kc_url_rebase(apr_pool_t *pool, const char *url, const char *origin);

/** Percent-encodes everything but unreserved characters (RFC 3986 section 2.3). */
char *kc_url_encode(apr_pool_t *pool, const char *text);

/** application/x-www-form-urlencoded (RFC 6749 appendix B): the same, but a blank is '+'. */
char *kc_form_encode(apr_pool_t *pool, const char *text);

/** name=value pairs in the order they were added: a query or a form body. */
typedef struct kc_form {
    apr_pool_t *pool;
    apr_array_header_t *pairs; /**< of const char *, encoded */
} kc_form;

/** An empty form; everything that is added is kept in the pool. */
void kc_form_init(kc_form *form, apr_pool_t *pool);

/** Adds a pair, encoding both; a NULL value adds nothing. */
void kc_form_add(kc_form *form, const char *name, const char *value);

/** "a=b&c=d", a new string of the form's pool. */
char *kc_form_string(const kc_form *form);

/** The URL with the form as (or joined to) its query. */
char *kc_form_url(const kc_form *form, const char *url);

/**
 * Takes a query or a form body apart, undoing '+' and percent signs.
 * @param out   name to value. Tables compare names without case: ask with the RFC's spelling
 * @return APR_SUCCESS; APR_EINVAL for a bad escape, an encoded NUL, a name that comes twice, in
 *         whatever case (RFC 6749 section 3.1), or more than `max` pairs
 */
KC_WARN_UNUSED apr_status_t kc_form_parse(apr_table_t **out, const char *text, apr_size_t len,
                                          int max, apr_pool_t *pool);

/**
 * Where a person may be sent after login: a path (and query) of this very site, whoever reads it:
 * a browser, a proxy that decodes first, a server that drops path parameters.
 * @param text  may be NULL
 * @return the text itself, or "/" for all that one of them might take for another origin or
 *         scheme: anything that does not start with exactly one slash, also after escapes and dot
 *         segments are undone; backslashes, blanks and non-ASCII bytes; control characters, raw
 *         or encoded; a bad escape in the path; more than 2000 bytes
 */
const char *kc_url_local_target(apr_pool_t *pool, const char *text);

/* --- cookies ---------------------------------------------------------------------------------- */

/**
 * A value that is too big for one cookie is split over several: the first part begins with the
 * number of parts and a '.', which is in no base64url text; the others are called NAME_2 and so on.
 */
enum { KC_COOKIE_PARTS = 8, KC_COOKIE_PART = 3800 };

/** The name itself for part 1; else a string of the pool. */
const char *kc_cookie_part_name(apr_pool_t *pool, const char *name, unsigned part);

/**
 * The value of the first cookie of this name, which by RFC 6265 section 5.4 is the one with the
 * longest path. No allocation.
 * @param header  the text of a Cookie header
 * @return where in the header the value begins; NULL when absent
 */
const char *kc_cookie_find(const char *header, const char *name, apr_size_t *len);

/**
 * The same, its parts joined: in the header where there is one part, else of the pool.
 * @return NULL when absent or empty, and when a part is too long or lacking
 */
const char *kc_cookie_read(apr_pool_t *pool, const char *header, const char *name, apr_size_t *len);

/**
 * The header without cookies of this name, with or without a prefix (__Host-, __Secure-), and of
 * names that continue it with '_': a string of the pool. NULL when none is left.
 */
const char *kc_cookies_without(apr_pool_t *pool, const char *header, const char *name);

/* --- a bulkhead ------------------------------------------------------------------------------- */

/**
 * How many may be somewhere at once, over all processes that share the memory. Nobody waits: who
 * finds it full is told so. What a killed process had inside is found and forgotten.
 */
typedef struct kc_gate kc_gate;

apr_size_t kc_gate_size(void);

/** @param shared  kc_gate_size() bytes, zeroed at the start, aligned for 8 bytes */
kc_gate *kc_gate_attach(void *shared, int limit, apr_pool_t *pool);

/** @return 1: inside, and kc_gate_leave() must follow; 0: full. */
KC_WARN_UNUSED int kc_gate_enter(kc_gate *gate);
void kc_gate_leave(kc_gate *gate);

/* --- calls over HTTP ------------------------------------------------------------------------ */

/** A bounded pool of libcurl handles, one per child and trust setting, with connections kept. */
typedef struct kc_http kc_http;

typedef struct kc_http_options {
    const char *ca_file; /**< PEM bundle, the only one trusted; NULL: the system's */
    apr_interval_time_t connect_timeout; /**< for one connect, TLS included */
    int max_handles;                     /**< calls at once; more wait until their deadline */
} kc_http_options;

typedef struct kc_http_request {
    const char *url;
    const char *body;          /**< a form, which makes it a POST; NULL for GET */
    const char *accept;        /**< media type, or NULL for application/json */
    const char *authorization; /**< the header's value, or NULL */
    apr_time_t deadline;       /**< absolute; waiting, connect, send and answer lie before it */
} kc_http_request;

/** Strings of the pool that the call was made with. */
typedef struct kc_http_response {
    int status;
    const char *type; /**< media type without parameters, lower case, "" when absent */
    const char *body; /**< NUL-terminated */
    apr_size_t len;
} kc_http_response;

/**
 * To be called once per process before threads start: the global set-up of curl and its TLS
 * library, undone when the pool is cleared.
 */
apr_status_t kc_http_global_init(apr_pool_t *pool);

/** @param pool  clearing it closes all connections; no call may be under way then */
KC_WARN_UNUSED apr_status_t kc_http_create(kc_http **out, const kc_http_options *options,
                                           apr_pool_t *pool);

/** The error's id when the connection was cut: the request may have been acted upon, or not. */
#define KC_HTTP_CUT "KC0204"

/** Has the calls under way end within a second, and later ones at once: the process ends. */
void kc_http_stop(kc_http *http);

/**
 * One request, one answer. Redirects are not followed, answers over 1 MiB are refused, TLS is
 * verified, proxies from the environment are not used. A POST that was cut is not sent again on
 * another connection (KC_HTTP_CUT). Any thread may call.
 * @return APR_SUCCESS for any HTTP status; else *err says why, fault AWAY (no connection, cut, no
 *         time), PROVIDER (too big, broken, certificate refused) or CONFIG (bad URL or CA file)
 */
KC_WARN_UNUSED apr_status_t kc_http_call(kc_http *http, const kc_http_request *request,
                                         kc_http_response *response, apr_pool_t *pool,
                                         kc_error *err);

#endif
