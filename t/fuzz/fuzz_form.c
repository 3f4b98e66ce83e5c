/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Queries and form bodies, and the authorization response that is read from them. */

#include "fuzz.h"
#include "oidc/oidc.h"

enum { PAIRS = 32 };

static int add_pair(void *form, const char *name, const char *value)
{
    kc_form_add(form, name, value);
    return 1;
}

/* Encoded and parsed again, the table is the same. */
static void encode_again(const apr_table_t *table)
{
    apr_pool_t *pool = fuzz_pool();
    apr_table_t *again;
    kc_form form;
    const char *text, *url;

    kc_form_init(&form, pool);
    apr_table_do(add_pair, &form, table, NULL);
    text = kc_form_string(&form);
    FUZZ_PROMISE(kc_form_parse(&again, text, strlen(text), PAIRS, pool) == APR_SUCCESS);
    FUZZ_PROMISE(apr_table_elts(again)->nelts == apr_table_elts(table)->nelts);
    url = kc_form_url(&form, "https://a/b?c=d");
    FUZZ_PROMISE(kc_form_parse(&again, strchr(url, '?') + 1, strlen(strchr(url, '?') + 1),
                               PAIRS + 1, pool) == APR_SUCCESS ||
                 apr_table_get(table, "c"));
}

static void read_response(const apr_table_t *table)
{
    static const kc_metadata metadata = {.issuer = "https://sso.example.org/realms/demo",
                                         .iss_parameter = 1};
    kc_authorization_response response;
    kc_error err = {0};

    kc_authorization_response_read(&response, table);
    if (kc_authorization_response_check(&response, &metadata, &err) == APR_SUCCESS) {
        FUZZ_PROMISE(response.code && strcmp(response.iss, metadata.issuer) == 0);
        FUZZ_PROMISE(!response.error);
    } else {
        FUZZ_PROMISE(err.fault != KC_FAULT_NONE && err.id && err.text[0]);
    }
    kc_authorization_response_is_stale(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    apr_table_t *table;

    if (kc_form_parse(&table, (const char *)data, size, PAIRS, pool) == APR_SUCCESS) {
        FUZZ_PROMISE(apr_table_elts(table)->nelts <= PAIRS);
        encode_again(table);
        read_response(table);
    }
    apr_pool_clear(pool);
    return 0;
}
