/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ollama_wire.h - what Ollama's own API is sent and what it answers, as values.
 */
#ifndef GR_ACTORS_MODEL_OLLAMA_WIRE_H
#define GR_ACTORS_MODEL_OLLAMA_WIRE_H

#include <greenroom/value.h>

#define GRI_OLLAMA_URL "http://127.0.0.1:11434"

/*
 * gri_ollama_body makes the body of a request to /api/chat. settings: the model's own and the call's, in the
 * common form; what Ollama calls options (temperature, num_ctx …) goes into "options", "think", "keep_alive"
 * and the rest along as they are. Ollama can't be told which tool to call: "none" offers none, a name
 * offers that one alone.
 * Errors: GR_EINVAL "message 3, part 2: …", an image by URL among them: it would have to be fetched.
 */
gr_value *gri_ollama_body(const gr_value *settings, const gr_value *messages, bool stream);

/* gri_ollama_options moves what belongs there from settings into "options" of body. */
gr_value *gri_ollama_options(gr_value *body GR_TAKES, const gr_value *settings);

/* gri_ollama_answer reads a whole answer: the ai message, or an error value. A tool call without an id gets
 * one made of the answer, so that the same answer gives the same one. */
gr_value *gri_ollama_answer(const gr_value *json);
/* gri_ollama_line reads a line of a stream: an AIMessageChunk, nil for one that says nothing, an error value.
 * *calls counts the tool calls of the stream; *ret_last is set by the last line. */
gr_value *gri_ollama_line(const gr_value *json, size_t *calls, bool *ret_last);

/*
 * gri_ollama_url makes a base URL of what OLLAMA_HOST may hold: "host", "host:port", ":port", a URL. Without
 * a scheme the port is 11434 unless given; 0.0.0.0 and [::], which servers listen on, are this machine. Owned
 * by the caller (gri_free); NULL: out of memory.
 */
char *gri_ollama_url(const char *host);

#endif
