/* SPDX-License-Identifier: Apache-2.0 */
/* length_selector.c - gr_length_selector: the first examples that fit into so many words. */
#include <greenroom/few_shot.h>

#include <string.h>

#include "actors/prompt/chat_template.h"
#include "actors/prompt/examples.h"
#include "runtime/base/alloc.h"

#define MAX_LENGTH_DEFAULT 2048
#define EXAMPLES_MAX_DEFAULT 65536

/* What the spawn arguments hold. */
struct settings {
    struct gri_template *example; /* owned */
    gr_value *examples;           /* counted */
    size_t max_length, examples_max;
};

struct selector {
    gr_value *examples; /* counted */
    gr_value *lengths;  /* counted; a number for each */
};

static void drop_settings(void *p)
{
    struct settings *s = p;

    if (s == NULL)
        return;
    gri_template_free(s->example);
    gr_value_unref(s->examples);
    gri_free(s);
}

/* words_of counts as re.split("\n| ", text) does: one more than there are blanks and line ends. */
static size_t words_of(const struct gri_strbuf *b)
{
    size_t n = 1;

    for (size_t i = 0; i < b->len; i++)
        n += b->data[i] == ' ' || b->data[i] == '\n';
    return n;
}

static gr_value *length_of(const struct settings *s, const gr_value *example)
{
    struct gri_strbuf b = { .max = GRI_PROMPT_BYTES_MAX };
    gr_value *n;

    gri_template_print(s->example, example, &b);
    n = b.failed ? gr_error(GR_ENOMEM, "out of memory for an example")
                 : gr_int((int64_t)words_of(&b));
    gri_strbuf_fini(&b);
    return n;
}

/* add takes an example in; NULL, or why not. */
static gr_value *add(struct selector *self, const struct settings *s, const gr_value *example)
{
    gr_value *length;

    if (gr_value_type(example) != GR_MAP)
        return gr_error(GR_ETYPE, "an example is a map, not of type %s",
                        gr_type_name(gr_value_type(example)));
    if (gr_len(self->examples) >= s->examples_max)
        return gr_error(GR_EFULL, "there are %zu examples already", s->examples_max);
    length = length_of(s, example);
    if (gr_error_code(length) != GR_OK)
        return length;
    self->lengths = gr_append(self->lengths, length);
    self->examples = gr_append(self->examples, gr_value_ref(example));
    return gr_error_code(self->examples) == GR_OK ? NULL : gr_value_ref(self->examples);
}

static gr_code selector_init(gr_ctx *c, void *state, const gr_value *args)
{
    struct selector *self = state;
    const struct settings *s = gr_as_opaque(args);
    gr_value *err = NULL;

    self->examples = gr_list_n(NULL, 0);
    self->lengths = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(s->examples) && err == NULL; i++)
        err = add(self, s, gr_at(s->examples, i));
    return err == NULL ? GR_OK : gr_fail(c, err);
}

static void selector_stopped(void *state, const gr_value *args)
{
    struct selector *self = state;

    (void)args;
    gr_value_unref(self->examples);
    gr_value_unref(self->lengths);
}

/* words_given counts the words of the prompt's variables, one behind the other. */
static size_t words_given(const gr_value *vars)
{
    struct gri_strbuf b = { .max = GRI_PROMPT_BYTES_MAX };
    const char *key;
    size_t n;

    for (size_t i = 0; i < gr_len(vars); i++) {
        if (i > 0)
            gri_strbuf_addc(&b, ' ');
        gri_print_value(&b, gr_pair_at(vars, i, &key));
    }
    n = b.failed ? SIZE_MAX : words_of(&b);
    gri_strbuf_fini(&b);
    return n;
}

static gr_value *select_examples(gr_ctx *c, void *state, const gr_value *vars)
{
    struct selector *self = state;
    const struct settings *s = gr_as_opaque(gr_args(c));
    size_t given, left;
    gr_value *list = gr_list_n(NULL, 0);

    if (gr_value_type(vars) != GR_MAP) {
        gr_value_unref(list);
        return gr_error(GR_ETYPE, "examples are selected for a map of variables, not for a %s",
                        gr_type_name(gr_value_type(vars)));
    }
    given = words_given(vars);
    left = given < s->max_length ? s->max_length - given : 0;
    for (size_t i = 0; i < gr_len(self->examples) && left > 0; i++) {
        size_t length = (size_t)gr_as_int(gr_at(self->lengths, i), 0);

        if (length > left)
            break;
        left -= length;
        list = gr_append(list, gr_value_ref(gr_at(self->examples, i)));
    }
    return list;
}

static gr_value *add_example(gr_ctx *c, void *state, const gr_value *example)
{
    gr_value *err = add(state, gr_as_opaque(gr_args(c)), example);

    return err != NULL ? err : gr_nil();
}

static const gr_method selector_methods[] = {
    { "select_examples", GR_CHEAP, select_examples, NULL },
    { "add_example", GR_CHEAP, add_example, NULL },
};
static const gr_class selector_class =
    GR_CLASS(.name = "LengthBasedExampleSelector", .state_size = sizeof(struct selector),
             .init = selector_init, .stopped = selector_stopped, GR_METHODS(selector_methods));

/* read_opts takes the examples, if they are there. */
static gr_value *read_opts(const gr_length_selector_opts *o, struct settings *s)
{
    gr_value *err = NULL;

    if (s == NULL) {
        gr_value_unref(o->examples);
        return gr_error(GR_ENOMEM, "out of memory for a selector");
    }
    s->examples = o->examples != NULL ? o->examples : gr_list_n(NULL, 0);
    s->max_length = o->max_length != 0 ? o->max_length : MAX_LENGTH_DEFAULT;
    s->examples_max = o->examples_max != 0 ? o->examples_max : EXAMPLES_MAX_DEFAULT;
    if (o->example == NULL)
        return gr_error(GR_EINVAL, "a selector by length needs the template of an example");
    (void)gri_template_read(o->example, strlen(o->example), o->format, &s->example, &err);
    return err != NULL ? err : gri_examples_list_check(s->examples);
}

gr_ref gr_length_selector(gr_scope *in, const gr_length_selector_opts *opts)
{
    static const gr_length_selector_opts none = { .size = sizeof(none) };
    struct settings *s = gri_new0(struct settings);
    gr_value *args = read_opts(opts != NULL ? opts : &none, s);

    if (args != NULL)
        drop_settings(s);
    else
        args = gr_opaque(s, drop_settings);
    return gr_spawn(in, &selector_class, GR_SPAWN(.args = args));
}
