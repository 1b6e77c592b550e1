/* SPDX-License-Identifier: Apache-2.0 */
/*
 * few_shot.h - prompts with examples, and who chooses them.
 *
 * An example is a map of variables. The examples of a prompt are a fixed list, or a selector's: any actor with
 * these verbs (langchain_core.example_selectors) is one.
 *
 *   "select_examples"  the prompt's variables, a map  -> [example …]
 *   "add_example"      an example                     -> nil, or its id
 */
#ifndef GREENROOM_FEW_SHOT_H
#define GREENROOM_FEW_SHOT_H

#include <greenroom/prompt.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_few_shot_opts {
    size_t size;
    gr_value *examples;    /* taken; a list of maps; this, or a selector */
    gr_ref selector;
    const char *example;   /* required; the template of one example */
    const char *prefix;    /* templates of what stands before the examples, and behind them; may be NULL */
    const char *suffix;
    const char *separator; /* between all of these that are not empty; default: two line ends */
    gr_value *partial;     /* as in gr_prompt_opts */
    gr_template_format format;
} gr_few_shot_opts;
#define GR_FEW_SHOT(...) GR_OPT(gr_few_shot_opts, __VA_ARGS__)

/*
 * gr_few_shot_prompt answers with a string: FewShotPromptTemplate. The variables that must be there are those of
 * prefix and suffix. Braces in an example are text; in LangChain they are read as a template's once more.
 * Errors: as for prompts (prompt.h); an example that lacks a variable: GR_EINVAL "example 2 …", kind "KeyError"; the
 * selector's own. [any]
 */
GR_API gr_ref gr_few_shot_prompt(gr_scope *in, const gr_few_shot_opts *opts);

typedef struct gr_few_shot_chat_opts {
    size_t size;
    gr_value *examples;     /* taken; as above */
    gr_ref selector;
    const gr_role *example; /* required; the messages of one example, as gr_chat_prompt's */
    size_t example_count;
    const gr_role *before;  /* the messages before the examples, and behind them; may be NULL */
    size_t before_count;
    const gr_role *after;
    size_t after_count;
    gr_value *partial;
    gr_template_format format;
} gr_few_shot_chat_opts;
#define GR_FEW_SHOT_CHAT(...) GR_OPT(gr_few_shot_chat_opts, __VA_ARGS__)
#define GR_ROLES(...) .example = ((const gr_role[]){ __VA_ARGS__ }),                               \
        .example_count = sizeof((const gr_role[]){ __VA_ARGS__ }) / sizeof(gr_role)

/*
 * gr_few_shot_chat_prompt answers with a list of messages: FewShotChatMessagePromptTemplate, with what stands round it in
 * a chat prompt. Errors as above. [any]
 */
GR_API gr_ref gr_few_shot_chat_prompt(gr_scope *in, const gr_few_shot_chat_opts *opts);

/* ---- selectors ------------------------------------------------------------------------------- */

typedef struct gr_length_selector_opts {
    size_t size;
    gr_value *examples;  /* taken; a list of maps, at most examples_max */
    const char *example; /* required; the template by which an example is measured */
    size_t max_length;   /* of the prompt's variables and the examples, in words; default 2048 */
    gr_template_format format;
    size_t examples_max; /* default 65536; beyond: GR_EFULL */
} gr_length_selector_opts;
#define GR_LENGTH_SELECTOR(...) GR_OPT(gr_length_selector_opts, __VA_ARGS__)
/* gr_length_selector chooses the first examples that fit beside the variables: LengthBasedExampleSelector. A word is what
 * stands between blanks or line ends. [any] */
GR_API gr_ref gr_length_selector(gr_scope *in, const gr_length_selector_opts *opts);

typedef struct gr_similarity_selector_opts {
    size_t size;
    gr_value *examples;     /* taken; a list of maps, which are put into the store when the selector starts */
    unsigned k;             /* how many are chosen; default 4 */
    gr_value *input_keys;   /* taken; a list: those variables count, and those keys of examples; default all */
    gr_value *example_keys; /* taken; a list: of a chosen example, these keys; default all */
    gr_value *filter;       /* taken; as in gr_search_opts */
    /* by the verb max_marginal_relevance_search, which the store must have (gr_memory_store has not); of fetch_k, default 20 */
    bool mmr;
    unsigned fetch_k;
} gr_similarity_selector_opts;
#define GR_SIMILARITY_SELECTOR(...) GR_OPT(gr_similarity_selector_opts, __VA_ARGS__)
/*
 * gr_similarity_selector chooses the examples most like the variables, out of a vector store (store.h), which holds them as
 * documents with the example as metadata: SemanticSimilarityExampleSelector, and with mmr
 * MaxMarginalRelevanceExampleSelector. Errors: the store's own. [any]
 */
GR_API gr_ref gr_similarity_selector(gr_scope *in, gr_ref store,
                                     const gr_similarity_selector_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
