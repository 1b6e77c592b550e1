/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.c - a runtime's birth and end. */
#include "runtime/actor/runtime_impl.h"

#include <unistd.h>

#include "runtime/actor/actor.h"
#include "runtime/actor/bounds.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/sched/sim.h"

#define STACK_MIN ((size_t)64 * 1024)
#define SPARES_MAX 16
#define ISOLATED_MAX 4096

static void root_destroy(struct gr_scope *s)
{
    gr_runtime *rt = s->rt;

    atomic_store(&rt->root_gone, 1);
    /* at worst the runtime is gone, and a stranger wakes up in vain */
    gri_futex_wake(&rt->root_gone, 1);
}

static bool out_of_range(const gr_runtime_opts *o)
{
    return o->workers > GRI_WORKERS_MAX || o->stack_size < STACK_MIN ||
           o->mailbox_max > GRI_PLACES_MAX || o->blocking_max > INT32_MAX ||
           o->actors_max >= (size_t)1 << GRI_SLOT_BITS || o->peer_verbs_max > GRI_VERBS_MAX / 2 ||
           o->spares_max > SPARES_MAX || o->report_ms < 0 || o->stuck_ms < 0 || o->spare_ms < 0 ||
           o->blocking_stack_size < STACK_MIN || o->blocking_idle_ms < 0 ||
           o->isolated_max > ISOLATED_MAX || o->http_connections_max > INT32_MAX ||
           o->http_host_connections_max > INT32_MAX;
}

static void default_size(size_t *option, size_t value)
{
    if (*option == 0)
        *option = value;
}

static void default_ms(int64_t *option, int64_t value)
{
    if (*option == 0)
        *option = value;
}

static uint64_t to_ns(int64_t ms)
{
    return (uint64_t)ms > GRI_NEVER / 1000000u ? GRI_NEVER : (uint64_t)ms * 1000000u;
}

gr_code gri_runtime_defaults(gr_runtime_opts *o)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (o->workers == 0 && o->sim_seed != 0)
        o->workers = 2; /* the same on every machine */
    if (o->workers == 0)
        o->workers = cpus < 1 ? 1 : cpus > GRI_WORKERS_MAX ? GRI_WORKERS_MAX : (unsigned)cpus;
    if (o->spares_max == 0 && o->sim_seed == 0)
        o->spares_max = 4;
    if (o->isolated_max == 0)
        o->isolated_max = 64;
    if (o->http_connections_max == 0)
        o->http_connections_max = 8192;
    if (o->http_host_connections_max == 0)
        o->http_host_connections_max = 4096;
    default_size(&o->http_requests_max, 10000);
    default_size(&o->mailbox_max, 1024);
    default_size(&o->fibers_max, 8192);
    default_size(&o->stack_size, (size_t)256 * 1024);
    default_size(&o->blocking_max, 1024);
    default_size(&o->blocking_queue_max, 65536);
    default_size(&o->blocking_stack_size, (size_t)256 * 1024);
    default_ms(&o->blocking_idle_ms, 10000);
    default_size(&o->actors_max, (size_t)4 << 20);
    default_size(&o->bytes_max, (size_t)1 << 30);
    default_size(&o->calls_max, (size_t)2 << 20);
    default_size(&o->timers_max, (size_t)1 << 20);
    default_size(&o->peer_verbs_max, 256);
    default_ms(&o->shutdown_ms, 5000);
    if (o->sim_seed == 0) { /* a simulation delays handlers on purpose, and there 0 means never */
        default_ms(&o->report_ms, 100);
        default_ms(&o->stuck_ms, 5000);
        default_ms(&o->spare_ms, o->workers > 1 ? 1 : o->stuck_ms);
    }
    if (o->sim_faults == 0)
        o->sim_faults = GR_SIM_SCHED | GR_SIM_TIME;
    return out_of_range(o) ? GR_EINVAL : GR_OK;
}

/* fini_tables frees what needs no thread. */
static void fini_tables(gr_runtime *rt)
{
    gri_registry_fini(&rt->registry);
    gri_klasses_fini(&rt->klasses);
    gri_verbs_fini(&rt->verbs);
    gri_map_fini(&rt->calls);
    gri_laters_fini(&rt->laters);
    gri_map_fini(&rt->names.by_name); /* empty: all names went with their owners */
    gri_reasons_fini(&rt->reasons);
    gri_free_aligned(rt);
}

static gr_code make(const gr_runtime_opts *opts, gr_runtime **ret_rt)
{
    gr_runtime_opts o = *opts;
    struct gri_sched_opts so;
    gr_runtime *rt;
    gr_code rc;

    rt = gri_alloc_aligned(64, sizeof(*rt));
    if (rt == NULL)
        return GR_ENOMEM;
    *rt = (gr_runtime){ .mailbox_max = o.mailbox_max,
                        .shutdown_ms = o.shutdown_ms,
                        .isolated_max = o.isolated_max };
    do {
        rt->node = gri_random_seed();
    } while (rt->node == 0);
    gri_map_init(&rt->calls, rt->node);
    gri_map_init(&rt->names.by_name, rt->node);
    gri_map_init(&rt->klasses.by_class, rt->node);
    gri_run_trees_init(&rt->run_trees);
    gri_laters_init(&rt->laters, rt->node, o.timers_max);
    gri_scope_init(&rt->root, rt, NULL, root_destroy);
    so = (struct gri_sched_opts){
        .workers = o.workers,
        .fibers_max = o.fibers_max,
        .stack_size = o.stack_size,
        .blocking = { .threads_max = (unsigned)o.blocking_max,
                      .queue_max = o.blocking_queue_max,
                      .stack_size = o.blocking_stack_size,
                      .idle_ns = (uint64_t)o.blocking_idle_ms * 1000000u,
                      .run = gri_call_on_pool },
        .meter_max = { [GRI_METER_CALLS] = o.calls_max, [GRI_METER_BYTES] = o.bytes_max },
        .spares_max = o.spares_max,
        .report_ns = to_ns(o.report_ms),
        .stuck_ns = to_ns(o.stuck_ms),
        .spare_ns = to_ns(o.spare_ms),
        .report_overflow = o.report_overflow && o.sim_seed == 0,
        .backtrace_signal = o.sim_seed == 0 ? o.backtrace_signal : 0
    };
    rt->sched.watch.ops = &gri_actor_watch;
    rc = gri_reasons_init(&rt->reasons);
    if (rc == GR_OK)
        rc = gri_verbs_init(&rt->verbs, rt->node, (uint32_t)o.peer_verbs_max);
    if (rc == GR_OK)
        rc = gri_registry_init(&rt->registry, o.actors_max, o.workers + so.spares_max);
    if (rc == GR_OK)
        rc = gri_sched_start(&rt->sched, &so);
    if (rc != GR_OK) {
        fini_tables(rt);
        return rc;
    }
    rt->sched.world.http_limits =
        (struct gri_http_limits){ .requests_max = o.http_requests_max,
                                  .connections_max = o.http_connections_max,
                                  .host_connections_max = o.http_host_connections_max,
                                  .http2 = o.http2 };
    *ret_rt = rt;
    return GR_OK;
}

gr_code gr_runtime_new(const gr_runtime_opts *opts, gr_runtime **ret_rt)
{
    gr_runtime_opts o = { .size = sizeof(o) };
    gr_code rc;

    if (opts != NULL)
        o = *opts;
    rc = gri_runtime_defaults(&o);
    if (rc != GR_OK)
        return rc;
    if (o.sim_seed == 0)
        return gri_sim_here() == NULL ? make(&o, ret_rt) : GR_EINVAL;
    rc = gri_sim_enter(o.sim_seed, o.sim_faults);
    if (rc != GR_OK)
        return rc;
    rc = make(&o, ret_rt);
    if (rc == GR_OK)
        (*ret_rt)->sched.sim = gri_sim_here();
    else
        gri_sim_leave();
    return rc;
}

gr_scope *gr_root(gr_runtime *rt)
{
    return &rt->root;
}

uint64_t gr_now_ns(gr_runtime *rt)
{
    return gri_now(rt);
}

gr_code gr_sleep(gr_runtime *rt, int64_t ms)
{
    struct gri_park park;
    uint32_t why = 0;
    gr_code rc;

    gri_park_init(&park);
    rc = gri_park_wait(&park, gri_deadline_after(&rt->sched, ms < 0 ? 0 : ms), true, &why);
    if (rc == GR_OK && (why & GRI_INTERRUPTED) != 0)
        rc = GR_EINTR;
    return rc;
}

/* settled waits until nobody refers to the root scope any more. */
static void await_root(gr_runtime *rt)
{
    gri_scope_unref(&rt->root);
    while (atomic_load(&rt->root_gone) == 0)
        gri_check(gri_futex_wait(&rt->root_gone, 0, GRI_NEVER));
}

static void end(gr_runtime *rt)
{
    uint64_t deadline;

    deadline = gri_clock_ns() + (uint64_t)rt->shutdown_ms * 1000000u;
    gri_scope_cancel(&rt->root, GR_ECANCELED);
    if (!gri_scope_drain(&rt->root, deadline)) {
        gri_log(GRI_LOG_WARN,
                "runtime: handlers or promises did not end within %lld ms; "
                "they are left behind, with their threads and memory",
                (long long)rt->shutdown_ms);
        return;
    }
    gri_run_trees_end(&rt->run_trees);
    gri_laters_stop(&rt->laters);
    gri_services_stop(&rt->sched);
    await_root(rt);
    if (!gri_blocking_stop(&rt->sched.blocking, deadline + UINT64_C(1000000000))) {
        gri_log(GRI_LOG_WARN, "runtime: a blocking call did not return; it is left behind");
        return;
    }
    gri_sched_stop(&rt->sched);
    fini_tables(rt);
}

void gr_runtime_free(gr_runtime *rt)
{
    struct gri_sim *sim;

    if (rt == NULL)
        return;
    gri_check(gri_exec()->ctx == NULL && gri_exec()->worker == NULL);
    sim = rt->sched.sim;
    gri_check(sim == NULL || sim == gri_sim_here());
    end(rt);
    if (sim != NULL)
        gri_sim_leave();
}
