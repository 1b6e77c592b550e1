/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_rules.c - what interrupt_on may say.
 *
 * Whatever is mistyped there would let calls pass that somebody wants to be asked about, so all of it is looked at: that
 * rules are booleans or maps, their keys, their decisions, and that there is a tool for each.
 */
#include <string.h>

#include "actors/agent/agent.h"
#include "actors/tool/tool_names.h"

/* check_decisions looks at what a rule allows; NULL, or what is wrong. */
static gr_value *check_decisions(const char *name, const gr_value *allowed)
{
    if (allowed != NULL && (gr_value_type(allowed) != GR_LIST || gr_len(allowed) == 0))
        return gr_error(
            GR_ETYPE,
            "agent: interrupt_on: '%s': allowed_decisions must be a list with something in it",
            name);
    for (size_t i = 0; i < gr_len(allowed); i++)
        if (!gri_is_decision(gr_cstr(gr_at(allowed, i), "")))
            return gr_error(GR_EINVAL,
                            "agent: interrupt_on: '%s': there is no decision '%s', but approve, "
                            "edit, reject and respond",
                            name, gr_cstr(gr_at(allowed, i), "?"));
    return NULL;
}

/* check_rule: a key that is not known would be a limit that does not hold. */
static gr_value *check_rule(const char *name, const gr_value *rule)
{
    const char *key = NULL;

    if (gr_value_type(rule) != GR_MAP && gr_value_type(rule) != GR_BOOL)
        return gr_error(GR_ETYPE,
                        "agent: interrupt_on: '%s' must be true, false or a map, not of type %s",
                        name, gr_type_name(gr_value_type(rule)));
    for (size_t i = 0; gr_value_type(rule) == GR_MAP && i < gr_len(rule); i++) {
        (void)gr_pair_at(rule, i, &key);
        if (strcmp(key, "allowed_decisions") != 0 && strcmp(key, "description") != 0 &&
            strcmp(key, "args_schema") != 0)
            return gr_error(GR_EINVAL,
                            "agent: interrupt_on: '%s' has '%s', not only allowed_decisions, "
                            "description and args_schema",
                            name, key);
    }
    return check_decisions(name, gr_get(rule, "allowed_decisions"));
}

gr_value *gri_rules_check(const gr_value *rules)
{
    const char *name = NULL;
    gr_value *err = NULL;

    if (rules != NULL && gr_value_type(rules) != GR_MAP)
        return gr_error(GR_ETYPE, "agent: interrupt_on must be a map of tools' names");
    for (size_t i = 0; err == NULL && i < gr_len(rules); i++) {
        const gr_value *rule = gr_pair_at(rules, i, &name);

        err = check_rule(name, rule);
    }
    return err;
}

gr_value *gri_rules_check_names(const gr_value *rules, const gr_value *names)
{
    const char *name = NULL;

    for (size_t i = 0; i < gr_len(rules); i++) {
        (void)gr_pair_at(rules, i, &name);
        if (!gri_tool_names_have(names, name))
            return gri_tool_names_unknown("agent: interrupt_on", name, names);
    }
    return NULL;
}
