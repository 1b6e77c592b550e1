/* SPDX-License-Identifier: Apache-2.0 */
/* ollama_embeddings_test.c - the embedder of an Ollama server. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/fault_server.h"
#include "tests/support/runnables.h"

#define PATH "/api/embed"
#define JSON "Content-Type: application/json\r\n"

static struct fault_server *server;

static void start(void)
{
    set_up();
    server = fault_server_start();
}

static void stop(void)
{
    tear_down();
    fault_server_stop(server);
}

TestSuite(ollama_embeddings, .init = start, .fini = stop, .timeout = 120);

static bool asked(size_t index, const char *part)
{
    char *request = fault_server_request(server, index);
    bool found = request != NULL && strstr(request, part) != NULL;

    if (!found)
        fprintf(stderr, "no %s in %s\n", part, request != NULL ? request : "nothing");
    free(request);
    return found;
}

static gr_ref embedder(unsigned batch, gr_value *extra)
{
    return gr_ollama_embeddings(root, GR_EMBEDDINGS(.url = fault_server_url(server), .model = "e",
                                                    .max_retries = -1, .batch = batch,
                                                    .max_concurrency = 1, .extra = extra));
}

Test(ollama_embeddings, texts_go_in_batches_and_come_in_order)
{
    gr_ref e = embedder(2, gr_map(GR_KV("keep_alive", gr_str("5m"))));
    gr_value *got, *err = NULL;

    fault_server_reply(server, PATH, 200, JSON, "{\"embeddings\":[[1,0],[0.5,2]]}");
    fault_server_reply(server, PATH, 200, JSON, "{\"embeddings\":[[3,4]],\"load_duration\":1}");
    got = gr_embed_documents(rt, e, gr_list(gr_str("a"), gr_str("b"), gr_str("c")), NULL, &err);
    cr_assert_not_null(got, "%s", gr_error_text(err));
    cr_assert_eq(gr_len(got), 3);
    cr_assert_eq(gr_as_floats(gr_at(got, 1), NULL)[0], 0.5F);
    cr_assert_eq(gr_as_floats(gr_at(got, 2), NULL)[1], 4.0F);
    cr_assert(asked(0, "\"input\": [\"a\", \"b\"]"));
    cr_assert(asked(0, "\"keep_alive\": \"5m\""));
    cr_assert(asked(1, "\"input\": [\"c\"]"));
    gr_value_unref(got);
}

Test(ollama_embeddings, by_name)
{
    gr_ref e = gr_init_embeddings(root, "ollama:nomic:v1",
                                  GR_EMBEDDINGS(.url = fault_server_url(server), .dimensions = 2));
    gr_value *got, *err = NULL;

    fault_server_reply(server, PATH, 200, JSON, "{\"embeddings\":[[1,0]]}");
    got = gr_embed_query(rt, e, "a", NULL, &err);
    cr_assert_eq(gr_len(got), 2, "%s", gr_error_text(err));
    cr_assert(asked(0, "\"model\": \"nomic:v1\""));
    cr_assert(asked(0, "\"dimensions\": 2"));
    gr_value_unref(got);
}

Test(ollama_embeddings, what_the_server_says_no_with)
{
    gr_ref e = embedder(0, NULL);
    gr_value *err = NULL;

    fault_server_reply(server, PATH, 404, JSON,
                       "{\"error\":\"model \\\"e\\\" not found, try pulling it first\"}");
    cr_assert_null(gr_embed_query(rt, e, "a", NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EREMOTE);
    cr_assert_eq(gr_as_int(gr_get(err, "status"), 0), 404);
    cr_assert_not_null(strstr(gr_error_text(err), "try pulling it first"));
    gr_value_unref(err);
}
