/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusal.h - constructors that find their options wrong: they spawn all the same, and init tells
 * why.
 *
 * gr_spawn keeps only the code of an error given as arguments; an init that fails keeps the text
 * too.
 */
#ifndef GR_ACTORS_REFUSAL_H
#define GR_ACTORS_REFUSAL_H

#include <greenroom/actor.h>

/* gri_refusal wraps err to travel as spawn arguments. */
static inline gr_value *gri_refusal(gr_value *err GR_TAKES)
{
    return gr_map(GR_KV("refused", err));
}

/* gri_refusal_init is the init of a class whose arguments may be a refusal. */
static inline gr_code gri_refusal_init(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *err = gr_get(args, "refused");

    (void)self;
    return err == NULL ? GR_OK : gr_fail(c, gr_value_ref(err));
}

#endif
