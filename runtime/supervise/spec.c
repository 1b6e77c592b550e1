/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/supervise/spec.h"

#include <stdatomic.h>
#include <string.h>

#include "runtime/base/alloc.h"

#define SHUTDOWN_MS 5000
#define ID_MAX 120       /* bytes: paths of ids are names, which have at most GR_NAME_MAX */
#define BACKOFF_STEPS 64 /* the default of max_ms, in min_ms */

struct gri_spec *gri_spec_ref(struct gri_spec *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void gri_spec_unref(struct gri_spec *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    gri_free(s->id);
    gri_free(s->name);
    gri_free(s->spawn_name);
    gri_free(s->program);
    gr_value_unref(s->args);
    gri_free(s);
}

/* wrong says what makes no sense about a spec; NULL: nothing. */
static const char *wrong(const gr_child_spec *f, bool simple, bool automatic)
{
    if (!simple && (f->id == NULL || f->id[0] == '\0' || strlen(f->id) > ID_MAX))
        return "an id has 1 to 120 bytes";
    if (simple && f->id != NULL)
        return "children of simple_one_for_one have no ids";
    if ((f->cls == NULL) == (f->start == NULL))
        return "either cls or start says how it is made";
    if (f->spawn != NULL &&
        (f->spawn->args != NULL || f->spawn->link || f->spawn->ret_monitor != NULL))
        return "spawn has no args, links or monitors here";
    if ((unsigned)f->restart > GR_TEMPORARY)
        return "restart is permanent, transient or temporary";
    if (f->shutdown_ms < GR_BRUTAL_KILL_MS || f->start_ms < GR_FOREVER_MS)
        return "a time limit is negative";
    if (f->backoff.min_ms < 0 || f->backoff.max_ms < 0 || f->backoff.jitter_ms < 0 ||
        f->backoff.reset_after_ms < 0)
        return "a backoff is negative";
    if (f->significant && (f->restart == GR_PERMANENT || !automatic))
        return "a significant child is not permanent, and its supervisor has auto_shutdown";
    return NULL;
}

static gr_code copy_names(struct gri_spec *s, const gr_child_spec *f)
{
    if (f->id != NULL && (s->id = gri_strdup(f->id)) == NULL)
        return GR_ENOMEM;
    if (f->name != NULL && (s->name = gri_strdup(f->name)) == NULL)
        return GR_ENOMEM;
    if (f->spawn != NULL && f->spawn->name != NULL &&
        (s->spawn_name = gri_strdup(f->spawn->name)) == NULL)
        return GR_ENOMEM;
    if (s->isolate.program != NULL && (s->program = gri_strdup(s->isolate.program)) == NULL)
        return GR_ENOMEM;
    s->isolate.program = s->program;
    return GR_OK;
}

static gr_backoff with_defaults(gr_backoff b)
{
    if (b.max_ms == 0)
        b.max_ms = b.min_ms <= INT64_MAX / BACKOFF_STEPS ? b.min_ms * BACKOFF_STEPS : INT64_MAX;
    if (b.max_ms < b.min_ms)
        b.max_ms = b.min_ms;
    if (b.reset_after_ms == 0)
        b.reset_after_ms = b.max_ms;
    return b;
}

struct gri_spec *gri_spec_new(const gr_child_spec *f, bool simple, bool automatic,
                              gr_value **ret_err)
{
    const char *why = wrong(f, simple, automatic);
    struct gri_spec *s = NULL;

    *ret_err = NULL;
    if (why != NULL)
        *ret_err = gr_error(GR_EINVAL, "child '%s': %s", f->id != NULL ? f->id : "", why);
    else if (gr_error_code(f->args) != GR_OK && f->args != NULL)
        *ret_err = gr_value_ref(f->args);
    else if ((s = gri_new0(struct gri_spec)) == NULL)
        *ret_err = gr_error(GR_ENOMEM, "out of memory");
    if (s == NULL) {
        gr_value_unref(f->args);
        return NULL;
    }
    *s = (struct gri_spec){ .cls = f->cls,
                            .start = f->start,
                            .arg = f->arg,
                            .args = f->args,
                            .restart = f->restart,
                            .shutdown_ms = f->shutdown_ms,
                            .start_ms = f->start_ms != 0 ? f->start_ms : GR_FOREVER_MS,
                            .supervisor = f->supervisor,
                            .significant = f->significant,
                            .backoff = with_defaults(f->backoff) };
    atomic_init(&s->refs, 1);
    if (s->shutdown_ms == 0)
        s->shutdown_ms = s->supervisor ? GR_FOREVER_MS : SHUTDOWN_MS;
    s->spawn = f->spawn != NULL ? *f->spawn : (gr_spawn_opts){ .size = sizeof(gr_spawn_opts) };
    if (s->spawn.isolate != NULL) {
        s->isolate = *s->spawn.isolate;
        s->spawn.isolate = &s->isolate;
    }
    if (copy_names(s, f) != GR_OK) {
        *ret_err = gr_error(GR_ENOMEM, "out of memory");
        gri_spec_unref(s);
        return NULL;
    }
    s->spawn.name = s->spawn_name != NULL ? s->spawn_name : s->id;
    return s;
}
