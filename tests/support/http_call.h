/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_call.h - one HTTP request under a test's eyes, and the runtime and server it runs between.
 *
 * Events come on the HTTP thread, where nothing may be asserted: they are noted in a struct call
 * under its lock, and the test's own thread waits for them and looks. All here is in a header,
 * since the runner of the plain mode is one too.
 */
#ifndef GR_TESTS_SUPPORT_HTTP_CALL_H
#define GR_TESTS_SUPPORT_HTTP_CALL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <greenroom/runtime.h>

#include "runtime/http/http.h"
#include "tests/support/fault_server.h"
#include "tests/support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct call {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct gri_http_exchange *x; /* NULL once it ended */
    int status;
    char header[64], header_twice[64]; /* X-Test, Retry-After */
    char *body;                        /* owned */
    size_t body_len, body_cap, pieces;
    int ends, errors, late; /* late: events after the last */
    gr_code code;
    char text[256];
    /* what the events do */
    size_t pause_each;     /* every n-th call of bytes pauses */
    size_t pauses, offers; /* offers: calls of bytes, refused ones too */
    bool pause_all, resume_self, cancel_in_bytes, cancel_in_status;
    gr_runtime *again_at; /* error tries to start another request there */
    gr_code again;
    int order; /* of its error among all errors of this test */
};

static gr_runtime *rt;
static atomic_int error_count;
static struct fault_server *server;

static inline void set_up(void)
{
    setenv("no_proxy", "*", 1);
    cr_assert_eq(gr_runtime_new(NULL, &rt), GR_OK);
    server = fault_server_start();
    atomic_store(&error_count, 0);
}

static inline void tear_down(void)
{
    gr_runtime_free(rt);
    fault_server_stop(server);
}

/* ---- noting events -------------------------------------------------------------------------- */

static inline void note_status(void *arg, int status, struct gri_http_exchange *x)
{
    struct call *c = arg;
    const char *one = gri_http_header_of(x, "x-test"), *two = gri_http_header_of(x, "RETRY-AFTER");

    pthread_mutex_lock(&c->lock);
    c->late += c->ends + c->errors > 0;
    c->status = status;
    snprintf(c->header, sizeof(c->header), "%s", one != NULL ? one : "(none)");
    snprintf(c->header_twice, sizeof(c->header_twice), "%s", two != NULL ? two : "(none)");
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (c->cancel_in_status)
        gri_http_cancel(x);
}

static inline bool note_bytes(void *arg, const char *data, size_t len)
{
    struct call *c = arg;
    bool taken = false;

    pthread_mutex_lock(&c->lock);
    c->late += c->ends + c->errors > 0;
    c->offers++;
    taken = !c->pause_all && (c->pause_each == 0 || c->offers % c->pause_each != 0);
    if (taken) {
        if (c->body_len + len >= c->body_cap) {
            c->body_cap = (c->body_len + len) * 2 + 1;
            c->body = realloc(c->body, c->body_cap);
        }
        memcpy(c->body + c->body_len, data, len);
        c->body_len += len;
        c->body[c->body_len] = '\0';
        c->pieces++;
    } else {
        c->pauses++;
        if (c->resume_self) /* before bytes has even said that it pauses */
            gri_http_resume(c->x);
    }
    if (c->cancel_in_bytes)
        gri_http_cancel(c->x);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return taken;
}

static inline void note_end(void *arg)
{
    struct call *c = arg;

    pthread_mutex_lock(&c->lock);
    c->late += c->ends + c->errors > 0;
    c->ends++;
    c->x = NULL;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static const struct gri_http_events events;

static inline void note_error(void *arg, gr_value *err)
{
    struct call *c = arg;
    struct gri_http_request req = { .method = "GET", .url = "http://127.0.0.1:9/" };
    struct gri_http_exchange *x = NULL;

    if (c->again_at != NULL)
        c->again = gri_http_start(c->again_at, &req, &events, c, &x, NULL);
    pthread_mutex_lock(&c->lock);
    c->late += c->ends + c->errors > 0;
    c->errors++;
    c->order = atomic_fetch_add(&error_count, 1);
    c->code = gr_error_code(err);
    snprintf(c->text, sizeof(c->text), "%s", gr_error_text(err));
    c->x = NULL;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    gr_value_unref(err);
}

static const struct gri_http_events events = { note_status, note_bytes, note_end, note_error };

/* ---- calling -------------------------------------------------------------------------------- */

static inline void init(struct call *c)
{
    memset(c, 0, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
}

static inline void fini(struct call *c)
{
    free(c->body);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
}

static inline gr_code start(struct call *c, const struct gri_http_request *req, gr_value **reterr)
{
    gr_code rc = GR_OK;

    /* under the lock, so that no event sees c->x before it is written */
    pthread_mutex_lock(&c->lock);
    rc = gri_http_start(rt, req, &events, c, &c->x, reterr);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

static const char *url_of(const char *path)
{
    static char url[256];

    snprintf(url, sizeof(url), "%s%s", fault_server_url(server), path);
    return url;
}

static inline void get(struct call *c, const char *path)
{
    struct gri_http_request req = { .method = "GET", .url = url_of(path) };

    cr_assert_eq(start(c, &req, NULL), GR_OK);
}

/* until waits under the lock of `c` for a condition on it. */
#define until(c, condition)                                                                        \
    do {                                                                                           \
        struct timespec until_ = deadline();                                                       \
        int rc_ = 0;                                                                               \
        pthread_mutex_lock(&(c)->lock);                                                            \
        while (!(condition) && rc_ == 0)                                                           \
            rc_ = pthread_cond_timedwait(&(c)->changed, &(c)->lock, &until_);                      \
        pthread_mutex_unlock(&(c)->lock);                                                          \
        cr_assert_eq(rc_, 0, "waited too long for " #condition);                                   \
    } while (0)

static inline struct timespec deadline(void)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += TEST_WAIT_MS / 1000;
    return at;
}

static inline void resume(struct call *c)
{
    pthread_mutex_lock(&c->lock);
    if (c->x != NULL)
        gri_http_resume(c->x);
    pthread_mutex_unlock(&c->lock);
}

static inline void cancel(struct call *c)
{
    pthread_mutex_lock(&c->lock);
    if (c->x != NULL)
        gri_http_cancel(c->x);
    pthread_mutex_unlock(&c->lock);
}

static inline void finish(struct call *c)
{
    until(c, c->ends + c->errors > 0);
}

/* ends_well waits for the end and checks the body. */
static inline void ends_well(struct call *c, int status, const char *body)
{
    finish(c);
    cr_assert_eq(c->errors, 0, "%s", c->text);
    cr_assert_eq(c->ends, 1);
    cr_assert_eq(c->status, status);
    cr_assert_str_eq(c->body != NULL ? c->body : "", body);
}

#endif
