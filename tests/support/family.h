/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family.h - a scenario of actors that link, unlink, monitor, demonitor, exit and are born again, all at
 * once, with books on who has to be told what. To be run under many seeds; see simulate.h.
 *
 *   - a monitor fires at most once, never after gr_demonitor has returned, and once if the other ended
 *   - after gr_unlink has returned no exit signal of that link comes
 *   - who is linked with one that crashed ends too, or is told if it traps exits
 *   - gr_ended completes once for each life, with the reason that ended it
 */
#ifndef GR_TESTS_SUPPORT_FAMILY_H
#define GR_TESTS_SUPPORT_FAMILY_H

#include "tests/support/simulate.h"

enum { KIN = 5, KIN_LIVES = 40, KIN_MONITORS = 200, KIN_ROUNDS = 72 };

/* One life of one of them. */
struct life {
    gr_ref ref;
    gr_future *ended; /* owned */
    bool traps;
};

struct watch_entry {
    uint64_t monitor;
    int watcher, target; /* lives */
    int fired;
    bool withdrawn;
};

struct family {
    struct sim *s;
    struct life life[KIN_LIVES];
    int lives, now[KIN]; /* now: whose life is under way */
    /* what life i may be told of life j: a link is there, or is just being made */
    bool may[KIN_LIVES][KIN_LIVES];
    int links_begun[KIN_LIVES][KIN_LIVES], links_open[KIN_LIVES][KIN_LIVES];
    bool sure[KIN_LIVES][KIN_LIVES]; /* linked, and nobody has ever unlinked */
    bool unlinked[KIN_LIVES][KIN_LIVES];
    bool told[KIN_LIVES][KIN_LIVES];
    struct watch_entry watch[KIN_MONITORS];
    int watches;
};

static struct family *family;

struct kin_state {
    int64_t life;
};

static int life_of(gr_ref r)
{
    for (int i = 0; i < family->lives; i++)
        if (family->life[i].ref.id == r.id)
            return i;
    return -1;
}

static gr_code kin_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct kin_state *k = self;

    k->life = gr_as_int(args, -1);
    gr_trap_exit(c, family->life[k->life].traps);
    return GR_OK;
}

static void kin_link(gr_ctx *c, int me, int other)
{
    gr_code rc;

    family->may[me][other] = family->may[other][me] = true;
    family->links_begun[me][other]++, family->links_begun[other][me]++;
    family->links_open[me][other]++, family->links_open[other][me]++;
    rc = gr_link(c, family->life[other].ref);
    family->links_open[me][other]--, family->links_open[other][me]--;
    sim_check(family->s, rc == GR_OK, "gr_link gave %s", gr_code_name(rc));
    /* the other may have unlinked us before gr_link returned */
    family->sure[me][other] = family->sure[other][me] = !family->unlinked[me][other];
}

static void kin_unlink(gr_ctx *c, int me, int other)
{
    int begun = family->links_begun[me][other];
    bool open = family->links_open[me][other] != 0;

    family->sure[me][other] = family->sure[other][me] = false;
    family->unlinked[me][other] = family->unlinked[other][me] = true;
    gr_unlink(c, family->life[other].ref);
    /* if the other makes a new link meanwhile, that one counts */
    if (!open && family->links_begun[me][other] == begun)
        family->may[me][other] = false;
}

static void kin_monitor(gr_ctx *c, int me, int other)
{
    struct watch_entry *w = &family->watch[family->watches];
    gr_code rc;

    if (family->watches == KIN_MONITORS)
        return;
    family->watches++;
    *w = (struct watch_entry){ .watcher = me, .target = other };
    rc = gr_monitor(c, family->life[other].ref, &w->monitor);
    sim_check(family->s, rc == GR_OK, "gr_monitor gave %s", gr_code_name(rc));
}

static void kin_demonitor(gr_ctx *c, int me)
{
    for (int i = 0; i < family->watches; i++) {
        struct watch_entry *w = &family->watch[i];

        if (w->watcher != me || w->withdrawn || w->monitor == 0)
            continue;
        sim_check(family->s, gr_demonitor(c, w->monitor) == (w->fired == 0),
                  "gr_demonitor does not know whether it had fired");
        w->withdrawn = true;
        return;
    }
}

static gr_value *crash(int life)
{
    return gr_error_with(gr_error(GR_EREMOTE, "crash"), "detail", gr_int(life));
}

static void kin_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    int me = (int)((struct kin_state *)self)->life;
    int op = (int)gr_as_int(gr_at(msg, 0), 0), other = (int)gr_as_int(gr_at(msg, 1), 0);

    switch (op) {
    case 0:
        if (me != other)
            kin_link(c, me, other);
        break;
    case 1:
        if (me != other)
            kin_unlink(c, me, other);
        break;
    case 2: kin_monitor(c, me, other); break;
    case 3: kin_demonitor(c, me); break;
    case 4: gr_sleep(gr_runtime_of(c), 2); break;
    case 5: gr_value_unref(gr_exit(c, gr_str("normal"))); break;
    default: gr_value_unref(gr_exit(c, crash(me))); break;
    }
}

static void kin_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    int me = (int)((struct kin_state *)self)->life, other = life_of(from);

    (void)c, (void)reason;
    if (from.node == 0)
        return; /* main sent it */
    sim_check(family->s, other >= 0 && family->may[me][other],
              "life %d was told of the end of life %d, with which it is not linked", me, other);
    if (other >= 0) {
        family->may[me][other] = false;
        family->told[me][other] = true;
    }
}

static void kin_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who, const gr_value *reason)
{
    int me = (int)((struct kin_state *)self)->life;

    (void)c, (void)reason;
    for (int i = 0; i < family->watches; i++) {
        struct watch_entry *w = &family->watch[i];

        if (w->monitor != monitor)
            continue;
        sim_check(family->s, w->watcher == me && life_of(who) == w->target, "a stranger's DOWN");
        sim_check(family->s, !w->withdrawn, "a DOWN came after gr_demonitor");
        sim_check(family->s, w->fired++ == 0, "a second DOWN");
        return;
    }
    sim_complain(family->s, "a DOWN of no monitor");
}

static const gr_class kin_class =
    GR_CLASS(.name = "kin", .state_size = sizeof(struct kin_state), .init = kin_init,
             .receive = kin_receive, .exited = kin_exited, .down = kin_down);

static void give_life(int k)
{
    struct sim *s = family->s;
    int i = family->lives;

    if (i == KIN_LIVES)
        return;
    family->life[i].traps = sim_roll(s, 2) == 0;
    family->life[i].ref = gr_spawn(s->root, &kin_class, GR_SPAWN(.args = gr_int(i)));
    family->life[i].ended = gr_ended(s->rt, family->life[i].ref);
    family->now[k] = i;
    family->lives++;
}

/* command tells somebody to do something, or does something to them. */
static void command(void)
{
    struct sim *s = family->s;
    int me = family->now[sim_roll(s, KIN)], other = family->now[sim_roll(s, KIN)];
    static const int often[] = { 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6 };

    switch (sim_roll(s, 14)) {
    case 0: gr_exit_to(s->rt, family->life[me].ref, gr_str("kill")); break;
    case 1: gr_exit_to(s->rt, family->life[me].ref, crash(me)); break;
    case 2: gr_stop(s->rt, family->life[me].ref); break;
    default:
        gr_tell(
            s->rt, family->life[me].ref,
            gr_list(gr_int(often[sim_roll(s, sizeof(often) / sizeof(often[0]))]), gr_int(other)));
        break;
    }
    for (int k = 0; k < KIN; k++)
        if (gr_done(family->life[family->now[k]].ended))
            give_life(k);
}

static bool is_dead(int life)
{
    return gr_done(family->life[life].ended);
}

/* died_badly tells whether a life ended so that those linked with it must notice. */
static bool died_badly(int life)
{
    gr_outcome o = gr_await(family->life[life].ended, 0);

    return o.code != GR_EPENDING && (o.code != GR_OK || !gr_reason_is(o.value, "normal"));
}

static void family_balance(void)
{
    struct sim *s = family->s;

    for (int i = 0; i < family->watches; i++) {
        const struct watch_entry *w = &family->watch[i];

        if (is_dead(w->watcher) || w->withdrawn)
            continue;
        sim_check(s, w->fired == (is_dead(w->target) ? 1 : 0),
                  "monitor %d fired %d times, its target %s", i, w->fired,
                  is_dead(w->target) ? "is dead" : "lives");
    }
    for (int i = 0; i < family->lives; i++)
        for (int j = 0; j < family->lives; j++)
            if (family->sure[i][j] && died_badly(j) && !is_dead(i))
                sim_check(s, family->life[i].traps && family->told[i][j],
                          "life %d is linked with %d, which crashed, and noticed nothing", i, j);
}

static void family_play(struct sim *s)
{
    static struct family books; /* large */

    books = (struct family){ .s = s };
    family = &books;
    for (int k = 0; k < KIN; k++)
        give_life(k);
    for (int i = 0; i < KIN_ROUNDS && s->complaint[0] == '\0'; i++) {
        command();
        if (sim_roll(s, 3) == 0)
            gr_sim_advance(s->rt, (int64_t)sim_roll(s, 3));
    }
    gr_sim_heal();
    gr_sim_advance(s->rt, 5000);
    family_balance();
    for (int i = 0; i < family->lives; i++) {
        gr_future_free(family->life[i].ended);
        family->life[i].ended = NULL; /* the others end later, and look */
    }
}

#endif
