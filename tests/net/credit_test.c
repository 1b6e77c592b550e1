/* SPDX-License-Identifier: Apache-2.0 */
/* credit_test.c - what nobody reads is bounded for a whole link, and holds nobody else up. */
#include "tests/support/test.h"

#include <string.h>

#include "tests/support/peer.h"

#define STREAMS 50
#define CHUNK 1000
#define CHUNKS 300
#define LINK_BYTES (256 << 10)
#define PUMPED                                                                                     \
    12 /* chunks of a stream that wait on the serving side: its window, and what is in hand */

struct pair {
    gr_runtime *here, *there;
    gr_ref far;
    char url[128];
};

/* open_pair: what each side lets the other owe; 0: the default. */
static struct pair open_pair(int64_t here, int64_t there)
{
    struct pair p;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &p.here), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &p.there), GR_OK);
    cr_assert_eq(gr_node_configure(p.here, GR_NODE(.link_bytes = here), NULL), GR_OK);
    cr_assert_eq(gr_node_configure(p.there, GR_NODE(.link_bytes = there), NULL), GR_OK);
    test_peer_url(p.url, "ipc");
    test_peer_publish(p.there);
    cr_assert_eq(gr_serve(p.there, p.url, NULL), GR_OK);
    p.far = gr_remote(gr_root(p.here), p.url, "all");
    return p;
}

static void close_pair(struct pair *p)
{
    gr_runtime_free(p->here);
    gr_runtime_free(p->there);
}

static gr_stream *open_stream(struct pair *p)
{
    return gr_astream(p->here, p->far,
                      gr_map(GR_KV("n", gr_int(CHUNKS)), GR_KV("size", gr_int(CHUNK))), NULL);
}

/* settles waits until a count has stayed the same for a while. */
static int64_t settles(struct pair *p, const char *what)
{
    int64_t last = -1, now;

    for (int same = 0; same < 20; same = now == last ? same + 1 : 0, last = now) {
        now = test_peer_count(p->here, p->far, what);
        gr_sleep(p->here, 5);
    }
    return last;
}

Test(credit, unread_streams_of_a_link_are_bounded_and_all_come_to_their_end)
{
    struct pair p = open_pair(LINK_BYTES, 0);
    gr_stream *s[STREAMS];
    int64_t before = test_peer_count(p.here, p.far, "emitted"), emitted;
    gr_outcome o;

    for (int i = 0; i < STREAMS; i++)
        s[i] = open_stream(&p);
    emitted = settles(&p, "emitted") - before;
    /* twice the credit, each once on its way and once passed on */
    cr_assert_leq(emitted * CHUNK, 4 * LINK_BYTES + STREAMS * PUMPED * CHUNK, "%lld chunks",
                  (long long)emitted);
    cr_assert_geq(emitted, STREAMS, "each has begun");
    for (int i = STREAMS; i-- > 0;) { /* the last one first: no other holds it up */
        int chunks = 0;

        while ((o = gr_next(s[i], -1)).code == GR_OK)
            chunks++;
        cr_assert_eq(o.code, GR_EOS, "%s", gr_error_text(o.error));
        cr_assert_eq(chunks, CHUNKS);
        gr_stream_free(s[i]);
    }
    close_pair(&p);
}

Test(credit, streams_beyond_what_a_link_may_owe_are_refused)
{
    struct pair p = open_pair(64 << 10, 0);
    gr_stream *s[40];
    unsigned full = 0;

    for (int i = 0; i < 40; i++)
        s[i] = open_stream(&p);
    for (int i = 0; i < 40; i++)
        full += gr_next(s[i], -1).code == GR_EFULL;
    cr_assert(full >= 24 && full < 40, "%u", full);
    for (int i = 0; i < 40; i++)
        gr_stream_free(s[i]);
    s[0] = open_stream(&p); /* what was reserved has been given back */
    cr_assert_eq(gr_next(s[0], -1).code, GR_OK);
    gr_stream_free(s[0]);
    close_pair(&p);
}

/* The same for what callers send: handlers that don't read their input. */
Test(credit, unread_inputs_of_a_link_are_bounded)
{
    struct pair p = open_pair(0, 64 << 10);
    gr_stream *s[40];
    unsigned full = 0;

    for (int i = 0; i < 40; i++) {
        gr_stream *out = NULL, *in = gr_pipe(p.here, 0, &out);

        s[i] = gr_astream_call(p.here, p.far, "swallow", gr_nil(), in, NULL);
        cr_assert_eq(gr_pipe_write(out, gr_int(1)), GR_OK);
        gr_pipe_close(out, NULL);
    }
    for (int i = 0; i < 40; i++) {
        gr_outcome o = gr_next(s[i], 100);

        full += o.code == GR_EFULL;
        cr_assert(o.code == GR_EFULL || o.code == GR_EPENDING, "%s", gr_code_name(o.code));
    }
    cr_assert(full >= 24 && full < 40, "%u", full);
    for (int i = 0; i < 40; i++)
        gr_stream_free(s[i]);
    close_pair(&p);
}
