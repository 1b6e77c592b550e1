/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.h - prompt templates: a map of variables in, a prompt out.
 *
 * A template is text with {name} where a variable goes, and {{ and }} for the braces themselves:
 * the plain part of Python's f-strings. A name is letters, digits and _, and does not start with a
 * digit; there are no formats, indices or attributes. A variable that is not a string is printed:
 * numbers and booleans as in JSON, messages as their text, lists and maps as JSON, nil as nothing.
 * Variables that the template does not name are ignored.
 *
 * Templates are read once, when the prompt is made. A bad one gives a broken ref: GR_EINVAL "line
 * 1, column 7: …". A missing variable: GR_EINVAL of kind "KeyError", whose text names what is
 * missing and what was received. Input that is not a map is the value of the only variable that must
 * be there, if there is just one; else it is GR_ETYPE, but for nil where none must be there, and for a template
 * without variables.
 */
#ifndef GREENROOM_PROMPT_H
#define GREENROOM_PROMPT_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Mustache, GR_MUSTACHE, is the other form: {{name}}, with & " < > escaped as HTML does, {{{name}}} and
 * {{&name}} without that; {{#name}}…{{/name}} for each element of a list, or once with what is neither
 * false nor empty; {{^name}}…{{/name}} otherwise; {{! comments}}; dotted names. It runs no code: partials, lambdas and other
 * delimiters are refused. What a template names outside of its sections, and the sections, must be there.
 * Sections nest at most 32 deep, and a printing that goes over a million tags is GR_ENOMEM.
 */
typedef enum gr_template_format { GR_FSTRING = 0, GR_MUSTACHE = 1 } gr_template_format;

/* gr_prompt answers with a string, which models take as one human message: PromptTemplate. [any] */
GR_API gr_ref gr_prompt(gr_scope *in, const char *tmpl);

typedef struct gr_prompt_opts {
    size_t size;
    /* taken; a map of variables that need not be in the input, which may have them all the same:
     * partial_variables, and what partial() makes */
    gr_value *partial;
    gr_template_format format;
} gr_prompt_opts;
#define GR_PROMPT(...) GR_OPT(gr_prompt_opts, __VA_ARGS__)
/* gr_prompt_for is gr_prompt with options. partial that is no map: broken, GR_ETYPE. [any] */
GR_API gr_ref gr_prompt_for(gr_scope *in, const gr_prompt_opts *opts, const char *tmpl);

/*
 * gr_chat_prompt answers with a list of messages (message.h): ChatPromptTemplate. Each role is one
 * of gr_message's with a template for the content; or "placeholder", whose text is the name of a
 * variable, braced or not, that holds a list of messages: as in LangChain nothing is put there when it
 * is missing; or "messages", the same but that it must be there: MessagesPlaceholder. What is no list:
 * GR_ETYPE.
 *
 *   gr_chat_prompt(in, GR_ROLE("system", "Answer in {language}."),
 *                      GR_ROLE("placeholder", "{history}"), GR_ROLE("human", "{question}"));
 *
 * A content may be a list of blocks instead: every text in it, also in the maps and lists within, is a
 * template then, so that an image's URL may be a variable:
 *
 *   GR_BLOCKS("human", gr_list(gr_map(GR_KV("type", gr_str("text")), GR_KV("text", gr_str("What is {x}?"))),
 *       gr_map(GR_KV("type", gr_str("image_url")), GR_KV("image_url", gr_map(GR_KV("url", gr_str("{url}")))))))
 * [any]
 */
typedef struct gr_role {
    const char *role;
    const char *tmpl;
    size_t n_messages; /* of a placeholder: at most so many, the last ones; 0: all */
    gr_value *content; /* taken; a list of blocks, instead of tmpl */
} gr_role;
#define GR_ROLE(r, t) { (r), (t), 0, NULL }
#define GR_BLOCKS(r, c) { (r), NULL, 0, (c) }
#define GR_MESSAGES(name, n) { "messages", (name), (n), NULL }
GR_API gr_ref gr_chat_prompt_n(gr_scope *in, const gr_role *roles, size_t count);
#define gr_chat_prompt(in, ...) gr_chat_prompt_n((in), GR_ARR(gr_role, __VA_ARGS__))
/* gr_chat_prompt_for is gr_chat_prompt with options. [any] */
GR_API gr_ref gr_chat_prompt_for_n(gr_scope *in, const gr_prompt_opts *opts, const gr_role *roles,
                                   size_t count);
#define gr_chat_prompt_for(in, opts, ...)                                                          \
    gr_chat_prompt_for_n((in), (opts), GR_ARR(gr_role, __VA_ARGS__))

/*
 * gr_format puts the variables of a map into a template (GR_FSTRING), without an actor. Returns the string, or
 * an error value as above. [any]
 */
GR_API gr_value *gr_format(const char *tmpl, const gr_value *vars);

#ifdef __cplusplus
}
#endif
#endif
