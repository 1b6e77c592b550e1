/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torture.c - every call that can fail, failing in turn: the plan, and the processes that run it.
 *
 *   torture [--sample N] [--seed S] [--scene NAME]… [--fault CLASS]… [--list] [--here]
 *           [--at N[:VARIANT[:ROUND]] [--trace]] [--max N] [--seconds S]
 *           [--rounds N]
 *
 * The parent starts one child for a scene. The child counts, then goes through the plan: for each
 * class of faults the first call, the second … until the scene makes no more; a second round does so
 * with another number of workers, where things happen in another order. It notes on a shared
 * board what it is about to do, so when it fails, crashes or gets stuck, the parent knows what it
 * was, and starts another one behind it. The last line is "N passed, N failed", a scene each.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/torture/torture.h"

/* More than may add up in one run: connecting takes a second at most, and each of two runtimes waits for its
 * links and for its handlers, 5 s each. */
#define HANG_MS 30000
#define FAILURES_MAX 12 /* of a scene; then it is given up */
#define BEYOND 3        /* so many runs in a row that needed fewer calls end a class */

static const struct scenes *const groups[] = {
    &engine_scenes,  &async_scenes, &compose_scenes, &kinds_scenes, &agents_scenes,
    &text_scenes,    &codec_scenes, &http_scenes,    &link_scenes,  &mcp_scenes,
#if defined(GR_TORTURE_COMMAND)
    &command_scenes,
#endif
};

#if defined(GR_TORTURE_SANITIZED)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

/* What is not ours to mend: failures of this kind count as known. */
static const struct known {
    unsigned flags;      /* of the scene */
    const char *classes; /* a class's name, or what begins with it */
    const char *text;    /* a part of what is said */
    const char *reason;
} knowns[] = {
    { SCENE_HTTP, "foreign-on", "signal 8 (after a fault of",
      "curl 7.88.1: curl_multi_socket_action divides by the size of a hash that has none" },
    { SCENE_LINK, "foreign-on", "signal 6 (after a fault of calloc: ENOMEM)",
      "nng 1.5.2: a dialer without memory unlocks a mutex that it doesn't hold" },
    { SCENE_LINK, "foreign-on", "1 descriptors are left (after a fault of calloc: ENOMEM)",
      "nng 1.5.2: a listener without memory forgets the descriptor that it accepted" },
};

static struct {
    long sample, max, seconds, at, rounds;
    int variant, round;
    uint64_t seed;
    const char *scenes[32], *faults[FAULT_CLASSES];
    size_t scene_count, fault_count;
    bool here, list;
} options = { .max = 100000, .seconds = LONG_MAX, .rounds = 2 };

/* One step of the plan: where a child is, or where the next one begins. */
struct step {
    int fault; /* enum fault_class */
    int round;
    long index, at;
    int variant;
};

struct board {
    _Atomic int scene;
    struct step step; /* the child's while it lives */
    _Atomic unsigned long beat;
    _Atomic bool over;
    _Atomic long injected[FAULT_CLASSES], runs;
    char hit[64];    /* what the fault met, if it did */
    char text[1200]; /* what is wrong */
};

static struct board *board; /* shared between the processes */

/* ---- the child ------------------------------------------------------------------------------- */

static void child_failed(const char *text)
{
    snprintf(board->text, sizeof(board->text), "%s", text);
    _exit(3);
}

static void here_failed(const char *text)
{
    fprintf(stderr, "%s\n", text);
    abort();
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* drawn is the index-th number of this scene and class, from 1 to count. */
static long drawn(const struct step *p, long count)
{
    uint64_t x = options.seed * UINT64_C(0x9e3779b97f4a7c15);

    x = mix(x + (uint64_t)atomic_load(&board->scene));
    x = mix(x + (uint64_t)p->fault * 1000003u + (uint64_t)p->index * 2 + (uint64_t)p->round);
    return 1 + (long)(x % (uint64_t)count);
}

/* one_run tells whether the fault was met. */
static bool one_run(const struct scene *s, const struct step *p)
{
    struct fault_hit hit;

    board->step = *p;
    board->hit[0] = '\0';
    atomic_fetch_add(&board->beat, 1);
    torture_run(s, (enum fault_class)p->fault, p->at, p->variant,
                1 + (unsigned)((p->at + p->round) & 1));
    hit = faults_hit();
    atomic_fetch_add(&board->runs, 1);
    if (hit.injected)
        atomic_fetch_add(&board->injected[p->fault], 1);
    return hit.injected;
}

/* all_ways runs a system call's failing in each of its ways. */
static void all_ways(const struct scene *s, struct step *p)
{
    int ways = p->fault == FAULT_CALL ? FAULT_VARIANTS : 1;

    for (; p->variant < ways; p->variant++)
        if (!one_run(s, p) && p->variant > 0)
            break; /* it has no more ways, or was not called */
    p->variant = 0;
}

/* run_class goes through the calls of a class from p on. `count`: as counted in peace. */
static void run_class(const struct scene *s, struct step p, long count)
{
    bool draw = options.sample > 0 || count > options.max;
    long most = options.sample > 0 ? options.sample : options.max;
    int beyond;

    if (count == 0)
        return;
    if (draw && count <= most)
        draw = false;
    for (; p.round < options.rounds; p.round++) {
        for (beyond = 0; draw ? p.index < most : beyond < BEYOND; p.index++) {
            p.at = draw ? drawn(&p, count) : p.index + 1;
            all_ways(s, &p);
            beyond = faults_counted((enum fault_class)p.fault) < p.at ? beyond + 1 : 0;
        }
        p.index = 0;
    }
}

static bool is_chosen(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return count == 0;
}

static void run_plan(const struct scene *s, struct step from)
{
    long counts[FAULT_CLASSES];

    faults_note(board->hit, sizeof(board->hit));
    torture_begin(s, options.here ? here_failed : child_failed);
    for (int c = 0; c < FAULT_CLASSES; c++)
        counts[c] = faults_counted((enum fault_class)c);
    for (int c = from.fault; c < FAULT_CLASSES; c++) {
        struct step p = { .fault = c };

        if (!is_chosen(fault_class_name((enum fault_class)c), options.faults, options.fault_count))
            continue;
        if (options.at > 0) {
            p.at = options.at;
            p.variant = options.variant;
            p.round = options.round;
            one_run(s, &p);
            fprintf(stderr, "%s: %s\n", s->name,
                    faults_hit().injected ? "survived" : "not reached");
        } else {
            run_class(s, c == from.fault ? from : p, counts[c]);
        }
    }
    torture_end(s);
    atomic_store(&board->over, true);
}

/* ---- the parent ------------------------------------------------------------------------------ */

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* watch waits for the child's end; false: it got stuck and was killed. */
static bool watch(pid_t child, int *ret_status)
{
    const struct timespec pause = { .tv_nsec = 2000000 };
    unsigned long beat = atomic_load(&board->beat);
    uint64_t since = now_ms();

    while (waitpid(child, ret_status, WNOHANG) == 0) {
        unsigned long now = atomic_load(&board->beat);

        if (now != beat) {
            beat = now;
            since = now_ms();
        } else if (now_ms() - since > HANG_MS + (atomic_load(&board->over) ? HANG_MS : 0)) {
            kill(child, SIGABRT);
            nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
            kill(child, SIGKILL);
            waitpid(child, ret_status, 0);
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

static const struct known *is_known(const struct scene *s, const char *text)
{
    for (size_t i = 0; i < sizeof(knowns) / sizeof(knowns[0]); i++)
        if ((s->flags & knowns[i].flags) != 0 &&
            strstr(knowns[i].classes, fault_class_name((enum fault_class)board->step.fault)) !=
                NULL &&
            strstr(text, knowns[i].text) != NULL)
            return &knowns[i];
    return NULL;
}

/* tell reports how a child failed; false when that is known. */
static bool tell(const struct scene *s, bool stuck, int status)
{
    const struct step *p = &board->step;
    char text[1300];
    const struct known *k;

    if (stuck)
        snprintf(text, sizeof(text), "stuck for %d s", HANG_MS / 1000);
    else if (board->text[0] != '\0')
        snprintf(text, sizeof(text), "%s", board->text);
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof(text), "killed by signal %d%s", WTERMSIG(status),
                 atomic_load(&board->over) ? " at its end" : "");
    else
        snprintf(text, sizeof(text), "exit status %d%s", WEXITSTATUS(status),
                 atomic_load(&board->over) ? " at its end" : "");
    if (stuck || board->text[0] == '\0')
        snprintf(text + strlen(text), sizeof(text) - strlen(text), " (after a fault of %s)",
                 board->hit[0] != '\0' ? board->hit : "nothing");
    k = is_known(s, text);
    printf("%s --scene %s --fault %s --at %ld:%d:%d: %s%s%s\n", k != NULL ? "known" : "FAIL ",
           s->name, fault_class_name((enum fault_class)p->fault), p->at, p->variant, p->round, text,
           k != NULL ? "; " : "", k != NULL ? k->reason : "");
    fflush(stdout);
    return k == NULL;
}

/* behind is the step after the one at which a child ended. */
static struct step behind(void)
{
    struct step next = board->step;

    if (++next.variant >= (next.fault == FAULT_CALL ? FAULT_VARIANTS : 1)) {
        next.variant = 0;
        next.index++;
    }
    return next;
}

/* run_scene runs all of a scene's plan, in as many children as it takes. */
static bool run_scene(const struct scene *s, int number)
{
    struct step from = { .fault = FAULT_MEMORY };
    int failures = 0, knowns_met = 0, status = 0;

    atomic_store(&board->scene, number);
    do {
        pid_t child;
        bool stuck;

        board->text[0] = '\0';
        board->step = from;
        atomic_store(&board->over, false);
        fflush(NULL);
        child = fork();
        if (child == 0) {
            run_plan(s, from);
            exit(0); /* not _exit: LeakSanitizer looks then */
        }
        if (child < 0) {
            perror("torture: fork");
            exit(2);
        }
        stuck = !watch(child, &status);
        if (!stuck && status == 0 && atomic_load(&board->over))
            break;
        if (tell(s, stuck, status)) /* at 0: without any fault, so there is no use */
            failures += board->step.at == 0 ? FAILURES_MAX : 1;
        else
            knowns_met++;
        from = behind();
    } while (!atomic_load(&board->over) && options.at == 0 && failures < FAILURES_MAX &&
             knowns_met < 20 * FAILURES_MAX);
    if (failures >= FAILURES_MAX)
        printf("FAIL  --scene %s: given up\n", s->name);
    return failures == 0;
}

/* ---- the command line ------------------------------------------------------------------------ */

static long number_of(const char *text)
{
    return strtol(text, NULL, 10);
}

static bool read_option(const char *name, const char *value)
{
    if (strcmp(name, "--sample") == 0)
        options.sample = number_of(value);
    else if (strcmp(name, "--max") == 0)
        options.max = number_of(value);
    else if (strcmp(name, "--rounds") == 0)
        options.rounds = number_of(value);
    else if (strcmp(name, "--seconds") == 0)
        options.seconds = number_of(value);
    else if (strcmp(name, "--seed") == 0)
        options.seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--scene") == 0 && options.scene_count < 32)
        options.scenes[options.scene_count++] = value;
    else if (strcmp(name, "--fault") == 0 && options.fault_count < FAULT_CLASSES)
        options.faults[options.fault_count++] = value;
    else if (strcmp(name, "--at") == 0) {
        options.at = number_of(value);
        value = strchr(value, ':');
        options.variant = value != NULL ? (int)number_of(value + 1) : 0;
        value = value != NULL ? strchr(value + 1, ':') : NULL;
        options.round = value != NULL ? (int)number_of(value + 1) : 0;
    } else
        return false;
    return true;
}

static void read_options(int argc, char **argv)
{
    const char *seed = getenv("GR_TEST_SEED");

    options.seed = seed != NULL ? strtoull(seed, NULL, 10) : 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--here") == 0)
            options.here = true;
        else if (strcmp(argv[i], "--trace") == 0)
            faults_trace(true);
        else if (strcmp(argv[i], "--list") == 0)
            options.list = true;
        else if (i + 1 < argc && read_option(argv[i], argv[i + 1]))
            i++;
        else {
            fprintf(stderr, "torture: what is %s? see the head of torture.c\n", argv[i]);
            exit(2);
        }
    }
    if (options.seed == 0)
        options.seed = now_ms() ^ ((uint64_t)getpid() << 20);
}

static void tell_totals(int scenes, uint64_t ms)
{
    long all = 0;

    for (int c = FAULT_MEMORY; c < FAULT_CLASSES; c++) {
        printf("%s %ld, ", fault_class_name((enum fault_class)c), atomic_load(&board->injected[c]));
        all += atomic_load(&board->injected[c]);
    }
    printf("%ld faults in %ld runs of %d scenes, %.1f s%s; --seed %llu\n", all,
           atomic_load(&board->runs), scenes, (double)ms / 1000.0,
           sanitized ? ", without the libraries' own memory" : "",
           (unsigned long long)options.seed);
}

int main(int argc, char **argv)
{
    uint64_t start = now_ms();
    int passed = 0, failed = 0, number = 0;

    read_options(argc, argv);
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return 2;
    for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
        for (size_t i = 0; i < groups[g]->count; i++, number++) {
            const struct scene *s = &groups[g]->scenes[i];
            long before = atomic_load(&board->runs);
            uint64_t began = now_ms();
            bool ok;

            if (!is_chosen(s->name, options.scenes, options.scene_count) ||
                (long)((now_ms() - start) / 1000) >= options.seconds)
                continue;
            if (options.list) {
                printf("%s\n", s->name);
                continue;
            }
            if (options.here) {
                atomic_store(&board->scene, number);
                run_plan(s, (struct step){ .fault = FAULT_MEMORY });
                continue;
            }
            ok = run_scene(s, number);
            printf("%s %s: %ld runs, %llu ms\n", ok ? "ok   " : "FAIL ", s->name,
                   atomic_load(&board->runs) - before, (unsigned long long)(now_ms() - began));
            fflush(stdout);
            passed += ok;
            failed += !ok;
        }
    }
    if (options.list || options.here)
        return 0;
    tell_totals(passed + failed, now_ms() - start);
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
