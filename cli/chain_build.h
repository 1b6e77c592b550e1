/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_build.h - making the actors of a chain file.
 *
 * Actors are made when something needs them, each named one once, so `run` starts only what its
 * actor is made of. What a constructor refuses (a bad template, say) is told with its place. Files
 * to load are only noted; chain_load.h reads them, so that it can be seen and interrupted.
 */
#ifndef GR_CLI_CHAIN_BUILD_H
#define GR_CLI_CHAIN_BUILD_H

#include <greenroom/greenroom.h>

#include "cli/chain_file.h"

/* A store with files to put in. */
struct gri_chain_load {
    gr_ref store;
    const struct gri_chain_node *node; /* the map of the keys of gri_chain_load_kind; borrowed */
    const char *name;                  /* of the actor that the store belongs to; borrowed */
};

/* An actor that was made, in the order of making. */
struct gri_chain_made {
    const struct gri_chain_node *kind; /* borrowed */
    gr_ref ref;
    size_t first; /* its parts are those from here on */
    bool refused;
    bool isolated; /* ref is the supervisor of its process */
};

struct gri_chain_builder {
    struct gri_chain_file *file;     /* borrowed */
    struct gri_chain_report *report; /* borrowed */
    gr_runtime *rt;                  /* borrowed */
    gr_scope *in;                    /* where the actors live; borrowed */
    const char *name;                /* of the actor being made; borrowed */
    struct gri_chain_load *loads;    /* owned array, in the order to load them */
    size_t load_count, load_cap;
    struct gri_chain_made *made; /* owned array */
    size_t made_count, made_cap;
    bool checks; /* it is all for `check`: no program is started */
};

void gri_chain_builder_init(struct gri_chain_builder *b, struct gri_chain_file *f, gr_runtime *rt,
                            struct gri_chain_report *r);
void gri_chain_builder_fini(struct gri_chain_builder *b); /* the actors stay */
/* gri_chain_build makes a named actor and all that it needs; false, told, on a mistake. */
bool gri_chain_build(struct gri_chain_builder *b, struct gri_chain_actor *a);
/*
 * gri_chain_settle lets the actors' inits run, by a call that is queued behind them, and tells of
 * the actors that were refused; false if there are any. With one worker it misses none; with more,
 * an init that is still at it may be missed, and the first call to that actor then fails with the
 * reason.
 */
bool gri_chain_settle(struct gri_chain_builder *b);

/* ---- for the kinds --------------------------------------------------------------------------- */

/* gri_build_note remembers an actor for gri_chain_settle; kind is what names it in a mistake, first where its
 * parts begin, builder's made_count before they were made. */
void gri_build_note(struct gri_chain_builder *b, const struct gri_chain_node *kind, gr_ref ref,
                    size_t first);
/* gri_build_no_memory tells that memory ran out while an actor was made; {0, 0}. */
gr_ref gri_build_no_memory(struct gri_chain_builder *b, const struct gri_chain_node *n);
/* gri_build_arg finds a key of a kind that may stand alone; NULL when it is not there. */
const struct gri_chain_node *gri_build_arg(const char *kind, const struct gri_chain_node *args,
                                           const char *key);

/* gri_build_actor makes what stands where an actor is due; {0, 0} if n is NULL. */
gr_ref gri_build_actor(struct gri_chain_builder *b, const struct gri_chain_node *n);
/* gri_build_path returns the path of text seen from the chain file's folder; free it.
 * NULL: told. */
char *gri_build_path(struct gri_chain_builder *b, const struct gri_chain_node *text);
/* gri_build_data makes a value of plain data; never NULL. gri_build_texts: of a list, nil
 * for NULL. */
gr_value *gri_build_data(const struct gri_chain_node *n);
gr_value *gri_build_texts(const struct gri_chain_node *n);
/* gri_build_roles makes the messages of a prompt, *ret_count of them: free the array with gri_free once a prompt has taken
 * what is in it; NULL: there are none, or *ret_count is not 0, and memory has run out. gri_build_format reads a template's
 * format, and tells of one that is none. */
gr_role *gri_build_roles(const struct gri_chain_node *n, size_t *ret_count);
gr_template_format gri_build_format(struct gri_chain_builder *b, const struct gri_chain_node *args);
/* gri_build_structured reads the keys of GRI_STRUCTURED_KEYS; it borrows their texts. */
gr_structured_opts gri_build_structured(const struct gri_chain_node *args);
/* Reading keys that were checked before; otherwise: when the key is not there. */
const char *gri_arg_text(const struct gri_chain_node *args, const char *key, const char *otherwise);
long long gri_arg_int(const struct gri_chain_node *args, const char *key, long long otherwise);
/* gri_arg_real returns place filled with the number, or NULL. */
const double *gri_arg_real(const struct gri_chain_node *args, const char *key, double *place);
bool gri_arg_bool(const struct gri_chain_node *args, const char *key);
/* gri_build_headers makes the array of an actor's headers, which borrows its texts, with room for more; free
 * it. NULL: out of memory. */
gr_header *gri_build_headers(const struct gri_chain_node *args, size_t more, size_t *ret_count);
/* gri_build_retries turns "none", 0 in a file, into the library's negative number. */
int gri_build_retries(const struct gri_chain_node *args);

/* gri_build_names makes an array of the texts of a list, which it borrows; NULL: there is none, or no
 * memory. Free it with gri_free. */
const char **gri_build_names(const struct gri_chain_node *n, size_t *ret_count);

gr_ref gri_build_hash_embeddings(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_memory_store(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_retriever(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_remote(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_pool(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_prompt(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_chat_prompt(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_chat_model(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_extractive_model(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_str_parser(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_json_parser(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_comma_list_parser(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_numbered_list_parser(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args);
gr_ref gri_build_markdown_list_parser(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args);
gr_ref gri_build_format_docs(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_sequence(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_parallel(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_passthrough(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_assign(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_pick(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_router(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_each(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_branch(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_bind(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_with_config(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_with_types(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_configurable_alternatives(struct gri_chain_builder *b,
                                           const struct gri_chain_node *args);
gr_ref gri_build_configurable_fields(struct gri_chain_builder *b,
                                     const struct gri_chain_node *args);
gr_ref gri_build_memory_history(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_with_message_history(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args);
gr_ref gri_build_with_retry(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_with_fallbacks(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_splitter(struct gri_chain_builder *b, const struct gri_chain_node *args);
gr_ref gri_build_directory_loader(struct gri_chain_builder *b, const struct gri_chain_node *args);

#endif
