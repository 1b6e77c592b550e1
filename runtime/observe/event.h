/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/* event.h - inputs and outputs as langchain-core's handlers get them, by the type of the run. */
#ifndef GR_RUNTIME_OBSERVE_EVENT_H
#define GR_RUNTIME_OBSERVE_EVENT_H

#include <greenroom/callbacks.h>

/* gri_event_input: a map of query, prompts or messages for retrievers and models, the arguments of a tool call for a
 * tool; others' as they are. */
gr_value *gri_event_input(gr_run_type type, const gr_value *input);
/* gri_event_output: generations and llm_output for a text model; others' as they are. */
gr_value *gri_event_output(gr_run_type type, const gr_value *output);
/* gri_is_texts tells whether a value is a list of nothing but texts, as tags and names of runs are. */
bool gri_is_texts(const gr_value *list);

#endif
