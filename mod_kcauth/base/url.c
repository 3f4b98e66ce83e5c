/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* Absolute http and https URLs, RFC 3986: taken apart, judged, moved to another origin. */

#include "base/base.h"
#include "base/text.h"

#include <apr_cstr.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define MAX_URL  4000
#define MAX_PORT 65535

/* Whether every character may stand in a URL without being escaped, and every escape is one. */
static int characters_are_fine(const char *text)
{
    const char *end = text + strlen(text);
    const char *at;

    for (at = text; at < end; at++) {
        if (*at <= ' ' || *at >= 0x7f || strchr("\"<>\\^`{|}#", *at)) {
            return 0;
        }
        if (*at == '%' && kc_text_escape(at, end) < 0) {
            return 0;
        }
    }
    return 1;
}

/* Reads the scheme in any case; returns what follows "://", or NULL. */
static const char *read_scheme(kc_url *url, const char *text)
{
    if (apr_cstr_casecmpn(text, "https://", 8) == 0) {
        url->scheme = "https";
        url->port = 443;
        return text + 8;
    }
    if (apr_cstr_casecmpn(text, "http://", 7) == 0) {
        url->scheme = "http";
        url->port = 80;
        return text + 7;
    }
    return NULL;
}

/* A name or an IPv4 address. '@' is not among its characters, so user info ends here. */
static int is_name(const char *host)
{
    return *host && host[strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._")] == '\0';
}

/* A bracketed IPv6 address without a zone, which would mean something on one machine only. */
static int is_ipv6(const char *host)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    apr_size_t len = strlen(host);

    if (len < 2 || host[0] != '[' || host[len - 1] != ']' || len - 2 >= sizeof(address)) {
        return 0;
    }
    apr_cpystrn(address, host + 1, len - 1);
    return inet_pton(AF_INET6, address, &parsed) == 1;
}

/* Reads ":8080", or nothing. */
static int read_port(int *port, const char *text)
{
    if (*text == '\0') {
        return 1;
    }
    if (*text++ != ':' || *text == '\0' || strlen(text) > 5 || text[strspn(text, "0123456789")]) {
        return 0;
    }
    *port = (int)strtol(text, NULL, 10);
    return *port > 0 && *port <= MAX_PORT;
}

apr_status_t kc_url_parse(kc_url *out, const char *text, apr_pool_t *pool)
{
    const char *authority, *port, *path;
    kc_url url;

    if (strlen(text) > MAX_URL || !characters_are_fine(text) ||
        (authority = read_scheme(&url, text)) == NULL) {
        return APR_EINVAL;
    }
    path = authority + strcspn(authority, "/?");
    port = authority + strcspn(authority, *authority == '[' ? "]/?" : ":/?");
    port += *port == ']';
    url.host = kc_text_lower(apr_pstrmemdup(pool, authority, (apr_size_t)(port - authority)));
    url.origin = apr_pstrcat(pool, url.scheme, "://", url.host, NULL);
    url.path = apr_pstrcat(pool, *path == '/' ? "" : "/", path, NULL);
    if (!is_name(url.host) && !is_ipv6(url.host)) {
        return APR_EINVAL;
    }
    if (port < path) {
        int standard = url.port;

        if (!read_port(&url.port, apr_pstrmemdup(pool, port, (apr_size_t)(path - port)))) {
            return APR_EINVAL;
        }
        if (url.port != standard) {
            url.origin = apr_psprintf(pool, "%s:%d", url.origin, url.port);
        }
    }
    *out = url;
    return APR_SUCCESS;
}

int kc_url_is_safe(const kc_url *url)
{
    struct in_addr address;

    if (strcmp(url->scheme, "https") == 0) {
        return 1;
    }
    if (inet_pton(AF_INET, url->host, &address) == 1) {
        return (ntohl(address.s_addr) >> 24) == 127;
    }
    return strcmp(url->host, "localhost") == 0 || strcmp(url->host, "[::1]") == 0;
}

const char *kc_url_rebase(apr_pool_t *pool, const char *url, const char *origin)
{
    kc_url parsed;

    if (kc_url_parse(&parsed, url, pool) != APR_SUCCESS) {
        return NULL;
    }
    return apr_pstrcat(pool, origin, parsed.path, NULL);
}
