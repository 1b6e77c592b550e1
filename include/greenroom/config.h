/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - LangChain's RunnableConfig: a map that goes along with a call into all that it starts.
 *
 *   key              value              what is called by the call has
 *   tags             a list of texts    the same
 *   metadata         a map              the same
 *   callbacks        a list             the same
 *   configurable     a map              the same: what configurable runnables read
 *   max_concurrency  a whole number     the same
 *   leave_siblings   true or false      the same: when a step of a parallel or an item of a batch
 *                                       fails, the others are not cancelled, but left to run
 *   recursion_limit  a whole number     the same; one less where a lambda answered with a runnable
 *   run_name         a text             nothing: it names this run alone
 *   run_id           a text             nothing
 *   kwargs           a map              nothing, unless the runnable passes it on: see gr_bind
 *
 * A key that a call's options give replaces the caller's, as in ensure_config; nil gives nothing. A value
 * of another kind than the table's fails the call with GR_ETYPE, which says what must stand there.
 * Other keys go to configurable. The limit of recursion is GR_RECURSION_LIMIT unless it is given.
 */
#ifndef GREENROOM_CONFIG_H
#define GREENROOM_CONFIG_H

#include <greenroom/value.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GR_RECURSION_LIMIT 25

/*
 * gr_ensure_config fills in what a config lacks: tags [], metadata {}, callbacks nil,
 * recursion_limit, configurable {}. Keys that no config has move to configurable; texts, numbers
 * and booleans of configurable are copied into metadata unless it has them, but for keys that begin
 * with "__" and for "api_key". NULL and nil count as {}. Not a config: GR_ETYPE. [any]
 */
GR_API gr_value *gr_ensure_config(gr_value *config GR_TAKES);

/*
 * gr_merge_configs lays over onto base: tags become one sorted list, each once; metadata,
 * configurable and kwargs are merged key by key; lists of callbacks follow each other; a
 * recursion_limit of GR_RECURSION_LIMIT, and what is nil, 0, false or empty, gives way to base's.
 * NULL and nil count as {}. Not a config: GR_ETYPE. [any]
 */
GR_API gr_value *gr_merge_configs(gr_value *base GR_TAKES, gr_value *over GR_TAKES);

#ifdef __cplusplus
}
#endif
#endif
