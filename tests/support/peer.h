/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h - a node to talk to: in this process as a second runtime, or as a process of its own,
 * which is this test's own executable started again.
 *
 * It publishes the actor "all":
 *   invoke     gives its input back
 *   fail       an error with every field set
 *   hold       answers its input once `let_go` is called; let_go answers the last one first
 *   wait       sleeps until it is cancelled
 *   left_ms    the milliseconds left until its deadline; -1: none
 *   config     the call's config
 *   stream     {"n", "size"}: emits n strings of size bytes
 *   transform  gives each chunk of its input back
 *   swallow    reads one chunk of its input, then waits until it is cancelled
 *   die        ends the process at once
 *   counts     {"held", "waiting", "cancelled", "emitted", "read", "told"}
 * and, in a process of its own, the actor "keep", whose invoke is hold.
 */
#ifndef GR_TESTS_SUPPORT_PEER_H
#define GR_TESTS_SUPPORT_PEER_H

#include <sys/types.h>

#include <greenroom/greenroom.h>

/* With this in the environment, a peer process joins the cluster of the etcd at that URL, with a lease of two
 * seconds. */
#define TEST_PEER_ETCD "GR_TEST_PEER_ETCD"

struct test_peer {
    pid_t pid;
    int hold_fd; /* the process ends when this is closed */
};

/* With this in the environment, a peer process also publishes "deep": a sequence of two, whose second step waits until it
 * is cancelled. */
#define TEST_PEER_DEEP "GR_TEST_PEER_DEEP"

/* test_peer_url fills in a URL that no other test uses; scheme "ipc" or "tcp". */
void test_peer_url(char url[128], const char *scheme);
/* test_peer_publish makes the actor in rt and publishes it. */
gr_ref test_peer_publish(gr_runtime *rt);
/* test_peer_start starts the process and waits until it serves url. $GR_TEST_PEER_BEAT_MS is its
 * heartbeat_ms. */
struct test_peer test_peer_start(const char *url);
void test_peer_stop(struct test_peer *p); /* asks it to end and waits */
void test_peer_kill(struct test_peer *p); /* kill -9, and waits */
/* test_peer_count reads one of the counts through r. */
int64_t test_peer_count(gr_runtime *rt, gr_ref r, const char *what);
/* test_peer_reaches waits until a count is at least n. */
bool test_peer_reaches(gr_runtime *rt, gr_ref r, const char *what, int64_t n);

#endif
