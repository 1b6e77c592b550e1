/* SPDX-License-Identifier: Apache-2.0 */
/*
 * party.h - an actor that links, watches, and keeps what it hears, for tests of ties between nodes. It does
 * what it is asked for:
 *
 *   invoke    gives its input back
 *   self      its ref
 *   link, unlink, monitor (its number, or the code of the error), demonitor, trap
 *   exit      it exits with that reason
 *   exit_to, tell, call    {"to", "what"}
 *   farewell  it tells that ref 0 to 99, sends it the exit signal "bye", and exits with "gone"
 *   heard     all that it has heard: ["told", message], ["down", number, who, reason], ["exited", from, reason]
 */
#ifndef GR_TESTS_SUPPORT_PARTY_H
#define GR_TESTS_SUPPORT_PARTY_H

#include <greenroom/greenroom.h>

struct party {
    gr_value *heard; /* owned */
};

static inline gr_code party_init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    ((struct party *)self)->heard = gr_list_n(NULL, 0);
    gr_trap_exit(c, gr_as_bool(args, false));
    return GR_OK;
}

static inline void party_stopped(void *self, const gr_value *args)
{
    (void)args;
    gr_value_unref(((struct party *)self)->heard);
}

static inline void party_note(void *self, gr_value *what)
{
    ((struct party *)self)->heard = gr_append(((struct party *)self)->heard, what);
}

static inline void party_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c;
    party_note(self, gr_list(gr_str("told"), gr_value_ref(msg)));
}

static inline void party_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who,
                              const gr_value *reason)
{
    (void)c;
    party_note(self, gr_list(gr_str("down"), gr_int((int64_t)monitor), gr_ref_value(who),
                             gr_value_ref(reason)));
}

static inline void party_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    (void)c;
    party_note(self, gr_list(gr_str("exited"), gr_ref_value(from), gr_value_ref(reason)));
}

static inline gr_value *party_echo(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

static inline gr_value *party_self(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_ref_value(gr_self(c));
}

static inline gr_value *party_link(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_int(gr_link(c, gr_as_ref(args)));
}

static inline gr_value *party_unlink(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_unlink(c, gr_as_ref(args));
    return gr_nil();
}

static inline gr_value *party_monitor(gr_ctx *c, void *self, const gr_value *args)
{
    uint64_t number = 0;
    gr_code rc = gr_monitor(c, gr_as_ref(args), &number);

    (void)self;
    return rc == GR_OK ? gr_int((int64_t)number) : gr_error(rc, "no monitor");
}

static inline gr_value *party_demonitor(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_bool(gr_demonitor(c, (uint64_t)gr_as_int(args, 0)));
}

static inline gr_value *party_trap(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_trap_exit(c, gr_as_bool(args, true));
    return gr_nil();
}

static inline gr_value *party_exit(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_exit(c, gr_value_ref(args));
}

static inline gr_value *party_exit_to(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_int(gr_exit_to(gr_runtime_of(c), gr_as_ref(gr_get(args, "to")),
                             gr_value_ref(gr_get(args, "what"))));
}

static inline gr_value *party_tell(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_int(gr_tell(gr_runtime_of(c), gr_as_ref(gr_get(args, "to")),
                          gr_value_ref(gr_get(args, "what"))));
}

static inline gr_value *party_call(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL, *v = gr_invoke(gr_runtime_of(c), gr_as_ref(gr_get(args, "to")),
                                         gr_value_ref(gr_get(args, "what")), NULL, &err);

    (void)self;
    return v != NULL ? v : err;
}

static inline gr_value *party_farewell(gr_ctx *c, void *self, const gr_value *args)
{
    gr_runtime *in = gr_runtime_of(c);
    gr_code rc = GR_OK;

    (void)self;
    for (int i = 0; i < 100 && rc == GR_OK; i++)
        rc = gr_tell(in, gr_as_ref(args), gr_int(i));
    if (rc == GR_OK)
        rc = gr_exit_to(in, gr_as_ref(args), gr_str("bye"));
    return gr_exit(c, rc == GR_OK ? gr_str("gone") : gr_error(rc, "it was not told"));
}

static inline gr_value *party_heard(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)args;
    return gr_value_ref(((struct party *)self)->heard);
}

/* party_spawn makes one that traps exits, or does not; ties_max: 0 for the default. */
static inline gr_ref party_spawn_with(gr_runtime *in, bool traps, size_t ties_max)
{
    static const gr_method methods[] = { { "invoke", GR_CHEAP, party_echo, NULL },
                                         { "self", GR_CHEAP, party_self, NULL },
                                         { "link", GR_CHEAP, party_link, NULL },
                                         { "unlink", GR_CHEAP, party_unlink, NULL },
                                         { "monitor", GR_CHEAP, party_monitor, NULL },
                                         { "demonitor", GR_CHEAP, party_demonitor, NULL },
                                         { "trap", GR_CHEAP, party_trap, NULL },
                                         { "exit", GR_CHEAP, party_exit, NULL },
                                         { "exit_to", GR_CHEAP, party_exit_to, NULL },
                                         { "tell", GR_CHEAP, party_tell, NULL },
                                         { "call", GR_ASYNC, party_call, NULL },
                                         { "heard", GR_CHEAP, party_heard, NULL },
                                         { "farewell", GR_CHEAP, party_farewell, NULL } };
    static const gr_class cls =
        GR_CLASS(.name = "party", .state_size = sizeof(struct party), .init = party_init,
                 .receive = party_receive, .down = party_down, .exited = party_exited,
                 .stopped = party_stopped, GR_METHODS(methods));

    return gr_spawn(gr_root(in), &cls, GR_SPAWN(.args = gr_bool(traps), .ties_max = ties_max));
}

static inline gr_ref party_spawn(gr_runtime *in, bool traps)
{
    return party_spawn_with(in, traps, 0);
}

#endif
