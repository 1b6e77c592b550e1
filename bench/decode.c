/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.c - what it costs to read what a model server sends: its JSON, and the frames of its
 * streams.
 *
 * The peers read the same text in turn with us, in the same round, so that what else the machine
 * does meets all of them.
 */
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/streams.h"
#include "runtime/base/alloc.h"
#include "runtime/http/ndjson.h"
#include "runtime/http/sse.h"

#if defined(GR_BENCH_JANSSON)
#include <jansson.h>
#endif
#if defined(GR_BENCH_CJSON)
#include <cjson/cJSON.h>
#endif

#define LAP 100

/* An answer of the chat completions API as servers send it, 1.1 KB. */
static const char answer[] =
    "{\"id\":\"chatcmpl-BxyzA1b2C3d4E5f6G7h8I9j0\",\"object\":\"chat.completion\","
    "\"created\":1764480000,\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"An actor is a small piece of state with a "
    "queue in front of it. Others send it messages; it handles them one after the other, and what "
    "it knows nobody else can touch.\\n\\nThree things follow:\\n\\n1. No locks are needed, since "
    "there is only one reader.\\n2. Failure stays where it happens: a supervisor restarts the "
    "actor.\\n3. Where an actor lives doesn't matter to those who send to it \\u2014 the same "
    "\\\"tell\\\" works across machines.\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":57,\"completion_tokens\":93,"
    "\"total_tokens\":150,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,"
    "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}},"
    "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_560af6e559\"}";

typedef bool reader_fn(const char *text, size_t len);

static bool read_ours(const char *text, size_t len)
{
    gr_value *v = gr_json_parse(text, len, NULL);
    bool good = gr_value_type(v) == GR_MAP;

    gr_value_unref(v);
    return good;
}

#if defined(GR_BENCH_JANSSON)
static bool read_jansson(const char *text, size_t len)
{
    json_t *v = json_loadb(text, len, 0, NULL);
    bool good = json_is_object(v);

    json_decref(v);
    return good;
}
#endif

#if defined(GR_BENCH_CJSON)
static bool read_cjson(const char *text, size_t len)
{
    cJSON *v = cJSON_ParseWithLength(text, len);
    bool good = cJSON_IsObject(v);

    cJSON_Delete(v);
    return good;
}
#endif

enum { OURS, JANSSON, CJSON, READERS };

static reader_fn *const readers[READERS] = {
    [OURS] = read_ours,
#if defined(GR_BENCH_JANSSON)
    [JANSSON] = read_jansson,
#endif
#if defined(GR_BENCH_CJSON)
    [CJSON] = read_cjson,
#endif
};

/* lap_ns reads text LAP times, and returns what one time took. */
static double lap_ns(struct bench_run *b, reader_fn *reader, const char *text, size_t len)
{
    uint64_t begin_ns = gri_clock_ns();

    for (int i = 0; i < LAP; i++)
        if (!reader(text, len))
            bench_fail(b, "reading JSON", NULL);
    return (double)(gri_clock_ns() - begin_ns) / LAP;
}

/* The readers take turns, lap by lap. Medians: a lap in which the thread lost its processor says nothing of
 * any of them. */
static void json(struct bench_run *b, const char *text, size_t len)
{
    size_t laps = (size_t)(b->n + LAP - 1) / LAP;
    double *took_ns[READERS] = { NULL }, median_ns[READERS] = { 0 };

    b->n = (long)laps * LAP;
    for (int k = 0; k < READERS; k++)
        took_ns[k] = gri_alloc_array(laps, sizeof(double));
    bench_begin(b);
    for (size_t i = 0; i < laps; i++)
        for (int k = 0; k < READERS; k++)
            if (readers[k] != NULL)
                took_ns[k][i] = lap_ns(b, readers[k], text, len);
    bench_end(b);
    for (int k = 0; k < READERS; k++) {
        median_ns[k] = bench_median(took_ns[k], laps);
        gri_free(took_ns[k]);
    }
    b->value = median_ns[OURS];
    if (readers[JANSSON] != NULL) {
        bench_note(b, "jansson_ns", median_ns[JANSSON]);
        bench_note(b, "by_jansson", median_ns[JANSSON] / median_ns[OURS]);
    }
    if (readers[CJSON] != NULL)
        bench_note(b, "cjson_ns", median_ns[CJSON]);
}

static void json_answer(struct bench_run *b)
{
    json(b, answer, sizeof(answer) - 1);
}

static void json_chunk(struct bench_run *b)
{
    json(b, bench_chunk, strlen(bench_chunk));
}

/* ---- frames ---------------------------------------------------------------------------------- */

#define READ 16384 /* what one read of curl's gives */

/* frames fills a buffer with the stream of chunks, before and after it what the framing wants. */
static size_t frames(char *out, size_t size, const char *before, const char *after)
{
    size_t len = 0, one = strlen(before) + strlen(bench_chunk) + strlen(after);

    while (len + one < size)
        len += (size_t)snprintf(out + len, size - len, "%s%s%s", before, bench_chunk, after);
    return len;
}

static bool count_event(void *arg, const struct gri_sse_event *event)
{
    if (event->data_len == strlen(bench_chunk))
        ++*(long *)arg;
    return true;
}

static bool count_line(void *arg, const char *line, size_t len)
{
    (void)line;
    if (len == strlen(bench_chunk))
        ++*(long *)arg;
    return true;
}

/* settle turns what was read into bytes a microsecond, which are MB/s, and checks that all of it was seen. */
static void settle(struct bench_run *b, size_t len, long seen, size_t frame)
{
    if (seen != b->n * (long)(len / frame))
        bench_fail(b, "frames were lost", NULL);
    b->value = (double)len * (double)b->n / 1e6 / bench_seconds(b);
}

static void sse_frames(struct bench_run *b)
{
    static char text[READ];
    size_t len = frames(text, sizeof(text), "data: ", "\n\n");
    struct gri_sse s;
    long seen = 0;

    gri_sse_init(&s, 0, 0, count_event, &seen);
    bench_begin(b);
    for (long i = 0; i < b->n; i++)
        if (gri_sse_feed(&s, text, len, NULL, NULL) != GR_OK)
            bench_fail(b, "gri_sse_feed", NULL);
    bench_end(b);
    gri_sse_fini(&s);
    settle(b, len, seen, strlen(bench_chunk) + 8);
}

static void ndjson_lines(struct bench_run *b)
{
    static char text[READ];
    size_t len = frames(text, sizeof(text), "", "\n");
    struct gri_ndjson s;
    long seen = 0;

    gri_ndjson_init(&s, 0, count_line, &seen);
    bench_begin(b);
    for (long i = 0; i < b->n; i++)
        if (gri_ndjson_feed(&s, text, len, NULL, NULL) != GR_OK)
            bench_fail(b, "gri_ndjson_feed", NULL);
    bench_end(b);
    gri_ndjson_fini(&s);
    settle(b, len, seen, strlen(bench_chunk) + 1);
}

const struct bench bench_decode[] = {
    { .name = "json_answer",
      .what = "a chat answer of 1.1 KB read",
      .n = 20000,
      .run = json_answer,
      .unit = "ns" },
    { .name = "json_chunk",
      .what = "a chunk of a stream read",
      .n = 50000,
      .run = json_chunk,
      .unit = "ns" },
    { .name = "sse_frames",
      .what = "16 KiB of a stream's server-sent events framed",
      .n = 20000,
      .run = sse_frames,
      .unit = "bytes/us" },
    { .name = "ndjson_lines",
      .what = "16 KiB of a stream's lines framed",
      .n = 20000,
      .run = ndjson_lines,
      .unit = "bytes/us" },
    { .name = NULL },
};
