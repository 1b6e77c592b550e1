/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer.h - one request to a server that answers a call: POST a JSON body, read a JSON answer or
 * a stream of events, resolve the call's promise. What the bytes mean a reader knows.
 */
#ifndef GR_ACTORS_MODEL_TRANSFER_H
#define GR_ACTORS_MODEL_TRANSFER_H

#include <greenroom/actor.h>

#include "actors/model/endpoint.h"

/* How events are told apart in a stream. */
enum gri_framing {
    GRI_SSE,   /* server-sent events, each with JSON as its data */
    GRI_NDJSON /* one JSON text a line */
};

/* gri_refusal is an answer whose status is not 2xx. */
struct gri_refusal {
    int status;
    const char *body; /* what came, JSON or not; len bytes */
    size_t len;
    int64_t retry_after_ms; /* what the headers say; negative: nothing */
};

/*
 * gri_reader makes values of what a server says. Its functions are pure: they run on the HTTP thread,
 * must not wait, and keep nothing but a stream's own state.
 */
struct gri_reader {
    enum gri_framing framing;
    const char *done; /* an event whose text begins with this ends the stream ("[DONE]"), or NULL */
    size_t state_size; /* bytes of a stream's state, which begins as zeros; 0: none */
    void (*begin)(void *state,
                  const gr_value *body); /* body is the request's; NULL: nothing to do */
    /* answer makes the call's answer of the whole JSON answer; count is the spec's. */
    gr_value *(*answer)(const gr_value *json, size_t count);
    /*
     * event makes a chunk of one event: nil if it says nothing; an error value ends the stream with it.
     * name is the event's, "message" if it has none. *ret_last is set, and stays so, once the answer is
     * complete: a connection that ends from then on has not broken it.
     */
    gr_value *(*event)(void *state, const char *name, const gr_value *json, bool *ret_last);
    /* end: a complete stream is over. A last chunk, nil, or an error. NULL: there is nothing to say. */
    gr_value *(*end)(void *state);
    void (*drop)(void *state); /* frees what the state owns; NULL: nothing */
    /* refusal makes the error value: "status", "kind", "retry_after_ms" and the server's own text. The
     * request's id and x-should-retry are added to its "detail" for it. */
    gr_value *(*refusal)(const struct gri_refusal *r);
};

struct gri_transfer_spec {
    const struct gri_endpoint *endpoint; /* part of what the actor's spawn argument owns */
    const struct gri_reader *reader;     /* a constant */
    const gr_value *body;                /* borrowed: sent as JSON */
    bool stream;                         /* emit chunks; else collect the answer */
    bool whole; /* the server was not asked for a stream, so the answer is the only chunk */
    /* message: answers and chunks are messages. Those without an id get one, a stream's last chunk says that it
     * is, and a stream without chunks is an error, as in langchain-core. */
    bool message;
    const gr_value *run_id; /* borrowed: of the run, for the ids of messages; nil: one is made up */
    unsigned retries;       /* how often this was tried before */
    gr_ref limiter;         /* is told of rate limits: see limit.h; {0, 0}: nobody is */
    size_t count;           /* passed on to answer */
};

/*
 * gri_transfer_start takes the duty to answer the call and starts the request. Whatever happens
 * reaches the caller. Cancelling closes the transfer; a full stream pauses it. Returns what the
 * handler must return: NULL, or an error value when nothing could be started. [actor]
 */
gr_value *gri_transfer_start(gr_ctx *c, const struct gri_transfer_spec *spec);

#endif
