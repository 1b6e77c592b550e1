/* SPDX-License-Identifier: Apache-2.0 */
/* hidden_test.c - what users give for a request is in no error that a server's answer makes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "runtime/http/hidden.h"
#include "tests/support/fault_server.h"
#include "tests/support/test.h"

/* ---- what counts, and how it is found -------------------------------------------------------- */

/* masked gives the text without what is hidden, in a static buffer. */
static const char *masked(const struct gri_hidden *h, const char *text)
{
    static char copy[256];

    snprintf(copy, sizeof(copy), "%s", text);
    (void)gri_hidden_mask(h, copy, strlen(copy));
    return copy;
}

static const char *of_header(const char *name, const char *value, const char *text)
{
    struct gri_hidden h = { 0 };
    const char *out;

    cr_assert(gri_hidden_header(&h, name, value));
    out = masked(&h, text);
    gri_hidden_fini(&h);
    return out;
}

Test(hidden, words_of_a_headers_value)
{
    cr_assert_str_eq(of_header("Authorization", "Bearer abcdefgh1", "no: abcdefgh1!"),
                     "no: *********!");
    cr_assert_str_eq(of_header("Authorization", "Basic dXNlcjpwdw==", "Basic dXNlcjpwdw=="),
                     "Basic ************");
    cr_assert_str_eq(of_header("Cookie", "sid=12345678; t=\"87654321\"", "sid=12345678 87654321"),
                     "sid=******** ********");
    cr_assert_str_eq(of_header("X-Key", "a/bcdefgh", "{\"a\\/b\\u0063defgh\"}"),
                     "{\"***************\"}");
    cr_assert_str_eq(of_header("X-Tenant", "acme", "acme"), "acme");
    cr_assert_str_eq(of_header("anthropic-beta", "context-1m-2025", "context-1m-2025"),
                     "context-1m-2025");
}

static const char *of_url(const char *url, const char *text)
{
    struct gri_hidden h = { 0 };
    const char *out;

    cr_assert(gri_hidden_url(&h, url));
    out = masked(&h, text);
    gri_hidden_fini(&h);
    return out;
}

Test(hidden, passwords_of_urls)
{
    cr_assert_str_eq(of_url("https://me:pa%20ss@host/v1", "pa%20ss pa ss Basic bWU6cGEgc3M="),
                     "******* ***** Basic ************");
    cr_assert_str_eq(of_url("https://me@host/v1", "me"), "me");
    cr_assert_str_eq(of_url("https://host/a:b@c", "a:b@c"), "a:b@c");
}

/* ---- through the clients ----------------------------------------------------------------------- */

#define TOKEN "gateway-token-of-a-user"
#define PASSWORD "password-of-a-url"

static gr_runtime *rt;
static struct fault_server *server;
static char url[128];

static void start(void)
{
    const char *plain;

    setenv("no_proxy", "*", 1);
    server = fault_server_start();
    plain = fault_server_url(server);
    snprintf(url, sizeof(url), "http://me:" PASSWORD "@%s", plain + strlen("http://"));
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_runtime_free(rt);
    fault_server_stop(server);
}

static const gr_header header = { "X-Gateway-Authorization", "Token " TOKEN };

static gr_ref model(void)
{
    return gr_chat_model(gr_root(rt),
                         GR_CHAT(.url = url, .model = "openai:m", .key_env = "GR_TEST_NO_KEY",
                                 .max_retries = -1, .headers = &header, .header_count = 1));
}

/* is_clean takes an error. */
static void is_clean(gr_value *err)
{
    char *text = gr_json_print(err, 0, NULL);

    cr_assert_not_null(strstr(text, "***"), "it was repeated: %s", text);
    cr_assert_null(strstr(text, TOKEN), "%s", text);
    cr_assert_null(strstr(text, PASSWORD), "%s", text);
    gr_free(text);
    gr_value_unref(err);
}

#define REPEATED "no Token " TOKEN " with " PASSWORD

Test(hidden, a_refusal_that_repeats_them, .init = start, .fini = stop)
{
    gr_value *err = NULL;

    fault_server_reply(server, "*", 401, "X-Request-Id: " TOKEN "\r\n", REPEATED);
    cr_assert_null(gr_invoke(rt, model(), gr_str("hi"), NULL, &err));
    is_clean(err);
}

Test(hidden, an_error_within_an_answer, .init = start, .fini = stop)
{
    gr_value *err = NULL;

    fault_server_reply(server, "*", 200, "Content-Type: application/json\r\n",
                       "{\"error\":{\"message\":\"" REPEATED "\"}}");
    cr_assert_null(gr_invoke(rt, model(), gr_str("hi"), NULL, &err));
    is_clean(err);
}

Test(hidden, an_error_within_a_stream, .init = start, .fini = stop)
{
    gr_value *err = NULL;

    fault_server_reply(server, "*", 200, "Content-Type: text/event-stream\r\n",
                       "data: {\"error\":{\"message\":\"" REPEATED "\"}}\n\n");
    cr_assert_null(gr_stream_take(gr_astream(rt, model(), gr_str("hi"), NULL), &err));
    is_clean(err);
}

Test(hidden, what_an_embedder_sends, .init = start, .fini = stop)
{
    gr_ref e = gr_openai_embeddings(
        gr_root(rt), GR_EMBEDDINGS(.url = url, .model = "e", .key_env = "GR_TEST_NO_KEY",
                                   .max_retries = -1, .headers = &header, .header_count = 1));
    gr_value *err = NULL;

    fault_server_reply(server, "*", 400, "", REPEATED);
    cr_assert_null(gr_embed_query(rt, e, "hi", NULL, &err));
    is_clean(err);
}
