/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/compose/steps.h"

#include <stdio.h>

#include "runtime/base/alloc.h"

void gri_steps_free(void *p)
{
    struct gri_steps *s = p;

    for (size_t i = 0; s != NULL && i < s->count; i++)
        gri_free(s->at[i].key);
    gri_free(s);
}

/* copy copies one list or the other, which may be empty. */
static struct gri_steps *copy(const char *what, const gr_ref *refs, const gr_step *keyed,
                              size_t count, gr_value **ret_err)
{
    struct gri_steps *s;

    if (count > GRI_STEPS_MAX) {
        *ret_err = gr_error(GR_EINVAL, "%s: more than %u steps", what, GRI_STEPS_MAX);
        return NULL;
    }
    s = gri_alloc0(sizeof(*s) + count * sizeof(s->at[0]));
    for (size_t i = 0; s != NULL && i < count; i++) {
        struct gri_step *step = &s->at[s->count++];

        step->ref = keyed != NULL ? keyed[i].ref : refs[i];
        if (keyed == NULL)
            continue;
        if (keyed[i].key == NULL)
            *ret_err = gr_error(GR_EINVAL, "%s: step %zu has no key", what, s->count);
        else if ((step->key = gri_strdup(keyed[i].key)) == NULL)
            *ret_err = gri_no_memory();
        if (*ret_err != NULL) {
            gri_steps_free(s);
            return NULL;
        }
    }
    if (s == NULL)
        *ret_err = gri_no_memory();
    return s;
}

struct gri_steps *gri_steps_copy(const char *what, const gr_ref *refs, const gr_step *keyed,
                                 size_t count, gr_value **ret_err)
{
    if (count != 0 && (refs != NULL || keyed != NULL))
        return copy(what, refs, keyed, count, ret_err);
    *ret_err = gr_error(GR_EINVAL, "%s: no steps", what);
    return NULL;
}

/* steps_new makes the spawn argument of a list of steps, or an error value. */
static gr_value *steps_new(const char *what, const gr_ref *refs, const gr_step *keyed, size_t count)
{
    gr_value *err = NULL;
    struct gri_steps *s = gri_steps_copy(what, refs, keyed, count, &err);

    return s != NULL ? gr_opaque(s, gri_steps_free) : err;
}

gr_ref gri_compose_spawn(gr_scope *in, const gr_class *cls, const char *name, gr_value *args)
{
    return gr_spawn(in, cls, GR_SPAWN(.name = name, .args = args));
}

gr_ref gri_named_spawn(gr_scope *in, const gr_class *cls, gr_value *name, gr_value *args)
{
    gr_ref ref = gri_compose_spawn(in, cls, gr_cstr(name, cls->name), args);

    gr_value_unref(name);
    return ref;
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

#define NAME_MAX_BYTES 256 /* of a composition; what is longer is cut */

static gr_value *keyed_name(const char *what, const gr_step *steps, size_t count)
{
    char name[NAME_MAX_BYTES];
    size_t at = (size_t)snprintf(name, sizeof(name), "%s<", what);

    for (size_t i = 0; steps != NULL && i < count && at < sizeof(name); i++)
        at += (size_t)snprintf(name + at, sizeof(name) - at, "%s%s", i > 0 ? "," : "",
                               steps[i].key != NULL ? steps[i].key : "");
    if (at + 1 >= sizeof(name))
        return gr_str(what);
    return gr_strf("%s>", name);
}

gr_ref gri_steps_spawn_keyed(gr_scope *in, const gr_class *cls, const char *what,
                             const gr_step *steps, size_t count)
{
    for (size_t i = 0; steps != NULL && i < count; i++)
        if (gri_ref_broken(in, steps[i].ref))
            return steps[i].ref;
    return gri_named_spawn(in, cls, keyed_name(what, steps, count),
                           steps_new(what, NULL, steps, count));
}

gr_ref gri_steps_spawn_map(gr_scope *in, const gr_class *cls, const char *what,
                           const gr_step *steps, size_t count)
{
    gr_value *err = NULL;
    struct gri_steps *none;

    if (count != 0)
        return gri_steps_spawn_keyed(in, cls, what, steps, count);
    none = copy(what, NULL, NULL, 0, &err);
    return gri_named_spawn(in, cls, keyed_name(what, NULL, 0),
                           none != NULL ? gr_opaque(none, gri_steps_free) : err);
}

gr_value *gri_no_memory(void)
{
    return gr_error(GR_ENOMEM, "out of memory");
}

gr_value *gri_was_cancelled(void)
{
    return gr_error(GR_ECANCELED, "the call was cancelled");
}
