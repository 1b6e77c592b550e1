/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/observed.h"

#include <string.h>

#include "runtime/actor/ctx.h"
#include "runtime/actor/far.h"
#include "runtime/actor/hold.h"
#include "runtime/actor/run_config.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/utf8.h"
#include "runtime/observe/handler_of.h"
#include "runtime/observe/run.h"
#include "runtime/observe/run_copy.h"

#define TAG_MAX 256 /* bytes of a tag; what is longer is cut */

struct gri_observed *gri_observed_of(struct gri_call *call)
{
    struct gri_call_more *more = gri_call_has_more(call);

    /* acquire: pairs with publish */
    return more != NULL ? atomic_load_explicit(&more->observed, memory_order_acquire) : NULL;
}

static struct gri_run *run_of(struct gri_observed *o)
{
    return atomic_load_explicit(&o->run, memory_order_acquire);
}

/* within is the run that what the call starts is in, borrowed; NULL: none. */
static struct gri_run *within(struct gri_observed *o)
{
    struct gri_run *r = run_of(o);

    return r != NULL ? r : o->parent;
}

static const gr_value *callbacks_of(const gr_value *config)
{
    const gr_value *list = gr_get(config, "callbacks");

    return gr_value_type(list) == GR_LIST && gr_len(list) != 0 ? list : NULL;
}

/* ---- streams --------------------------------------------------------------------------------- */

static void end_all(struct gri_observed *o, const gr_value *v)
{
    struct gri_run *r = run_of(o);

    if (r != NULL && r != o->base)
        gri_run_end(r, o->base, v);
}

/* come_to_end is for the two that a stream's end takes, its producer and its reader. */
static void come_to_end(struct gri_call *call, bool left)
{
    struct gri_observed *o = gri_observed_of(call);

    gri_run_enter(o->tree);
    if (left)
        o->left = true;
    else
        o->written = true;
    if (o->left && o->written)
        end_all(o, call->future.failed ? call->future.result : NULL);
    gri_run_leave(o->tree);
}

/* answers_at_once: a prompt or the like has no stream, in langchain-core: its run is over when there is
 * an answer, before that goes on as the one chunk of what it is in. */
static bool answers_at_once(const struct gri_call *call, const struct gri_run *r)
{
    return atomic_load_explicit(&call->one_chunk, memory_order_relaxed) &&
           r->seen.type != GR_TYPE_CHAIN;
}

static void tap_put(struct gr_future *producer, const gr_value *chunk)
{
    struct gri_call *call = gri_call_of(producer);
    struct gri_observed *o = gri_observed_of(call);
    struct gri_run *r = run_of(o);

    if (r != NULL && o->passing)
        r = r->parent;
    if (r != NULL && r != o->base && answers_at_once(call, r)) {
        struct gri_run *outer = r->nested ? r->parent : NULL;

        gri_run_end(r, outer, chunk);
        r = outer;
    }
    if (r != NULL)
        gri_run_chunk(r, o->base, chunk);
}

static void tap_left(struct gr_future *producer)
{
    gri_hold_left(gri_call_of(producer));
    come_to_end(gri_call_of(producer), true);
}

/* What answers with the one chunk has done its work, so that goes on. */
static bool tap_shut(struct gr_future *producer, struct gr_stream *s)
{
    struct gri_call *call = gri_call_of(producer);

    if (atomic_load_explicit(&call->one_chunk, memory_order_relaxed))
        return false;
    return s != NULL ? gri_hold_stream(call, s) : gri_hold_shut(call);
}

static const struct gri_stream_tap tap = { .put = tap_put, .left = tap_left, .shut = tap_shut };

/* What has a run begin when the first chunk of its input is read, and adds the input up. */
struct input {
    struct gri_stream_eater eater;
    struct gri_run *run; /* counted */
};

static void input_got(struct gri_stream_eater *e, const gr_value *chunk, gr_code rc)
{
    gri_run_read(gri_container_of(e, struct input, eater)->run, chunk, rc != GR_OK && rc != GR_EOS);
}

static void input_drop(struct gri_stream_eater *e)
{
    struct input *in = gri_container_of(e, struct input, eater);

    gri_run_unref(in->run);
    gri_free(in);
}

/* follow_input: false when out of memory. */
static bool follow_input(struct gri_run *r, struct gr_stream *s)
{
    struct input *in = gri_new0(struct input);

    if (in == NULL)
        return false;
    *in =
        (struct input){ .eater = { .got = input_got, .drop = input_drop }, .run = gri_run_ref(r) };
    gri_stream_watch_got(s, &in->eater);
    return true;
}

/* ---- making ---------------------------------------------------------------------------------- */

static void observed_drop(struct gri_observed *o)
{
    gri_run_unref(run_of(o));
    gri_run_unref(o->base);
    gri_run_unref(o->parent);
    gri_far_unref(atomic_load_explicit(&o->far, memory_order_relaxed));
    gri_hold_free(atomic_load_explicit(&o->hold, memory_order_relaxed));
    gri_run_tree_unref(o->tree);
    gr_value_unref(o->tag);
    gr_value_unref(o->local);
    gri_free(o);
}

/* observed_new makes what is to be published; tree is counted, NULL: a new one. NULL: out of memory. */
static struct gri_observed *observed_new(gr_runtime *rt, struct gri_run_tree *tree)
{
    struct gri_observed *o = gri_new0(struct gri_observed);

    if (o == NULL) {
        gri_run_tree_unref(tree);
        return NULL;
    }
    o->tree = tree != NULL ? tree : gri_run_tree_new(rt, &rt->run_trees);
    if (o->tree != NULL)
        return o;
    gri_free(o);
    return NULL;
}

/* watch_out: a cancellation may let the call, which is queued, leave meanwhile, and its stream go. */
static void watch_out(struct gri_call *call)
{
    struct gr_stream *out;

    gri_lock(&call->cancel.lock);
    out = call->out != NULL ? gri_stream_ref(call->out) : NULL;
    gri_unlock(&call->cancel.lock);
    if (out != NULL)
        gri_stream_watch_put(out, &tap);
    gri_stream_unref(out);
}

/* publish gives a call its part. A cancellation may look at it from now on. */
static bool publish(struct gri_call *call, struct gri_observed *o)
{
    struct gri_call_more *more = o != NULL ? gri_call_more(call) : NULL;

    if (more == NULL) {
        if (o != NULL)
            observed_drop(o);
        return false;
    }
    if (call->config == NULL) /* what it calls looks at that first: see give_config */
        call->config = gr_map_n(NULL, 0);
    atomic_store_explicit(&more->observed, o, memory_order_release);
    /* seq_cst: of "set observed, look for a cancellation" and "cancel, look for observed" the later one
     * sees the other; see gri_observe_arrival and gri_call_abort */
    atomic_store(&call->observed, true);
    call->heard = true;
    if (call->streams)
        watch_out(call);
    return true;
}

/* inherit: what a call has of its caller's part. */
static void inherit(struct gri_observed *o, struct gri_observed *from)
{
    struct gri_run *in = within(from);

    o->parent = in != NULL ? gri_run_ref(in) : NULL;
    if (from->lends) {
        from->lends = false;
        o->same = true;
        if (run_of(from) != NULL) {
            o->base = gri_run_ref(run_of(from));
            atomic_init(&o->run, gri_run_ref(o->base));
        }
    } else if (run_of(from) != NULL) {
        o->tag = from->tag;
        from->tag = NULL;
    } else { /* a batch: each of its calls stands where it does */
        o->tag = gr_value_ref(from->tag);
        o->local = gr_value_ref(from->local);
    }
}

/* come_from has what the call starts be where another process says. false: out of memory. */
static bool come_from(struct gri_observed *o, const gr_value *callbacks)
{
    const struct gri_origin *origin = gri_origin_of(callbacks);

    if (origin == NULL)
        return true;
    o->tag = gr_value_ref(origin->tag);
    if (origin->ids == NULL)
        return true;
    o->parent = gri_run_stand_in(o->tree, origin);
    return o->parent != NULL;
}

bool gri_observe_sent(struct gri_call *call, struct gri_call *parent, bool fresh, bool inside)
{
    struct gri_observed *from =
        parent != NULL && gri_call_observed(parent) && !fresh ? gri_observed_of(parent) : NULL;
    struct gri_observed *o;

    if (callbacks_of(call->config) == NULL &&
        (from == NULL || (!from->lends && (from->local == NULL || run_of(from) != NULL))))
        return true;
    o = observed_new(call->rt, from != NULL ? gri_run_tree_ref(from->tree) : NULL);
    if (o != NULL && from != NULL) {
        inherit(o, from);
    } else if (o != NULL && !come_from(o, callbacks_of(call->config))) {
        observed_drop(o);
        return false;
    }
    if (o != NULL)
        o->loose = !inside;
    return publish(call, o);
}

bool gri_observe_config(struct gri_call *call)
{
    return gri_call_observed(call) || callbacks_of(call->config) == NULL ||
           publish(call, observed_new(call->rt, NULL));
}

bool gri_observe_local(struct gri_call *call, const gr_value *handlers)
{
    struct gri_observed *o;

    if (!gri_call_observed(call) && !publish(call, observed_new(call->rt, NULL)))
        return false;
    o = gri_observed_of(call);
    if (o->same) /* it has been here */
        return true;
    o->local = o->local != NULL ? gr_add(o->local, gr_value_ref(handlers)) : gr_value_ref(handlers);
    return true;
}

void gri_observed_free(struct gri_call *call)
{
    observed_drop(gri_observed_of(call)); /* its runs are over: see finish, and gri_stream_unref */
}

/* ---- runs ------------------------------------------------------------------------------------ */

static bool has_run(uint16_t verb)
{
    return verb == GRI_INVOKE || verb == GRI_STREAM || verb == GRI_TRANSFORM;
}

/* langchain-core's default of transform adds the input up and then streams, and that has the run. A
 * chain that has only invoke is taken for a lambda, which has a transform of its own there. */
bool gri_observe_whole(const struct gri_actor *a)
{
    const struct gri_klass *k = a->klass;
    unsigned type = k->cls->run_type;

    return k->fixed[GRI_TRANSFORM] == NULL && k->any == NULL &&
           (k->fixed[GRI_STREAM] != NULL || (type != 0 && type != GR_TYPE_CHAIN));
}

enum gri_how gri_observed_how(const struct gri_call *call, enum gri_how how)
{
    return how == GRI_BY_METHOD && call->verb == GRI_INVOKE &&
                   gri_wants_streams(callbacks_of(call->config))
               ? GRI_BY_STREAM
               : how;
}

/* used_up takes away what was meant for the run that the call has got now. */
static void used_up(struct gri_call *call, struct gri_observed *o, const struct gri_run_config *c)
{
    gr_value_unref(o->tag);
    gr_value_unref(o->local);
    o->tag = o->local = NULL;
    if (c->run_name != NULL || c->run_id != NULL)
        call->config = gri_config_unnamed(call->config);
    call->named = false;
}

static struct gri_run *make_run(struct gri_call *call, struct gri_observed *o,
                                const struct gri_actor *a, gr_run_type type)
{
    struct gri_run_config c = gri_run_config_of(call->config);
    gr_value *metadata = gri_run_metadata(&c);
    struct gri_run *outer = run_of(o);
    struct gri_run_spec spec = { .parent = within(o),
                                 .tree = o->tree,
                                 .name = gri_actor_name(a),
                                 .type = type,
                                 .callbacks = c.callbacks,
                                 .tags = c.tags,
                                 .metadata = metadata,
                                 .run_name = c.run_name,
                                 .run_id = c.run_id,
                                 .tag = o->tag,
                                 .local = o->local,
                                 .nested = outer != NULL,
                                 .streams = call->streams && !gri_observe_whole(a) };
    struct gri_run *r;

    gri_run_enter(o->tree);
    spec.loose = o->loose && outer == NULL;
    gri_run_leave(o->tree);
    r = gri_run_new(&spec);
    gr_value_unref(metadata);
    if (r != NULL)
        used_up(call, o, &c);
    return r;
}

/* end_if_cancelled: a cancellation that came before the run could be seen leaves its end to us. */
static void end_if_cancelled(struct gri_call *call, struct gri_observed *o)
{
    gr_value *err;

    if ((atomic_load(&call->life) & GRI_CANCELLING) == 0) /* seq_cst: see publish */
        return;
    err = gr_error(GR_ECANCELED, "'%s' was cancelled", gri_call_verb(call));
    end_all(o, err);
    gr_value_unref(err);
}

bool gri_runless(const struct gri_actor *a, uint16_t verb)
{
    const gr_method *m = has_run(verb) ? a->klass->fixed[verb] : NULL;

    return !has_run(verb) || a->klass->cls->run_type == GR_TYPE_NONE ||
           (m != NULL && m->kind == GRI_PASSING) || (verb == GRI_TRANSFORM && gri_observe_whole(a));
}

void gri_observe_arrival(struct gri_call *call, const struct gri_actor *a)
{
    struct gri_observed *o = gri_observed_of(call);
    uint16_t verb = atomic_load_explicit(&call->verb, memory_order_relaxed);
    unsigned type = a->klass->cls->run_type != 0 ? a->klass->cls->run_type : GR_TYPE_CHAIN;
    struct gri_run *r, *outer = run_of(o);

    if (o->same) {
        o->same = false;
        return;
    }
    if (gri_runless(a, verb) || (callbacks_of(call->config) == NULL && o->local == NULL) ||
        (r = make_run(call, o, a, (gr_run_type)type)) == NULL)
        return;
    atomic_store(&o->run, r); /* seq_cst: see publish */
    gri_run_unref(outer);     /* r has it, as its parent */
    if (verb != GRI_TRANSFORM || call->in == NULL || !follow_input(r, call->in))
        gri_run_begin(r, verb != GRI_TRANSFORM ? call->args : NULL);
    end_if_cancelled(call, o);
}

gr_value *gri_run_id(struct gri_call *call)
{
    struct gri_run *r = gri_call_observed(call) ? run_of(gri_observed_of(call)) : NULL;
    const gr_value *asked = gr_get(call->config, "run_id");

    if (r != NULL)
        return gr_str(r->seen.id);
    return gr_is_nil(asked) ? gr_nil() : gr_value_ref(asked);
}

gr_value *gri_ctx_run_id(gr_ctx *c)
{
    return c->call == NULL ? gr_nil() : gri_run_id(c->call);
}

void gri_run_within(struct gri_call *call, const char *kind, struct gr_stream *in)
{
    struct gri_observed *o = gri_call_observed(call) ? gri_observed_of(call) : NULL;
    struct gri_run *outer = o != NULL ? run_of(o) : NULL, *r;
    const char *class_name = call->actor->klass->cls->name;
    const char *name = gri_actor_name(call->actor);
    struct gri_run_spec spec = { .parent = outer, .type = GR_TYPE_CHAIN, .nested = true };
    struct gri_run_config c;
    gr_value *whole;

    if (outer == NULL || callbacks_of(call->config) == NULL)
        return;
    c = gri_run_config_of(call->config);
    if (strncmp(name, class_name, strlen(class_name)) == 0)
        name += strlen(class_name);
    whole = gr_strf("%s%s", kind, name);
    spec.tree = o->tree;
    spec.name = gr_cstr(whole, kind);
    spec.callbacks = c.callbacks;
    spec.tags = c.tags;
    r = gri_run_new(&spec);
    gr_value_unref(whole);
    if (r == NULL)
        return;
    atomic_store(&o->run, r); /* seq_cst: see publish */
    gri_run_unref(outer);     /* r has it, as its parent */
    if (in == NULL || !follow_input(r, in))
        gri_run_begin(r, in == NULL ? call->args : NULL);
    end_if_cancelled(call, o);
}

void gri_run_within_end(struct gri_call *call, const gr_value *v)
{
    struct gri_run *r = gri_call_observed(call) ? run_of(gri_observed_of(call)) : NULL;

    if (r != NULL && r->nested)
        gri_run_end(r, r->parent, v);
}

void gri_run_pass(struct gri_call *call, bool passing)
{
    struct gri_observed *o = gri_call_observed(call) ? gri_observed_of(call) : NULL;

    if (o != NULL)
        o->passing = passing && run_of(o) != NULL && run_of(o)->nested;
}

void gri_observe_answer(struct gri_call *call, const gr_value *v)
{
    if (call->in != NULL) /* what it has not read ends before it does */
        gri_stream_close(call->in);
    if (!call->streams)
        end_all(gri_observed_of(call), v);
}

void gri_observe_written(struct gri_call *call)
{
    come_to_end(call, false);
}

void gri_observe_cancelled(struct gri_call *call, const gr_value *err)
{
    struct gri_observed *o = gri_observed_of(call);
    struct gri_far *far = atomic_load(&o->far); /* seq_cst: as publish; see gri_far_new */

    if (far != NULL)
        gri_far_end(far, err);
    end_all(o, err);
}

void gri_observe_detached(struct gri_call *call)
{
    struct gri_observed *o = gri_observed_of(call);
    struct gri_run *r;

    gri_run_enter(o->tree);
    o->loose = true;
    r = run_of(o);
    if (r != NULL)
        gri_run_loosen(r, o->base);
    if (atomic_load(&o->far) != NULL)
        gri_far_loosen(atomic_load(&o->far));
    gri_run_leave(o->tree);
}

void gri_observe_same(struct gri_call *call)
{
    if (gri_call_observed(call))
        gri_observed_of(call)->same = true;
}

void gri_observe_lend(struct gri_call *call)
{
    if (gri_call_observed(call))
        gri_observed_of(call)->lends = true;
}

void gri_run_set_tag(struct gri_call *call, const char *place, const char *name)
{
    struct gri_observed *o = gri_observed_of(call);
    char text[TAG_MAX];
    size_t before = strlen(place), after = strlen(name);

    gri_assert(before < sizeof(text));
    if (after > sizeof(text) - before)
        after = gri_utf8_valid_len(name, sizeof(text) - before);
    memcpy(text, place, before);
    memcpy(text + before, name, after);
    gr_value_unref(o->tag);
    o->tag = gr_strn(text, before + after);
}

void gri_run_set_tag_number(struct gri_call *call, const char *place, size_t number)
{
    char text[24], *digit = text + sizeof(text);

    *--digit = '\0';
    do
        *--digit = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    gri_run_set_tag(call, place, digit);
}

void gri_run_retry(struct gri_call *call, const gr_value *err)
{
    struct gri_run *r = gri_call_observed(call) ? run_of(gri_observed_of(call)) : NULL;

    if (r != NULL)
        gri_run_tell(r, GR_RUN_RETRY, NULL, err);
}

gr_code gr_dispatch_event(gr_ctx *c, const char *name, gr_value *data)
{
    gr_code rc = data == NULL || name == NULL ? GR_EINVAL : gr_error_code(data);
    struct gri_run *r = NULL;

    if (c->call == NULL)
        rc = GR_EINVAL;
    if (rc == GR_OK && gri_call_observed(c->call))
        r = within(gri_observed_of(c->call));
    if (r != NULL)
        gri_run_tell(r, GR_RUN_CUSTOM, name, data);
    gr_value_unref(data);
    return rc;
}
