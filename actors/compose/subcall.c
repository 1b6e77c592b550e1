/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/compose/subcall.h"

#include "actors/compose/steps.h"

static gr_value *take(struct gri_subcall *s)
{
    gr_value *v = gr_value_ref(s->future->result);

    gri_future_unref(s->future);
    s->future = NULL;
    return v;
}

static void subcall_run(struct gri_task *task)
{
    struct gri_subcall *s = gri_container_of(task, struct gri_subcall, task);

    s->then(s, take(s));
}

static void subcall_fire(struct gri_waiter *waiter)
{
    struct gri_subcall *s = gri_container_of(waiter, struct gri_subcall, waiter);

    gri_ready(gri_call_sched(s->call), &s->task);
}

void gri_subcall_init(struct gri_subcall *s, struct gri_call *call, const char *name,
                      void (*then)(struct gri_subcall *s, gr_value *v))
{
    *s = (struct gri_subcall){ .waiter.fire = subcall_fire,
                               .task = { .run = subcall_run, .name = name },
                               .call = call,
                               .then = then };
}

bool gri_subcall_start(struct gri_subcall *s, gr_ref to, uint16_t verb, gr_value *input,
                       const gr_call_opts *opts, gr_value **ret_v)
{
    gr_code rc;

    s->future = gri_call_sub(s->call, to, verb, input, opts);
    if (s->future == NULL) {
        *ret_v = gri_no_memory();
        return false;
    }
    rc = gri_future_watch(s->future, &s->waiter);
    if (rc == GR_OK)
        return true;
    gri_assert(rc == GR_EOS);
    *ret_v = take(s);
    return false;
}

const gr_call_opts *gri_subcall_kwargs(const struct gri_call *call, gr_call_opts *opts)
{
    if (!call->keyed)
        return NULL;
    opts->size = sizeof(*opts);
    opts->config = gr_map(GR_KV("kwargs", gr_value_ref(gr_get(call->config, "kwargs"))));
    return opts;
}

void gri_subcall_drop_kwargs(struct gri_call *call)
{
    if (call->keyed)
        gri_call_set_config(call, gr_without(gr_value_ref(call->config), "kwargs"));
}
