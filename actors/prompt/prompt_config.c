/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_config.c - gr_load_prompt and gr_prompt_of_config: prompts from their descriptions.
 *
 * A description is data. What it is made into is chosen here by its _type, or by the last part of a constructor's id, out of
 * a fixed few; it can't name anything else.
 */
#include <greenroom/few_shot.h>
#include <greenroom/message.h>
#include <greenroom/messages.h>
#include <greenroom/prompt_file.h>
#include <greenroom/structured_prompt.h>

#include <string.h>

#include "actors/prompt/prompt_config.h"
#include "actors/prompt/prompt_source.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

/* refused is a prompt that says what is wrong. */
static gr_ref refused(gr_scope *in, gr_value *err)
{
    return gr_prompt_for(in, GR_PROMPT(.partial = err), "");
}

/* is_class tells whether v is the constructor of a class of that name. */
bool gri_prompt_is_class(const gr_value *v, const char *name)
{
    const gr_value *path = gr_get(v, "id");

    return gr_get(v, "lc") != NULL && gr_len(path) > 0 &&
           strcmp(gr_cstr(gr_get(v, "type"), ""), "constructor") == 0 &&
           strcmp(gr_cstr(gr_at(path, gr_len(path) - 1), ""), name) == 0;
}

const gr_value *gri_prompt_kwargs(const gr_value *v)
{
    return gr_get(v, "lc") != NULL ? gr_get(v, "kwargs") : v;
}

gr_value *gri_prompt_format(const gr_value *config, gr_template_format *ret_format)
{
    const char *name = gr_cstr(gr_get(config, "template_format"), "f-string");

    *ret_format = strcmp(name, "mustache") == 0 ? GR_MUSTACHE : GR_FSTRING;
    if (strcmp(name, "jinja2") == 0)
        return gr_error(
            GR_EINVAL,
            "template_format jinja2: such templates run code, so they are not supported; "
            "write it as f-string or mustache");
    if (*ret_format != GR_MUSTACHE && strcmp(name, "f-string") != 0)
        return gr_error(GR_EINVAL, "template_format '%.40s': expected f-string or mustache", name);
    if (!gr_is_nil(gr_get(config, "output_parser")))
        return gr_error(GR_EINVAL, "output_parser: a parser is a step behind the model");
    return NULL;
}

static gr_value *partial_of(const gr_value *config)
{
    const gr_value *partial = gr_get(config, "partial_variables");

    return gr_is_nil(partial) ? NULL : gr_value_ref(partial);
}

static gr_ref of_prompt(const struct gri_prompt_source *s, const gr_value *config)
{
    gr_template_format format;
    gr_value *err = gri_prompt_format(config, &format), *text;
    gr_ref ref;

    if (err != NULL)
        return refused(s->in, err);
    text = gri_source_part(s, config, "template");
    if (gr_is_nil(text))
        text = gr_error(GR_EINVAL, "a prompt without a template");
    if (gr_error_code(text) != GR_OK)
        return refused(s->in, text);
    ref = gr_prompt_for(s->in, GR_PROMPT(.partial = partial_of(config), .format = format),
                        gr_cstr(text, ""));
    gr_value_unref(text);
    return ref;
}

/* ---- few-shot -------------------------------------------------------------------------------- */

/* examples_of gives the list, which may be in a file. */
static gr_value *examples_of(const struct gri_prompt_source *s, const gr_value *config)
{
    const gr_value *examples = gr_get(config, "examples");

    if (gr_value_type(examples) == GR_STR)
        return gri_source_data(s, gr_cstr(examples, ""));
    return gr_value_type(examples) == GR_LIST
               ? gr_value_ref(examples)
               : gr_error(GR_EINVAL, "examples: expected a list, or the name of a file with one");
}

/* example_of gives the template of an example. */
static gr_value *example_of(const struct gri_prompt_source *s, const gr_value *config)
{
    const gr_value *path = gr_get(config, "example_prompt_path"), *own;
    gr_value *inner, *text;

    own = gr_get(config, "example_prompt");
    if (gr_value_type(path) == GR_STR)
        inner = gri_source_data(s, gr_cstr(path, ""));
    else
        inner = gr_value_type(own) == GR_MAP ? gr_value_ref(own)
                                             : gr_error(GR_EINVAL, "no example_prompt");
    if (gr_error_code(inner) != GR_OK)
        return inner;
    text = gri_source_part(s, gri_prompt_kwargs(inner), "template");
    gr_value_unref(inner);
    return gr_is_nil(text) ? gr_error(GR_EINVAL, "example_prompt: no template") : text;
}

enum { EXAMPLES, EXAMPLE, PREFIX, SUFFIX, PARTS };

static gr_ref of_few_shot(const struct gri_prompt_source *s, const gr_value *config)
{
    gr_template_format format;
    gr_value *err = gri_prompt_format(config, &format), *part[PARTS] = { NULL };
    gr_ref ref = { 0, 0 };

    if (err != NULL)
        return refused(s->in, err);
    part[EXAMPLES] = examples_of(s, config);
    part[EXAMPLE] = example_of(s, config);
    part[PREFIX] = gri_source_part(s, config, "prefix");
    part[SUFFIX] = gri_source_part(s, config, "suffix");
    for (size_t i = 0; i < PARTS && err == NULL; i++)
        if (gr_error_code(part[i]) != GR_OK)
            err = gr_value_ref(part[i]);
    if (err != NULL)
        ref = refused(s->in, err);
    else
        ref = gr_few_shot_prompt(
            s->in, GR_FEW_SHOT(.examples = gr_value_ref(part[EXAMPLES]),
                               .example = gr_cstr(part[EXAMPLE], NULL),
                               .prefix = gr_cstr(part[PREFIX], NULL),
                               .suffix = gr_cstr(part[SUFFIX], NULL),
                               .separator = gr_cstr(gr_get(config, "example_separator"), NULL),
                               .partial = partial_of(config), .format = format));
    for (size_t i = 0; i < PARTS; i++)
        gr_value_unref(part[i]);
    return ref;
}

/* ---- chat ------------------------------------------------------------------------------------ */

/* schema_of gives what makes a chat prompt a structured one, or NULL. */
static const gr_value *schema_of(const gr_value *config)
{
    const gr_value *schema = gr_get(config, "schema_");

    return schema != NULL ? schema : gr_get(config, "schema");
}

/* check_structured refuses a schema that is no data, and what with_structured_output knows elsewhere only. NULL: it is fine. */
static gr_value *check_structured(const gr_value *schema, const gr_value *kwargs)
{
    static const char *const known[] = { "method", "include_raw", "strict" };
    const char *key = NULL;

    if (gr_value_type(schema) != GR_MAP)
        return gr_error(GR_EINVAL, "a structured prompt's schema_ is a map");
    for (size_t i = 0; gr_pair_at(kwargs, i, &key) != NULL; i++) {
        size_t k = 0;

        while (k < sizeof(known) / sizeof(known[0]) && strcmp(known[k], key) != 0)
            k++;
        if (k == sizeof(known) / sizeof(known[0]))
            return gr_error(
                GR_EINVAL,
                "structured_output_kwargs: '%.60s': expected method, include_raw or strict", key);
    }
    return NULL;
}

/* partial_with adds constants to a prompt's own variables. */
static gr_value *partial_with(const gr_value *config, const gr_value *constants)
{
    gr_value *partial = partial_of(config);

    if (gr_error_code(constants) == GR_OK && gr_len(constants) == 0)
        return partial;
    if (partial == NULL)
        return gr_value_ref(constants);
    return gr_value_type(partial) == GR_MAP ? gr_merge(partial, gr_value_ref(constants)) : partial;
}

static gr_ref make_chat(const struct gri_prompt_source *s, const gr_value *config,
                        gr_template_format format, const struct gri_prompt_roles *roles)
{
    const gr_value *schema = schema_of(config);
    const gr_value *kwargs = gr_get(config, "structured_output_kwargs");
    const gr_value *strict = gr_get(kwargs, "strict");
    gr_value *partial = partial_with(config, roles->constants);

    if (schema == NULL)
        return gr_chat_prompt_for_n(s->in, GR_PROMPT(.partial = partial, .format = format),
                                    roles->at, roles->count);
    return gr_structured_prompt_n(
        s->in,
        GR_STRUCTURED_PROMPT(.schema = gr_value_ref(schema), .partial = partial, .format = format,
                             .structured =
                                 GR_STRUCTURED(.method = gr_cstr(gr_get(kwargs, "method"), NULL),
                                               .include_raw =
                                                   gr_as_bool(gr_get(kwargs, "include_raw"), false),
                                               .strict = gr_is_nil(strict)          ? 0
                                                         : gr_as_bool(strict, true) ? 1
                                                                                    : -1)),
        roles->at, roles->count);
}

static gr_ref of_chat(const struct gri_prompt_source *s, const gr_value *config)
{
    gr_template_format format;
    gr_value *err = gri_prompt_format(config, &format);
    struct gri_prompt_roles roles = { NULL, 0, NULL, NULL };
    gr_ref ref;

    if (err == NULL && schema_of(config) != NULL)
        err = check_structured(schema_of(config), gr_get(config, "structured_output_kwargs"));
    if (err == NULL)
        err = gri_prompt_roles_read(s, gr_get(config, "messages"), &format, &roles);
    if (err != NULL)
        ref = refused(s->in, err);
    else
        ref = make_chat(s, config, format, &roles);
    gri_prompt_roles_fini(&roles, err != NULL);
    return ref;
}

/* ---- all ------------------------------------------------------------------------------------- */

static gr_ref of_config(const struct gri_prompt_source *s, const gr_value *config)
{
    static const struct {
        const char *type, *class;
        gr_ref (*make)(const struct gri_prompt_source *s, const gr_value *config);
    } kinds[] = {
        { "prompt", "PromptTemplate", of_prompt },
        { "few_shot", "FewShotPromptTemplate", of_few_shot },
        { "chat", "ChatPromptTemplate", of_chat },
        { "chat", "StructuredPrompt", of_chat },
    };
    const char *type = gr_cstr(gr_get(config, "_type"), "prompt");

    if (gr_error_code(config) != GR_OK)
        return refused(s->in, config != NULL ? gr_value_ref(config)
                                             : gr_error(GR_EINVAL, "no description of a prompt"));
    if (gr_value_type(config) != GR_MAP)
        return refused(s->in, gr_error(GR_EINVAL, "a prompt is described by a map, not by a %s",
                                       gr_type_name(gr_value_type(config))));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (gr_get(config, "lc") != NULL ? gri_prompt_is_class(config, kinds[i].class)
                                         : strcmp(kinds[i].type, type) == 0)
            return kinds[i].make(s, gri_prompt_kwargs(config));
    return refused(s->in,
                   gr_error(GR_EINVAL, "'%.60s' is no prompt: expected prompt, few_shot or chat",
                            gr_get(config, "lc") != NULL ? "constructor" : type));
}

gr_ref gr_prompt_of_config(gr_scope *in, gr_value *config, const gr_load_prompt_opts *opts)
{
    struct gri_strbuf folder = GRI_STRBUF_INIT;
    struct gri_prompt_source s = { .in = in };
    gr_ref ref;

    if (opts != NULL) {
        s.read_yaml = opts->read_yaml;
        s.arg = opts->arg;
    }
    if (opts != NULL && opts->folder != NULL) {
        size_t len = strlen(opts->folder);

        gri_strbuf_addf(&folder, "%s%s", opts->folder,
                        len > 0 && opts->folder[len - 1] != '/' ? "/" : "");
        s.folder = folder.failed ? NULL : folder.data;
    }
    ref = of_config(&s, config);
    gr_value_unref(config);
    gri_strbuf_fini(&folder);
    return ref;
}

gr_ref gr_load_prompt(gr_scope *in, const char *path, const gr_load_prompt_opts *opts)
{
    struct gri_prompt_source s = { .in = in,
                                   .read_yaml = opts != NULL ? opts->read_yaml : NULL,
                                   .arg = opts != NULL ? opts->arg : NULL };
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    char *folder = NULL;
    gr_value *text, *config;
    gr_ref ref;

    if (path == NULL)
        return refused(in, gr_error(GR_EINVAL, "no path of a prompt"));
    folder = gri_strndup(path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
    text = folder == NULL ? gr_error(GR_ENOMEM, "out of memory") : gri_source_file(&s, path);
    config = gr_error_code(text) == GR_OK ? gri_source_parse(&s, path, text) : gr_value_ref(text);
    gr_value_unref(text);
    s.folder = folder;
    ref = of_config(&s, config);
    gr_value_unref(config);
    gri_free(folder);
    return ref;
}
