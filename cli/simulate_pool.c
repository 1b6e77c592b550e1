/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulate_pool.c - seeds on processes.
 *
 * Each process takes the next seed until there are no more, or one has failed. What they come to
 * lies in shared memory, a part for each, so nothing has to be sent: a process that dies has
 * failed the seed that stands in its part, and so has one that is at the same seed for too long.
 * They are forked before the parent has made anything but simulations, so it has one thread.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/session.h"
#include "cli/simulate.h"
#include "runtime/base/thread.h"

#define LOOK_NS 200000000 /* how often the processes are looked at */

/* One process's part; it alone writes there while it lives. */
struct part {
    _Atomic uint64_t seed; /* that it is at; 0: none */
    struct gri_sim_tally tally;
    struct gri_sim_failure failure;
};

struct shared {
    _Atomic uint64_t next; /* seed, that nobody has taken */
    _Atomic bool stop;
    struct part parts[GRI_SIM_JOBS_MAX];
};

struct pool {
    struct gri_simulation *sim;
    struct shared *shared; /* mapped, owned */
    unsigned jobs, alive;
    uint64_t last; /* seed */
    int caught;    /* a signal; 0: none */
    struct {
        pid_t pid; /* 0: it has ended */
        uint64_t seed, since_ns;
    } processes[GRI_SIM_JOBS_MAX];
};

/* work is what a process does. */
static void work(struct pool *p, struct part *part)
{
    uint64_t seed;

    while (!atomic_load(&p->shared->stop) &&
           (seed = atomic_fetch_add(&p->shared->next, 1)) <= p->last) {
        atomic_store(&part->seed, seed);
        if (!gri_simulate_seed(p->sim, seed, &part->tally, &part->failure))
            atomic_store(&p->shared->stop, true);
        else
            part->failure.seed = 0;
        atomic_store(&part->seed, 0);
    }
}

static bool start(struct pool *p)
{
    pid_t parent = getpid();

    for (unsigned i = 0; i < p->jobs; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() == parent)
                work(p, &p->shared->parts[i]);
            _exit(0);
        }
        if (pid < 0) {
            gri_say("sim: no process can be started: %s", strerror(errno));
            atomic_store(&p->shared->stop, true);
            return p->alive > 0;
        }
        p->processes[i].pid = pid;
        p->processes[i].since_ns = gri_clock_ns();
        p->alive++;
    }
    return true;
}

/* fail_seed notes a failure that the process itself could not. */
static void fail_seed(struct pool *p, unsigned index, const char *what, const char *how)
{
    struct part *part = &p->shared->parts[index];

    part->failure.seed = atomic_load(&part->seed);
    (void)snprintf(part->failure.what, sizeof(part->failure.what), "%s%s", what, how);
    atomic_store(&p->shared->stop, true);
}

static unsigned index_of(const struct pool *p, pid_t pid)
{
    unsigned i = 0;

    while (i < p->jobs && p->processes[i].pid != pid)
        i++;
    return i;
}

/* reap takes note of processes that have ended. */
static void reap(struct pool *p)
{
    int status = 0;
    pid_t pid;

    while (p->alive > 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
        unsigned i = index_of(p, pid);

        if (i == p->jobs)
            continue; /* none of ours */
        p->processes[i].pid = 0;
        p->alive--;
        if (WIFSIGNALED(status) && p->shared->parts[i].failure.what[0] == '\0')
            fail_seed(p, i, "the process died: ", strsignal(WTERMSIG(status)));
        else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
            fail_seed(p, i, "the process gave up; what it says stands above", "");
    }
}

/* look ends processes that are at one seed for too long. */
static void look(struct pool *p)
{
    uint64_t now = gri_clock_ns();
    uint64_t patience = (uint64_t)p->sim->options->sim.patience_s * 1000000000u;

    for (unsigned i = 0; i < p->jobs; i++) {
        uint64_t seed = atomic_load(&p->shared->parts[i].seed);

        if (p->processes[i].pid == 0)
            continue;
        if (seed != p->processes[i].seed) {
            p->processes[i].seed = seed;
            p->processes[i].since_ns = now;
        } else if (seed != 0 && now - p->processes[i].since_ns > patience) {
            fail_seed(p, i, "there is no end of it in the real time of --patience", "");
            (void)kill(p->processes[i].pid, SIGKILL);
            p->processes[i].since_ns = now;
        }
    }
}

/* wait_a_little waits for a process's end or for a signal of the user, but no longer than LOOK_NS. */
static void wait_a_little(struct pool *p, const sigset_t *set)
{
    int signal = sigtimedwait(set, NULL, &(struct timespec){ .tv_nsec = LOOK_NS });

    if (signal != SIGINT && signal != SIGTERM)
        return;
    p->caught = signal;
    atomic_store(&p->shared->stop, true);
    gri_signal_twins(signal);
}

static void wait_for_all(struct pool *p)
{
    const struct gri_sim_options *o = &p->sim->options->sim;
    struct gri_progress bar;
    sigset_t set, old;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &set, &old);
    gri_progress_start(&bar, "seeds", o->seeds > 0 ? (size_t)o->seeds : 0, p->sim->options->quiet);
    if (start(p)) {
        for (reap(p); p->alive > 0; reap(p)) {
            uint64_t next = atomic_load(&p->shared->next) - (uint64_t)o->from;

            gri_progress_step(&bar, next < bar.total ? (size_t)next : bar.total);
            wait_a_little(p, &set);
            look(p);
            if (p->caught != 0) /* a second one kills, and the processes die with us */
                (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
        }
    }
    gri_progress_stop(&bar);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void add_up(struct gri_sim_tally *t, const struct gri_sim_tally *more)
{
    t->seeds += more->seeds;
    t->events += more->events;
    t->events_most = more->events_most > t->events_most ? more->events_most : t->events_most;
    t->virtual_ns += more->virtual_ns;
    t->unbuilt += more->unbuilt;
    for (int i = 0; i < GRI_SIM_CODES; i++)
        t->runs[i] += more->runs[i];
    for (int i = 0; i < GRI_SIM_POINTS; i++)
        t->fired[i] += more->fired[i];
}

bool gri_simulate_pool(struct gri_simulation *sim, struct gri_sim_tally *t,
                       struct gri_sim_failure *f, int *ret_signal)
{
    const struct gri_sim_options *o = &sim->options->sim;
    struct pool p = { .sim = sim, .jobs = o->jobs };

    p.last = o->seeds < 0 ? UINT64_MAX : (uint64_t)(o->from + o->seeds - 1);
    p.shared =
        mmap(NULL, sizeof(*p.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p.shared == MAP_FAILED) {
        (void)snprintf(f->what, sizeof(f->what), "out of memory");
        /* there is nothing to unmap: cppcheck takes MAP_FAILED for memory */
        return false; /* cppcheck-suppress memleak */
    }
    atomic_store(&p.shared->next, (uint64_t)o->from);
    wait_for_all(&p);
    f->seed = 0;
    f->what[0] = '\0';
    for (unsigned i = 0; i < p.jobs; i++) { /* of several failures, the one of the lowest seed */
        const struct part *part = &p.shared->parts[i];

        add_up(t, &part->tally);
        if (part->failure.what[0] != '\0' && (f->what[0] == '\0' || part->failure.seed < f->seed))
            *f = part->failure;
    }
    (void)munmap(p.shared, sizeof(*p.shared));
    *ret_signal = p.caught;
    return f->what[0] == '\0';
}
