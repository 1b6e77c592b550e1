/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overtake_test.c - a long value does not hold up what follows it. The peer is played: it reads only
 * when it is told to, so what it reads in which order is no matter of time.
 */
#include "tests/support/test.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

#include "runtime/net/frame.h"
#include "runtime/net/link.h"
#include "tests/support/greeting.h"
#include "tests/support/peer.h"

#define LONG_SIZE ((size_t)12 << 20)
/* What may go before a short frame: what waits in the link, two turns of the lanes, and the socket's. */
#define AHEAD_MOST ((size_t)1 << 20)

struct played {
    gr_runtime *rt;
    gr_ref far;
    int listener, fd;
    char url[128];
    struct gri_strbuf in;
    size_t read;
};

static void read_more(struct played *p)
{
    char buf[16384];
    ssize_t n = recv(p->fd, buf, sizeof(buf), 0);

    cr_assert_gt(n, 0);
    p->read += (size_t)n;
    gri_strbuf_add(&p->in, buf, (size_t)n);
}

/* next reads one frame. */
static void next(struct played *p, struct gri_frame *f)
{
    gr_value *err = NULL;
    size_t size = 0;

    for (;;) {
        const uint8_t *head = (const uint8_t *)p->in.data;

        if (p->in.len >= GRI_FRAME_HEAD)
            size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        if (size > 0 && p->in.len >= GRI_FRAME_HEAD + size)
            break;
        read_more(p);
    }
    cr_assert_eq(gri_frame_parse(p->in.data + GRI_FRAME_HEAD, size, f, &err), GR_OK);
    f->value = f->config = NULL; /* they go with the bytes */
    gri_strbuf_consume(&p->in, GRI_FRAME_HEAD + size);
}

static void say(struct played *p, struct gri_strbuf *out)
{
    cr_assert_eq(send(p->fd, out->data, out->len, MSG_NOSIGNAL), (ssize_t)out->len);
    gri_strbuf_fini(out);
}

/* be_dialled makes a node that has a call to us under way, and greets it. */
static gr_future *be_dialled(struct played *p)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(1, 0);
    struct gri_proof proof = { .stamp = 1 };
    struct gri_frame f = { .type = GRI_FRAME_NONE };
    gr_future *first;

    *p = (struct played){ .listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    test_peer_url(p->url, "ipc");
    memcpy(a.sun_path, p->url + 6, strlen(p->url + 6) + 1);
    unlink(a.sun_path); /* of a process that had this one's number, and failed */
    cr_assert_eq(bind(p->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert_eq(listen(p->listener, 1), 0);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &p->rt), GR_OK);
    p->far = gr_remote(gr_root(p->rt), p->url, "far");
    first = gr_ainvoke(p->rt, p->far, gr_int(1), NULL);
    p->fd = accept(p->listener, NULL, NULL);
    cr_assert_eq(gri_frame_hello(&out, &h), GR_OK);
    cr_assert_eq(gri_frame_proof(&out, &proof), GR_OK);
    say(p, &out);
    while (f.type != GRI_FRAME_INVOKE)
        next(p, &f);
    cr_assert_eq(gri_frame_value(&out, GRI_FRAME_REPLY, f.id, NULL, NULL), GR_OK);
    say(p, &out);
    return first;
}

static void end(struct played *p)
{
    close(p->fd);
    close(p->listener);
    unlink(p->url + 6);
    gri_strbuf_fini(&p->in);
    gr_runtime_free(p->rt);
}

static gr_value *long_value(void)
{
    static char bytes[LONG_SIZE];

    return gr_bin(bytes, LONG_SIZE);
}

Test(overtake, a_call_overtakes_a_long_one)
{
    struct played p;
    struct gri_frame f = { .type = GRI_FRAME_NONE };
    gr_future *first = be_dialled(&p), *large, *small;
    unsigned parts = 0;

    gr_value_unref(gr_take(first, NULL));
    large = gr_ainvoke(p.rt, p.far, long_value(), NULL);
    next(&p, &f); /* it is on its way */
    while (f.type != GRI_FRAME_PART)
        next(&p, &f);
    cr_assert_gt(f.number, LONG_SIZE / 2);
    small = gr_ainvoke(p.rt, p.far, gr_int(2), NULL);
    cr_assert_eq(gr_await(small, 50).code,
                 GR_EPENDING); /* it is sent by now; else it would be later */
    p.read = 0;
    for (; f.type != GRI_FRAME_INVOKE; next(&p, &f))
        parts += f.type == GRI_FRAME_PART;
    cr_assert_leq(p.read, AHEAD_MOST, "%zu bytes before it", p.read);
    while (f.type != GRI_FRAME_PART || f.number > 0)
        next(&p, &f);
    cr_assert_gt(parts, 0);
    gr_future_free(small);
    gr_future_free(large);
    end(&p);
}

Test(overtake, a_cancel_does_not_overtake_its_own_call)
{
    struct played p;
    struct gri_frame f = { .type = GRI_FRAME_NONE };
    gr_future *first = be_dialled(&p), *large;
    bool whole = false;

    gr_value_unref(gr_take(first, NULL));
    large = gr_ainvoke(p.rt, p.far, long_value(), NULL);
    while (f.type != GRI_FRAME_PART)
        next(&p, &f);
    gr_future_cancel(large);
    for (; f.type != GRI_FRAME_CANCEL; next(&p, &f))
        whole = whole || (f.type == GRI_FRAME_PART && f.number == 0);
    cr_assert(whole, "the call comes first");
    gr_future_free(large);
    end(&p);
}

Test(overtake, messages_to_one_actor_keep_their_order)
{
    struct played p;
    struct gri_frame f = { .type = GRI_FRAME_NONE };
    gr_future *first = be_dialled(&p);
    bool whole = false;

    gr_value_unref(gr_take(first, NULL));
    cr_assert_eq(gr_tell(p.rt, p.far, long_value()), GR_OK);
    cr_assert_eq(gr_tell(p.rt, p.far, gr_int(2)), GR_OK);
    for (; f.type != GRI_FRAME_TELL; next(&p, &f))
        whole = whole || (f.type == GRI_FRAME_PART && f.number == 0);
    cr_assert(whole, "the long one comes first");
    end(&p);
}

/* A peer that doesn't read: what waits is bounded, and new calls are told so. */
Test(overtake, what_waits_is_bounded)
{
    struct played p;
    gr_future *first = be_dialled(&p), *f[64];
    gr_value *v = long_value();
    unsigned refused = 0;

    gr_value_unref(gr_take(first, NULL));
    for (int i = 0; i < 64; i++)
        f[i] = gr_ainvoke(p.rt, p.far, gr_value_ref(v), NULL);
    for (int ms = 0; refused < 62 && ms < TEST_WAIT_MS; ms++, gr_sleep(p.rt, 1)) {
        refused = 0; /* one at a time may be longer than the bound, and one is on its way */
        for (int i = 0; i < 64; i++)
            refused += gr_await(f[i], 0).code == GR_EFULL;
    }
    cr_assert_geq(refused, 62, "%u", refused);
    for (int i = 0; i < 64; i++)
        cr_assert(gr_await(f[i], 0).code == GR_EFULL || gr_await(f[i], 0).code == GR_EPENDING);
    gr_value_unref(v);
    close(p.fd);
    p.fd = -1;
    for (int i = 0; i < 64; i++)
        gr_future_free(f[i]);
    end(&p);
}
