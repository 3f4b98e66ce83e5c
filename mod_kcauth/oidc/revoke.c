/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The revocation endpoint (RFC 7009). */

#include "oidc/internal.h"

apr_status_t kc_revocation_request(kc_http_request *out, const kc_metadata *metadata,
                                   const kc_client *client, const char *refresh_token,
                                   apr_pool_t *pool, kc_error *err)
{
    kc_form form;

    kc_form_init(&form, pool);
    kc_form_add(&form, "token", refresh_token);
    kc_form_add(&form, "token_type_hint", "refresh_token");
    return kc_client_request(out, metadata->revocation_endpoint, &form, metadata, client, err);
}

apr_status_t kc_revocation_answer(const kc_http_response *response, apr_pool_t *pool, kc_error *err)
{
    kc_refusal refusal;

    /* Section 2.2: also for a token that was none any more. */
    if (response->status == 200) {
        return APR_SUCCESS;
    }
    if (response->status >= 500) {
        return kc_fail(err, KC_FAULT_AWAY, "KC0631", "the revocation endpoint answered %d",
                       response->status);
    }
    kc_client_refusal(&refusal, response, pool);
    return kc_fail(err, KC_FAULT_PROVIDER, "KC0632",
                   "the revocation endpoint answered %d %.64s (%.160s)", response->status,
                   refusal.error ? refusal.error : "without an error code",
                   refusal.description ? refusal.description : "no description");
}

apr_status_t kc_token_revoke(kc_http *http, const kc_metadata *metadata, const kc_client *client,
                             const char *refresh_token, apr_time_t deadline, apr_pool_t *pool,
                             kc_error *err)
{
    kc_http_request request;
    kc_http_response response;
    apr_status_t rv;

    if (!metadata->revocation_endpoint) {
        kc_fail(err, KC_FAULT_PROVIDER, "KC0630", "the provider has no revocation_endpoint");
        return APR_ENOTIMPL;
    }
    rv = kc_revocation_request(&request, metadata, client, refresh_token, pool, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    request.deadline = deadline;
    rv = kc_http_call(http, &request, &response, pool, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return kc_revocation_answer(&response, pool, err);
}
