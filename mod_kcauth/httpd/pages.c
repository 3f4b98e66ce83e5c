/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/*
 * Refusals: a line in the log and a page for the person, tied by a reference. httpd writes error
 * pages itself, and knows how to be given another text (ap_custom_response): ours is put there at
 * the last moment, so an ErrorDocument always goes first.
 */

#include <stdlib.h>

#include <apr_strings.h>

#include <openssl/evp.h>

#include <mod_core.h>

#include "httpd/denial.h"
#include "httpd/pages.h"
#include "httpd/request.h"
#include "httpd/site.h"
#include "httpd/trouble.h"

static const char style[] =
    ":root{color-scheme:light dark;background:Canvas;color:CanvasText}"
    "body{font:1.0625rem/1.6 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 "
    "1.5rem}"
    "h1{font-size:1.5rem;line-height:1.25}"
    "a{color:LinkText}a:focus-visible{outline:3px solid;outline-offset:3px}"
    "small{opacity:.8}";

static ap_filter_rec_t *type_filter;
static const char *csp;

/* --- what is said ----------------------------------------------------------------------------- */

typedef struct wording {
    int status;
    const char *title;
    const char *text;
} wording;

static const wording *wording_of(kc_fault fault)
{
    static const wording config = {HTTP_SERVICE_UNAVAILABLE, "Login is not set up",
                                   "This site's login is not set up correctly. Its administrator "
                                   "finds the reason in the error log."};
    static const wording request = {HTTP_BAD_REQUEST, "This login could not be completed",
                                    "The link was too old, was used before, or belongs to another "
                                    "browser. Nothing is lost: start again."};
    static const wording refused = {HTTP_FORBIDDEN, "You are not logged in",
                                    "The login was cancelled or refused. You can start again."};
    static const wording provider = {HTTP_BAD_GATEWAY, "The login service's answer was not valid",
                                     "The login service answered something that this site cannot "
                                     "trust, so nobody was logged in."};
    static const wording away = {HTTP_SERVICE_UNAVAILABLE, "The login service does not answer",
                                 "Logging in is not possible right now. Please try again in a "
                                 "moment."};

    switch (fault) {
    case KC_FAULT_REQUEST:
        return &request;
    case KC_FAULT_REFUSED:
        return &refused;
    case KC_FAULT_PROVIDER:
        return &provider;
    case KC_FAULT_AWAY:
        return &away;
    default:
        return &config;
    }
}

static const char *escaped(request_rec *r, const char *text)
{
    return ap_escape_html2(r->pool, text, 1);
}

static const char *link_to(request_rec *r, const char *url, const char *text)
{
    return apr_pstrcat(r->pool, "<p><a href=\"", escaped(r, url), "\">", text, "</a></p>", NULL);
}

static const char *html(request_rec *r, const char *title, const char *text, const char *links,
                        const kc_page *page)
{
    return apr_pstrcat(r->pool,
                       "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                       "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                       "<title>",
                       title, "</title><style>", style, "</style></head>\n<body><main><h1>", title,
                       "</h1>\n<p>", text, "</p>\n", links, "\n<p><small>Reference: ", page->id,
                       " ", page->ref, "</small></p></main></body></html>\n", NULL);
}

static const char *error_body(request_rec *r, const kc_page *page)
{
    const wording *words = wording_of(page->fault);

    return html(r, words->title, words->text,
                page->retry ? link_to(r, page->retry, "Try again") : "", page);
}

static const char *denial_text(request_rec *r, const kc_page *page)
{
    return page->missing_role
               ? apr_pstrcat(r->pool, "This page is for people with the role <strong>",
                             escaped(r, page->missing_role),
                             "</strong>. Who gives out roles here can give it to you.", NULL)
               : "Your roles do not open this page.";
}

static const char *denial_body(request_rec *r, const kc_site *site, const kc_page *page)
{
    return html(r, "You may not see this page", denial_text(r, page),
                apr_pstrcat(r->pool, link_to(r, "/", "Home page"),
                            link_to(r, site->logout_path, "Log in as somebody else"), NULL),
                page);
}

static const char *denial_json(request_rec *r, const kc_page *page)
{
    json_t *body = json_pack("{s:s, s:s*, s:s, s:s}", "error", "access_denied", "missing_role",
                             page->missing_role, "id", page->id, "reference", page->ref);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    const char *copy = text ? apr_pstrcat(r->pool, text, "\n", NULL) : "{}\n";

    free(text);
    json_decref(body);
    return copy;
}

/* --- how it is delivered ---------------------------------------------------------------------- */

/* ap_send_error_response() calls everything text/html in Latin-1. */
static apr_status_t set_type(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    ap_set_content_type(filter->r, filter->ctx);
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

static void deliver(request_rec *r, const char *type, const char *body)
{
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->err_headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->err_headers_out, "Content-Security-Policy", csp);
    apr_table_setn(r->err_headers_out, "Referrer-Policy", "no-referrer");
    ap_add_output_filter_handle(type_filter, (void *)type, r, r->connection);
    if (body) {
        ap_custom_response(r, r->status, body);
    }
}

/* A denial, as mod_authz_core decided it from our providers' words. */
static void insert_denial(request_rec *r, const kc_page *page)
{
    kc_denial_report(r);
    if (!kc_request_is_navigation(r)) {
        deliver(r, "application/json", denial_json(r, page));
    } else if (!ap_response_code_string(r, ap_index_of_response(r->status))) {
        deliver(r, "text/html; charset=utf-8", denial_body(r, kc_site_of(r->server), page));
    }
}

void kc_page_insert(request_rec *r)
{
    kc_request *request = ap_get_module_config(r->request_config, &kcauth_module);

    if (!request) {
        return;
    }
    if (request->page && request->page->status == r->status) {
        if (request->page->json) {
            deliver(r, "application/json", NULL); /* the body was set with the refusal */
        } else if (!ap_response_code_string(r, ap_index_of_response(r->status))) {
            deliver(r, "text/html; charset=utf-8", error_body(r, request->page));
        }
    } else if ((request->refused || request->held) && !request->admitted &&
               (r->status == HTTP_UNAUTHORIZED || r->status == HTTP_FORBIDDEN)) {
        /* There is none after a negative line: what holds refuses. */
        insert_denial(r, request->page ? request->page : kc_page_denial(r, NULL));
    }
}

void kc_pages_register(apr_pool_t *pool)
{
    unsigned char hash[EVP_MAX_MD_SIZE], text[EVP_MAX_MD_SIZE * 2];
    unsigned len = 0;

    if (!EVP_Digest(style, sizeof(style) - 1, hash, &len, EVP_sha256(), NULL)) {
        len = 0; /* the page is then shown without its style */
    }
    EVP_EncodeBlock(text, hash, (int)len);
    csp = apr_psprintf(pool,
                       "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; "
                       "form-action 'none'; frame-ancestors 'none'",
                       text);
    type_filter = ap_register_output_filter("KCAUTH_TYPE", set_type, NULL, AP_FTYPE_CONTENT_SET);
}

/* --- refusing --------------------------------------------------------------------------------- */

/* Makes the page, and tells an ErrorDocument what it may want to show. */
static kc_page *make_page(request_rec *r, int status, kc_fault fault, const char *id,
                          const char *target)
{
    const kc_site *site = kc_site_of(r->server);
    kc_page *page = apr_pcalloc(r->pool, sizeof(*page));
    const char *ref = kc_random_string(r->pool, 6);

    page->status = status;
    page->fault = fault;
    page->id = id;
    page->ref = ref ? ref : "none";
    apr_table_setn(r->subprocess_env, "KC_ERROR_ID", page->id);
    apr_table_setn(r->subprocess_env, "KC_ERROR_REF", page->ref);
    if (site) {
        page->retry = kc_login_url(r, site, target);
        apr_table_setn(r->subprocess_env, "KC_RETRY_URL", page->retry);
    }
    kc_request_of(r)->page = page;
    return page;
}

const kc_page *kc_page_denial(request_rec *r, const char *missing_role)
{
    kc_page *page = make_page(r, 0, KC_FAULT_REFUSED, KC_DENIED, kc_request_target(r));

    page->missing_role = missing_role;
    apr_table_setn(r->subprocess_env, "KC_ERROR_TEXT", "Your roles do not open this page.");
    if (missing_role) {
        apr_table_setn(r->subprocess_env, "KC_MISSING_ROLE", missing_role);
    }
    return page;
}

void kc_page_withdraw(request_rec *r)
{
    apr_table_unset(r->subprocess_env, "KC_ERROR_ID");
    apr_table_unset(r->subprocess_env, "KC_ERROR_REF");
    apr_table_unset(r->subprocess_env, "KC_ERROR_TEXT");
    apr_table_unset(r->subprocess_env, "KC_RETRY_URL");
    apr_table_unset(r->subprocess_env, "KC_MISSING_ROLE");
    kc_request_of(r)->page = NULL;
}

static int refuse_at(int level, request_rec *r, const kc_error *err, const char *target)
{
    int status = wording_of(err->fault)->status;
    kc_page *page = make_page(r, status, err->fault, err->id, target ? target : "/");

    kc_trouble_log_error(r, level, err, apr_pstrcat(r->pool, " (ref ", page->ref, ")", NULL));
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    if (status == HTTP_SERVICE_UNAVAILABLE) { /* an administrator takes longer than Keycloak */
        apr_table_setn(r->err_headers_out, "Retry-After",
                       err->fault == KC_FAULT_AWAY ? "5" : "300");
    }
    apr_table_setn(r->subprocess_env, "KC_ERROR_TEXT", wording_of(err->fault)->text);
    return status;
}

int kc_refuse(request_rec *r, const kc_error *err, const char *target)
{
    int theirs = err->fault == KC_FAULT_REQUEST || err->fault == KC_FAULT_REFUSED;

    return refuse_at(theirs ? APLOG_WARNING : APLOG_ERR, r, err, target);
}

/* What the admin is to know, the store itself says. */
int kc_refuse_away(request_rec *r)
{
    kc_error err = {0};

    kc_fail(&err, KC_FAULT_AWAY, "KC0724",
            "whether there is a session is not known: its store is away");
    return refuse_at(APLOG_INFO, r, &err, kc_request_target(r));
}

int kc_refuse_script(request_rec *r, const kc_site *site)
{
    kc_page *page = make_page(r, HTTP_UNAUTHORIZED, KC_FAULT_REQUEST, "KC0163", "/");
    const char *login =
        apr_pstrcat(r->pool, kc_request_origin(r, site), site->conf->path, "/login", NULL);

    page->json = 1;
    /* A script wants JSON whatever the ErrorDocument for people is. */
    ap_custom_response(
        r, HTTP_UNAUTHORIZED,
        apr_psprintf(r->pool, "{\"error\":\"login_required\",\"login\":\"%s\"}\n", login));
    apr_table_setn(r->err_headers_out, "WWW-Authenticate",
                   apr_pstrcat(r->pool, KC_AUTH_TYPE " login=\"", login, "\"", NULL));
    return HTTP_UNAUTHORIZED;
}

int kc_page_lead_on(request_rec *r, const char *target)
{
    const char *url = escaped(r, target);

    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "Content-Security-Policy", csp);
    ap_set_content_type(r, "text/html; charset=utf-8");
    ap_rvputs(r,
              "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
              "<meta http-equiv=\"refresh\" content=\"0;url=",
              url, "\"><title>You are logged in</title></head>\n<body><p><a href=\"", url,
              "\">Go on</a></p></body></html>\n", NULL);
    return OK;
}
