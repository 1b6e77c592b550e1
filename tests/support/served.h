/* SPDX-License-Identifier: Apache-2.0 */
/* served.h - an actor with a verb of every kind, for those who call it over a link: echo, a long nap, a stream, a
 * transform. */
#ifndef GR_TESTS_SUPPORT_SERVED_H
#define GR_TESTS_SUPPORT_SERVED_H

#include <greenroom/actor.h>
#include <greenroom/runtime.h>

#define SERVED_CHUNKS 20 /* of its stream, unless the spawn arguments say how many */

static inline gr_value *served_echo(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

static inline gr_value *served_nap(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    if (gr_sleep(gr_runtime_of(c), 600000) != GR_OK)
        return gr_error(GR_ECANCELED, "woken up");
    return gr_nil();
}

static inline gr_code served_emit(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    int64_t chunks = gr_as_int(gr_args(c), SERVED_CHUNKS);
    gr_code rc = GR_OK;

    (void)self, (void)in;
    for (int64_t i = 0; i < chunks && rc == GR_OK; i++)
        rc = gr_emit(c, gr_value_ref(args));
    return rc;
}

static inline gr_code served_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_outcome o;

    (void)self, (void)args;
    while ((o = gr_next(in, -1)).code == GR_OK)
        if (gr_emit(c, gr_value_ref(o.value)) != GR_OK)
            return GR_ECANCELED;
    return o.code == GR_EOS ? GR_OK : o.code;
}

/* served_spawn makes one whose stream has so many chunks; 0: SERVED_CHUNKS. */
static inline gr_ref served_spawn(gr_scope *in, int64_t chunks)
{
    static const gr_method methods[] = { { "invoke", GR_CHEAP, served_echo, NULL },
                                         { "nap", GR_ASYNC, served_nap, NULL },
                                         { "stream", GR_ASYNC, NULL, served_emit },
                                         { "transform", GR_ASYNC, NULL, served_transform } };
    static const gr_class cls = GR_CLASS(.name = "served", .reentrant = true, GR_METHODS(methods));

    return gr_spawn(in, &cls, GR_SPAWN(.args = chunks > 0 ? gr_int(chunks) : NULL));
}

#endif
