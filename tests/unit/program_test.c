/* SPDX-License-Identifier: Apache-2.0 */
/* program_test.c - other people's programs: their bytes, their end, and that nothing of them is left. */
#include <time.h>

#include "tests/support/engine.h"
#include "tests/support/isolated.h"

#include "runtime/program/program.h"

/* What was heard of one program. */
struct heard {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char out[65536], err[256];
    size_t out_len, err_len, total;
    int ends;
    bool asked;
    gr_value *why;
};

static void on_out(void *arg, const char *data, size_t len)
{
    struct heard *h = arg;

    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < len && h->out_len < sizeof(h->out) - 1; i++)
        h->out[h->out_len++] = data[i];
    h->total += len;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void on_err(void *arg, const char *data, size_t len)
{
    struct heard *h = arg;

    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < len && h->err_len < sizeof(h->err) - 1; i++)
        h->err[h->err_len++] = data[i];
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void on_end(void *arg, gr_value *why, bool asked)
{
    struct heard *h = arg;

    pthread_mutex_lock(&h->lock);
    gr_value_unref(h->why);
    h->why = why;
    h->asked = asked;
    h->ends++;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static const struct gri_program_events events = { on_out, on_err, on_end };

static void heard_init(struct heard *h)
{
    memset(h, 0, sizeof(*h));
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
}

static void heard_fini(struct heard *h)
{
    gr_value_unref(h->why);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
}

/* wait_for waits until a condition on h holds. */
#define wait_for(h, condition)                                                                     \
    do {                                                                                           \
        struct timespec end_;                                                                      \
        int rc_ = 0;                                                                               \
        clock_gettime(CLOCK_REALTIME, &end_);                                                      \
        end_.tv_sec += TEST_WAIT_MS / 1000;                                                        \
        pthread_mutex_lock(&(h)->lock);                                                            \
        while (!(condition) && rc_ == 0)                                                           \
            rc_ = pthread_cond_timedwait(&(h)->changed, &(h)->lock, &end_);                        \
        pthread_mutex_unlock(&(h)->lock);                                                          \
        cr_assert_eq(rc_, 0, "this never came true: " #condition);                                 \
    } while (0)

static const char *const no_env[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "A=b c", NULL };

static struct gri_program *sh(struct heard *h, const char *script, uint64_t end_ms,
                              uint64_t term_ms)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    struct gri_program_spec spec = {
        .argv = argv, .env = no_env, .end_ms = end_ms, .term_ms = term_ms
    };
    struct gri_program *p = NULL;

    heard_init(h);
    cr_assert_eq(gri_program_start(rt, &spec, &events, h, &p), GR_OK);
    return p;
}

TestSuite(program, .init = engine_up, .fini = engine_down);

Test(program, what_is_written_is_read_and_what_it_says_is_heard)
{
    static struct heard h;
    struct gri_program *p = sh(&h, "read x; echo \"$A $x\"; echo oh >&2; exit 3", 1000, 1000);

    cr_assert_eq(gri_program_write(p, "line\n", 5), GR_OK);
    wait_for(&h, h.ends == 1);
    cr_assert_str_eq(h.out, "b c line\n");
    cr_assert_str_eq(h.err, "oh\n");
    cr_assert_eq(gr_error_code(h.why), GR_EBROKEN);
    cr_assert_eq(gr_as_int(gr_get(gr_get(h.why, "detail"), "status"), -1), 3, "%s",
                 gr_error_text(h.why));
    cr_assert(!h.asked);
    cr_assert_eq(gri_program_write(p, "x", 1), GR_EBROKEN);
    gri_program_stop(p);
    gri_program_unref(p);
    heard_fini(&h);
}

Test(program, it_gets_no_descriptor_and_no_variable_more)
{
    static struct heard h;
    int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a host might */
    struct gri_program *p = sh(
        &h, "ls /proc/self/fd | wc -l; env | grep -c -v -e PATH -e A= -e PWD -e SHLVL -e _=; true",
        1000, 1000);

    gri_program_stop(p);
    wait_for(&h, h.ends == 1);
    cr_assert_str_eq(h.out, "4\n0\n"); /* the fourth is ls's own */
    close(fd);
    gri_program_unref(p);
    heard_fini(&h);
}

Test(program, one_that_can_not_be_run_says_so)
{
    static struct heard h;
    const char *const argv[] = { "/no/such/program", NULL };
    struct gri_program_spec spec = { .argv = argv, .env = no_env };
    struct gri_program *p = NULL;

    heard_init(&h);
    cr_assert_eq(gri_program_start(rt, &spec, &events, &h, &p), GR_OK);
    wait_for(&h, h.ends == 1);
    cr_assert_eq(gr_error_code(h.why), GR_EINVAL);
    cr_assert_not_null(strstr(gr_error_text(h.why), "/no/such/program can't be run"));
    gri_program_unref(p);
    heard_fini(&h);
}

Test(program, it_ends_when_its_input_does)
{
    static struct heard h;
    struct gri_program *p = sh(&h, "cat", 60000, 60000);

    cr_assert_eq(gri_program_write(p, "all of it", 9), GR_OK);
    gri_program_stop(p);
    cr_assert_eq(gri_program_write(p, "x", 1), GR_EBROKEN);
    wait_for(&h, h.ends == 1);
    cr_assert_str_eq(h.out, "all of it");
    cr_assert_eq(gr_as_int(gr_get(gr_get(h.why, "detail"), "status"), -1), 0);
    cr_assert(h.asked);
    gri_program_unref(p);
    heard_fini(&h);
}

Test(program, else_it_is_told_to_and_else_killed)
{
    static struct heard polite, stubborn;
    struct gri_program *p = sh(&polite, "echo up; sleep 1000", 50, 60000),
                       *q = sh(&stubborn, "trap '' TERM; echo up; while :; do sleep 1000; done", 50,
                               50);

    wait_for(&polite, polite.out_len > 0);
    wait_for(&stubborn, stubborn.out_len > 0);
    gri_program_stop(p);
    gri_program_stop(q);
    wait_for(&polite, polite.ends == 1);
    wait_for(&stubborn, stubborn.ends == 1);
    cr_assert_eq(gr_as_int(gr_get(gr_get(polite.why, "detail"), "signal"), 0), SIGTERM);
    cr_assert_eq(gr_as_int(gr_get(gr_get(stubborn.why, "detail"), "signal"), 0), SIGKILL);
    gri_program_unref(p);
    gri_program_unref(q);
    heard_fini(&polite);
    heard_fini(&stubborn);
}

Test(program, what_it_has_started_ends_with_it)
{
    static struct heard h;
    struct gri_program *p = sh(&h, "sleep 1000 & echo $!; exit 0", 1000, 1000);
    pid_t grandchild;

    wait_for(&h, h.ends == 1);
    grandchild = (pid_t)strtol(h.out, NULL, 10);
    cr_assert_gt(grandchild, 0);
    for (int i = 0; isolated_is_there(grandchild); i++) { /* killed, and about to go */
        cr_assert_lt(i, 2000);
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    gri_program_unref(p);
    heard_fini(&h);
}

Test(program, one_that_closes_its_output_is_ended)
{
    static struct heard h;
    struct gri_program *p = sh(&h, "exec >&-; exec 2>&-; exec sleep 1000", 20, 60000);

    wait_for(&h, h.ends == 1);
    cr_assert(!h.asked);
    gri_program_unref(p);
    heard_fini(&h);
}

Test(program, one_that_does_not_read_is_not_written_to_without_end)
{
    static struct heard h;
    static char block[1 << 20];
    struct gri_program *p = sh(&h, "exec sleep 1000", 20, 20);
    gr_code rc = GR_OK;
    int blocks = 0;

    while (rc == GR_OK && blocks < 100) {
        rc = gri_program_write(p, block, sizeof(block));
        blocks += rc == GR_OK;
    }
    cr_assert_eq(rc, GR_EFULL);
    cr_assert_lt(blocks, 70);
    gri_program_stop(p);
    wait_for(&h, h.ends == 1);
    gri_program_unref(p);
    heard_fini(&h);
}

Test(program, all_that_it_says_comes_before_its_end)
{
    static struct heard h;
    struct gri_program *p = sh(&h, "head -c 3000000 /dev/zero", 1000, 1000);

    wait_for(&h, h.ends == 1);
    cr_assert_eq(h.total, 3000000);
    gri_program_unref(p);
    heard_fini(&h);
}

Test(program, the_runtimes_end_is_theirs)
{
    static struct heard h[8];
    struct gri_program *p[8];

    for (int i = 0; i < 8; i++)
        p[i] = sh(&h[i], "trap '' TERM; echo up; while :; do sleep 1000; done", 60000, 60000);
    wait_for(&h[7], h[7].out_len > 0);
    gr_runtime_free(rt);
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(h[i].ends, 1);
        gri_program_stop(p[i]);
        cr_assert_eq(gri_program_write(p[i], "x", 1), GR_EBROKEN);
        gri_program_unref(p[i]);
        heard_fini(&h[i]);
    }
    cr_assert_eq(isolated_children(), 0);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt), GR_OK);
}

Test(program, a_thousand_come_and_go)
{
    static struct heard h[10];
    struct gri_program *p[10];
    int rounds = isolated_sanitized() ? 10 : 100;

    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < 10; i++)
            p[i] = sh(&h[i], i % 2 == 0 ? "exit 0" : "exec sleep 1000", 0, 0);
        for (int i = 0; i < 10; i++)
            gri_program_stop(p[i]);
        for (int i = 0; i < 10; i++) {
            wait_for(&h[i], h[i].ends == 1);
            gri_program_unref(p[i]);
            heard_fini(&h[i]);
        }
        cr_assert_eq(isolated_children(), 0, "zombies");
    }
}

Test(program, there_are_only_so_many_at_once)
{
    static struct heard h[GRI_PROGRAMS_MAX + 1];
    static struct gri_program *p[GRI_PROGRAMS_MAX];
    const char *const argv[] = { "sleep", "1000", NULL };
    struct gri_program_spec spec = { .argv = argv, .env = no_env };
    struct gri_program *other = NULL;

    for (int i = 0; i < GRI_PROGRAMS_MAX; i++) {
        heard_init(&h[i]);
        cr_assert_eq(gri_program_start(rt, &spec, &events, &h[i], &p[i]), GR_OK);
    }
    cr_assert_eq(gri_program_start(rt, &spec, &events, &h[GRI_PROGRAMS_MAX], &other), GR_EFULL);
    for (int i = 0; i < GRI_PROGRAMS_MAX; i++)
        gri_program_stop(p[i]);
    for (int i = 0; i < GRI_PROGRAMS_MAX; i++) {
        wait_for(&h[i], h[i].ends == 1);
        gri_program_unref(p[i]);
        heard_fini(&h[i]);
    }
}
