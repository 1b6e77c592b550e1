/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/compose/steps.h"

#include "runtime/base/alloc.h"

static void steps_free(void *p)
{
    struct gri_steps *s = p;

    for (size_t i = 0; i < s->count; i++)
        gri_free(s->at[i].key);
    gri_free(s);
}

/* steps_new copies `count` steps from the one list or the other; an error value on failure. */
static gr_value *steps_new(const char *what, const gr_ref *refs, const gr_step *keyed, size_t count)
{
    struct gri_steps *s;

    if (count == 0 || (refs == NULL && keyed == NULL))
        return gr_error(GR_EINVAL, "%s: no steps", what);
    if (count > GRI_STEPS_MAX)
        return gr_error(GR_EINVAL, "%s: more than %u steps", what, GRI_STEPS_MAX);
    s = gri_alloc0(sizeof(*s) + count * sizeof(s->at[0]));
    if (s == NULL)
        return gri_no_memory();
    for (s->count = 0; s->count < count; s->count++) {
        struct gri_step *step = &s->at[s->count];

        step->ref = keyed != NULL ? keyed[s->count].ref : refs[s->count];
        if (keyed == NULL)
            continue;
        if (keyed[s->count].key == NULL) {
            gr_value *err = gr_error(GR_EINVAL, "%s: step %zu has no key", what, s->count + 1);

            steps_free(s);
            return err;
        }
        step->key = gri_strdup(keyed[s->count].key);
        if (step->key == NULL) {
            steps_free(s);
            return gri_no_memory();
        }
    }
    return gr_opaque(s, steps_free);
}

gr_ref gri_compose_spawn(gr_scope *in, const gr_class *cls, const char *name, gr_value *args)
{
    return gr_spawn(in, cls, GR_SPAWN(.name = name, .args = args));
}

bool gri_compose_streams(struct gri_call *call, bool transform)
{
    if (call->out != NULL && (!transform || call->in != NULL))
        return true;
    gri_call_end(call, gr_error(GR_EINVAL,
                                call->out == NULL ? "'%s' streams: call it as a stream"
                                                  : "'%s' needs an input stream",
                                gri_call_verb(call)));
    return false;
}

bool gri_ref_broken(gr_scope *in, gr_ref ref)
{
    gr_value *why;

    if (in == NULL) /* gr_spawn will say so */
        return false;
    why = gr_check(in->rt, ref);
    if (why == NULL)
        return false;
    gr_value_unref(why);
    return true;
}

gr_ref gri_steps_spawn(gr_scope *in, const gr_class *cls, const char *what, const gr_ref *refs,
                       size_t count)
{
    for (size_t i = 0; refs != NULL && i < count; i++)
        if (gri_ref_broken(in, refs[i]))
            return refs[i];
    return gri_compose_spawn(in, cls, what, steps_new(what, refs, NULL, count));
}

gr_ref gri_steps_spawn_keyed(gr_scope *in, const gr_class *cls, const char *what,
                             const gr_step *steps, size_t count)
{
    for (size_t i = 0; steps != NULL && i < count; i++)
        if (gri_ref_broken(in, steps[i].ref))
            return steps[i].ref;
    return gri_compose_spawn(in, cls, what, steps_new(what, NULL, steps, count));
}

gr_value *gri_no_memory(void)
{
    return gr_error(GR_ENOMEM, "out of memory");
}

gr_value *gri_was_cancelled(void)
{
    return gr_error(GR_ECANCELED, "the call was cancelled");
}
