/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.c - a model that calls tools, one of them only with consent: create_agent, @tool, human in the loop.
 *
 *     cc agent.c $(pkg-config --cflags --libs greenroom) && ./a.out
 *
 * The model says what a script says, so it runs offline; gr_chat_model in its place makes it a real one.
 *
 * It prints:
 *
 *     model: calls look_up
 *     tools: 12 euros
 *     model: calls pay
 *     may it call pay with {"euros": 12}? yes
 *     tools: paid 12 euros
 *     model: I have paid 12 euros for the tea.
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <string.h>

static gr_value *parse(const char *text)
{
    return gr_json_parse(text, strlen(text), NULL);
}

/* ---- tools: a function each, and what a model must know of it ------------------------------------ */

static gr_value *look_up(gr_ctx *c, void *arg, const gr_value *args)
{
    (void)c, (void)arg;
    if (strcmp(gr_cstr(gr_get(args, "what"), ""), "tea") != 0)
        return gr_tool_exception("there is no %s here", gr_cstr(gr_get(args, "what"), ""));
    return gr_str("12 euros");
}

static gr_value *pay(gr_ctx *c, void *arg, const gr_value *args)
{
    (void)c, (void)arg;
    return gr_strf("paid %d euros", (int)gr_as_int(gr_get(args, "euros"), 0));
}

static gr_ref make_look_up(gr_scope *in)
{
    return gr_tool(in, GR_CHEAP, look_up, NULL, NULL,
                   GR_TOOL(.name = "look_up", .description = "What something costs.",
                           .args_schema = parse(
                               "{\"type\": \"object\", \"properties\":"
                               " {\"what\": {\"type\": \"string\"}}, \"required\": [\"what\"]}"),
                           .handle_tool_error = gr_bool(true)));
}

static gr_ref make_pay(gr_scope *in)
{
    return gr_tool(
        in, GR_CHEAP, pay, NULL, NULL,
        GR_TOOL(.name = "pay", .description = "Pays.",
                .args_schema = parse(
                    "{\"type\": \"object\", \"properties\": {\"euros\":"
                    " {\"type\": \"integer\", \"minimum\": 1}}, \"required\": [\"euros\"]}")));
}

static gr_ref make_model(gr_scope *in)
{
    return gr_script_model(
        in,
        GR_SCRIPT(
                .answers = parse(
                    "[{\"type\": \"ai\", \"content\": \"\", \"tool_calls\": [{\"type\": \"tool_call\","
                    "  \"name\": \"look_up\", \"args\": {\"what\": \"tea\"}, \"id\": \"1\"}]},"
                    " {\"type\": \"ai\", \"content\": \"\", \"tool_calls\": [{\"type\": \"tool_call\","
                    "  \"name\": \"pay\", \"args\": {\"euros\": 12}, \"id\": \"2\"}]},"
                    " \"I have paid 12 euros for the tea.\"]")));
}

/* ---- a run, step by step ----------------------------------------------------------------------------- */

/* show prints a step: {"model": {"messages": [message]}}, {"tools": …}. */
static void show(const gr_value *step)
{
    const char *node = "";
    const gr_value *update = gr_pair_at(step, 0, &node), *m = gr_at(gr_get(update, "messages"), 0);
    const gr_value *call = gr_at(gr_get(m, "tool_calls"), 0);

    if (m != NULL && call != NULL)
        printf("%s: calls %s\n", node, gr_cstr(gr_get(call, "name"), ""));
    else if (m != NULL)
        printf("%s: %s\n", node, gr_cstr(gr_get(m, "content"), ""));
}

/* ask prints what the run was interrupted for, and decides. */
static void ask(const gr_value *step)
{
    const gr_value *value = gr_get(gr_at(gr_get(step, "__interrupt__"), 0), "value");
    const gr_value *request = gr_at(gr_get(value, "action_requests"), 0);
    char *args = gr_json_print(gr_get(request, "args"), 0, NULL);

    printf("may it call %s with %s? yes\n", gr_cstr(gr_get(request, "name"), ""), args);
    gr_free(args);
}

/* run streams a run; true: it was interrupted. */
static bool run(gr_runtime *rt, gr_ref agent, gr_value *input)
{
    gr_value *config = parse("{\"configurable\": {\"thread_id\": \"tea\"}}");
    gr_stream *s = gr_astream(rt, agent, input, GR_CALL(.config = config));
    bool interrupted = false;
    gr_outcome o;

    while ((o = gr_next(s, -1)).code == GR_OK) {
        if (gr_get(o.value, "__interrupt__") != NULL) {
            interrupted = true;
            ask(o.value);
        } else {
            show(o.value);
        }
    }
    if (o.code != GR_EOS)
        fprintf(stderr, "%s\n", gr_error_text(o.error));
    gr_stream_free(s);
    return interrupted;
}

int main(void)
{
    gr_runtime *rt = NULL;
    gr_scope *root;
    gr_ref agent;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    root = gr_root(rt);
    agent = gr_agent(
        root, make_model(root),
        GR_AGENT(.prompt = gr_str("You buy things."), .history = gr_memory_history(root, NULL),
                 .interrupt_on = gr_map(GR_KV("pay", gr_bool(true))), .model_calls_max = 10),
        make_look_up(root), make_pay(root));
    if (run(rt, agent, gr_str("Buy me tea.")))
        run(rt, agent, parse("{\"resume\": {\"decisions\": [{\"type\": \"approve\"}]}}"));
    gr_runtime_free(rt);
    return 0;
}
