/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.c - the thread that has the programs.
 *
 * `all` is added to by others, under the lock, at its end; only the thread takes out. So it may go through
 * the list without the lock from a node that it has on.
 */
#include "runtime/program/program_impl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/sched/sched.h"
#include "runtime/sched/service.h"

#define NS_PER_MS UINT64_C(1000000)
#define FDS_EACH 4         /* stdin, stdout, stderr, pidfd */
#define LOOK_MS 20         /* how often to look for the end of one without a pidfd */
#define DRAIN_READS_MAX 64 /* of what an ended program has left in its pipes */

static void wake(struct gri_programs *t)
{
    uint64_t one = 1;

    (void)!write(t->wake_fd, &one, sizeof(one));
}

/* ---- making ---------------------------------------------------------------------------------- */

static void free_texts(char **texts)
{
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++)
        gri_free(texts[i]);
    gri_free(texts);
}

/* copy_texts copies a NULL-ended array; NULL: out of memory. */
static char **copy_texts(const char *const *texts)
{
    size_t count = 0;
    char **copy;

    while (texts[count] != NULL)
        count++;
    copy = gri_alloc_array(count + 1, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = gri_strdup(texts[i]);
        if (copy[i] == NULL) {
            free_texts(copy);
            return NULL;
        }
    }
    return copy;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void gri_program_unref(struct gri_program *p)
{
    /* acq_rel: the last one sees what the others have written */
    if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; p->env != NULL && p->env[i] != NULL; i++)
        explicit_bzero(p->env[i], strlen(p->env[i])); /* there may be secrets among them */
    free_texts(p->argv);
    free_texts(p->env);
    gri_free(p->folder);
    gri_strbuf_fini(&p->to_write);
    gri_free(p);
}

static struct gri_program *program_new(const struct gri_program_spec *spec,
                                       const struct gri_program_events *events, void *arg)
{
    struct gri_program *p = gri_new0(struct gri_program);

    if (p == NULL)
        return NULL;
    atomic_init(&p->refs, 2); /* the table's and the caller's */
    p->events = *events;
    p->arg = arg;
    p->in_fd = p->out_fd = p->err_fd = p->pid_fd = -1;
    p->due_ns = GRI_NEVER;
    p->end_ns = spec->end_ms * NS_PER_MS;
    p->term_ns = spec->term_ms * NS_PER_MS;
    p->to_write.max = GRI_PROGRAM_WRITE_MAX;
    gri_list_init(&p->at_table);
    p->argv = copy_texts(spec->argv);
    p->env = copy_texts(spec->env);
    p->folder = spec->folder != NULL ? gri_strdup(spec->folder) : NULL;
    if (p->argv != NULL && p->env != NULL && (spec->folder == NULL || p->folder != NULL))
        return p;
    gri_program_unref(p);
    gri_program_unref(p);
    return NULL;
}

/* ---- what others ask ------------------------------------------------------------------------- */

gr_code gri_program_write(struct gri_program *p, const char *data, size_t len)
{
    gr_code rc = GR_OK;

    gri_lock(&p->lock);
    if (p->deaf || p->over || p->stopping)
        rc = GR_EBROKEN;
    else if (len > GRI_PROGRAM_WRITE_MAX - p->to_write.len)
        rc = GR_EFULL;
    else if (!gri_strbuf_reserve(&p->to_write, len))
        rc = GR_ENOMEM;
    if (rc == GR_ENOMEM)
        p->to_write.failed = false; /* what is there is whole */
    if (rc == GR_OK) {
        gri_strbuf_add(&p->to_write, data, len);
        wake(p->table);
    }
    gri_unlock(&p->lock);
    return rc;
}

void gri_program_stop(struct gri_program *p)
{
    gri_lock(&p->lock);
    p->stopping = true;
    if (!p->over)
        wake(p->table);
    gri_unlock(&p->lock);
}

/* ---- its end --------------------------------------------------------------------------------- */

static void read_from(struct gri_programs *t, struct gri_program *p, int *fd,
                      void (*give)(void *arg, const char *data, size_t len), size_t reads);

/* finish tells the end and forgets the program; p may be gone. */
static void finish(struct gri_programs *t, struct gri_program *p, gr_value *why)
{
    bool asked;

    read_from(t, p, &p->out_fd, p->events.out, DRAIN_READS_MAX);
    read_from(t, p, &p->err_fd, p->events.err, DRAIN_READS_MAX);
    close_fd(&p->in_fd);
    close_fd(&p->out_fd);
    close_fd(&p->err_fd);
    close_fd(&p->pid_fd);
    gri_lock(&t->lock);
    gri_list_remove(&p->at_table);
    t->count--;
    gri_unlock(&t->lock);
    gri_lock(&p->lock);
    p->over = true;
    asked = p->stopping;
    gri_unlock(&p->lock);
    p->events.end(p->arg, why, asked);
    gri_program_unref(p);
}

/* close_in lets it know that no more comes, once all is written. */
static void close_in(struct gri_program *p)
{
    bool empty;

    gri_lock(&p->lock);
    empty = p->to_write.len == 0;
    gri_unlock(&p->lock);
    if (empty)
        close_fd(&p->in_fd);
}

static void begin_end(struct gri_program *p, uint64_t now)
{
    p->state = GRI_PROGRAM_CLOSING;
    p->due_ns = now + p->end_ns;
}

/* step takes the next step of an end that is due. */
static void step(struct gri_program *p, uint64_t now)
{
    bool stopping;

    gri_lock(&p->lock);
    stopping = p->stopping;
    gri_unlock(&p->lock);
    if (p->state == GRI_PROGRAM_RUNNING && stopping)
        begin_end(p, now);
    if (p->state == GRI_PROGRAM_CLOSING)
        close_in(p);
    if (p->due_ns > now)
        return;
    if (p->state == GRI_PROGRAM_CLOSING) {
        gri_program_kill(p, SIGTERM);
        p->state = GRI_PROGRAM_TERM;
        p->due_ns = now + p->term_ns;
    } else {
        gri_program_kill(p, SIGKILL);
        p->state = GRI_PROGRAM_KILL;
        p->due_ns = GRI_NEVER;
    }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* read_from reads up to `reads` times, and closes what has ended. */
static void read_from(struct gri_programs *t, struct gri_program *p, int *fd,
                      void (*give)(void *arg, const char *data, size_t len), size_t reads)
{
    for (size_t i = 0; i < reads && *fd >= 0; i++) {
        ssize_t n = read(*fd, t->bytes, sizeof(t->bytes));

        if (n > 0)
            give(p->arg, t->bytes, (size_t)n);
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n < 0 && errno == EAGAIN)
            return;
        else
            close_fd(fd);
    }
}

static void write_to(struct gri_program *p)
{
    ssize_t n = 0;

    gri_lock(&p->lock);
    if (p->to_write.len > 0)
        n = write(p->in_fd, p->to_write.data, p->to_write.len); /* does not wait: O_NONBLOCK */
    if (n > 0)
        gri_strbuf_consume(&p->to_write, (size_t)n);
    if (n < 0 && errno != EAGAIN && errno != EINTR) { /* it has closed its end */
        p->deaf = true;
        gri_strbuf_fini(&p->to_write);
        close_fd(&p->in_fd);
    }
    gri_unlock(&p->lock);
}

static bool has_output(struct gri_program *p)
{
    bool some;

    gri_lock(&p->lock);
    some = p->to_write.len > 0;
    gri_unlock(&p->lock);
    return some && p->in_fd >= 0;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static struct gri_program *next_of(struct gri_programs *t, struct gri_program *p)
{
    struct gri_list *n;

    gri_lock(&t->lock);
    n = p != NULL ? p->at_table.next : t->all.next;
    gri_unlock(&t->lock);
    return n == &t->all ? NULL : gri_container_of(n, struct gri_program, at_table);
}

static void start(struct gri_programs *t, struct gri_program *p)
{
    int rv = gri_program_spawn(p);

    if (rv == 0)
        p->state = GRI_PROGRAM_RUNNING;
    else
        finish(t, p, gr_error(GR_EINVAL, "%s can't be run: %s", p->argv[0], strerror(rv)));
}

/* prepare starts what is new, takes steps that are due, and says when the next one is. */
static uint64_t prepare(struct gri_programs *t)
{
    uint64_t due = GRI_NEVER;
    struct gri_program *next;

    for (struct gri_program *p = next_of(t, NULL); p != NULL; p = next) {
        uint64_t now = gri_clock_ns();

        next = next_of(t, p);
        if (p->state == GRI_PROGRAM_NEW)
            start(t, p);
        else
            step(p, now);
    }
    for (struct gri_program *p = next_of(t, NULL); p != NULL; p = next_of(t, p)) {
        uint64_t at = p->pid_fd >= 0 ? p->due_ns : gri_clock_ns() + LOOK_MS * NS_PER_MS;

        if (at < due)
            due = at;
    }
    return due;
}

/* fill makes the array for poll. A program for which there is no memory is looked at the next time. */
static size_t fill(struct gri_programs *t)
{
    size_t n = 1, need;

    gri_lock(&t->lock);
    need = 1 + FDS_EACH * t->count;
    gri_unlock(&t->lock);
    if (need > t->fds_cap) {
        struct pollfd *fds = gri_resize(t->fds, 2 * need * sizeof(*fds));

        if (fds != NULL) {
            t->fds = fds;
            t->fds_cap = 2 * need;
        }
    }
    t->fds[0] = (struct pollfd){ .fd = t->wake_fd, .events = POLLIN };
    for (struct gri_program *p = next_of(t, NULL); p != NULL; p = next_of(t, p)) {
        p->polled = 0;
        if (p->state == GRI_PROGRAM_NEW || n + FDS_EACH > t->fds_cap)
            continue;
        p->polled = n;
        t->fds[n++] = (struct pollfd){ .fd = has_output(p) ? p->in_fd : -1, .events = POLLOUT };
        t->fds[n++] = (struct pollfd){ .fd = p->out_fd, .events = POLLIN };
        t->fds[n++] = (struct pollfd){ .fd = p->err_fd, .events = POLLIN };
        t->fds[n++] = (struct pollfd){ .fd = p->pid_fd, .events = POLLIN };
    }
    return n;
}

/* look handles what poll has found for a program; it may be gone after that. */
static void look(struct gri_programs *t, struct gri_program *p)
{
    const struct pollfd *f = &t->fds[p->polled];
    gr_value *why = NULL;

    if (f[0].revents != 0)
        write_to(p);
    if (f[1].revents != 0)
        read_from(t, p, &p->out_fd, p->events.out, 1);
    if (f[2].revents != 0)
        read_from(t, p, &p->err_fd, p->events.err, 1);
    if (p->out_fd < 0 && p->state == GRI_PROGRAM_RUNNING) /* it has nothing more to say */
        begin_end(p, gri_clock_ns());
    if (f[3].revents != 0 || p->pid_fd < 0)
        why = gri_program_reap(p, false);
    if (why != NULL)
        finish(t, p, why);
}

/* quit kills what is left, and waits for it. */
static void quit(struct gri_programs *t)
{
    struct gri_program *p;

    while ((p = next_of(t, NULL)) != NULL) {
        if (p->pid != 0) {
            gri_program_kill(p, SIGKILL);
            finish(t, p, gri_program_reap(p, true));
        } else {
            finish(t, p, gr_error(GR_ECANCELED, "the runtime is shutting down"));
        }
    }
}

static bool is_quitting(struct gri_programs *t)
{
    bool quitting;

    gri_lock(&t->lock);
    quitting = t->quitting;
    gri_unlock(&t->lock);
    return quitting;
}

static int timeout_of(uint64_t due)
{
    uint64_t now = gri_clock_ns();

    if (due == GRI_NEVER)
        return -1;
    if (due <= now)
        return 0;
    return (due - now) / NS_PER_MS < 60000 ? (int)((due - now) / NS_PER_MS) + 1 : 60000;
}

static void *programs_main(void *arg)
{
    struct gri_programs *t = arg;

    while (!is_quitting(t)) {
        uint64_t due = prepare(t), drained;
        size_t n = fill(t);
        struct gri_program *next;

        (void)poll(t->fds, (nfds_t)n, timeout_of(due));
        if (t->fds[0].revents != 0)
            (void)!read(t->wake_fd, &drained, sizeof(drained));
        for (struct gri_program *p = next_of(t, NULL); p != NULL; p = next) {
            next = next_of(t, p);
            if (p->polled != 0)
                look(t, p);
        }
    }
    quit(t);
    return NULL;
}

/* ---- the service ----------------------------------------------------------------------------- */

static void table_free(struct gri_programs *t)
{
    close_fd(&t->wake_fd);
    gri_free(t->fds);
    gri_free(t);
}

static void table_stop(void *object)
{
    struct gri_programs *t = object;

    gri_lock(&t->lock);
    t->quitting = true;
    gri_unlock(&t->lock);
    wake(t);
    gri_thread_join(&t->thread);
    table_free(t);
}

static gr_code make_table(gr_runtime *rt, struct gri_service *ret_service)
{
    struct gri_programs *t = gri_new0(struct gri_programs);

    (void)rt;
    if (t == NULL)
        return GR_ENOMEM;
    gri_list_init(&t->all);
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->fds_cap = 1 + FDS_EACH;
    t->fds = gri_alloc(t->fds_cap * sizeof(*t->fds));
    if (t->wake_fd < 0 || t->fds == NULL ||
        gri_thread_start(&t->thread, "gr-program", programs_main, t) != GR_OK) {
        table_free(t);
        return GR_ENOMEM;
    }
    *ret_service = (struct gri_service){ .object = t, .stop = table_stop };
    return GR_OK;
}

gr_code gri_program_start(gr_runtime *rt, const struct gri_program_spec *spec,
                          const struct gri_program_events *events, void *arg,
                          struct gri_program **ret_program)
{
    struct gri_programs *t = NULL;
    struct gri_program *p = NULL;
    gr_code rc = GR_OK;

    if (gri_sched_of(rt)->sim != NULL) /* a simulation is one process */
        return GR_EINVAL;
    t = gri_service_get(rt, GRI_SERVICE_PROGRAM, make_table);
    p = t != NULL ? program_new(spec, events, arg) : NULL;
    if (p == NULL)
        return GR_ENOMEM;
    p->table = t;
    *ret_program = p;
    gri_lock(&t->lock);
    if (t->quitting)
        rc = GR_ECANCELED;
    else if (t->count >= GRI_PROGRAMS_MAX)
        rc = GR_EFULL;
    if (rc == GR_OK) {
        gri_list_push(&t->all, &p->at_table);
        t->count++;
    }
    gri_unlock(&t->lock);
    if (rc == GR_OK) {
        wake(t);
        return GR_OK;
    }
    gri_program_unref(p);
    gri_program_unref(p);
    return rc;
}
