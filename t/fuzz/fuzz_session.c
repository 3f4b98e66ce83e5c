/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* The session record: whatever the bytes, a reader stays inside them. */

#include "fuzz.h"
#include "session/session.h"

/* Made again of its names, the list is the same, unless one holds NUL and so was never written. */
static void make_again(const kc_names *list, int holds_nul)
{
    kc_names_builder builder;
    apr_size_t at = 0, len;
    const char *name;
    kc_names again;

    kc_names_init(&builder, fuzz_pool());
    while ((name = kc_names_next(list, &at, &len))) {
        FUZZ_PROMISE(kc_names_add(&builder, name) == APR_SUCCESS);
    }
    again = kc_names_list(&builder);
    FUZZ_PROMISE(again.count == list->count);
    FUZZ_PROMISE(holds_nul || !list->len ||
                 (again.len == list->len && !memcmp(again.bytes, list->bytes, list->len)));
}

static void touch_list(const kc_names *list)
{
    apr_size_t at = 0, len;
    unsigned count = 0;
    int holds_nul = 0;
    const char *name;

    while ((name = kc_names_next(list, &at, &len))) {
        FUZZ_PROMISE(strlen(name) <= len);
        FUZZ_PROMISE(kc_names_have(list, name, len));
        holds_nul |= strlen(name) < len;
        if (++count == 100) {
            return;
        }
    }
    FUZZ_PROMISE(count == list->count && at == list->len);
    FUZZ_PROMISE(!kc_names_have(list, "app", 3) || count > 0);
    kc_names_have_pair(list, "app", 3, "admin", 5);
    make_again(list, holds_nul);
}

/* A pair more is a pair more, and found. */
static void add_pair(const kc_session *session)
{
    kc_names_builder builder;
    apr_size_t at = 0, len;
    const char *client, *role;
    kc_names pairs;

    kc_names_init(&builder, fuzz_pool());
    while ((client = kc_names_next(&session->other_roles, &at, &len)) &&
           (role = kc_names_next(&session->other_roles, &at, &len))) {
        FUZZ_PROMISE(kc_names_add_pair(&builder, client, role) == APR_SUCCESS);
    }
    FUZZ_PROMISE(kc_names_add_pair(&builder, "app", "admin") == APR_SUCCESS);
    pairs = kc_names_list(&builder);
    FUZZ_PROMISE(kc_names_have_pair(&pairs, "app", 3, "admin", 5));
    FUZZ_PROMISE(pairs.count == (session->other_roles.count & ~1u) + 2);
}

/* What was read is written and read again: nothing is lost. The first layout was two bytes shorter. */
static void write_again(const kc_session *session, size_t size)
{
    apr_size_t len = kc_session_length(session);
    unsigned char *record = malloc(len);
    kc_session again;

    FUZZ_PROMISE(record && len > 0 && len <= size + 2);
    kc_session_write(session, record);
    FUZZ_PROMISE(kc_session_read(&again, record, len) == APR_SUCCESS);
    FUZZ_PROMISE(strcmp(again.sub, session->sub) == 0);
    FUZZ_PROMISE(strcmp(again.roles_from, session->roles_from) == 0);
    FUZZ_PROMISE(again.expires == session->expires && again.mark == session->mark);
    FUZZ_PROMISE(again.roles.count == session->roles.count);
    FUZZ_PROMISE(again.groups.len == session->groups.len);
    free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const kc_session zero;
    kc_session session;

    if (kc_session_read(&session, data, size) != APR_SUCCESS) {
        /* NOLINTNEXTLINE(bugprone-*,cert-*): it was cleared as a whole, with its padding */
        FUZZ_PROMISE(memcmp(&session, &zero, sizeof(zero)) == 0);
        return 0;
    }
    touch_list(&session.roles);
    touch_list(&session.realm_roles);
    touch_list(&session.other_roles);
    touch_list(&session.groups);
    add_pair(&session);
    write_again(&session, size);
    apr_pool_clear(fuzz_pool());
    return 0;
}
