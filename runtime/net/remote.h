/* SPDX-License-Identifier: Apache-2.0 */
/* remote.h - which actors are proxies, for who would rather know where they lead. */
#ifndef GR_RUNTIME_NET_REMOTE_H
#define GR_RUNTIME_NET_REMOTE_H

#include <greenroom/node.h>

/* What gr_remote makes; its spawn arguments are {"url", "name"}. */
extern const gr_class gri_remote_class;

/* gri_is_remote_url tells whether a node could be at that URL, by its looks. */
bool gri_is_remote_url(const char *url);
/* gri_is_remote_name tells whether an actor can be published as that; a text. */
bool gri_is_remote_name(const gr_value *name);

#endif
