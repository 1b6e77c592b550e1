/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canary_test.c - a key with a text of its own goes through the clients: it is in no answer, error,
 * event, trace or log line, and once the clients are gone, in no byte that the process may write.
 *
 * The test itself never has the key as text but in the environment that it is handed over by: it is kept
 * masked, and looked for byte by byte. The server, which must see it, is another process.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

#include "tests/support/fault_server.h"
#include "tests/support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MASK 0x55
#define KEY_LEN 43
#define VARIABLE "GR_CANARY_KEY"
/* A sanitizer's own memory is more than can be looked through. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SCANS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SCANS 0
#endif
#endif
#if !defined(SCANS)
#define SCANS 1
#endif
#define CHAT "/v1/chat/completions"

static unsigned char masked[KEY_LEN];
static char variable[sizeof(VARIABLE) + 1 + KEY_LEN]; /* "VARIABLE=key", in the environment */

/* ---- the key ---------------------------------------------------------------------------------- */

static void make_key(void)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz012345";
    unsigned seed = (unsigned)getpid() * 2654435761u;

    memcpy(masked, "sk-canary-", 10);
    for (size_t i = 0; i < KEY_LEN; i++) {
        seed = seed * 1103515245u + 12345u;
        masked[i] =
            (unsigned char)((i < 10
                                 ? masked[i]
                                 : (unsigned char)letters[(seed >> 16) % (sizeof(letters) - 1)]) ^
                            MASK);
    }
    memcpy(variable, VARIABLE "=", sizeof(VARIABLE));
    for (size_t i = 0; i < KEY_LEN; i++)
        variable[sizeof(VARIABLE) + i] = (char)(masked[i] ^ MASK);
    cr_assert_eq(putenv(variable), 0); /* no copy of it is made */
}

/* holds counts where the key is in so many bytes; even a half of it counts. */
static size_t holds(const unsigned char *at, size_t len)
{
    size_t found = 0, most = KEY_LEN / 2;

    for (size_t i = 10; i + most <= len + 10; i++) { /* "sk-canary-" is in this file too */
        size_t same = 0;

        while (same < most && at[i - 10 + same] == (masked[10 + same] ^ MASK))
            same++;
        found += same == most;
    }
    return found;
}

static void is_clean(const char *what, const char *text)
{
    cr_assert_not_null(text, "%s", what);
    cr_assert_eq(holds((const unsigned char *)text, strlen(text)), 0u, "%s", what);
}

/* ---- this process's memory -------------------------------------------------------------------- */

static unsigned char page[65536];

/* scan_range looks at one mapping, in pieces that overlap by one byte less than what is looked for. */
static size_t scan_range(int fd, unsigned long from, unsigned long to)
{
    size_t found = 0;

    while (from < to) {
        size_t want = to - from < sizeof(page) ? to - from : sizeof(page);
        ssize_t n = pread(fd, page, want, (off_t)from);

        if (n <= 0)
            break;
        found += holds(page, (size_t)n);
        if ((size_t)n < KEY_LEN / 2 || (size_t)n == to - from)
            break;
        from += (size_t)n - (KEY_LEN / 2 - 1);
    }
    explicit_bzero(page, sizeof(page)); /* else it would be found here */
    return found;
}

/* scan counts the places of this process's writable memory that hold the key. */
static size_t scan(bool tell)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    char line[512], rights[8];
    unsigned long from = 0, to = 0, last = 0;
    size_t found = 0;

    cr_assert(maps != NULL && fd >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        size_t here = 0;

        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[0] != 'r' ||
            rights[1] != 'w' || strstr(line, "[v") != NULL)
            continue;
        if (from == last) /* goes on from the one before */
            from -= KEY_LEN / 2 - 1;
        last = to;
        here = scan_range(fd, from, to);
        found += here;
        if (here != 0 && tell)
            fprintf(stderr, "%zu times in %s", here, line);
    }
    close(fd);
    fclose(maps);
    return found;
}

/* ---- the server, in another process ------------------------------------------------------------- */

static pid_t server_pid;
static char base[64], nowhere[64];

static const char good[] = "{\"id\":\"x\",\"model\":\"m1\",\"choices\":[{\"index\":0,\"message\":"
                           "{\"role\":\"assistant\",\"content\":\"Hello.\"},"
                           "\"finish_reason\":\"stop\"}]}";
#define JSON_TYPE "Content-Type: application/json\r\n"
#define DELTA(text)                                                                                \
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define FINISH                                                                                     \
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" \
    "data: [DONE]\n\n"

static void serve(int out, int in)
{
    static const struct fault_step whole[] = { FAULT_STREAM_HEAD, FAULT_CHUNK(DELTA("a")),
                                               FAULT_CHUNK(DELTA("b")), FAULT_CHUNK(FINISH),
                                               FAULT_CHUNK("") };
    static const struct fault_step cut[] = { FAULT_STREAM_HEAD, FAULT_CHUNK(DELTA("a")),
                                             FAULT_END };
    static const struct fault_step hang[] = { FAULT_STREAM_HEAD, FAULT_CHUNK(DELTA("a")),
                                              FAULT_HANG };
    static const struct fault_step mail[] = { FAULT_TEXT("220 mail.example ESMTP\r\n\r\n"),
                                              FAULT_END };
    static const struct fault_step reset[] = { FAULT_RST };
    struct fault_server *s = fault_server_start();
    const char *url = fault_server_url(s);
    char byte;

    fault_server_reply(s, "/good" CHAT, 200, JSON_TYPE, good);
    fault_server_reply(s, "/good/v1/embeddings", 200, JSON_TYPE,
                       "{\"data\":[{\"index\":0,\"embedding\":[1,2]}]}");
    fault_server_script(s, "/stream" CHAT, whole, COUNT(whole));
    fault_server_script(s, "/cut" CHAT, cut, COUNT(cut));
    fault_server_script(s, "/hang" CHAT, hang, COUNT(hang));
    fault_server_script(s, "/mail" CHAT, mail, COUNT(mail));
    fault_server_script(s, "/reset" CHAT, reset, COUNT(reset));
    fault_server_reply(s, "/400" CHAT, 400, JSON_TYPE, "{\"error\":{\"message\":\"bad\"}}");
    fault_server_reply(s, "/401" CHAT, 401, JSON_TYPE,
                       "{\"error\":{\"message\":\"Incorrect API key provided\"}}");
    fault_server_reply(s, "/429" CHAT, 429, JSON_TYPE "Retry-After: 0\r\n",
                       "{\"error\":{\"message\":\"slow down\"}}");
    fault_server_reply(s, "/500" CHAT, 500, "", "<html>oops");
    fault_server_reply(s, "/garbage" CHAT, 200, JSON_TYPE, "{\"choices\":[");
    fault_server_reply(s, "*", 401, JSON_TYPE, "{\"error\":{\"message\":\"no\"}}");
    fault_server_reply(s, "/moved" CHAT, 302, "Location: http://127.0.0.1:9/\r\n", "");
    if (write(out, url, strlen(url) + 1) > 0)
        while (read(in, &byte, 1) > 0)
            ;
    _exit(0);
}

static int hold_fd;

static void start_server(void)
{
    int out[2], in[2];

    cr_assert(pipe(out) == 0 && pipe(in) == 0);
    server_pid = fork();
    if (server_pid == 0) {
        close(in[1]);
        serve(out[1], in[0]);
    }
    close(out[1]);
    close(in[0]);
    hold_fd = in[1];
    memset(base, 0, sizeof(base));
    cr_assert_gt(read(out[0], base, sizeof(base) - 1), 0);
    close(out[0]);
    snprintf(nowhere, sizeof(nowhere), "http://127.0.0.1:1/v1");
}

static void stop_server(void)
{
    close(hold_fd);
    waitpid(server_pid, NULL, 0);
}

/* ---- what is said ------------------------------------------------------------------------------- */

static char said[1 << 20];
static atomic_size_t said_len;

static void hear(void *arg, const gr_log_line *line)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "%s %s %s\n", line->text,
                     line->actor != NULL ? line->actor : "", line->peer != NULL ? line->peer : "");
    size_t len = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1, at = 0;

    (void)arg;
    at = atomic_fetch_add(&said_len, len);
    if (at + len < sizeof(said))
        memcpy(said + at, text, len);
}

static void print(const char *what, const gr_value *v)
{
    char *text = gr_json_print(v, 0, NULL);

    is_clean(what, text);
    gr_free(text);
}

/* ---- the clients -------------------------------------------------------------------------------- */

static gr_runtime *rt;
static int trace_fd;

static gr_call_opts *with_traces(gr_call_opts *opts)
{
    *opts = (gr_call_opts){ .size = sizeof(*opts) };
    opts->config = gr_map(GR_KV(
        "callbacks", gr_list(gr_console_tracer(trace_fd, NULL), gr_json_tracer(trace_fd, NULL))));
    return opts;
}

static const char *provider = "openai";

static gr_ref client(gr_scope *s, const char *url)
{
    return gr_chat_model(s, GR_CHAT(.url = url, .model = "m1", .provider = provider,
                                    .key_env = VARIABLE, .max_retries = 1, .timeout_ms = 20000));
}

static void one_answer(gr_scope *s, const char *url)
{
    gr_call_opts opts;
    gr_ref model = client(s, url);
    gr_value *err = NULL;
    gr_value *got = gr_take(gr_ainvoke(rt, model, gr_str("hi"), with_traces(&opts)), &err);

    print(url, got != NULL ? got : err);
    is_clean("the error's text", gr_error_text(err));
    gr_value_unref(got);
    gr_value_unref(err);
}

/* one_stream reads at most `most` chunks, then leaves. */
static void one_stream(gr_scope *s, const char *url, int most)
{
    gr_call_opts opts;
    gr_stream *stream = gr_astream(rt, client(s, url), gr_str("hi"), with_traces(&opts));
    gr_outcome o;

    while (most-- > 0 && (o = gr_next(stream, -1)).code == GR_OK)
        print("a chunk", o.value);
    if (most >= 0 && o.error != NULL)
        print("a stream's error", o.error);
    gr_stream_free(stream);
}

static void events_of(gr_scope *s, const char *url)
{
    gr_stream *stream = gr_astream_events(rt, client(s, url), gr_str("hi"), NULL, NULL);
    gr_outcome o;

    while ((o = gr_next(stream, -1)).code == GR_OK)
        print("an event", o.value);
    gr_stream_free(stream);
}

static void embeddings(gr_scope *s, const char *url)
{
    gr_ref e =
        gr_openai_embeddings(s, GR_EMBEDDINGS(.url = url, .model = "e", .key_env = VARIABLE));
    gr_value *err = NULL, *got = gr_embed_query(rt, e, "hi", NULL, &err);

    print("an embedding", got != NULL ? got : err);
    gr_value_unref(got);
    gr_value_unref(err);
}

static void inspect(gr_scope *s)
{
    gr_value *err = NULL, *got = gr_describe(rt, client(s, nowhere), &err);

    print("its description", got != NULL ? got : err);
    gr_value_unref(got);
    gr_value_unref(err);
}

static const char *at(const char *path)
{
    static char url[128];

    snprintf(url, sizeof(url), "%s%s/v1", base, path);
    return url;
}

static void all_of_it(void)
{
    static const char *const answers[] = { "/good", "/400",     "/401",   "/429",  "/500",
                                           "/mail", "/garbage", "/moved", "/reset" };
    gr_scope *s = gr_scope_new(gr_root(rt));

    for (size_t i = 0; i < COUNT(answers); i++)
        one_answer(s, at(answers[i]));
    one_answer(s, nowhere);
    one_answer(s, "http://no-such-host.invalid/v1");
    one_answer(s, "https://127.0.0.1:1/v1");
    one_answer(s, "ftp://127.0.0.1/v1");
    one_stream(s, at("/stream"), 100);
    one_stream(s, at("/cut"), 100);
    one_stream(s, at("/hang"), 1);
    one_stream(s, nowhere, 100);
    events_of(s, at("/stream"));
    events_of(s, at("/401"));
    embeddings(s, at("/good"));
    embeddings(s, nowhere);
    inspect(s);
    gr_scope_free(s);
}

/* The others' clients: what they send goes to paths of their own, where everything is refused. */
static void all_providers(void)
{
    static const char *const others[] = { "azure_openai", "anthropic", "ollama" };
    gr_scope *s = gr_scope_new(gr_root(rt));

    for (size_t i = 0; i < COUNT(others); i++) {
        provider = others[i];
        one_answer(s, at("/any"));
        one_stream(s, at("/any"), 100);
        one_answer(s, nowhere);
        events_of(s, at("/any"));
        inspect(s);
    }
    provider = "openai";
    gr_scope_free(s);
}

static void traces_are_clean(void)
{
    static char text[1 << 20];
    ssize_t n = pread(trace_fd, text, sizeof(text) - 1, 0);

    cr_assert_gt(n, 1000, "the traces say something");
    is_clean("the traces", text);
    cr_assert_lt(atomic_load(&said_len), sizeof(said));
    is_clean("the log", said);
}

Test(canary, a_key_is_told_to_its_server_and_to_nobody_else, .timeout = 120)
{
    char path[] = "/tmp/gr-canary-XXXXXX";
    size_t left = 0;

    setenv("no_proxy", "*", 1);
    start_server(); /* before there is another thread, and before there is a key */
    make_key();
    trace_fd = mkstemp(path);
    unlink(path);
    gr_set_log_lines(hear, NULL, 3);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    cr_assert(!SCANS || scan(false) == 1, "the environment has it, as this test sees");
    all_of_it();
    all_providers();
    gr_runtime_free(rt);
    traces_are_clean();
    gr_set_log_lines(NULL, NULL, 0);
    left = SCANS ? scan(true) : 1;
    explicit_bzero(variable + sizeof(VARIABLE), KEY_LEN);
    cr_assert_eq(left, 1u, "in %zu places more than the environment", left - 1);
    stop_server();
    close(trace_fd);
}
