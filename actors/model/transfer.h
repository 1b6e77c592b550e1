/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer.h - one request to a model server that answers a call: POST a JSON body, read a JSON
 * answer or a stream of events, resolve the call's promise.
 */
#ifndef GR_ACTORS_MODEL_TRANSFER_H
#define GR_ACTORS_MODEL_TRANSFER_H

#include <greenroom/actor.h>

#include "actors/model/openai_client.h"

struct gri_transfer_spec {
    const struct gri_openai *client;
    const gr_value *body; /* borrowed: sent as JSON */
    bool stream;          /* emit chunks; else collect the answer */
    /* answer makes the call's answer of the whole JSON answer; count is passed on. */
    gr_value *(*answer)(const gr_value *json, size_t count);
    size_t count;
};

/*
 * gri_transfer_start takes the duty to answer the call and starts the request. Whatever happens
 * reaches the caller. Cancelling closes the transfer; a full stream pauses it. Returns what the
 * handler must return: NULL, or an error value when nothing could be started. [actor]
 */
gr_value *gri_transfer_start(gr_ctx *c, const struct gri_transfer_spec *spec);

#endif
