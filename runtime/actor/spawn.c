/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.c - making actors, and the calls that stop and check them. */
#include "runtime/actor/actor.h"

#include <string.h>

#include "runtime/actor/bounds.h"
#include "runtime/actor/ctx.h"
#include "runtime/actor/elsewhere.h"
#include "runtime/actor/mailbox.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/tie.h"
#include "runtime/base/alloc.h"
#include "runtime/sched/cache.h"

/* A turn may keep one in so many of a mailbox's places for a while, and no more than that: see owed
 * in actor.h. So a small mailbox takes exactly what it should. */
#define OWED_PART 64
#define OWED_MAX 32

static void member_cancel(struct gri_member *m, gr_code why)
{
    (void)m, (void)why; /* cancelling a scope leaves its actors alone */
}

static void member_stop(struct gri_member *m)
{
    struct gri_actor *a = gri_container_of(m, struct gri_actor, member);

    gri_actor_stop(a, a->rt->reasons.shutdown);
}

static bool member_ref(struct gri_member *m)
{
    gri_actor_pin_again(gri_container_of(m, struct gri_actor, member));
    return true;
}

static void member_unref(struct gri_member *m)
{
    gri_actor_unpin(gri_container_of(m, struct gri_actor, member));
}

static const struct gri_member_ops actor_ops = { .actor = true,
                                                 .cancel = member_cancel,
                                                 .stop = member_stop,
                                                 .ref = member_ref,
                                                 .unref = member_unref };

static gr_ref broken(gr_code code)
{
    return (gr_ref){ .node = 0, .id = (uint64_t)code };
}

static uint32_t at_most_u32(uint64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* set_up_rare keeps what few ask for. */
static gr_code set_up_rare(struct gri_actor *a, const gr_spawn_opts *o)
{
    struct gri_rare *r;

    if (o->name == NULL && o->max_concurrency == 0 && o->stash_max == 0 && o->ties_max == 0 &&
        o->terminate_ms == 0)
        return GR_OK;
    r = gri_rare_make(a);
    if (r == NULL || (o->name != NULL && (r->name = gri_strdup(o->name)) == NULL))
        return GR_ENOMEM;
    r->max_concurrency = o->max_concurrency;
    if (o->stash_max != 0)
        r->stash_max = at_most_u32(o->stash_max);
    if (o->ties_max != 0)
        r->ties_max = at_most_u32(o->ties_max);
    if (o->terminate_ms != 0)
        r->terminate_ms = o->terminate_ms < 0 ? 0 : at_most_u32((uint64_t)o->terminate_ms);
    return GR_OK;
}

/* set_up_listened keeps the handlers of the actor's own runs. */
static gr_code set_up_listened(struct gri_actor *a, const gr_spawn_opts *o)
{
    struct gri_rare *r;

    if (gr_value_type(o->callbacks) != GR_LIST || gr_len(o->callbacks) == 0)
        return GR_OK;
    r = gri_rare_make(a);
    if (r == NULL)
        return GR_ENOMEM;
    r->callbacks = gr_value_ref(o->callbacks);
    atomic_fetch_or_explicit(&a->flags, GRI_LISTENED, memory_order_relaxed);
    return GR_OK;
}

/* ---- state ----------------------------------------------------------------------------------- */

/* A small state comes from the caches of the workers, as messages do; block_for(): GRI_BLOCKS, it is
 * not small. */
static enum gri_block block_for(size_t size)
{
    return size <= GRI_BLOCK_TINY_BYTES    ? GRI_BLOCK_TINY
           : size <= GRI_BLOCK_SMALL_BYTES ? GRI_BLOCK_SMALL
                                           : GRI_BLOCKS;
}

static void *state_new(size_t size)
{
    enum gri_block kind = block_for(size);
    void *state;

    if (kind == GRI_BLOCKS)
        return gri_alloc0(size);
    state = gri_cache_alloc(gri_exec()->worker, kind);
    return state != NULL ? memset(state, 0, size) : NULL;
}

void gri_actor_free_state(struct gri_actor *a)
{
    enum gri_block kind = block_for(a->klass->cls->state_size);

    if (a->self != NULL && kind != GRI_BLOCKS)
        gri_cache_free(gri_exec()->worker, kind, a->self);
    else
        gri_free(a->self);
    a->self = NULL;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* set_up fills a fresh slot in. Nobody knows the actor's id yet, and who finds its id published finds
 * all of this; so nothing here needs an order. */
static gr_code set_up(struct gri_actor *a, gr_runtime *rt, const struct gri_klass *k,
                      const gr_spawn_opts *o)
{
    uint32_t places;
    gr_code rc;

    a->turn = (struct gri_task){ .run = gri_turn_run };
    atomic_store_explicit(&a->klass, k, memory_order_relaxed);
    a->rt = rt;
    a->args = NULL;
    a->deferred = a->waits = NULL;
    /* not dead any more: see tie.h */
    atomic_store_explicit(&a->flags, k->cls->receive == NULL ? GRI_DEAF : 0, memory_order_relaxed);
    atomic_store_explicit(
        &a->pin,
        (uint8_t)(o->worker > 0 ? (unsigned)(o->worker - 1) % rt->sched.worker_count + 1 : 0),
        memory_order_relaxed);
    a->init_done = k->cls->init == NULL;
    rc = gri_bounds_set_up(a, o);
    if (rc != GR_OK)
        return rc;
    places = gri_actor_mailbox_max(a);
    a->owed_max = (uint8_t)(places / OWED_PART < OWED_MAX ? places / OWED_PART : OWED_MAX);
    if (k->cls->state_size != 0 && (a->self = state_new(k->cls->state_size)) == NULL)
        return GR_ENOMEM;
    rc = set_up_rare(a, o);
    return rc == GR_OK ? set_up_listened(a, o) : rc;
}

/* tie_to_spawner makes the link and the monitor that the options ask for, before anybody knows the
 * actor: so no end of it can be missed. */
static gr_code tie_to_spawner(struct gri_actor *a, uint64_t id, const gr_spawn_opts *o)
{
    struct gr_ctx *c = gri_ctx_current(a->rt);
    gr_code rc = c != NULL ? GR_OK : GR_EINVAL;

    if (rc == GR_OK && o->link)
        rc = gri_bond_born(c->actor, a, id);
    if (rc == GR_OK && o->ret_monitor != NULL)
        rc = gri_watch_born(c->actor, a, id, o->ret_monitor);
    return rc;
}

static void give_up(gr_runtime *rt, struct gri_actor *a, uint64_t id)
{
    gri_actor_forget(a);
    gri_actor_free_state(a);
    gri_rare_free(a);
    gri_registry_give(&rt->registry, gri_worker_of(&rt->sched), a, id);
}

/* publish makes the actor to be found, and starts it if it has an init. args is taken on
 * success. */
static gr_code publish(gr_scope *in, struct gri_actor *a, uint64_t id, gr_value *args)
{
    bool starts = !a->init_done; /* without an init it may be gone again before we look at it */
    gr_code rc;

    a->args = args;
    if (a->init_done)
        atomic_store_explicit(&a->flags,
                              atomic_load_explicit(&a->flags, memory_order_relaxed) | GRI_READY,
                              memory_order_relaxed);
    gri_mailbox_init(a, id, a->init_done);
    /* release: who finds the id finds all of the above */
    atomic_store_explicit(&a->id, id, memory_order_release);
    rc = gri_scope_add(in, &a->member, &actor_ops);
    if (rc != GR_OK) {
        atomic_store(&a->id, 0);
        a->args = NULL;
        gri_mailbox_close(a);
        return rc;
    }
    if (starts)
        gri_actor_ready_turn(a);
    return GR_OK;
}

/*
 * refused spawns what can't be made: an actor that is there only to say why, until its scope ends.
 * So constructors pass their error on as the spawn arguments, and gr_check tells its text.
 */
static gr_ref refused(gr_scope *in, const gr_class *cls, const gr_spawn_opts *opts)
{
    static const gr_class nothing = GR_CLASS(.name = "refused");
    gr_spawn_opts o = { .size = sizeof(o),
                        .name = cls != NULL ? cls->name : NULL,
                        .link = opts->link,
                        .ret_monitor = opts->ret_monitor };
    gr_value *err = opts->args;
    gr_code rc = gr_error_code(err);
    gr_ref r = gr_spawn(in, &nothing, &o);
    gr_value *gone = NULL;
    struct gri_actor *a = r.node != 0 ? gri_actor_pin(in->rt, r, &gone) : NULL;

    gr_value_unref(gone);
    if (a == NULL) {
        gr_value_unref(err);
        return r.node != 0 ? broken(rc) : r;
    }
    gri_lock(&a->tie_lock);
    if (a->reason == NULL) /* its scope may have ended meanwhile */
        a->reason = gr_value_ref(err);
    gri_unlock(&a->tie_lock);
    if ((atomic_fetch_or(&a->flags, GRI_FAILED | GRI_SAID) & GRI_STOPPING) == 0)
        gri_actor_die(a);
    gr_value_unref(err);
    gri_actor_unpin(a);
    return r;
}

gr_ref gr_spawn(gr_scope *in, const gr_class *cls, const gr_spawn_opts *opts)
{
    static const gr_spawn_opts defaults = { .size = sizeof(defaults) };
    const gr_spawn_opts *o = opts != NULL ? opts : &defaults;
    gr_runtime *rt = in != NULL ? in->rt : NULL;
    const struct gri_klass *k = NULL;
    struct gri_actor *a = NULL;
    uint64_t id = 0;
    gr_code rc = GR_OK;

    if (rt != NULL && o->isolate != NULL)
        return gri_elsewhere.spawn(in, cls, o);
    if (rt != NULL && o->args != NULL && gr_error_code(o->args) != GR_OK) {
        gr_value_unref(o->callbacks);
        return refused(in, cls, o);
    }
    if (rt != NULL && gri_sched_foreign(&rt->sched))
        rc = GR_EINVAL;
    if (rc == GR_OK && (rt == NULL || cls == NULL || o->mailbox_max > GRI_PLACES_MAX))
        rc = GR_EINVAL;
    if (rc == GR_OK && (k = gri_klass_get(&rt->klasses, &rt->verbs, cls, &rc)) != NULL)
        rc = (a = gri_registry_take(&rt->registry, gri_worker_of(&rt->sched), &id)) != NULL
                 ? GR_OK
                 : GR_EFULL;
    if (rc == GR_EFULL)
        gri_count(rt->sched.ledger, GRI_COUNT_REFUSED_ACTORS, 1);
    if (rc == GR_OK && a != NULL)
        rc = set_up(a, rt, k, o);
    if (rc == GR_OK && a != NULL && (o->link || o->ret_monitor != NULL))
        rc = tie_to_spawner(a, id, o);
    if (rc == GR_OK && a != NULL)
        rc = publish(in, a, id, o->args);
    gr_value_unref(o->callbacks);
    if (rc == GR_OK)
        return (gr_ref){ .node = rt->node, .id = id };
    if (a != NULL)
        give_up(rt, a, id);
    gr_value_unref(o->args);
    return broken(rc);
}

void gr_stop(gr_runtime *rt, gr_ref who)
{
    gr_value *err = NULL;
    struct gri_actor *a = gri_actor_pin(rt, who, &err);

    if (a != NULL) {
        gri_actor_stop(a, rt->reasons.normal);
        gri_actor_unpin(a);
    }
    gr_value_unref(err);
}

gr_value *gr_check(gr_runtime *rt, gr_ref who)
{
    gr_value *err = NULL;
    struct gri_actor *a = gri_actor_pin(rt, who, &err);

    if (a != NULL)
        gri_actor_unpin(a);
    return err;
}
