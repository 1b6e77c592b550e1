/* SPDX-License-Identifier: Apache-2.0 */
/* storm_test.c - many nodes that connect to one: what each costs does not grow with how many there are. */
#include "tests/support/test.h"

#include "runtime/net/node.h"
#include "tests/support/peer.h"
#include "tests/support/raw_peer.h"

#define STORM 300 /* connections; each is two descriptors of this process */
#define EACH 20 /* peers that one is compared with, at most: with those of its own node and name */

static void storm(const char *scheme, uint64_t features)
{
    static int fds[STORM];
    gr_runtime *rt = NULL;
    struct gri_node *node;
    char url[128], name[32];

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    test_peer_url(url, scheme);
    test_peer_publish(rt);
    cr_assert_eq(gr_serve(rt, url, NULL), GR_OK);
    node = gri_node_get(rt);
    for (uint64_t i = 0; i < STORM; i++) {
        fds[i] = raw_connect(url);
        snprintf(name, sizeof(name), "n%d", (int)i);
        cr_assert_geq(fds[i], 0);
        cr_assert(raw_greet(fds[i], UINT64_MAX - i, features, name) && raw_ping(fds[i]),
                  "connection %d", (int)i);
    }
    printf("%d nodes over %s: compared %llu times\n", STORM, scheme,
           (unsigned long long)node->compared);
    cr_assert_leq(node->compared, (uint64_t)STORM * EACH);
    for (int i = 0; i < STORM; i++) {
        cr_assert(raw_ping(fds[i]), "connection %d is gone", i);
        close(fds[i]);
    }
    gr_runtime_free(rt);
}

Test(storm, a_connection_is_compared_with_those_of_its_own_node_only)
{
    storm("ipc", GRI_FEATURE_SHARE);
    storm("ipc", 0);
    storm("tcp", 0);
}
