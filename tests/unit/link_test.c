/* SPDX-License-Identifier: Apache-2.0 */
/* link_test.c - frames over links, without nodes: order, gathering, limits, closing. */
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

#include "runtime/net/frame.h"
#include "runtime/net/link.h"

/* One end of a link, and what has happened there. */
struct end {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct gri_link *link;
    int ups, downs, rooms;
    uint32_t frames; /* each holds its number; out of order is counted as wrong */
    uint32_t wrong;
    size_t bytes;
    bool echo, stall; /* send frames back; keep handling until let go */
    bool alone;       /* nobody else looks at it: it goes with its link */
    gr_code why;
};

struct both {
    gr_runtime *rt;
    struct gri_listener *listener;
    struct end here, there;
    char url[100];
};

static _Atomic int alone; /* ends that go with their links, and haven't yet */

static void tell(struct end *e, int *count)
{
    pthread_mutex_lock(&e->lock);
    if (count != NULL)
        *count += 1;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

static void on_up(void *arg)
{
    struct end *e = arg;

    gri_net_nng.limit(e->link, GRI_FRAME_MAX);
    tell(e, &e->ups);
}

static void on_frame(void *arg, const void *body, size_t size)
{
    struct end *e = arg;
    uint32_t number = 0, head[2] = { 0, 0 };

    memcpy(&number, body, 4);
    pthread_mutex_lock(&e->lock);
    while (e->stall)
        pthread_cond_wait(&e->changed, &e->lock);
    e->wrong += number != e->frames;
    e->frames++;
    e->bytes += size;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    if (e->echo) {
        head[0] = __builtin_bswap32(4);
        head[1] = number;
        gri_net_nng.send(e->link, head, 8, true);
    }
}

static void on_room(void *arg)
{
    struct end *e = arg;

    tell(e, &e->rooms);
}

static void on_down(void *arg, gr_value *why)
{
    struct end *e = arg;

    e->why = gr_error_code(why);
    gr_value_unref(why);
    if (!e->alone) {
        tell(e, &e->downs);
        return;
    }
    gri_net_nng.release(e->link);
    free(e);
    atomic_fetch_sub(&alone, 1);
}

static const struct gri_link_events events = {
    .up = on_up, .frame = on_frame, .room = on_room, .down = on_down
};

static void *on_accept(void *arg, struct gri_link *link, const struct gri_link_events **ret_ev)
{
    struct both *b = arg;

    b->there.link = link;
    *ret_ev = &events;
    return &b->there;
}

/* reaches waits until *what is at least n. */
static bool reaches(struct end *e, const int *what, int n)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TEST_WAIT_MS / 1000;
    pthread_mutex_lock(&e->lock);
    while (*what < n && rc == 0)
        rc = pthread_cond_timedwait(&e->changed, &e->lock, &until);
    pthread_mutex_unlock(&e->lock);
    return rc == 0;
}

static void init_end(struct end *e)
{
    memset(e, 0, sizeof(*e));
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
}

static struct both *open_both(void)
{
    static unsigned count;
    struct both *b = calloc(1, sizeof(*b));
    gr_value *err = NULL;

    init_end(&b->here);
    init_end(&b->there);
    snprintf(b->url, sizeof(b->url), "ipc:///tmp/gr-link-%ld-%u.sock", (long)getpid(), count++);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 3), &b->rt), GR_OK);
    cr_assert_eq(gri_net_nng.listen(b->rt, b->url, on_accept, b, &b->listener, &err), GR_OK);
    cr_assert_eq(gri_net_nng.dial(b->rt, b->url, &events, &b->here, &b->here.link, &err), GR_OK);
    cr_assert(reaches(&b->here, &b->here.ups, 1));
    cr_assert(reaches(&b->there, &b->there.ups, 1));
    return b;
}

static void close_both(struct both *b)
{
    gri_net_nng.close(b->here.link, gr_error(GR_ECANCELED, "enough"));
    cr_assert(reaches(&b->here, &b->here.downs, 1));
    cr_assert(reaches(&b->there, &b->there.downs, 1));
    cr_assert_eq(b->here.why, GR_ECANCELED);
    cr_assert_eq(b->here.downs + b->there.downs, 2);
    gri_net_nng.unlisten(b->listener);
    gri_net_nng.release(b->here.link);
    gri_net_nng.release(b->there.link);
    gr_runtime_free(b->rt);
    free(b);
}

static gr_code send_number(struct end *e, uint32_t number, char *frame, size_t size, bool must)
{
    uint32_t head = __builtin_bswap32((uint32_t)size);

    memcpy(frame, &head, 4);
    memcpy(frame + 4, &number, 4);
    return gri_net_nng.send(e->link, frame, size + 4, must);
}

Test(link, frames_keep_their_order_both_ways)
{
    enum { N = 20000 };
    struct both *b = open_both();
    char frame[64];

    b->there.echo = true;
    for (uint32_t i = 0; i < N; i++)
        cr_assert_eq(send_number(&b->here, i, frame, 4 + i % 50, true), GR_OK);
    cr_assert(reaches(&b->here, (int *)&b->here.frames, N));
    cr_assert_eq(b->here.wrong + b->there.wrong, 0);
    close_both(b);
}

Test(link, large_frames_arrive_whole)
{
    struct both *b = open_both();
    size_t size = 3u << 20;
    char *frame = calloc(1, size + 4);

    for (uint32_t i = 0; i < 4; i++)
        cr_assert_eq(send_number(&b->here, i, frame, size, true), GR_OK);
    cr_assert(reaches(&b->there, (int *)&b->there.frames, 4));
    cr_assert_eq(b->there.bytes, 4 * size);
    cr_assert_eq(b->there.wrong, 0);
    free(frame);
    close_both(b);
}

/* A peer that doesn't read fills the queue up to its bound, and there is a word when it is
 * better. */
Test(link, the_queue_is_bounded_and_room_is_told)
{
    struct both *b = open_both();
    size_t size = 64u << 10;
    char *frame = calloc(1, size + 4);
    uint32_t sent = 0;

    pthread_mutex_lock(&b->there.lock);
    b->there.stall = true;
    pthread_mutex_unlock(&b->there.lock);
    while (sent < 1000 && send_number(&b->here, sent, frame, size, false) == GR_OK)
        sent++;
    cr_assert_lt(sent, 1000);
    cr_assert_geq(sent * size, GRI_LINK_QUEUE_MAX - 2 * size);
    cr_assert_eq(send_number(&b->here, sent, frame, 4, true), GR_OK, "what must go is not refused");
    pthread_mutex_lock(&b->there.lock);
    b->there.stall = false;
    pthread_cond_broadcast(&b->there.changed);
    pthread_mutex_unlock(&b->there.lock);
    cr_assert(reaches(&b->here, &b->here.rooms, 1));
    cr_assert_eq(send_number(&b->here, sent + 1, frame, size, false), GR_OK);
    cr_assert(reaches(&b->there, (int *)&b->there.frames, (int)sent + 2));
    cr_assert_eq(b->there.wrong, 0);
    free(frame);
    close_both(b);
}

Test(link, nothing_is_sent_after_closing)
{
    struct both *b = open_both();
    char frame[16];

    gri_net_nng.close(b->there.link, gr_error(GR_EPROTO, "no"));
    cr_assert_eq(send_number(&b->there, 0, frame, 4, true), GR_EUNREACH);
    cr_assert(reaches(&b->here, &b->here.downs, 1));
    cr_assert_eq(b->here.why, GR_EUNREACH);
    b->here.why = GR_ECANCELED; /* its own close comes too late to count */
    cr_assert_eq(send_number(&b->here, 0, frame, 4, true), GR_EUNREACH);
    close_both(b);
}

Test(link, dialling_nobody_goes_down_without_up)
{
    gr_runtime *rt = NULL;
    gr_value *err = NULL;
    struct end e;

    init_end(&e);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt), GR_OK);
    cr_assert_eq(gri_net_nng.dial(rt, "ipc:///tmp/gr-link-nobody.sock", &events, &e, &e.link, &err),
                 GR_OK);
    cr_assert(reaches(&e, &e.downs, 1));
    cr_assert_eq(e.ups, 0);
    cr_assert_eq(e.why, GR_EUNREACH);
    gri_net_nng.release(e.link);
    gr_runtime_free(rt);
}

static void *accept_alone(void *arg, struct gri_link *link, const struct gri_link_events **ret_ev)
{
    struct end *e = calloc(1, sizeof(*e));

    (void)arg;
    init_end(e);
    e->alone = true;
    atomic_fetch_add(&alone, 1);
    e->link = link;
    *ret_ev = &events;
    return e;
}

/* Closing at every moment of a link's beginning must neither hang nor report down twice. */
Test(link, closing_races_with_connecting)
{
    static const char url[] = "ipc:///tmp/gr-link-race.sock";
    struct gri_listener *listener = NULL;
    gr_runtime *rt = NULL;
    gr_value *err = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 3), &rt), GR_OK);
    cr_assert_eq(gri_net_nng.listen(rt, url, accept_alone, rt, &listener, &err), GR_OK);
    for (int i = 0; i < 300; i++) {
        struct end e;

        init_end(&e);
        cr_assert_eq(gri_net_nng.dial(rt, url, &events, &e, &e.link, &err), GR_OK);
        for (volatile int spin = 0; spin < i * 200; spin++)
            continue;
        gri_net_nng.close(e.link, NULL);
        cr_assert(reaches(&e, &e.downs, 1));
        cr_assert_eq(e.downs, 1);
        gri_net_nng.release(e.link);
    }
    gri_net_nng.unlisten(listener);
    while (atomic_load(&alone) > 0) /* the runtime must outlive its links */
        gr_sleep(rt, 1);
    gr_runtime_free(rt);
}
