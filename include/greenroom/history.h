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

#include <greenroom/byte_store.h>
#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_memory_history_opts {
    size_t size;
    size_t sessions_max; /* default 65536; beyond: GR_EFULL */
    size_t messages_max; /* of one session; default 65536; beyond: GR_EFULL */
    size_t bytes_max;    /* of all messages, about; default 256 MiB; beyond: GR_EFULL */
} gr_memory_history_opts;
#define GR_MEMORY_HISTORY(...) GR_OPT(gr_memory_history_opts, __VA_ARGS__)
/* gr_memory_history keeps histories in memory, all sessions in one actor:
 * InMemoryChatMessageHistory. [any] */
GR_API gr_ref gr_memory_history(gr_scope *in, const gr_memory_history_opts *opts);

typedef struct gr_file_history_opts {
    size_t size;
    size_t bytes_max; /* of a session's file; default 64 MiB; beyond: GR_EFULL */
    int64_t lock_ms;  /* how long to wait for who has the file; default 5000, negative: not at all */
    bool no_sync;     /* what was added may be lost with the power, not with the process; default: each
                       * call's messages are on the disk when it is answered */
} gr_file_history_opts;
#define GR_FILE_HISTORY(...) GR_OPT(gr_file_history_opts, __VA_ARGS__)
/*
 * gr_file_history keeps each session in a file of folder, which it makes: FileChatMessageHistory, but
 * for the form. A line of JSON is what one call added, and a line without its end is no line: what a
 * crash tore off is dropped, and the lines before it hold. Files are locked (flock), so several
 * processes may use a folder. "clear" empties a file.
 *
 * Errors:  the text names the file: GR_EINVAL it can't be opened, read or written; GR_EPROTO "…: line 3:
 *          …" it is damaged; GR_EFULL above bytes_max, no room on the disk, or others held it for
 *          lock_ms (kind "busy", worth a retry)    [any]
 */
GR_API gr_ref gr_file_history(gr_scope *in, const char *folder, const gr_file_history_opts *opts);

/*
 * gr_sqlite_history keeps sessions in a table of an SQLite database: SQLChatMessageHistory, with the same
 * table (message_store) and rows, so that each can read what the other wrote. A session that has only
 * a session_id has that as its name there. Errors as for gr_sqlite_store; GR_EPROTO a row is no
 * message. [any]
 */
GR_API gr_ref gr_sqlite_history(gr_scope *in, const char *path, const gr_sqlite_opts *opts);

/* ---- less than all of it --------------------------------------------------------------------- */

typedef struct gr_window_opts {
    size_t size;
    unsigned turns;    /* the last so many, each from a human's message on; 0: any */
    unsigned messages; /* the last so many; 0: any */
    unsigned tokens;   /* the last messages of so many, about, four characters each; 0: any */
} gr_window_opts;
#define GR_WINDOW(...) GR_OPT(gr_window_opts, __VA_ARGS__)
/*
 * gr_window_history shows the end of what history keeps: ConversationBufferWindowMemory (turns, 5 if nothing
 * is said), ConversationTokenBufferMemory (tokens). It never begins with the answer of a tool whose call it
 * does not show. Adding and clearing are history's. [any]
 */
GR_API gr_ref gr_window_history(gr_scope *in, gr_ref history, const gr_window_opts *opts);

typedef struct gr_summary_opts {
    size_t size;
    unsigned tokens;         /* of the messages that stay as they are, about; default 2000 */
    const char *instruction; /* what the model is told to do, a system message; copied */
    gr_ref store;            /* a store by key (byte_store.h) for the summaries; {0, 0}: in memory */
} gr_summary_opts;
#define GR_SUMMARY(...) GR_OPT(gr_summary_opts, __VA_ARGS__)
/*
 * gr_summary_history shows a summary, as a system message, and the last messages of what history keeps:
 * ConversationSummaryBufferMemory. When an added message makes them more than tokens, model summarises
 * the oldest together with the summary so far, before the adding is answered. history keeps all of it.
 * If the model fails, that is logged, at level 3, and tried again with the next message. [any]
 */
GR_API gr_ref gr_summary_history(gr_scope *in, gr_ref history, gr_ref model,
                                 const gr_summary_opts *opts);

/* ---- for several processes ------------------------------------------------------------------- */

typedef struct gr_shared_opts {
    size_t size;
    int64_t turn_max_ms; /* how long a turn may take before the next one is let in; default 600000, at most
                          * a day */
} gr_shared_opts;
#define GR_SHARED(...) GR_OPT(gr_shared_opts, __VA_ARGS__)
/*
 * gr_shared_history is history, and says besides whose turn it is in a session. Published on a node (node.h), it has
 * the turns of one session that several processes make (shared_turns in gr_history_opts) taken one after the other. It has
 * one verb more:
 *
 *   "turn"  {"ids", "held"?} -> a stream of one chunk, a text that names the turn, once it has come. The
 *           turn lasts until the stream is left: by its end, a cancel, or the loss of the caller's process or
 *           link. held: names of turns that the call is made in, which it does not wait for
 *
 * What is kept stays with history, so if the node is lost no message is, but for those of turns under way.
 *
 * Errors:  of the maker: GR_EINVAL turn_max_ms out of range
 *          of "turn": GR_ETIMEDOUT it took more than turn_max_ms    [any]
 */
GR_API gr_ref gr_shared_history(gr_scope *in, gr_ref history, const gr_shared_opts *opts);

/* ---- in front of a runnable ------------------------------------------------------------------ */

typedef struct gr_history_opts {
    size_t size;
    gr_ref history;                   /* required; who keeps the histories */
    const char *input_messages_key;   /* where in the input, a map, the new messages are */
    const char *output_messages_key;  /* and in the answer, if that is a map */
    const char *history_messages_key; /* where to put the history; default: before the new ones */
    const char *const *ids;           /* keys of the config's configurable; default "session_id" */
    size_t id_count;
    bool overlaps; /* turns of one session may overlap, as in LangChain; default: one after the other */
    bool shared_turns; /* history says whose turn it is: see gr_shared_history. Default: turns of this actor
                        * wait for each other, and know nothing of those of others */
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
 * Turns of one session that come through one gr_with_message_history take their turn in the order in which
 * they came, each seeing what the one before has added; those of different sessions run side by side. A call
 * that the runnable makes, in its turn, to the same session is part of that turn, and does not wait.
 *
 * Errors:  GR_EINVAL  the config lacks an id
 *          GR_ETYPE   input or answer have no messages; with shared_turns: history has no turns
 */
GR_API gr_ref gr_with_message_history(gr_scope *in, gr_ref runnable, const gr_history_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
