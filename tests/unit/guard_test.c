/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard_test.c - greenroom/guard.h, and guarded requests over libcurl.
 *
 * The C library's look-ups and connections stand behind this program's own, below: names mean what the
 * tests say, each look-up anew, and PUBLIC, an address that is public, leads to the tests' server.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <greenroom/guard.h>

#include "tests/support/http_call.h"

/* set_up makes a runtime (gr_runtime_new) and starts the server. */
TestSuite(guard, .init = set_up, .fini = tear_down, .timeout = 60);

#define PUBLIC "93.184.215.14"

/* ---- URLs ------------------------------------------------------------------------------------ */

static const char *const refused_urls[] = {
    /* loopback, and how else it can be written */
    "http://127.0.0.1/",
    "http://127.0.0.1:8080/v1",
    "https://127.1.2.3/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://0177.0.0.01/",
    "http://017700000001/",
    "http://127.0.0.1./",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.%31/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::]/",
    "http://[::127.0.0.1]/",
    "http://localhost/",
    "http://LOCALHOST:11434/",
    "http://localhost./",
    "http://api.localhost/",
    "http://localhost.localdomain/",
    "http://0.0.0.0/",
    "http://0/",
    "http://0.1.2.3/",
    /* private, shared, link-local, metadata */
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://012.0.0.1/",
    "http://167772161/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://192.168.257/",
    "http://0xc0a80001/",
    "http://100.64.0.1/",
    "http://100.127.255.255/",
    "http://100.100.100.200/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.1.1/",
    "http://0251.0376.0251.0376/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://192.0.0.192/opc/v1/",
    "http://168.63.129.16/machine",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fc00::1]/",
    "http://[fec0::1]/",
    /* nobody's, everybody's */
    "http://192.0.2.1/",
    "http://198.51.100.7/",
    "http://203.0.113.9/",
    "http://198.18.0.1/",
    "http://198.19.255.255/",
    "http://224.0.0.1/",
    "http://239.255.255.250/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://192.88.99.1/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[100::1]/",
    "http://[4000::1]/",
    /* IPv4 inside IPv6 */
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2606:4700::5efe:7f00:1]/",
    /* who stands where */
    "http://user@example.com/",
    "http://user:sesame@example.com/",
    "http://@example.com/",
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1@example.com/",
    "http://example.com%40127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
    "http://127.0.0.1\\.example.com/",
    "http://127.0.0.1#@example.com/",
    "http://127.0.0.1?.example.com/",
    "http:/127.0.0.1/",
    "http:127.0.0.1/",
    "http:/h/mlpaee.com/ttp://h", /* found by guard_fuzz */
    "http:/example.com/://example.com",
    "http:///127.0.0.1/",
    "http://127.0.0.1%00.example.com/",
    "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/", /* digits in circles */
    "http://127\xe3\x80\x82"
    "0.0.1/", /* an ideographic full stop */
    "http://exa\xc3\xa4mple.com/",
    "http://exam ple.com/",
    "http://example.com\r\nHost: localhost/",
    "http://example.com:99999/",
    /* other protocols */
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://example.com:70/_x",
    "dict://example.com:11211/stat",
    "ldap://example.com/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "//example.com/",
    "example.com",
    "",
};

static const char *const good_urls[] = {
    "http://example.com/",
    "https://example.com:8443/a/b?c=d@e#f",
    "HTTPS://EXAMPLE.COM/",
    "http://example.com./",
    "http://example.com?url=http://127.0.0.1/",
    "http://localhost.example.com/",
    "http://notlocalhost/",
    "http://xn--exmple-cua.com/",
    "http://1.1.1.1/",
    "http://8.8.8.8:80/",
    "http://172.15.255.255/",
    "http://172.32.0.0/",
    "http://100.63.255.255/",
    "http://100.128.0.0/",
    "http://[2606:4700:4700::1111]/",
    "http://[2001:4860:4860::8888]:443/",
    "http://[64:ff9b::8.8.8.8]/",
};

Test(guard, refuses_urls_that_lead_inside)
{
    for (size_t i = 0; i < COUNT(refused_urls); i++) {
        gr_value *err = NULL;

        cr_assert_eq(gr_guard_url(refused_urls[i], &err), GR_EINVAL, "%s", refused_urls[i]);
        cr_assert_eq(gr_error_code(err), GR_EINVAL);
        cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "NotPublic");
        cr_assert_null(strstr(gr_error_text(err), "sesame"), "%s", gr_error_text(err));
        gr_value_unref(err);
        cr_assert_eq(gr_guard_url(refused_urls[i], NULL), GR_EINVAL, "nobody may ask why");
    }
    cr_assert_eq(gr_guard_url(NULL, NULL), GR_EINVAL);
}

Test(guard, lets_others_through)
{
    for (size_t i = 0; i < COUNT(good_urls); i++) {
        gr_value *err = NULL;

        cr_assert_eq(gr_guard_url(good_urls[i], &err), GR_OK, "%s: %s", good_urls[i],
                     gr_error_text(err));
        cr_assert_null(err);
    }
}

Test(guard, requests_are_refused_at_the_door)
{
    for (size_t i = 0; i < COUNT(refused_urls); i++) {
        struct gri_http_request req = { .method = "GET", .url = refused_urls[i], .guard = true };
        struct call c;
        gr_value *err = NULL;

        init(&c);
        cr_assert_eq(start(&c, &req, &err), GR_EINVAL, "%s", refused_urls[i]);
        cr_assert_null(c.x);
        gr_value_unref(err);
        fini(&c);
    }
    cr_assert_eq(fault_server_count(server, FAULT_ACCEPTED), 0u);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return gr_guard_address(&v4, sizeof(v4));
    cr_assert_eq(inet_pton(AF_INET6, text, &v6.sin6_addr), 1, "%s", text);
    return gr_guard_address(&v6, sizeof(v6));
}

Test(guard, knows_the_edges_of_each_block)
{
    static const char *const inside[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "127.0.0.0",
        "127.255.255.255",
        "169.254.0.0",
        "172.16.0.0",
        "172.31.255.255",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "224.0.0.0",
        "240.0.0.0",
        "192.0.0.255",
        "::",
        "::1",
        "fe80::",
        "febf::",
        "fdff::",
        "1fff:ffff::",
        "4000::",
        "2001:1ff::1",
        "2001:db8::",
        "2002::",
        "3fff:fff::",
        "::ffff:1.1.1.1",
    };
    static const char *const outside[] = {
        "1.0.0.0",     "9.255.255.255",   "11.0.0.0",         "100.63.255.255", "100.128.0.0",
        "126.0.0.1",   "128.0.0.0",       "169.253.0.0",      "169.255.0.0",    "172.15.255.255",
        "172.32.0.0",  "192.167.0.0",     "192.169.0.0",      "198.17.255.255", "198.20.0.0",
        "223.255.0.0", "2001:200::1",     "2001:db7::1",      "2001:db9::1",    "2003::1",
        "3ffe::1",     "2a00:1450::200e", "64:ff9b::101:101",
    };
    struct sockaddr local = { .sa_family = AF_UNIX };

    for (size_t i = 0; i < COUNT(inside); i++)
        cr_assert_not(is_public(inside[i]), "%s", inside[i]);
    for (size_t i = 0; i < COUNT(outside); i++)
        cr_assert(is_public(outside[i]), "%s", outside[i]);
    cr_assert_not(gr_guard_address(&local, sizeof(local)));
    cr_assert_not(gr_guard_address(&local, 1));
    cr_assert_not(gr_guard_address(NULL, 0));
}

/* ---- a resolver and a network of the test's own ----------------------------------------------- */

static struct {
    const char *names[4][4]; /* what the n-th look-up of *.test gives, the last one for ever */
    atomic_size_t look_ups, connects, elsewhere;
    int port; /* where PUBLIC is */
} world;

static void *real_of(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static struct addrinfo *entry(const char *text, const char *service)
{
    struct {
        struct addrinfo info;
        struct sockaddr_in at;
    } *e = calloc(1, sizeof(*e));

    e->at.sin_family = AF_INET;
    e->at.sin_port = htons((uint16_t)(service != NULL ? atoi(service) : 0));
    if (inet_pton(AF_INET, text, &e->at.sin_addr) != 1)
        abort();
    e->info.ai_family = AF_INET;
    e->info.ai_socktype = SOCK_STREAM;
    e->info.ai_addrlen = sizeof(e->at);
    e->info.ai_addr = (struct sockaddr *)&e->at;
    return &e->info;
}

/* libcurl finds these before the C library's. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    void *symbol = real_of("getaddrinfo");
    size_t len = node != NULL ? strlen(node) : 0, at = 0;

    if (len < 5 || strcmp(node + len - 5, ".test") != 0) {
        memcpy(&real, &symbol, sizeof(real));
        return real(node, service, hints, ret);
    }
    at = atomic_fetch_add(&world.look_ups, 1);
    while (at > 0 && world.names[at][0] == NULL)
        at--;
    *ret = NULL;
    for (size_t i = 4; i-- > 0;)
        if (world.names[at][i] != NULL) {
            struct addrinfo *e = entry(world.names[at][i], service);

            e->ai_next = *ret;
            *ret = e;
        }
    return *ret != NULL ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
    void (*real)(struct addrinfo *) = NULL;
    void *symbol = real_of("freeaddrinfo");
    bool ours = list != NULL && list->ai_addr == (struct sockaddr *)(void *)(list + 1) &&
                list->ai_protocol == 0;

    memcpy(&real, &symbol, sizeof(real));
    if (!ours) {
        real(list);
        return;
    }
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;

        free(list);
        list = next;
    }
}

/* The C library declares the addresses of the next two as a union. */
int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    const struct sockaddr *to = address.__sockaddr__;
    int (*real)(int, const struct sockaddr *, socklen_t) = NULL;
    void *symbol = real_of("connect");
    struct sockaddr_in at;

    memcpy(&real, &symbol, sizeof(real));
    if (to->sa_family == AF_INET) {
        memcpy(&at, to, sizeof(at));
        atomic_fetch_add(&world.connects, 1);
        if (at.sin_addr.s_addr == inet_addr(PUBLIC)) {
            at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            return real(fd, (struct sockaddr *)&at, sizeof(at));
        }
        atomic_fetch_add(&world.elsewhere, 1);
    }
    return real(fd, to, len);
}

/* Whoever asks where a connection leads is told PUBLIC, if the test has said so. */
static atomic_bool hide;

int getpeername(int fd, __SOCKADDR_ARG address, socklen_t *len)
{
    struct sockaddr *to = address.__sockaddr__;
    int (*real)(int, struct sockaddr *, socklen_t *) = NULL;
    void *symbol = real_of("getpeername");
    int rc = 0;

    memcpy(&real, &symbol, sizeof(real));
    rc = real(fd, to, len);
    if (rc == 0 && to->sa_family == AF_INET && atomic_load(&hide))
        ((struct sockaddr_in *)(void *)to)->sin_addr.s_addr = inet_addr(PUBLIC);
    return rc;
}

static void make_world(void)
{
    memset(&world, 0, sizeof(world));
    atomic_store(&hide, true);
    world.port = atoi(strrchr(fault_server_url(server), ':') + 1);
    fault_server_reply(server, "/", 200, "", "hello");
}

/* fetch asks for http://name:port/, guarded or not, and waits. */
static void fetch(struct call *c, const char *name, bool guard)
{
    char url[128];
    struct gri_http_request req = { .method = "GET", .url = url, .guard = guard };

    snprintf(url, sizeof(url), "http://%s:%d/", name, world.port);
    init(c);
    cr_assert_eq(start(c, &req, NULL), GR_OK);
    finish(c);
}

static void is_kept_out(struct call *c, const char *name)
{
    char want[128];

    snprintf(want, sizeof(want), "this URL must not be fetched: %s:%d is not at a public address",
             name, world.port);
    cr_assert_eq(c->errors, 1);
    cr_assert_eq(c->code, GR_EINVAL);
    cr_assert_str_eq(c->text, want);
    cr_assert_eq(c->offers, 0u);
    fini(c);
}

/* ---- guarded requests ------------------------------------------------------------------------- */

Test(guard, a_public_address_is_fetched_from)
{
    struct call c;

    make_world();
    world.names[0][0] = PUBLIC;
    fetch(&c, "public.test", true);
    ends_well(&c, 200, "hello");
    fini(&c);
    fetch(&c, PUBLIC, true);
    ends_well(&c, 200, "hello");
    fini(&c);
}

Test(guard, a_name_for_an_inner_address_is_not_even_connected_to)
{
    static const char *const inner[] = { "127.0.0.1",   "10.1.2.3", "169.254.169.254",
                                         "192.168.1.1", "0.0.0.0",  "100.64.0.1" };
    struct call c;

    make_world();
    for (size_t i = 0; i < COUNT(inner); i++) {
        char name[32];

        world.names[0][0] = inner[i];
        atomic_store(&world.look_ups, 0);
        snprintf(name, sizeof(name), "inner%zu.test", i);
        fetch(&c, name, true);
        is_kept_out(&c, name);
    }
    cr_assert_eq(atomic_load(&world.connects), 0u);
    cr_assert_eq(fault_server_count(server, FAULT_ACCEPTED), 0u);
}

Test(guard, a_name_that_means_another_address_the_second_time_is_refused_then)
{
    struct call c;

    make_world();
    world.names[0][0] = PUBLIC;
    world.names[1][0] = "127.0.0.1";
    fault_server_reply(server, "/", 200, "Connection: close\r\n", "first");
    fault_server_reply(server, "/", 200, "", "second");
    /* the name is looked up by somebody who checks it, then for the connection */
    struct addrinfo *seen = NULL;

    cr_assert_eq(getaddrinfo("rebinds.test", "80", NULL, &seen), 0);
    cr_assert(gr_guard_address(seen->ai_addr, seen->ai_addrlen));
    freeaddrinfo(seen);
    fetch(&c, "rebinds.test", true);
    is_kept_out(&c, "rebinds.test");
    cr_assert_eq(atomic_load(&world.connects), 0u);
}

Test(guard, of_several_addresses_only_the_public_ones_are_tried)
{
    struct call c;

    make_world();
    world.names[0][0] = "127.0.0.1";
    world.names[0][1] = "10.0.0.1";
    world.names[0][2] = PUBLIC;
    fetch(&c, "several.test", true);
    ends_well(&c, 200, "hello");
    fini(&c);
    cr_assert_eq(atomic_load(&world.elsewhere), 0u);
}

/* An operator's server at an inner address has left a connection, under a name that a model could say. */
Test(guard, a_kept_connection_to_an_inner_address_is_not_used)
{
    struct call c;

    make_world();
    atomic_store(&hide, false);
    world.names[0][0] = "127.0.0.1";
    fetch(&c, "llama.test", false);
    ends_well(&c, 200, "hello");
    fini(&c);
    fetch(&c, "llama.test", true);
    is_kept_out(&c, "llama.test");
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 1u);
    fetch(&c, "llama.test", false); /* the operator's own goes on */
    ends_well(&c, 200, "hello");
    fini(&c);
}

Test(guard, redirects_are_not_followed)
{
    struct call c;

    make_world();
    world.names[0][0] = PUBLIC;
    fault_server_reply(server, "/", 302, "Location: http://127.0.0.1:9/\r\n", "");
    fetch(&c, "moves.test", true); /* the first answer is make_world's */
    fini(&c);
    fetch(&c, "moves.test", true);
    ends_well(&c, 302, "");
    fini(&c);
    cr_assert_eq(atomic_load(&world.elsewhere), 0u);
}

Test(guard, no_proxy_is_used)
{
    struct call c;
    char proxy[64];

    make_world();
    world.names[0][0] = "127.0.0.1";
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", world.port);
    setenv("http_proxy", proxy, 1);
    unsetenv("no_proxy");
    fault_server_reply(server, "*", 200, "", "by proxy");
    fetch(&c, "inner.test", false);
    cr_assert_eq(c.ends, 1, "%s", c.text); /* the proxy would do it */
    fini(&c);
    fetch(&c, "inner.test", true);
    is_kept_out(&c, "inner.test");
    unsetenv("http_proxy");
    setenv("no_proxy", "*", 1);
}
