/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soak.h - what the long scenarios share: nodes as processes of their own, what a process holds, and how a
 * scenario ends.
 *
 * A scenario is one program: soak_run does it, and ends by soak_pass, soak_skip or soak_fail, which print one line.
 * A node is this program started again. It publishes the actor "work":
 *   invoke  {"id", "ms"}  takes ms, then answers id; a second call of the same id is counted as twice
 *   stream  {"n"}         emits 0 to n - 1
 *   back    like invoke, but asks the node that this one was told of ("next")
 *   relay                 notes how long it has left, asks relay of "next", or, without one, waits for its end
 *   ping                  anything
 *   counts                {"done", "twice", "open"; "left_ns", "lasted_ns" of the last relay}
 * SIGTERM drains it: it takes no more calls, finishes those it has, and ends well. It is killed when we end.
 */
#ifndef GR_TESTS_SOAK_SOAK_H
#define GR_TESTS_SOAK_SOAK_H

#include <sys/types.h>

#include <greenroom/greenroom.h>

#define SOAK_WAIT_MS 60000 /* beyond this something hangs, however busy the machine is */
#define SOAK_IDS (1 << 22) /* of the calls of one scenario, below this */

struct soak_node {
    pid_t pid;
    char url[128];
};

/* How a node is started. All may be NULL or 0. */
struct soak_how {
    const char *next;   /* the URL of the node that it calls */
    int beat_ms;        /* its heartbeat; detect_ms is three of them */
    bool insecure;      /* it may listen at any address */
    const char *secret; /* of the node */
    const char *etcd;   /* it joins the cluster that is there, and advertises its URL */
    int ttl_ms;         /* with etcd */
    bool lazy;          /* with etcd: it does not wait until it is registered */
};

/* soak_run is the scenario's. */
void soak_run(void);
/* soak_pass, soak_skip and soak_fail print what was done, was lacking, or went wrong, and exit with 0, 77 or 1. */
__attribute__((format(printf, 1, 2), noreturn)) void soak_pass(const char *format, ...);
__attribute__((format(printf, 1, 2), noreturn)) void soak_skip(const char *format, ...);
__attribute__((format(printf, 1, 2), noreturn)) void soak_fail(const char *format, ...);

#define soak_check(cond, ...)                                                                      \
    do {                                                                                           \
        if (!(cond))                                                                               \
            soak_fail(__VA_ARGS__);                                                                \
    } while (0)

/* soak_rounds returns $GR_SOAK_ROUNDS, or the default. */
int soak_rounds(int otherwise);
/* soak_below draws a number below n; the seed is $GR_TEST_SEED, or 1. */
uint64_t soak_below(uint64_t n);
uint64_t soak_now_ms(void);
void soak_nap(int64_t ms);

/* soak_until waits until an expression holds. */
#define soak_until(expression, ...)                                                                \
    do {                                                                                           \
        uint64_t soak_end_ = soak_now_ms() + SOAK_WAIT_MS;                                         \
        while (!(expression)) {                                                                    \
            soak_check(soak_now_ms() < soak_end_, __VA_ARGS__);                                    \
            soak_nap(5);                                                                           \
        }                                                                                          \
    } while (0)

/* soak_client makes a runtime that calls nodes, with their heartbeat. */
gr_runtime *soak_client(int beat_ms);
/* soak_node_runtime makes one as a node's own. */
gr_runtime *soak_node_runtime(const struct soak_how *how);
/* soak_twice counts, of this process, what "twice" does. */
int64_t soak_twice(void);
/* soak_publish has a runtime of this process publish "work", too. */
void soak_publish(gr_runtime *rt, const char *next);

/* soak_start starts a node and waits until it serves url. */
struct soak_node soak_start(const char *url, const struct soak_how *how);
/* soak_spawn starts a program and waits until a line that it prints begins with a word. */
struct soak_node soak_spawn(const char *program, char *const argv[], const char *word);
void soak_kill(struct soak_node *n); /* kill -9, and waits */
void soak_stop(struct soak_node *n); /* SIGTERM, and waits; it must end well */

/* soak_ask calls counts, again and again until the node answers, and returns one of them. */
int64_t soak_ask(gr_runtime *rt, gr_ref work, const char *what);
/* soak_returns calls until the node answers. */
void soak_returns(gr_runtime *rt, gr_ref work);

/* What a process holds, now. 0: this one. */
int soak_fds(pid_t pid);
int soak_threads(pid_t pid);
long soak_rss_kib(pid_t pid);
/* soak_links counts the tcp connections of a process's network that are established, at a port of either end. */
int soak_links(pid_t pid, unsigned port);

#endif
