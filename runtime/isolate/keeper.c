/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.c - the thread that has the child processes.
 *
 * What it has is in `all`, which others only add to, under the lock; so it may go through the list
 * without the lock from a node that it has on. Lock order: the keeper's, then a process's.
 */
#include "runtime/isolate/keeper.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/thread.h"
#include "runtime/isolate/folder.h"

#define TICK_MS 1000 /* between signs of life */

struct gri_keeper {
    gr_runtime *rt; /* borrowed */
    struct gri_thread thread;
    int wake_fd;          /* owned */
    _Atomic bool linked;  /* some process has its link now */
    unsigned max;         /* processes at once */
    struct gri_lock lock; /* guards what follows */
    struct gri_list all;  /* gri_process, each with a reference */
    size_t count;         /* of them */
    unsigned placed;
    bool quitting;
    /* the thread's alone */
    struct gri_folder folder;
    unsigned next_number;
    struct pollfd *fds; /* owned array: the eventfd, then two for each process */
    size_t fds_cap;
};

static void wake(struct gri_keeper *k)
{
    uint64_t one = 1;

    (void)!write(k->wake_fd, &one, sizeof(one));
}

/* ---- the files ------------------------------------------------------------------------------- */

/* end_start: the socket's file is not needed any more. */
static void end_start(struct gri_keeper *k, struct gri_process *p)
{
    if (!p->starting)
        return;
    p->starting = false;
    gri_folder_leave(&k->folder, p->number);
}

static bool number_taken(struct gri_keeper *k, unsigned number)
{
    for (struct gri_list *n = k->all.next; n != &k->all; n = n->next)
        if (gri_container_of(n, struct gri_process, at_keeper)->number == number)
            return true;
    return false;
}

/* fresh_number: of as many as may be needed, so that the node learns no more URLs than that, and in turn, so
 * that the link to an earlier process is most likely gone. */
static unsigned fresh_number(struct gri_keeper *k)
{
    unsigned number;

    gri_lock(&k->lock);
    do {
        k->next_number = k->next_number % ((unsigned)k->count + k->max + 16) + 1;
        number = k->next_number;
    } while (number_taken(k, number));
    gri_unlock(&k->lock);
    return number;
}

static void start(struct gri_keeper *k, struct gri_process *p)
{
    char url[GRI_FOLDER_URL_SIZE];
    int failure;

    p->number = fresh_number(k);
    failure = gri_folder_enter(&k->folder, p->number, url);
    if (failure != 0) {
        gri_process_fail(p, gr_error(GR_EBROKEN, "isolated process: no folder for its socket: %s",
                                     strerror(failure)));
        return;
    }
    p->starting = true;
    gri_process_start(p, url);
}

/* ---- what they say --------------------------------------------------------------------------- */

static void forget(struct gri_keeper *k, struct gri_process *p)
{
    end_start(k, p);
    gri_keeper_leave(k, p);
    gri_lock(&k->lock);
    gri_list_remove(&p->at_keeper);
    k->count--;
    gri_unlock(&k->lock);
    gri_process_unref(p);
}

/* hang_up closes a leash whose other end is gone: the process is at its end, or has closed what is not
 * its own. */
static void hang_up(struct gri_process *p)
{
    gri_lock(&p->lock);
    (void)close(p->leash_fd);
    p->leash_fd = -1;
    gri_unlock(&p->lock);
    gri_process_doubt(p, "it let go of its parent");
    if (p->pid_fd < 0) /* then nothing else would tell */
        gri_process_kill(p, NULL);
}

static void read_leash(struct gri_process *p)
{
    char bytes[16];
    ssize_t n = recv(p->leash_fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(p);
        return;
    }
    p->asked = false;
    p->silent = 0;
    for (ssize_t i = 0; i < n; i++)
        if (bytes[i] == GRI_LEASH_READY)
            gri_process_enter(p, GRI_PROCESS_READY);
}

/* look handles what poll has found for a process. */
static void look(struct gri_keeper *k, struct gri_process *p, short leash, short pid)
{
    if (p->pid == 0) /* it has come since this round began */
        return;
    if (p->leash_fd >= 0 && leash != 0)
        read_leash(p);
    if (p->leash_fd < 0 && p->pid_fd < 0) { /* without a descriptor of the process: it dies now */
        if (gri_process_reap(p, true))
            forget(k, p);
    } else if (pid != 0 && gri_process_reap(p, false)) {
        forget(k, p);
    }
}

/* tick asks those that have links for a sign of life. What counts is how often this thread has come
 * here, not the clock: so nobody is killed since the whole machine, or this process, was asleep. */
static void tick(struct gri_process *p)
{
    const char *doubt;
    bool watched;

    gri_lock(&p->lock);
    watched = p->state == GRI_PROCESS_READY && !p->ending && p->leash_fd >= 0;
    doubt = p->doubt;
    gri_unlock(&p->lock);
    if (doubt != NULL && p->doubted)
        gri_process_kill(p, doubt);
    p->doubted = doubt != NULL;
    if (!watched || p->opts.silence_ms < 0)
        return;
    if (!p->asked) {
        p->asked = true;
        gri_process_send(p, GRI_LEASH_SIGN);
    } else if ((int64_t)++p->silent * TICK_MS >= p->opts.silence_ms) {
        gri_process_kill(p, "it showed no sign of life");
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

static struct gri_process *next_of(struct gri_keeper *k, struct gri_process *p)
{
    struct gri_list *n;

    gri_lock(&k->lock);
    n = p != NULL ? p->at_keeper.next : k->all.next;
    gri_unlock(&k->lock);
    return n == &k->all ? NULL : gri_container_of(n, struct gri_process, at_keeper);
}

static bool is_new(struct gri_process *p)
{
    bool fresh;

    gri_lock(&p->lock);
    fresh = p->state == GRI_PROCESS_NEW;
    gri_unlock(&p->lock);
    return fresh;
}

static bool has_ended(struct gri_process *p)
{
    bool ended;

    gri_lock(&p->lock);
    ended = p->state == GRI_PROCESS_ENDED;
    gri_unlock(&p->lock);
    return ended;
}

/* take_new starts what has come. What can't be started is forgotten at once. */
static void take_new(struct gri_keeper *k)
{
    struct gri_process *next;

    for (struct gri_process *p = next_of(k, NULL); p != NULL; p = next) {
        next = next_of(k, p);
        if (is_new(p))
            start(k, p);
        if (has_ended(p))
            forget(k, p);
    }
}

/* tell_linked lets go of the files of those that have their link, and tells them. */
static void tell_linked(struct gri_keeper *k)
{
    if (!atomic_exchange(&k->linked, false))
        return;
    for (struct gri_process *p = next_of(k, NULL); p != NULL; p = next_of(k, p)) {
        bool linked;

        gri_lock(&p->lock);
        linked = p->linked;
        gri_unlock(&p->lock);
        if (linked && p->starting) {
            end_start(k, p);
            gri_process_send(p, GRI_LEASH_LINKED);
        }
    }
}

/* fill makes the array for poll; returns how many processes are in there, in the list's order. A process
 * that does not fit, since memory has run out, is looked at the next time. */
static size_t fill(struct gri_keeper *k)
{
    size_t n = 0, need;

    gri_lock(&k->lock);
    need = 1 + 2 * k->count;
    gri_unlock(&k->lock);
    if (need > k->fds_cap) {
        struct pollfd *fds = gri_resize(k->fds, 2 * need * sizeof(*fds));

        if (fds != NULL) {
            k->fds = fds;
            k->fds_cap = 2 * need;
        }
    }
    k->fds[0] = (struct pollfd){ .fd = k->wake_fd, .events = POLLIN };
    for (struct gri_process *p = next_of(k, NULL); p != NULL && 3 + 2 * n <= k->fds_cap;
         p = next_of(k, p)) {
        k->fds[1 + 2 * n] = (struct pollfd){ .fd = p->leash_fd, .events = POLLIN };
        k->fds[2 + 2 * n] = (struct pollfd){ .fd = p->pid_fd, .events = POLLIN };
        n++;
    }
    return n;
}

static void look_at_all(struct gri_keeper *k, size_t n)
{
    struct gri_process *p = next_of(k, NULL), *next;

    for (size_t i = 0; i < n && p != NULL; i++, p = next) {
        next = next_of(k, p);
        look(k, p, k->fds[1 + 2 * i].revents, k->fds[2 + 2 * i].revents);
    }
}

/* quit kills what is left, and waits for it. */
static void quit(struct gri_keeper *k)
{
    struct gri_process *p;

    while ((p = next_of(k, NULL)) != NULL) {
        if (p->pid != 0) {
            gri_process_kill(p, NULL);
            (void)gri_process_reap(p, true);
        }
        forget(k, p);
    }
}

static bool is_quitting(struct gri_keeper *k)
{
    bool quitting;

    gri_lock(&k->lock);
    quitting = k->quitting;
    gri_unlock(&k->lock);
    return quitting;
}

static void *keeper_main(void *arg)
{
    struct gri_keeper *k = arg;
    uint64_t ticked_ns = gri_clock_ns();

    while (!is_quitting(k)) {
        uint64_t drained, now_ns;
        size_t n;
        int left_ms;

        take_new(k);
        tell_linked(k);
        n = fill(k);
        now_ns = gri_clock_ns();
        left_ms = (int)(TICK_MS - (int64_t)((now_ns - ticked_ns) / 1000000u) % TICK_MS);
        (void)poll(k->fds, 1 + 2 * n, n == 0 ? -1 : left_ms);
        if (k->fds[0].revents != 0)
            (void)!read(k->wake_fd, &drained, sizeof(drained));
        look_at_all(k, n);
        if (gri_clock_ns() - ticked_ns >= (uint64_t)TICK_MS * 1000000u) {
            for (struct gri_process *p = next_of(k, NULL); p != NULL; p = next_of(k, p))
                tick(p);
            ticked_ns = gri_clock_ns();
        }
    }
    quit(k);
    return NULL;
}

/* ---- the service ----------------------------------------------------------------------------- */

static void keeper_free(struct gri_keeper *k)
{
    if (k->wake_fd >= 0)
        (void)close(k->wake_fd);
    gri_folder_fini(&k->folder);
    gri_free(k->fds);
    gri_free(k);
}

static void keeper_stop(void *object)
{
    struct gri_keeper *k = object;

    gri_lock(&k->lock);
    k->quitting = true;
    gri_unlock(&k->lock);
    wake(k);
    gri_thread_join(&k->thread);
    keeper_free(k);
}

static gr_code make_keeper(gr_runtime *rt, struct gri_service *ret_service)
{
    struct gri_keeper *k = gri_new0(struct gri_keeper);

    if (k == NULL)
        return GR_ENOMEM;
    k->rt = rt;
    k->max = rt->isolated_max;
    gri_list_init(&k->all);
    k->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    k->fds_cap = 3;
    k->fds = gri_alloc(k->fds_cap * sizeof(*k->fds));
    if (k->wake_fd < 0 || k->fds == NULL ||
        gri_thread_start(&k->thread, "gr-isolate", keeper_main, k) != GR_OK) {
        keeper_free(k);
        return GR_ENOMEM;
    }
    *ret_service = (struct gri_service){ .object = k, .stop = keeper_stop };
    return GR_OK;
}

struct gri_keeper *gri_keeper_get(gr_runtime *rt)
{
    return gri_service_get(rt, GRI_SERVICE_ISOLATE, make_keeper);
}

gr_code gri_keeper_add(struct gri_keeper *k, struct gri_process *p)
{
    gr_code rc = GR_OK;

    gri_lock(&k->lock);
    if (k->quitting)
        rc = GR_ECANCELED;
    else if (k->placed >= k->max)
        rc = GR_EFULL;
    if (rc == GR_OK) {
        k->placed++;
        k->count++;
        p->placed = true;
        gri_list_push(&k->all, &gri_process_ref(p)->at_keeper);
    }
    gri_unlock(&k->lock);
    if (rc == GR_OK)
        wake(k);
    return rc;
}

void gri_keeper_linked(struct gri_keeper *k, struct gri_process *p)
{
    gri_lock(&p->lock);
    p->linked = true;
    gri_unlock(&p->lock);
    atomic_store(&k->linked, true);
    wake(k);
}

void gri_keeper_leave(struct gri_keeper *k, struct gri_process *p)
{
    gri_lock(&k->lock);
    if (p->placed)
        k->placed--;
    p->placed = false;
    gri_unlock(&k->lock);
}
