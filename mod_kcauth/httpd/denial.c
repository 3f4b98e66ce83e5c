/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The log of a denial: who, by which line, what they hold, where that was read, and what to change.
 */

#include <apr_strings.h>

#include "httpd/denial.h"
#include "httpd/request.h"
#include "httpd/sessions.h"
#include "httpd/site.h"

enum { LISTED = 20 }; /* names in a log line */

static const char *listed(apr_pool_t *pool, const kc_names *names, const char *glue)
{
    const char *text = "", *name;
    apr_size_t at = 0, len;
    int n = 0;

    while ((name = kc_names_next(names, &at, &len)) != NULL) {
        if (n == LISTED) {
            return apr_psprintf(pool, "%s and %u more", text, names->count - LISTED);
        }
        text = n++ ? apr_pstrcat(pool, text, glue, name, NULL) : name;
    }
    return n ? text : "none";
}

static const char *advice(const kc_session *session)
{
    return strcmp(session->roles_from, "nowhere")
               ? "assign the role to the person (or to a group of theirs) in Keycloak, or change "
                 "the "
                 "line; who is logged in sees the change at the next login"
               : "no token held any role: the client needs the client scope \"roles\"";
}

void kc_denial_report(request_rec *r)
{
    kc_request *request = kc_request_of(r);
    const kc_session *session = kc_session_of(r);
    const kc_site *site = kc_site_of(r->server);
    const kc_requirement *line = request->refused ? request->refused : request->held;

    if (request->reported || !session || !line) {
        return;
    }
    request->reported = 1;
    ap_log_rerror(
        APLOG_MARK, APLOG_WARNING, 0, r,
        KC_DENIED ": %.100s (%.100s) is refused %s by \"%s\"%s; holds of client %s: %s; realm: %s; "
                  "other "
                  "clients: %s; groups: %s; read from: %s; to allow it, %s (ref %s)",
        session->username, session->sub, r->uri, line->line,
        request->refused ? "" : ", which holds, so a negative line does not", site->conf->client_id,
        listed(r->pool, &session->roles, ", "), listed(r->pool, &session->realm_roles, ", "),
        listed(r->pool, &session->other_roles, " "), listed(r->pool, &session->groups, ", "),
        session->roles_from, advice(session), request->page ? request->page->ref : "-");
}

int kc_log_denial(request_rec *r)
{
    for (; r; r = r->next) {
        const kc_request *request = ap_get_module_config(r->request_config, &kcauth_module);

        if (request && (request->refused || request->held) && !request->admitted) {
            kc_denial_report(r);
        }
    }
    return DECLINED;
}
