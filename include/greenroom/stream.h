/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - many pending answers: the chunks of one call, with back-pressure.
 *
 * A stream is a bounded channel from the handler that emits to the one owner that reads. The window
 * counts chunks (32) and bytes (256 KiB), whichever is reached first; a producer that finds it full
 * waits, so a slow reader stops the producer instead of filling memory.
 */
#ifndef GREENROOM_STREAM_H
#define GREENROOM_STREAM_H

#include <greenroom/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gr_next waits for the next chunk, which is borrowed until the next call for s.
 * Codes:   GR_OK; GR_EOS after the last chunk; the producer's error (the chunks before it come
 *          first); GR_EPENDING when timeout_ms is up; GR_EINTR; GR_EDEADLK; GR_ENOMEM for NULL. 
 *          [waits]
 */
GR_API gr_outcome gr_next(gr_stream *s, int64_t timeout_ms);

/* gr_stream_take reads to the end and returns the sum of the chunks by gr_add (nil for none); NULL
 * on failure with *reterr. Frees s. [waits] */
GR_API gr_value *gr_stream_take(gr_stream *s GR_TAKES, gr_value **reterr);

/*
 * gr_stream_free ends the reading. Before the end of the stream it cancels the producer and waits
 * until that is done, so that what the producer held (a transfer, a file) is free again when this
 * returns. From cheap code, and while the caller itself is cancelled, it does not wait.  [waits]
 */
GR_API void gr_stream_free(gr_stream *s);

/*
 * gr_stream_of makes a stream out of a list's items, and gr_pipe one that the caller fills: an
 * input for gr_atransform. window: chunks, 0 for the default.
 */
GR_API gr_stream *gr_stream_of(gr_runtime *rt, gr_value *list GR_TAKES);
GR_API gr_stream *gr_pipe(gr_runtime *rt, unsigned window_chunks, gr_stream **ret_writer);
/* gr_pipe_write waits for room. GR_ECANCELED once the reader has left. [waits] */
GR_API gr_code gr_pipe_write(gr_stream *writer, gr_value *chunk GR_TAKES);
/* gr_pipe_close ends the stream, with err if it is an error value (may be NULL), and frees the
 * writer. [any] */
GR_API void gr_pipe_close(gr_stream *writer GR_TAKES, gr_value *err GR_TAKES);

static inline void gr_stream_freep(gr_stream **p) { gr_stream_free(*p); }

#ifdef __cplusplus
}
#endif
#endif
