/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The rules of Keycloak's admin actions, on claims whose signature holds. */

#include "oidc/internal.h"
#include "signed.h"

static const apr_int64_t now = 1795500000;

static void check_notice(const kc_logout_notice *notice, const char *action, const json_t *claims)
{
    const json_t *sid;
    size_t i;

    FUZZ_PROMISE(strcmp(notice->action, action) == 0);
    FUZZ_PROMISE(strcmp(kc_json_string(claims, "resource"), "app") == 0);
    FUZZ_PROMISE(!json_object_get(claims, "iss") && !json_object_get(claims, "typ"));
    FUZZ_PROMISE(notice->id[0] && strlen(notice->id) <= 255);
    FUZZ_PROMISE(notice->expires > now && notice->expires <= now + 10 * 60 + 60);
    FUZZ_PROMISE(notice->not_before >= 0 && notice->not_before <= now + 60);
    FUZZ_PROMISE(!notice->sids || json_is_array(notice->sids));
    json_array_foreach(notice->sids, i, sid)
    {
        FUZZ_PROMISE(json_string_length(sid) >= 1 && json_string_length(sid) <= 255);
    }
    FUZZ_PROMISE(!notice->sub && !notice->sid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const actions[] = {"LOGOUT", "PUSH_NOT_BEFORE", "TEST_AVAILABILITY"};
    const kc_notice_rules rules = {"https://sso.example.org/realms/demo", "app",
                                   apr_time_from_sec(now)};
    const kc_jwt *jwt = fuzz_jwt(data, size);
    int i, believed = 0;

    for (i = 0; jwt && i < 3; i++) {
        kc_logout_notice notice = {0};
        kc_error err = {0};

        if (kc_admin_action_check(&notice, actions[i], jwt, &rules, &err) == APR_SUCCESS) {
            check_notice(&notice, actions[i], jwt->claims);
            believed++;
        } else {
            FUZZ_PROMISE(err.fault == KC_FAULT_REQUEST && err.id && err.text[0]);
            FUZZ_PROMISE(!notice.id && !notice.action && !notice.sids);
        }
    }
    FUZZ_PROMISE(believed <= 1);
    apr_pool_clear(fuzz_pool());
    return 0;
}
