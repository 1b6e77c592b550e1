/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor.c - the class: init, what a supervisor is asked, what it is told, its end. */
#include <inttypes.h>
#include <stdio.h>

#include "runtime/actor/ctx.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/sched/world.h"
#include "runtime/supervise/supervise.h"

#define INTENSITY_MAX 1000000
#define TIES_SPARE 1024 /* links that are not its children's */

/* leave is the end of each handler that may have changed something: the alarm, or the end. */
static void leave(gr_ctx *c, struct gri_supervisor *s)
{
    if (s->gave_up)
        gr_value_unref(gr_exit(c, gr_str("shutdown")));
    else
        gri_restart_alarm(s);
}

/* ---- birth and end --------------------------------------------------------------------------- */

static gr_value *could_not(const struct gri_child *ch, gr_value *err GR_TAKES)
{
    return gr_error_with(gr_error(gr_error_code(err), "child '%s' could not be started: %s",
                                  gri_child_id(ch), gr_error_text(err)),
                         "cause", err);
}

static gr_value *start_all(gr_ctx *c, struct gri_supervisor *s)
{
    gr_value *err = NULL;

    for (size_t i = 0; i < s->setup->spec_count && err == NULL; i++) {
        struct gri_spec *spec = s->setup->specs[i];

        gri_child_add(s, spec, spec->args != NULL ? gr_value_ref(spec->args) : NULL, &err);
    }
    for (struct gri_list *n = s->children.next, *next; n != &s->children && err == NULL; n = next) {
        struct gri_child *ch = gri_child_at(n);

        next = n->next;
        err = gri_child_start(c, s, ch);
        if (err != NULL)
            err = could_not(ch, err);
        else if (ch->state == GRI_CHILD_ABSENT)
            gri_child_settle(s, ch);
    }
    return err;
}

static gr_code supervisor_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_supervisor *s = self;
    gr_value *err = NULL;
    gr_code rc;

    s->setup = gr_as_opaque(args);
    s->rt = gr_runtime_of(c);
    gri_list_init(&s->children);
    gri_list_init(&s->restarting);
    gri_list_init(&s->abandoned);
    gri_map_init(&s->by_id, gri_random(s->rt));
    gri_map_init(&s->by_ref, gri_random(s->rt));
    s->due_ns = GRI_NEVER;
    s->family = s->setup->family;
    gr_trap_exit(c, true);
    rc = gri_window_init(&s->window, (uint32_t)s->setup->o.intensity,
                         (uint64_t)s->setup->o.period_ms * 1000000u);
    if (rc != GR_OK)
        return rc;
    if (!gri_supervisor_simple(s))
        err = start_all(c, s);
    if (err == NULL)
        return GR_OK;
    gri_children_stop(c, s);
    return gr_fail(c, err);
}

static void supervisor_terminate(gr_ctx *c, void *self, const gr_value *reason)
{
    (void)reason;
    gri_children_stop(c, self);
}

static void supervisor_stopped(void *self, const gr_value *args)
{
    const struct gri_setup *setup = gr_as_opaque(args);
    struct gri_supervisor *s = self;

    if (s->family != NULL) {
        gri_alarm_clear(s->family);
        gri_children_free(s);
        gri_window_fini(&s->window);
    }
    gri_family_end(setup->family);
}

/* ---- what it is told ------------------------------------------------------------------------- */

static void supervisor_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    struct gri_supervisor *s = self;
    struct gri_child *ch = gri_child_by_ref(s, from);
    gr_ref parent = s->family->parent;

    if (ch != NULL) {
        gri_restart_exited(c, s, ch, reason);
        leave(c, s);
    } else if (from.id == parent.id && from.node == parent.node) {
        gr_value_unref(gr_exit(c, gr_value_ref(reason)));
    } else {
        gri_log(GRI_LOG_DEBUG, "supervisor: an exit signal from a stranger is ignored");
    }
}

/* The alarm; whoever else tells it something has it look at the time. */
static void supervisor_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct gri_supervisor *s = self;

    if (!gr_is_nil(msg))
        return;
    if (s->alarm_set && s->alarm_ns <= gr_now_ns(s->rt))
        s->alarm_set = false;
    gri_restart_due(c, s);
    leave(c, s);
}

/* ---- what it is asked ------------------------------------------------------------------------ */

static gr_value *refused(const char *kind, const char *text)
{
    return gr_error_with(gr_error(GR_EINVAL, "%s", text), "kind", gr_str(kind));
}

static gr_value *ref_or_nil(gr_ref ref)
{
    return ref.node != 0 ? gr_ref_value(ref) : gr_nil();
}

/* start_added starts a child that was just added; one that fails is forgotten. */
static gr_value *start_added(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch)
{
    gr_value *err = gri_child_start(c, s, ch);
    gr_ref ref = ch->ref;

    if (err != NULL)
        gri_child_drop(s, ch);
    else if (ch->state == GRI_CHILD_ABSENT)
        gri_child_settle(s, ch);
    return err != NULL ? err : ref_or_nil(ref);
}

/* pool_args lays the arguments of one child over those that all have. */
static gr_value *pool_args(const struct gri_spec *spec, const gr_value *own)
{
    if (own == NULL)
        return spec->args != NULL ? gr_value_ref(spec->args) : NULL;
    if (gr_value_type(spec->args) == GR_MAP && gr_value_type(own) == GR_MAP)
        return gr_merge(gr_value_ref(spec->args), gr_value_ref(own));
    return gr_value_ref(own);
}

static gr_value *taken(const struct gri_child *ch)
{
    if (ch->state != GRI_CHILD_RUNNING)
        return refused("already_present", "the id is taken by a child that does not run");
    return gr_error_with(refused("already_started", "the id is taken by a child that runs"),
                         "detail", gr_ref_value(ch->ref));
}

static gr_value *start_child(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_supervisor *s = self;
    struct gri_spec *spec = gr_as_opaque(gr_get(args, "spec"));
    struct gri_child *ch;
    gr_value *err = NULL, *own;

    if (gri_supervisor_simple(s)) {
        own = pool_args(s->setup->specs[0], spec != NULL ? spec->args : gr_get(args, "args"));
        if (own != NULL && gr_error_code(own) != GR_OK)
            return own;
        spec = s->setup->specs[0];
    } else if (spec == NULL || spec->id == NULL) {
        return gr_error(GR_EINVAL, "start_child needs a spec, with an id");
    } else if ((ch = gri_child_find(s, spec->id)) != NULL) {
        return taken(ch);
    } else if (spec->significant && s->setup->o.auto_shutdown == GR_AUTO_NEVER) {
        return gr_error(GR_EINVAL, "no child can be significant: there is no auto_shutdown");
    } else {
        own = spec->args != NULL ? gr_value_ref(spec->args) : NULL;
    }
    ch = gri_child_add(s, spec, own, &err);
    if (ch == NULL)
        return err;
    own = start_added(c, s, ch);
    leave(c, s);
    return own;
}

/* asked_for finds the child that a request is about; NULL with *ret_err. */
static struct gri_child *asked_for(struct gri_supervisor *s, const gr_value *args,
                                   gr_value **ret_err)
{
    const gr_value *ref = gr_get(args, "child");
    struct gri_child *ch;

    if (ref != NULL) {
        ch = gri_child_by_ref(s, gr_as_ref(ref));
    } else if (gri_supervisor_simple(s)) {
        *ret_err = refused("simple", "children of simple_one_for_one have no ids");
        return NULL;
    } else {
        ch = gri_child_find(s, gr_cstr(gr_get(args, "id"), NULL));
    }
    if (ch == NULL)
        *ret_err = refused("not_found", "there is no such child");
    return ch;
}

/* asked_idle finds a child that is not to run. */
static struct gri_child *asked_idle(struct gri_supervisor *s, const gr_value *args,
                                    gr_value **ret_err)
{
    struct gri_child *ch = asked_for(s, args, ret_err);

    if (ch == NULL || ch->state == GRI_CHILD_ABSENT)
        return ch;
    *ret_err = ch->state == GRI_CHILD_RUNNING
                   ? refused("running", "the child runs")
                   : refused("restarting", "the child is being restarted");
    return NULL;
}

static gr_value *terminate_child(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_supervisor *s = self;
    gr_value *err = NULL;
    struct gri_child *ch = asked_for(s, args, &err);

    if (ch == NULL)
        return err;
    gri_child_stop(c, s, ch);
    gri_child_settle(s, ch);
    leave(c, s);
    return gr_nil();
}

static gr_value *restart_child(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_supervisor *s = self;
    gr_value *err = NULL;
    struct gri_child *ch = asked_idle(s, args, &err);

    if (ch == NULL)
        return err;
    err = gri_child_start(c, s, ch);
    leave(c, s);
    return err != NULL ? err : ref_or_nil(ch->ref);
}

static gr_value *delete_child(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_supervisor *s = self;
    gr_value *err = NULL;
    struct gri_child *ch = asked_idle(s, args, &err);

    (void)c;
    if (ch == NULL)
        return err;
    gri_child_drop(s, ch);
    return gr_nil();
}

static gr_value *child(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL;
    struct gri_child *ch = asked_for(self, args, &err);

    (void)c;
    return ch != NULL ? ref_or_nil(ch->ref) : err;
}

static gr_value *which_children(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)args;
    return gri_children_list(self);
}

static gr_value *absent_children(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)args;
    return gri_children_absent(self);
}

static gr_value *count_children(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)args;
    return gri_children_count(self);
}

static const gr_method methods[] = {
    { .verb = "start_child", .kind = GR_ASYNC, .fn = start_child },
    { .verb = "terminate_child", .kind = GR_ASYNC, .fn = terminate_child },
    { .verb = "restart_child", .kind = GR_ASYNC, .fn = restart_child },
    { .verb = "delete_child", .kind = GR_ASYNC, .fn = delete_child },
    { .verb = "child", .kind = GR_ASYNC, .fn = child },
    { .verb = "which_children", .kind = GR_ASYNC, .fn = which_children },
    { .verb = "count_children", .kind = GR_ASYNC, .fn = count_children },
    { .verb = "absent_children", .kind = GR_ASYNC, .fn = absent_children },
};

const gr_class gri_supervisor_class =
    GR_CLASS(.name = "supervisor", .state_size = sizeof(struct gri_supervisor),
             .init = supervisor_init, .receive = supervisor_receive, .exited = supervisor_exited,
             .terminate = supervisor_terminate, .stopped = supervisor_stopped, GR_METHODS(methods));

/* ---- making one ------------------------------------------------------------------------------ */

static void setup_free(void *p)
{
    struct gri_setup *u = p;

    for (size_t i = 0; u->specs != NULL && i < u->spec_count; i++)
        gri_spec_unref(u->specs[i]);
    gri_free(u->specs);
    if (u->family != NULL)
        gri_family_unref(u->family);
    gri_free(u);
}

static const char *wrong(const gr_supervisor_opts *o)
{
    if ((unsigned)o->strategy > GR_SIMPLE_ONE_FOR_ONE ||
        (unsigned)o->auto_shutdown > GR_AUTO_ALL_SIGNIFICANT)
        return "no such strategy, or no such auto_shutdown";
    if (o->strategy == GR_SIMPLE_ONE_FOR_ONE && o->child_count != 1)
        return "simple_one_for_one has one spec";
    if (o->strategy == GR_SIMPLE_ONE_FOR_ONE && o->auto_shutdown != GR_AUTO_NEVER)
        return "simple_one_for_one has no auto_shutdown";
    if (o->intensity > INTENSITY_MAX)
        return "the intensity is more than 1000000";
    if (o->period_ms < 0 || o->kill_ms < 0)
        return "a time is negative";
    if (o->children_max < o->child_count)
        return "there are more children than children_max";
    return NULL;
}

static gr_supervisor_opts with_defaults(gr_supervisor_opts o)
{
    if (o.intensity == 0)
        o.intensity = 1;
    else if (o.intensity < 0)
        o.intensity = 0;
    if (o.period_ms == 0)
        o.period_ms = 5000;
    if (o.children_max == 0)
        o.children_max = 65536;
    if (o.kill_ms == 0)
        o.kill_ms = 1000;
    if (o.abandoned_max == 0)
        o.abandoned_max = 16;
    return o;
}

/* check_ids finds an id that two specs have. NULL: none. */
static gr_value *check_ids(const struct gri_setup *u)
{
    struct gri_map ids;
    gr_value *err = NULL;

    gri_map_init(&ids, 1);
    for (size_t i = 0; i < u->spec_count && err == NULL; i++) {
        const char *id = u->specs[i]->id;

        if (id != NULL && gri_map_gets(&ids, id) != NULL)
            err = gr_error(GR_EINVAL, "supervisor: two children have the id '%s'", id);
        else if (id != NULL && !gri_map_puts(&ids, id, u->specs[i]))
            err = gr_error(GR_ENOMEM, "out of memory");
    }
    gri_map_fini(&ids);
    return err;
}

/* copy_specs checks and copies all of them, and so takes the args of all. NULL: well. */
static gr_value *copy_specs(struct gri_setup *u, const gr_supervisor_opts *o)
{
    bool simple = o->strategy == GR_SIMPLE_ONE_FOR_ONE;
    gr_value *err = NULL;

    for (size_t i = 0; i < o->child_count; i++) {
        gr_value *why = NULL;
        struct gri_spec *spec =
            gri_spec_new(&o->children[i], simple, o->auto_shutdown != GR_AUTO_NEVER, &why);

        if (spec != NULL && u != NULL && u->specs != NULL) {
            u->specs[u->spec_count++] = spec;
        } else {
            gri_spec_unref(spec);
            why = why != NULL ? why : gr_error(GR_ENOMEM, "out of memory");
        }
        if (err == NULL)
            err = why;
        else
            gr_value_unref(why);
    }
    return err;
}

/* made_by returns the supervisor whose start function is being called on this stack; NULL:
 * none. */
static struct gri_supervisor *made_by(gr_runtime *rt, gr_ref *ret_parent)
{
    struct gr_ctx *c = gri_ctx_current(rt);
    struct gri_supervisor *s = NULL;

    *ret_parent = (gr_ref){ 0, 0 };
    if (c != NULL && c->actor->klass->cls == &gri_supervisor_class)
        s = c->actor->self;
    if (s == NULL || s->starting == NULL)
        return NULL;
    *ret_parent = gri_actor_ref(c->actor);
    return s;
}

/*
 * path_for gives a new supervisor the beginning of its children's names. That of a supervised one
 * stays the same over its restarts; others get one that nobody else has. NULL: out of memory.
 */
static char *path_for(gr_runtime *rt, struct gri_supervisor *parent, const char *name)
{
    char path[GR_NAME_MAX + 2];

    if (parent != NULL && parent->starting->spec->id != NULL && !parent->path_given) {
        snprintf(path, sizeof(path), "%s/%s", parent->family->path, parent->starting->spec->id);
        parent->path_given = true;
    } else {
        snprintf(path, sizeof(path), "%.60s#%016" PRIx64, name != NULL ? name : "supervisor",
                 gri_random(rt));
    }
    return gri_strdup(path);
}

static gr_value *set_up(struct gri_setup *u, gr_scope *in, const gr_supervisor_opts *o)
{
    struct gri_supervisor *parent;
    gr_ref parent_ref;
    gr_code rc = GR_ENOMEM;
    char *path;

    parent = made_by(in->rt, &parent_ref);
    path = path_for(in->rt, parent, o->name);
    if (path != NULL)
        u->family = gri_family_new(in, path, parent_ref, &rc);
    return u->family != NULL ? NULL : gr_error(rc, "no supervisor can be made in this scope");
}

/* setup_new checks what is wanted; NULL with *ret_err. */
static struct gri_setup *setup_new(const gr_supervisor_opts *o, gr_value **ret_err)
{
    const char *why = wrong(o);
    struct gri_setup *u = gri_new0(struct gri_setup);

    if (u != NULL)
        u->specs = gri_alloc_array(o->child_count + 1, sizeof(*u->specs));
    *ret_err = copy_specs(u, o);
    if (*ret_err == NULL && why != NULL)
        *ret_err = gr_error(GR_EINVAL, "supervisor: %s", why);
    else if (*ret_err == NULL && (u == NULL || u->specs == NULL))
        *ret_err = gr_error(GR_ENOMEM, "out of memory");
    else if (*ret_err == NULL)
        *ret_err = check_ids(u);
    if (*ret_err == NULL && u != NULL) {
        u->o = *o;
        u->o.name = NULL;
        u->o.children = NULL;
        return u;
    }
    if (u != NULL)
        setup_free(u);
    return NULL;
}

gr_ref gr_supervisor(gr_scope *in, const gr_supervisor_opts *opts)
{
    static const gr_supervisor_opts none = { .size = sizeof(none) };
    gr_supervisor_opts o = with_defaults(opts != NULL ? *opts : none);
    gr_value *err = NULL;
    struct gri_setup *u = setup_new(&o, &err);
    struct gri_family *f;
    gr_ref ref = { 0, 0 };
    gr_value *setup;

    if (u != NULL && in != NULL)
        err = set_up(u, in, &o);
    if (u == NULL || err != NULL || in == NULL) {
        if (u != NULL)
            setup_free(u);
        return gr_spawn(in, &gri_supervisor_class, GR_SPAWN(.args = err));
    }
    f = u->family;
    gri_scope_ref(&f->scope);
    setup = gr_opaque(u, setup_free);
    if (gr_error_code(setup) == GR_OK)
        ref = gr_spawn(&f->scope, &gri_supervisor_class,
                       GR_SPAWN(.name = o.name, .args = setup, .terminate_ms = INT64_MAX,
                                .ties_max = o.children_max + TIES_SPARE));
    else /* not in the family: only a supervisor ends that */
        err = setup;
    gri_family_join(f, ref);
    gri_family_unref(f);
    return err == NULL ? ref : gr_spawn(in, &gri_supervisor_class, GR_SPAWN(.args = err));
}
