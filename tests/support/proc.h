/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc.h - an actor that does what calls tell it, and writes down what it is told of others' ends.
 *
 * proc(&log) spawns one, which writes one line for each event into the log; log_has waits for the
 * events. All is in a header, since the runner of the plain mode is one too.
 */
#ifndef GR_TESTS_SUPPORT_PROC_H
#define GR_TESTS_SUPPORT_PROC_H

#include <stdio.h>

#include <greenroom/link.h>
#include <greenroom/name.h>

#include "tests/support/engine.h"

#define LOG_MAX 4096

/* ---- the log --------------------------------------------------------------------------------- */

struct log {
    pthread_mutex_t lock;
    char text[LOG_MAX]; /* events, each ended by ';' */
    int downs, exits;   /* how many of those, also past the text's end */
};
#define LOG                                                                                        \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

/* log_add notes an event; l NULL: nobody listens. */
static inline void log_add(struct log *l, const char *what, const gr_value *reason)
{
    char *text = NULL;
    size_t used;

    if (l == NULL)
        return;
    if (reason != NULL && gr_value_type(reason) != GR_ERROR)
        text = gr_json_print(reason, 0, NULL);
    pthread_mutex_lock(&l->lock);
    used = strlen(l->text);
    if (reason == NULL)
        snprintf(l->text + used, LOG_MAX - used, "%s;", what);
    else
        snprintf(l->text + used, LOG_MAX - used, "%s %s;", what,
                 text != NULL ? text : gr_error_text(reason));
    l->downs += strncmp(what, "down", 4) == 0;
    l->exits += strncmp(what, "exit", 4) == 0;
    pthread_mutex_unlock(&l->lock);
    gr_free(text);
}

static inline bool log_equals(struct log *l, const char *expected)
{
    bool same;

    pthread_mutex_lock(&l->lock);
    same = strcmp(l->text, expected) == 0;
    pthread_mutex_unlock(&l->lock);
    return same;
}

static inline bool log_has(struct log *l, const char *part)
{
    bool has;

    pthread_mutex_lock(&l->lock);
    has = strstr(l->text, part) != NULL;
    pthread_mutex_unlock(&l->lock);
    return has;
}

static inline int log_downs(struct log *l)
{
    int n;

    pthread_mutex_lock(&l->lock);
    n = l->downs;
    pthread_mutex_unlock(&l->lock);
    return n;
}

/* log_is waits until the events are the expected ones, all of them. */
#define log_is(l, expected)                                                                        \
    do {                                                                                           \
        uint64_t log_until_ = test_now_ns() + TEST_WAIT_MS * UINT64_C(1000000);                    \
        while (!log_equals(l, expected) && test_now_ns() < log_until_)                             \
            sched_yield();                                                                         \
        cr_assert(log_equals(l, expected), "'%s' instead of '%s'", (l)->text, expected);           \
    } while (0)

/* ---- the actor ------------------------------------------------------------------------------- */

struct proc {
    struct log *log;
    gr_promise *kept; /* what "keep" has deferred */
    uint64_t last;    /* the youngest monitor */
};

static inline gr_code proc_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct proc *p = self;

    (void)c;
    p->log = gr_as_opaque(gr_get(args, "log"));
    if (gr_get(args, "fail") != NULL)
        return gr_fail(c, gr_error(GR_EREMOTE, "no init"));
    if (gr_get(args, "trap") != NULL)
        gr_trap_exit(c, true);
    if (gr_get(args, "nap") != NULL)
        return gr_sleep(gr_runtime_of(c), gr_as_int(gr_get(args, "nap"), 0));
    return GR_OK;
}

static inline void proc_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    struct proc *p = self;

    (void)c, (void)from;
    log_add(p->log, "exit", reason);
}

static inline void proc_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who,
                             const gr_value *reason)
{
    struct proc *p = self;

    (void)c, (void)monitor, (void)who;
    log_add(p->log, "down", reason);
}

/* terminate answers what is kept, if the reason says so, or sleeps. */
static inline void proc_terminate(gr_ctx *c, void *self, const gr_value *reason)
{
    struct proc *p = self;

    log_add(p->log, "terminate", reason);
    if (gr_reason_is(reason, "answer")) {
        gr_resolve(p->kept, gr_str("answered"));
        p->kept = NULL;
    }
    if (gr_reason_is(reason, "linger")) {
        gr_code rc = gr_sleep(gr_runtime_of(c), 600000);

        log_add(p->log, rc == GR_EINTR ? "cut" : "slept", NULL);
    }
}

static inline void proc_stopped(void *self, const gr_value *args)
{
    struct proc *p = self;
    struct log *l = gr_as_opaque(gr_get(args, "log"));

    gr_promise_free(p->kept);
    if (l != NULL)
        log_add(l, "stopped", NULL);
}

static inline gr_value *proc_code(gr_code rc)
{
    return rc == GR_OK ? gr_nil() : gr_error(rc, "%s", gr_code_name(rc));
}

static inline gr_value *proc_link(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return proc_code(gr_link(c, gr_as_ref(args)));
}

static inline gr_value *proc_unlink(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_unlink(c, gr_as_ref(args));
    return gr_nil();
}

static inline gr_value *proc_monitor(gr_ctx *c, void *self, const gr_value *args)
{
    struct proc *p = self;
    gr_code rc = gr_monitor(c, gr_as_ref(args), &p->last);

    return rc == GR_OK ? gr_int((int64_t)p->last) : proc_code(rc);
}

static inline gr_value *proc_demonitor(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_bool(gr_demonitor(c, (uint64_t)gr_as_int(args, 0)));
}

/* forget [monitor, who] stops who, waits for its end, and takes the monitor back, which was set before
 * the future, so it has fired by then. */
static inline gr_value *proc_forget(gr_ctx *c, void *self, const gr_value *args)
{
    gr_runtime *r = gr_runtime_of(c);
    gr_ref who = gr_as_ref(gr_at(args, 1));
    gr_future *f = gr_ended(r, who);

    (void)self;
    gr_stop(r, who);
    gr_await(f, -1);
    gr_future_free(f);
    return gr_int(gr_demonitor(c, (uint64_t)gr_as_int(gr_at(args, 0), 0)));
}

/* storm [who, count] sets as many monitors, and gives how many. */
static inline gr_value *proc_storm(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t count = gr_as_int(gr_at(args, 1), 0), i = 0;
    uint64_t m = 0;

    (void)self;
    while (i < count && gr_monitor(c, gr_as_ref(gr_at(args, 0)), &m) == GR_OK)
        i++;
    return gr_int(i);
}

static inline gr_value *proc_trap(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_trap_exit(c, gr_as_bool(args, false));
    return gr_nil();
}

static inline gr_value *proc_exit(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_exit(c, gr_value_ref(args));
}

static inline gr_value *proc_sleep(gr_ctx *c, void *self, const gr_value *args)
{
    struct proc *p = self;
    gr_code rc;

    log_add(p->log, "asleep", NULL);
    rc = gr_sleep(gr_runtime_of(c), gr_as_int(args, 0));
    log_add(p->log, rc == GR_EINTR ? "interrupted" : "slept", NULL);
    /* all later waits fail at once */
    if (rc == GR_EINTR && gr_sleep(gr_runtime_of(c), 600000) != GR_EINTR)
        log_add(p->log, "went on", NULL);
    return proc_code(rc);
}

static inline gr_value *proc_keep(gr_ctx *c, void *self, const gr_value *args)
{
    struct proc *p = self;

    (void)args;
    p->kept = gr_defer(c);
    return NULL;
}

/* spawn makes a linked or monitored child of the class given in its arguments' place. */
static gr_value *proc_spawn(gr_ctx *c, void *self, const gr_value *args);

/* receive sleeps for so long, or exits with the message. */
static inline void proc_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    if (gr_value_type(msg) == GR_INT)
        gr_value_unref(proc_sleep(c, self, msg));
    else
        gr_value_unref(gr_exit(c, gr_value_ref(msg)));
}

static const gr_method proc_methods[] = {
    { "link", GR_ASYNC, proc_link, NULL },           { "unlink", GR_ASYNC, proc_unlink, NULL },
    { "monitor", GR_ASYNC, proc_monitor, NULL },     { "trap", GR_ASYNC, proc_trap, NULL },
    { "forget", GR_ASYNC, proc_forget, NULL },       { "storm", GR_ASYNC, proc_storm, NULL },
    { "demonitor", GR_ASYNC, proc_demonitor, NULL }, { "exit", GR_ASYNC, proc_exit, NULL },
    { "sleep", GR_ASYNC, proc_sleep, NULL },         { "block", GR_BLOCKING, proc_sleep, NULL },
    { "keep", GR_ASYNC, proc_keep, NULL },           { "spawn", GR_ASYNC, proc_spawn, NULL }
};
static const gr_class proc_class =
    GR_CLASS(.name = "proc", .state_size = sizeof(struct proc), .init = proc_init,
             GR_METHODS(proc_methods), .receive = proc_receive, .stopped = proc_stopped,
             .exited = proc_exited, .down = proc_down, .terminate = proc_terminate);
static const gr_class reentrant_proc_class =
    GR_CLASS(.name = "reentrant_proc", .state_size = sizeof(struct proc), .reentrant = true,
             .init = proc_init, GR_METHODS(proc_methods), .receive = proc_receive,
             .stopped = proc_stopped, .exited = proc_exited, .down = proc_down,
             .terminate = proc_terminate);

static gr_value *proc_spawn(gr_ctx *c, void *self, const gr_value *args)
{
    struct proc *p = self;
    bool link = gr_get(args, "link") != NULL;
    gr_value *child =
        gr_get(args, "child") != NULL ? gr_value_ref(gr_get(args, "child")) : gr_map_n(NULL, 0);
    gr_ref r = gr_spawn(root, &proc_class,
                        GR_SPAWN(.link = link, .args = child,
                                 .ret_monitor = gr_get(args, "monitor") != NULL ? &p->last : NULL));

    (void)c;
    return gr_ref_value(r);
}

static inline gr_ref proc_with(struct log *l, gr_value *args)
{
    return gr_spawn(root, &proc_class, GR_SPAWN(.args = gr_set(args, "log", gr_opaque(l, NULL))));
}

/* ask has it do something, and gives the code. */
static inline gr_code ask(gr_ref who, const char *verb, gr_value *args)
{
    return code_of(gr_acall(rt, who, verb, args, NULL));
}

static inline gr_code ask_ref(gr_ref who, const char *verb, gr_ref arg)
{
    return ask(who, verb, gr_ref_value(arg));
}

/* begun waits until an actor's init is over: one that exits before that neither traps nor says
 * farewell. */
static inline gr_ref begun(gr_ref r)
{
    cr_assert_eq(ask(r, "demonitor", gr_int(0)), GR_OK);
    return r;
}

static inline gr_ref proc(struct log *l)
{
    return begun(proc_with(l, gr_map_n(NULL, 0)));
}

static inline gr_ref trapping_proc(struct log *l)
{
    return begun(proc_with(l, gr_map(GR_KV("trap", gr_bool(true)))));
}

/* gone waits until an actor has ended, and gives the reason, yours. */
static inline gr_value *gone(gr_ref who)
{
    gr_future *f = gr_ended(rt, who);
    gr_outcome o = gr_await(f, TEST_WAIT_MS);
    gr_value *reason;

    cr_assert_neq(o.code, GR_EPENDING, "it does not end");
    reason = gr_value_ref(o.code == GR_OK ? o.value : o.error);
    gr_future_free(f);
    return reason;
}

static inline void gone_is(gr_ref who, const char *word)
{
    gr_value *reason = gone(who);

    cr_assert(gr_reason_is(reason, word) || gr_reason_is(reason, "noproc"), "%s instead of %s",
              gr_cstr(reason, gr_error_text(reason)), word);
    gr_value_unref(reason);
}

#endif
