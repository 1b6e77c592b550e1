/* SPDX-License-Identifier: Apache-2.0 */
/* streams.h - streams of a model's answer: who serves them, and who reads them without Greenroom. */
#ifndef GR_BENCH_STREAMS_H
#define GR_BENCH_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

/* bench_chunk is one chunk of a stream of chat completions, as JSON. */
extern const char bench_chunk[];

/*
 * bench_serve_streams is a child process (--serve-streams "CHUNKS EVERY_US [TELL]"): it answers each request
 * with CHUNKS events and [DONE], the events each by a write of its own: one every EVERY_US
 * microseconds and stream, or as fast as they are taken, in turn, if that is 0. It writes its port as
 * a line, then, with TELL 1, a byte for each client that leaves amid its stream, and ends when its input
 * does.
 */
int bench_serve_streams(const char *what);

/* bench_curl_streams posts `body` to url `count` times at once, by libcurl's multi interface on an
 * epoll of its own, and counts the events that come. False: not all of that went well. */
bool bench_curl_streams(const char *url, const char *body, long count, long *ret_events);

#endif
