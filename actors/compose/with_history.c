/* SPDX-License-Identifier: Apache-2.0 */
/*
 * with_history.c - gr_with_message_history: a session's messages into a runnable, the new ones back
 * into the session.
 *
 * Its handlers wait, each on a fiber: for the turn of their session, unless turns may overlap, then for
 * the runnable. Who has the turn says so in the configurable of what it calls, so that a call that
 * comes back to the same session is let through: it would wait for itself. With shared_turns it is the history
 * that says whose turn it is, by a stream that is left when the turn is over. The new messages and the
 * answer are added by one message to the history's actor, so that turns that overlap lose nothing.
 */
#include <greenroom/codec.h>
#include <greenroom/history.h>
#include <greenroom/message.h>

#include "actors/compose/describe.h"
#include "actors/compose/pass.h"
#include "actors/compose/steps.h"
#include "actors/compose/turnstile.h"
#include "actors/message/session.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"

#define IDS_MAX 64
#define TURNS "__history_turns" /* in the configurable: the turns that a call is made in */

struct talk {
    gr_ref runnable, history;
    char *input_key, *output_key, *history_key; /* owned, or NULL */
    gr_value *ids;                              /* counted; a list of names */
    bool default_ids;                           /* none were given */
    bool overlaps, shared_turns;
    struct gri_turnstile *turns; /* owned */
};

static void talk_free(void *p)
{
    struct talk *t = p;

    gri_free(t->input_key);
    gri_free(t->output_key);
    gri_free(t->history_key);
    gr_value_unref(t->ids);
    gri_free(t->turns);
    gri_free(t);
}

/* ---- reading what was given and what was answered -------------------------------------------- */

static bool is_message(const gr_value *v)
{
    return gr_get(v, "content") != NULL && (gr_get(v, "type") != NULL || gr_get(v, "role") != NULL);
}

/* inside returns what of v holds the messages: v itself, or what it has under key, or under its only
 * key, or under `otherwise`. NULL: nothing. */
static const gr_value *inside(const gr_value *v, const char *key, const char *otherwise)
{
    const char *only = NULL;

    if (gr_value_type(v) != GR_MAP || is_message(v))
        return v;
    if (key != NULL)
        return gr_get(v, key);
    if (gr_len(v) == 1)
        return gr_pair_at(v, 0, &only);
    return gr_get(v, otherwise);
}

/* messages_of gives the list of messages in v, or an error. A text is by `role`. */
static gr_value *messages_of(const gr_value *v, const char *key, const char *otherwise,
                             const char *role)
{
    const gr_value *found = inside(v, key, otherwise);

    if (gr_value_type(found) == GR_STR)
        return gr_list(gr_message(role, gr_value_ref(found)));
    if (gr_value_type(found) == GR_LIST && gr_len(found) == 0)
        return gr_value_ref(found);
    if (found == NULL || (gr_value_type(found) != GR_LIST && !is_message(found)))
        return gr_error(GR_ETYPE, "Expected a text, a message or a list of messages as %s, not %s",
                        otherwise, gr_type_name(gr_value_type(found)));
    return gr_messages_coerce(gr_value_ref(found));
}

/* ids_of reads the session's ids out of the config; an error names all that are not there. */
static gr_value *ids_of(gr_ctx *c, const struct talk *t)
{
    const gr_value *configurable = gr_get(gr_config(c), "configurable");
    gr_value *ids = gr_map_n(NULL, 0), *missing = gr_str("");

    for (size_t i = 0; i < gr_len(t->ids); i++) {
        const char *key = gr_cstr(gr_at(t->ids, i), "");
        const gr_value *v = gr_get(configurable, key);

        if (gr_is_nil(v))
            missing = gr_add(missing, gr_strf("%s'%s'", gr_len(missing) > 0 ? ", " : "", key));
        else
            ids = gr_set(ids, key, gr_value_ref(v));
    }
    if (gr_len(missing) > 0) {
        gr_value_unref(ids);
        ids = gr_error(GR_EINVAL,
                       "Missing keys [%s] in config['configurable']; give them by "
                       "{\"configurable\": {\"%s\": …}}",
                       gr_cstr(missing, ""), gr_cstr(gr_at(t->ids, 0), ""));
    }
    gr_value_unref(missing);
    return ids;
}

/* ---- a turn ---------------------------------------------------------------------------------- */

/* One call, while it lasts. */
struct turn {
    const struct talk *talk; /* borrowed from the actor */
    gr_value *ids;           /* counted */
    gr_value *said;          /* counted; the new messages */
    gr_call_opts opts;       /* the runnable's */
    struct gri_ticket *ticket;
    gr_stream *shared; /* owned; the turn at the history, until it is left */
};

static void turn_end(struct turn *t)
{
    gri_turnstile_leave(t->talk->turns, t->ticket);
    gr_stream_free(t->shared);
    gr_value_unref(t->ids);
    gr_value_unref(t->said);
}

/* with_history gives the runnable's input; history is taken. */
static gr_value *with_history(const struct turn *t, const gr_value *input, gr_value *history)
{
    const struct talk *talk = t->talk;
    const char *key = talk->history_key != NULL ? talk->history_key : talk->input_key;

    if (talk->history_key == NULL)
        history = gr_add(history, gr_value_ref(t->said));
    if (key == NULL)
        return history;
    if (gr_value_type(input) != GR_MAP || is_message(input)) {
        gr_value_unref(history);
        return gr_error(GR_ETYPE, "The input to RunnableWithMessageHistory must be a dict, not %s",
                        gr_type_name(gr_value_type(input)));
    }
    return gr_set(gr_value_ref(input), key, history);
}

/* turn_name names the session's turn, for this actor. */
static gr_value *turn_name(gr_ctx *c, const struct turn *t, gr_value **ret_err)
{
    char *session = gri_session_name(t->ids, ret_err);
    gr_value *name = NULL;

    if (session != NULL)
        name = gr_strf("%llx %s", (unsigned long long)gr_self(c).id, session);
    gr_free(session);
    return name;
}

/* take_shared_turn waits for the history to say that it is. */
static gr_value *take_shared_turn(gr_ctx *c, struct turn *t)
{
    const gr_value *held = gri_turnstile_held(c, TURNS);
    gr_value *args = gr_map(GR_KV("ids", gr_value_ref(t->ids)));
    gr_outcome o;

    if (held != NULL)
        args = gr_set(args, "held", gr_value_ref(held));
    t->shared = gr_astream_call(gr_runtime_of(c), t->talk->history, "turn", args, NULL, NULL);
    o = gr_next(t->shared, -1);
    if (o.code == GR_EINTR)
        return gri_was_cancelled();
    if (o.code != GR_OK)
        return o.error != NULL ? gr_value_ref(o.error)
                               : gr_error(o.code, "the history gave no turn");
    if (!gri_turnstile_has(held, o.value))
        gri_turnstile_hold(c, TURNS, gr_value_ref(o.value), &t->opts);
    return NULL;
}

/* take_turn waits until it is the session's turn of this call. NULL, or why not. */
static gr_value *take_turn(gr_ctx *c, struct turn *t)
{
    gr_value *err = NULL, *name;

    if (t->talk->overlaps)
        return NULL;
    if (t->talk->shared_turns)
        return take_shared_turn(c, t);
    name = turn_name(c, t, &err);
    if (name == NULL)
        return err;
    return gri_turnstile_take(c, t->talk->turns, TURNS, name, &t->opts, &t->ticket);
}

/* turn_input gives the runnable's input, or an error. */
static gr_value *turn_input(gr_ctx *c, struct turn *t, const gr_value *input)
{
    const struct talk *talk = t->talk;
    gr_value *history, *err = NULL;

    t->ids = ids_of(c, talk);
    if (gr_error_code(t->ids) != GR_OK)
        return gr_value_ref(t->ids);
    t->said = messages_of(input, talk->input_key, "input", "human");
    if (gr_error_code(t->said) != GR_OK)
        return gr_value_ref(t->said);
    err = take_turn(c, t);
    if (err != NULL)
        return err;
    history =
        gr_do(gr_runtime_of(c), talk->history, "get_messages", gr_value_ref(t->ids), NULL, &err);
    if (history == NULL)
        return err;
    return with_history(t, input, history);
}

/* turn_begin fills t in and gives the runnable's input, or an error; then its options are gone, too. In
 * both cases turn_end is due. */
static gr_value *turn_begin(gr_ctx *c, struct turn *t, const gr_value *input)
{
    gr_value *v;

    *t = (struct turn){ .talk = gr_as_opaque(gr_args(c)), .opts = gri_pass_opts(c) };
    v = turn_input(c, t, input);
    if (gr_error_code(v) != GR_OK)
        gr_value_unref(t->opts.config);
    return v;
}

/* keep adds what was said, and the answer, to the session. */
static void keep(gr_ctx *c, struct turn *t, const gr_value *output)
{
    gr_value *answer = gr_message_of_chunk(gr_value_ref(output)), *err = NULL, *ours;

    if (gr_error_code(answer) != GR_OK) /* chunks that don't add up */
        ours = gr_value_ref(answer);
    else
        ours = messages_of(answer, t->talk->output_key, "output", "ai");
    gr_value_unref(answer);
    if (gr_error_code(ours) == GR_OK) {
        gr_value *both = gr_add(gr_value_ref(t->said), ours);

        gr_value_unref(gr_do(gr_runtime_of(c), t->talk->history, "add_messages",
                             gr_map(GR_KV("ids", gr_value_ref(t->ids)), GR_KV("messages", both)),
                             NULL, &err));
    } else {
        err = ours;
    }
    if (err != NULL)
        gri_log(3, "a message history could not be written: %s", gr_error_text(err));
    gr_value_unref(err);
}

static gr_value *talk_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    struct turn t;
    gr_value *v = turn_begin(c, &t, input), *err = NULL;

    (void)self;
    if (gr_error_code(v) == GR_OK) {
        v = gr_invoke(gr_runtime_of(c), t.talk->runnable, v, &t.opts, &err);
        if (v != NULL)
            keep(c, &t, v);
        else
            v = err;
    }
    turn_end(&t);
    return v;
}

static gr_code talk_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *input)
{
    struct turn t;
    gr_value *v = turn_begin(c, &t, input), *sum = NULL, *err = NULL;
    gr_code rc;

    (void)self;
    (void)in;
    if (gr_error_code(v) != GR_OK) {
        turn_end(&t);
        return gr_fail(c, v);
    }
    rc = gri_pass_stream(c, gr_astream(gr_runtime_of(c), t.talk->runnable, v, &t.opts), &sum, &err);
    if (err != NULL)
        rc = gr_fail(c, err);
    if (rc == GR_OK)
        keep(c, &t, sum);
    gr_value_unref(sum);
    turn_end(&t);
    return rc;
}

/* spec_of_session is that of the id that is used when none is given. */
static gr_value *spec_of_session(void)
{
    return gr_merge(gr_map(GR_KV("id", gr_str("session_id")), GR_KV("default", gr_str(""))),
                    gri_describe_says("Session ID", "Unique identifier for a session.", true));
}

static gr_value *talk_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct talk *t = gr_as_opaque(gr_args(c));
    gr_value *whole = gri_describe_ref(c, t->runnable);

    (void)self;
    (void)args;
    for (size_t i = 0; i < gr_len(t->ids); i++)
        whole = gri_describe_spec(whole, t->default_ids
                                             ? spec_of_session()
                                             : gr_map(GR_KV("id", gr_value_ref(gr_at(t->ids, i)))));
    return whole;
}

static const gr_method talk_methods[] = {
    { "invoke", GR_ASYNC, talk_invoke, NULL },
    { "stream", GR_ASYNC, NULL, talk_stream },
    { "describe", GR_ASYNC, talk_describe, NULL },
};
static const gr_class talk_class =
    GR_CLASS(.name = "RunnableWithMessageHistory", GR_METHODS(talk_methods));

/* ---- making ---------------------------------------------------------------------------------- */

/* copy_key copies a key that may be NULL; false: out of memory. */
static bool copy_key(char **ret, const char *key)
{
    *ret = key != NULL ? gri_strdup(key) : NULL;
    return key == NULL || *ret != NULL;
}

static gr_value *read_opts(struct talk *t, const gr_history_opts *o)
{
    static const char *const session_id[] = { "session_id" };
    const char *const *ids = o->ids != NULL ? o->ids : session_id;
    size_t count = o->ids != NULL ? o->id_count : 1;

    t->history = o->history;
    t->default_ids = o->ids == NULL;
    t->overlaps = o->overlaps;
    t->shared_turns = o->shared_turns;
    t->turns = gri_new0(struct gri_turnstile);
    if (t->turns == NULL)
        return gri_no_memory();
    gri_turnstile_init(t->turns);
    t->ids = gr_list_n(NULL, 0);
    if (count == 0 || count > IDS_MAX)
        return gr_error(GR_EINVAL, "with_message_history: 1 to %d ids name a session", IDS_MAX);
    for (size_t i = 0; i < count; i++)
        t->ids = gr_append(t->ids, gr_str(ids[i]));
    if (gr_error_code(t->ids) != GR_OK)
        return gr_value_ref(t->ids);
    if (!copy_key(&t->input_key, o->input_messages_key) ||
        !copy_key(&t->output_key, o->output_messages_key) ||
        !copy_key(&t->history_key, o->history_messages_key))
        return gri_no_memory();
    return NULL;
}

gr_ref gr_with_message_history(gr_scope *in, gr_ref runnable, const gr_history_opts *opts)
{
    static const gr_history_opts none = { .size = sizeof(none) };
    const gr_history_opts *o = opts != NULL ? opts : &none;
    struct talk *t;
    gr_value *err;

    if (gri_ref_broken(in, runnable))
        return runnable;
    if (gri_ref_broken(in, o->history))
        return o->history;
    t = gri_new0(struct talk);
    if (t == NULL)
        return gri_compose_spawn(in, &talk_class, "RunnableWithMessageHistory", gri_no_memory());
    t->runnable = runnable;
    err = read_opts(t, o);
    if (err != NULL)
        talk_free(t);
    return gri_compose_spawn(in, &talk_class, "RunnableWithMessageHistory",
                             err != NULL ? err : gr_opaque(t, talk_free));
}
