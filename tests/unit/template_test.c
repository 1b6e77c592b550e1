/* SPDX-License-Identifier: Apache-2.0 */
/* template_test.c - reading templates, filling them in, and what is said when that can't be
 * done. */
#include <greenroom/codec.h>

#include <stdio.h>
#include <string.h>

#include "actors/prompt/template.h"
#include "actors/prompt/vars.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

/* filled is what template makes of the variables, or the error's text; free with gr_value_unref. */
static gr_value *filled(const char *text, const char *vars_json)
{
    struct gri_template *t = NULL;
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *err = NULL, *vars, *got;

    if (gri_template_parse(text, strlen(text), &t, &err) != GR_OK)
        return err;
    vars = gr_json_parse(vars_json, strlen(vars_json), NULL);
    gri_template_print(t, vars, &b);
    got = gri_strbuf_value(&b);
    gr_value_unref(vars);
    gri_template_free(t);
    return got;
}

static bool makes(const char *text, const char *vars_json, const char *want)
{
    gr_value *got = filled(text, vars_json);
    bool same = strcmp(gr_cstr(got, "?"), want) == 0;

    if (!same)
        fprintf(stderr, "got %s %s\n", gr_cstr(got, "?"), gr_error_text(got));
    gr_value_unref(got);
    return same;
}

static bool fails(const char *text, const char *with)
{
    gr_value *got = filled(text, "{}");
    bool same = gr_error_code(got) == GR_EINVAL && strstr(gr_error_text(got), with) != NULL;

    if (!same)
        fprintf(stderr, "got %s\n", gr_error_text(got));
    gr_value_unref(got);
    return same;
}

Test(template, puts_variables_in)
{
    cr_assert(makes("Hi {name}!", "{\"name\":\"Ann\"}", "Hi Ann!"));
    cr_assert(makes("{a}{b}{a}", "{\"a\":\"1\",\"b\":\"2\"}", "121"));
    cr_assert(makes("", "{}", ""));
    cr_assert(makes("{_x1}", "{\"_x1\":\"ü\"}", "ü"));
}

Test(template, doubled_braces_are_braces)
{
    cr_assert(makes("{{x}} {{{a}}}", "{\"a\":\"1\"}", "{x} {1}"));
    cr_assert(makes("}}{{", "{}", "}{"));
}

Test(template, prints_other_kinds)
{
    cr_assert(makes("{v}", "{\"v\":12}", "12"));
    cr_assert(makes("{v}", "{\"v\":true}", "true"));
    cr_assert(makes("{v}", "{\"v\":null}", ""));
    cr_assert(makes("{v}", "{\"v\":[1,\"a\"]}", "[1, \"a\"]"));
    cr_assert(makes("{v}", "{\"v\":{\"type\":\"ai\",\"content\":\"said\"}}", "said"));
}

Test(template, errors_have_a_position)
{
    cr_assert(fails("Hi {name", "line 1, column 4: expected '}'"));
    cr_assert(fails("a\nbü}", "line 2, column 3: a '}' without its '{'"));
    cr_assert(fails("{}", "line 1, column 2: expected a variable's name"));
    cr_assert(fails("{a.b}", "line 1, column 3"));
    cr_assert(fails("{a!r}", "line 1, column 3"));
    cr_assert(fails("{1a}", "line 1, column 2"));
    cr_assert(fails("{", "line 1, column 1"));
}

Test(template, lists_its_variables_once)
{
    struct gri_template *t = NULL;
    gr_value *err = NULL;

    cr_assert_eq(gri_template_parse("{b}{a}{b}", 9, &t, &err), GR_OK);
    cr_assert_str_eq(gri_template_var(t, 0), "b");
    cr_assert_str_eq(gri_template_var(t, 1), "a");
    cr_assert_null(gri_template_var(t, 2));
    gri_template_free(t);
}

Test(template, missing_variables_are_named)
{
    gr_value *names = gr_list(gr_str("foo"), gr_str("bar"), gr_str("baz"));
    gr_value *vars = gr_map(GR_KV("bar", gr_int(1)), GR_KV("more", gr_int(2)));
    gr_value *err = gri_vars_check("PromptTemplate", names, vars);

    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "KeyError");
    cr_assert_not_null(strstr(gr_error_text(err), "missing variables {'foo', 'baz'}"));
    cr_assert_not_null(strstr(gr_error_text(err), "Received: ['bar', 'more']"));
    gr_value_unref(err);
    gr_value_unref(vars);
    vars = gr_map(GR_KV("foo", gr_nil()), GR_KV("bar", gr_nil()), GR_KV("baz", gr_nil()));
    cr_assert_null(gri_vars_check("PromptTemplate", names, vars));
    gr_value_unref(vars);
    vars = gr_str("x");
    err = gri_vars_check("PromptTemplate", names, vars);
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
    gr_value_unref(err);
    gr_value_unref(vars);
    gr_value_unref(names);
}

Test(template, the_only_variable_takes_any_input)
{
    gr_value *names = gr_list(gr_str("q")), *input = gr_str("x");
    gr_value *vars = gri_vars_take(input, names);

    cr_assert_str_eq(gr_cstr(gr_get(vars, "q"), ""), "x");
    gr_value_unref(vars);
    gr_value_unref(input);
    gr_value_unref(names);
}

static void fill_all(void)
{
    gr_value_unref(filled("a {b} {{c}} {d} {b}", "{\"b\":[1,2],\"d\":\"x\"}"));
    gr_value_unref(filled("a {b", "{}"));
}

Test(template, no_allocation_is_trusted)
{
    long before = test_memory_live();

    for (long n = 1; test_memory_fail_at(n), fill_all(), test_memory_reached(); n++)
        cr_assert_eq(test_memory_live(), before, "after allocation %ld", n);
}
