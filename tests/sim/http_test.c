/* SPDX-License-Identifier: Apache-2.0 */
/* http_test.c - clients of a simulated server, with everything going wrong that can. */
#include "runtime/http/http_sim.h"
#include "tests/support/seeds.h"

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
static bool is_documented(const struct seed_run *r, const struct job *j, gr_code code)
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

static void check_value(struct seed_run *r, const struct job *j, const gr_value *v)
{
    const char *text = gr_cstr(gr_get(v, "content"), "?");

    if (!j->embeds) {
        seed_check(r, strcmp(text, j->expected) == 0, "'%s' instead of '%s'", text, j->expected);
        return;
    }
    seed_check(r, gr_len(v) == 3, "%zu vectors", gr_len(v));
    for (size_t i = 0; i < gr_len(v); i++)
        seed_check(r, is_vector(gr_at(v, i)), "vector %zu is not what it should be", i);
    seed_check(r, gr_equal(gr_at(v, 0), gr_at(v, 2)) && !gr_equal(gr_at(v, 0), gr_at(v, 1)),
               "vectors were mixed up");
}

/* finish_future waits for a call's end, and cancels it on the way now and then. */
static void finish_future(struct seed_run *r, struct job *j)
{
    gr_outcome o = { .code = GR_EPENDING };

    if (j->cancelled) {
        o = gr_await(j->f, (int64_t)seed_roll(r, 300));
        gr_future_cancel(j->f);
    }
    if (o.code == GR_EPENDING)
        o = gr_await(j->f, -1);
    if (o.code == GR_OK)
        check_value(r, j, o.value);
    else
        seed_check(r, is_documented(r, j, o.code), "a call ended with %s: %s", gr_code_name(o.code),
                   gr_error_text(o.error));
    gr_future_free(j->f);
}

/* finish_stream reads a stream, to its end or less far: what comes is a part of the answer from
 * its beginning, and all of it when the end is a good one. */
static void finish_stream(struct seed_run *r, struct job *j)
{
    unsigned most = j->cancelled ? (unsigned)seed_roll(r, 6) : 1000;
    char text[128] = "";
    gr_outcome o = { .code = GR_OK };

    while (most-- > 0 && (o = gr_next(j->s, -1)).code == GR_OK)
        strncat(text, gr_cstr(gr_get(o.value, "content"), ""), sizeof(text) - strlen(text) - 1);
    seed_check(r, strncmp(text, j->expected, strlen(text)) == 0, "'%s' of '%s'", text, j->expected);
    if (o.code == GR_EOS)
        seed_check(r, strcmp(text, j->expected) == 0, "'%s' and a good end", text);
    else if (o.code != GR_OK)
        seed_check(r, is_documented(r, j, o.code), "a stream ended with %s: %s",
                   gr_code_name(o.code), gr_error_text(o.error));
    gr_stream_free(j->s);
}

/* ---- one seed -------------------------------------------------------------------------------- */

static void start(struct seed_run *r, gr_runtime *rt, const struct models *m, struct job *j)
{
    unsigned kind = (unsigned)seed_roll(r, 5), question = (unsigned)seed_roll(r, 1000);
    gr_value *input = gr_strf("what is number %u, and why", question);
    const gr_call_opts opts = { .size = sizeof(opts),
                                .timeout_ms = seed_roll(r, 4) == 0 ? 250 : 0 };

    snprintf(j->expected, sizeof(j->expected), "Simulated answer to: what is number %u, and why",
             question);
    j->cancelled = seed_roll(r, 4) == 0;
    j->embeds = kind == 4;
    if (kind == 4) {
        gr_value_unref(input);
        input =
            gr_list(gr_strf("a%u", question), gr_strf("b%u", question), gr_strf("a%u", question));
        j->f = gr_aembed_documents(rt, m->texts, input, &opts);
    } else if (kind == 3) {
        j->s = gr_astream(rt, seed_roll(r, 2) == 0 ? m->patient : m->both, input, &opts);
    } else {
        j->f = gr_ainvoke(rt,
                          kind == 0   ? m->patient
                          : kind == 1 ? m->hasty
                                      : m->both,
                          input, &opts);
    }
}

/* after_healing: what was started has gone, and what is started now works. */
static void after_healing(struct seed_run *r, gr_runtime *rt)
{
    struct models m = make_models(gr_root(rt));
    gr_value *err = NULL, *v;

    gr_sim_advance(rt, 600000);
    seed_check(r, gri_sim_http_live(rt) == 0, "%zu exchanges are left", gri_sim_http_live(rt));
    v = gr_invoke(rt, m.patient, gr_str("are you well"), NULL, &err);
    seed_check(r,
               strcmp(gr_cstr(gr_get(v, "content"), ""), "Simulated answer to: are you well") == 0,
               "after healing: %s", gr_error_text(err));
    gr_value_unref(v);
    gr_value_unref(err);
}

static void chat_scenario(struct seed_run *r)
{
    struct job jobs[CALLS] = { { .f = NULL } };
    struct models m;
    gr_runtime *rt;
    gr_code rc;

    if (r->seed % 5 == 0)
        r->faults |= GR_SIM_MEMORY;
    rc = gr_runtime_new(GR_RUNTIME(.sim_seed = r->seed, .sim_faults = r->faults,
                                   .workers = 1 + (unsigned)seed_roll(r, 3)),
                        &rt);
    if (rc != GR_OK) {
        seed_check(r, rc == GR_ENOMEM && (r->faults & GR_SIM_MEMORY) != 0, "no runtime");
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
            seed_check(r, (r->faults & GR_SIM_MEMORY) != 0, "a call was not made");
    }
    gr_sim_heal();
    after_healing(r, rt);
    seed_note(r);
    gr_runtime_free(rt);
}

Test(http, calls_end_as_documented_and_right_or_not_at_all)
{
    struct seeds all = { .count = 0 };

    seeds_run(&all, 1, 600, FAULTS, chat_scenario);
    seeds_table(&all, "HTTP_");
}
