/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_file.h - prompts from files, in langchain-core's form of them.
 *
 *   {"_type": "prompt", "template": "Tell me about {x}.", "template_format": "f-string", "partial_variables": {…}}
 *   {"_type": "few_shot", "prefix", "suffix", "examples", "example_prompt": {…}, "example_separator"}
 *   {"_type": "chat", "messages": [["system", "…"], {"role": "human", "content": "…"}, …]}
 *
 * "prompt" is the default. "template_path" (of a .txt file) may stand for "template", as "prefix_path" and "suffix_path" may;
 * "example_prompt_path" and, for "examples", a text may name another file of data. A chat's messages are pairs; or maps with
 * "role" and "content"; or with "prompt", which has a "template"; or with "variable_name", for a placeholder, and "optional",
 * "n_messages". A chat with "schema_", a JSON Schema, is a structured prompt (structured_prompt.h); its "structured_output_kwargs" are
 * "method", "include_raw" and "strict". What dumpd writes of prompts, {"lc": 1, "type": "constructor", …}, is read too, of the
 * classes of prompts and messages only. Nothing in a file is run: templates in jinja2 are refused.
 *
 * Paths in a file are seen from its folder, and stay below it: absolute ones, and those with "..", are refused; links are
 * followed. A file has at most 1 MiB.
 */
#ifndef GREENROOM_PROMPT_FILE_H
#define GREENROOM_PROMPT_FILE_H

#include <greenroom/prompt.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A gr_read_data_fn reads a text of some form of data: a value, yours to give, or an error value. It must not wait. */
typedef gr_value *gr_read_data_fn(void *arg, const char *text, size_t len);

typedef struct gr_load_prompt_opts {
    size_t size;
    gr_read_data_fn *read_yaml; /* for files that end in .yaml or .yml; NULL: those are refused. The command has one */
    void *arg;
    const char *folder;         /* gr_prompt_of_config: where files are that it names; NULL: those are refused */
} gr_load_prompt_opts;
#define GR_LOAD_PROMPT(...) GR_OPT(gr_load_prompt_opts, __VA_ARGS__)

/*
 * gr_load_prompt makes the prompt that a file, which ends in .json (or .yaml), describes: load_prompt. It reads the file at
 * once, so it is no call for a handler that must not block. What is wrong makes a broken ref: GR_EINVAL, with the path. [waits]
 */
GR_API gr_ref gr_load_prompt(gr_scope *in, const char *path, const gr_load_prompt_opts *opts);

/* gr_prompt_of_config does so with what such a file holds: load_prompt_from_config. Without `folder` it reads no file. */
GR_API gr_ref gr_prompt_of_config(gr_scope *in, gr_value *config GR_TAKES,
                                  const gr_load_prompt_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
