/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quirks.h - recorded answers of model servers, each with what it must become: rows of a table, run over
 * real sockets through gr_chat_model and printed by name.
 *
 *     static const struct quirk quirks[] = {
 *         { .name = "azure: the first chunk has no choices", .stream = true, .body = …, .want = … },
 *     };
 *     Test(quirks, all, …) { cr_assert_eq(run_quirks(rt, quirks, COUNT(quirks)), 0); }
 *
 * A stream is sent twice, in one piece and byte by byte: both must give the same. What is wanted is JSON,
 * of which each key must be there with that value (null: absent or null; a text that begins with ~ must
 * only be contained), lists of the same length. Nothing here may be asserted: rows that fail are counted.
 */
#ifndef GR_TESTS_SUPPORT_QUIRKS_H
#define GR_TESTS_SUPPORT_QUIRKS_H

#include <greenroom/greenroom.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fault_server.h"
#include "tests/support/json_check.h"

struct quirk {
    const char *name;
    const char *model;   /* NULL: "openai:m" */
    const char *version; /* api_version */
    const char *input;   /* a prompt as JSON; NULL: "hi" */
    const char *kwargs;  /* JSON; NULL: none */
    bool stream;
    int status;          /* of the answer; 0: 200 */
    const char *headers; /* "A: b\r\n"; NULL: a content type that fits */
    const char *body;    /* what comes */
    size_t len;          /* 0: up to the NUL */
    const char *want;    /* of the message, or the sum of its chunks */
    /* of the error: code (its name), text, kind, status, retry_after_ms, retryable, detail */
    const char *error;
    const char *sent;    /* of the request's body */
    const char *head;    /* a text in the request's head */
    const char *no_head; /* a text that must not be there */
    int retries;         /* that the client may make; the answer after the first is `then` */
    const char *then;    /* the whole body of a second answer, with status 200 */
    bool responses;      /* by the Responses API */
};

/* ---- comparing ------------------------------------------------------------------------------- */

static inline bool quirk_text_fits(const char *got, const char *want)
{
    return want[0] == '~' ? strstr(got, want + 1) != NULL : strcmp(got, want) == 0;
}

static inline bool quirk_fits(const gr_value *got, const gr_value *want)
{
    const char *key = NULL;

    if (gr_is_nil(want))
        return gr_is_nil(got);
    if (gr_value_type(want) == GR_STR)
        return gr_value_type(got) == GR_STR && quirk_text_fits(gr_cstr(got, ""), gr_cstr(want, ""));
    if (gr_value_type(want) == GR_LIST && gr_value_type(got) == GR_LIST) {
        if (gr_len(want) != gr_len(got))
            return false;
        for (size_t i = 0; i < gr_len(want); i++)
            if (!quirk_fits(gr_at(got, i), gr_at(want, i)))
                return false;
        return true;
    }
    if (gr_value_type(want) != GR_MAP || gr_value_type(got) != GR_MAP)
        return gr_equal(got, want);
    for (size_t i = 0; i < gr_len(want); i++) {
        const gr_value *v = gr_pair_at(want, i, &key);

        if (!quirk_fits(gr_get(got, key), v))
            return false;
    }
    return true;
}

/* quirk_check prints what is wrong; got and want are borrowed, want as JSON. NULL: nothing is wanted. */
static inline bool quirk_check(const struct quirk *q, const char *what, const gr_value *got,
                               const char *want)
{
    gr_value *w = want == NULL ? NULL : json(want);
    char *text;
    bool fits = want == NULL || (gr_error_code(w) == GR_OK && quirk_fits(got, w));

    if (!fits) {
        text = gr_json_print(got, 0, NULL);
        fprintf(stderr, "%s: %s\n  got  %s\n  want %s\n", q->name, what, text == NULL ? "?" : text,
                want);
        gr_free(text);
    }
    gr_value_unref(w);
    return fits;
}

/* quirk_error_map makes a map of an error. */
static inline gr_value *quirk_error_map(const gr_value *err)
{
    static const char *const fields[] = { "kind", "status", "retry_after_ms", "detail" };
    gr_value *map = gr_map(GR_KV("code", gr_str(gr_code_name(gr_error_code(err)))),
                           GR_KV("text", gr_str(gr_error_text(err))),
                           GR_KV("retryable", gr_bool(gr_error_retryable(err))));

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (gr_get(err, fields[i]) != NULL)
            map = gr_set(map, fields[i], gr_value_ref(gr_get(err, fields[i])));
    return map;
}

/* ---- running --------------------------------------------------------------------------------- */

static inline const char *quirk_head(const struct quirk *q, char *out, size_t size, size_t len)
{
    const char *type = q->headers != NULL                  ? q->headers
                       : q->stream && q->status / 100 != 4 ? "Content-Type: text/event-stream\r\n"
                                                           : "Content-Type: application/json\r\n";

    snprintf(out, size, "HTTP/1.1 %d Recorded\r\n%sContent-Length: %zu\r\n\r\n",
             q->status == 0 ? 200 : q->status, type, len);
    return out;
}

/* quirk_sum reads the stream to its end and gives the message that it adds up to; NULL: see *ret_err. */
static inline gr_value *quirk_sum(gr_runtime *rt, gr_ref m, gr_value *input, gr_value **ret_err)
{
    gr_value *sum = gr_stream_take(gr_astream(rt, m, input, NULL), ret_err);

    return sum == NULL ? NULL : gr_message_of_chunk(sum);
}

/* quirk_check_request looks at what the client sent first. */
static inline bool quirk_check_request(const struct quirk *q, struct fault_server *server)
{
    char *request = fault_server_request(server, 0), *body;
    gr_value *sent;
    bool fits = true;

    if (request == NULL) {
        if (q->sent == NULL && q->head == NULL)
            return true;
        fprintf(stderr, "%s: nothing was sent\n", q->name);
        return false;
    }
    body = strstr(request, "\r\n\r\n");
    sent = json(body == NULL ? "" : body + 4);
    fits = quirk_check(q, "sent", sent, q->sent);
    if (body != NULL)
        *body = '\0';
    if ((q->head != NULL && strstr(request, q->head) == NULL) ||
        (q->no_head != NULL && strstr(request, q->no_head) != NULL)) {
        fprintf(stderr, "%s: the head was\n%s\n", q->name, request);
        fits = false;
    }
    gr_value_unref(sent);
    free(request);
    return fits;
}

/* run_quirk_once runs one row; drip: its body comes byte by byte. */
static inline bool run_quirk_once(gr_runtime *rt, const struct quirk *q, bool drip)
{
    struct fault_server *server = fault_server_start();
    char head[1024];
    size_t len = q->len != 0 || q->body == NULL ? q->len : strlen(q->body);
    const char *content = q->body == NULL ? "" : q->body;
    struct fault_step steps[] = { FAULT_TEXT(quirk_head(q, head, sizeof(head), len)),
                                  { drip ? FAULT_OP_DRIP : FAULT_OP_SEND, content, len, 0 } };
    gr_value *input = q->input == NULL ? gr_str("hi") : json(q->input), *got, *err = NULL, *seen;
    gr_scope *scope = gr_scope_new(gr_root(rt));
    gr_ref m;
    bool fits;

    fault_server_script(server, "*", steps, len == 0 ? 1 : 2);
    if (q->then != NULL)
        fault_server_reply(server, "*", 200, "Content-Type: application/json\r\n", q->then);
    m = gr_chat_model(scope, GR_CHAT(.url = fault_server_url(server),
                                     .model = q->model == NULL ? "openai:m" : q->model,
                                     .api_version = q->version, .key_env = "GR_TEST_KEY",
                                     .use_responses_api = q->responses,
                                     .max_retries = q->retries == 0 ? -1 : q->retries));
    if (q->kwargs != NULL)
        m = gr_bind(scope, m, json(q->kwargs));
    got = q->stream ? quirk_sum(rt, m, input, &err) : gr_invoke(rt, m, input, NULL, &err);
    seen = err == NULL ? NULL : quirk_error_map(err);
    if (q->error != NULL)
        fits = quirk_check(q, "error", got != NULL ? got : seen, q->error) && got == NULL;
    else
        fits = quirk_check(q, "message", got != NULL ? got : seen, q->want) && got != NULL;
    fits = quirk_check_request(q, server) && fits;
    gr_value_unref(seen);
    gr_value_unref(got);
    gr_value_unref(err);
    gr_scope_free(scope);
    fault_server_stop(server);
    return fits;
}

/* run_quirks runs all rows, prints each by name, and gives the number of those that failed. */
static inline size_t run_quirks(gr_runtime *rt, const struct quirk *rows, size_t count)
{
    size_t failed = 0;

    setenv("no_proxy", "*", 1);
    setenv("GR_TEST_KEY", "sk-of-a-test", 1);
    for (size_t i = 0; i < count; i++) {
        bool fits = run_quirk_once(rt, &rows[i], false) &&
                    (!rows[i].stream || run_quirk_once(rt, &rows[i], true));

        printf("%s %s\n", fits ? "ok  " : "FAIL", rows[i].name);
        failed += !fits;
    }
    return failed;
}

#endif
