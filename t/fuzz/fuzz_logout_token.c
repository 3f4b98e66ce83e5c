/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The rules of logout tokens, on claims whose signature holds. */

#include "oidc/internal.h"
#include "signed.h"

static const char issuer[] = "https://sso.example.org/realms/demo";
static const apr_int64_t now = 1795500000;

static int is_name(const char *text)
{
    return text && strlen(text) >= 1 && strlen(text) <= 255;
}

static void check_notice(const kc_logout_notice *notice, const json_t *claims)
{
    FUZZ_PROMISE(strcmp(kc_json_string(claims, "iss"), issuer) == 0);
    FUZZ_PROMISE(kc_json_holds(json_object_get(claims, "aud"), "app"));
    FUZZ_PROMISE(!json_object_get(claims, "nonce"));
    FUZZ_PROMISE(json_is_object(json_object_get(
        json_object_get(claims, "events"), "http://schemas.openid.net/event/backchannel-logout")));
    FUZZ_PROMISE(notice->sub || notice->sid);
    FUZZ_PROMISE(!notice->sub || is_name(notice->sub));
    FUZZ_PROMISE(!notice->sid || is_name(notice->sid));
    FUZZ_PROMISE(is_name(notice->id));
    FUZZ_PROMISE(notice->expires > now && notice->expires <= now + 24 * 60 * 60 + 60);
    FUZZ_PROMISE(!notice->action && !notice->sids && notice->not_before == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const kc_notice_rules rules = {issuer, "app", apr_time_from_sec(now)};
    const kc_jwt *jwt = fuzz_jwt(data, size);
    kc_logout_notice notice = {0};
    kc_error err = {0};

    if (jwt && kc_logout_token_check(&notice, jwt, &rules, &err) == APR_SUCCESS) {
        check_notice(&notice, jwt->claims);
    } else if (jwt) {
        FUZZ_PROMISE(err.fault == KC_FAULT_REQUEST && err.id && err.text[0]);
        FUZZ_PROMISE(!notice.id && !notice.sub && !notice.sid);
    }
    apr_pool_clear(fuzz_pool());
    return 0;
}
