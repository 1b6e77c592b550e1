/* SPDX-License-Identifier: Apache-2.0 */
/* children.c - the table of a supervisor's children. */
#include "runtime/base/alloc.h"
#include "runtime/supervise/supervise.h"

#define ABSENT_MAX 64 /* children in one answer of absent_children */
#define LOOKED_AT_MAX 4096

const char *gri_child_id(const struct gri_child *ch)
{
    return ch->spec->id != NULL ? ch->spec->id : "a child";
}

struct gri_child *gri_child_add(struct gri_supervisor *s, struct gri_spec *spec, gr_value *args,
                                gr_value **ret_err)
{
    struct gri_child *ch = NULL;

    if (s->child_count >= s->setup->o.children_max)
        *ret_err = gr_error(GR_EFULL, "the supervisor has %zu children, and may have no more",
                            s->child_count);
    else if ((ch = gri_new0(struct gri_child)) == NULL ||
             (spec->id != NULL && !gri_map_puts(&s->by_id, spec->id, ch)))
        *ret_err = gr_error(GR_ENOMEM, "out of memory");
    else {
        ch->spec = gri_spec_ref(spec);
        ch->args = args;
        gri_list_init(&ch->due);
        gri_list_push(&s->children, &ch->node);
        s->child_count++;
        return ch;
    }
    gri_free(ch);
    gr_value_unref(args);
    return NULL;
}

static void child_free(struct gri_child *ch)
{
    gri_assert(ch->ending == NULL);
    if (ch->life != NULL)
        gri_life_unref(ch->life);
    gr_value_unref(ch->args);
    gr_value_unref(ch->last_exit);
    gri_spec_unref(ch->spec);
    gri_free(ch);
}

void gri_child_drop(struct gri_supervisor *s, struct gri_child *ch)
{
    gri_assert(ch->state != GRI_CHILD_RUNNING && ch->life == NULL);
    gri_restart_forget(ch);
    gri_list_remove(&ch->node);
    if (ch->spec->id != NULL)
        gri_map_dels(&s->by_id, ch->spec->id);
    s->child_count--;
    child_free(ch);
}

struct gri_child *gri_child_find(struct gri_supervisor *s, const char *id)
{
    return id != NULL ? gri_map_gets(&s->by_id, id) : NULL;
}

struct gri_child *gri_child_by_ref(struct gri_supervisor *s, gr_ref ref)
{
    struct gri_child *ch = gri_map_get(&s->by_ref, ref.id);

    return ch != NULL && ch->ref.node == ref.node ? ch : NULL;
}

void gri_child_note_exit(struct gri_child *ch, const gr_value *reason)
{
    gr_value_unref(ch->last_exit);
    ch->last_exit = gri_reason_text(reason);
}

void gri_child_lose(struct gri_supervisor *s, struct gri_child *ch)
{
    gri_map_del(&s->by_ref, ch->ref.id);
    ch->ref = (gr_ref){ 0, 0 };
    ch->state = GRI_CHILD_ABSENT;
    ch->ran_ns = ch->started_ns != 0 ? gr_now_ns(s->rt) - ch->started_ns : 0;
    ch->started_ns = 0;
}

void gri_child_settle(struct gri_supervisor *s, struct gri_child *ch)
{
    gri_restart_forget(ch);
    ch->state = GRI_CHILD_ABSENT;
    if (ch->spec->restart == GR_TEMPORARY || gri_supervisor_simple(s))
        gri_child_drop(s, ch);
}

size_t gri_abandoned_prune(struct gri_supervisor *s)
{
    struct gri_list *next;

    for (struct gri_list *n = s->abandoned.next; n != &s->abandoned; n = next) {
        struct gri_life *l = gri_container_of(n, struct gri_life, node);

        next = n->next;
        if (!atomic_load(&l->over))
            continue;
        gri_list_remove(n);
        gri_life_unref(l);
        s->abandoned_count--;
    }
    return s->abandoned_count;
}

/* ---- what is told about them ----------------------------------------------------------------- */

static gr_value *described(const struct gri_spec *spec, gr_ref ref, const char *state,
                           uint32_t restarts)
{
    static const char *const rules[] = { "permanent", "transient", "temporary" };

    return gr_map(
        GR_KV("id", spec->id != NULL ? gr_str(spec->id) : gr_nil()),
        GR_KV("child", ref.node != 0 ? gr_ref_value(ref) : gr_nil()), GR_KV("state", gr_str(state)),
        GR_KV("type", gr_str(spec->supervisor ? "supervisor" : "worker")),
        GR_KV("restart", gr_str(rules[spec->restart])), GR_KV("restarts", gr_int(restarts)));
}

gr_value *gri_children_list(struct gri_supervisor *s)
{
    static const char *const states[] = { "stopped", "running", "restarting" };
    gr_value *list = gr_list_n(NULL, 0);

    for (struct gri_list *n = s->children.next; n != &s->children; n = n->next) {
        const struct gri_child *ch = gri_child_at(n);

        list = gr_append(list, described(ch->spec, ch->ref, states[ch->state], ch->restarts));
    }
    gri_abandoned_prune(s);
    for (struct gri_list *n = s->abandoned.next; n != &s->abandoned; n = n->next) {
        const struct gri_life *l = gri_container_of(n, struct gri_life, node);

        list = gr_append(list, described(l->spec, l->ref, "abandoned", 0));
    }
    return list;
}

/* absent_name is what the child's next incarnation is registered under. */
static gr_value *absent_name(const struct gri_supervisor *s, const struct gri_child *ch)
{
    if (ch->spec->name != NULL)
        return gr_str(ch->spec->name);
    return gr_strf("%s/%s", s->family->path, gri_child_id(ch));
}

gr_value *gri_children_absent(struct gri_supervisor *s)
{
    gr_value *list = gr_list_n(NULL, 0);
    size_t seen = 0;

    for (struct gri_list *n = s->children.next; n != &s->children; n = n->next) {
        const struct gri_child *ch = gri_child_at(n);
        bool again = ch->state == GRI_CHILD_RESTARTING;

        if (seen++ == LOOKED_AT_MAX || gr_len(list) == ABSENT_MAX)
            break;
        if (ch->state != GRI_CHILD_RUNNING)
            list = gr_append(list, gr_map(GR_KV("name", absent_name(s, ch)),
                                          GR_KV("state", gr_str(again ? "restarting" : "stopped")),
                                          GR_KV("restarts", gr_int(ch->restarts))));
    }
    return list;
}

gr_value *gri_children_count(struct gri_supervisor *s)
{
    size_t supervisors = 0, active = 0;

    for (struct gri_list *n = s->children.next; n != &s->children; n = n->next) {
        const struct gri_child *ch = gri_child_at(n);

        supervisors += ch->spec->supervisor;
        active += ch->state == GRI_CHILD_RUNNING;
    }
    return gr_map(GR_KV("specs", gr_int(gri_supervisor_simple(s) ? 1 : (int64_t)s->child_count)),
                  GR_KV("active", gr_int((int64_t)active)),
                  GR_KV("supervisors", gr_int((int64_t)supervisors)),
                  GR_KV("workers", gr_int((int64_t)(s->child_count - supervisors))),
                  GR_KV("restarts", gr_int((int64_t)s->restarts)),
                  GR_KV("abandoned", gr_int((int64_t)gri_abandoned_prune(s))));
}

void gri_children_free(struct gri_supervisor *s)
{
    struct gri_list *n;

    while ((n = gri_list_pop(&s->children)) != NULL)
        child_free(gri_child_at(n));
    while ((n = gri_list_pop(&s->abandoned)) != NULL)
        gri_life_unref(gri_container_of(n, struct gri_life, node));
    gri_map_fini(&s->by_id);
    gri_map_fini(&s->by_ref);
}
