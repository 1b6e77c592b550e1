/* SPDX-License-Identifier: Apache-2.0 */
/*
 * similarity_selector.c - gr_similarity_selector: the examples most like the prompt's variables.
 *
 * A document's text is the example's values in the order of their keys, one behind the other; its metadata is the example. The
 * class is reentrant, so selections don't wait for each other; what it has of its own never changes after its init, which
 * puts the examples into the store.
 */
#include <greenroom/few_shot.h>
#include <greenroom/store.h>

#include <stdlib.h>
#include <string.h>

#include "actors/prompt/chat_template.h"
#include "actors/prompt/examples.h"
#include "runtime/base/alloc.h"

#define K_DEFAULT 4
#define FETCH_K_DEFAULT 20

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_in(const gr_value *keys, const char *key)
{
    for (size_t i = 0; i < gr_len(keys); i++)
        if (strcmp(gr_cstr(gr_at(keys, i), ""), key) == 0)
            return true;
    return false;
}

/* text_of gives what stands for a map: the values of its keys, or of those in `keys`, in the order of the keys. */
static gr_value *text_of(const gr_value *map, const gr_value *keys)
{
    struct gri_strbuf b = { .max = GRI_PROMPT_BYTES_MAX };
    const char **sorted = gri_alloc_array(gr_len(map) + 1, sizeof(*sorted)), *key;
    size_t count = 0;

    if (sorted == NULL)
        return gr_error(GR_ENOMEM, "out of memory for an example");
    for (size_t i = 0; gr_pair_at(map, i, &key) != NULL; i++)
        if (gr_is_nil(keys) || is_in(keys, key))
            sorted[count++] = key;
    qsort(sorted, count, sizeof(*sorted), compare_texts);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            gri_strbuf_addc(&b, ' ');
        gri_print_value(&b, gr_get(map, sorted[i]));
    }
    gri_free(sorted);
    return gri_strbuf_value(&b);
}

static gr_value *keys_of(gr_ctx *c)
{
    return gr_value_ref(gr_get(gr_args(c), "input_keys"));
}

/* put_in adds examples to the store; their ids, or an error value. */
static gr_value *put_in(gr_ctx *c, const gr_value *examples)
{
    gr_value *texts = gr_list_n(NULL, 0), *keys = keys_of(c), *err = NULL, *ids;

    for (size_t i = 0; i < gr_len(examples); i++)
        texts = gr_append(texts, text_of(gr_at(examples, i), keys));
    gr_value_unref(keys);
    for (size_t i = 0; i < gr_len(texts); i++)
        if (gr_error_code(gr_at(texts, i)) != GR_OK) {
            err = gr_value_ref(gr_at(texts, i));
            gr_value_unref(texts);
            return err;
        }
    ids = gr_add_texts(gr_runtime_of(c), gr_as_ref(gr_get(gr_args(c), "store")), texts,
                       gr_value_ref(examples), NULL, NULL, &err);
    return ids != NULL ? ids : err;
}

static gr_code selector_init(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *examples = gr_get(args, "examples");
    gr_value *ids;

    (void)self;
    if (gr_len(examples) == 0)
        return GR_OK;
    ids = put_in(c, examples);
    if (gr_error_code(ids) != GR_OK)
        return gr_fail(c, ids);
    gr_value_unref(ids);
    return GR_OK;
}

static gr_value *add_example(gr_ctx *c, void *self, const gr_value *example)
{
    gr_value *list, *ids, *id;

    (void)self;
    if (gr_value_type(example) != GR_MAP)
        return gr_error(GR_ETYPE, "an example is a map, not of type %s",
                        gr_type_name(gr_value_type(example)));
    list = gr_list(gr_value_ref(example));
    ids = put_in(c, list);
    gr_value_unref(list);
    if (gr_error_code(ids) != GR_OK)
        return ids;
    id = gr_value_ref(gr_at(ids, 0));
    gr_value_unref(ids);
    return id != NULL ? id : gr_nil();
}

/* search asks the store for the documents most like a text. */
static gr_value *search(gr_ctx *c, gr_value *text)
{
    const gr_value *args = gr_args(c), *filter = gr_get(args, "filter");
    bool mmr = gr_as_bool(gr_get(args, "mmr"), false);
    gr_value *query = gr_map(GR_KV("query", text), GR_KV("k", gr_value_ref(gr_get(args, "k"))));
    gr_value *err = NULL, *documents;

    if (!gr_is_nil(filter))
        query = gr_set(query, "filter", gr_value_ref(filter));
    if (mmr)
        query = gr_set(query, "fetch_k", gr_value_ref(gr_get(args, "fetch_k")));
    documents =
        gr_do(gr_runtime_of(c), gr_as_ref(gr_get(args, "store")),
              mmr ? "max_marginal_relevance_search" : "similarity_search", query, NULL, &err);
    return documents != NULL ? documents : err;
}

/* chosen gives of an example the keys that are wanted. */
static gr_value *chosen(const gr_value *example, const gr_value *keys)
{
    gr_value *some = gr_map_n(NULL, 0);

    if (gr_is_nil(keys)) {
        gr_value_unref(some);
        return gr_value_ref(example);
    }
    for (size_t i = 0; i < gr_len(keys); i++) {
        const char *key = gr_cstr(gr_at(keys, i), "");

        if (gr_get(example, key) != NULL)
            some = gr_set(some, key, gr_value_ref(gr_get(example, key)));
    }
    return some;
}

static gr_value *select_examples(gr_ctx *c, void *self, const gr_value *vars)
{
    const gr_value *wanted = gr_get(gr_args(c), "example_keys");
    gr_value *keys, *text, *documents, *list;

    (void)self;
    if (gr_value_type(vars) != GR_MAP)
        return gr_error(GR_ETYPE, "examples are selected for a map of variables, not for a %s",
                        gr_type_name(gr_value_type(vars)));
    keys = keys_of(c);
    text = text_of(vars, keys);
    gr_value_unref(keys);
    if (gr_error_code(text) != GR_OK)
        return text;
    documents = search(c, text);
    if (gr_error_code(documents) != GR_OK)
        return documents;
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(documents); i++)
        if (gr_value_type(gr_get(gr_at(documents, i), "metadata")) == GR_MAP)
            list = gr_append(list, chosen(gr_get(gr_at(documents, i), "metadata"), wanted));
    gr_value_unref(documents);
    return list;
}

static const gr_method selector_methods[] = {
    { "select_examples", GR_ASYNC, select_examples, NULL },
    { "add_example", GR_ASYNC, add_example, NULL },
};
struct nothing { /* a class with a state has an init */
    char unused;
};
static const gr_class similar_class =
    GR_CLASS(.name = "SemanticSimilarityExampleSelector", .state_size = sizeof(struct nothing),
             .reentrant = true, .init = selector_init, GR_METHODS(selector_methods));
static const gr_class mmr_class =
    GR_CLASS(.name = "MaxMarginalRelevanceExampleSelector", .state_size = sizeof(struct nothing),
             .reentrant = true, .init = selector_init, GR_METHODS(selector_methods));

static gr_value *or_nil(gr_value *v)
{
    return v != NULL ? v : gr_nil();
}

/* check_keys gives NULL, or what is wrong with a list of keys. */
static gr_value *check_keys(const char *what, const gr_value *keys)
{
    if (gr_error_code(keys) != GR_OK)
        return gr_value_ref(keys);
    for (size_t i = 0; i < gr_len(keys); i++)
        if (gr_value_type(gr_at(keys, i)) != GR_STR)
            return gr_error(GR_ETYPE, "%s: expected a list of texts", what);
    return gr_is_nil(keys) || gr_value_type(keys) == GR_LIST
               ? NULL
               : gr_error(GR_ETYPE, "%s: expected a list of texts", what);
}

gr_ref gr_similarity_selector(gr_scope *in, gr_ref store, const gr_similarity_selector_opts *opts)
{
    static const gr_similarity_selector_opts none = { .size = sizeof(none) };
    const gr_similarity_selector_opts *o = opts != NULL ? opts : &none;
    unsigned k = o->k != 0 ? o->k : K_DEFAULT;
    gr_value *args = gr_map(
        GR_KV("store", gr_ref_value(store)), GR_KV("k", gr_int(k)), GR_KV("mmr", gr_bool(o->mmr)),
        GR_KV("fetch_k", gr_int(o->fetch_k != 0 ? o->fetch_k : FETCH_K_DEFAULT)),
        GR_KV("examples", o->examples != NULL ? o->examples : gr_list_n(NULL, 0)),
        GR_KV("input_keys", or_nil(o->input_keys)), GR_KV("example_keys", or_nil(o->example_keys)),
        GR_KV("filter", or_nil(o->filter)));
    gr_value *err = NULL;

    if (gr_error_code(args) == GR_OK) {
        err = gri_examples_list_check(gr_get(args, "examples"));
        if (err == NULL)
            err = check_keys("input_keys", gr_get(args, "input_keys"));
        if (err == NULL)
            err = check_keys("example_keys", gr_get(args, "example_keys"));
    }
    if (err != NULL) {
        gr_value_unref(args);
        args = err;
    }
    return gr_spawn(in, o->mmr ? &mmr_class : &similar_class, GR_SPAWN(.args = args));
}
