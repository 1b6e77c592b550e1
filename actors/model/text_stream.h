/* SPDX-License-Identifier: Apache-2.0 */
/* text_stream.h - streaming a text that is all there, word by word, as a model would. */
#ifndef GR_ACTORS_MODEL_TEXT_STREAM_H
#define GR_ACTORS_MODEL_TEXT_STREAM_H

#include <greenroom/actor.h>

/*
 * gri_emit_words emits an AIMessageChunk for each word of an ai message's text, with the white
 * space before it; what else the message has is in the last one. Waits delay_ms between chunks.
 * [actor]
 */
gr_code gri_emit_words(gr_ctx *c, gr_value *message GR_TAKES, int64_t delay_ms);

#endif
