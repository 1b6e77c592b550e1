/* SPDX-License-Identifier: Apache-2.0 */
/* spec.h - child specifications as a supervisor keeps them: checked, copied, with defaults. */
#ifndef GR_RUNTIME_SUPERVISE_SPEC_H
#define GR_RUNTIME_SUPERVISE_SPEC_H

#include <greenroom/isolate.h>

/* Immutable once it is made, and counted: children of a GR_SIMPLE_ONE_FOR_ONE share one, and one
 * may be on its way in a message. */
struct gri_spec {
    _Atomic uint32_t refs;
    char *id;            /* owned; NULL for GR_SIMPLE_ONE_FOR_ONE */
    char *name;          /* owned; NULL: none is registered */
    char *spawn_name;    /* owned; spawn.name; NULL: the id */
    const gr_class *cls; /* borrowed; NULL: start */
    gr_start_fn *start;
    void *arg;
    gr_value *args;          /* counted; NULL: none */
    gr_spawn_opts spawn;     /* without args */
    gr_isolate_opts isolate; /* what spawn.isolate points to, unless that is NULL */
    char *program;           /* owned; isolate.program */
    gr_restart restart;
    int64_t shutdown_ms; /* > 0, GR_FOREVER_MS or GR_BRUTAL_KILL_MS */
    int64_t start_ms;    /* > 0 or GR_FOREVER_MS */
    bool supervisor, significant;
    gr_backoff backoff;
};

/*
 * gri_spec_new checks and copies. `simple`: it is the one of a GR_SIMPLE_ONE_FOR_ONE, without an
 * id. `automatic`: its supervisor shuts down by itself, so it may be significant. Takes from->args.
 * NULL with *ret_err, an error value, yours.
 */
struct gri_spec *gri_spec_new(const gr_child_spec *from, bool simple, bool automatic,
                              gr_value **ret_err);
struct gri_spec *gri_spec_ref(struct gri_spec *s);
void gri_spec_unref(struct gri_spec *s); /* NULL is fine */

#endif
