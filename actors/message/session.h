/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - the name of a conversation, of the ids that it is called by. */
#ifndef GR_ACTORS_MESSAGE_SESSION_H
#define GR_ACTORS_MESSAGE_SESSION_H

#include <greenroom/value.h>

/*
 * gri_session_name gives the name of {"session_id": "a"}: "a"; of any other map of ids its JSON. No two
 * have the same name. To be freed by gr_free; NULL, with *ret_err, for what has no ids.
 */
char *gri_session_name(const gr_value *ids, gr_value **ret_err);

#endif
