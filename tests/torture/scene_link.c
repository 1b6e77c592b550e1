/* SPDX-License-Identifier: Apache-2.0 */
/* scene_link.c - two runtimes of this process with a link between them; both suffer. */
#include "tests/torture/torture.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static gr_code each(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_outcome o;
    gr_code rc = GR_OK;

    (void)self, (void)args;
    while (rc == GR_OK && (o = gr_next(in, -1)).code == GR_OK)
        rc = gr_emit(c, gr_value_ref(o.value));
    if (rc != GR_OK)
        return rc;
    return o.code == GR_EOS ? GR_OK : gr_fail(c, gr_value_ref(o.error));
}

static gr_value *same(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

static gr_value *wait_long(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_error(gr_sleep(gr_runtime_of(c), 600000), "woken up");
}

static void receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self, (void)msg;
}

static const gr_method methods[] = { { "invoke", GR_CHEAP, same, NULL },
                                     { "wait", GR_ASYNC, wait_long, NULL },
                                     { "stream", GR_ASYNC, NULL, scene_ten },
                                     { "transform", GR_ASYNC, NULL, each } };
static const gr_class all_class = GR_CLASS(.name = "all", GR_METHODS(methods), .receive = receive);

/* ---- a pair of runtimes ----------------------------------------------------------------------- */

struct pair {
    gr_runtime *here, *there;
    gr_ref far;
    char url[128];
};

/* free_port asks the system for a port that nobody listens on. */
static int free_port(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(addr);
    int fd;

    faults_exempt(true);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        torture_fail("there is no port");
    close(fd);
    faults_exempt(false);
    return ntohs(addr.sin_port);
}

static void pair_url(char url[128], const char *scheme)
{
    if (strcmp(scheme, "ipc") == 0)
        snprintf(url, 128, "ipc:///tmp/gr-torture-%ld.ipc", (long)getpid());
    else
        snprintf(url, 128, "tcp://127.0.0.1:%d", free_port());
}

static void close_pair(struct pair *p)
{
    gr_runtime_free(p->here);
    gr_runtime_free(p->there);
}

static bool open_pair(struct pair *p, const char *scheme)
{
    gr_value *err = NULL;

    *p = (struct pair){ .here = NULL };
    pair_url(p->url, scheme);
    if (!said(gr_runtime_new(GR_RUNTIME(.workers = 1), &p->here)))
        return false;
    if (!said(gr_runtime_new(GR_RUNTIME(.workers = 1), &p->there)))
        goto no;
    /* where no descriptor is left nobody accepts, and who connects waits for that in vain */
    if (!said(gr_node_configure(p->here, GR_NODE(.connect_ms = 1000), NULL)))
        goto no;
    if (gr_serve(p->there, p->url, &err) != GR_OK) {
        said_why(err);
        goto no;
    }
    if (!said(gr_publish(p->there, "all", gr_spawn(gr_root(p->there), &all_class, NULL))))
        goto no;
    p->far = gr_remote(gr_root(p->here), p->url, "all");
    return true;
no:
    close_pair(p);
    return false;
}

static void call_over(const char *scheme)
{
    struct pair p;

    if (!open_pair(&p, scheme))
        return;
    gives(gr_ainvoke(p.here, p.far, gr_list(gr_int(1), gr_str("x")), NULL), "[1,\"x\"]");
    close_pair(&p);
}

static void ipc_call(void)
{
    call_over("ipc");
}

static void tcp_call(void)
{
    call_over("tcp");
}

static void large_call(void)
{
    struct pair p;
    static char text[200001];
    gr_value *v;

    if (!open_pair(&p, "ipc"))
        return;
    memset(text, 'x', sizeof(text) - 1);
    v = answer(gr_ainvoke(p.here, p.far, gr_str(text), NULL));
    claim(v == NULL || gr_len(v) == sizeof(text) - 1);
    gr_value_unref(v);
    close_pair(&p);
}

static void remote_stream(void)
{
    struct pair p;

    if (!open_pair(&p, "ipc"))
        return;
    sums(gr_astream(p.here, p.far, gr_nil(), GR_CALL(.window_chunks = 4)), "\"0123456789\"");
    close_pair(&p);
}

static void remote_transform(void)
{
    struct pair p;

    if (!open_pair(&p, "tcp"))
        return;
    sums(gr_atransform(p.here, p.far,
                       gr_stream_of(p.here, gr_list(gr_str("a"), gr_str("b"), gr_str("c"))), NULL),
         "\"abc\"");
    close_pair(&p);
}

static void remote_left(void)
{
    struct pair p;
    gr_stream *s;
    gr_outcome o;

    if (!open_pair(&p, "ipc"))
        return;
    s = gr_astream(p.here, p.far, gr_nil(), GR_CALL(.window_chunks = 1));
    o = gr_next(s, 8000);
    claim(o.code != GR_EPENDING);
    said(o.code);
    gr_stream_free(s);
    close_pair(&p);
}

static void remote_cancel(void)
{
    struct pair p;
    gr_future *f;
    gr_outcome o;

    if (!open_pair(&p, "ipc"))
        return;
    f = gr_acall(p.here, p.far, "wait", gr_nil(), NULL);
    gives(gr_ainvoke(p.here, p.far, gr_int(1), NULL), "1");
    gr_future_cancel(f);
    o = gr_await(f, 8000);
    claim(o.code == GR_ECANCELED || !said(o.code));
    gr_future_free(f);
    close_pair(&p);
}

static void remote_deadline(void)
{
    struct pair p;
    gr_future *f;
    gr_outcome o;

    if (!open_pair(&p, "ipc"))
        return;
    f = gr_acall(p.here, p.far, "wait", gr_nil(), GR_CALL(.timeout_ms = 20));
    o = gr_await(f, 8000);
    claim(o.code == GR_ETIMEDOUT || !said(o.code));
    gr_future_free(f);
    close_pair(&p);
}

static void remote_tell(void)
{
    struct pair p;

    if (!open_pair(&p, "ipc"))
        return;
    said(gr_tell(p.here, p.far, gr_str("x")));
    gives(gr_ainvoke(p.here, p.far, gr_int(1), NULL), "1");
    close_pair(&p);
}

static void remote_batch(void)
{
    struct pair p;

    if (!open_pair(&p, "tcp"))
        return;
    gives(gr_abatch(p.here, p.far, gr_list(gr_int(1), gr_int(2), gr_int(3)), NULL), "[1,2,3]");
    close_pair(&p);
}

/* open_third makes one more node that serves at url; NULL: it was said why not. */
static gr_runtime *open_third(char url[128])
{
    gr_runtime *third = NULL;
    gr_value *err = NULL;

    snprintf(url, 128, "ipc:///tmp/gr-torture-%ld-3.ipc", (long)getpid());
    if (!said(gr_runtime_new(GR_RUNTIME(.workers = 1), &third)))
        return NULL;
    if (gr_serve(third, url, &err) != GR_OK)
        said_why(err);
    else if (said(gr_publish(third, "all", gr_spawn(gr_root(third), &all_class, NULL))))
        return third;
    gr_runtime_free(third);
    return NULL;
}

/* The value goes from one node to the other and back, and then to the caller. */
static void remote_route(void)
{
    struct pair p;
    gr_runtime *third;
    char url[128];

    if (!open_pair(&p, "ipc"))
        return;
    third = open_third(url);
    if (third != NULL) {
        gr_ref other = gr_remote(gr_root(p.here), url, "all");

        gives(gr_ainvoke(p.here, gr_seq(gr_root(p.here), p.far, other, other, p.far),
                         gr_list(gr_int(1), gr_str("x")), NULL),
              "[1,\"x\"]");
        gr_runtime_free(third);
    }
    close_pair(&p);
}

/* pool makes one of the pair's only provider. */
static gr_ref pool(struct pair *p)
{
    const char *url = p->url;

    return gr_pool(gr_root(p->here), "all",
                   GR_POOL(.urls = &url, .url_count = 1, .idempotent = true));
}

static void pool_call(void)
{
    struct pair p;

    if (!open_pair(&p, "ipc"))
        return;
    gives(gr_ainvoke(p.here, pool(&p), gr_list(gr_int(1), gr_str("x")), NULL), "[1,\"x\"]");
    close_pair(&p);
}

static void pool_stream(void)
{
    struct pair p;

    if (!open_pair(&p, "ipc"))
        return;
    sums(gr_astream(p.here, pool(&p), gr_nil(), NULL), "\"0123456789\"");
    close_pair(&p);
}

/* ---- ties -------------------------------------------------------------------------------------- */

static gr_value *link_with(gr_ctx *c, void *self, const gr_value *args)
{
    uint64_t number;
    gr_code rc = gr_link(c, gr_as_ref(args));

    (void)self;
    if (rc == GR_OK)
        rc = gr_monitor(c, gr_as_ref(args), &number);
    return rc == GR_OK ? gr_str("linked") : gr_error(rc, "no link");
}

static void linked_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who, const gr_value *reason)
{
    (void)c, (void)self, (void)monitor, (void)who, (void)reason;
}

static const gr_method link_methods[] = { { "invoke", GR_CHEAP, link_with, NULL } };
static const gr_class link_class =
    GR_CLASS(.name = "linked", .state_size = 8, .down = linked_down, GR_METHODS(link_methods));

/* ended_well takes the future of an end that has come, for a reason that may be. */
static void ended_well(gr_future *f)
{
    gr_outcome o = gr_await(f, 0);

    claim(o.code != GR_EPENDING);
    if (o.code != GR_OK)
        said(o.code);
    else
        claim(gr_reason_is(o.value, "tired") || gr_reason_is(o.value, "shutdown") ||
              gr_reason_is(o.value, "noproc") || gr_reason_is(o.value, "noconnection"));
    gr_future_free(f);
}

/* An exit signal may get lost, as a message; the end of the nodes ends all. */
static void remote_ties(void)
{
    struct pair p;
    gr_future *there, *here;
    gr_ref mine;

    if (!open_pair(&p, "ipc"))
        return;
    mine = gr_spawn(gr_root(p.here), &link_class, NULL);
    there = gr_ended(p.here, p.far);
    here = gr_ended(p.here, mine);
    gives(gr_ainvoke(p.here, mine, gr_ref_value(p.far), NULL), "\"linked\"");
    gr_value_unref(answer(gr_ainvoke(p.here, p.far, gr_ref_value(mine), NULL)));
    may_also(GR_EDEAD); /* a proxy that could not be made is no actor */
    said(gr_exit_to(p.here, p.far, gr_str("tired")));
    gr_await(there, 500);
    gr_await(here, 500);
    close_pair(&p);
    ended_well(there);
    ended_well(here);
}

static const struct scene scenes[] = {
    { "remote_ties", remote_ties, SCENE_OWN | SCENE_LINK },
    { "pool_call", pool_call, SCENE_OWN | SCENE_LINK },
    { "pool_stream", pool_stream, SCENE_OWN | SCENE_LINK },
    { "ipc_call", ipc_call, SCENE_OWN | SCENE_LINK },
    { "tcp_call", tcp_call, SCENE_OWN | SCENE_LINK },
    { "large_call", large_call, SCENE_OWN | SCENE_LINK },
    { "remote_stream", remote_stream, SCENE_OWN | SCENE_LINK },
    { "remote_transform", remote_transform, SCENE_OWN | SCENE_LINK },
    { "remote_left", remote_left, SCENE_OWN | SCENE_LINK },
    { "remote_cancel", remote_cancel, SCENE_OWN | SCENE_LINK },
    { "remote_deadline", remote_deadline, SCENE_OWN | SCENE_LINK },
    { "remote_tell", remote_tell, SCENE_OWN | SCENE_LINK },
    { "remote_batch", remote_batch, SCENE_OWN | SCENE_LINK },
    { "remote_route", remote_route, SCENE_OWN | SCENE_LINK },
};
const struct scenes link_scenes = SCENES(scenes);
