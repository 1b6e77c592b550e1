/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_test.c - greenroom/fetch.h against a server on this machine, which it reaches only when told to. */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fault_server.h"
#include "tests/support/test.h"

static gr_runtime *rt;
static struct fault_server *server;
static gr_value *err;
static gr_ref guarded, open;

static void start(void)
{
    err = NULL;
    setenv("no_proxy", "*", 1);
    server = fault_server_start();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    guarded = gr_fetch(gr_root(rt), NULL);
    open = gr_fetch(gr_root(rt), GR_FETCH(.inner_too = true, .bytes_max = 1000));
}

static void stop(void)
{
    gr_value_unref(err);
    gr_runtime_free(rt);
    fault_server_stop(server);
}

TestSuite(fetch, .init = start, .fini = stop, .timeout = 60);

static gr_value *url(const char *path)
{
    return gr_strf("%s%s", fault_server_url(server), path);
}

static void fails(gr_ref fetch, gr_value *input, gr_code code, const char *text)
{
    gr_value *got = gr_invoke(rt, fetch, input, NULL, &err);

    cr_assert_null(got, "%s: %s", text, gr_cstr(got, ""));
    cr_assert_eq(gr_error_code(err), code, "%s", gr_error_text(err));
    cr_assert_not_null(strstr(gr_error_text(err), text), "%s", gr_error_text(err));
    gr_value_unref(err);
    err = NULL;
}

Test(fetch, gives_the_text_behind_a_url)
{
    gr_value *got;

    fault_server_reply(server, "/a", 200, "", "hello \xC3\xBC");
    got = gr_invoke(rt, open, url("/a"), NULL, &err);
    cr_assert_str_eq(gr_cstr(got, gr_error_text(err)), "hello \xC3\xBC");
    gr_value_unref(got);
    fault_server_reply(server, "/a", 200, "", "");
    got = gr_invoke(rt, open, gr_map(GR_KV("url", url("/a"))), NULL, &err);
    cr_assert_str_eq(gr_cstr(got, "none"), "");
    gr_value_unref(got);
}

Test(fetch, does_not_reach_inside_unless_told_to)
{
    gr_value *got;

    got = gr_invoke(rt, guarded, url("/"), NULL, &err);
    cr_assert_null(got);
    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "NotPublic");
    cr_assert_not(gr_error_retryable(err));
    gr_value_unref(err);
    fails(guarded, gr_str("http://169.254.169.254/latest/meta-data/"), GR_EINVAL,
          "169.254.169.254 is not a public address");
    fails(guarded, gr_str("file:///etc/passwd"), GR_EINVAL, "http");
    cr_assert_eq(fault_server_count(server, FAULT_ACCEPTED), 0u);
}

Test(fetch, says_what_is_wrong)
{
    static char large[2001];

    memset(large, 'x', sizeof(large) - 1);
    fault_server_reply(server, "/404", 404, "", "not here");
    fault_server_reply(server, "/503", 503, "", "later");
    fault_server_reply(server, "/302", 302, "Location: http://127.0.0.1:9/x\r\n", "");
    fault_server_reply(server, "/large", 200, "", large);
    fault_server_reply(server, "/binary", 200, "", "\xff\xfe");
    fails(open, url("/404"), GR_EREMOTE, "status 404");
    fails(open, url("/503"), GR_EREMOTE, "status 503");
    fails(open, url("/302"), GR_EREMOTE, "status 302: it is at http://127.0.0.1:9/x now");
    fails(open, url("/large"), GR_ENOMEM, "above 1000 bytes");
    fails(open, url("/binary"), GR_EPROTO, "no UTF-8 text");
    fails(open, gr_str("http://127.0.0.1:1/"), GR_EUNREACH, "connection refused");
    fails(open, gr_int(1), GR_EINVAL, "takes a URL");
    fails(open, gr_map(GR_KV("uri", gr_str("x"))), GR_EINVAL, "takes a URL");
}

Test(fetch, cancelling_and_deadlines_close_the_transfer)
{
    static const struct fault_step hang[] = { FAULT_STREAM_HEAD, FAULT_CHUNK("x"), FAULT_HANG };
    gr_ref hasty = gr_fetch(gr_root(rt), GR_FETCH(.inner_too = true, .timeout_ms = 200));
    gr_future *f;

    fault_server_script(server, "/hang", hang, 3);
    f = gr_ainvoke(rt, open, url("/hang"), NULL);
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 1));
    gr_future_free(f);
    cr_assert(fault_server_wait(server, FAULT_DROPPED, 1));
    fails(hasty, url("/hang"), GR_ETIMEDOUT, "deadline");
    cr_assert(fault_server_wait(server, FAULT_DROPPED, 2));
}

Test(fetch, is_a_tool)
{
    gr_ref tool = gr_as_tool(gr_root(rt), guarded,
                             GR_TOOL(.name = "fetch", .description = "Fetches a web page."));
    gr_value *got = gr_do(rt, tool, "tool", gr_nil(), NULL, &err);

    cr_assert_str_eq(gr_cstr(gr_get(got, "name"), gr_error_text(err)), "fetch");
    cr_assert_not_null(gr_get(gr_get(gr_get(got, "parameters"), "properties"), "url"));
    gr_value_unref(got);
    fails(tool, gr_map(GR_KV("url", gr_str("http://localhost:6379/"))), GR_EINVAL,
          "localhost is this machine");
}
