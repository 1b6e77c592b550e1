/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ollama.c - a model and an embedder on one's own machine: Ollama, by its own API.
 *
 *     cc ollama.c $(pkg-config --cflags --libs greenroom)
 *     ollama pull llama3.2 && ollama pull nomic-embed-text && ./a.out
 *
 * With the server of tests/clients/aimock.mjs, which needs no network, it prints these lines:
 *
 *     An actor is a mailbox with a mind.
 *     it ended by itself: stop
 *     two texts, two vectors
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* print_stream prints the text as it comes; it returns the message that it was, or NULL. */
static gr_value *print_stream(gr_runtime *rt, gr_ref model, const char *question, gr_value **reterr)
{
    GR_AUTO(gr_stream)
    s = gr_astream(rt, model, gr_human(question), NULL);
    gr_value *sum = NULL;
    gr_outcome o;

    while ((o = gr_next(s, -1)).code == GR_OK) {
        GR_AUTO(gr_value) text = gr_message_text(o.value);

        fputs(gr_cstr(text, ""), stdout);
        sum = gr_add(sum, gr_value_ref(o.value));
    }
    putchar('\n');
    if (o.code == GR_EOS)
        return gr_message_of_chunk(sum);
    *reterr = gr_value_ref(o.error);
    gr_value_unref(sum);
    return NULL;
}

int main(void)
{
    const char *model_name = getenv("MODEL"), *embedder_name = getenv("EMBEDDER");
    GR_AUTO(gr_runtime) rt = NULL;
    GR_AUTO(gr_value) err = NULL;
    GR_AUTO(gr_value) answer = NULL;
    GR_AUTO(gr_value) vectors = NULL;
    gr_ref model, embedder;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    model =
        gr_chat_model(gr_root(rt), GR_CHAT(.provider = "ollama",
                                           .model = model_name != NULL ? model_name : "llama3.2",
                                           .temperature = &(double){ 0.2 },
                                           .extra = gr_map(GR_KV("num_ctx", gr_int(8192)),
                                                           GR_KV("keep_alive", gr_str("10m")))));
    embedder = gr_ollama_embeddings(
        gr_root(rt),
        GR_EMBEDDINGS(.model = embedder_name != NULL ? embedder_name : "nomic-embed-text",
                      .batch = 1));

    answer = print_stream(rt, model, "In one sentence: what is an actor?", &err);
    if (answer != NULL) {
        const gr_value *why = gr_get(gr_get(answer, "response_metadata"), "done_reason");

        printf("it ended by itself: %s\n", gr_cstr(why, "no"));
        vectors = gr_embed_documents(
            rt, embedder, gr_list(gr_str("Ships sail."), gr_str("Planes fly.")), NULL, &err);
    }
    if (gr_len(vectors) == 2 && gr_len(gr_at(vectors, 0)) == gr_len(gr_at(vectors, 1)))
        puts("two texts, two vectors");
    else
        fprintf(stderr, "%s\n", gr_error_text(err));
    return vectors != NULL ? 0 : 1;
}
