/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.h - an agent as its actor has it, and one run of it.
 *
 * A run is a handler that waits, on a fiber of its own; all it knows is in its gri_turn. What fails returns an error value,
 * NULL being well.
 */
#ifndef GR_ACTORS_AGENT_AGENT_H
#define GR_ACTORS_AGENT_AGENT_H

#include <greenroom/agent.h>
#include <greenroom/schema.h>

#include "actors/tool/toolbox.h"

struct gri_agent {
    gr_ref model, history, pre_hook, post_hook; /* {0, 0}: none, but for the model */
    struct gri_tool_node node;
    gr_value *prompt, *interrupt_on, *prices; /* counted, or NULL */
    gr_schema *format;                        /* owned; NULL: the answer is a message */
    bool native;                              /* the server sees to the format */
    int parallel;
    unsigned model_calls_max, tool_calls_max;
    int64_t tokens_max;
    double cost_max;
    bool limits_fail;
    unsigned modes; /* of gri_stream_mode */
};

enum gri_stream_mode { GRI_UPDATES = 1, GRI_VALUES = 2, GRI_MESSAGES = 4 };

struct gri_turn {
    gr_ctx *c;
    struct gri_agent *a;  /* borrowed from the actor */
    bool streams, listed; /* chunks are emitted; each with its mode */
    unsigned modes;
    gr_value *messages, *rest; /* counted: the state's, and its other keys */
    gr_value *thread;          /* counted; the ids of the history; NULL: there is none */
    gr_value *told;            /* counted; what the tools say */
    gr_value *decisions;       /* counted; the resume's, until they have been used */
    gr_value *interrupt;       /* counted; what the run ended with */
    gr_value *structured;      /* counted */
    gr_value *usage;           /* counted; NULL: none was told */
    double cost;
    int64_t step, steps_max;
    unsigned model_calls, tool_calls;
    bool over;
};

static inline bool gri_is_ref(gr_ref ref)
{
    return ref.node != 0 || ref.id != 0;
}

/* ---- the run, agent_loop.c --------------------------------------------------------------------- */

/* gri_agent_run runs it: the state at the end, or an error. */
gr_value *gri_agent_run(gr_ctx *c, const gr_value *input, bool streams);

/* ---- its state, agent_state.c ------------------------------------------------------------------- */

/* gri_turn_begin reads the input and the thread. _end is due in any case. */
gr_value *gri_turn_begin(struct gri_turn *t, gr_ctx *c, const gr_value *input, bool streams);
void gri_turn_end(struct gri_turn *t);
gr_value *gri_turn_state(const struct gri_turn *t);
/* gri_turn_add adds messages to the state and the thread, and tells of them as an update of the node; a node that is
 * NULL has told of them already. */
gr_value *gri_turn_add(struct gri_turn *t, const char *node, gr_value *messages GR_TAKES);
/* gri_turn_update lays what a hook answers over the state. */
gr_value *gri_turn_update(struct gri_turn *t, const char *node, gr_value *update GR_TAKES);
/* gri_turn_emit sends a chunk to who reads this mode. */
gr_value *gri_turn_emit(struct gri_turn *t, enum gri_stream_mode mode, gr_value *chunk GR_TAKES);
/* gri_turn_values sends the state to who reads values. */
gr_value *gri_turn_values(struct gri_turn *t);
/* gri_turn_message tells who reads messages of one, or of a chunk of one. */
gr_value *gri_turn_message(struct gri_turn *t, const char *node, const gr_value *message);
/* gri_with_id gives a message an id, unless it has one. */
gr_value *gri_with_id(gr_ctx *c, gr_value *message GR_TAKES);
/* gri_with_call_ids gives the tool calls of a message ids where they have none, that no call of the others has. call_ids.c */
gr_value *gri_with_call_ids(const gr_value *messages, gr_value *message GR_TAKES);
/* gri_last_ai is the index of the last ai message; SIZE_MAX: there is none. */
size_t gri_last_ai(const gr_value *messages);
/* gri_pending lists the tool calls of the last ai message that nothing answers yet. */
gr_value *gri_pending(const gr_value *messages);

/* ---- its parts ----------------------------------------------------------------------------------- */

/* gri_agent_ask asks the model: its message, or an error. agent_model.c */
gr_value *gri_agent_ask(struct gri_turn *t);
/* gri_agent_hook calls a hook, and lays what it answers over the state; *ret_input, if given, is what the model is to get
 * instead of the messages, or NULL. agent_model.c */
gr_value *gri_agent_hook(struct gri_turn *t, gr_ref hook, const char *node, gr_value **ret_input);

/* gri_agent_spent counts what a message has cost. agent_limits.c */
gr_value *gri_agent_spent(struct gri_turn *t, const gr_value *message);
/* gri_agent_limit ends the run if there is nothing left to spend. agent_limits.c */
gr_value *gri_agent_limit(struct gri_turn *t);
/* gri_agent_blocked gives the reply to a tool call that is one too many; NULL: it may be made, and is counted. */
gr_value *gri_agent_blocked(struct gri_turn *t, const gr_value *call);

/* gri_agent_review asks for consent to the pending calls, or does what was decided. agent_review.c */
gr_value *gri_agent_review(struct gri_turn *t, const gr_value *pending);

/* gri_is_decision: there is one of that name. agent_review.c */
bool gri_is_decision(const char *type);
/* gri_rules_check looks at interrupt_on, and gri_rules_check_names whether it names tools that there are: NULL, or what is
 * wrong. agent_rules.c */
gr_value *gri_rules_check(const gr_value *rules);
gr_value *gri_rules_check_names(const gr_value *rules, const gr_value *names);

/* gri_format_read reads the options' schema. gri_format_kwargs adds what the model must get for it.
 * gri_format_answer looks at the model's message. agent_answer.c */
gr_value *gri_format_read(struct gri_agent *a, gr_value *schema GR_TAKES, const char *method);
gr_value *gri_format_kwargs(const struct gri_agent *a, gr_value *kwargs GR_TAKES);
gr_value *gri_format_answer(struct gri_turn *t, const gr_value *message);
/* gri_format_answers: there is one call, of the tool of the answer and by its schema: nothing is left to do. */
bool gri_format_answers(const struct gri_agent *a, const gr_value *calls);
const char *gri_format_name(const struct gri_agent *a);

#endif
