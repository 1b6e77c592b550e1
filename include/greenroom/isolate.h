/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate.h - actors in a process of their own, so that their crash is an exit reason here.
 *
 * A segfault in C ends the process that it happens in. An isolated actor lives in a child process,
 * another copy of this program, and what is here is a stand-in: it is called, streamed, cancelled,
 * linked, monitored and supervised like any actor. When the child ends (a signal, abort, exit, its
 * limits) the stand-in exits with an error of kind "IsolatedExit",
 *
 *   isolated process ended: signal 11 (SIGSEGV)
 *
 * whose detail is {"pid": …, "signal": 11} or {"pid": …, "status": 3}. Calls in flight fail at once,
 * as with any exit (link.h): GR_EBROKEN, kind "ActorExit", that error as the cause; they may be retried.
 * A supervisor makes a new one, in a new process.
 *
 *   static const gr_isolated_kind kinds[] = {
 *       { .name = "parser", .cls = &parser_class },
 *       { .name = "model", .start = start_model },
 *   };
 *
 *   int main(int argc, char **argv)
 *   {
 *       gr_isolate_main(argc, argv, kinds, 2);
 *       …
 *       gr_ref parser = gr_spawn(in, &parser_class, GR_SPAWN(.isolate = GR_ISOLATE()));
 *       gr_ref model = gr_isolated(in, "model", GR_SPAWN(.args = gr_str("small")));
 *
 * Only values cross: arguments, messages and answers hold nothing opaque (GR_ETYPE). The child has
 * none of the parent's state, descriptors, threads or signal settings; it has its environment. Its
 * standard output goes where its standard error goes, its standard input is empty. It ends with its
 * parent. The link to it has the runtime's cluster and secret: gr_node_configure comes before the first
 * isolated actor. Calls that are made without waiting for each other may overtake each other on the way.
 * In a simulation there is one process: there the actor is made in it. See docs/isolation.md.
 */
#ifndef GREENROOM_ISOLATE_H
#define GREENROOM_ISOLATE_H

#include <greenroom/actor.h>
#include <greenroom/supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What can be isolated: a class, or a function that makes the actor in the child. */
typedef struct gr_isolated_kind {
    const char *name;    /* unique in the table */
    const gr_class *cls; /* one of the two */
    gr_start_fn *start;
    void *arg;           /* for start */
} gr_isolated_kind;

/*
 * gr_isolate_main is called first in main, before threads, runtimes and the reading of options: only
 * gr_set_allocator and gr_set_log come before. In the program it notes the table and returns; in a
 * child process it is the main, and never returns. Parent and child are the same program, so they
 * have the same table. kinds and what it points to must stay valid: make them static. Once a process;
 * what a later call gives is used from then on.
 */
GR_API void gr_isolate_main(int argc, char **argv, const gr_isolated_kind *kinds, size_t count);

/* How a child process is run: gr_spawn_opts.isolate. Copied. */
typedef struct gr_isolate_opts {
    size_t size;
    int64_t start_ms;   /* for the process, and the actor's init in it; default 10,000 */
    /* bytes of data that the process may have (RLIMIT_DATA): beyond, allocation fails there. Default
     * 2 GiB; SIZE_MAX: no limit. Not applied by a library built with a sanitizer */
    size_t memory_max;
    unsigned workers;   /* of its runtime; default 1 */
    /* a process that shows no sign of life for so long is killed: it was stopped, or the machine can't
     * run it. Counted in seconds that this process has run itself. Default 4000; negative: never */
    int64_t silence_ms;
    /* the program to run, which must call gr_isolate_main with a table that has the kind; default:
     * this one */
    const char *program;
} gr_isolate_opts;
#define GR_ISOLATE(...) GR_OPT(gr_isolate_opts, __VA_ARGS__)

/*
 * gr_isolated makes an isolated actor of a kind. opts is what gr_spawn takes: args goes to the child, as
 * do the limits of the mailbox and of handlers if the kind is a class; name, link, ret_monitor,
 * callbacks, ties_max and terminate_ms (how long the child has to end) are the stand-in's; worker has
 * no meaning. isolate may be NULL: defaults. gr_spawn with .isolate is the same for a class that is in
 * the table. The process starts in the stand-in's init, so gr_started waits for it and a supervisor's
 * start_ms bounds it.
 * Errors, told by gr_check and gr_started: GR_EINVAL the kind or class is not in the table, or
 *          gr_isolate_main was not called; GR_EFULL isolated_max processes (runtime.h); GR_ETYPE the
 *          arguments can't cross; GR_ETIMEDOUT start_ms; GR_EBROKEN the program can't be run, or it ended;
 *          and those of the actor's own init.    [any]
 */
GR_API gr_ref gr_isolated(gr_scope *in, const char *kind, const gr_spawn_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
