/* SPDX-License-Identifier: Apache-2.0 */
/* history_test.c - langchain-core's RunnableWithMessageHistory. */
#include "tests/conformance/cases.h"

TestSuite(history, .init = set_up, .fini = tear_down, .timeout = 120);

/* Answers with how many messages it got, as a text. */
static gr_value *count_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    return gr_strf("%s=%zu", (const char *)arg, gr_len(input));
}

static gr_ref counts(void)
{
    return gr_lambda(root, GR_ASYNC, count_fn, NULL, (void *)(uintptr_t) "n");
}

static gr_call_opts session(const char *id)
{
    return (gr_call_opts){
        .size = sizeof(gr_call_opts),
        .config = gr_map(GR_KV("configurable", gr_map(GR_KV("session_id", gr_str(id))))),
    };
}

static gr_value *say(gr_ref r, const char *input, const char *id)
{
    gr_call_opts o = session(id);

    return answer(gr_ainvoke(rt, r, json(input), &o));
}

/* said gives [type, content] of each message of a session. */
static gr_value *said(gr_ref history, const char *id)
{
    gr_value *list = answer(
        gr_acall(rt, history, "get_messages", gr_map(GR_KV("session_id", gr_str(id))), NULL));
    gr_value *out = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(list); i++)
        out = gr_append(out, gr_list(gr_value_ref(gr_get(gr_at(list, i), "type")),
                                     gr_value_ref(gr_get(gr_at(list, i), "content"))));
    gr_value_unref(list);
    return out;
}

Test(history, his_01_sessions_are_kept_apart)
{
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref r = gr_with_message_history(root, counts(), GR_HISTORY(.history = h));

    is(say(r, "\"hi\"", "s1"), "\"n=1\"");
    is(say(r, "\"hi\"", "s1"), "\"n=3\"");
    is(say(r, "\"hi\"", "s2"), "\"n=1\"");
    is(said(h, "s1"), "[[\"human\",\"hi\"],[\"ai\",\"n=1\"],[\"human\",\"hi\"],[\"ai\",\"n=3\"]]");
    is(answer(gr_acall(rt, h, "clear", json("{\"session_id\":\"s1\"}"), NULL)), "null");
    is(said(h, "s1"), "[]");
    is(say(r, "{\"type\":\"human\",\"content\":\"x\"}", "s1"), "\"n=1\"");
    is(say(r, "[[\"system\",\"be\"],\"x\"]", "s1"), "\"n=4\"");
}

static gr_value *h_length_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_strf("h=%zu", gr_len(gr_get(input, "h")));
}

Test(history, his_02_into_a_map)
{
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref r = gr_with_message_history(
        root, lambda(GR_CHEAP, h_length_fn),
        GR_HISTORY(.history = h, .input_messages_key = "q", .history_messages_key = "h"));

    is(say(r, "{\"q\":\"hi\"}", "s"), "\"h=0\"");
    is(say(r, "{\"q\":\"hi\"}", "s"), "\"h=2\"");
    fails_with(say(r, "\"hi\"", "s"), GR_ETYPE, "must be a dict");
    fails_with(say(r, "{\"p\":\"hi\"}", "s"), GR_ETYPE, "Expected a text");
}

/* without a key for the history it stands before the new messages, under their key */
static gr_value *q_length_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_map(GR_KV("a", gr_strf("q=%zu", gr_len(gr_get(input, "q")))), GR_KV("z", gr_nil()));
}

Test(history, his_02_before_the_input_and_out_of_a_map)
{
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref r = gr_with_message_history(
        root, lambda(GR_CHEAP, q_length_fn),
        GR_HISTORY(.history = h, .input_messages_key = "q", .output_messages_key = "a"));

    is(say(r, "{\"q\":\"hi\"}", "s"), "{\"a\":\"q=1\",\"z\":null}");
    is(say(r, "{\"q\":\"hi\"}", "s"), "{\"a\":\"q=3\",\"z\":null}");
    is(said(h, "s"), "[[\"human\",\"hi\"],[\"ai\",\"q=1\"],[\"human\",\"hi\"],[\"ai\",\"q=3\"]]");
}

Test(history, his_03_the_config_names_the_session)
{
    static const char *const ids[] = { "user", "thread" };
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref r = gr_with_message_history(root, counts(), GR_HISTORY(.history = h));
    gr_ref two = gr_with_message_history(root, counts(),
                                         GR_HISTORY(.history = h, .ids = ids, .id_count = 2));

    invoke_fails(r, "\"hi\"", GR_EINVAL, "Missing keys ['session_id']");
    invoke_fails(two, "\"hi\"", GR_EINVAL, "Missing keys ['user', 'thread']");
    is(answer(gr_ainvoke(rt, two, gr_str("hi"),
                         GR_CALL(.config = json("{\"user\":\"u\",\"thread\":1}")))),
       "\"n=1\"");
    is(answer(gr_acall(rt, h, "get_messages", json("{\"user\":\"u\",\"thread\":2}"), NULL)), "[]");
}

Test(history, his_04_of_a_failure_nothing_is_kept)
{
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref r = gr_with_message_history(root, boom(GR_ASYNC, "f"), GR_HISTORY(.history = h));
    gr_ref late = gr_with_message_history(root, letters("a!"), GR_HISTORY(.history = h));
    gr_call_opts o = session("s");
    gr_value *err = NULL;

    fails_with(say(r, "\"hi\"", "s"), GR_EREMOTE, "f:");
    is(chunks(gr_astream(rt, late, gr_str("hi"), &o), &err), "[\"a\"]");
    fails_with(err, GR_EREMOTE, "letters");
    is(said(h, "s"), "[]");
}

/* LangChain keeps 3 messages of these 4: it cuts off what another turn has added meanwhile */
Test(history, his_05_turns_that_overlap_lose_nothing)
{
    static struct gate g = GATE;
    gr_ref h =
        gr_memory_history(root, NULL); /* two ways to one session: they know not of each other */
    gr_ref slow = gr_with_message_history(root, gate(&g), GR_HISTORY(.history = h));
    gr_ref fast = gr_with_message_history(root, counts(), GR_HISTORY(.history = h));
    gr_call_opts o = session("s");
    gr_future *f = gr_ainvoke(rt, slow, gr_str("one"), &o);

    gate_wait(&g, &g.entered, 1);
    is(say(fast, "\"two\"", "s"), "\"n=1\"");
    gate_open(&g, gr_str("late"));
    is(answer(f), "\"late\"");
    is(said(h, "s"),
       "[[\"human\",\"two\"],[\"ai\",\"n=1\"],[\"human\",\"one\"],[\"ai\",\"late\"]]");
}

/* LangChain gives n=1 twice */
Test(history, his_05_turns_take_their_turn)
{
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref r = gr_with_message_history(root, counts(), GR_HISTORY(.history = h));
    gr_future *f[8];
    gr_value *list = gr_list_n(NULL, 0), *kept;

    for (int i = 0; i < 8; i++) {
        gr_call_opts o = session("s");

        f[i] = gr_ainvoke(rt, r, gr_str("hi"), &o);
    }
    for (int i = 0; i < 8; i++)
        list = gr_append(list, answer(f[i]));
    for (int i = 0; i < 8; i++) { /* each has seen another number: whichever came first */
        gr_value *wanted = gr_strf("n=%d", 2 * i + 1);
        int times = 0;

        for (size_t k = 0; k < 8; k++)
            times += gr_equal(gr_at(list, k), wanted);
        cr_assert_eq(times, 1, "%s: %d times", gr_cstr(wanted, "?"), times);
        gr_value_unref(wanted);
    }
    gr_value_unref(list);
    kept = said(h, "s");
    cr_assert_eq(gr_len(kept), 16);
    gr_value_unref(kept);
}

Test(history, a_turn_waits_for_the_one_before_it_alone)
{
    static struct gate g = GATE;
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref r = gr_with_message_history(root, gate(&g), GR_HISTORY(.history = h));
    gr_call_opts o = session("s"), o2 = session("s"), o3 = session("s"), other = session("t");
    gr_future *one = gr_ainvoke(rt, r, gr_str("one"), &o), *two, *three, *apart;

    gate_wait(&g, &g.entered, 1);
    two = gr_ainvoke(rt, r, gr_str("two"), &o2);
    cr_assert_eq(gr_await(two, 20).code, GR_EPENDING);
    three = gr_ainvoke(rt, r, gr_str("three"), &o3);
    cr_assert_eq(gr_await(three, 20).code, GR_EPENDING);
    cr_assert_eq(g.entered, 1);
    gr_future_free(two); /* who waits may leave, and holds nobody up */
    gate_open(&g, gr_str("1"));
    is(answer(one), "\"1\"");
    gate_wait(&g, &g.entered, 2);
    {
        gr_promise *third = g.promise;

        apart = gr_ainvoke(rt, r, gr_str("apart"), &other); /* another session does not wait */
        gate_wait(&g, &g.entered, 3);
        gate_open(&g, gr_str("t"));
        is(answer(apart), "\"t\"");
        gr_resolve(third, gr_str("3"));
    }
    is(answer(three), "\"3\"");
    is(said(h, "s"), "[[\"human\",\"one\"],[\"ai\",\"1\"],[\"human\",\"three\"],[\"ai\",\"3\"]]");
}

static gr_ref myself;

/* asks the same session again, once */
static gr_value *again_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_value *err = NULL, *v;

    (void)arg;
    if (gr_len(input) > 1)
        return gr_strf("n=%zu", gr_len(input));
    v = gr_invoke(rt, myself, gr_list(gr_human("a"), gr_human("b")), NULL, &err);
    (void)c;
    return v != NULL ? v : err;
}

Test(history, a_call_that_comes_back_does_not_wait_for_itself)
{
    gr_ref h = gr_memory_history(root, NULL);

    myself = gr_with_message_history(root, lambda(GR_ASYNC, again_fn), GR_HISTORY(.history = h));
    is(say(myself, "\"hi\"", "s"), "\"n=2\"");
    is(said(h, "s"),
       "[[\"human\",\"a\"],[\"human\",\"b\"],[\"ai\",\"n=2\"],[\"human\",\"hi\"],[\"ai\","
       "\"n=2\"]]");
}

Test(history, turns_may_overlap_if_so_wished)
{
    static struct gate g = GATE;
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref r = gr_with_message_history(root, gate(&g), GR_HISTORY(.history = h, .overlaps = true));
    gr_call_opts o = session("s"), o2 = session("s");
    gr_future *one = gr_ainvoke(rt, r, gr_str("one"), &o), *two;
    gr_promise *first;

    gate_wait(&g, &g.entered, 1);
    first = g.promise;
    two = gr_ainvoke(rt, r, gr_str("two"), &o2);
    gate_wait(&g, &g.entered, 2);
    gate_open(&g, gr_str("2"));
    is(answer(two), "\"2\"");
    gr_resolve(first, gr_str("1"));
    is(answer(one), "\"1\"");
}

Test(history, his_06_a_stream_is_passed_on_and_kept)
{
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref r = gr_with_message_history(root, letters("abc"), GR_HISTORY(.history = h));
    gr_call_opts o = session("s");

    chunks_are(gr_astream(rt, r, gr_str("hi"), &o), "[\"a\",\"b\",\"c\"]");
    is(said(h, "s"), "[[\"human\",\"hi\"],[\"ai\",\"abc\"]]");
}

#define PARTS 5000

/* Tells of a block in each chunk, none of which has a further part. */
static gr_code blocks(gr_ctx *c, void *arg, gr_stream *in)
{
    gr_code rc = GR_OK;

    (void)arg, (void)in;
    for (int64_t i = 0; i < PARTS && rc == GR_OK; i++)
        rc = gr_emit(
            c, gr_set(gr_ai_chunk(""), "content",
                      gr_list(gr_map(GR_KV("type", gr_str("text")), GR_KV("index", gr_int(i))))));
    return rc;
}

static void note(void *arg, int level, const char *text)
{
    if (level == 3 && strstr(text, "history") != NULL)
        snprintf(arg, 200, "%s", text);
}

/* Chunks that don't add up, since they are too many, are passed on all the same; why they were not kept is logged. */
Test(history, a_stream_that_is_too_much_to_keep_is_passed_on)
{
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref r = gr_with_message_history(root, gr_generator(root, GR_ASYNC, blocks, NULL, NULL),
                                       GR_HISTORY(.history = h));
    gr_call_opts o = session("s");
    char told[200] = "";
    gr_value *err = NULL, *all;

    gr_set_log(note, told, 3);
    all = chunks(gr_astream(rt, r, gr_str("hi"), &o), &err);
    gr_set_log(NULL, NULL, 0);
    cr_assert_null(err, "%s", gr_error_text(err));
    cr_assert_eq(gr_len(all), PARTS);
    gr_value_unref(all);
    cr_assert_not_null(strstr(told, "more than 4096 indexed parts"), "%s", told);
    is(said(h, "s"), "[]");
}

static gr_value *add(gr_ref h, const char *ids, const char *messages)
{
    return answer(gr_acall(rt, h, "add_messages",
                           gr_map(GR_KV("ids", json(ids)), GR_KV("messages", json(messages))),
                           NULL));
}

/* long_text is a JSON text of so many letters. */
static const char *long_text(size_t count)
{
    static char text[8192];

    memset(text, 'x', count + 2);
    text[0] = text[count + 1] = '"';
    text[count + 2] = '\0';
    return text;
}

Test(history, a_memory_history_has_its_limits)
{
    gr_ref h = gr_memory_history(root, GR_MEMORY_HISTORY(.sessions_max = 2, .messages_max = 2));
    gr_ref r = gr_with_message_history(root, counts(), GR_HISTORY(.history = h));
    gr_ref none = { 0, 0 }, small;
    gr_value *err;

    is(add(h, "{\"s\":1}", "[\"a\",\"b\"]"), "null");
    fails_with(add(h, "{\"s\":1}", "\"c\""), GR_EFULL, "at most 2 messages");
    is(add(h, "{\"s\":2}", "\"a\""), "null");
    fails_with(add(h, "{\"s\":3}", "\"a\""), GR_EFULL, "2 sessions already");
    fails_with(add(h, "{}", "\"a\""), GR_EINVAL, "named by a map of ids");
    fails_with(add(h, "{\"s\":1}", "7"), GR_EINVAL, "");
    small = gr_memory_history(root, GR_MEMORY_HISTORY(.bytes_max = 8000));
    is(add(small, "{\"s\":1}", "\"a\""), "null");
    is(add(small, "{\"s\":2}", long_text(5000)), "null");
    fails_with(add(small, "{\"s\":1}", long_text(5000)), GR_EFULL, "8000 bytes");
    fails_with(add(small, "{\"s\":3}", long_text(5000)), GR_EFULL, "8000 bytes");
    is(answer(gr_acall(rt, small, "clear", json("{\"s\":2}"), NULL)), "null");
    is(add(small, "{\"s\":3}", long_text(5000)), "null"); /* there is room again */
    /* what can't be kept is answered all the same */
    is(say(r, "\"hi\"", "s"), "\"n=1\"");
    err = gr_check(rt, gr_with_message_history(root, none, NULL));
    cr_assert_not_null(err);
    gr_value_unref(err);
    err = gr_check(rt, gr_with_message_history(root, r, NULL));
    cr_assert_not_null(err);
    gr_value_unref(err);
    fails_with(gr_check(rt, gr_with_message_history(
                                root, r, GR_HISTORY(.history = h, .ids = (const char *[]){ "a" }))),
               GR_EINVAL, "ids name a session");
}
