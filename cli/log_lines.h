/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_lines.h - what is logged, as lines of text or of JSON, on standard error.
 *
 * The library's lines come from any thread, and what the command itself says joins them, so that all of
 * standard error is in one format. Whatever is in a text, it is one line, and can't steer a terminal. A line
 * of JSON:
 *
 *   {"time":"2026-11-29T15:12:27.123Z","level":"warning","text":"…","node":"…","actor":"…","peer":"…"}
 *
 * "node" is this node's name, "actor" and "peer" whom the line is about; they are left out if unknown.
 */
#ifndef GR_CLI_LOG_LINES_H
#define GR_CLI_LOG_LINES_H

#include <stdbool.h>

#include <greenroom/base.h>

/* gri_log_lines_start has the library's lines come here: plain, up to warnings. */
void gri_log_lines_start(void);
/* These read an option; false: it is none. Before threads are started. */
bool gri_log_lines_format(const char *format);
bool gri_log_lines_level(const char *level);
/* gri_log_lines_node tells the node's name, which is copied; cut if it is long. Before threads are started that log. */
void gri_log_lines_node(const char *name);

/* gri_log_lines_json tells whether lines are JSON; then gri_log_lines_say writes what the command says. */
bool gri_log_lines_json(void);
void gri_log_lines_say(int level, const char *text);

#endif
