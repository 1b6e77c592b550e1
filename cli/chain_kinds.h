/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_kinds.h - the kinds of actors that a chain file can make: one table for the reader, the
 * builder, `greenroom kinds` and, through a test, docs/chain-file.md.
 */
#ifndef GR_CLI_CHAIN_KINDS_H
#define GR_CLI_CHAIN_KINDS_H

#include <stdio.h>

#include "cli/chain_tree.h"

struct gri_chain_builder; /* cli/chain_build.h */

enum gri_chain_arg {
    GRI_ARG_TEXT, /* a string; numbers count as their text */
    GRI_ARG_URL,  /* a node's address */
    GRI_ARG_URLS, /* or several */
    GRI_ARG_INT,
    GRI_ARG_REAL,
    GRI_ARG_BOOL,
    GRI_ARG_VARIABLE, /* the name of an environment variable */
    GRI_ARG_SECRET,   /* refused: secrets don't belong into a file */
    GRI_ARG_TEXTS,    /* a list of strings */
    GRI_ARG_DATA,     /* a map of plain data */
    GRI_ARG_LIST,     /* a list of plain data */
    GRI_ARG_ROWS,     /* a list of such maps */
    GRI_ARG_HEADERS,  /* a map of strings */
    GRI_ARG_ACTOR,    /* a name, or an actor in place */
    GRI_ARG_ACTORS,   /* a list of actors */
    GRI_ARG_STEPS,    /* a map of names to actors */
    GRI_ARG_ROLES,    /* a list of {role: template}, or of {role: list of blocks} */
    GRI_ARG_ARMS,     /* a list of {if: actor, then: actor} */
    GRI_ARG_KEYS,     /* a string, or a list of strings */
    GRI_ARG_MADE,     /* an actor in place, whose keys GRI_ARG_FIELDS names */
    GRI_ARG_FIELDS,   /* a map of such keys to texts */
    GRI_ARG_LOAD      /* a map of the keys of gri_chain_load_kind, or a list of such */
};

struct gri_chain_key {
    const char *name; /* first: gri_chain_nearest reads it */
    enum gri_chain_arg type;
    bool required;
    double min, max;  /* of numbers; both 0: any */
    const char *help; /* of GRI_ARG_SECRET: what to write instead */
};

struct gri_chain_kind {
    const char *name; /* first */
    const char *help;
    const struct gri_chain_key *keys;
    size_t key_count;
    /* lone: the first key may stand alone, {prompt: "text"} for {prompt: {template: "text"}}. A
     * lone key that takes a map has no other keys beside it. */
    bool lone;
    gr_ref (*build)(struct gri_chain_builder *b, const struct gri_chain_node *args);
};

/* What keys of several kinds say. */
#define GRI_MS_MAX 86400000.0 /* a day: longer waits are mistakes */
#define GRI_HTTP2_HELP                                                                             \
    "HTTP/2 where the server offers it: docs/http.md says what that changes; default false"
#define GRI_KEY_ENV "name the environment variable that holds it with key_env"

#define GRI_TEMPLATE_FORMATS                                                                       \
    "of the templates: f-string, the default, with {variables}; or mustache, with {{variables}}"

/* How a model is made to answer with data, but for the schema. */
#define GRI_STRUCTURED_KEYS                                                                        \
    { "method",                                                                                    \
      GRI_ARG_TEXT,                                                                                \
      false,                                                                                       \
      0,                                                                                           \
      0,                                                                                           \
      "function_calling, the default: by a tool that must be called; json_schema: by the server; " \
      "json_mode: any JSON" },                                                                     \
        { "include_raw",                                                                           \
          GRI_ARG_BOOL,                                                                            \
          false,                                                                                   \
          0,                                                                                       \
          0,                                                                                       \
          "the answer is {raw, parsed, parsing_error}; default false" },                           \
        { "strict", GRI_ARG_BOOL,                                                                  \
          false,    0,                                                                             \
          0,        "asks the server to keep to the schema; default not sent" },                   \
    {                                                                                              \
        "unchecked", GRI_ARG_BOOL, false, 0, 0,                                                    \
            "the answer is not judged by the schema; default false"                                \
    }

/* The kinds of cli/kinds_AREA.c; chain_kinds.c has the list of these tables. */
#define GRI_CHAIN_KINDS_MODELS 2
extern const struct gri_chain_kind gri_chain_kinds_models[GRI_CHAIN_KINDS_MODELS];
#define GRI_CHAIN_KINDS_KEEP 15
extern const struct gri_chain_kind gri_chain_kinds_keep[GRI_CHAIN_KINDS_KEEP];
#define GRI_CHAIN_KINDS_MCP 2
extern const struct gri_chain_kind gri_chain_kinds_mcp[GRI_CHAIN_KINDS_MCP];
#define GRI_CHAIN_KINDS_PROVIDERS 3
extern const struct gri_chain_kind gri_chain_kinds_providers[GRI_CHAIN_KINDS_PROVIDERS];
#define GRI_CHAIN_KINDS_TOOLS 5
extern const struct gri_chain_kind gri_chain_kinds_tools[GRI_CHAIN_KINDS_TOOLS];
#define GRI_CHAIN_KINDS_WEB 1
extern const struct gri_chain_kind gri_chain_kinds_web[GRI_CHAIN_KINDS_WEB];
#define GRI_CHAIN_KINDS_PROMPTS 9
extern const struct gri_chain_kind gri_chain_kinds_prompts[GRI_CHAIN_KINDS_PROMPTS];
#define GRI_CHAIN_KINDS_PARSERS 9
extern const struct gri_chain_kind gri_chain_kinds_parsers[GRI_CHAIN_KINDS_PARSERS];
extern const struct gri_chain_kind gri_chain_load_kind; /* what a store's load: takes */
extern const struct gri_chain_kind gri_chain_node_kind; /* and the file's own node: */

const struct gri_chain_kind *gri_chain_kind_find(const char *name);
/* gri_chain_kind_nearest returns the kind that a mistyped name may have meant, or NULL. */
const char *gri_chain_kind_nearest(const char *name);
/* gri_chain_key_is_plain: its value is a text, a number or a boolean, so that a config may set it. */
bool gri_chain_key_is_plain(const struct gri_chain_key *key);
/* gri_chain_arg_of returns the node of a kind's key, also when it stands alone; NULL when
 * absent. */
const struct gri_chain_node *gri_chain_arg_of(const struct gri_chain_kind *kind,
                                              const struct gri_chain_node *args, const char *key);
/* gri_chain_alone tells whether args is the first key's value itself. */
bool gri_chain_alone(const struct gri_chain_kind *kind, const struct gri_chain_node *args);
const char *gri_chain_arg_name(enum gri_chain_arg type); /* "a whole number" */
/* gri_chain_kinds_print writes the table, as Markdown if so wished; only one kind if name is given;
 * false when there is no such kind. */
bool gri_chain_kinds_print(FILE *to, const char *name, bool markdown);

#endif
