/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.h - what gr_isolate_main was given: the one thing of isolation that belongs to the process. */
#ifndef GR_RUNTIME_ISOLATE_KINDS_H
#define GR_RUNTIME_ISOLATE_KINDS_H

#include <greenroom/isolate.h>

/* gri_kinds_set notes the table. gri_kinds_known: that has been done. */
void gri_kinds_set(const char *program, const gr_isolated_kind *kinds, size_t count);
bool gri_kinds_known(void);
/* The kind of a name, of a class; NULL: there is none. [any] */
const gr_isolated_kind *gri_kind_named(const char *name);
const gr_isolated_kind *gri_kind_of(const gr_class *cls);
/* gri_kinds_program is what the program calls itself, for ps. [any] */
const char *gri_kinds_program(void);
/* gri_kind_make makes the actor here. opts is for a class; its args are not looked at. */
gr_ref gri_kind_make(const gr_isolated_kind *kind, gr_scope *in, const gr_spawn_opts *opts,
                     gr_value *args GR_TAKES);

#endif
