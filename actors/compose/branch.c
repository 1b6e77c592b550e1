/* SPDX-License-Identifier: Apache-2.0 */
/*
 * branch.c - gr_branch: the first arm whose condition holds.
 *
 * Conditions are asked one after the other, by invoke, also when the call streams: cheap ones at
 * once on this stack, others as sub-calls that a small heap frame waits for. The arm is handed the
 * call itself, so it streams if the call does. A transform is the engine's: it adds the input up
 * and streams that.
 *
 * The steps are the spawn argument in this order: condition, arm, condition, arm, …, otherwise.
 */
#include "actors/compose/describe.h"
#include "actors/compose/steps.h"
#include "actors/compose/subcall.h"
#include "runtime/actor/observed.h"
#include "runtime/actor/run_config.h"
#include "runtime/base/alloc.h"

struct choice {
    struct gri_subcall sub; /* the condition's */
    uint16_t verb;          /* how the arm is called */
    size_t at;              /* index of the condition that is asked */
};

/* ask asks the condition at `at`: true, *ret_v is what it says; false: c, made here if need be, waits
 * for it. */
static bool ask(struct gri_call *call, size_t at, struct choice **c, uint16_t verb,
                gr_value **ret_v);

/* go_on takes what the condition at `at` says, and asks on or hands over. Takes v and c. */
static void go_on(struct gri_call *call, size_t at, gr_value *v, struct choice *c, uint16_t verb)
{
    const struct gri_steps *steps = gri_steps_of(call);

    for (;;) {
        bool holds = gri_truthy(v);

        if (gr_error_code(v) != GR_OK) {
            gri_free(c);
            gri_call_end(call, v);
            return;
        }
        gr_value_unref(v);
        at += holds ? 1 : 2;
        if (holds || at + 1 == steps->count)
            break;
        if (!ask(call, at, &c, verb, &v))
            return;
    }
    gri_free(c);
    if (at + 1 == steps->count)
        gri_run_tag(call, "branch:", "default");
    else
        gri_run_tag_number(call, "branch:", at / 2 + 1);
    gri_call_forward(call, steps->at[at].ref, verb, NULL, NULL);
}

static void choice_then(struct gri_subcall *s, gr_value *v)
{
    struct choice *c = gri_container_of(s, struct choice, sub);

    go_on(s->call, c->at, v, c, c->verb);
}

static bool ask(struct gri_call *call, size_t at, struct choice **c, uint16_t verb,
                gr_value **ret_v)
{
    gr_ref condition = gri_steps_of(call)->at[at].ref;
    gr_value *input = gr_value_ref(call->args);

    if (gri_call_cancelled(call)) {
        gr_value_unref(input);
        *ret_v = gri_was_cancelled();
        return true;
    }
    if (gri_call_direct(call, condition, input, ret_v))
        return true;
    if (*c == NULL) {
        *c = gri_new0(struct choice);
        if (*c == NULL) {
            gr_value_unref(input);
            *ret_v = gri_no_memory();
            return true;
        }
        gri_subcall_init(&(*c)->sub, call, "branch", choice_then);
        (*c)->verb = verb;
    }
    (*c)->at = at;
    gri_run_tag_number(call, "condition:", at / 2 + 1);
    return !gri_subcall_start(&(*c)->sub, condition, GRI_INVOKE, input, NULL, ret_v);
}

static void choose(struct gri_call *call, uint16_t verb)
{
    struct choice *c = NULL;
    gr_value *v = NULL;

    if (ask(call, 0, &c, verb, &v))
        go_on(call, 0, v, c, verb);
}

static void branch_invoke(struct gri_call *call)
{
    choose(call, GRI_INVOKE);
}

static void branch_stream(struct gri_call *call)
{
    if (gri_compose_streams(call, false))
        choose(call, GRI_STREAM);
}

static gr_value *branch_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_describe_kept(c, "RunnableBranch", gr_as_opaque(gr_args(c)));
}

static const gr_method branch_methods[] = {
    { "invoke", GRI_NATIVE, GRI_NATIVE_FN(branch_invoke), NULL },
    { "stream", GRI_NATIVE, GRI_NATIVE_FN(branch_stream), NULL },
    { "describe", GR_ASYNC, branch_describe, NULL },
};
static const gr_class branch_class = GR_CLASS(.name = "RunnableBranch", GR_METHODS(branch_methods));

gr_ref gr_branch_n(gr_scope *in, gr_ref otherwise, const gr_arm *arms, size_t count)
{
    gr_ref *refs, branch;

    if (count == 0 || arms == NULL)
        return gri_compose_spawn(in, &branch_class, "RunnableBranch",
                                 gr_error(GR_EINVAL, "RunnableBranch: no arms"));
    if (count > GRI_STEPS_MAX / 2)
        return gri_compose_spawn(
            in, &branch_class, "RunnableBranch",
            gr_error(GR_EINVAL, "RunnableBranch: more than %u arms", GRI_STEPS_MAX / 2));
    refs = gri_alloc_array(2 * count + 1, sizeof(*refs));
    if (refs == NULL)
        return gri_compose_spawn(in, &branch_class, "RunnableBranch", gri_no_memory());
    for (size_t i = 0; i < count; i++) {
        refs[2 * i] = arms[i].condition;
        refs[2 * i + 1] = arms[i].runnable;
    }
    refs[2 * count] = otherwise;
    branch = gri_steps_spawn(in, &branch_class, "RunnableBranch", refs, 2 * count + 1);
    gri_free(refs);
    return branch;
}
