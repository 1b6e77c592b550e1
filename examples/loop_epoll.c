/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop_epoll.c - a program with an event loop of its own asks several questions at once.
 *
 * The loop has one thread and two descriptors: its own timer, and the completion queue. Answers
 * come out of the queue on that thread, in the order in which they are ready, so nothing here needs
 * a lock. The timer goes on ticking while the answers are on their way.
 *
 *     cc loop_epoll.c $(pkg-config --cflags --libs greenroom) && ./a.out
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TICK_MS 10

static const char *const topics[] = { "an actor", "a scope", "supervision", "a future" };
#define TOPICS (sizeof(topics) / sizeof(topics[0]))

struct loop {
    int epoll, timer; /* owned */
    gr_cq *cq;        /* borrowed from main */
    size_t left;      /* questions without an answer */
    unsigned long ticks;
};

/* Stands for a model that is far away. A handler that waits keeps no thread busy. */
static gr_value *think(gr_ctx *c, void *arg, const gr_value *prompt)
{
    const char *question = gr_cstr(prompt, "?");

    (void)arg;
    if (gr_sleep(gr_runtime_of(c), 10 * (int64_t)strlen(question)) != GR_OK)
        return gr_error(GR_ECANCELED, "nobody waits any more");
    return gr_strf("%s A good question.", question);
}

static void on_tick(struct loop *l)
{
    uint64_t times = 0;

    if (read(l->timer, &times, sizeof(times)) == sizeof(times))
        l->ticks += times;
}

/* The descriptor is level-triggered: it stays readable until the queue is empty. */
static void on_answers(struct loop *l)
{
    gr_future *f;
    void *tag = NULL;

    while ((f = gr_cq_next(l->cq, &tag)) != NULL) {
        gr_outcome o = gr_await(f, 0); /* complete, so this only looks */

        printf("%s: %s\n", (const char *)tag,
               o.code == GR_OK ? gr_cstr(o.value, "") : gr_error_text(o.error));
        gr_future_free(f); /* o borrows from it */
        l->left--;
    }
}

static int add(struct loop *l, int fd)
{
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

    return fd >= 0 ? epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) : -1;
}

static int open_loop(struct loop *l)
{
    const struct itimerspec every = { .it_interval.tv_nsec = TICK_MS * 1000000L,
                                      .it_value.tv_nsec = TICK_MS * 1000000L };

    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (l->epoll < 0 || l->timer < 0 || timerfd_settime(l->timer, 0, &every, NULL) != 0)
        return -1;
    return add(l, l->timer) == 0 ? add(l, gr_cq_fd(l->cq)) : -1;
}

static void run(struct loop *l)
{
    struct epoll_event events[8];

    while (l->left > 0) {
        int count = epoll_wait(l->epoll, events, 8, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == l->timer)
                on_tick(l);
            else
                on_answers(l);
        }
    }
}

int main(void)
{
    GR_AUTO(gr_runtime) rt = NULL; /* declared first, freed last */
    GR_AUTO(gr_cq) cq = NULL;
    struct loop l = { .epoll = -1, .timer = -1 };
    gr_ref chain;

    if (gr_runtime_new(NULL, &rt) != GR_OK || (cq = l.cq = gr_cq_new(rt)) == NULL ||
        open_loop(&l) != 0)
        return 1;
    chain = gr_seq(gr_root(rt), gr_prompt(gr_root(rt), "What is {topic}?"),
                   gr_lambda(gr_root(rt), GR_ASYNC, think, NULL, NULL), gr_str_parser(gr_root(rt)));
    for (size_t i = 0; i < TOPICS; i++) {
        gr_future *f = gr_ainvoke(rt, chain, gr_map(GR_KV("topic", gr_str(topics[i]))), NULL);

        /* the tag comes back with the answer; the queue has f from here on */
        if (gr_cq_watch(cq, f, (void *)(uintptr_t)topics[i]) == GR_OK)
            l.left++;
    }
    run(&l);
    printf("ticks meanwhile: %s\n", l.ticks > 0 ? "yes" : "none");
    close(l.timer);
    close(l.epoll);
    return 0;
}
