/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph.h - what a runnable is made of, what it takes and gives, and what of it can be configured.
 *
 * An actor says so itself, by the verb "describe" (no arguments):
 *
 *   {"name": …, "input_schema": …, "output_schema": …, "config_specs": [spec …], "graph": graph}
 *
 *   schema  JSON Schema: {"title": "PromptInput", "type": "object", "properties": …}
 *   spec    {"id", "name"?, "description"?, "default"?, "options"?: [name …], "is_shared"?}: a key of
 *           the config's configurable; they are in the order of their ids
 *   graph   {"nodes": [{"id", "name", "type": "schema" or "runnable"} …],
 *            "edges": [{"source", "target"} …]}, ids being places in nodes
 *
 * Two more keys help to tell what a sequence takes and gives: "assigns", the schema of what is added to a map
 * that comes in, and "picks", the key or the keys that are taken out of one.
 *
 * One that lacks the verb is one node, with its name, and takes and gives anything. These functions
 * wait for the answer; on failure they return NULL with *reterr.
 */
#ifndef GREENROOM_GRAPH_H
#define GREENROOM_GRAPH_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

/* gr_describe gives r's whole description. [waits] */
GR_API gr_value *gr_describe(gr_runtime *rt, gr_ref r, gr_value **reterr);
/* gr_get_name gives its name: Runnable.get_name. [waits] */
GR_API gr_value *gr_get_name(gr_runtime *rt, gr_ref r, gr_value **reterr);
/* gr_get_graph: Runnable.get_graph. [waits] */
GR_API gr_value *gr_get_graph(gr_runtime *rt, gr_ref r, gr_value **reterr);
/* The schemas are Runnable.get_input_jsonschema and get_output_jsonschema. [waits] */
GR_API gr_value *gr_get_input_schema(gr_runtime *rt, gr_ref r, gr_value **reterr);
GR_API gr_value *gr_get_output_schema(gr_runtime *rt, gr_ref r, gr_value **reterr);
/* gr_config_schema is the schema of r's config: its configurable, and those other keys of a config
 * (config.h) that are to be in it, all of them texts. [waits] */
GR_API gr_value *gr_config_schema(gr_runtime *rt, gr_ref r, const char *const *include,
                                  size_t count, gr_value **reterr);

/* gr_draw_mermaid prints a graph as a Mermaid flowchart: Graph.draw_mermaid. An error value for what
 * is no graph. [any] */
GR_API gr_value *gr_draw_mermaid(const gr_value *graph);

/* gr_with_types is runnable with other schemas, JSON Schema each; NULL leaves what it says itself:
 * Runnable.with_types. Nothing is checked by them. */
GR_API gr_ref gr_with_types(gr_scope *in, gr_ref runnable, gr_value *input_schema GR_TAKES,
                            gr_value *output_schema GR_TAKES);

#ifdef __cplusplus
}
#endif
#endif
