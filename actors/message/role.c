/* SPDX-License-Identifier: Apache-2.0 */
/* role.c - the table of roles. */
#include "actors/message/role.h"

#include <string.h>

#define ROLE(name, type, title, kind)                                                              \
    {                                                                                              \
        name, type, title, title "MessageChunk", kind, true, false                                 \
    }
#define CHUNK(title, kind)                                                                         \
    {                                                                                              \
        title "MessageChunk", title "MessageChunk", title, title "MessageChunk", kind, true, true  \
    }

static const struct gri_role roles[] = {
    ROLE("human", "human", "Human", GRI_HUMAN),
    ROLE("user", "human", "Human", GRI_HUMAN),
    ROLE("ai", "ai", "AI", GRI_AI),
    ROLE("assistant", "ai", "AI", GRI_AI),
    ROLE("system", "system", "System", GRI_SYSTEM),
    ROLE("developer", "system", "System", GRI_SYSTEM),
    ROLE("tool", "tool", "Tool", GRI_TOOL),
    ROLE("function", "function", "Function", GRI_FUNCTION),
    CHUNK("AI", GRI_AI),
    CHUNK("Human", GRI_HUMAN),
    CHUNK("System", GRI_SYSTEM),
    CHUNK("Tool", GRI_TOOL),
    CHUNK("Function", GRI_FUNCTION),
    { "chat", "chat", "Chat", "ChatMessageChunk", GRI_CHAT, false, false },
    { "ChatMessageChunk", "ChatMessageChunk", "Chat", "ChatMessageChunk", GRI_CHAT, false, true },
    { "remove", "remove", "Remove", "remove", GRI_REMOVE, false, false },
};

const struct gri_role *gri_role_named(const char *name)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (strcmp(roles[i].name, name) == 0)
            return &roles[i];
    return NULL;
}

const struct gri_role *gri_role_find(const gr_value *name)
{
    const char *s = gr_cstr(name, NULL);

    return s != NULL && strlen(s) == gr_len(name) ? gri_role_named(s) : NULL;
}

const struct gri_role *gri_role_of(const gr_value *message)
{
    return gri_role_find(gr_get(message, "type"));
}

bool gri_role_in(const gr_value *message, const gr_value *types)
{
    const struct gri_role *role = gri_role_of(message), *one;

    if (gr_value_type(types) == GR_STR) {
        one = gri_role_find(types);
        return role != NULL && one != NULL && one->kind == role->kind &&
               (!one->is_chunk || role->is_chunk);
    }
    for (size_t i = 0; i < gr_len(types); i++)
        if (gr_value_type(gr_at(types, i)) == GR_STR && gri_role_in(message, gr_at(types, i)))
            return true;
    return false;
}
