/* SPDX-License-Identifier: Apache-2.0 */
/* http_test.c - runtime/http/ with each allocation of ours failing in turn: an error comes,
 * nothing leaks. */
#include "runtime/http/http.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <greenroom/runtime.h>

#include "runtime/http/ndjson.h"
#include "runtime/http/sse.h"
#include "tests/support/fault_server.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

struct call {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t body_len;
    int ends, errors;
    gr_code code;
};

static void note_status(void *arg, int status, struct gri_http_exchange *x)
{
    (void)arg, (void)status;
    gri_http_header_of(x, "x-test");
}

static bool note_bytes(void *arg, const char *data, size_t len)
{
    struct call *c = arg;

    (void)data;
    c->body_len += len; /* the test looks at it after the end only */
    return true;
}

static void note_over(struct call *c, int ends, gr_code code)
{
    pthread_mutex_lock(&c->lock);
    c->ends += ends;
    c->errors += 1 - ends;
    c->code = code;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void note_end(void *arg)
{
    note_over(arg, 1, GR_OK);
}

static void note_error(void *arg, gr_value *err)
{
    note_over(arg, 0, gr_error_code(err));
    gr_value_unref(err);
}

static const struct gri_http_events events = { note_status, note_bytes, note_end, note_error };

/* exchange_once runs one request to its end and returns how it went. */
static gr_code exchange_once(gr_runtime *rt, const char *url)
{
    static const struct gri_http_header header = { "X-A", "b" };
    struct gri_http_request req = { .method = "POST",
                                    .url = url,
                                    .headers = &header,
                                    .header_count = 1,
                                    .secret_header = "Authorization: Bearer s",
                                    .body = "body",
                                    .body_size = 4 };
    struct call c = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    struct gri_http_exchange *x = NULL;
    gr_value *err = NULL;
    gr_code rc = gri_http_start(rt, &req, &events, &c, &x, &err);

    if (rc != GR_OK) {
        cr_assert_not_null(err);
        gr_value_unref(err);
        return rc;
    }
    pthread_mutex_lock(&c.lock);
    while (c.ends + c.errors == 0)
        pthread_cond_wait(&c.changed, &c.lock);
    pthread_mutex_unlock(&c.lock);
    cr_assert_eq(c.ends + c.errors, 1);
    cr_assert(c.ends == 0 || c.body_len == 5);
    return c.code;
}

/* Without memory a request ends in GR_ENOMEM; a fresh runtime each time, so its
 * service is made too. */
Test(http_torture, a_request_survives_each_failed_allocation)
{
    struct fault_server *server = fault_server_start();
    bool reached = true;
    long n = 0;

    setenv("no_proxy", "*", 1);
    fault_server_reply(server, "/", 200, "X-Test: yes\r\n", "hello");
    while (reached) {
        gr_runtime *rt = NULL;
        long live = 0;
        gr_code code = GR_OK;
        char url[128];

        snprintf(url, sizeof(url), "%s/", fault_server_url(server));
        live = test_memory_live();
        cr_assert_eq(gr_runtime_new(NULL, &rt), GR_OK);
        test_memory_fail_at(++n);
        code = exchange_once(rt, url);
        reached = test_memory_reached();
        cr_assert_eq(code, reached ? GR_ENOMEM : GR_OK, "allocation %ld", n);
        gr_runtime_free(rt);
        cr_assert_eq(test_memory_live(), live, "allocation %ld", n);
    }
    cr_assert_gt(n, 5);
    fault_server_stop(server);
}

static bool take_event(void *arg, const struct gri_sse_event *event)
{
    (void)event;
    ++*(int *)arg;
    return true;
}

static bool take_line(void *arg, const char *line, size_t len)
{
    (void)line, (void)len;
    ++*(int *)arg;
    return true;
}

Test(http_torture, parsers_survive_each_failed_allocation)
{
    static const char text[] = "event: e\nid: 1\ndata: first\ndata: second\n\n";
    long live = test_memory_live();
    bool reached = true;

    for (long n = 1; reached; n++) {
        int events_seen = 0, lines_seen = 0;
        struct gri_sse s;
        struct gri_ndjson lines;
        gr_code rc = GR_OK, line_rc = GR_OK;

        gri_sse_init(&s, 0, 0, take_event, &events_seen);
        gri_ndjson_init(&lines, 0, take_line, &lines_seen);
        test_memory_fail_at(n);
        for (size_t at = 0; at < sizeof(text) - 1 && rc == GR_OK && line_rc == GR_OK; at++) {
            rc = gri_sse_feed(&s, text + at, 1, NULL, NULL);
            line_rc = gri_ndjson_feed(&lines, text + at, 1, NULL, NULL);
        }
        reached = test_memory_reached();
        cr_assert_eq(rc != GR_OK || line_rc != GR_OK, reached);
        cr_assert_eq(events_seen == 1 && lines_seen == 4, !reached);
        gri_sse_fini(&s);
        gri_ndjson_fini(&lines);
        cr_assert_eq(test_memory_live(), live);
    }
}
