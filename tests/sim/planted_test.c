/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults that are known to be there: the simulation has to find each of them, else its silence about
 * the rest means nothing. Each runs in a process of its own, since what a fault does may well be a
 * crash or an endless loop.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/point.h"
#include "tests/support/family.h"
#include "tests/support/ledger.h"
#include "tests/support/slots.h"

#include "tests/support/test.h"

#define SEEDS 2000
#define SEED_S 10 /* longer than this, a seed hangs */

static void books(struct sim *s)
{
    ledger_play(s, GR_SIM_SCHED | GR_SIM_TIME);
}

/* run_seeds ends with 1 at the first complaint; *at is the seed under way. */
static void run_seeds(enum gri_plant plant, sim_scenario *scenario, volatile uint64_t *at)
{
    struct sim s;

    gri_planted = plant;
    for (*at = 1; *at <= SEEDS; ++*at) {
        alarm(SEED_S);
        sim_once(&s, *at, GR_RUNTIME(.actors_max = scenario == slots_play ? SLOTS : 0), scenario);
        if (s.complaint[0] != '\0') {
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)*at, s.complaint);
            _exit(1);
        }
    }
    _exit(0);
}

/* find returns the seed that found the fault; 0: none did. */
static uint64_t find(enum gri_plant plant, sim_scenario *scenario)
{
    volatile uint64_t *at =
        mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t seed;
    int status = 0;
    pid_t child;

    cr_assert_neq((void *)at, MAP_FAILED);
    fflush(NULL);
    child = fork();
    if (child == 0)
        run_seeds(plant, scenario, at);
    cr_assert_eq(waitpid(child, &status, 0), child);
    seed = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : *at;
    fprintf(stderr, "planted %d: %s%llu, %s\n", (int)plant, seed != 0 ? "seed " : "",
            (unsigned long long)seed,
            WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
            : seed != 0         ? "complaint"
                                : "not found");
    munmap((void *)(uintptr_t)at, sizeof(*at));
    return seed;
}

Test(planted, nothing_is_found_where_nothing_is)
{
    cr_assert_eq(find(GRI_PLANT_NONE, books), 0);
}

#define FINDS(what, plant, scenario)                                                               \
    Test(planted, what##_is_found)                                                                 \
    {                                                                                              \
        cr_assert_gt(find(plant, scenario), 0);                                                    \
    }

FINDS(a_lost_message, GRI_PLANT_LOST_MESSAGE, books)
FINDS(a_double_completion, GRI_PLANT_DOUBLE_COMPLETION, books)
FINDS(a_lost_wake_up, GRI_PLANT_LOST_WAKEUP, books)
FINDS(a_lost_resume, GRI_PLANT_LOST_RESUME, books)
FINDS(a_stale_ref, GRI_PLANT_STALE_REF, slots_play)
FINDS(a_skipped_unlink, GRI_PLANT_SKIPPED_UNLINK, family_play)
