/* SPDX-License-Identifier: Apache-2.0 */
/* role.h - what roles and types of messages are called. */
#ifndef GR_ACTORS_MESSAGE_ROLE_H
#define GR_ACTORS_MESSAGE_ROLE_H

#include <greenroom/value.h>

enum gri_role_kind { GRI_HUMAN, GRI_AI, GRI_SYSTEM, GRI_TOOL, GRI_FUNCTION, GRI_CHAT, GRI_REMOVE };

struct gri_role {
    const char *name, *type,
        *title;        /* title: for people; type: the message's, which may be the name */
    const char *chunk; /* the type of a piece of one */
    enum gri_role_kind kind;
    bool has_content; /* a content makes one */
    bool is_chunk;
};

/* gri_role_named and gri_role_find look a role or a type up; NULL for a name that is none. gri_role_of does so for a message's type. */
const struct gri_role *gri_role_named(const char *name);
const struct gri_role *gri_role_find(const gr_value *name);
const struct gri_role *gri_role_of(const gr_value *message);
/* gri_role_in tells whether a message is of one of the types: a text, or a list of them; nil: of none. A type
 * stands for its chunks, too. */
bool gri_role_in(const gr_value *message, const gr_value *types);

#endif
