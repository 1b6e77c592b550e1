/* SPDX-License-Identifier: Apache-2.0 */
/* http_test.c - clients of a simulated server, with everything going wrong that can. */
#include "runtime/http/http_sim.h"
#include "tests/support/simulate.h"
#include "tests/support/test.h"

#define URL "http://models.test/v1"
#define FAULTS (GR_SIM_SCHED | GR_SIM_TIME | GR_SIM_FULL | GR_SIM_HTTP)
#define CALLS 6

/* ---- what is called -------------------------------------------------------------------------- */

/* One call under way, and what must come of it. */
struct job {
    gr_future *f;
    gr_stream *s;
    char expected[96];
    bool cancelled, embeds;
};

struct models {
    gr_ref patient, hasty, both, texts;
};

static struct models make_models(gr_scope *in)
{
    struct models m;

    m.patient = gr_chat_model(in, GR_CHAT(.url = URL, .model = "sim"));
    m.hasty = gr_chat_model(in, GR_CHAT(.url = URL, .model = "sim", .max_retries = -1,
                                        .timeout_ms = 400, .idle_ms = 100));
    m.both = gr_with_fallbacks(in, m.hasty, m.patient);
    m.texts = gr_openai_embeddings(in, GR_EMBEDDINGS(.url = URL, .model = "sim", .batch = 2));
    return m;
}

/* is_documented tells whether a call may end with that error. */
static bool is_documented(const struct sim *r, const struct job *j, gr_code code)
{
    switch (code) {
    case GR_EUNREACH:
    case GR_ETIMEDOUT:
    case GR_EPROTO:
    case GR_EREMOTE:
    case GR_ERATE: return true;
    case GR_EFULL: return (r->faults & GR_SIM_FULL) != 0;
    case GR_ENOMEM: return (r->faults & (GR_SIM_MEMORY | GR_SIM_THREADS)) != 0;
    case GR_ECANCELED: return j->cancelled;
    default: return false;
    }
}

/* is_vector checks the numbers of one text against what sim.h says of them. */
static bool is_vector(const gr_value *v)
{
    size_t count = 0;
    const float *x = gr_as_floats(v, &count);

    for (size_t i = 0; i < count; i++)
        if (x[i] < -1 || x[i] >= 1 || x[i] * 128 != (float)(int)(x[i] * 128))
            return false;
    return count == 8;
}

static void check_value(struct sim *r, const struct job *j, const gr_value *v)
{
    const char *text = gr_cstr(gr_get(v, "content"), "?");

    if (!j->embeds) {
        sim_check(r, strcmp(text, j->expected) == 0, "'%s' instead of '%s'", text, j->expected);
        return;
    }
    sim_check(r, gr_len(v) == 3, "%zu vectors", gr_len(v));
    for (size_t i = 0; i < gr_len(v); i++)
        sim_check(r, is_vector(gr_at(v, i)), "vector %zu is not what it should be", i);
    sim_check(r, gr_equal(gr_at(v, 0), gr_at(v, 2)) && !gr_equal(gr_at(v, 0), gr_at(v, 1)),
              "vectors were mixed up");
}

/* finish_future waits for a call's end, and cancels it on the way now and then. */
static void finish_future(struct sim *r, struct job *j)
{
    gr_outcome o = { .code = GR_EPENDING };

    if (j->cancelled) {
        o = gr_await(j->f, (int64_t)sim_roll(r, 300));
        gr_future_cancel(j->f);
    }
    if (o.code == GR_EPENDING)
        o = gr_await(j->f, -1);
    if (o.code == GR_OK)
        check_value(r, j, o.value);
    else
        sim_check(r, is_documented(r, j, o.code), "a call ended with %s: %s", gr_code_name(o.code),
                  gr_error_text(o.error));
    gr_future_free(j->f);
}

/* finish_stream reads a stream, to its end or less far: what comes is a part of the answer from
 * its beginning, and all of it when the end is a good one. */
static void finish_stream(struct sim *r, struct job *j)
{
    unsigned most = j->cancelled ? (unsigned)sim_roll(r, 6) : 1000;
    char text[128] = "";
    gr_outcome o = { .code = GR_OK };

    while (most-- > 0 && (o = gr_next(j->s, -1)).code == GR_OK)
        strncat(text, gr_cstr(gr_get(o.value, "content"), ""), sizeof(text) - strlen(text) - 1);
    sim_check(r, strncmp(text, j->expected, strlen(text)) == 0, "'%s' of '%s'", text, j->expected);
    if (o.code == GR_EOS)
        sim_check(r, strcmp(text, j->expected) == 0, "'%s' and a good end", text);
    else if (o.code != GR_OK)
        sim_check(r, is_documented(r, j, o.code), "a stream ended with %s: %s",
                  gr_code_name(o.code), gr_error_text(o.error));
    gr_stream_free(j->s);
}

/* ---- one seed -------------------------------------------------------------------------------- */

static void start(struct sim *r, gr_runtime *rt, const struct models *m, struct job *j)
{
    unsigned kind = (unsigned)sim_roll(r, 5), question = (unsigned)sim_roll(r, 1000);
    gr_value *input = gr_strf("what is number %u, and why", question);
    const gr_call_opts opts = { .size = sizeof(opts), .timeout_ms = sim_roll(r, 4) == 0 ? 250 : 0 };

    snprintf(j->expected, sizeof(j->expected), "Simulated answer to: what is number %u, and why",
             question);
    j->cancelled = sim_roll(r, 4) == 0;
    j->embeds = kind == 4;
    if (kind == 4) {
        gr_value_unref(input);
        input =
            gr_list(gr_strf("a%u", question), gr_strf("b%u", question), gr_strf("a%u", question));
        j->f = gr_aembed_documents(rt, m->texts, input, &opts);
    } else if (kind == 3) {
        j->s = gr_astream(rt, sim_roll(r, 2) == 0 ? m->patient : m->both, input, &opts);
    } else {
        j->f = gr_ainvoke(rt,
                          kind == 0   ? m->patient
                          : kind == 1 ? m->hasty
                                      : m->both,
                          input, &opts);
    }
}

/* after_healing: what was started has gone, and what is started now works. */
static void after_healing(struct sim *r, gr_runtime *rt)
{
    struct models m = make_models(gr_root(rt));
    gr_value *err = NULL, *v;

    gr_sim_advance(rt, 600000);
    sim_check(r, gri_sim_http_live(rt) == 0, "%zu exchanges are left", gri_sim_http_live(rt));
    v = gr_invoke(rt, m.patient, gr_str("are you well"), NULL, &err);
    sim_check(r,
              strcmp(gr_cstr(gr_get(v, "content"), ""), "Simulated answer to: are you well") == 0,
              "after healing: %s", gr_error_text(err));
    gr_value_unref(v);
    gr_value_unref(err);
}

static void chat_scenario(struct sim *r)
{
    struct job jobs[CALLS] = { { .f = NULL } };
    struct models m;
    gr_runtime *rt;
    gr_code rc;

    if (r->seed % 5 == 0)
        r->faults |= GR_SIM_MEMORY;
    rc = gr_runtime_new(GR_RUNTIME(.sim_seed = r->seed, .sim_faults = r->faults,
                                   .workers = 1 + (unsigned)sim_roll(r, 3)),
                        &rt);
    if (rc != GR_OK) {
        sim_check(r, rc == GR_ENOMEM && (r->faults & GR_SIM_MEMORY) != 0, "no runtime");
        return;
    }
    m = make_models(gr_root(rt));
    for (int i = 0; i < CALLS; i++)
        start(r, rt, &m, &jobs[i]);
    for (int i = 0; i < CALLS; i++) {
        if (jobs[i].s != NULL)
            finish_stream(r, &jobs[i]);
        else if (jobs[i].f != NULL)
            finish_future(r, &jobs[i]);
        else
            sim_check(r, (r->faults & GR_SIM_MEMORY) != 0, "a call was not made");
    }
    gr_sim_heal();
    after_healing(r, rt);
    sim_note(r);
    gr_runtime_free(rt);
}

Test(http, calls_end_as_documented_and_right_or_not_at_all)
{
    struct sim_sum all = { .seeds = 0 };
    const char *never;

    sim_worlds(&all, 1, 600, FAULTS, chat_scenario);
    sim_worlds(&all, 562, 1, FAULTS, chat_scenario); /* a cancelled transfer freed too early */
    sim_all_well(&all, 0);
    never = sim_table(&all, "HTTP_");
    cr_assert(never == NULL, "%s never happened", never);
}

/* ---- one thing at a time --------------------------------------------------------------------- */

static gr_runtime *calm(void)
{
    gr_runtime *rt = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.sim_seed = 11, .sim_faults = GR_SIM_NONE), &rt), GR_OK);
    return rt;
}

/* What a request's events come to. */
struct seen {
    int status, ends;
    char text[256], type[64];
    gr_code error;
    bool pausing; /* refuse the next bytes */
    int pauses;
};

static void on_status(void *arg, int status, struct gri_http_exchange *x)
{
    struct seen *s = arg;
    const char *type = gri_http_header_of(x, "Content-Type");

    s->status = status;
    snprintf(s->type, sizeof(s->type), "%s", type != NULL ? type : "");
}

static bool on_bytes(void *arg, const char *data, size_t len)
{
    struct seen *s = arg;

    if (s->pausing) {
        s->pauses++;
        return false;
    }
    strncat(s->text, data, len < 200 ? len : 200);
    return true;
}

static void on_end(void *arg)
{
    ((struct seen *)arg)->ends++;
}

static void on_error(void *arg, gr_value *err)
{
    struct seen *s = arg;

    s->ends++;
    s->error = gr_error_code(err);
    snprintf(s->text, sizeof(s->text), "%s", gr_error_text(err));
    gr_value_unref(err);
}

static const struct gri_http_events seen_events = { on_status, on_bytes, on_end, on_error };

/* ask sends a request, and waits for its end unless it is paused. */
static struct gri_http_exchange *ask(gr_runtime *rt, struct seen *s,
                                     const struct gri_http_request *req)
{
    struct gri_http_exchange *x = NULL;
    gr_value *err = NULL;

    cr_assert_eq(gri_http_start(rt, req, &seen_events, s, &x, &err), GR_OK);
    while (s->ends == 0 && s->pauses == 0)
        gr_sim_advance(rt, 10);
    return x;
}

static void ask_default(gr_runtime *rt, struct seen *s, const char *method, const char *path,
                        const char *body)
{
    char url[64];

    *s = (struct seen){ .status = 0 };
    snprintf(url, sizeof(url), "http://models.test/v1%s", path);
    ask(rt, s,
        &(struct gri_http_request){
            .method = method, .url = url, .body = body, .body_size = strlen(body) });
}

Test(http, the_default_server_refuses_what_it_does_not_know)
{
    static const struct {
        const char *method, *path, *body, *part;
        int status;
    } cases[] = {
        { "POST", "/models", "{}", "no such path", 404 },
        { "GET", "/embeddings", "", "POST only", 405 },
        { "POST", "/embeddings", "[", "no JSON object", 400 },
        { "POST", "/embeddings", "{}", "'model' is missing", 400 },
        { "POST", "/embeddings", "{\"model\":\"m\",\"input\":[1]}", "'input' must be", 400 },
        { "POST", "/embeddings", "{\"model\":\"m\",\"input\":\"a\",\"dimensions\":0}",
          "'dimensions' must be", 400 },
        { "POST", "/chat/completions", "{\"model\":\"m\",\"messages\":[]}", "at least one", 400 },
    };
    gr_runtime *rt = calm();
    struct seen s;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask_default(rt, &s, cases[i].method, cases[i].path, cases[i].body);
        cr_assert_eq(s.status, cases[i].status, "case %zu: %d", i, s.status);
        cr_assert_not_null(strstr(s.text, cases[i].part), "case %zu: %s", i, s.text);
        cr_assert_str_eq(s.type, "application/json");
    }
    gr_runtime_free(rt);
}

Test(http, the_default_server_answers_as_sim_h_says)
{
    gr_runtime *rt = calm();
    struct seen s;

    ask_default(rt, &s, "POST", "/chat/completions",
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
                "\"text\",\"text\":\"one two\"}]},{\"role\":\"assistant\",\"content\":\"x\"}]}");
    cr_assert_not_null(strstr(s.text, "\"Simulated answer to: one two\""), "%s", s.text);
    ask_default(
        rt, &s, "POST", "/embeddings",
        "{\"model\":\"m\",\"input\":\"a\",\"dimensions\":1,\"encoding_format\":\"base64\"}");
    cr_assert_not_null(strstr(s.text, "\"embedding\": \""), "%s", s.text);
    cr_assert_not_null(strstr(s.text, "==\""), "four bytes make eight letters: %s", s.text);
    gr_runtime_free(rt);
}

/* serve_script answers by the path, and notes what it was asked. */
static void serve_script(void *arg, const gr_sim_request *request, gr_sim_reply *reply)
{
    char *note = arg;

    snprintf(note, 256, "%s %s %s", request->method, request->url, request->body);
    for (size_t i = 0; i < request->header_count; i++)
        snprintf(note + strlen(note), 256 - strlen(note), " %s=%s", request->headers[i].name,
                 request->headers[i].value);
    gr_sim_reply_status(reply, 201);
    gr_sim_reply_header(reply, "content-type", "text/x");
    gr_sim_reply_body(reply, "begun", 5);
    if (strstr(request->url, "/lost") != NULL)
        gr_sim_reply_hang_up(reply);
    gr_sim_reply_wait(reply, 5000);
    gr_sim_reply_body(reply, "ended", 5);
}

Test(http, a_scripted_server_sees_the_request_and_sets_the_pace)
{
    char note[256] = "";
    gr_runtime *rt = calm();
    uint64_t before = gr_now_ns(rt);
    struct seen s = { .status = 0 };
    const struct gri_http_header header = { "X-One", "1" };
    struct gri_http_request req = { .method = "PUT",
                                    .url = "https://u:p@h.test/a",
                                    .headers = &header,
                                    .header_count = 1,
                                    .secret_header = "Authorization: Bearer k",
                                    .body = "hi",
                                    .body_size = 2 };

    cr_assert_eq(gr_sim_http(rt, serve_script, note), GR_OK);
    ask(rt, &s, &req);
    cr_assert_str_eq(note, "PUT https://u:p@h.test/a hi X-One=1 Authorization=Bearer k");
    cr_assert(s.status == 201 && s.ends == 1 && s.error == GR_OK);
    cr_assert_str_eq(s.text, "begunended");
    cr_assert_geq(gr_now_ns(rt) - before, UINT64_C(5000000000));
    s = (struct seen){ .status = 0 };
    req.idle_timeout_ms = 1000;
    ask(rt, &s, &req);
    cr_assert_eq(s.error, GR_ETIMEDOUT);
    cr_assert_str_eq(s.text, "h.test:443: no bytes for 1000 ms");
    s = (struct seen){ .status = 0 };
    req.idle_timeout_ms = 0;
    req.deadline_ns = gr_now_ns(rt) + 2000000000;
    ask(rt, &s, &req);
    cr_assert_eq(s.error, GR_ETIMEDOUT);
    cr_assert_lt(gr_now_ns(rt), req.deadline_ns + 100000000);
    s = (struct seen){ .status = 0 };
    req.deadline_ns = 0;
    req.url = "http://h.test:81/lost";
    ask(rt, &s, &req);
    cr_assert_eq(s.error, GR_EUNREACH);
    cr_assert(s.ends == 1 && strncmp(s.text, "h.test:81: ", 11) == 0);
    gr_runtime_free(rt);
}

Test(http, a_pause_holds_bytes_back_and_is_no_silence_and_a_cancel_ends_it)
{
    char note[256] = "";
    gr_runtime *rt = calm();
    struct seen s = { .pausing = true };
    struct gri_http_request req = { .method = "GET",
                                    .url = "http://h.test/",
                                    .idle_timeout_ms = 6000 };
    struct gri_http_exchange *x;

    cr_assert_eq(gr_sim_http(rt, serve_script, note), GR_OK);
    x = ask(rt, &s, &req);
    gr_sim_advance(rt, 60000);
    cr_assert(s.ends == 0 && s.text[0] == '\0');
    s.pausing = false;
    gri_http_resume(x);
    gr_sim_advance(rt, 10000);
    cr_assert_str_eq(s.text, "begunended");
    cr_assert_eq(s.ends, 1);
    s = (struct seen){ .pausing = true };
    x = ask(rt, &s, &req);
    gri_http_cancel(x);
    gri_http_cancel(x);
    gr_sim_advance(rt, 10);
    cr_assert(s.ends == 1 && s.error == GR_ECANCELED);
    cr_assert_eq(gri_sim_http_live(rt), 0);
    gr_runtime_free(rt);
}

Test(http, requests_have_a_limit_and_shutting_down_ends_them)
{
    enum { MANY = 10000 }; /* the default of http_requests_max */
    gr_runtime *rt = calm();
    struct seen *all = calloc(MANY, sizeof(*all)), none = { .status = 0 };
    struct gri_http_request req = { .method = "GET", .url = "http://h.test/" };
    struct gri_http_exchange *x = NULL;
    gr_value *err = NULL;

    for (int i = 0; i < MANY; i++)
        cr_assert_eq(gri_http_start(rt, &req, &seen_events, &all[i], &x, NULL), GR_OK);
    cr_assert_eq(gri_http_start(rt, &req, &seen_events, &none, &x, &err), GR_EFULL);
    gr_value_unref(err);
    gr_runtime_free(rt);
    for (int i = 0; i < MANY; i++)
        cr_assert(all[i].ends == 1 && all[i].error == GR_ECANCELED);
    cr_assert_eq(none.ends, 0);
    free(all);
}
