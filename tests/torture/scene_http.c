/* SPDX-License-Identifier: Apache-2.0 */
/* scene_http.c - chat models, embedders and bare requests against a server of this process. */
#include "tests/torture/torture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/http/http.h"
#include "tests/support/fault_server.h"

#define CHAT "/v1/chat/completions"
#define SSE(text)                                                                                  \
    FAULT_CHUNK("data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text     \
                "\"}}]}\n\n")

static const char good[] = "{\"id\":\"x\",\"model\":\"m1\",\"choices\":[{\"index\":0,\"message\":"
                           "{\"role\":\"assistant\",\"content\":\"Hello.\"},"
                           "\"finish_reason\":\"stop\"}]}";

static const struct fault_step answer_steps[] = {
    FAULT_STREAM_HEAD,
    SSE("one "),
    SSE("two "),
    SSE("three"),
    FAULT_CHUNK("data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
                "\"stop\"}]}\n\ndata: [DONE]\n\n"),
    FAULT_CHUNK(""),
};
static const struct fault_step hanging_steps[] = { FAULT_STREAM_HEAD, SSE("one "), FAULT_HANG };

static const struct fault_step watch_steps[] = {
    FAULT_STREAM_HEAD,
    FAULT_CHUNK("{\"result\":{\"header\":{\"revision\":\"5\"},\"created\":true}}\n"),
    FAULT_CHUNK(
        "{\"result\":{\"events\":[{\"kv\":{\"key\":\"L2dyZWVucm9vbS9kZWZhdWx0L25hbWVzL2EvbjI="
        "\",\"mod_revision\":\"6\",\"version\":\"1\",\"value\":"
        "\"eyJ1cmwiOiJpcGM6Ly8vdG1wL3R3byJ9\"}}]}}\n"),
    FAULT_HANG
};

void http_scripts(struct fault_server *s)
{
    fault_server_reply(s, CHAT, 200, "Content-Type: application/json\r\n", good);
    fault_server_script(s, "/s" CHAT, answer_steps, sizeof(answer_steps) / sizeof(answer_steps[0]));
    fault_server_script(s, "/h" CHAT, hanging_steps,
                        sizeof(hanging_steps) / sizeof(hanging_steps[0]));
    fault_server_reply(s, "/v1/embeddings", 200, "Content-Type: application/json\r\n",
                       "{\"data\":[{\"index\":0,\"embedding\":[1,0]},"
                       "{\"index\":1,\"embedding\":[0,1]}]}");
    fault_server_reply(s, "/bare", 200, "X-Test: yes\r\n", "hello");
    fault_server_reply(s, "/v3/kv/range", 200, "",
                       "{\"header\":{\"revision\":\"5\"},\"count\":\"1\",\"kvs\":[{\"key\":"
                       "\"L2dyZWVucm9vbS9kZWZhdWx0L25hbWVzL2EvbjE=\",\"value\":"
                       "\"eyJ1cmwiOiJpcGM6Ly8vdG1wL29uZSIsIndlaWdodCI6Mn0=\"}]}");
    fault_server_script(s, "/v3/watch", watch_steps, sizeof(watch_steps) / sizeof(watch_steps[0]));
    fault_server_reply(s, "/v3/lease/grant", 200, "", "{\"ID\":\"7\",\"TTL\":\"2\"}");
    fault_server_reply(s, "/v3/lease/revoke", 200, "", "{}");
    fault_server_reply(s, "/v3/lease/keepalive", 200, "",
                       "{\"result\":{\"ID\":\"7\",\"TTL\":\"2\"}}");
    fault_server_reply(s, "/v3/kv/put", 200, "", "{}");
    fault_server_reply(s, "/v3/kv/txn", 200, "",
                       "{\"responses\":[{\"response_range\":{\"kvs\":[{\"create_revision\":\"9\","
                       "\"lease\":\"7\"}]}}]}");
    fault_server_reply(s, "/no" CHAT, 503, "Content-Type: application/json\r\n",
                       "{\"error\":{\"message\":\"not now\",\"type\":\"busy\"}}");
    provider_scripts(s);
}

static const char *url_of(const char *path)
{
    static char url[160];

    snprintf(url, sizeof(url), "%s%s", fault_server_url(http_server()), path);
    return url;
}

/* Without retries of its own, so that what fails is seen. */
static gr_ref model(const char *path)
{
    return gr_chat_model(root, GR_CHAT(.url = url_of(path), .model = "m1", .max_retries = -1,
                                       .key_env = "GR_TORTURE_NO_KEY", .timeout_ms = 6000));
}

static gr_ref text_of(gr_ref chat)
{
    return gr_seq(root, chat, gr_str_parser(root));
}

static void chat(void)
{
    gives(gr_ainvoke(rt, text_of(model("/v1")), gr_str("hi"), NULL), "\"Hello.\"");
}

/* settles waits for a future for a while: what fails may be tried again for longer than that. */
static void settles(gr_future *f, int64_t expected)
{
    gr_outcome o = gr_await(f, 1500);

    if (o.code == GR_OK && expected != 0)
        claim(gr_as_int(o.value, 0) == expected);
    else if (o.code != GR_OK)
        claim(o.code == GR_EPENDING || !said(o.code));
    gr_future_free(f);
}

static void membership(void)
{
    gr_value *err = NULL;
    gr_ref holder = echo();

    gr_publish(rt, "mine", holder);
    if (gr_cluster_join(rt,
                        GR_CLUSTER(.etcd = fault_server_url(http_server()), .ttl_ms = 2000,
                                   .advertise = "ipc:///tmp/gr-torture-none.ipc"),
                        &err) != GR_OK) {
        said_why(err);
        return;
    }
    settles(gr_cluster_ready(rt), 0);
    settles(gr_claim(rt, "leader", holder), 9);
    gr_cluster_leave(rt);
    gr_publish(rt, "mine", (gr_ref){ 0, 0 });
}

static void chat_stream(void)
{
    sums(gr_astream(rt, text_of(model("/s/v1")), gr_str("hi"), NULL), "\"one two three\"");
}

static void chat_left(void)
{
    gr_stream *s = gr_astream(rt, model("/h/v1"), gr_str("hi"), NULL);
    gr_outcome o = gr_next(s, 8000);

    claim(o.code != GR_EPENDING);
    said(o.code);
    gr_stream_free(s);
}

static void chat_cancelled(void)
{
    gr_future *f = gr_ainvoke(rt, model("/h/v1"), gr_str("hi"), NULL);
    gr_outcome o;

    gr_future_cancel(f);
    o = gr_await(f, 8000);
    claim(o.code == GR_ECANCELED || !said(o.code));
    gr_future_free(f);
}

static void chat_refused(void)
{
    gr_future *f = gr_ainvoke(rt, model("/no/v1"), gr_str("hi"), NULL);
    gr_outcome o = gr_await(f, 8000);

    claim(o.code != GR_OK && o.code != GR_EPENDING);
    if (o.code != GR_EREMOTE)
        said(o.code);
    gr_future_free(f);
}

/* With retries on, what comes once in a while must not be seen at all. */
static void chat_retried(void)
{
    gr_ref m = gr_chat_model(root, GR_CHAT(.url = url_of("/v1"), .model = "m1", .max_retries = -1,
                                           .key_env = "GR_TORTURE_NO_KEY", .timeout_ms = 6000));
    gr_ref r = gr_with_retry(root, m, GR_RETRY(.attempts = 3, .backoff_ms = 1, .jitter_ms = -1));

    gives(gr_ainvoke(rt, text_of(r), gr_str("hi"), NULL), "\"Hello.\"");
}

static void embeddings(void)
{
    gr_ref r = gr_openai_embeddings(root, GR_EMBEDDINGS(.url = url_of("/v1"), .model = "m1",
                                                        .key_env = "GR_TORTURE_NO_KEY",
                                                        .max_retries = -1, .timeout_ms = 6000));

    gives(gr_aembed_documents(rt, r, gr_list(gr_str("a"), gr_str("b")), NULL),
          "[[1.0,0.0],[0.0,1.0]]");
}

static void two_at_once(void)
{
    gr_ref r = text_of(model("/v1"));
    gr_future *a = gr_ainvoke(rt, r, gr_str("a"), NULL), *b = gr_ainvoke(rt, r, gr_str("b"), NULL);

    gives(a, "\"Hello.\"");
    gives(b, "\"Hello.\"");
}

/* ---- a bare request --------------------------------------------------------------------------- */

struct note {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char body[16];
    size_t len;
    int over;
    gr_value *err;
};

static void on_status(void *arg, int status, struct gri_http_exchange *x)
{
    (void)arg;
    claim(status == 200);
    claim(strcmp(gri_http_header_of(x, "x-test"), "yes") == 0);
}

static bool on_bytes(void *arg, const char *data, size_t len)
{
    struct note *n = arg;

    claim(n->len + len < sizeof(n->body));
    memcpy(n->body + n->len, data, len);
    n->len += len;
    return true;
}

static void over(struct note *n, gr_value *err)
{
    pthread_mutex_lock(&n->lock);
    n->over++;
    n->err = err;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

static void on_end(void *arg)
{
    over(arg, NULL);
}

static void on_error(void *arg, gr_value *err)
{
    over(arg, err);
}

static void request(void)
{
    static const struct gri_http_events events = { on_status, on_bytes, on_end, on_error };
    struct gri_http_request req = { .method = "GET", .url = url_of("/bare") };
    struct note n = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    struct gri_http_exchange *x = NULL;
    gr_value *err = NULL;

    if (gri_http_start(rt, &req, &events, &n, &x, &err) != GR_OK) {
        said_why(err);
        return;
    }
    pthread_mutex_lock(&n.lock);
    while (n.over == 0)
        pthread_cond_wait(&n.changed, &n.lock);
    pthread_mutex_unlock(&n.lock);
    claim(n.over == 1);
    if (said_why(n.err))
        claim(strcmp(n.body, "hello") == 0);
}

static const struct scene scenes[] = {
    { "membership", membership, SCENE_HTTP },         { "chat", chat, SCENE_HTTP },
    { "chat_stream", chat_stream, SCENE_HTTP },       { "chat_left", chat_left, SCENE_HTTP },
    { "chat_cancelled", chat_cancelled, SCENE_HTTP }, { "chat_refused", chat_refused, SCENE_HTTP },
    { "chat_retried", chat_retried, SCENE_HTTP },     { "embeddings", embeddings, SCENE_HTTP },
    { "two_at_once", two_at_once, SCENE_HTTP },       { "request", request, SCENE_HTTP },
};
const struct scenes http_scenes = SCENES(scenes);
