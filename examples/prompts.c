/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompts.c - examples chosen by likeness, an answer that is judged by a schema while it streams, a model that gets another
 * try, and a conversation cut to what fits.
 *
 *     cc prompts.c $(pkg-config --cflags --libs greenroom) && ./a.out
 *
 * It prints these lines:
 *
 *     asked: Human: a kitten | AI: animal | Human: a tiger
 *     so far: {"name": "Ti"}
 *     so far: {"name": "Tiger"}
 *     so far: {"name": "Tiger", "legs": 4}
 *     put right: "animal"
 *     kept: system, human
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <string.h>

static gr_value *json(const char *text)
{
    return gr_json_parse(text, strlen(text), NULL);
}

static gr_ref says(gr_scope *in, gr_value *answer)
{
    return gr_script_model(in, GR_SCRIPT(.answers = gr_list(answer)));
}

/* few_shot asks with the example that is most like the question. */
static void few_shot(gr_runtime *rt, gr_scope *in)
{
    gr_ref store = gr_memory_store(in, gr_hash_embeddings(in, 0));
    gr_ref selector = gr_similarity_selector(
        in, store,
        GR_SIMILARITY_SELECTOR(.k = 1, .examples = json(
                                           "[{\"what\": \"a kitten\", \"is\": \"animal\"},"
                                           " {\"what\": \"the oak tree\", \"is\": \"plant\"}]")));
    gr_role question = GR_ROLE("human", "{what}");
    gr_ref prompt = gr_few_shot_chat_prompt(
        in, GR_FEW_SHOT_CHAT(.selector = selector,
                             GR_ROLES(GR_ROLE("human", "{what}"), GR_ROLE("ai", "{is}")),
                             .after = &question, .after_count = 1));
    gr_value *messages =
        gr_invoke(rt, prompt, gr_map(GR_KV("what", gr_str("a tiger"))), NULL, NULL);
    gr_value *text = gr_messages_text(messages);

    fputs("asked: ", stdout);
    for (const char *s = gr_cstr(text, gr_error_text(text)); *s != '\0'; s++)
        *s == '\n' ? fputs(" | ", stdout) : putchar(*s);
    putchar('\n');
    gr_value_unref(text);
    gr_value_unref(messages);
}

static bool print_chunk(void *arg, const gr_value *chunk)
{
    char *text = gr_json_print(chunk, 0, NULL);

    (void)arg;
    printf("so far: %s\n", text != NULL ? text : "");
    gr_free(text);
    return true;
}

/* speak stands for a model: it streams JSON in pieces. */
static gr_code speak(gr_ctx *c, void *arg, gr_stream *in)
{
    static const char *const pieces[] = { "```json\n{\"name\": \"Ti", "ger\"",
                                          ", \"legs\": 4}\n```" };
    gr_code rc = GR_OK;

    (void)arg;
    (void)in;
    for (size_t i = 0; i < 3 && rc == GR_OK; i++)
        rc = gr_emit(c, gr_ai_chunk(pieces[i]));
    return rc;
}

static void structured(gr_runtime *rt, gr_scope *in)
{
    gr_ref parser = gr_structured_parser(
        in, json("{\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\"},"
                 " \"legs\": {\"type\": \"integer\"}}, \"required\": [\"name\"]}"));
    gr_ref chain = gr_seq(in, gr_generator(in, GR_ASYNC, speak, NULL, NULL), parser);

    (void)gr_do_stream(rt, chain, gr_nil(), NULL, print_chunk, NULL, NULL);
}

/* fixing has a model put right what an enum parser can't read. */
static void fixing(gr_runtime *rt, gr_scope *in)
{
    gr_ref one_of = gr_enum_parser(in, json("[\"animal\", \"plant\"]"));
    gr_ref chain = gr_seq(in, says(in, gr_str("I think it is an animal.")),
                          gr_fixing_parser(in, one_of, says(in, gr_str("animal")), NULL));
    gr_value *v = gr_invoke(rt, chain, gr_str("a tiger"), NULL, NULL);

    printf("put right: \"%s\"\n", gr_cstr(v, "?"));
    gr_value_unref(v);
}

static void trimming(void)
{
    gr_value *talk =
        gr_list(gr_system("Be brief."), gr_human("Tell me all about tigers, please."),
                gr_ai("They are large cats, and more of them live in Asia than elsewhere."),
                gr_human("And lions?"));
    gr_value *kept = gr_trim_messages(
        talk, GR_TRIM(.max_tokens = 16, .include_system = true, .start_on = gr_str("human")));

    fputs("kept: ", stdout);
    for (size_t i = 0; i < gr_len(kept); i++)
        printf("%s%s", i == 0 ? "" : ", ", gr_cstr(gr_get(gr_at(kept, i), "type"), "?"));
    putchar('\n');
    gr_value_unref(kept);
    gr_value_unref(talk);
}

int main(void)
{
    GR_AUTO(gr_runtime) rt = NULL;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    few_shot(rt, gr_root(rt));
    structured(rt, gr_root(rt));
    fixing(rt, gr_root(rt));
    trimming();
    return 0;
}
