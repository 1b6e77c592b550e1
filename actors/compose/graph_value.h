/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_value.h - graphs as values (greenroom/graph.h): joining them, end to end and side by side.
 *
 * A graph has one first and one last node, which are schemas. All functions take an error value for
 * a graph, and give it back.
 */
#ifndef GR_ACTORS_COMPOSE_GRAPH_VALUE_H
#define GR_ACTORS_COMPOSE_GRAPH_VALUE_H

#include <greenroom/graph.h>

#define GRI_GRAPH_NODES_MAX 10000

/* gri_graph_one: input -> name -> output. */
gr_value *gri_graph_one(const char *input, const char *name, const char *output);
/* gri_graph_ends: two schemas, and nothing between them yet. */
gr_value *gri_graph_ends(const char *input, const char *output);
/* gri_graph_then goes on with another graph. Where they meet a schema goes if one node stands before,
 * or after it: else it shows what comes together there. */
gr_value *gri_graph_then(gr_value *graph GR_TAKES, gr_value *next GR_TAKES);
/* gri_graph_between puts part, its own ends gone likewise, between the ends that gri_graph_ends
 * made. */
gr_value *gri_graph_between(gr_value *graph GR_TAKES, gr_value *part GR_TAKES);

#endif
