/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restart.c - what follows from a child's exit, as in OTP's supervisor.erl.
 *
 * A restart counts when it is decided. If the start then fails, the child stays RESTARTING and is
 * due at once: the next attempt comes as a message, behind those that wait, and counts again. So
 * calls are served between attempts, and the intensity ends what never starts.
 */
#include "runtime/base/log.h"
#include "runtime/sched/world.h"
#include "runtime/supervise/supervise.h"

void gri_restart_forget(struct gri_child *ch)
{
    gri_list_remove(&ch->due);
}

static void put_off(struct gri_supervisor *s, struct gri_child *ch, int64_t delay_ms, bool counted)
{
    ch->state = GRI_CHILD_RESTARTING;
    ch->due_ns = gri_deadline_after(gri_sched_of(s->rt), delay_ms);
    ch->counted = counted;
    gri_list_remove(&ch->due);
    gri_list_push(&s->restarting, &ch->due);
    if (ch->due_ns < s->due_ns)
        s->due_ns = ch->due_ns;
}

/* look_again works out when the next one is due. */
static void look_again(struct gri_supervisor *s)
{
    s->due_ns = GRI_NEVER;
    for (struct gri_list *n = s->restarting.next; n != &s->restarting; n = n->next) {
        const struct gri_child *ch = gri_container_of(n, struct gri_child, due);

        s->due_ns = ch->due_ns < s->due_ns ? ch->due_ns : s->due_ns;
    }
}

void gri_restart_alarm(struct gri_supervisor *s)
{
    uint64_t at = s->due_ns;

    if (at == GRI_NEVER || (s->alarm_set && s->alarm_ns <= at))
        return;
    if (s->alarm_set)
        gri_alarm_reset(s->family, at);
    else
        gri_alarm_set(s->family, at);
    s->alarm_set = true;
    s->alarm_ns = at;
}

/* ---- strategies ------------------------------------------------------------------------------ */

static void failed(struct gri_supervisor *s, struct gri_child *ch, gr_value *err)
{
    gri_log_actor(GRI_LOG_WARN, gri_child_id(ch), "supervisor: %s could not be started again: %s",
                  gri_child_id(ch), gr_error_text(err));
    gri_child_note_exit(ch, err);
    gr_value_unref(err);
    put_off(s, ch, 0, false);
}

/* first_of returns the first of the children that are restarted together with ch; NULL: it is
 * alone. */
static struct gri_child *first_of(struct gri_supervisor *s, struct gri_child *ch)
{
    switch (s->setup->o.strategy) {
    case GR_ONE_FOR_ALL: return gri_child_at(s->children.next);
    case GR_REST_FOR_ONE: return ch;
    case GR_ONE_FOR_ONE:
    case GR_SIMPLE_ONE_FOR_ONE: break;
    }
    return NULL;
}

/* stop_others stops those that are restarted with ch, in reverse order; the temporary ones among
 * them are forgotten. */
static void stop_others(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch)
{
    struct gri_child *first = first_of(s, ch);
    struct gri_list *end = first != NULL ? first->node.prev : NULL;
    struct gri_list *next;

    if (first == NULL)
        return;
    for (struct gri_list *n = s->children.prev; n != end; n = next) {
        struct gri_child *other = gri_child_at(n);

        next = n->prev;
        if (other == ch)
            continue;
        gri_child_stop(c, s, other);
        gri_child_settle(s, other);
    }
}

static void start_again(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch)
{
    struct gri_child *first;
    gr_value *err = NULL;

    stop_others(c, s, ch);
    gri_restart_forget(ch);
    ch->state = GRI_CHILD_ABSENT;
    first = first_of(s, ch); /* after that: a temporary one may have been the first */
    if (first == NULL) {
        err = gri_child_start(c, s, ch);
        if (err != NULL)
            failed(s, ch, err);
        else if (ch->state == GRI_CHILD_ABSENT)
            gri_child_settle(s, ch);
        return;
    }
    for (struct gri_list *n = &first->node; n != &s->children && err == NULL; n = n->next) {
        struct gri_child *each = gri_child_at(n);

        err = gri_child_start(c, s, each);
        if (err != NULL)
            failed(s, each, err);
    }
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void give_up(struct gri_supervisor *s, struct gri_child *ch)
{
    gri_log_actor(GRI_LOG_ERROR, gri_child_id(ch),
                  "supervisor: %s restarts too often (more than %u times in %lld ms): giving up",
                  gri_child_id(ch), (unsigned)s->window.max, (long long)s->setup->o.period_ms);
    gri_child_settle(s, ch);
    s->gave_up = true;
}

static void restart(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch)
{
    uint64_t now = gr_now_ns(s->rt);
    int64_t delay_ms;

    if (!gri_window_add(&s->window, now)) {
        give_up(s, ch);
        return;
    }
    s->restarts++;
    ch->restarts++;
    delay_ms = gri_delay_next(&ch->delay, &ch->spec->backoff, (int64_t)(ch->ran_ns / 1000000u),
                              gri_random(s->rt));
    ch->ran_ns = 0;
    if (delay_ms == 0) {
        start_again(c, s, ch);
        return;
    }
    put_off(s, ch, delay_ms, true);
    stop_others(c, s, ch);
}

/* significant_left tells whether a significant child is left that runs or will. */
static bool significant_left(struct gri_supervisor *s)
{
    for (struct gri_list *n = s->children.next; n != &s->children; n = n->next) {
        const struct gri_child *ch = gri_child_at(n);

        if (ch->spec->significant && ch->state != GRI_CHILD_ABSENT)
            return true;
    }
    return false;
}

static void ended_for_good(struct gri_supervisor *s, struct gri_child *ch)
{
    bool significant = ch->spec->significant;

    gri_child_settle(s, ch);
    if (significant &&
        (s->setup->o.auto_shutdown == GR_AUTO_ANY_SIGNIFICANT ||
         (s->setup->o.auto_shutdown == GR_AUTO_ALL_SIGNIFICANT && !significant_left(s))))
        s->gave_up = true;
}

void gri_restart_exited(gr_ctx *c, struct gri_supervisor *s, struct gri_child *ch,
                        const gr_value *reason)
{
    bool clean = gr_reason_clean(reason);

    gri_child_lose(s, ch);
    gri_child_clean_up(s, ch);
    gri_child_note_exit(ch, reason);
    if (!clean)
        gri_log_actor(GRI_LOG_WARN, gri_child_id(ch), "supervisor: %s ended: %s", gri_child_id(ch),
                      gr_error_code(reason) != GR_OK ? gr_error_text(reason)
                                                     : gr_cstr(reason, "a reason of its own"));
    if (ch->spec->restart == GR_PERMANENT || (ch->spec->restart == GR_TRANSIENT && !clean))
        restart(c, s, ch);
    else
        ended_for_good(s, ch);
}

void gri_restart_due(gr_ctx *c, struct gri_supervisor *s)
{
    uint64_t now = gr_now_ns(s->rt);
    struct gri_list due, *n, *next;

    /* set apart first: who fails again is due again, but not in this turn */
    gri_list_init(&due);
    for (n = s->restarting.next; n != &s->restarting; n = next) {
        next = n->next;
        if (gri_container_of(n, struct gri_child, due)->due_ns <= now) {
            gri_list_remove(n);
            gri_list_push(&due, n);
        }
    }
    while (!s->gave_up && (n = gri_list_pop(&due)) != NULL) {
        struct gri_child *ch = gri_container_of(n, struct gri_child, due);

        if (ch->counted)
            start_again(c, s, ch);
        else
            restart(c, s, ch);
    }
    while ((n = gri_list_pop(&due)) != NULL)
        gri_list_push(&s->restarting, n);
    look_again(s);
}
