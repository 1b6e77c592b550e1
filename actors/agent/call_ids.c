/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_ids.c - ids for tool calls that a model has given none.
 *
 * A reply names its call by the id, so without one nothing would seem to be answered. They are call_1, call_2 and so on
 * through a conversation: the same one gets the same ids each time.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/agent/agent.h"

#define PREFIX "call_"
#define NUMBER_MAX 1000000000ul /* what is above is none of ours */

static const char *id_of(const gr_value *call)
{
    return gr_cstr(gr_get(call, "id"), "");
}

/* highest gives the highest number that a message's calls have. */
static unsigned long highest(const gr_value *message, unsigned long so_far)
{
    const gr_value *calls = gr_get(message, "tool_calls");

    for (size_t i = 0; i < gr_len(calls); i++) {
        const char *id = id_of(gr_at(calls, i));
        char *end = NULL;
        unsigned long number;

        if (strncmp(id, PREFIX, strlen(PREFIX)) != 0)
            continue;
        number = strtoul(id + strlen(PREFIX), &end, 10);
        if (*end == '\0' && number < NUMBER_MAX && number > so_far)
            so_far = number;
    }
    return so_far;
}

static bool lacks_ids(const gr_value *calls)
{
    for (size_t i = 0; i < gr_len(calls); i++)
        if (id_of(gr_at(calls, i))[0] == '\0')
            return true;
    return false;
}

gr_value *gri_with_call_ids(const gr_value *messages, gr_value *message)
{
    const gr_value *calls = gr_get(message, "tool_calls");
    unsigned long number = highest(message, 0);
    gr_value *list;

    if (!lacks_ids(calls))
        return message;
    for (size_t i = 0; i < gr_len(messages); i++)
        number = highest(gr_at(messages, i), number);
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(calls); i++) {
        gr_value *call = gr_value_ref(gr_at(calls, i));

        if (id_of(call)[0] == '\0')
            call = gr_set(call, "id", gr_strf(PREFIX "%lu", ++number));
        list = gr_append(list, call);
    }
    return gr_set(message, "tool_calls", list);
}
