/* SPDX-License-Identifier: Apache-2.0 */
/* link_test.c - frames over links, without nodes: order, gathering, limits, closing. */
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
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
    bool busy;        /* what its last send said */
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

static gr_code send_raw(struct end *e, const void *data, size_t size)
{
    struct gri_slice slice = { data, size };
    bool busy = false;
    gr_code rc = gri_net_nng.send(e->link, &slice, 1, &busy);

    e->busy = busy;
    return rc;
}

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
        send_raw(e, head, 8);
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
    cr_assert_eq(gri_net_nng.listen(b->rt, b->url, NULL, on_accept, b, &b->listener, &err), GR_OK);
    cr_assert_eq(gri_net_nng.dial(b->rt, b->url, NULL, &events, &b->here, &b->here.link, &err),
                 GR_OK);
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

static gr_code send_number(struct end *e, uint32_t number, char *frame, size_t size)
{
    uint32_t head = __builtin_bswap32((uint32_t)size);

    memcpy(frame, &head, 4);
    memcpy(frame + 4, &number, 4);
    return send_raw(e, frame, size + 4);
}

Test(link, frames_keep_their_order_both_ways)
{
    enum { N = 20000 };
    struct both *b = open_both();
    char frame[64];

    b->there.echo = true;
    for (uint32_t i = 0; i < N; i++)
        cr_assert_eq(send_number(&b->here, i, frame, 4 + i % 50), GR_OK);
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
        cr_assert_eq(send_number(&b->here, i, frame, size), GR_OK);
    cr_assert(reaches(&b->there, (int *)&b->there.frames, 4));
    cr_assert_eq(b->there.bytes, 4 * size);
    cr_assert_eq(b->there.wrong, 0);
    free(frame);
    close_both(b);
}

/* A link whose peer doesn't read says that it is busy, and there is a word when it is better. */
Test(link, it_says_when_it_is_busy_and_tells_of_room)
{
    struct both *b = open_both();
    size_t size = 64u << 10;
    char *frame = calloc(1, size + 4);
    uint32_t sent = 0;

    pthread_mutex_lock(&b->there.lock);
    b->there.stall = true;
    pthread_mutex_unlock(&b->there.lock);
    do
        cr_assert_eq(send_number(&b->here, sent++, frame, size), GR_OK);
    while (!b->here.busy && sent < 1000);
    cr_assert(b->here.busy);
    cr_assert_eq(send_number(&b->here, sent++, frame, 4), GR_OK, "nothing is refused");
    pthread_mutex_lock(&b->there.lock);
    b->there.stall = false;
    pthread_cond_broadcast(&b->there.changed);
    pthread_mutex_unlock(&b->there.lock);
    cr_assert(reaches(&b->here, &b->here.rooms, 1));
    cr_assert_eq(send_number(&b->here, sent++, frame, size), GR_OK);
    cr_assert(reaches(&b->there, (int *)&b->there.frames, (int)sent));
    cr_assert_eq(b->there.wrong, 0);
    free(frame);
    close_both(b);
}

/* What is urgent goes without a worker, and in order with the rest. */
Test(link, urging_sends_a_whole_frame)
{
    struct both *b = open_both();
    uint32_t head[2] = { __builtin_bswap32(4), 0 };

    for (uint32_t i = 0; i < 2000; i++) {
        head[1] = i;
        if (i % 3 == 0)
            gri_net_nng.urge(b->here.link, head, 8);
        else
            cr_assert_eq(send_raw(&b->here, head, 8), GR_OK);
    }
    cr_assert(reaches(&b->there, (int *)&b->there.frames, 2000));
    cr_assert_eq(b->there.wrong, 0);
    close_both(b);
}

/* finish lets what was sent go out first. */
Test(link, finishing_sends_what_waits_then_closes)
{
    struct both *b = open_both();
    size_t size = 1u << 20;
    char *frame = calloc(1, size + 4);

    for (uint32_t i = 0; i < 8; i++)
        cr_assert_eq(send_number(&b->here, i, frame, size), GR_OK);
    gri_net_nng.finish(b->here.link, gr_error(GR_ECANCELED, "enough"));
    cr_assert_eq(send_number(&b->here, 8, frame, 4), GR_EUNREACH);
    cr_assert(reaches(&b->there, &b->there.downs, 1));
    cr_assert_eq(b->there.frames, 8);
    free(frame);
    close_both(b);
}

Test(link, nothing_is_sent_after_closing)
{
    struct both *b = open_both();
    char frame[16];

    gri_net_nng.close(b->there.link, gr_error(GR_EPROTO, "no"));
    cr_assert_eq(send_number(&b->there, 0, frame, 4), GR_EUNREACH);
    cr_assert(reaches(&b->here, &b->here.downs, 1));
    cr_assert_eq(b->here.why, GR_EUNREACH);
    b->here.why = GR_ECANCELED; /* its own close comes too late to count */
    cr_assert_eq(send_number(&b->here, 0, frame, 4), GR_EUNREACH);
    close_both(b);
}

Test(link, dialling_nobody_goes_down_without_up)
{
    gr_runtime *rt = NULL;
    gr_value *err = NULL;
    struct end e;

    init_end(&e);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt), GR_OK);
    cr_assert_eq(
        gri_net_nng.dial(rt, "ipc:///tmp/gr-link-nobody.sock", NULL, &events, &e, &e.link, &err),
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
    cr_assert_eq(gri_net_nng.listen(rt, url, NULL, accept_alone, rt, &listener, &err), GR_OK);
    for (int i = 0; i < 300; i++) {
        struct end e;

        init_end(&e);
        cr_assert_eq(gri_net_nng.dial(rt, url, NULL, &events, &e, &e.link, &err), GR_OK);
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

/* ---- who writes ------------------------------------------------------------------------------ */

#define PIECE 40000u  /* after which a link is busy */
#define ROUNDS 20000u /* if nobody ends it */

/* A link whose other end reads whatever comes at once, and that has the next piece as soon as there is room: all in the
 * thread that writes. */
struct hungry {
    struct gri_link *link;
    int fd; /* the other end */
    pthread_t writer;
    _Atomic unsigned rounds; /* of room, in that thread */
    _Atomic bool over;
    _Atomic int up, down;
};

static void hungry_up(void *arg)
{
    struct hungry *h = arg;

    atomic_store(&h->up, 1);
    while (!atomic_load(&h->over)) /* the one worker has no time to write */
        usleep(1000);
}

static void hungry_frame(void *arg, const void *body, size_t size)
{
    (void)arg, (void)body, (void)size;
}

static void say_piece(struct hungry *h)
{
    static char piece[PIECE];
    struct gri_slice slice = { piece, sizeof(piece) };
    bool busy = false;

    gri_net_nng.send(h->link, &slice, 1, &busy);
}

static void hungry_room(void *arg)
{
    struct hungry *h = arg;
    static char gone[65536];

    if (!pthread_equal(pthread_self(), h->writer))
        return;
    while (recv(h->fd, gone, sizeof(gone), MSG_DONTWAIT) > 0)
        ;
    if (atomic_fetch_add(&h->rounds, 1) < ROUNDS)
        say_piece(h);
}

static void hungry_down(void *arg, gr_value *why)
{
    gr_value_unref(why);
    atomic_store(&((struct hungry *)arg)->down, 1);
}

/* Who has something to send may write what has gathered, but not on and on what others bring meanwhile. */
Test(link, nobody_writes_for_others_for_ever)
{
    static const struct gri_link_events all = {
        .up = hungry_up, .frame = hungry_frame, .room = hungry_room, .down = hungry_down
    };
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct hungry h = { .writer = pthread_self() };
    gr_runtime *rt = NULL;
    gr_value *err = NULL;
    int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char url[100];

    snprintf(url, sizeof(url), "ipc:///tmp/gr_link_test.%d.hungry", (int)getpid());
    strcpy(a.sun_path, url + 6);
    unlink(a.sun_path);
    cr_assert_eq(bind(door, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert_eq(listen(door, 1), 0);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt), GR_OK);
    cr_assert_eq(gri_net_nng.dial(rt, url, NULL, &all, &h, &h.link, &err), GR_OK);
    h.fd = accept(door, NULL, NULL);
    while (!atomic_load(&h.up))
        usleep(1000);
    say_piece(&h);
    gri_net_nng.flush(h.link);
    cr_assert_lt(h.rounds, 1000u, "%u pieces by one call", h.rounds);
    atomic_store(&h.over, true);
    gri_net_nng.close(h.link, gr_error(GR_EUNREACH, "over"));
    while (!atomic_load(&h.down))
        usleep(1000);
    gri_net_nng.release(h.link);
    close(h.fd);
    close(door);
    unlink(a.sun_path);
    gr_runtime_free(rt);
}
