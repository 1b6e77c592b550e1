/* SPDX-License-Identifier: Apache-2.0 */
/* boolean_parser.c - gr_boolean_parser: yes or no, as a word anywhere in a text. */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>

#include <string.h>

#include "actors/compose/describe.h"
#include "actors/parse/parsing.h"

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           ((unsigned char)c & 0x80) != 0;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* has_word tells whether a word stands in a text by itself, in letters of any size (of ASCII). */
static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word), i;

    for (const char *p = text; *p != '\0'; p++) {
        if (p > text && is_word_char(p[-1]) && is_word_char(p[0]))
            continue;
        for (i = 0; i < len && p[i] != '\0' && upper(p[i]) == upper(word[i]); i++)
            ;
        if (i == len && !(is_word_char(p[len]) && is_word_char(p[len - 1])))
            return true;
    }
    return false;
}

static gr_value *boolean_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const char *yes = gr_cstr(gr_at(gr_args(c), 0), ""), *no = gr_cstr(gr_at(gr_args(c), 1), "");
    gr_value *text = gr_message_text(input), *v;
    bool true_there, false_there;

    (void)self;
    if (gr_error_code(text) != GR_OK)
        return text;
    true_there = has_word(gr_cstr(text, ""), yes);
    false_there = has_word(gr_cstr(text, ""), no);
    if (true_there != false_there)
        v = gr_bool(true_there);
    else if (true_there)
        v = gri_parse_error(text, "ambiguous: both %s and %s are in the answer", yes, no);
    else
        v = gri_parse_error(text, "expected %s or %s in the answer", yes, no);
    gr_value_unref(text);
    return v;
}

static gr_value *boolean_instructions(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gr_strf("Answer with %s or %s, and nothing else.", gr_cstr(gr_at(gr_args(c), 0), ""),
                   gr_cstr(gr_at(gr_args(c), 1), ""));
}

static gr_value *boolean_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("BooleanOutputParser", NULL, gri_schema_of_type("boolean"));
}

static const gr_method boolean_methods[] = {
    { "invoke", GR_CHEAP, boolean_invoke, NULL },
    { "get_format_instructions", GR_CHEAP, boolean_instructions, NULL },
    { "describe", GR_CHEAP, boolean_describe, NULL },
};
static const gr_class boolean_class =
    GR_CLASS(.name = "BooleanOutputParser", .run_type = GR_TYPE_PARSER,
             GR_METHODS(boolean_methods));

gr_ref gr_boolean_parser(gr_scope *in, const char *true_val, const char *false_val)
{
    const char *yes = true_val != NULL ? true_val : "YES";
    const char *no = false_val != NULL ? false_val : "NO";
    gr_value *args = gr_list(gr_str(yes), gr_str(no));

    if (yes[0] == '\0' || no[0] == '\0') {
        gr_value_unref(args);
        args = gr_error(GR_EINVAL, "boolean_parser: a word is empty");
    }
    return gr_spawn(in, &boolean_class, GR_SPAWN(.args = args));
}
