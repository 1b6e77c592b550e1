/* SPDX-License-Identifier: Apache-2.0 */
/* examples.c - see the header. */
#include "actors/prompt/examples.h"

#include <stdio.h>

#include "actors/prompt/vars.h"

gr_value *gri_examples_list_check(const gr_value *list)
{
    if (gr_error_code(list) != GR_OK)
        return list != NULL ? gr_value_ref(list) : gr_error(GR_EINVAL, "no examples");
    if (gr_value_type(list) != GR_LIST)
        return gr_error(GR_ETYPE, "examples: expected a list of maps, got a value of type %s",
                        gr_type_name(gr_value_type(list)));
    for (size_t i = 0; i < gr_len(list); i++)
        if (gr_value_type(gr_at(list, i)) != GR_MAP)
            return gr_error(GR_ETYPE, "example %zu is a value of type %s, not a map", i + 1,
                            gr_type_name(gr_value_type(gr_at(list, i))));
    return NULL;
}

gr_value *gri_examples_read(gr_value *list, gr_ref selector, struct gri_examples *ret)
{
    bool chosen = selector.id != 0;
    gr_value *err;

    if (chosen == (list != NULL))
        err = gr_error(GR_EINVAL, "examples, or a selector of them: one of the two");
    else
        err = chosen ? NULL : gri_examples_list_check(list);
    if (err != NULL)
        gr_value_unref(list);
    else
        *ret = (struct gri_examples){ list, selector };
    return err;
}

static gr_value *get(gr_ctx *c, const struct gri_examples *e, const gr_value *vars)
{
    gr_value *err = NULL, *list, *wrong;

    if (e->list != NULL)
        return gr_value_ref(e->list);
    list = gr_do(gr_runtime_of(c), e->selector, "select_examples", gr_value_ref(vars), NULL, &err);
    if (list == NULL)
        return err;
    wrong = gri_examples_list_check(list);
    if (wrong == NULL)
        return list;
    gr_value_unref(list);
    return wrong;
}

gr_value *gri_example_lacks(const gr_value *names, const gr_value *example, size_t index)
{
    char who[40];

    snprintf(who, sizeof(who), "example %zu", index + 1);
    return gri_vars_check(who, names, example);
}

gr_value *gri_examples_fill(gr_ctx *c, const char *who, const struct gri_examples *e,
                            gri_examples_print *print, const gr_value *input)
{
    const gr_value *args = gr_args(c);
    gr_value *vars = gri_vars_given(input, gr_get(args, "names"), gr_get(args, "partial"));
    gr_value *answer = gri_vars_check(who, gr_get(args, "names"), vars);

    if (answer == NULL) {
        gr_value *examples = get(c, e, vars);

        answer =
            gr_error_code(examples) != GR_OK ? gr_value_ref(examples) : print(e, examples, vars);
        gr_value_unref(examples);
    }
    gr_value_unref(vars);
    return answer;
}
