/* SPDX-License-Identifier: Apache-2.0 */
/* pool_test.c - pools over real links: who gets which call, and what happens when somebody goes. */
#include "tests/support/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "tests/support/peer.h"

#define NODES 3

/* A node in this process: a runtime that serves "work". */
struct node {
    gr_runtime *rt;
    char url[128];
    gr_ref actor;
    _Atomic int calls;
    pthread_mutex_t lock;
};

/* The verbs of "work". who: which node answers. nap: waits until it is cancelled. fail: an error of
 * the actor's own that looks like the link's. */
static gr_value *work_who(gr_ctx *c, void *self, const gr_value *args)
{
    struct node *n = gr_as_opaque(gr_args(c));

    (void)self, (void)args;
    n->calls++;
    return gr_str(n->url);
}

static gr_value *work_nap(gr_ctx *c, void *self, const gr_value *args)
{
    struct node *n = gr_as_opaque(gr_args(c));

    (void)self, (void)args;
    n->calls++;
    if (gr_sleep(gr_runtime_of(c), 600000) != GR_OK)
        return gr_error(GR_ECANCELED, "woken up");
    return gr_nil();
}

static gr_value *work_fail(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return gr_error(GR_EUNREACH, "the model is away");
}

static gr_code work_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    struct node *n = gr_as_opaque(gr_args(c));
    int64_t chunks = gr_as_int(args, 0);

    (void)self, (void)in;
    n->calls++;
    for (int64_t i = 0; i < chunks; i++)
        if (gr_emit(c, gr_str(n->url)) != GR_OK)
            return GR_ECANCELED;
    return chunks > 0 && chunks < 100 ? GR_OK : gr_sleep(gr_runtime_of(c), 600000);
}

static const gr_method work_methods[] = { { "invoke", GR_ASYNC, work_who, NULL },
                                          { "nap", GR_ASYNC, work_nap, NULL },
                                          { "fail", GR_ASYNC, work_fail, NULL },
                                          { "stream", GR_ASYNC, NULL, work_stream } };
static const gr_class work_class = GR_CLASS(.name = "work", GR_METHODS(work_methods));

static gr_runtime *runtime(void)
{
    gr_runtime *rt = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    return rt;
}

static void serve(struct node *n)
{
    gr_value *err = NULL;

    n->rt = runtime();
    n->actor = gr_spawn(gr_root(n->rt), &work_class, GR_SPAWN(.args = gr_opaque(n, NULL)));
    cr_assert_eq(gr_publish(n->rt, "work", n->actor), GR_OK);
    cr_assert_eq(gr_serve(n->rt, n->url, &err), GR_OK, "%s", gr_error_text(err));
}

static void start(struct node *n)
{
    *n = (struct node){ .rt = NULL };
    test_peer_url(n->url, "ipc");
    serve(n);
}

static void stop(struct node *n)
{
    gr_runtime_free(n->rt);
    n->rt = NULL;
}

static void start_all(struct node nodes[NODES])
{
    for (int i = 0; i < NODES; i++)
        start(&nodes[i]);
}

static void stop_all(struct node nodes[NODES])
{
    for (int i = 0; i < NODES; i++)
        if (nodes[i].rt != NULL)
            stop(&nodes[i]);
}

/* pool_of makes a pool of the nodes by a static list. */
static gr_ref pool_of(gr_runtime *rt, struct node nodes[NODES], const gr_pool_opts *opts)
{
    gr_provider list[NODES];

    for (int i = 0; i < NODES; i++)
        list[i] = (gr_provider){ .name = "work", .url = nodes[i].url };
    cr_assert_eq(gr_cluster_join(rt, GR_CLUSTER(.providers = list, .provider_count = NODES), NULL),
                 GR_OK);
    return gr_pool(gr_root(rt), "work", opts);
}

/* answered calls and returns the index of the node that answered. */
static int answered(gr_runtime *rt, gr_ref pool, struct node nodes[NODES])
{
    gr_value *err = NULL, *v = gr_invoke(rt, pool, gr_nil(), NULL, &err);
    int who = -1;

    for (int i = 0; i < NODES; i++)
        if (strcmp(gr_cstr(v, ""), nodes[i].url) == 0)
            who = i;
    cr_assert(who >= 0, "%s", gr_error_text(err));
    gr_value_unref(v);
    return who;
}

/* out tells how many of a pool's providers are out. */
static int out(gr_runtime *rt, gr_ref pool)
{
    gr_value *list = gr_pool_providers(rt, pool);
    int count = 0;

    for (size_t i = 0; i < gr_len(list); i++)
        count += gr_as_bool(gr_get(gr_at(list, i), "out"), false);
    gr_value_unref(list);
    return count;
}

static void wait_out(gr_runtime *rt, gr_ref pool, int count)
{
    uint64_t until = gr_now_ns(rt) + TEST_WAIT_MS * UINT64_C(1000000);

    while (out(rt, pool) != count && gr_now_ns(rt) < until)
        gr_sleep(rt, 5);
    cr_assert_eq(out(rt, pool), count);
}

Test(pool, round_robin_gives_each_provider_its_turn)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    int counts[NODES] = { 0 };
    gr_ref pool;

    start_all(nodes);
    pool = pool_of(rt, nodes, NULL);
    for (int i = 0; i < 30; i++)
        counts[answered(rt, pool, nodes)]++;
    for (int i = 0; i < NODES; i++)
        cr_assert_eq(counts[i], 10, "node %d has %d", i, counts[i]);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, weights_are_shares_of_round_robin)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    int counts[NODES] = { 0 };
    gr_ref pool;

    start_all(nodes);
    cr_assert_eq(gr_cluster_join(rt,
                                 GR_CLUSTER(.providers =
                                                (gr_provider[]){
                                                    { "work", nodes[0].url, 3 },
                                                    { "work", nodes[1].url, 1 },
                                                    { "other", nodes[2].url, 1 },
                                                },
                                            .provider_count = 3),
                                 NULL),
                 GR_OK);
    pool = gr_pool(gr_root(rt), "work", NULL);
    for (int i = 0; i < 40; i++)
        counts[answered(rt, pool, nodes)]++;
    cr_assert_eq(counts[0], 30);
    cr_assert_eq(counts[1], 10);
    cr_assert_eq(counts[2], 0);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, fewest_outstanding_avoids_who_is_busy)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_future *naps[2];
    gr_ref pool;
    int who = -1;

    start_all(nodes);
    pool = pool_of(rt, nodes, GR_POOL(.routing = GR_FEWEST_OUTSTANDING));
    for (int i = 0; i < 2; i++)
        naps[i] = gr_acall(rt, pool, "nap", gr_nil(), NULL);
    while (nodes[0].calls + nodes[1].calls + nodes[2].calls < 2)
        gr_sleep(rt, 1);
    for (int i = 0; i < 10; i++) {
        int at = answered(rt, pool, nodes);

        cr_assert(who < 0 || who == at, "busy ones were called");
        who = at;
    }
    for (int i = 0; i < 2; i++)
        gr_future_free(naps[i]);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, local_first_stays_here_while_the_name_is_published)
{
    struct node nodes[NODES];
    gr_runtime *rt;
    gr_ref pool;

    start_all(nodes);
    rt = nodes[0].rt;
    cr_assert_eq(gr_cluster_join(rt,
                                 GR_CLUSTER(.providers =
                                                (gr_provider[]){
                                                    { "work", nodes[0].url, 1 },
                                                    { "work", nodes[1].url, 1 },
                                                    { "work", nodes[2].url, 1 },
                                                },
                                            .provider_count = 3, .advertise = nodes[0].url),
                                 NULL),
                 GR_OK);
    pool = gr_pool(gr_root(rt), "work", GR_POOL(.routing = GR_LOCAL_FIRST));
    for (int i = 0; i < 5; i++)
        cr_assert_eq(answered(rt, pool, nodes), 0);
    gr_publish(rt, "work", (gr_ref){ 0, 0 });
    for (int i = 0; i < 4; i++)
        cr_assert_neq(answered(rt, pool, nodes), 0);
    cr_assert_eq(gr_publish(rt, "work", nodes[0].actor), GR_OK);
    cr_assert_eq(answered(rt, pool, nodes), 0);
    stop_all(nodes);
}

Test(pool, a_call_that_was_not_begun_goes_elsewhere_and_its_provider_leaves)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_ref pool;

    start_all(nodes);
    pool = pool_of(rt, nodes, NULL);
    stop(&nodes[1]); /* before anybody has called it: nothing can be sent there */
    for (int i = 0; i < 12; i++)
        cr_assert_neq(answered(rt, pool, nodes), 1);
    cr_assert_eq(out(rt, pool), 1);
    serve(&nodes[1]); /* nobody calls it meanwhile: it is asked */
    wait_out(rt, pool, 0);
    for (int i = 0; i < 3; i++)
        answered(rt, pool, nodes);
    cr_assert_eq(nodes[1].calls, 1);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, who_has_the_name_no_more_leaves_and_comes_back)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_ref pool;

    start_all(nodes);
    pool = pool_of(rt, nodes, NULL);
    answered(rt, pool, nodes);
    gr_publish(nodes[2].rt, "work", (gr_ref){ 0, 0 }); /* it drains */
    for (int i = 0; i < 12; i++)
        cr_assert_neq(answered(rt, pool, nodes), 2);
    cr_assert_eq(out(rt, pool), 1);
    gr_publish(nodes[2].rt, "work", nodes[2].actor);
    wait_out(rt, pool, 0);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, who_drains_leaves_and_its_calls_go_elsewhere)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_ref pool;

    start_all(nodes);
    pool = pool_of(rt, nodes, NULL);
    for (int i = 0; i < NODES; i++)
        answered(rt, pool, nodes);
    cr_assert_eq(gr_node_drain(nodes[1].rt, NULL), GR_OK);
    for (int i = 0; i < 12; i++)
        cr_assert_neq(answered(rt, pool, nodes), 1);
    cr_assert_eq(out(rt, pool), 1);
    stop_all(nodes);
    gr_runtime_free(rt);
}

/* nap_then_stop has a call under way at a node, and ends that one. */
static gr_outcome nap_then_stop(gr_runtime *rt, gr_future *f, struct node nodes[NODES])
{
    int at = -1;

    while (at < 0) {
        for (int i = 0; i < NODES; i++)
            if (nodes[i].calls > 0)
                at = i;
        gr_sleep(rt, 1);
    }
    nodes[at].calls = 0;
    stop(&nodes[at]);
    return gr_await(f, TEST_WAIT_MS);
}

Test(pool, a_lost_call_that_is_not_idempotent_fails_at_once)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_future *f;
    gr_outcome o;

    start_all(nodes);
    f = gr_acall(rt, pool_of(rt, nodes, NULL), "nap", gr_nil(), NULL);
    o = nap_then_stop(rt, f, nodes);
    cr_assert_eq(o.code, GR_EUNREACH, "%s", gr_error_text(o.error));
    cr_assert(gr_error_retryable(o.error));
    cr_assert_not_null(strstr(gr_error_text(o.error), "not marked idempotent"), "%s",
                       gr_error_text(o.error));
    cr_assert_eq(nodes[0].calls + nodes[1].calls + nodes[2].calls, 0, "it was begun elsewhere");
    gr_future_free(f);
    stop_all(nodes);
    gr_runtime_free(rt);
}

static void moves(const gr_pool_opts *opts, gr_value *config)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_future *f;

    start_all(nodes);
    f = gr_acall(rt, pool_of(rt, nodes, opts), "nap", gr_nil(), GR_CALL(.config = config));
    for (int gone = 0; gone < 2; gone++)
        for (int at = -1; at < 0;)
            for (int i = 0; i < NODES && at < 0; i++)
                if (nodes[i].rt != NULL && nodes[i].calls > 0) {
                    at = i;
                    stop(&nodes[at]);
                }
    for (int i = 0; i < NODES; i++)
        while (nodes[i].rt != NULL && nodes[i].calls == 0)
            gr_sleep(rt, 1);
    cr_assert_eq(gr_await(f, 0).code, GR_EPENDING);
    gr_future_free(f);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, an_idempotent_call_goes_elsewhere)
{
    moves(GR_POOL(.idempotent = true), NULL);
}

Test(pool, an_idempotent_call_that_a_drained_node_cuts_off_goes_elsewhere)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_future *f;
    int at = -1;

    start_all(nodes);
    f = gr_acall(rt, pool_of(rt, nodes, GR_POOL(.idempotent = true)), "nap", gr_nil(), NULL);
    for (int i = 0; at < 0; i = (i + 1) % NODES) {
        if (nodes[i].calls > 0)
            at = i;
        gr_sleep(rt, 1);
    }
    cr_assert_eq(gr_node_drain(nodes[at].rt, NULL), GR_OK);
    nodes[at].calls = 0;
    stop(&nodes[at]);
    for (int i = 0; gr_await(f, 1).code == GR_EPENDING; i = (i + 1) % NODES)
        if (nodes[i].rt != NULL && nodes[i].calls > 0)
            break;
    cr_assert_eq(gr_await(f, 0).code, GR_EPENDING);
    gr_future_free(f);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, a_config_marks_calls_idempotent)
{
    moves(NULL, gr_map(GR_KV("idempotent", gr_bool(true))));
}

Test(pool, a_deadline_ends_the_tries)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_value *err = NULL;
    gr_ref pool;

    start_all(nodes);
    pool = pool_of(rt, nodes, GR_POOL(.idempotent = true));
    cr_assert_null(gr_do(rt, pool, "nap", gr_nil(), GR_CALL(.timeout_ms = 200), &err));
    cr_assert_eq(gr_error_code(err), GR_ETIMEDOUT);
    cr_assert_eq(nodes[0].calls + nodes[1].calls + nodes[2].calls, 1);
    cr_assert_eq(out(rt, pool), 0, "its own deadline says nothing of a provider");
    gr_value_unref(err);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, what_an_actor_answers_is_the_answer)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_value *err = NULL;
    gr_ref pool;

    start_all(nodes);
    pool = pool_of(rt, nodes, GR_POOL(.idempotent = true));
    cr_assert_null(gr_do(rt, pool, "fail", gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH);
    cr_assert_not_null(strstr(gr_error_text(err), "the model is away"));
    cr_assert_eq(out(rt, pool), 0);
    gr_value_unref(err);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, a_stream_moves_before_its_first_chunk)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_stream *s;
    gr_ref pool;
    gr_outcome o;
    int at = -1;

    start_all(nodes);
    pool = pool_of(rt, nodes, GR_POOL(.idempotent = true));
    s = gr_astream(rt, pool, gr_int(0), NULL); /* no chunk, no end */
    while (at < 0)
        for (int i = 0; i < NODES; i++)
            if (nodes[i].calls > 0)
                at = i;
    nodes[at].calls = 0;
    stop(&nodes[at]);
    while (nodes[0].calls + nodes[1].calls + nodes[2].calls == 0)
        gr_sleep(rt, 1);
    gr_stream_free(s);
    s = gr_astream(rt, pool, gr_int(5), NULL);
    for (int i = 0; i < 5; i++)
        cr_assert_eq((o = gr_next(s, TEST_WAIT_MS)).code, GR_OK, "%s", gr_error_text(o.error));
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_EOS);
    gr_stream_free(s);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, a_stream_that_has_begun_ends_with_its_provider_which_leaves)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_stream *s;
    gr_ref pool;
    gr_outcome o;
    char *url;

    start_all(nodes);
    pool = pool_of(rt, nodes, GR_POOL(.idempotent = true));
    s = gr_astream(rt, pool, gr_int(100), NULL);
    o = gr_next(s, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_OK);
    url = strdup(gr_cstr(o.value, ""));
    for (int i = 0; i < NODES; i++)
        if (strcmp(url, nodes[i].url) == 0)
            stop(&nodes[i]);
    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK)
        cr_assert_str_eq(gr_cstr(o.value, ""), url);
    cr_assert(o.code == GR_EUNREACH || o.code == GR_ECANCELED, "%s", gr_error_text(o.error));
    cr_assert_eq(out(rt, pool), 1);
    gr_stream_free(s);
    free(url);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, the_items_of_a_batch_are_spread)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_value *inputs = gr_list_n(NULL, 0), *err = NULL, *v;

    start_all(nodes);
    for (int i = 0; i < 30; i++)
        inputs = gr_append(inputs, gr_int(i));
    v = gr_batch(rt, pool_of(rt, nodes, NULL), inputs, NULL, &err);
    cr_assert_eq(gr_len(v), 30, "%s", gr_error_text(err));
    for (int i = 0; i < NODES; i++)
        cr_assert_eq(nodes[i].calls, 10);
    gr_value_unref(v);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, with_all_gone_it_fails_and_comes_back_by_itself)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_value *err = NULL;
    gr_ref pool;

    start_all(nodes);
    pool = pool_of(rt, nodes, NULL);
    stop_all(nodes);
    cr_assert_null(gr_invoke(rt, pool, gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH, "%s", gr_error_text(err));
    gr_value_unref(err);
    for (int i = 0; i < NODES; i++)
        serve(&nodes[i]);
    wait_out(rt, pool, 0);
    answered(rt, pool, nodes);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, nobody_known_is_said_so)
{
    gr_runtime *rt = runtime();
    gr_ref pool = gr_pool(gr_root(rt), "nothing", NULL);
    gr_value *err = NULL;

    cr_assert_null(gr_invoke(rt, pool, gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH);
    cr_assert_not_null(strstr(gr_error_text(err), "nobody is known to provide 'nothing'"));
    gr_value_unref(err);
    gr_tell(rt, pool, gr_nil());
    for (int ms = 0; gr_dead_letters(rt) < 1 && ms < TEST_WAIT_MS; ms++)
        gr_sleep(rt, 1);
    cr_assert_eq(gr_dead_letters(rt), 1);
    gr_runtime_free(rt);
}

Test(pool, urls_of_its_own_need_no_cluster)
{
    gr_runtime *rt = runtime();
    struct node nodes[NODES];
    gr_scope *in = gr_scope_new(gr_root(rt));
    const char *urls[2];
    gr_ref pool;

    start_all(nodes);
    urls[0] = nodes[0].url;
    urls[1] = nodes[1].url;
    pool = gr_pool(in, "work", GR_POOL(.urls = urls, .url_count = 2));
    for (int i = 0; i < 10; i++)
        answered(rt, pool, nodes);
    cr_assert_eq(nodes[0].calls, 5);
    cr_assert_eq(nodes[1].calls, 5);
    gr_scope_free(in);
    stop_all(nodes);
    gr_runtime_free(rt);
}

Test(pool, bad_arguments_are_said)
{
    gr_runtime *rt = runtime();
    const char *bad = "http://somewhere";
    gr_value *err = gr_check(rt, gr_pool(gr_root(rt), "", NULL));

    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    gr_value_unref(err);
    err = gr_check(rt, gr_pool(gr_root(rt), "work", GR_POOL(.urls = &bad, .url_count = 1)));
    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    cr_assert_not_null(strstr(gr_error_text(err), bad));
    gr_value_unref(err);
    gr_runtime_free(rt);
}
