/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The discovery document (OpenID Connect Discovery 1.0 sections 3 and 4.3, RFC 8414 section 2). */

#include <string.h>

#include "oidc/internal.h"

/* One document being read. */
typedef struct reading {
    const json_t *document;
    const char *internal_origin;
    int insecure;
    apr_pool_t *pool;
    kc_error *err;
} reading;

/* An endpoint of the document and where its URL goes. */
typedef struct endpoint_rule {
    const char *name;
    const char **url;
    int required;
    int called_by_us; /* so it is reached at the internal origin */
} endpoint_rule;

/* Equal but for one slash at the end, which admins leave out and providers put there. */
static int same_issuer(const char *a, const char *b)
{
    apr_size_t a_len = strlen(a), b_len = strlen(b);

    if (a_len && a[a_len - 1] == '/') {
        a_len--;
    }
    if (b_len && b[b_len - 1] == '/') {
        b_len--;
    }
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

static apr_status_t read_issuer(kc_metadata *metadata, const char *wanted, const reading *in)
{
    metadata->issuer = kc_json_string(in->document, "issuer");
    if (!metadata->issuer) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0222",
                       "the discovery document names no issuer");
    }
    if (!same_issuer(metadata->issuer, wanted)) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0223",
                       "the discovery document is of issuer %.150s, not of %.150s: "
                       "KCAuthDiscoveryURL must spell the host as the provider does",
                       metadata->issuer, wanted);
    }
    return APR_SUCCESS;
}

static apr_status_t read_endpoint(const endpoint_rule *rule, const reading *in)
{
    kc_url parts;
    const char *url;

    if (kc_member_string(&url, in->document, rule->name) != APR_SUCCESS) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0224",
                       "%s in the discovery document is no string", rule->name);
    }
    if (!url && !rule->required) {
        return APR_SUCCESS;
    }
    if (!url) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0225", "the discovery document has no %s",
                       rule->name);
    }
    if (rule->called_by_us && in->internal_origin) {
        url = kc_url_rebase(in->pool, url, in->internal_origin);
    }
    if (!url || kc_url_parse(&parts, url, in->pool) != APR_SUCCESS) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0226",
                       "%s in the discovery document is no http or https URL", rule->name);
    }
    if (!in->insecure && !kc_url_is_safe(&parts)) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0227",
                       "%s is at %.150s, plain http that others can read: let the provider use "
                       "https (or, on a network that you trust, set KCAuthInsecureHTTP on)",
                       rule->name, parts.origin);
    }
    *rule->url = url;
    return APR_SUCCESS;
}

static apr_status_t read_endpoints(kc_metadata *metadata, const reading *in)
{
    const endpoint_rule endpoints[] = {
        {"authorization_endpoint", &metadata->authorization_endpoint, 1, 0},
        {"token_endpoint", &metadata->token_endpoint, 1, 1},
        {"jwks_uri", &metadata->jwks_uri, 1, 1},
        {"userinfo_endpoint", &metadata->userinfo_endpoint, 0, 1},
        {"revocation_endpoint", &metadata->revocation_endpoint, 0, 1},
        {"end_session_endpoint", &metadata->end_session_endpoint, 0, 0},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        apr_status_t rv = read_endpoint(&endpoints[i], in);

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t read_algorithms(kc_metadata *metadata, const reading *in)
{
    const json_t *names = kc_member(in->document, "id_token_signing_alg_values_supported");

    metadata->algs = json_is_array(names) ? kc_alg_named(names) : 0;
    if (!metadata->algs) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0228",
                       "id_token_signing_alg_values_supported in the discovery document lists no "
                       "algorithm that we verify (RS256 must be there)");
    }
    return APR_SUCCESS;
}

static apr_status_t read_capabilities(kc_metadata *metadata, const reading *in)
{
    const json_t *methods = kc_member(in->document, "token_endpoint_auth_methods_supported");
    const json_t *iss = kc_member(in->document, "authorization_response_iss_parameter_supported");
    const json_t *scopes = kc_member(in->document, "scopes_supported");

    if (methods && !json_is_array(methods)) {
        return kc_fail(
            in->err, KC_FAULT_PROVIDER, "KC0229",
            "token_endpoint_auth_methods_supported in the discovery document is no list");
    }
    if (iss && !json_is_boolean(iss)) {
        return kc_fail(in->err, KC_FAULT_PROVIDER, "KC0230",
                       "authorization_response_iss_parameter_supported in the discovery document "
                       "is neither true nor false");
    }
    metadata->auth_basic = !methods || kc_json_holds(methods, "client_secret_basic");
    metadata->auth_post = kc_json_holds(methods, "client_secret_post") != 0;
    metadata->iss_parameter = json_is_true(iss);
    metadata->scope_roles = !scopes || kc_json_holds(scopes, "roles");
    return APR_SUCCESS;
}

apr_status_t kc_metadata_parse(kc_metadata **out, const char *text, apr_size_t len,
                               const char *issuer, const char *internal_origin, int insecure,
                               apr_pool_t *pool, kc_error *err)
{
    kc_metadata *metadata = apr_pcalloc(pool, sizeof(*metadata));
    reading in = {NULL, internal_origin, insecure, pool, err};
    json_t *document;
    const char *why;
    apr_status_t rv;

    *out = NULL;
    if (kc_json_parse(&document, text, len, pool, &why) != APR_SUCCESS) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0221",
                       "the discovery document is no JSON object (%.100s): KCAuthDiscoveryURL must "
                       "be the realm's URL",
                       why);
    }
    in.document = document;
    if ((rv = read_issuer(metadata, issuer, &in)) != APR_SUCCESS ||
        (rv = read_endpoints(metadata, &in)) != APR_SUCCESS ||
        (rv = read_algorithms(metadata, &in)) != APR_SUCCESS ||
        (rv = read_capabilities(metadata, &in)) != APR_SUCCESS) {
        return rv;
    }
    *out = metadata;
    return APR_SUCCESS;
}
