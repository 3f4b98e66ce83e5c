/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * What all calls with the client's own credentials have in common: its authentication (RFC 6749
 * section 2.3.1) and the provider's errors (section 5.2).
 */

#include <string.h>

#include <apr_strings.h>
#include <openssl/evp.h>

#include "oidc/internal.h"

/* RFC 6749 section 2.3.1: both are form-encoded before RFC 7617 puts them together. */
static const char *basic_credentials(const kc_client *client, apr_pool_t *pool)
{
    char *plain = apr_pstrcat(pool, kc_form_encode(pool, client->id), ":",
                              kc_form_encode(pool, client->secret), NULL);
    apr_size_t len = strlen(plain);
    char *encoded = apr_palloc(pool, (len + 2) / 3 * 4 + 1);

    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)plain, (int)len);
    return apr_pstrcat(pool, "Basic ", encoded, NULL);
}

apr_status_t kc_client_request(kc_http_request *out, const char *url, kc_form *form,
                               const kc_metadata *metadata, const kc_client *client, kc_error *err)
{
    int basic = client->secret && metadata->auth_basic;

    if (client->secret && !metadata->auth_basic && !metadata->auth_post) {
        return kc_fail(err, KC_FAULT_PROVIDER, "KC0601",
                       "the provider takes neither client_secret_basic nor client_secret_post: "
                       "its metadata must list one for a client with a secret");
    }
    if (!basic) {
        kc_form_add(form, "client_id", client->id);
        kc_form_add(form, "client_secret", client->secret);
    }
    memset(out, 0, sizeof(*out));
    out->url = url;
    out->body = kc_form_string(form);
    out->authorization = basic ? basic_credentials(client, form->pool) : NULL;
    return APR_SUCCESS;
}

void kc_client_refusal(kc_refusal *out, const kc_http_response *response, apr_pool_t *pool)
{
    json_t *answer;

    out->error = NULL;
    out->description = NULL;
    if (kc_json_parse(&answer, response->body, response->len, pool, NULL) == APR_SUCCESS) {
        out->error = kc_json_string(answer, "error");
        out->description = kc_json_string(answer, "error_description");
    }
}
