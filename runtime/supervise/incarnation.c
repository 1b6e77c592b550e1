/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incarnation.c - starting and stopping one child.
 *
 * The waits here are not interrupted when the call that asked is cancelled: half a start or half a
 * stop is no state to be in. Only a kill of the supervisor itself cuts them short.
 */
#include <stdio.h>

#include "runtime/actor/ctx.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/send.h"
#include "runtime/base/log.h"
#include "runtime/supervise/supervise.h"

/* ---- waiting --------------------------------------------------------------------------------- */

struct wait {
    struct gri_waiter waiter;
    struct gri_park park;
};

static void wait_fire(struct gri_waiter *w)
{
    gri_park_wake(&gri_container_of(w, struct wait, waiter)->park, GRI_WOKEN);
}

/* wait_until waits for f: GR_OK, it is complete; GR_ETIMEDOUT; GR_EINTR, the supervisor is killed;
 * GR_EFULL or GR_ENOMEM, there is no stack to wait on. */
static gr_code wait_until(gr_future *f, uint64_t deadline_ns)
{
    struct gri_cancel *cancel = gri_exec()->cancel;
    struct wait w = { .waiter.fire = wait_fire };
    uint32_t why = 0;
    gr_code rc;

    gri_park_init(&w.park);
    if (gri_future_watch(f, &w.waiter) != GR_OK)
        return GR_OK; /* nobody else watches it */
    gri_exec()->cancel = NULL;
    rc = gri_park_wait(&w.park, deadline_ns, true, &why);
    gri_exec()->cancel = cancel;
    if (!gri_future_unwatch(f, &w.waiter))
        gri_park_rest(&w.park); /* it fires on this frame */
    if (gri_future_done(f))
        return GR_OK;
    if (rc != GR_OK)
        return rc;
    return (why & GRI_INTERRUPTED) != 0 ? GR_EINTR : GR_ETIMEDOUT;
}

static uint64_t after_ms(struct gri_supervisor *s, int64_t ms)
{
    return gri_deadline_after(gri_sched_of(s->rt), ms);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* A path/id, by which gr_child finds the child; one that was cut is longer than a name may be. */
struct route {
    char name[GR_NAME_MAX + 2];
};

static struct route route_of(const struct gri_supervisor *s, const struct gri_child *ch)
{
    struct route r;

    snprintf(r.name, sizeof(r.name), "%s/%s", s->family->path, ch->spec->id);
    return r;
}

/* take_name registers a name for the child; one that has ended meanwhile is told as such later. */
static gr_value *take_name(struct gri_supervisor *s, const char *name, gr_ref ref)
{
    gr_code rc = gr_register(s->rt, name, ref);

    if (rc == GR_OK || rc == GR_EDEAD)
        return NULL;
    return gr_error_with(gr_error(rc, "the name '%s' could not be taken", name), "kind",
                         gr_str("name_taken"));
}

static gr_value *take_names(struct gri_supervisor *s, struct gri_child *ch)
{
    gr_value *err = NULL;

    if (ch->spec->id != NULL)
        err = take_name(s, route_of(s, ch).name, ch->ref);
    if (err == NULL && ch->spec->name != NULL)
        err = take_name(s, ch->spec->name, ch->ref);
    return err;
}

/* drop_name frees a name of one that has not ended: the next incarnation is to have it. */
static void drop_name(struct gri_supervisor *s, const char *name, gr_ref ref)
{
    gr_ref now = gr_whereis(s->rt, name); /* nobody, if he was told to stop and still has it */

    if (now.id == 0 || now.id == ref.id)
        gr_unregister(s->rt, name);
}

/* ---- starting -------------------------------------------------------------------------------- */

static gr_ref make(struct gri_supervisor *s, struct gri_child *ch)
{
    gr_spawn_opts o = ch->spec->spawn;
    gr_ref ref;

    if (ch->spec->cls != NULL) {
        o.args = ch->args != NULL ? gr_value_ref(ch->args) : NULL;
        o.link = true;
        return gr_spawn(&ch->life->scope, ch->spec->cls, &o);
    }
    s->starting = ch;
    s->path_given = false;
    ref = ch->spec->start(&ch->life->scope, ch->spec->arg, ch->args);
    s->starting = NULL;
    return ref;
}

/* await_init waits until the child can be used. NULL: it can. */
static gr_value *await_init(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch)
{
    gr_value *err = gr_check(s->rt, ch->ref);
    gr_future *f;
    gr_outcome o;
    gr_code rc;

    if (err != NULL && ch->ref.node == 0)
        return err;
    gr_value_unref(err);
    if (ch->spec->cls == NULL) {
        rc = gr_link(c, ch->ref);
        if (rc != GR_OK)
            return gr_error(rc, "the supervisor can't be linked to it");
    }
    f = gri_started(&s->family->scope, ch->ref);
    if (f == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    rc = wait_until(f, after_ms(s, ch->spec->start_ms));
    if (rc == GR_ETIMEDOUT)
        err = gr_error(rc, "it did not start within %lld ms", (long long)ch->spec->start_ms);
    else if (rc != GR_OK)
        err = gr_error(rc, "the supervisor could not wait for it");
    else
        err = (o = gri_future_outcome(f)).code != GR_OK ? gr_value_ref(o.error) : NULL;
    gr_future_free(f);
    return err;
}

/* note_origin is for who looks at the child: see greenroom/inspect.h. */
static void note_origin(gr_ctx *c, struct gri_supervisor *s, const struct gri_child *ch)
{
    struct gri_birth o = { .supervisor = gr_self(c),
                           .born_ns = gri_now(s->rt),
                           .restarts = ch->restarts,
                           .last_exit = ch->last_exit };

    gri_birth_note(s->rt, ch->ref, &o);
}

/* The child is on the table from its birth, so that a failed start is stopped like any other. */
static gr_value *bring_up(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch)
{
    gr_value *err;

    if (!gri_map_put(&s->by_ref, ch->ref.id, ch))
        return gr_error(GR_ENOMEM, "out of memory");
    err = await_init(c, s, ch);
    return err != NULL ? err : take_names(s, ch);
}

gr_value *gri_child_start(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch)
{
    gr_value *err;

    gri_assert(ch->life == NULL);
    gri_restart_forget(ch);
    ch->state = GRI_CHILD_ABSENT;
    ch->life = gri_life_new(s->family, ch->spec);
    if (ch->life == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    ch->ref = make(s, ch);
    if (ch->ref.node == 0 && ch->ref.id == 0) { /* it wants no actor this time */
        gri_child_clean_up(s, ch);
        return NULL;
    }
    ch->state = GRI_CHILD_RUNNING;
    note_origin(c, s, ch);
    err = bring_up(c, s, ch);
    if (err != NULL)
        gri_child_stop(c, s, ch);
    else
        ch->started_ns = gr_now_ns(s->rt);
    return err;
}

/* ---- stopping -------------------------------------------------------------------------------- */

/* abandon leaves a life to itself that does not end; ref: the child itself, if it is that. */
static void abandon(struct gri_supervisor *s, struct gri_child *ch, gr_ref ref)
{
    struct gri_life *l = ch->life;

    gri_log_actor(GRI_LOG_ERROR, gri_child_id(ch), "supervisor: %s does not end, and is abandoned",
                  gri_child_id(ch));
    if (ref.node != 0 && ch->spec->id != NULL)
        drop_name(s, route_of(s, ch).name, ref);
    if (ref.node != 0 && ch->spec->name != NULL)
        drop_name(s, ch->spec->name, ref);
    l->ref = ref;
    gri_list_push(&s->abandoned, &l->node);
    s->abandoned_count++;
    ch->life = NULL;
    if (gri_abandoned_prune(s) > s->setup->o.abandoned_max) {
        gri_log(GRI_LOG_ERROR, "supervisor: more than %zu children are abandoned: giving up",
                s->setup->o.abandoned_max);
        s->gave_up = true;
    }
}

/* finish ends a life; ref: the child itself, if it has not ended. */
static void finish(struct gri_supervisor *s, struct gri_child *ch, gr_ref ref, uint64_t deadline_ns)
{
    if (gri_scope_drain(&ch->life->scope, deadline_ns)) {
        gri_life_unref(ch->life);
        ch->life = NULL;
    } else {
        abandon(s, ch, ref);
    }
}

void gri_child_clean_up(struct gri_supervisor *s, struct gri_child *ch)
{
    if (ch->life != NULL)
        finish(s, ch, (gr_ref){ 0, 0 }, after_ms(s, s->setup->o.kill_ms));
}

/* tell begins the end of a running child. From here on no exit signal comes from it. */
static void tell(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch)
{
    bool brutal = ch->spec->shutdown_ms == GR_BRUTAL_KILL_MS;

    if (ch->ref.node == 0)
        return;
    gr_unlink(c, ch->ref);
    /* without memory for a future the wait is for its scope to become empty: see await_end */
    ch->ending = gr_ended(s->rt, ch->ref);
    gr_exit_to(s->rt, ch->ref, gr_str(brutal ? "kill" : "shutdown"));
}

static bool await_end(struct gri_child *ch, uint64_t deadline_ns)
{
    if (ch->ending == NULL)
        return gri_scope_drain(&ch->life->scope, deadline_ns);
    return wait_until(ch->ending, deadline_ns) == GR_OK;
}

/* await_stop waits for the end of a child that was told, and sees to it. */
static void await_stop(struct gri_supervisor *s, struct gri_child *ch, uint64_t deadline_ns)
{
    gr_ref ref = ch->ref;
    uint64_t last;

    if (ref.node != 0 && ch->spec->shutdown_ms != GR_BRUTAL_KILL_MS &&
        !await_end(ch, deadline_ns)) {
        gri_log_actor(GRI_LOG_WARN, gri_child_id(ch),
                      "supervisor: %s did not shut down in time, and is killed", gri_child_id(ch));
        gr_exit_to(s->rt, ref, gr_str("kill"));
    }
    last = after_ms(s, s->setup->o.kill_ms);
    if (ref.node != 0 && await_end(ch, last))
        ref = (gr_ref){ 0, 0 };
    gr_future_free(ch->ending);
    ch->ending = NULL;
    gri_child_lose(s, ch);
    finish(s, ch, ref, last);
}

void gri_child_stop(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch)
{
    gri_restart_forget(ch);
    if (ch->state != GRI_CHILD_RUNNING) {
        ch->state = GRI_CHILD_ABSENT;
        return;
    }
    tell(c, s, ch);
    await_stop(s, ch, after_ms(s, ch->spec->shutdown_ms));
}

/* stop_pool stops all children at once: there may be many, and they have one time limit. */
static void stop_pool(gr_ctx *c, struct gri_supervisor *s)
{
    struct gri_child *first = gri_child_at(s->children.next);
    uint64_t deadline_ns;

    for (struct gri_list *n = s->children.next; n != &s->children; n = n->next) {
        if (gri_child_at(n)->state == GRI_CHILD_RUNNING)
            tell(c, s, gri_child_at(n));
    }
    deadline_ns = after_ms(s, first->spec->shutdown_ms);
    for (struct gri_list *n = s->children.next; n != &s->children; n = n->next) {
        if (gri_child_at(n)->state == GRI_CHILD_RUNNING)
            await_stop(s, gri_child_at(n), deadline_ns);
    }
}

void gri_children_stop(gr_ctx *c, struct gri_supervisor *s)
{
    if (gri_list_empty(&s->children))
        return;
    if (gri_supervisor_simple(s)) {
        stop_pool(c, s);
        return;
    }
    for (struct gri_list *n = s->children.prev; n != &s->children; n = n->prev)
        gri_child_stop(c, s, gri_child_at(n));
}
