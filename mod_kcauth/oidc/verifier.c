/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Signatures under keys that the provider may have changed a moment ago. */

#include "oidc/internal.h"

apr_status_t kc_verifier_jwt(kc_jwt **out, const char *token, kc_verifier *verifier,
                             apr_pool_t *pool, kc_error *err)
{
    kc_provider_view *view = verifier->view;
    apr_status_t rv = kc_jwt_verify(out, token, view->keys, view->metadata->algs, pool, err);
    kc_error fetching = {0};

    if (rv != APR_NOTFOUND || verifier->renewed) {
        return rv;
    }
    verifier->renewed = 1;
    rv = kc_provider_newer_keys(verifier->provider, view, verifier->deadline, pool, &fetching);
    if (rv == APR_SUCCESS) {
        rv = kc_jwt_verify(out, token, view->keys, view->metadata->algs, pool, err);
    }
    verifier->keyless = rv != APR_SUCCESS && fetching.fault != KC_FAULT_NONE;
    if (!err) {
        return rv;
    }
    if (rv == APR_SUCCESS) {
        err->fault = KC_FAULT_NONE; /* the first try is forgotten */
    } else if (verifier->keyless) {
        *err = fetching; /* says more than that the old keys do not fit */
    }
    return rv;
}
