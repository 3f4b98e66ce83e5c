/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Logout that starts at our side (OpenID Connect RP-Initiated Logout 1.0). */

#include "oidc/oidc.h"

char *kc_logout_url(const kc_metadata *metadata, const kc_client *client, const char *id_token,
                    const char *post_logout_redirect_uri, apr_pool_t *pool)
{
    kc_form form;

    if (!metadata->end_session_endpoint) {
        return NULL;
    }
    kc_form_init(&form, pool);
    kc_form_add(&form, "id_token_hint", id_token);
    /* Without a hint the provider finds by it where it may send the browser. */
    kc_form_add(&form, "client_id", client->id);
    kc_form_add(&form, "post_logout_redirect_uri", post_logout_redirect_uri);
    return kc_form_url(&form, metadata->end_session_endpoint);
}
