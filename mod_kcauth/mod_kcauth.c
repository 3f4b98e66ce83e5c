/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The module record and its hooks: the table of contents of httpd/. */

#include "httpd/authn.h"
#include "httpd/authz.h"
#include "httpd/config.h"
#include "httpd/denial.h"
#include "httpd/endpoints.h"
#include "httpd/identity.h"
#include "httpd/pages.h"
#include "httpd/site.h"
#include "httpd/store.h"

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog;
    (void)ptemp;
    kc_store_pre_config(pconf);
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    /* Whatever maps URLs to something else must not get hold of our endpoints. */
    static const char *const mappers[] = {"mod_proxy.c",   "mod_rewrite.c",     "mod_alias.c",
                                          "mod_userdir.c", "mod_vhost_alias.c", NULL};
    /* Rewrite rules below a Location see the environment that we fill. */
    static const char *const readers[] = {"mod_rewrite.c", "mod_headers.c", "mod_proxy.c", NULL};
    /* Its thread works with what we make in each child. */
    static const char *const workers[] = {"mod_watchdog.c", NULL};

    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(kc_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(kc_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(kc_child_init, NULL, workers, APR_HOOK_MIDDLE);

    ap_hook_post_read_request(kc_strip_spoofed, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(kc_endpoint_translate, NULL, mappers, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(kc_endpoint_map, NULL, mappers, APR_HOOK_REALLY_FIRST);
    ap_hook_check_access_ex(kc_access, NULL, NULL, APR_HOOK_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authn(kc_authenticate, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_note_auth_failure(kc_note_auth_failure, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_fixups(kc_fixups, NULL, readers, APR_HOOK_FIRST);
    ap_hook_fixups(kc_fixups_proxied, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_handler(kc_endpoint_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_insert_error_filter(kc_page_insert, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_log_transaction(kc_log_denial, NULL, NULL, APR_HOOK_FIRST);

    kc_authz_register(pool);
    kc_pages_register(pool);
    kc_identity_register(pool);
}

/* clang-format off */
module kcauth_module = {
    STANDARD20_MODULE_STUFF,
    kc_dir_conf_create,    /* per-directory configuration */
    kc_dir_conf_merge,     /* merged with that of the parent directory */
    kc_server_conf_create, /* per-server configuration */
    kc_server_conf_merge,  /* merged with that of the main server */
    kc_directives,         /* the command table */
    register_hooks,
    0,
};
