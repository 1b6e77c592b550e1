/* SPDX-License-Identifier: Apache-2.0 */
/* agent.c - gr_agent: making one, and its verbs. */
#include "actors/agent/agent.h"

#include <string.h>

#include "actors/tool/tool_names.h"
#include "runtime/base/alloc.h"

static void agent_free(void *p)
{
    struct gri_agent *a = p;

    gri_tool_node_fini(&a->node);
    gr_schema_free(a->format);
    gr_value_unref(a->prompt);
    gr_value_unref(a->interrupt_on);
    gr_value_unref(a->prices);
    gri_free(a);
}

static gr_value *agent_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return gri_agent_run(c, input, false);
}

static gr_code agent_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *input)
{
    gr_value *state = gri_agent_run(c, input, true);

    (void)self;
    (void)in;
    if (gr_error_code(state) != GR_OK)
        return gr_fail(c, state);
    gr_value_unref(state);
    return GR_OK;
}

static const gr_method agent_methods[] = {
    { "invoke", GR_ASYNC, agent_invoke, NULL },
    { "stream", GR_ASYNC, NULL, agent_stream },
};
static const gr_class agent_class = GR_CLASS(.name = "Agent", GR_METHODS(agent_methods));

/* ---- options --------------------------------------------------------------------------------------- */

static unsigned mode_of(const char *name)
{
    if (name == NULL || strcmp(name, "updates") == 0)
        return GRI_UPDATES;
    if (strcmp(name, "values") == 0)
        return GRI_VALUES;
    return strcmp(name, "messages") == 0 ? GRI_MESSAGES : 0;
}

/* check_known looks whether interrupt_on names tools, if their names are known by now. Else a run does. */
static gr_value *check_known(const struct gri_agent *a, gr_scope *in, const gr_ref *tools,
                             size_t count)
{
    gr_value *names = a->interrupt_on != NULL ? gri_tool_names_known(in, tools, count) : NULL;
    gr_value *err = NULL;

    if (names != NULL && gr_error_code(names) != GR_OK)
        return names;
    if (names != NULL)
        err = gri_rules_check_names(a->interrupt_on, names);
    gr_value_unref(names);
    return err;
}

/* check looks at what is not looked at elsewhere; NULL, or what is wrong. */
static gr_value *check(const struct gri_agent *a)
{
    gr_type prompt = gr_value_type(a->prompt);

    if (a->modes == 0)
        return gr_error(GR_EINVAL, "agent: stream_mode must be updates, values or messages");
    if (prompt != GR_NIL && prompt != GR_STR && prompt != GR_MAP && prompt != GR_REFV)
        return gr_error(GR_ETYPE,
                        "agent: prompt must be a text, a message or a ref, not of type %s",
                        gr_type_name(prompt));
    if (a->prices != NULL && gr_value_type(a->prices) != GR_MAP)
        return gr_error(GR_ETYPE, "agent: prices must be a map");
    if (a->cost_max > 0 && a->prices == NULL)
        return gr_error(GR_EINVAL, "agent: cost_max needs prices");
    return gri_rules_check(a->interrupt_on);
}

/* given gives a broken value among the options; NULL: there is none. */
static gr_value *broken_among(const gr_agent_opts *o)
{
    gr_value *const all[] = { o->prompt, o->handle_tool_errors, o->response_format, o->prices,
                              o->interrupt_on };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i] != NULL && gr_error_code(all[i]) != GR_OK)
            return gr_value_ref(all[i]);
    return NULL;
}

/* fill reads the options into a, which takes what they have; NULL, or what is wrong. */
static gr_value *fill(struct gri_agent *a, gr_scope *in, gr_ref model, const gr_agent_opts *o,
                      const gr_ref *tools, size_t count)
{
    gr_value *err = broken_among(o), *wrong;

    a->model = model;
    a->history = o->history;
    a->pre_hook = o->pre_model_hook;
    a->post_hook = o->post_model_hook;
    a->prompt = o->prompt;
    a->interrupt_on = o->interrupt_on;
    a->prices = o->prices;
    a->parallel = o->parallel;
    a->model_calls_max = o->model_calls_max;
    a->tool_calls_max = o->tool_calls_max;
    a->tokens_max = o->tokens_max;
    a->cost_max = o->cost_max;
    a->limits_fail = o->limits_fail;
    a->modes = mode_of(o->stream_mode);
    wrong = gri_tool_node_init(&a->node, in, tools, count,
                               GR_TOOL_NODE(.handle_tool_errors = o->handle_tool_errors,
                                            .max_concurrency = o->max_concurrency,
                                            .timeout_ms = o->tool_timeout_ms));
    if (wrong == NULL)
        wrong = check(a);
    if (wrong == NULL)
        wrong = check_known(a, in, tools, count);
    if (wrong == NULL)
        wrong = gri_format_read(a, o->response_format, o->response_method);
    else
        gr_value_unref(o->response_format);
    if (err != NULL && wrong != NULL)
        gr_value_unref(wrong);
    return err != NULL ? err : wrong;
}

static void drop_opts(const gr_agent_opts *o)
{
    gr_value_unref(o->prompt);
    gr_value_unref(o->handle_tool_errors);
    gr_value_unref(o->response_format);
    gr_value_unref(o->prices);
    gr_value_unref(o->interrupt_on);
}

/* broken_part finds a ref among the parts that names nobody; false: there is none. */
static bool broken_part(gr_scope *in, gr_ref model, const gr_agent_opts *o, const gr_ref *tools,
                        size_t count, gr_ref *ret)
{
    const gr_ref optional[] = { o->history, o->pre_model_hook, o->post_model_hook };

    *ret = model;
    if (gri_ref_broken(in, model))
        return true;
    for (size_t i = 0; i < count; i++)
        if (*ret = tools[i], gri_ref_broken(in, tools[i]))
            return true;
    for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
        if (*ret = optional[i], gri_is_ref(optional[i]) && gri_ref_broken(in, optional[i]))
            return true;
    return false;
}

gr_ref gr_agent_n(gr_scope *in, gr_ref model, const gr_agent_opts *opts, const gr_ref *tools,
                  size_t count)
{
    static const gr_agent_opts none = { .size = sizeof(none) };
    const gr_agent_opts *o = opts != NULL ? opts : &none;
    const char *name = o->name != NULL ? o->name : "agent";
    struct gri_agent *a;
    gr_value *err;
    gr_ref broken;

    if (broken_part(in, model, o, tools, count, &broken)) {
        drop_opts(o);
        return broken;
    }
    a = gri_new0(struct gri_agent);
    if (a == NULL) {
        drop_opts(o);
        return gri_compose_spawn(in, &agent_class, name, gri_no_memory());
    }
    err = fill(a, in, model, o, tools, count);
    if (err != NULL)
        agent_free(a);
    return gri_compose_spawn(in, &agent_class, name, err != NULL ? err : gr_opaque(a, agent_free));
}
