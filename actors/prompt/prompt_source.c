/* SPDX-License-Identifier: Apache-2.0 */
/* prompt_source.c - see the header. Files are read through the runtime's world. */
#include "actors/prompt/prompt_source.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"
#include "runtime/base/utf8.h"
#include "runtime/sched/world.h"

static bool ends_in(const char *path, const char *suffix)
{
    size_t len = strlen(path), tail = strlen(suffix);

    return len > tail && strcmp(path + len - tail, suffix) == 0;
}

gr_value *gri_source_file(const struct gri_prompt_source *s, const char *path)
{
    struct gri_world *world = gri_world_of(gr_scope_runtime(s->in));
    char *data = NULL, why[128] = "";
    size_t size = 0;
    gr_code rc = world->file_read(world, path, GRI_PROMPT_FILE_BYTES_MAX, &data, &size, why);
    gr_value *text;

    if (rc != GR_OK)
        return gr_error(rc == GR_EDEAD ? GR_EINVAL : rc, "%.200s: %s", path, why);
    if (gri_utf8_valid_len(data, size) != size)
        text = gr_error(GR_EINVAL, "%.200s: not UTF-8", path);
    else
        text = gr_strn(size == 0 ? "" : data, size);
    gri_free(data);
    return text;
}

/* stays_below: a name whose every part is an ordinary one. */
static bool stays_below(const char *name)
{
    if (name[0] == '/' || name[0] == '\0' || strchr(name, '\\') != NULL)
        return false;
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return false;
    }
    return true;
}

/*
 * check_link refuses a file whose path looks well but is a link to outside of the folder; NULL: it is none. A
 * simulation's files are not on the disk, and no links.
 */
static gr_value *check_link(const char *folder, const char *path, const char *name)
{
    char *home = gri_alloc((size_t)2 * PATH_MAX), *target; /* much for a fiber's stack */
    bool out = false;

    if (home == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    target = home + PATH_MAX;
    if (realpath(folder[0] != '\0' ? folder : ".", home) != NULL &&
        realpath(path, target) != NULL) { /* else it can't be opened either */
        size_t len = strlen(home);

        out = strncmp(target, home, len) != 0 || (len > 1 && target[len] != '/');
    }
    gri_free(home);
    return out ? gr_error(GR_EINVAL,
                          "%.200s: a link to another place; a file below the prompt's own folder "
                          "was expected",
                          name)
               : NULL;
}

static gr_value *below(const struct gri_prompt_source *s, const char *name)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *text;

    if (s->folder == NULL)
        return gr_error(GR_EINVAL, "%.200s: this prompt may name no files", name);
    if (!stays_below(name))
        return gr_error(GR_EINVAL, "%.200s: a file below the prompt's own folder was expected",
                        name);
    gri_strbuf_adds(&b, s->folder);
    gri_strbuf_adds(&b, name);
    text = b.failed ? gr_error(GR_ENOMEM, "out of memory") : check_link(s->folder, b.data, name);
    if (text == NULL)
        text = gri_source_file(s, b.data);
    gri_strbuf_fini(&b);
    return text;
}

gr_value *gri_source_text(const struct gri_prompt_source *s, const char *name)
{
    if (!ends_in(name, ".txt"))
        return gr_error(GR_EINVAL, "%.200s: a template's file ends in .txt", name);
    return below(s, name);
}

/* named puts the path before what is wrong. */
static gr_value *named(const char *path, gr_value *v)
{
    gr_value *err;

    if (gr_error_code(v) == GR_OK)
        return v;
    err = gr_error(gr_error_code(v), "%.200s: %s", path, gr_error_text(v));
    gr_value_unref(v);
    return err;
}

gr_value *gri_source_parse(const struct gri_prompt_source *s, const char *path,
                           const gr_value *text)
{
    if (ends_in(path, ".json"))
        return named(path, gr_json_parse(gr_cstr(text, ""), gr_len(text), NULL));
    if (!ends_in(path, ".yaml") && !ends_in(path, ".yml"))
        return gr_error(GR_EINVAL, "%.200s: a file that ends in .json or .yaml was expected", path);
    if (s->read_yaml == NULL)
        return gr_error(GR_EINVAL, "%.200s: nobody here reads YAML: see gr_load_prompt_opts", path);
    return named(path, s->read_yaml(s->arg, gr_cstr(text, ""), gr_len(text)));
}

gr_value *gri_source_data(const struct gri_prompt_source *s, const char *name)
{
    gr_value *text = below(s, name), *v;

    if (gr_error_code(text) != GR_OK)
        return text;
    v = gri_source_parse(s, name, text);
    gr_value_unref(text);
    return v;
}

gr_value *gri_source_part(const struct gri_prompt_source *s, const gr_value *config,
                          const char *key)
{
    const gr_value *own = gr_get(config, key), *path;
    char other[64];

    snprintf(other, sizeof(other), "%s_path", key);
    path = gr_get(config, other);
    if (!gr_is_nil(own) && !gr_is_nil(path))
        return gr_error(GR_EINVAL, "%s and %s: one of the two", key, other);
    if (gr_value_type(path) == GR_STR)
        return gri_source_text(s, gr_cstr(path, ""));
    if (!gr_is_nil(path) || (!gr_is_nil(own) && gr_value_type(own) != GR_STR))
        return gr_error(GR_EINVAL, "%s is no text", gr_is_nil(path) ? key : other);
    return gr_is_nil(own) ? gr_nil() : gr_value_ref(own);
}
