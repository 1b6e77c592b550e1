/* SPDX-License-Identifier: Apache-2.0 */
/* reactor_test.c - runtime/http/http.h over libcurl: answers, bounds, cancelling,
 * pausing, many at once. */
#include <malloc.h>
#include <sched.h>

#include "runtime/sched/world.h"
#include "tests/support/http_call.h"

/* set_up makes a runtime (gr_runtime_new) and starts the server. */
TestSuite(reactor, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- answers -------------------------------------------------------------------------------- */

Test(reactor, gives_status_headers_bytes_and_end)
{
    struct call c;

    init(&c);
    fault_server_reply(server, "/", 200, "X-Test:  one two \r\nx-test: later\r\n", "hello");
    get(&c, "/");
    ends_well(&c, 200, "hello");
    cr_assert_str_eq(c.header, "one two");
    cr_assert_str_eq(c.header_twice, "(none)");
    fini(&c);
}

Test(reactor, sends_method_headers_secret_and_body)
{
    static const struct gri_http_header headers[] = { { "Content-Type", "application/json" },
                                                      { "X-Empty", "" } };
    struct gri_http_request req = {
        .method = "POST",
        .url = url_of("/v1?q=1"),
        .headers = headers,
        .header_count = 2,
        .secret_header = "Authorization: Bearer sesame",
        .body = "{\"a\":1}",
        .body_size = 7,
    };
    struct call c;
    char *text = NULL;

    init(&c);
    fault_server_reply(server, "/v1", 200, "", "");
    cr_assert_eq(start(&c, &req, NULL), GR_OK);
    ends_well(&c, 200, "");
    text = fault_server_request(server, 0);
    cr_assert_eq(strncmp(text, "POST /v1?q=1 HTTP/1.1\r\n", 23), 0);
    cr_assert_not_null(strstr(text, "\r\nContent-Type: application/json\r\n"));
    cr_assert_not_null(strstr(text, "\r\nAuthorization: Bearer sesame\r\n"));
    cr_assert_not_null(strstr(text, "\r\nX-Empty:"));
    cr_assert_not_null(strstr(text, "\r\n\r\n{\"a\":1}"));
    cr_assert_null(strstr(text, "Expect"));
    free(text);
    fini(&c);
}

Test(reactor, sends_any_method_and_large_bodies)
{
    size_t size = (size_t)1 << 20;
    char *body = malloc(size), *text = NULL;
    struct gri_http_request reqs[] = {
        { .method = "HEAD", .url = NULL },
        { .method = "DELETE", .url = NULL },
        { .method = "PUT", .url = NULL, .body = body, .body_size = size },
    };

    memset(body, 'b', size);
    fault_server_reply(server, "/any", 200, "", "");
    for (size_t i = 0; i < COUNT(reqs); i++) {
        struct call c;

        init(&c);
        reqs[i].url = url_of("/any");
        cr_assert_eq(start(&c, &reqs[i], NULL), GR_OK);
        ends_well(&c, 200, "");
        text = fault_server_request(server, i);
        cr_assert_eq(strncmp(text, reqs[i].method, strlen(reqs[i].method)), 0);
        if (reqs[i].body != NULL)
            cr_assert_eq(strlen(strstr(text, "\r\n\r\n") + 4), size);
        free(text);
        fini(&c);
    }
    free(body);
}

Test(reactor, passes_bytes_on_as_they_come)
{
    static const struct fault_step steps[] = {
        FAULT_STREAM_HEAD, FAULT_CHUNK("data: 1\n\n"), FAULT_GATE(0), FAULT_CHUNK("data: 2\n\n"),
        FAULT_CHUNK(""),
    };
    struct call c;

    init(&c);
    fault_server_script(server, "/", steps, COUNT(steps));
    get(&c, "/");
    until(&c, c.body_len == 9); /* while the server holds the rest back */
    pthread_mutex_lock(&c.lock);
    cr_assert_eq(c.ends, 0);
    pthread_mutex_unlock(&c.lock);
    fault_server_open(server, 0);
    ends_well(&c, 200, "data: 1\n\ndata: 2\n\n");
    cr_assert_geq(c.pieces, 2u);
    fini(&c);
}

Test(reactor, puts_an_answer_together_that_comes_byte_by_byte)
{
    static const struct fault_step steps[] = {
        FAULT_DRIP(
            "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nX-Test: a\r\n"
            "Transfer-Encoding: chunked\r\n\r\n5\r\n\xC3\xBC\r\n\xC3\r\n1\r\n\xBC\r\n0\r\n\r\n"),
    };
    struct call c;

    init(&c);
    fault_server_script(server, "/", steps, COUNT(steps));
    get(&c, "/");
    ends_well(&c, 429, "\xC3\xBC\r\n\xC3\xBC");
    cr_assert_str_eq(c.header, "a");
    cr_assert_str_eq(c.header_twice, "7");
    fini(&c);
}

Test(reactor, reports_error_statuses_as_answers)
{
    struct call c[2];

    fault_server_reply(server, "/", 500, "", "{\"error\":{}}");
    fault_server_reply(server, "/", 302, "Location: http://127.0.0.1:9/\r\n", "");
    for (int i = 0; i < 2; i++) {
        init(&c[i]);
        get(&c[i], "/");
        ends_well(&c[i], i == 0 ? 500 : 302, i == 0 ? "{\"error\":{}}" : "");
        fini(&c[i]);
    }
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 2u, "redirects are not followed");
}

Test(reactor, leaves_out_interim_answers_and_trailers)
{
    static const struct fault_step steps[] = {
        FAULT_TEXT("HTTP/1.1 103 Early Hints\r\nX-Test: early\r\nRetry-After: 1\r\n\r\n"
                   "HTTP/1.1 200 OK\r\nX-Test: late\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "1\r\na\r\n0\r\nX-Test: trailer\r\n\r\n"),
    };
    struct call c;

    init(&c);
    fault_server_script(server, "/", steps, COUNT(steps));
    get(&c, "/");
    ends_well(&c, 200, "a");
    cr_assert_str_eq(c.header, "late");
    cr_assert_str_eq(c.header_twice, "(none)");
    fini(&c);
}

/* ---- cancelling and pausing ----------------------------------------------------------------- */

Test(reactor, cancelling_closes_the_connection)
{
    static const struct fault_step steps[] = { FAULT_STREAM_HEAD, FAULT_CHUNK("data: 1\n\n"),
                                               FAULT_HANG };
    struct call c;

    init(&c);
    fault_server_script(server, "/", steps, COUNT(steps));
    get(&c, "/");
    until(&c, c.body_len == 9);
    cancel(&c);
    cancel(&c);
    cr_assert(fault_server_wait(server, FAULT_DROPPED, 1));
    finish(&c);
    cr_assert_eq(c.code, GR_ECANCELED);
    cr_assert_eq(c.errors, 1);
    fini(&c);
}

Test(reactor, cancels_inside_events_and_before_the_start)
{
    static const struct fault_step steps[] = { FAULT_STREAM_HEAD, FAULT_CHUNK("data: 1\n\n"),
                                               FAULT_HANG };

    fault_server_script(server, "/", steps, COUNT(steps));
    for (int i = 0; i < 3; i++) {
        struct call c;

        init(&c);
        c.cancel_in_status = i == 0;
        c.cancel_in_bytes = i == 1;
        get(&c, "/");
        if (i == 2)
            cancel(&c);
        finish(&c);
        cr_assert_eq(c.code, GR_ECANCELED);
        cr_assert_eq(c.errors, 1);
        cr_assert_eq(c.ends, 0);
        cr_assert_eq(c.late, 0);
        cr_assert_eq(c.body_len, i == 1 ? 9u : 0u, "no bytes after a cancel");
        fini(&c);
    }
    cr_assert(fault_server_wait_open(server, 0));
}

/* pattern makes len bytes that repeat at no power of two. */
static char *pattern(size_t len)
{
    char *text = malloc(len + 1);

    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + i % 23);
    text[len] = '\0';
    return text;
}

static void pausing_loses_nothing(bool resume_self)
{
    size_t len = (size_t)2 << 20, seen = 0;
    char *body = pattern(len);
    struct call c;

    init(&c);
    c.pause_each = 3;
    c.resume_self = resume_self;
    fault_server_reply(server, "/", 200, "", body);
    get(&c, "/");
    while (!resume_self && seen < len) {
        until(&c, c.pauses > seen || c.ends > 0);
        if (c.ends > 0)
            break;
        seen = c.pauses;
        resume(&c);
    }
    finish(&c);
    cr_assert_eq(c.ends, 1);
    cr_assert_gt(c.pauses, 10u);
    cr_assert_eq(c.body_len, len);
    cr_assert_eq(memcmp(c.body, body, len), 0);
    free(body);
    fini(&c);
}

Test(reactor, pausing_loses_no_byte)
{
    pausing_loses_nothing(false);
}

Test(reactor, a_resume_that_comes_before_the_pause_counts)
{
    pausing_loses_nothing(true);
}

Test(reactor, a_whole_small_answer_may_be_paused)
{
    struct call c;

    init(&c);
    c.pause_all = true;
    fault_server_reply(server, "/", 200, "", "small");
    get(&c, "/");
    until(&c, c.pauses == 1);
    resume(&c);
    until(&c, c.pauses == 2);
    pthread_mutex_lock(&c.lock);
    c.pause_all = false;
    pthread_mutex_unlock(&c.lock);
    resume(&c);
    resume(&c); /* one too many is harmless */
    ends_well(&c, 200, "small");
    fini(&c);
}

/* pauses_in_time: the server has not been silent for the idle timeout before its first bytes came, as one may be that has
 * lost its processor. */
static bool pauses_in_time(struct call *c, uint64_t idle_ms)
{
    struct gri_http_request req = { .method = "GET",
                                    .url = url_of("/"),
                                    .idle_timeout_ms = idle_ms };

    init(c);
    c->pause_all = true;
    cr_assert_eq(start(c, &req, NULL), GR_OK);
    until(c, c->pauses == 1 || c->errors == 1);
    if (c->pauses == 1)
        return true;
    finish(c);
    cr_assert_eq(c->code, GR_ETIMEDOUT);
    fini(c);
    return false;
}

Test(reactor, a_pause_stops_the_server_and_the_idle_clock)
{
    static const struct fault_step steps[] = {
        FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 268435456\r\n\r\n"),
        FAULT_FLOOD("0123456789abcdef0123456789abcdef", 8388608),
    };
    uint64_t idle_ms = 50;
    size_t dropped = 0, sent = 0;
    struct call c;

    fault_server_script(server, "/", steps, COUNT(steps));
    while (!pauses_in_time(&c, idle_ms)) {
        cr_assert_lt(idle_ms *= 2, TEST_WAIT_MS);
        cr_assert(fault_server_wait(server, FAULT_DROPPED, ++dropped));
        sent = fault_server_count(server, FAULT_SENT);
    }
    /* twice the idle timeout without the client taking a byte */
    nanosleep(&(struct timespec){ .tv_sec = (time_t)(idle_ms / 500),
                                  .tv_nsec = (long)(idle_ms % 500 * 2000000) },
              NULL);
    cr_assert(fault_server_wait(server, FAULT_STALLED, 1));
    cr_assert_lt(fault_server_count(server, FAULT_SENT) - sent, (size_t)8 << 20,
                 "in system buffers");
    pthread_mutex_lock(&c.lock);
    cr_assert_eq(c.errors, 0, "%s", c.text);
    cr_assert_eq(c.offers, 1u);
    pthread_mutex_unlock(&c.lock);
    cancel(&c);
    finish(&c);
    cr_assert_eq(c.code, GR_ECANCELED);
    cr_assert(fault_server_wait(server, FAULT_DROPPED, dropped + 1));
    fini(&c);
}

/* ---- many ----------------------------------------------------------------------------------- */

Test(reactor, uses_a_connection_again)
{
    fault_server_reply(server, "/", 200, "", "again");
    for (int i = 0; i < 20; i++) {
        struct call c;

        init(&c);
        get(&c, "/");
        ends_well(&c, 200, "again");
        fini(&c);
    }
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 20u);
    cr_assert_eq(fault_server_count(server, FAULT_ACCEPTED), 1u);
}

Test(reactor, replaces_a_kept_connection_that_the_server_closed)
{
    static const struct fault_step steps[] = {
        FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), FAULT_END
    };

    fault_server_script(server, "/", steps, COUNT(steps));
    for (int i = 0; i < 10; i++) {
        struct call c;

        init(&c);
        get(&c, "/");
        ends_well(&c, 200, "ok");
        fini(&c);
    }
}

Test(reactor, streams_many_at_once_and_cancels_half)
{
    enum { MANY = 1000 };
    static const struct fault_step steps[] = { FAULT_STREAM_HEAD, FAULT_CHUNK("data: 1\n\n"),
                                               FAULT_GATE(0), FAULT_CHUNK("data: 2\n\n"),
                                               FAULT_CHUNK("") };
    struct call *calls = calloc(MANY, sizeof(*calls));

    fault_server_script(server, "/", steps, COUNT(steps));
    for (size_t i = 0; i < MANY; i++) {
        init(&calls[i]);
        get(&calls[i], "/");
    }
    for (size_t i = 0; i < MANY; i++)
        until(&calls[i], calls[i].body_len == 9);
    cr_assert_eq(fault_server_count(server, FAULT_OPEN), (size_t)MANY);
    for (size_t i = 0; i < MANY; i += 2)
        cancel(&calls[i]);
    cr_assert(fault_server_wait(server, FAULT_DROPPED, MANY / 2));
    fault_server_open(server, 0);
    for (size_t i = 0; i < MANY; i++) {
        finish(&calls[i]);
        cr_assert_eq(calls[i].code, i % 2 == 0 ? GR_ECANCELED : GR_OK);
        cr_assert_str_eq(calls[i].body, i % 2 == 0 ? "data: 1\n\n" : "data: 1\n\ndata: 2\n\n");
        cr_assert_eq(calls[i].late, 0);
        fini(&calls[i]);
    }
    cr_assert_eq(fault_server_count(server, FAULT_DROPPED), (size_t)MANY / 2);
    free(calls);
}

/* what a process has on its heap; 0 where the system can't tell */
static size_t heap_bytes(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
#else
    return 0;
#endif
}

/* Each server has 64 MiB for a reader that takes nothing. */
Test(reactor, slow_readers_cost_a_bounded_amount_of_memory)
{
    enum { MANY = 50 };
    static const struct fault_step steps[] = {
        FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n"),
        FAULT_FLOOD("0123456789abcdef0123456789abcdef", 2097152),
    };
    struct call *calls = calloc(MANY, sizeof(*calls));
    size_t before = 0, after = 0;

    fault_server_script(server, "/", steps, COUNT(steps));
    before = heap_bytes();
    for (size_t i = 0; i < MANY; i++) {
        init(&calls[i]);
        calls[i].pause_all = true;
        get(&calls[i], "/");
    }
    for (size_t i = 0; i < MANY; i++)
        until(&calls[i], calls[i].pauses == 1);
    cr_assert(fault_server_wait(server, FAULT_STALLED, MANY));
    after = heap_bytes();
    cr_assert_lt(after, before + MANY * (size_t)128 * 1024, "%zu bytes each",
                 (after - before) / MANY);
    for (size_t i = 0; i < MANY; i++)
        cancel(&calls[i]);
    for (size_t i = 0; i < MANY; i++) {
        finish(&calls[i]);
        cr_assert_eq(calls[i].code, GR_ECANCELED);
        cr_assert_eq(calls[i].offers, 1u);
        fini(&calls[i]);
    }
    free(calls);
}

static void with_limits(const gr_runtime_opts *opts)
{
    gr_runtime_free(rt);
    cr_assert_eq(gr_runtime_new(opts, &rt), GR_OK);
}

/* beyond_wait: of four requests two get connections, the others once those are over. */
static void beyond_wait(void)
{
    static const struct fault_step steps[] = { FAULT_STREAM_HEAD, FAULT_CHUNK("data: 1\n\n"),
                                               FAULT_GATE(0), FAULT_CHUNK("") };
    struct gri_http_request late = { .method = "GET", .url = url_of("/") };
    struct call calls[4], out_of_time;

    fault_server_script(server, "/", steps, COUNT(steps));
    for (size_t i = 0; i < COUNT(calls); i++) {
        init(&calls[i]);
        get(&calls[i], "/");
    }
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 2));
    init(&out_of_time);
    late.deadline_ns = gri_now(rt) + UINT64_C(100000000);
    cr_assert_eq(start(&out_of_time, &late, NULL), GR_OK);
    finish(&out_of_time);
    cr_assert_eq(out_of_time.code, GR_ETIMEDOUT);
    cr_assert_eq(fault_server_count(server, FAULT_ACCEPTED), 2u);
    cancel(&calls[3]); /* while it waits, or not */
    fault_server_open(server, 0);
    for (size_t i = 0; i < COUNT(calls); i++) {
        finish(&calls[i]);
        cr_assert_eq(calls[i].code, i == 3 ? GR_ECANCELED : GR_OK, "%s", calls[i].text);
        fini(&calls[i]);
    }
    cr_assert_leq(fault_server_count(server, FAULT_ACCEPTED), 3u); /* a cancel closes its own */
    fini(&out_of_time);
}

Test(reactor, beyond_the_connections_to_a_host_requests_wait)
{
    with_limits(GR_RUNTIME(.http_host_connections_max = 2));
    beyond_wait();
}

Test(reactor, beyond_all_connections_requests_wait)
{
    with_limits(GR_RUNTIME(.http_connections_max = 2));
    beyond_wait();
}

Test(reactor, beyond_the_requests_they_are_refused)
{
    static const struct fault_step steps[] = { FAULT_HANG };
    struct gri_http_request req = { .method = "GET", .url = url_of("/") };
    struct call one, two;
    gr_value *err = NULL;

    with_limits(GR_RUNTIME(.http_requests_max = 1));
    fault_server_script(server, "/", steps, COUNT(steps));
    init(&one);
    init(&two);
    get(&one, "/");
    cr_assert_eq(start(&two, &req, &err), GR_EFULL);
    cr_assert_str_eq(gr_error_text(err), "HTTP request: 1 are under way");
    gr_value_unref(err);
    cancel(&one);
    finish(&one);
    fini(&one);
    fini(&two);
}

struct racer {
    pthread_t thread;
    unsigned seed;
    time_t until;
};

/* Starts and cancels at once, while answers come: cancel races with every other event. On a machine that is busy each
 * yield takes as long as the others like, so there it ends with fewer. */
static void *race(void *arg)
{
    struct racer *r = arg;
    struct gri_http_request req = { .method = "GET" };
    char url[128];

    snprintf(url, sizeof(url), "%s/", fault_server_url(server));
    req.url = url;
    for (int i = 0; i < 100 && time(NULL) < r->until; i++) {
        struct call c;

        init(&c);
        if (start(&c, &req, NULL) != GR_OK)
            abort();
        r->seed = r->seed * 1103515245u + 12345u;
        for (unsigned spin = 0; spin < (r->seed >> 16) % 200; spin++)
            sched_yield();
        cancel(&c);
        pthread_mutex_lock(&c.lock);
        while (c.ends + c.errors == 0)
            pthread_cond_wait(&c.changed, &c.lock);
        if (c.ends + c.errors != 1 || c.late != 0)
            abort();
        pthread_mutex_unlock(&c.lock);
        fini(&c);
    }
    return NULL;
}

Test(reactor, one_terminal_event_whoever_wins_the_race)
{
    struct racer racers[4];

    fault_server_reply(server, "/", 200, "", "raced");
    for (unsigned i = 0; i < COUNT(racers); i++) {
        racers[i].seed = i;
        racers[i].until = time(NULL) + TEST_WAIT_MS / 1000;
        cr_assert_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(racers); i++)
        pthread_join(racers[i].thread, NULL);
}

/* ---- the end -------------------------------------------------------------------------------- */

Test(reactor, shutdown_cancels_what_is_under_way_and_refuses_more)
{
    enum { MANY = 20 };
    static const struct fault_step steps[] = { FAULT_STREAM_HEAD, FAULT_CHUNK("x"), FAULT_HANG };
    struct gri_http_request slow = { .method = "GET", .url = "http://no-such-host.invalid/" };
    struct call calls[MANY + 1];

    fault_server_script(server, "/", steps, COUNT(steps));
    for (size_t i = 0; i < MANY; i++) {
        init(&calls[i]);
        calls[i].again_at = rt;
        calls[i].pause_all = i % 2 == 1;
        get(&calls[i], "/");
    }
    for (size_t i = 0; i < MANY; i++)
        until(&calls[i], calls[i].offers > 0);
    init(&calls[MANY]);
    cr_assert_eq(start(&calls[MANY], &slow, NULL), GR_OK);
    gr_runtime_free(rt); /* joins the thread, even if that name look-up is still going on */
    rt = NULL;
    for (size_t i = 0; i <= MANY; i++) {
        cr_assert_eq(calls[i].errors, 1);
        cr_assert_eq(calls[i].ends, 0);
        cr_assert(i == MANY || calls[i].code == GR_ECANCELED);
        cr_assert(i == MANY || calls[i].again != GR_OK, "nothing new at shutdown");
        fini(&calls[i]);
    }
    cr_assert(fault_server_wait_open(server, 0));
}

Test(reactor, two_runtimes_have_two_reactors)
{
    struct gri_http_request req = { .method = "GET", .url = url_of("/") };
    gr_runtime *first = rt, *second = NULL;
    struct call c[2];

    cr_assert_eq(gr_runtime_new(NULL, &second), GR_OK);
    fault_server_reply(server, "/", 200, "", "two");
    for (int i = 0; i < 2; i++) {
        init(&c[i]);
        rt = i == 0 ? first : second;
        cr_assert_eq(start(&c[i], &req, NULL), GR_OK);
        ends_well(&c[i], 200, "two");
        fini(&c[i]);
    }
    cr_assert_eq(fault_server_count(server, FAULT_ACCEPTED), 2u);
    gr_runtime_free(second);
    rt = first;
}
