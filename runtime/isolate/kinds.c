/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/isolate/kinds.h"

#include <stdatomic.h>
#include <string.h>

/* Set once, before there are threads; atomic for hosts that set it later. */
static _Atomic(const gr_isolated_kind *) table;
static _Atomic size_t table_count;
static _Atomic(const char *) table_program;

void gri_kinds_set(const char *program, const gr_isolated_kind *kinds, size_t count)
{
    atomic_store(&table_count, 0);
    atomic_store(&table, kinds);
    atomic_store(&table_count, kinds != NULL ? count : 0);
    atomic_store(&table_program, program != NULL ? program : "isolated");
}

bool gri_kinds_known(void)
{
    return atomic_load(&table_program) != NULL;
}

const char *gri_kinds_program(void)
{
    return atomic_load(&table_program);
}

const gr_isolated_kind *gri_kind_named(const char *name)
{
    const gr_isolated_kind *kinds = atomic_load(&table);
    size_t count = atomic_load(&table_count);

    for (size_t i = 0; i < count; i++)
        if (kinds[i].name != NULL && strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

const gr_isolated_kind *gri_kind_of(const gr_class *cls)
{
    const gr_isolated_kind *kinds = atomic_load(&table);
    size_t count = atomic_load(&table_count);

    for (size_t i = 0; i < count; i++)
        if (kinds[i].name != NULL && kinds[i].cls == cls && cls != NULL)
            return &kinds[i];
    return NULL;
}

gr_ref gri_kind_make(const gr_isolated_kind *kind, gr_scope *in, const gr_spawn_opts *opts,
                     gr_value *args)
{
    gr_spawn_opts o = *opts;
    gr_ref made;

    if (kind->cls != NULL) {
        o.args = args;
        o.isolate = NULL;
        return gr_spawn(in, kind->cls, &o);
    }
    made = kind->start(in, kind->arg, args);
    gr_value_unref(args);
    gr_value_unref(o.callbacks);
    return made;
}
