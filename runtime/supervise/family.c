/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/supervise/family.h"

#include "runtime/actor/actor.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"

#define ALARM_AGAIN_MS 5 /* the supervisor's mailbox is full, or memory is short */

static struct gri_family *family_of(struct gri_member *m)
{
    return gri_container_of(m, struct gri_family, scope.member);
}

static gr_ref supervisor_of(struct gri_family *f)
{
    uint64_t id = atomic_load(&f->supervisor);

    return (gr_ref){ .node = id != 0 ? f->scope.rt->node : 0, .id = id };
}

/* stop_supervisor stops it also if its init has failed: gri_actor_pin would refuse that one. */
static void stop_supervisor(struct gri_family *f)
{
    gr_runtime *rt = f->scope.rt;
    uint64_t id = atomic_load(&f->supervisor);
    struct gri_actor *a = gri_actor_pin_id(rt, id, false);

    if (a == NULL)
        return;
    gri_actor_stop(a, rt->reasons.shutdown);
    gri_actor_unpin(a);
}

/* ---- the family in the scope where it was made ----------------------------------------------- */

static void member_cancel(struct gri_member *m, gr_code why)
{
    (void)m, (void)why; /* it is an actor to the scope: cancelling leaves it alone */
}

static void member_stop(struct gri_member *m)
{
    struct gri_family *f = family_of(m);

    atomic_store(&f->unwanted, true);
    if (atomic_load(&f->supervisor) != 0)
        stop_supervisor(f);
}

static bool member_ref(struct gri_member *m)
{
    gri_scope_ref(&family_of(m)->scope);
    return true;
}

static void member_unref(struct gri_member *m)
{
    gri_scope_unref(&family_of(m)->scope);
}

static const struct gri_member_ops family_ops = { .actor = true,
                                                  .cancel = member_cancel,
                                                  .stop = member_stop,
                                                  .ref = member_ref,
                                                  .unref = member_unref };

static void emptied(struct gr_scope *s)
{
    gri_scope_leave(&s->member);
    gri_scope_unref(s);
}

static void destroy(struct gr_scope *s)
{
    struct gri_family *f = gri_container_of(s, struct gri_family, scope);

    gri_free(f->path);
    gri_free(f);
}

static void alarm_fire(struct gri_timer *t);
static void alarm_run(struct gri_task *t);

struct gri_family *gri_family_new(gr_scope *in, char *path, gr_ref parent, gr_code *ret_rc)
{
    struct gri_family *f = gri_new0(struct gri_family);

    *ret_rc = GR_ENOMEM;
    if (f == NULL) {
        gri_free(path);
        return NULL;
    }
    gri_scope_init(&f->scope, in->rt, emptied, destroy);
    f->path = path;
    f->parent = parent;
    gri_list_init(&f->alarm.node);
    f->task = (struct gri_task){ .run = alarm_run, .name = "supervisor's alarm" };
    gri_timer_init(&f->timer, alarm_fire);
    gri_scope_ref(&f->scope); /* until it is closed and empty */
    *ret_rc = gri_scope_add(in, &f->scope.member, &family_ops);
    if (*ret_rc == GR_OK)
        return f;
    destroy(&f->scope);
    return NULL;
}

void gri_family_join(struct gri_family *f, gr_ref supervisor)
{
    if (supervisor.node == 0) {
        gri_family_end(f);
        return;
    }
    atomic_store(&f->supervisor, supervisor.id);
    if (atomic_load(&f->unwanted))
        stop_supervisor(f);
}

void gri_family_end(struct gri_family *f)
{
    gri_scope_close(&f->scope, GR_ECANCELED);
}

/* ---- the alarm ------------------------------------------------------------------------------- */

static void alarm_fire(struct gri_timer *t)
{
    struct gri_family *f = gri_container_of(t, struct gri_family, timer);

    gri_ready(gri_sched_of(f->scope.rt), &f->task);
}

static const struct gri_member_ops alarm_ops;

/* It leaves the family before it tells: who is told may set the alarm anew at once. */
static void alarm_run(struct gri_task *t)
{
    struct gri_family *f = gri_container_of(t, struct gri_family, task);
    struct gri_sched *s = gri_sched_of(f->scope.rt);
    gr_code rc;

    gri_scope_ref(&f->scope);
    gri_scope_leave(&f->alarm);
    rc = gr_tell(f->scope.rt, supervisor_of(f), gr_nil());
    if ((rc == GR_EFULL || rc == GR_ENOMEM) &&
        gri_scope_add(&f->scope, &f->alarm, &alarm_ops) == GR_OK)
        gri_timer_start(s, &f->timer, gri_deadline_after(s, ALARM_AGAIN_MS));
    gri_scope_unref(&f->scope);
}

static void alarm_cancel(struct gri_member *m, gr_code why)
{
    (void)m, (void)why; /* the supervisor clears it */
}

static bool alarm_ref(struct gri_member *m)
{
    gri_scope_ref(&gri_container_of(m, struct gri_family, alarm)->scope);
    return true;
}

static void alarm_unref(struct gri_member *m)
{
    gri_scope_unref(&gri_container_of(m, struct gri_family, alarm)->scope);
}

static const struct gri_member_ops alarm_ops = { .cancel = alarm_cancel,
                                                 .ref = alarm_ref,
                                                 .unref = alarm_unref };

void gri_alarm_set(struct gri_family *f, uint64_t at_ns)
{
    if (gri_scope_add(&f->scope, &f->alarm, &alarm_ops) == GR_OK)
        gri_timer_start(gri_sched_of(f->scope.rt), &f->timer, at_ns);
}

void gri_alarm_reset(struct gri_family *f, uint64_t at_ns)
{
    struct gri_sched *s = gri_sched_of(f->scope.rt);

    if (gri_timer_cancel(s, &f->timer))
        gri_timer_start(s, &f->timer, at_ns);
}

void gri_alarm_clear(struct gri_family *f)
{
    if (gri_timer_cancel(gri_sched_of(f->scope.rt), &f->timer))
        gri_scope_leave(&f->alarm);
}

/* ---- lives ----------------------------------------------------------------------------------- */

static struct gri_life *life_of(struct gri_member *m)
{
    return gri_container_of(m, struct gri_life, scope.member);
}

static void life_cancel(struct gri_member *m, gr_code why)
{
    gri_scope_cancel(&life_of(m)->scope, why);
}

static void life_stop(struct gri_member *m)
{
    gri_scope_close(&life_of(m)->scope, GR_ECANCELED);
}

static bool life_ref(struct gri_member *m)
{
    gri_scope_ref(&life_of(m)->scope);
    return true;
}

static void life_unref(struct gri_member *m)
{
    gri_scope_unref(&life_of(m)->scope);
}

static const struct gri_member_ops life_ops = {
    .cancel = life_cancel, .stop = life_stop, .ref = life_ref, .unref = life_unref
};

static void life_emptied(struct gr_scope *s)
{
    struct gri_life *l = gri_container_of(s, struct gri_life, scope);

    atomic_store(&l->over, true);
    gri_scope_leave(&s->member);
    gri_scope_unref(s);
}

static void life_destroy(struct gr_scope *s)
{
    struct gri_life *l = gri_container_of(s, struct gri_life, scope);

    gri_spec_unref(l->spec);
    gri_free(l);
}

struct gri_life *gri_life_new(struct gri_family *f, struct gri_spec *spec)
{
    struct gri_life *l = gri_new0(struct gri_life);

    if (l == NULL)
        return NULL;
    gri_scope_init(&l->scope, f->scope.rt, life_emptied, life_destroy);
    gri_list_init(&l->node);
    gri_scope_ref(&l->scope); /* until it is closed and empty */
    if (gri_scope_add(&f->scope, &l->scope.member, &life_ops) != GR_OK) {
        gri_free(l);
        return NULL;
    }
    l->spec = gri_spec_ref(spec);
    return l;
}
