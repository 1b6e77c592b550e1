/* SPDX-License-Identifier: Apache-2.0 */
/* twin_test.c - the pair of words that change together. See also twin_locked_test.c. */
#include <pthread.h>

#include "runtime/base/twin.h"
#include "tests/support/test.h"

#define ROUNDS 20000
#define HALF (UINT64_C(1) << 32)

static union gri_twin twin;

static void set(uint64_t head, uint64_t load)
{
    atomic_store(&twin.head, head);
    atomic_store(&twin.load, load);
}

static bool holds(uint64_t head, uint64_t load)
{
    union gri_two two = gri_twin_read(&twin);

    return two.head == head && two.load == load && gri_twin_load(&twin) == load;
}

/* together runs both functions twice, each on a thread of its own. */
static void together(void *(*one)(void *), void *(*other)(void *))
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        cr_assert_eq(
            pthread_create(&threads[i], NULL, i % 2 == 0 ? one : other, (void *)(uintptr_t)(i / 2)),
            0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* ---- one thread ------------------------------------------------------------------------------ */

Test(twin, a_swap_changes_both)
{
    union gri_two old = { .head = 1, .load = 2 }, to = { .head = UINT64_MAX, .load = HALF };

    set(1, 2);
    cr_assert(gri_twin_swap(&twin, &old, to));
    cr_assert(holds(UINT64_MAX, HALF));
    cr_assert(old.head == 1 && old.load == 2);
}

Test(twin, a_swap_that_fails_changes_nothing_and_tells_what_is_there)
{
    static const union gri_two wrong[] = { { .head = 7, .load = 2 },
                                           { .head = 1, .load = 7 },
                                           { .head = 1 + HALF, .load = 2 },
                                           { .head = 1, .load = 2 + HALF },
                                           { .head = 2, .load = 1 } };

    set(1, 2);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        union gri_two old = wrong[i], to = { .head = 8, .load = 9 };

        cr_assert_not(gri_twin_swap(&twin, &old, to));
        cr_assert(old.head == 1 && old.load == 2);
        cr_assert(holds(1, 2));
    }
}

Test(twin, an_addition_leaves_the_head_alone)
{
    set(UINT64_MAX, UINT64_MAX);
    cr_assert_eq(gri_twin_add(&twin, 1), UINT64_MAX);
    cr_assert(holds(UINT64_MAX, 0));
    cr_assert_eq(gri_twin_add(&twin, -HALF), 0);
    cr_assert(holds(UINT64_MAX, -HALF));
}

/* ---- several --------------------------------------------------------------------------------- */

static _Atomic int torn;

/* The head counts the swaps, and so does the lower half of the load. */
static void *swap_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        union gri_two old = gri_twin_read(&twin), to;

        do {
            to.head = old.head + 1;
            to.load = old.load + 1;
        } while (!gri_twin_swap(&twin, &old, to));
        if (old.head != old.load % HALF)
            atomic_fetch_add(&torn, 1);
    }
    return NULL;
}

static void *add_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++)
        gri_twin_add(&twin, HALF);
    return NULL;
}

Test(twin, nothing_is_lost_between_swaps_and_additions)
{
    set(0, 0);
    together(swap_often, add_often);
    cr_assert(holds(2 * ROUNDS, 2 * ROUNDS * (HALF + 1)));
    cr_assert_eq(atomic_load(&torn), 0);
}

/* Messages are plain memory: ThreadSanitizer sees whether a swap publishes them. */
struct note {
    struct note *below;
    int64_t number;
};

static struct note notes[2][ROUNDS];
static int64_t sum;

static void *push_notes(void *arg)
{
    struct note *mine = notes[(uintptr_t)arg];

    for (int i = 0; i < ROUNDS; i++) {
        union gri_two old = gri_twin_read(&twin), to;

        mine[i].number = i;
        do {
            mine[i].below = (struct note *)(uintptr_t)old.head;
            to.head = (uintptr_t)&mine[i];
            to.load = old.load + 1;
        } while (!gri_twin_swap(&twin, &old, to));
    }
    return NULL;
}

/* The one with arg 0 takes them all; the other looks on. */
static void *take_notes(void *arg)
{
    for (int taken = 0; arg == NULL && taken < 2 * ROUNDS;) {
        union gri_two old = gri_twin_read(&twin), to;

        do {
            to.head = 0;
            to.load = 0;
        } while (!gri_twin_swap(&twin, &old, to));
        taken += (int)old.load;
        for (struct note *n = (struct note *)(uintptr_t)old.head; n != NULL; n = n->below) {
            sum += n->number;
            old.load--;
        }
        if (old.load != 0)
            atomic_fetch_add(&torn, 1);
    }
    return NULL;
}

Test(twin, what_is_pushed_is_seen_by_who_takes_it)
{
    set(0, 0);
    sum = 0;
    together(push_notes, take_notes);
    cr_assert_eq(sum, (int64_t)ROUNDS * (ROUNDS - 1));
    cr_assert_eq(atomic_load(&torn), 0);
}

/* Who finds by a look at the load that all have let go sees what they did before. */
static int64_t done_by[2];

static void *let_go(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        done_by[(uintptr_t)arg]++;
    gri_twin_add(&twin, -UINT64_C(1));
    return NULL;
}

static void *wait_for_all(void *arg)
{
    if (arg != NULL)
        return NULL;
    while (gri_twin_load(&twin) != 0)
        sched_yield();
    sum = done_by[0] + done_by[1];
    return NULL;
}

Test(twin, who_sees_the_last_let_go_sees_what_was_done)
{
    set(0, 2);
    done_by[0] = done_by[1] = 0;
    together(let_go, wait_for_all);
    cr_assert_eq(sum, 2 * ROUNDS);
}

/* Of "change a pair, then read a flag" and "set the flag, then read the pair" the later one sees the other. */
static union gri_twin pairs[ROUNDS];
static _Atomic int flags[ROUNDS];
static _Atomic bool saw_flag[ROUNDS], saw_pair[ROUNDS];
static _Atomic int progress[2];

static void keep_pace(int who, int i)
{
    atomic_store(&progress[who], i);
    for (int spins = 0; spins < 100 && atomic_load(&progress[1 - who]) < i; spins++)
        ;
}

static void *change_pairs(void *arg)
{
    for (int i = 0; arg == NULL && i < ROUNDS; i++) {
        union gri_two old = { .head = 0 }, to = { .head = 1, .load = 1 };

        keep_pace(0, i);
        if (i % 2 == 0)
            gri_twin_swap(&pairs[i], &old, to);
        else
            gri_twin_add(&pairs[i], 1);
        atomic_store(&saw_flag[i], atomic_load(&flags[i]) != 0);
    }
    return NULL;
}

static void *set_flags(void *arg)
{
    for (int i = 0; arg == NULL && i < ROUNDS; i++) {
        keep_pace(1, i);
        atomic_fetch_or(&flags[i], 1); /* as flags are set; qemu lets a plain store be overtaken */
        atomic_store(&saw_pair[i], i % 2 == 0 ? gri_twin_read(&pairs[i]).head != 0
                                              : gri_twin_load(&pairs[i]) != 0);
    }
    return NULL;
}

Test(twin, a_change_and_a_flag_do_not_miss_each_other)
{
    together(change_pairs, set_flags);
    for (int i = 0; i < ROUNDS; i++)
        cr_assert(atomic_load(&saw_flag[i]) || atomic_load(&saw_pair[i]), "%d", i);
}
