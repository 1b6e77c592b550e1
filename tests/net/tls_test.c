/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_test.c - links over TLS: who shows the right certificate connects, in both directions, and nobody
 * else. The certificates are made by openssl's command (_certificates.sh); without it all is skipped.
 */
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

#include "runtime/net/node.h"
#include "tests/support/peer.h"

static char folder[32];

/* make_certificates returns false when there is no openssl. */
static bool make_certificates(void)
{
    char command[256];
    int status;

    snprintf(folder, sizeof(folder), "/tmp/gr-tls-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(command, sizeof(command), "sh tests/net/_certificates.sh %s", folder);
    status = system(command);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        fprintf(stderr, "tls_test: SKIPPED, there is no openssl\n");
        rmdir(folder);
        return false;
    }
    cr_assert_eq(status, 0);
    return true;
}

static void remove_certificates(void)
{
    char command[256];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

struct side {
    gr_runtime *rt;
    char ca[128], cert[128], url[128];
    gr_ref far;
};

/* start makes a node that shows this certificate (NULL: none) and trusts our CA. */
static void start(struct side *s, const char *cert)
{
    gr_value *err = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &s->rt), GR_OK);
    snprintf(s->ca, sizeof(s->ca), "%s/trust.pem", folder);
    snprintf(s->cert, sizeof(s->cert), "%s/%s.pem", folder, cert != NULL ? cert : "");
    cr_assert_eq(
        gr_node_configure(s->rt,
                          GR_NODE(.tls_ca = s->ca, .tls_name = "node.test",
                                  .tls_cert = cert != NULL ? s->cert : NULL, .connect_ms = 2000),
                          &err),
        GR_OK, "%s", gr_error_text(err));
}

static void listen_on(struct side *s)
{
    gr_value *err = NULL;
    char tcp[128];

    test_peer_url(tcp, "tcp");
    snprintf(s->url, sizeof(s->url), "tls+%.110s", tcp);
    test_peer_publish(s->rt);
    cr_assert_eq(gr_serve(s->rt, s->url, &err), GR_OK, "%s", gr_error_text(err));
}

static gr_code call(struct side *s, const char *url, gr_value **reterr)
{
    gr_value *v = gr_invoke(s->rt, gr_remote(gr_root(s->rt), url, "all"), gr_int(8), NULL, reterr);
    gr_code rc = gr_as_int(v, 0) == 8 ? GR_OK : gr_error_code(*reterr);

    gr_value_unref(v);
    return rc;
}

/* connects tells whether a node with one certificate gets through to one with another. */
static bool connects(const char *client, const char *server)
{
    struct side c, s;
    gr_value *err = NULL;
    gr_code rc;

    start(&c, client);
    start(&s, server);
    listen_on(&s);
    rc = call(&c, s.url, &err);
    cr_assert(rc == GR_OK || rc == GR_EUNREACH, "%s", gr_error_text(err));
    fprintf(stderr, "%-12s to %-12s %s\n", client != NULL ? client : "nothing", server,
            rc == GR_OK ? "connects" : gr_error_text(err));
    gr_value_unref(err);
    gr_runtime_free(c.rt);
    gr_runtime_free(s.rt);
    return rc == GR_OK;
}

Test(tls, only_the_right_certificates_connect, .timeout = 100)
{
    static const char *const clients[] = { NULL,      "by_stranger", "expired",     "not_yet",
                                           "revoked", "self_signed", "server_only", "mismatch" };
    static const char *const servers[] = { "by_stranger", "expired",     "not_yet",    "revoked",
                                           "self_signed", "client_only", "other_name", "mismatch" };

    if (!make_certificates())
        return;
    cr_assert(connects("good", "good"));
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
        cr_assert_not(connects(clients[i], "good"), "%s", clients[i]);
    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++)
        cr_assert_not(connects("good", servers[i]), "%s", servers[i]);
    remove_certificates();
}

Test(tls, a_link_carries_what_others_do_and_is_shared, .timeout = 100)
{
    struct side a, b;
    gr_value *err = NULL, *v;
    static char bytes[3 << 20];

    if (!make_certificates())
        return;
    start(&a, "good");
    start(&b, "good");
    listen_on(&a);
    listen_on(&b);
    cr_assert_eq(call(&a, b.url, &err), GR_OK, "%s", gr_error_text(err));
    cr_assert_eq(call(&b, a.url, &err), GR_OK, "%s", gr_error_text(err));
    v = gr_invoke(b.rt, gr_remote(gr_root(b.rt), a.url, "all"), gr_bin(bytes, sizeof(bytes)), NULL,
                  &err);
    cr_assert_eq(gr_len(v), sizeof(bytes), "%s", gr_error_text(err));
    gr_value_unref(v);
    for (int ms = 0; atomic_load(&gri_node_get(a.rt)->peers) != 1 && ms < TEST_WAIT_MS; ms++)
        gr_sleep(a.rt, 1);
    cr_assert_eq(atomic_load(&gri_node_get(a.rt)->peers), 1);
    gr_runtime_free(a.rt);
    gr_runtime_free(b.rt);
    remove_certificates();
}

/* ---- clients of other kinds ------------------------------------------------------------------ */

/* speak runs openssl's client against the server; its exit status, or -1. */
static int speak(const struct side *s, const char *options, const char *input)
{
    char command[700];
    int status;

    snprintf(
        command, sizeof(command),
        "(printf '%s'; sleep 1) | timeout 20 openssl s_client -connect %s -CAfile %s -cert %s/good.pem -key "
        "%s/good.pem %s >%s/said 2>&1",
        input, s->url + strlen("tls+tcp://"), s->ca, folder, folder, options, folder);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool said(const char *awk)
{
    char command[300];

    snprintf(command, sizeof(command), "awk '%s' %s/said", awk, folder);
    return system(command) == 0;
}

static int connect_raw(const struct side *s)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons((uint16_t)strtoul(strrchr(s->url, ':') + 1, NULL, 10));
    cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static bool is_closed(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char buf[4096];

    while (poll(&p, 1, TEST_WAIT_MS) == 1)
        if (recv(fd, buf, sizeof(buf), 0) <= 0)
            return true;
    return false;
}

Test(tls, old_versions_renegotiation_and_half_a_handshake_get_nowhere, .timeout = 100)
{
    struct side s, c;
    gr_value *err = NULL;
    int fd;

    if (!make_certificates())
        return;
    start(&s, "good");
    start(&c, "good");
    listen_on(&s);
    cr_assert_neq(speak(&s, "-tls1_1 -cipher ALL:@SECLEVEL=0", ""), 0);
    cr_assert_not(said("/Cipher is [^(]/ { is = 1 } END { exit !is }"), "TLS 1.1 is not spoken");
    speak(&s, "-tls1_2", "R\\n");
    cr_assert(said("/Cipher is ECDHE/ { is = 1 } END { exit !is }"), "TLS 1.2 is");
    cr_assert(said("/RENEGOTIATING/ { asked = 1 } asked && /verify return/ { done = 1 } "
                   "END { exit !asked || done }"),
              "nothing is negotiated twice");
    fd = connect_raw(&s);
    cr_assert_eq(send(fd, "\x16\x03\x01\x02\x00\x01\x00\x01", 8, MSG_NOSIGNAL), 8);
    cr_assert(is_closed(fd));
    close(fd);
    fd = connect_raw(&s);
    cr_assert_eq(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    cr_assert(is_closed(fd));
    close(fd);
    cr_assert_eq(call(&c, s.url, &err), GR_OK, "%s", gr_error_text(err));
    gr_runtime_free(c.rt);
    gr_runtime_free(s.rt);
    remove_certificates();
}

/* ---- what is set, and where one may listen ---------------------------------------------------- */

static void refuses(const gr_node_opts *opts, const char *url, const char *why)
{
    gr_runtime *rt = NULL;
    gr_value *err = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt), GR_OK);
    cr_assert_eq(gr_node_configure(rt, opts, NULL), GR_OK);
    cr_assert_eq(gr_serve(rt, url, &err), GR_EINVAL);
    cr_assert_not_null(strstr(gr_error_text(err), why), "%s", gr_error_text(err));
    gr_value_unref(err);
    gr_runtime_free(rt);
}

Test(tls, where_strangers_could_come_it_takes_more_than_an_address, .timeout = 100)
{
    gr_runtime *rt = NULL;
    gr_value *err = NULL;
    char cert[128], ca[128];

    if (!make_certificates())
        return;
    unsetenv("GR_INSECURE");
    snprintf(cert, sizeof(cert), "%s/good.pem", folder);
    snprintf(ca, sizeof(ca), "%s/ca.pem", folder);
    refuses(GR_NODE(.secret = "0123456789abcdef"), "tcp://0.0.0.0:0", "loopback addresses only");
    refuses(GR_NODE(.tls_cert = cert), "tls+tcp://0.0.0.0:0", "anybody could connect");
    refuses(NULL, "tls+tcp://127.0.0.1:0",
            "tls_cert, the server's certificate and key, is not set");
    refuses(GR_NODE(.tls_cert = "/nowhere.pem"), "tls+tcp://127.0.0.1:0", "/nowhere.pem");
    refuses(GR_NODE(.tls_cert = ca), "tls+tcp://127.0.0.1:0", ca);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt), GR_OK);
    cr_assert_eq(gr_node_configure(rt, GR_NODE(.tls_cert = cert, .tls_ca = ca), NULL), GR_OK);
    cr_assert_eq(gr_serve(rt, "tls+tcp://0.0.0.0:0", &err), GR_OK, "%s", gr_error_text(err));
    gr_runtime_free(rt);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt), GR_OK);
    cr_assert_eq(gr_node_configure(rt, GR_NODE(.insecure = true), NULL), GR_OK);
    cr_assert_eq(gr_serve(rt, "tcp://0.0.0.0:0", &err), GR_OK, "%s", gr_error_text(err));
    cr_assert_null(gr_invoke(rt, gr_remote(gr_root(rt), "tls+tcp://127.0.0.1:1", "all"), gr_nil(),
                             NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    cr_assert_not_null(strstr(gr_error_text(err), "tls_ca, whom to trust, is not set"));
    gr_value_unref(err);
    gr_runtime_free(rt);
    remove_certificates();
}
