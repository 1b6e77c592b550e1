/* SPDX-License-Identifier: Apache-2.0 */
/* http_test.c - runtime/http/http.h: what is refused at the door, and whose door it is. */
#include "runtime/sched/world.h"
#include "tests/support/http_call.h"

/* set_up makes a runtime (gr_runtime_new) and starts the server. */
TestSuite(http, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- arguments ------------------------------------------------------------------------------ */

static void is_refused(const struct gri_http_request *req, size_t index)
{
    struct call c;
    gr_value *err = NULL;

    init(&c);
    cr_assert_eq(start(&c, req, &err), GR_EINVAL, "%zu", index);
    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    cr_assert_null(strstr(gr_error_text(err), "sesame"), "%s", gr_error_text(err));
    cr_assert_null(c.x);
    gr_value_unref(err);
    cr_assert_eq(start(&c, req, NULL), GR_EINVAL, "nobody may ask why");
    fini(&c);
}

Test(http, refuses_requests_that_make_no_sense)
{
    static const struct gri_http_header breaks = { "X-A", "b\r\nX-Evil: sesame" };
    static const struct gri_http_header no_name = { "X A", "b" };
    static const struct gri_http_header no_value = { "X-A", NULL };
    const struct gri_http_request bad[] = {
        { .method = NULL, .url = "http://127.0.0.1/" },
        { .method = "GET /", .url = "http://127.0.0.1/" },
        { .method = "GET", .url = NULL },
        { .method = "GET", .url = "http://" },
        { .method = "GET", .url = "ftp://127.0.0.1/sesame" },
        { .method = "GET", .url = "file:///etc/sesame" },
        { .method = "GET", .url = "http://127.0.0.1/a b?sesame" },
        { .method = "GET", .url = "http://127.0.0.1:99999/sesame" },
        { .method = "GET", .url = "http://127.0.0.1/", .headers = &breaks, .header_count = 1 },
        { .method = "GET", .url = "http://127.0.0.1/", .headers = &no_name, .header_count = 1 },
        { .method = "GET", .url = "http://127.0.0.1/", .headers = &no_value, .header_count = 1 },
        { .method = "GET", .url = "http://127.0.0.1/", .secret_header = "sesame" },
        { .method = "GET", .url = "http://127.0.0.1/", .secret_header = "A: sesame\nB: c" },
        { .method = "POST", .url = "http://127.0.0.1/", .body_size = 5 },
    };

    for (size_t i = 0; i < COUNT(bad); i++)
        is_refused(&bad[i], i);
}

static bool release; /* guarded by the first call's lock */

static void block_status(void *arg, int status, struct gri_http_exchange *x)
{
    struct call *c = arg;

    (void)x;
    pthread_mutex_lock(&c->lock);
    c->status = status;
    pthread_cond_broadcast(&c->changed);
    while (!release)
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

Test(http, refuses_more_than_its_bound_in_flight)
{
    enum { MANY = 10000 }; /* the default of http_requests_max */
    static const struct gri_http_events blocking = { block_status, note_bytes, note_end,
                                                     note_error };
    struct gri_http_request req = { .method = "GET", .url = url_of("/") };
    struct gri_http_exchange *x = NULL;
    struct call first, rest;
    gr_value *err = NULL;

    init(&first);
    init(&rest);
    release = false;
    fault_server_reply(server, "/", 200, "", "");
    cr_assert_eq(gri_http_start(rt, &req, &blocking, &first, &x, NULL), GR_OK);
    until(&first, first.status == 200); /* now the HTTP thread stands still: nothing ends */
    for (int i = 1; i < MANY; i++) {
        cr_assert_eq(gri_http_start(rt, &req, &events, &rest, &x, &err), GR_OK);
        gri_http_cancel(x);
    }
    cr_assert_eq(gri_http_start(rt, &req, &events, &rest, &x, &err), GR_EFULL);
    cr_assert_eq(gr_error_code(err), GR_EFULL);
    gr_value_unref(err);
    pthread_mutex_lock(&first.lock);
    release = true;
    pthread_cond_broadcast(&first.changed);
    pthread_mutex_unlock(&first.lock);
    until(&rest, rest.errors == MANY - 1);
    cr_assert_eq(rest.code, GR_ECANCELED);
    ends_well(&first, 200, "");
    fini(&first);
    fini(&rest);
}

/* ---- other worlds --------------------------------------------------------------------------- */

static struct gri_http_exchange fake_exchange;
static int fake_calls;

static gr_code fake_start(gr_runtime *at, const struct gri_http_request *req,
                          const struct gri_http_events *ev, void *arg,
                          struct gri_http_exchange **ret_x, gr_value **reterr)
{
    (void)at, (void)req, (void)ev, (void)arg, (void)reterr;
    *ret_x = &fake_exchange;
    return GR_OK;
}

static const char *fake_header_of(struct gri_http_exchange *x, const char *name)
{
    return x == &fake_exchange ? name : NULL;
}

static void fake_call(struct gri_http_exchange *x)
{
    fake_calls += x == &fake_exchange;
}

Test(http, a_world_may_bring_its_own)
{
    static const struct gri_http_driver fake = { fake_start, fake_header_of, fake_call, fake_call,
                                                 NULL };
    struct gri_http_request req = { .method = "GET", .url = "http://127.0.0.1/" };
    struct gri_http_exchange *x = NULL;

    fake_exchange.driver = &fake;
    fake_calls = 0;
    gri_world_of(rt)->http = &fake;
    cr_assert_eq(gri_http_start(rt, &req, &events, NULL, &x, NULL), GR_OK);
    cr_assert_eq(x, &fake_exchange);
    cr_assert_str_eq(gri_http_header_of(x, "name"), "name");
    gri_http_resume(x);
    gri_http_cancel(x);
    cr_assert_eq(fake_calls, 2);
    gri_world_of(rt)->http = NULL;
}
