/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_history.c - gr_shared_history: whose turn it is in a session, for all processes that ask.
 *
 * A turn is a stream: its only chunk says that it has come, and it lasts until the stream is left. So a caller that is
 * cancelled, or whose process or link is lost, gives its turn back as it gives back everything else. What is kept is kept by
 * another history.
 */
#include <greenroom/codec.h>
#include <greenroom/history.h>
#include <greenroom/runtime.h>

#include "actors/compose/steps.h"
#include "actors/compose/turnstile.h"
#include "actors/message/session.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"

#define TURN_MS ((int64_t)600 * 1000)
#define TURN_MAX_MS ((int64_t)86400 * 1000)

/* The spawn argument. */
struct shared {
    gr_ref history;
    int64_t turn_max_ms;
    struct gri_turnstile turns;
};

static gr_value *hand_on(gr_ctx *c, void *self, const gr_value *args)
{
    const struct shared *s = gr_as_opaque(gr_args(c));

    (void)self;
    return gr_delegate(c, s->history, gr_verb(c), gr_value_ref(args));
}

/* turn_name names a session's turn among those of all nodes; an error value. */
static gr_value *turn_name(gr_ctx *c, const gr_value *ids)
{
    gr_value *err = NULL, *name;
    char *session = gri_session_name(ids, &err);

    if (session == NULL)
        return err;
    name = gr_strf("%llx.%llx %s", (unsigned long long)gr_self(c).node,
                   (unsigned long long)gr_self(c).id, session);
    gr_free(session);
    return name;
}

/* have gives the turn to who asked, and waits for its end. */
static gr_code have(gr_ctx *c, const struct shared *s, const gr_value *name)
{
    gr_code rc = gr_emit(c, gr_value_ref(name));

    if (rc == GR_OK)
        rc = gr_sleep(gr_runtime_of(c), s->turn_max_ms);
    if (rc == GR_OK) {
        gri_log(3, "a turn of a session took more than %lld ms: the next one is let in",
                (long long)s->turn_max_ms);
        return gr_fail(
            c, gr_error(GR_ETIMEDOUT, "a turn of more than %lld ms", (long long)s->turn_max_ms));
    }
    return rc == GR_EINTR ? GR_ECANCELED : rc;
}

static gr_code turn(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    struct shared *s = gr_as_opaque(gr_args(c));
    gr_value *name = turn_name(c, gr_get(args, "ids"));
    struct gri_ticket *ticket = NULL;
    gr_code rc = gr_error_code(name);

    (void)self;
    (void)in;
    if (rc != GR_OK)
        return gr_fail(c, name);
    if (gri_turnstile_has(gr_get(args, "held"), name))
        return gr_emit(c, name); /* it is part of that turn */
    rc = gri_turnstile_enter(&s->turns, gr_runtime_of(c), gr_cstr(name, ""), &ticket);
    if (rc == GR_OK)
        rc = have(c, s, name);
    gri_turnstile_leave(&s->turns, ticket);
    gr_value_unref(name);
    return rc;
}

static const gr_method shared_methods[] = {
    { "get_messages", GR_ASYNC, hand_on, NULL },
    { "add_messages", GR_ASYNC, hand_on, NULL },
    { "clear", GR_ASYNC, hand_on, NULL },
    { "turn", GR_ASYNC, NULL, turn },
};
static const gr_class shared_class = GR_CLASS(.name = "SharedHistory", GR_METHODS(shared_methods));

/* make gives the spawn argument, or an error. */
static gr_value *make(gr_ref history, int64_t turn_max_ms)
{
    struct shared *s;

    if (turn_max_ms < 0 || turn_max_ms > TURN_MAX_MS)
        return gr_error(GR_EINVAL, "shared_history: turn_max_ms is at most a day");
    s = gri_new0(struct shared);
    if (s == NULL)
        return gri_no_memory();
    s->history = history;
    s->turn_max_ms = turn_max_ms != 0 ? turn_max_ms : TURN_MS;
    gri_turnstile_init(&s->turns);
    return gr_opaque(s, gri_free);
}

gr_ref gr_shared_history(gr_scope *in, gr_ref history, const gr_shared_opts *opts)
{
    if (gri_ref_broken(in, history))
        return history;
    return gr_spawn(in, &shared_class,
                    GR_SPAWN(.name = "shared history",
                             .args = make(history, opts != NULL ? opts->turn_max_ms : 0)));
}
