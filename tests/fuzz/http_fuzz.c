/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_fuzz.c - any bytes as what an HTTP server sends, over a socket, to the real reactor: as an
 * exchange of its own, and as a model's answer, its stream, and embeddings. Each request ends, once,
 * in an answer or in an error that a caller can act on, which tells no secret.
 *
 * The first byte chooses who asks, the second how the bytes are cut. The server writes them once it
 * has read the request, closes its side, and reads until the client is done.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

#include "runtime/http/http.h"
#include "tests/fuzz/fuzz.h"

#define SECRET "sk-a-secret-that-nobody-tells"
#define ANSWER_MS 20000

static gr_runtime *rt;
static int listener;
static char url[64];
static gr_ref model, embedder;

/* ---- the server ------------------------------------------------------------------------------ */

struct served {
    const uint8_t *data;
    size_t size, piece;
    atomic_int fd; /* -1 until the client is here */
    /* the caller has its answer; if nobody has come yet nobody will: a connection kept from before had
     * more to read */
    atomic_bool over;
};

static void read_request(int fd)
{
    char buf[8192];
    size_t len = 0;

    while (len < sizeof(buf) - 1) {
        ssize_t n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0);

        if (n <= 0)
            return;
        len += (size_t)n;
        buf[len] = '\0';
        if (strstr(buf, "\r\n\r\n") != NULL)
            return; /* a body may still come: it is read at the end */
    }
}

static void *serve_one(void *arg)
{
    struct served *s = arg;
    struct pollfd coming = { .fd = listener, .events = POLLIN };
    char buf[8192];
    int fd;

    while (poll(&coming, 1, 50) == 0)
        if (atomic_load(&s->over))
            return NULL;
    fd = accept(listener, NULL, NULL);
    must(fd >= 0);
    atomic_store(&s->fd, fd);
    read_request(fd);
    for (size_t at = 0; at < s->size;) {
        size_t n = s->size - at < s->piece ? s->size - at : s->piece;
        ssize_t sent = send(fd, s->data + at, n, MSG_NOSIGNAL);

        if (sent <= 0)
            break;
        at += (size_t)sent;
    }
    shutdown(fd, SHUT_WR);
    while (recv(fd, buf, sizeof(buf), 0) > 0)
        continue;
    return NULL;
}

/* ---- the exchange ---------------------------------------------------------------------------- */

struct call {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int statuses, overs, pauses;
    size_t len;
    struct gri_http_exchange *x;
    gr_code code;
};

static void on_status(void *arg, int status, struct gri_http_exchange *x)
{
    struct call *c = arg;
    const char *type = gri_http_header_of(x, "content-type");

    must(++c->statuses == 1 && status >= 200 && c->overs == 0);
    must(type == NULL || strlen(type) <= GRI_HTTP_HEAD_MAX);
}

static bool on_bytes(void *arg, const char *data, size_t len)
{
    struct call *c = arg;

    must(c->statuses == 1 && c->overs == 0 && len > 0);
    if (c->pauses == 1) {
        c->pauses++;
        gri_http_resume(c->x);
        return false;
    }
    c->len += len;
    (void)data;
    return true;
}

static void over(struct call *c, gr_code code)
{
    pthread_mutex_lock(&c->lock);
    must(++c->overs == 1);
    c->code = code;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void on_end(void *arg)
{
    struct call *c = arg;

    must(c->statuses == 1);
    over(c, GR_OK);
}

static void on_error(void *arg, gr_value *err)
{
    must(strstr(gr_error_text(err), SECRET) == NULL);
    over(arg, gr_error_code(err));
    gr_value_unref(err);
}

static const struct gri_http_events events = { on_status, on_bytes, on_end, on_error };

static void check_code(gr_code code)
{
    must(code == GR_OK || code == GR_EUNREACH || code == GR_EPROTO || code == GR_EREMOTE ||
         code == GR_ERATE || code == GR_ENOMEM);
}

static void exchange(bool pausing)
{
    struct gri_http_request req = { .method = "GET",
                                    .url = url,
                                    .secret_header = "Authorization: Bearer " SECRET };
    struct call c = { .lock = PTHREAD_MUTEX_INITIALIZER,
                      .changed = PTHREAD_COND_INITIALIZER,
                      .pauses = pausing };
    gr_value *err = NULL;

    must(gri_http_start(rt, &req, &events, &c, &c.x, &err) == GR_OK);
    pthread_mutex_lock(&c.lock);
    while (c.overs == 0)
        pthread_cond_wait(&c.changed, &c.lock);
    pthread_mutex_unlock(&c.lock);
    check_code(c.code);
}

/* ---- the callers ----------------------------------------------------------------------------- */

/* check_error: no secret is anywhere in it. */
static void check_error(const gr_value *err)
{
    char *text = gr_json_print(err, 0, NULL);

    must(text != NULL && strstr(text, SECRET) == NULL);
    check_code(gr_error_code(err));
    gr_free(text);
}

static void check_future(gr_future *f)
{
    gr_outcome o = gr_await(f, ANSWER_MS);

    must(o.code != GR_EPENDING);
    if (o.code != GR_OK)
        check_error(o.error);
    gr_future_free(f);
}

static void check_stream(gr_stream *s)
{
    gr_outcome o;

    while ((o = gr_next(s, ANSWER_MS)).code == GR_OK)
        must(gr_get(o.value, "content") != NULL);
    must(o.code != GR_EPENDING);
    if (o.code != GR_EOS)
        check_error(o.error);
    gr_stream_free(s);
}

static void ask(unsigned how)
{
    switch (how % 8) {
    case 0: exchange(false); break;
    case 1: exchange(true); break;
    case 2:
    case 3: check_future(gr_ainvoke(rt, model, gr_str("hi"), NULL)); break;
    case 4:
    case 5: check_stream(gr_astream(rt, model, gr_str("hi"), NULL)); break;
    default: check_future(gr_aembed_query(rt, embedder, "hi", NULL)); break;
    }
}

static void set_up(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(a);

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(listener >= 0 && bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0);
    must(listen(listener, 16) == 0);
    must(getsockname(listener, (struct sockaddr *)&a, &len) == 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/v1", ntohs(a.sin_port));
    setenv("no_proxy", "*", 1);
    setenv("GR_FUZZ_KEY", SECRET, 1);
    must(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt) == GR_OK);
    model = gr_chat_model(gr_root(rt), GR_CHAT(.url = url, .model = "m", .key_env = "GR_FUZZ_KEY",
                                               .max_retries = -1));
    embedder = gr_openai_embeddings(
        gr_root(rt),
        GR_EMBEDDINGS(.url = url, .model = "m", .key_env = "GR_FUZZ_KEY", .max_retries = -1));
}

static void tear_down(void)
{
    gr_runtime_free(rt);
    close(listener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct served served = { .size = 0 };
    pthread_t server;

    if (size < 2)
        return 0;
    if (rt == NULL) {
        set_up();
        atexit(tear_down);
    }
    meter_mark();
    served = (struct served){ data + 2, size - 2, data[1] == 0 ? size : data[1], -1, false };
    must(pthread_create(&server, NULL, serve_one, &served) == 0);
    ask(data[0]);
    atomic_store(&served.over, true);
    shutdown(atomic_load(&served.fd), SHUT_RDWR); /* a connection may be kept for the next */
    pthread_join(server, NULL);
    close(atomic_load(&served.fd));
    must(meter_peak() <= 4 * FUZZ_FIXED + 512 * size);
    return 0;
}
