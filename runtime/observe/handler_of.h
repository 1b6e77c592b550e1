/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/* handler_of.h - the handler that is in a value. */
#ifndef GR_RUNTIME_OBSERVE_HANDLER_OF_H
#define GR_RUNTIME_OBSERVE_HANDLER_OF_H

#include <greenroom/callbacks.h>

/* gri_handler_of returns what gr_handler_value was given, with its defaults filled in, borrowed from v;
 * NULL: v is no such value. [any] */
const gr_handler *gri_handler_of(const gr_value *v);

/* gri_handler_streams has models that are invoked stream, as long as this handler hears of them, so that it
 * is told each token: langchain-core's _StreamingCallbackHandler. Before anybody else has the value.
 * gri_wants_streams tells whether a list of callbacks has such a handler. */
void gri_handler_streams(gr_value *handler);
bool gri_wants_streams(const gr_value *callbacks);

#endif
