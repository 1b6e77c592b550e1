/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.h - conversations: what was said before goes into the prompt, what is said now is kept.
 *
 * Any actor with these verbs keeps histories. A session is named by a map of ids, {"session_id": "a"}:
 *
 *   "get_messages"  ids                   -> [message …]; of a session that there is not: []
 *   "add_messages"  {"ids", "messages"}   -> nil
 *   "clear"         ids                   -> nil
 */
#ifndef GREENROOM_HISTORY_H
#define GREENROOM_HISTORY_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_memory_history_opts {
    size_t size;
    size_t sessions_max; /* default 65536; beyond: GR_EFULL */
    size_t messages_max; /* of one session; default 65536; beyond: GR_EFULL */
} gr_memory_history_opts;
#define GR_MEMORY_HISTORY(...) GR_OPT(gr_memory_history_opts, __VA_ARGS__)
/* gr_memory_history keeps histories in memory, all sessions in one actor:
 * InMemoryChatMessageHistory. [any] */
GR_API gr_ref gr_memory_history(gr_scope *in, const gr_memory_history_opts *opts);

typedef struct gr_history_opts {
    size_t size;
    gr_ref history;                   /* required; who keeps the histories */
    const char *input_messages_key;   /* where in the input, a map, the new messages are */
    const char *output_messages_key;  /* and in the answer, if that is a map */
    const char *history_messages_key; /* where to put the history; default: before the new ones */
    const char *const *ids;           /* keys of the config's configurable; default "session_id" */
    size_t id_count;
} gr_history_opts;
#define GR_HISTORY(...) GR_OPT(gr_history_opts, __VA_ARGS__)

/*
 * gr_with_message_history calls runnable with the messages of the session that the config names, and
 * when it has answered adds the new messages and the answer to that session:
 * RunnableWithMessageHistory.
 *
 * The input is a text, a message, a list of messages, or a map with one of these under
 * input_messages_key (default: its only key, else "input"); the answer likewise, "output". A stream
 * is passed on chunk by chunk, and its sum is kept before it ends. Of a call that fails nothing is
 * kept. That the answer could not be kept is logged, at level 3, and the answer given all the same.
 *
 * Errors:  GR_EINVAL  the config lacks an id
 *          GR_ETYPE   input or answer have no messages
 */
GR_API gr_ref gr_with_message_history(gr_scope *in, gr_ref runnable, const gr_history_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
