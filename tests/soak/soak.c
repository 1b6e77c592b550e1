/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/soak/soak.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/soak/node.h"

static const char *name = "soak";

/* ---- how it ends ----------------------------------------------------------------------------- */

static void say(const char *word, const char *format, va_list ap)
{
    printf("%s: %s: ", name, word);
    vprintf(format, ap);
    printf("\n");
    fflush(stdout);
}

void soak_pass(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    say("passed", format, ap);
    va_end(ap);
    exit(0);
}

void soak_skip(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    say("SKIPPED", format, ap);
    va_end(ap);
    exit(77);
}

void soak_fail(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    say("FAILED", format, ap);
    va_end(ap);
    _exit(1); /* other threads may still be at work */
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');

    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "--node") == 0)
        return soak_node_main();
    name = slash != NULL ? slash + 1 : argv[0];
    soak_run();
    soak_fail("it came to no end");
}

/* ---- time and chance ------------------------------------------------------------------------- */

int soak_rounds(int otherwise)
{
    const char *text = getenv("GR_SOAK_ROUNDS");
    int rounds = text != NULL ? atoi(text) : otherwise;

    return rounds > 0 ? rounds : otherwise;
}

uint64_t soak_below(uint64_t n)
{
    static uint64_t dice;
    const char *seed = getenv("GR_TEST_SEED");
    uint64_t x;

    if (dice == 0)
        dice = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    x = dice += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) % n;
}

uint64_t soak_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void soak_nap(int64_t ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    nanosleep(&t, NULL);
}

/* ---- calling --------------------------------------------------------------------------------- */

gr_runtime *soak_node_runtime(const struct soak_how *how)
{
    gr_runtime *rt = NULL;
    gr_value *err = NULL;

    soak_check(gr_runtime_new(GR_RUNTIME(.workers = 2, .report_ms = 3600000), &rt) == GR_OK,
               "no runtime");
    soak_check(gr_node_configure(rt,
                                 GR_NODE(.heartbeat_ms = how->beat_ms, .insecure = how->insecure,
                                         .secret = how->secret),
                                 &err) == GR_OK,
               "%s", gr_error_text(err));
    return rt;
}

gr_runtime *soak_client(int beat_ms)
{
    return soak_node_runtime(&(struct soak_how){ .beat_ms = beat_ms });
}

int64_t soak_ask(gr_runtime *rt, gr_ref work, const char *what)
{
    gr_value *v = NULL;
    int64_t n;

    soak_until((v = gr_do(rt, work, "counts", gr_nil(), NULL, NULL)) != NULL, "no node answers");
    n = gr_as_int(gr_get(v, what), -1);
    gr_value_unref(v);
    return n;
}

void soak_returns(gr_runtime *rt, gr_ref work)
{
    (void)soak_ask(rt, work, "done");
}

/* ---- what a process holds -------------------------------------------------------------------- */

static void proc_path(char path[64], pid_t pid, const char *what)
{
    if (pid == 0)
        snprintf(path, 64, "/proc/self/%s", what);
    else
        snprintf(path, 64, "/proc/%ld/%s", (long)pid, what);
}

static int entries(pid_t pid, const char *what)
{
    char path[64];
    DIR *d;
    int n = 0;

    proc_path(path, pid, what);
    d = opendir(path);
    soak_check(d != NULL, "%s can't be read", path);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return pid == 0 && strcmp(what, "fd") == 0 ? n - 1 : n; /* what reads it is one, too */
}

int soak_fds(pid_t pid)
{
    return entries(pid, "fd");
}

int soak_threads(pid_t pid)
{
    return entries(pid, "task");
}

long soak_rss_kib(pid_t pid)
{
    char path[64], line[256];
    FILE *f;
    long kib = 0;

    proc_path(path, pid, "status");
    f = fopen(path, "r");
    soak_check(f != NULL, "%s can't be read", path);
    while (fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    fclose(f);
    return kib;
}

int soak_links(pid_t pid, unsigned port)
{
    char path[64], line[512];
    FILE *f;
    int n = 0;

    /* of this thread, which may be in another network than the process began in */
    proc_path(path, pid, "net/tcp");
    f = fopen(pid == 0 ? "/proc/thread-self/net/tcp" : path, "r");
    soak_check(f != NULL, "%s can't be read", path);
    while (fgets(line, sizeof(line), f) != NULL) {
        unsigned from, to, state;

        n += sscanf(line, " %*d: %*8x:%4x %*8x:%4x %2x", &from, &to, &state) == 3 && state == 1 &&
             (from == port || to == port);
    }
    fclose(f);
    return n;
}
