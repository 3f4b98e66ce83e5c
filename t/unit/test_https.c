/* Licensed under the Apache License, Version 2.0. See LICENSE. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/base.h"
#include "peer.h"
#include "unit.h"

#define JSON_ANSWER \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

/* A server with a certificate of its own, and the file that a client may trust it by. */
typedef struct site {
    EVP_PKEY *key;
    X509 *certificate;
    SSL_CTX *tls;
    char file[32];
} site;

static apr_status_t drop_site(void *data)
{
    site *one = data;

    SSL_CTX_free(one->tls);
    X509_free(one->certificate);
    EVP_PKEY_free(one->key);
    unlink(one->file);
    return APR_SUCCESS;
}

static void write_certificate(site *one)
{
    FILE *file;
    int fd;

    strcpy(one->file, "certificate-XXXXXX");
    fd = mkstemp(one->file);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, one->certificate), 1);
    fclose(file);
}

/* Self-signed, for the DNS name, valid until `days` from now. */
static site *make_site(const char *name, int days, apr_pool_t *pool)
{
    site *one = apr_pcalloc(pool, sizeof(*one));
    const char *names = apr_pstrcat(pool, "DNS:", name, NULL);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);

    one->key = EVP_EC_gen("P-256");
    one->certificate = certificate;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), (long)(apr_time_now() & 0x7fffffff));
    X509_gmtime_adj(X509_getm_notBefore(certificate), -10L * 86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86400L);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_set_pubkey(certificate, one->key);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(certificate, one->key, EVP_sha256()) > 0);
    one->tls = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(one->tls, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(one->tls, one->key), 1);
    write_certificate(one);
    apr_pool_cleanup_register(pool, one, drop_site, apr_pool_cleanup_null);
    return one;
}

/* Calls the site, trusting what the file holds, or what the system does when it is NULL. */
static apr_status_t call(site *one, const char *ca_file, apr_pool_t *pool, kc_error *err)
{
    kc_http_options options = {ca_file, apr_time_from_sec(2), 1};
    kc_http_request request = {.body = "a=b"};
    kc_http_response response;
    peer *end = peer_start(one->tls, pool);
    kc_http *http;
    apr_status_t rv;

    peer_say(end, JSON_ANSWER, PEER_KEEP);
    assert_int_equal(kc_http_create(&http, &options, pool), APR_SUCCESS);
    request.url = peer_url(end, "/", pool);
    request.deadline = apr_time_now() + apr_time_from_sec(5);
    rv = kc_http_call(http, &request, &response, pool, err);
    /* Nothing is sent before the certificate was looked at. */
    assert_int_equal(peer_requests(end), rv == APR_SUCCESS);
    return rv;
}

static void assert_fails(site *one, const char *ca_file, kc_fault fault, const char *id,
                         apr_pool_t *pool)
{
    kc_error err = {0};

    assert_int_equal(call(one, ca_file, pool, &err), APR_EGENERAL);
    assert_string_equal(err.id, id);
    assert_int_equal(err.fault, fault);
}

static void a_trusted_certificate_is_accepted(void **state)
{
    site *one = make_site("localhost", 10, *state);
    kc_error err = {0};

    if (call(one, one->file, *state, &err) != APR_SUCCESS) {
        fail_msg("%s: %s", err.id, err.text);
    }
}

static void a_certificate_that_nobody_trusts_is_refused(void **state)
{
    site *one = make_site("localhost", 10, *state);
    site *other = make_site("localhost", 10, *state);

    assert_fails(one, NULL, KC_FAULT_PROVIDER, "KC0207", *state);
    assert_fails(one, other->file, KC_FAULT_PROVIDER, "KC0207", *state);
}

static void a_certificate_of_another_name_is_refused(void **state)
{
    site *one = make_site("localhost.example.org", 10, *state);

    assert_fails(one, one->file, KC_FAULT_PROVIDER, "KC0207", *state);
}

static void a_certificate_that_ran_out_is_refused(void **state)
{
    site *one = make_site("localhost", -1, *state);

    assert_fails(one, one->file, KC_FAULT_PROVIDER, "KC0207", *state);
}

static void an_unreadable_ca_file_is_the_administrators(void **state)
{
    site *one = make_site("localhost", 10, *state);

    assert_fails(one, "no-such-file.pem", KC_FAULT_CONFIG, "KC0208", *state);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        UNIT_TEST(a_trusted_certificate_is_accepted),
        UNIT_TEST(a_certificate_that_nobody_trusts_is_refused),
        UNIT_TEST(a_certificate_of_another_name_is_refused),
        UNIT_TEST(a_certificate_that_ran_out_is_refused),
        UNIT_TEST(an_unreadable_ca_file_is_the_administrators),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
