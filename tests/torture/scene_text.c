/* SPDX-License-Identifier: Apache-2.0 */
/* scene_text.c - prompts, parsers, splitters, loaders, embedders, stores, models without a net. */
#include "tests/torture/torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- prompts and parsers ---------------------------------------------------------------------- */

static void prompt(void)
{
    gives(gr_ainvoke(rt, gr_prompt(root, "Hello, {name}!"), gr_map(GR_KV("name", gr_str("Ada"))),
                     NULL),
          "\"Hello, Ada!\"");
}

static void chat_prompt(void)
{
    gr_ref r = gr_chat_prompt(root, GR_ROLE("system", "Be {how}."),
                              GR_ROLE("placeholder", "{history}"), GR_ROLE("human", "{question}"));
    gr_value *input = gr_map(GR_KV("how", gr_str("kind")), GR_KV("question", gr_str("Why?")),
                             GR_KV("history", gr_list(gr_ai("Hm."))));
    gr_value *v = answer(gr_ainvoke(rt, r, input, NULL));

    claim(v == NULL || gr_len(v) == 3);
    if (v != NULL) {
        claim(strcmp(gr_cstr(gr_get(gr_at(v, 0), "content"), ""), "Be kind.") == 0);
        claim(strcmp(gr_cstr(gr_get(gr_at(v, 2), "content"), ""), "Why?") == 0);
    }
    gr_value_unref(v);
}

static void parser(void)
{
    gives(gr_ainvoke(rt, gr_str_parser(root), gr_ai("said"), NULL), "\"said\"");
    sums(gr_atransform(rt, gr_str_parser(root),
                       gr_stream_of(rt, gr_list(gr_ai_chunk("a"), gr_ai_chunk("b"))), NULL),
         "\"ab\"");
}

static void messages(void)
{
    gr_value *v = gr_messages_coerce(gr_list(gr_str("hi"), gr_list(gr_str("ai"), gr_str("yes"))));

    if (said(gr_error_code(v)))
        is(gr_messages_text(v), "\"Human: hi\\nAI: yes\"");
    gr_value_unref(v);
}

/* ---- more of them ----------------------------------------------------------------------------- */

static gr_value *data(const char *json)
{
    gr_value *v;

    faults_exempt(true);
    v = gr_json_parse(json, strlen(json), NULL);
    faults_exempt(false);
    return v;
}

static void mustache(void)
{
    gr_ref r =
        gr_prompt_for(root, GR_PROMPT(.format = GR_MUSTACHE, .partial = data("{\"b\":\"<\"}")),
                      "{{#l}}<{{.}}>{{/l}}{{b}}");

    gives(gr_ainvoke(rt, r, data("{\"l\":[1,\"x\"]}"), NULL), "\"<1><x>&lt;\"");
}

static void few_shot(void)
{
    gr_role after[] = { GR_BLOCKS("human", data("[{\"type\":\"text\",\"text\":\"{q}\"}]")) };
    gr_ref length =
        gr_length_selector(root, GR_LENGTH_SELECTOR(.examples = data("[{\"q\":\"1\",\"a\":\"2\"}]"),
                                                    .example = "{q}"));
    gr_ref r = gr_few_shot_chat_prompt(
        root, GR_FEW_SHOT_CHAT(.selector = length,
                               GR_ROLES(GR_ROLE("human", "{q}"), GR_ROLE("ai", "{a}")),
                               .after = after, .after_count = 1));

    gives(gr_ainvoke(rt, r, data("{\"q\":\"3\"}"), NULL),
          "[{\"type\":\"human\",\"content\":\"1\"},{\"type\":\"ai\",\"content\":\"2\"},"
          "{\"type\":\"human\",\"content\":[{\"type\":\"text\",\"text\":\"3\"}]}]");
}

static void likeness(void)
{
    gr_ref store = gr_memory_store(root, gr_hash_embeddings(root, 16));
    gr_ref chosen = gr_similarity_selector(
        root, store, GR_SIMILARITY_SELECTOR(.examples = data("[{\"q\":\"tea\",\"a\":\"2\"}]")));

    gives(gr_ainvoke(rt,
                     gr_few_shot_prompt(root, GR_FEW_SHOT(.selector = chosen, .example = "{a}")),
                     data("{\"q\":\"tea\"}"), NULL),
          "\"2\"");
}

static void described(void)
{
    gr_ref r = gr_prompt_of_config(
        root,
        data(
            "{\"_type\":\"chat\",\"messages\":[[\"system\",\"{a}\"],{\"prompt\":{\"template\":\"b\"}}]}"),
        NULL);

    gives(gr_ainvoke(rt, r, data("{\"a\":\"s\"}"), NULL),
          "[{\"type\":\"system\",\"content\":\"s\"},{\"type\":\"human\",\"content\":\"b\"}]");
}

static void structured(void)
{
    gr_ref asks = gr_structured_prompt(
        root,
        GR_STRUCTURED_PROMPT(.schema = data("{\"title\":\"t\",\"type\":\"object\"}"),
                             .structured = GR_STRUCTURED(.method = "json_schema")),
        GR_ROLE("human", "{q}"));
    gr_ref model = gr_script_model(root, GR_SCRIPT(.answers = data("[\"{\\\"a\\\":1}\"]")));

    gives(gr_ainvoke(rt, gr_seq(root, asks, model), data("{\"q\":\"?\"}"), NULL), "{\"a\":1}");
}

static void some_messages(void)
{
    gr_ref r = gr_seq(root, gr_message_filter(root, GR_FILTER(.exclude_types = gr_str("ai"))),
                      gr_message_trimmer(root, GR_TRIM(.max_tokens = 12, .allow_partial = true)),
                      gr_message_merger(root, NULL));

    gives(gr_ainvoke(rt, r, data("[\"a\",{\"role\":\"ai\",\"content\":\"x\"},\"b\"]"), NULL),
          "[{\"type\":\"human\",\"content\":\"a\\nb\"}]");
}

static void values(void)
{
    gives(gr_ainvoke(rt, gr_enum_parser(root, data("[\"a\"]")), gr_str(" a"), NULL), "\"a\"");
    gives(gr_ainvoke(rt, gr_boolean_parser(root, NULL, NULL), gr_str("yes"), NULL), "true");
    gives(gr_ainvoke(rt,
                     gr_fixing_parser(root, gr_enum_parser(root, data("[\"a\"]")),
                                      gr_prompt(root, "a"), NULL),
                     gr_str("b"), NULL),
          "\"a\"");
}

/* in_pieces streams what a model says, or the arguments of its call. */
static gr_stream *in_pieces(bool call, const char *const *pieces, size_t count)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < count; i++)
        list =
            gr_append(list, call ? gr_set(gr_ai_chunk(""), "tool_call_chunks",
                                          gr_list(gr_map(GR_KV("args", gr_str(pieces[i])),
                                                         GR_KV("name", gr_str(i == 0 ? "f" : "")),
                                                         GR_KV("index", gr_int(0)))))
                                 : gr_ai_chunk(pieces[i]));
    return gr_stream_of(rt, list);
}

static void streamed(void)
{
    static const char *const args[] = { "{\"a\": 1", "}" };
    static const char *const xml[] = { "<a><b>x", "y</b>", "</a>" };
    static const char *const json[] = { "```json{\"a\":", " [1, \"x\\n", "y\"", "]}" };

    gr_value *without = gr_check(rt, gr_xml_parser(root, NULL));

    if (without != NULL) { /* a library without expat, or no memory */
        gr_value_unref(without);
        return;
    }
    gives(gr_ainvoke(rt, gr_xml_parser(root, NULL), gr_str("<a><b>x</b><c><d/></c></a>"), NULL),
          "{\"a\":[{\"b\":\"x\"},{\"c\":[{\"d\":null}]}]}");
    sums(gr_atransform(rt, gr_xml_parser(root, NULL), in_pieces(false, xml, 3), NULL),
         "{\"a\":[{\"b\":\"xy\"}]}");
    sums(gr_atransform(
             rt,
             gr_structured_parser(
                 root, data("{\"required\":[\"a\"],\"properties\":{\"a\":{\"minItems\":2}}}")),
             in_pieces(false, json, 4), NULL),
         "{\"a\":[1,\"x\\n\",1,\"x\\ny\"]}");
    sums(gr_atransform(
             rt, gr_tools_parser(root, GR_TOOLS_PARSER(.key_name = "f", .first_tool_only = true)),
             in_pieces(true, args, 2), NULL),
         "{\"a\":1}");
}

/* ---- texts ------------------------------------------------------------------------------------ */

static void splitter(void)
{
    gr_ref r = gr_recursive_splitter(root, GR_SPLITTER(.chunk_size = 10, .chunk_overlap = -1));

    gives(gr_asplit_text(rt, r, "one two three four", NULL), "[\"one two\",\"three\",\"four\"]");
}

static void split_documents(void)
{
    gr_ref r = gr_recursive_splitter(
        root, GR_SPLITTER(.chunk_size = 10, .chunk_overlap = -1, .add_start_index = true));
    gr_value *v = answer(gr_asplit_documents(
        rt, r, gr_list(gr_document("one two three four", gr_map(GR_KV("k", gr_int(1))), "d")),
        NULL));

    claim(v == NULL || gr_len(v) == 3);
    gr_value_unref(v);
}

static char folder[64];

static void put(const char *name, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        torture_fail("%s can't be written", path);
}

static void forget_folder(void)
{
    static const char *const names[] = { "b.txt", "a.txt", "sub/c.txt", "sub", "" };

    for (size_t i = 0; folder[0] != '\0' && i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        remove(path);
    }
}

/* files makes a folder with three files, once a process. */
static const char *files(void)
{
    char sub[80];

    if (folder[0] != '\0')
        return folder;
    faults_exempt(true);
    snprintf(folder, sizeof(folder), "/tmp/gr-torture-%ld", (long)getpid());
    snprintf(sub, sizeof(sub), "%s/sub", folder);
    mkdir(folder, 0700);
    mkdir(sub, 0700);
    put("b.txt", "bee");
    put("a.txt", "ay");
    put("sub/c.txt", "sea");
    atexit(forget_folder);
    faults_exempt(false);
    return folder;
}

static void check_documents(gr_value *v)
{
    static const char *const texts[] = { "ay", "bee", "sea" };

    claim(v == NULL || gr_len(v) == 3);
    for (size_t i = 0; v != NULL && i < 3; i++)
        claim(strcmp(gr_cstr(gr_get(gr_at(v, i), "page_content"), ""), texts[i]) == 0);
    gr_value_unref(v);
}

static gr_ref loader(void)
{
    return gr_directory_loader(root, files(), GR_LOADER(.suffixes = gr_list(gr_str(".txt"))));
}

static void load(void)
{
    check_documents(answer(gr_aload(rt, loader(), NULL)));
}

static bool keep(void *arg, const gr_value *document)
{
    gr_value **list = arg;

    *list = gr_append(*list, gr_value_ref(document));
    return true;
}

static void lazy_load(void)
{
    gr_value *list = gr_list_n(NULL, 0), *err = NULL;
    gr_code rc = gr_lazy_load(rt, loader(), NULL, keep, &list, &err);

    if (rc != GR_OK) {
        said_why(err);
        gr_value_unref(list);
    } else if (said(gr_error_code(list))) {
        check_documents(list);
    } else {
        gr_value_unref(list);
    }
}

/* ---- embedders and stores ---------------------------------------------------------------------- */

static void hash_embeddings(void)
{
    gr_ref r = gr_hash_embeddings(root, 16);
    gr_value *v = answer(gr_aembed_documents(rt, r, gr_list(gr_str("a b"), gr_str("c")), NULL));
    gr_value *q = answer(gr_aembed_query(rt, r, "a b", NULL));

    claim(v == NULL || (gr_len(v) == 2 && gr_len(gr_at(v, 0)) == 16));
    claim(v == NULL || q == NULL || gr_equal(gr_at(v, 0), q));
    gr_value_unref(v);
    gr_value_unref(q);
}

static gr_ref a_store(void)
{
    return gr_memory_store(root, gr_hash_embeddings(root, 32));
}

static gr_value *two_documents(void)
{
    return gr_list(
        gr_document("Refunds take five days.", gr_map(GR_KV("source", gr_str("refunds"))), "1"),
        gr_document("Our office is in Bern.", NULL, "2"));
}

static void store_add(void)
{
    gr_ref s = a_store();

    gives(gr_aadd_documents(rt, s, two_documents(), NULL), "[\"1\",\"2\"]");
    gives(gr_aadd_texts(rt, s, gr_list(gr_str("x")), NULL, gr_list(gr_str("3")), NULL), "[\"3\"]");
}

static void store_search(void)
{
    gr_ref s = a_store();
    gr_value *ids = answer(gr_aadd_documents(rt, s, two_documents(), NULL)), *found;

    if (ids == NULL)
        return;
    gr_value_unref(ids);
    found = answer(gr_asimilarity_search(rt, s, "refunds days", GR_SEARCH(.k = 1), NULL));
    claim(found == NULL || strcmp(gr_cstr(gr_get(gr_at(found, 0), "id"), "?"), "1") == 0);
    gr_value_unref(found);
    found = answer(gr_asimilarity_search_with_score(
        rt, s, "office", GR_SEARCH(.filter = gr_map(GR_KV("source", gr_str("refunds")))), NULL));
    claim(found == NULL || gr_len(found) == 1);
    gr_value_unref(found);
}

/* A store that could not add or delete still has what it had. */
static void store_delete(void)
{
    gr_ref s = a_store();
    gr_value *ids = answer(gr_aadd_documents(rt, s, two_documents(), NULL)), *v;
    size_t wanted = 2;

    if (ids == NULL)
        return;
    gr_value_unref(ids);
    v = answer(gr_adelete_documents(rt, s, gr_list(gr_str("1")), NULL));
    wanted -= v != NULL;
    gr_value_unref(v);
    faults_pause();
    v = answer(gr_aget_by_ids(rt, s, gr_list(gr_str("1"), gr_str("2")), NULL));
    claim(v != NULL && gr_len(v) == wanted);
    faults_go_on();
    gr_value_unref(v);
}

static void retriever(void)
{
    gr_ref s = a_store();
    gr_ref r = gr_seq(root, gr_retriever(root, s, GR_RETRIEVER(.k = 1)), gr_format_docs(root));
    gr_value *ids = answer(gr_aadd_documents(rt, s, two_documents(), NULL));

    if (ids == NULL)
        return;
    gr_value_unref(ids);
    gives(gr_ainvoke(rt, r, gr_str("refunds days"), NULL),
          "\"[refunds]\\nRefunds take five days.\"");
}

/* ---- models ----------------------------------------------------------------------------------- */

static void extractive(void)
{
    static const char text[] = "Context:\n[refunds]\nRefunds take five days.\n\nQuestion: how many "
                               "days do refunds take?";
    gr_value *v = answer(gr_ainvoke(rt, gr_extractive_model(root, NULL), gr_str(text), NULL));

    claim(v == NULL || strstr(gr_cstr(gr_get(v, "content"), ""), "five days") != NULL);
    gr_value_unref(v);
}

static gr_ref script(void)
{
    return gr_script_model(root, GR_SCRIPT(.answers = gr_list(gr_str("one two three"))));
}

static void script_model(void)
{
    gives(gr_ainvoke(rt, gr_seq(root, script(), gr_str_parser(root)), gr_str("?"), NULL),
          "\"one two three\"");
}

static void script_stream(void)
{
    sums(gr_astream(rt, gr_seq(root, script(), gr_str_parser(root)), gr_str("?"), NULL),
         "\"one two three\"");
}

/* rag is the main job: documents, a question, an answer that quotes them. */
static void rag(void)
{
    gr_ref s = a_store();
    gr_ref docs = gr_seq(root, gr_retriever(root, s, NULL), gr_format_docs(root));
    gr_ref chain = gr_seq(
        root,
        gr_parallel(root, GR_STEP("context", docs), GR_STEP("question", gr_passthrough(root))),
        gr_prompt(root, "Context:\n{context}\n\nQuestion: {question}"),
        gr_extractive_model(root, NULL), gr_str_parser(root));
    gr_value *v = answer(gr_aadd_documents(rt, s, two_documents(), NULL));

    if (v == NULL)
        return;
    gr_value_unref(v);
    v = answer(gr_ainvoke(rt, chain, gr_str("how many days do refunds take?"), NULL));
    claim(v == NULL || strstr(gr_cstr(v, ""), "Refunds take five days.") != NULL);
    gr_value_unref(v);
}

static const struct scene scenes[] = {
    { "prompt", prompt, 0 },
    { "chat_prompt", chat_prompt, 0 },
    { "parser", parser, 0 },
    { "messages", messages, 0 },
    { "mustache", mustache, 0 },
    { "few_shot", few_shot, 0 },
    { "structured_prompt", structured, 0 },
    { "likeness", likeness, 0 },
    { "described", described, 0 },
    { "some_messages", some_messages, 0 },
    { "values", values, 0 },
    { "streamed", streamed, 0 },
    { "splitter", splitter, 0 },
    { "split_documents", split_documents, 0 },
    { "load", load, SCENE_FILES },
    { "lazy_load", lazy_load, SCENE_FILES },
    { "hash_embeddings", hash_embeddings, 0 },
    { "store_add", store_add, 0 },
    { "store_search", store_search, 0 },
    { "store_delete", store_delete, 0 },
    { "retriever", retriever, 0 },
    { "extractive", extractive, 0 },
    { "script_model", script_model, 0 },
    { "script_stream", script_stream, 0 },
    { "rag", rag, 0 },
};
const struct scenes text_scenes = SCENES(scenes);
