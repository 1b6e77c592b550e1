/* SPDX-License-Identifier: Apache-2.0 */
/* run_frames.c - an event is a list: its kind, the number of its run, and what there is to say. */
#include "runtime/net/run_frames.h"

#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/utf8.h"
#include "runtime/net/frame.h"
#include "runtime/net/wire_error.h"
#include "runtime/observe/event.h"

#define ID_MAX 255u                   /* bytes of a run's id */
#define NAME_MAX 4096u                /* bytes of a run's name, or an event's */
#define PART_MAX (GRI_FRAME_MAX / 8u) /* bytes of one value in an event */

static const char opaque_note[] = "(not sent: it holds an opaque value)";
static const char long_note[] = "(not sent: it is too long)";

/* ---- what can be sent ------------------------------------------------------------------------ */

/* unfit tells why a value can't be sent; NULL: it can. */
static const char *unfit(const gr_value *v)
{
    void *data = NULL;
    size_t size = 0;
    gr_code rc = gr_msgpack_encode(v, &data, &size);

    gr_free(data);
    if (rc != GR_OK)
        return rc == GR_ETYPE ? opaque_note : long_note;
    return size > PART_MAX ? long_note : NULL;
}

/* fit_map leaves out what can't be sent. */
static gr_value *fit_map(const gr_value *map)
{
    gr_value *fit = gr_map_n(NULL, 0);
    const char *key = NULL;
    size_t left = PART_MAX;

    for (size_t i = 0; i < gr_len(map); i++) {
        const gr_value *v = gr_pair_at(map, i, &key);
        void *data = NULL;
        size_t size = 0;

        if (gr_msgpack_encode(v, &data, &size) == GR_OK && size < left) {
            fit = gr_set(fit, key, gr_value_ref(v));
            left -= size;
        }
        gr_free(data);
    }
    return fit;
}

/* fit_texts likewise leaves out what is no text. */
static gr_value *fit_texts(const gr_value *list)
{
    gr_value *fit = gr_list_n(NULL, 0);
    size_t left = PART_MAX;

    for (size_t i = 0; i < gr_len(list); i++) {
        const gr_value *v = gr_at(list, i);

        if (gr_value_type(v) == GR_STR && gr_len(v) < left) {
            fit = gr_append(fit, gr_value_ref(v));
            left -= gr_len(v);
        }
    }
    return fit;
}

static gr_value *fit_part(const char *key, const gr_value *v)
{
    const char *why = unfit(v);

    if (why == NULL)
        return gr_value_ref(v);
    if (strcmp(key, "metadata") == 0)
        return fit_map(v);
    if (strcmp(key, "tags") == 0 || strcmp(key, "passed") == 0)
        return fit_texts(v);
    if (gr_value_type(v) == GR_ERROR)
        return gr_error(gr_error_code(v), "%s", why);
    return gr_str(why);
}

/* fit_what: chunks and errors stand by themselves, the rest is a map of ours. */
static gr_value *fit_what(int64_t kind, const gr_value *what)
{
    gr_value *fit;
    const char *key = NULL;

    if (kind == GR_RUN_STREAM || kind == GR_RUN_RETRY)
        return fit_part("", what);
    fit = gr_map_n(NULL, 0);
    for (size_t i = 0; i < gr_len(what); i++) {
        const gr_value *v = gr_pair_at(what, i, &key);

        fit = gr_set(fit, key, fit_part(key, v));
    }
    return fit;
}

gr_value *gri_event_fit(gr_value *event)
{
    gr_value *fit = gr_list(gr_value_ref(gr_at(event, 0)), gr_value_ref(gr_at(event, 1)),
                            fit_what(gr_as_int(gr_at(event, 0), 0), gr_at(event, 2)));

    gr_value_unref(event);
    return fit;
}

/* ---- the watch ------------------------------------------------------------------------------- */

static gr_value *put(gr_value *map GR_TAKES, const char *key, const gr_value *v)
{
    return v != NULL ? gr_set(map, key, gr_value_ref(v)) : map;
}

/* cut gives a text of max bytes at most: what is longer is nobody's name. */
static gr_value *cut(const char *text, size_t max)
{
    size_t size = strlen(text);

    return gr_strn(text, size <= max ? size : gri_utf8_valid_len(text, max));
}

/* ids_of lists the runs that r is in, and itself. */
static gr_value *ids_of(const struct gri_run *r)
{
    gr_value *ids = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(r->parent_ids); i++)
        ids = gr_append(ids, cut(gr_cstr(gr_at(r->parent_ids, i), ""), ID_MAX));
    return gr_append(ids, cut(r->seen.id, ID_MAX));
}

gr_value *gri_config_unheard(gr_value *config)
{
    return gr_get(config, "callbacks") != NULL ? gr_without(config, "callbacks") : config;
}

gr_code gri_watch_pack(const struct gri_far *far, void **ret_data, size_t *ret_size)
{
    const struct gri_run *in = far->parent;
    gr_value *watch = gr_map(
        GR_KV("kinds", gr_int(far->kinds)), GR_KV("chunks", gr_int(far->chunk_types)),
        GR_KV("tokens", gr_bool(far->tokens)), GR_KV("first", gr_bool(far->handlers == NULL)));
    gr_code rc;

    watch = put(watch, "tag", far->tag);
    if (in != NULL) {
        watch = gr_set(watch, "ids", ids_of(in));
        watch = gr_set(watch, "tags", fit_texts(in->passed_tags));
        watch = gr_set(watch, "metadata", fit_map(in->metadata));
    }
    rc = gr_msgpack_encode(watch, ret_data, ret_size);
    gr_value_unref(watch);
    return rc;
}

/* is_name: a text without NUL of 1 to max bytes. */
static bool is_name(const gr_value *v, size_t max)
{
    return gr_value_type(v) == GR_STR && gr_len(v) <= max && strlen(gr_cstr(v, "")) == gr_len(v);
}

static bool is_flag(const gr_value *v)
{
    return v == NULL || gr_value_type(v) == GR_BOOL;
}

static bool is_origin(const gr_value *v)
{
    const gr_value *ids = gr_get(v, "ids"), *tag = gr_get(v, "tag");

    if (tag != NULL && gr_value_type(tag) != GR_STR)
        return false;
    if (ids == NULL)
        return true;
    if (!gri_is_texts(ids) || gr_len(ids) == 0)
        return false;
    for (size_t i = 0; i < gr_len(ids); i++)
        if (!is_name(gr_at(ids, i), ID_MAX))
            return false;
    return gri_is_texts(gr_get(v, "tags")) && gr_value_type(gr_get(v, "metadata")) == GR_MAP;
}

bool gri_watch_unpack(const gr_value *v, struct gri_watch *ret)
{
    const gr_value *kinds = gr_get(v, "kinds"), *chunks = gr_get(v, "chunks");

    if (gr_value_type(v) != GR_MAP || gr_value_type(kinds) != GR_INT ||
        gr_value_type(chunks) != GR_INT || !is_flag(gr_get(v, "tokens")) ||
        !is_flag(gr_get(v, "first")) || !is_origin(v))
        return false;
    *ret = (struct gri_watch){ .kinds = (unsigned)gr_as_int(kinds, 0) & GR_RUN_ALL,
                               .chunk_types = (unsigned)gr_as_int(chunks, 0) & GR_TYPE_ALL,
                               .tokens = gr_as_bool(gr_get(v, "tokens"), false),
                               .first_only = gr_as_bool(gr_get(v, "first"), false) };
    ret->origin = (struct gri_origin){ .ids = gr_value_ref(gr_get(v, "ids")),
                                       .tags = gr_value_ref(gr_get(v, "tags")),
                                       .metadata = gr_value_ref(gr_get(v, "metadata")),
                                       .tag = gr_value_ref(gr_get(v, "tag")) };
    return true;
}

void gri_origin_fini(struct gri_origin *origin)
{
    gr_value_unref(origin->ids);
    gr_value_unref(origin->tags);
    gr_value_unref(origin->metadata);
    gr_value_unref(origin->tag);
}

/* ---- events, out ----------------------------------------------------------------------------- */

/* texts_of: a tag that is no text is none. */
static gr_value *texts_of(const gr_value *list)
{
    return gri_is_texts(list) ? gr_value_ref(list) : fit_texts(list);
}

static gr_value *start_of(const gr_event *e, uint64_t parent)
{
    const struct gri_run *r = e->run->inner;
    gr_value *what =
        gr_map(GR_KV("id", cut(e->run->id, ID_MAX)), GR_KV("name", cut(e->run->name, NAME_MAX)),
               GR_KV("type", gr_int(e->run->type)), GR_KV("tags", texts_of(e->run->tags)),
               GR_KV("metadata", gr_value_ref(e->run->metadata)));

    if (r->passed_tags != r->tags)
        what = gr_set(what, "passed", texts_of(r->passed_tags));
    if (parent != 0)
        what = gr_set(what, "in", gr_int((int64_t)parent));
    if (e->run->streams)
        what = gr_set(what, "streams", gr_bool(true));
    if (r->nested)
        what = gr_set(what, "nested", gr_bool(true));
    if (r->loose)
        what = gr_set(what, "loose", gr_bool(true));
    return put(what, "input", e->run->input);
}

static gr_value *end_of(const gr_event *e, bool with_input)
{
    gr_value *what = put(gr_map_n(NULL, 0), "output", e->data);

    if (e->kind == GR_RUN_ERROR)
        what = gr_set(what, "error", gri_wire_error_out(e->error));
    return with_input ? put(what, "input", e->run->input) : what;
}

static gr_value *what_of(const gr_event *e, uint64_t parent, bool with_input)
{
    switch (e->kind) {
    case GR_RUN_START: return start_of(e, parent);
    case GR_RUN_STREAM: return gr_value_ref(e->data);
    case GR_RUN_RETRY: return gri_wire_error_out(e->error);
    case GR_RUN_CUSTOM:
        return gr_map(GR_KV("name", cut(e->name != NULL ? e->name : "", NAME_MAX)),
                      GR_KV("data", gr_value_ref(e->data)));
    case GR_RUN_END:
    case GR_RUN_ERROR: break;
    }
    return end_of(e, with_input);
}

gr_value *gri_event_pack(const gr_event *e, uint64_t number, uint64_t parent, bool with_input)
{
    return gr_list(gr_int((int64_t)e->kind), gr_int((int64_t)number),
                   what_of(e, parent, with_input));
}

/* ---- events, in ------------------------------------------------------------------------------ */

static bool is_type(int64_t type)
{
    return type > 0 && (type & (type - 1)) == 0 && (type & ~(int64_t)GR_TYPE_ALL) == 0;
}

static gr_code tell_start(struct gri_far *far, uint64_t number, const gr_value *what, size_t size)
{
    const gr_value *id = gr_get(what, "id"), *name = gr_get(what, "name");
    const gr_value *tags = gr_get(what, "tags"), *passed = gr_get(what, "passed");
    int64_t type = gr_as_int(gr_get(what, "type"), 0), in = gr_as_int(gr_get(what, "in"), 0);
    struct gri_run_told told = { .id = gr_cstr(id, ""),
                                 .name = gr_cstr(name, ""),
                                 .type = (gr_run_type)type,
                                 .tags = tags,
                                 .passed_tags = passed != NULL ? passed : tags,
                                 .metadata = gr_get(what, "metadata"),
                                 .streams = gr_as_bool(gr_get(what, "streams"), false),
                                 .nested = gr_as_bool(gr_get(what, "nested"), false),
                                 .loose = gr_as_bool(gr_get(what, "loose"), false),
                                 .size = size };

    if (!is_name(id, ID_MAX) || !is_name(name, NAME_MAX) || !is_type(type) || in < 0 ||
        !gri_is_texts(told.tags) || !gri_is_texts(told.passed_tags) ||
        gr_value_type(told.metadata) != GR_MAP)
        return GR_EPROTO;
    return gri_far_begin(far, number, (uint64_t)in, &told, gr_get(what, "input"));
}

static gr_code tell_end(struct gri_far *far, uint64_t number, const gr_value *what)
{
    const gr_value *output = gr_get(what, "output");

    if (output == NULL || gr_value_type(output) == GR_ERROR)
        return GR_EPROTO;
    return gri_far_close(far, number, output, NULL, gr_get(what, "input"));
}

/* tell_error: what: the run's end, or, without its map, that it tries again. */
static gr_code tell_error(struct gri_far *far, uint64_t number, const gr_value *what, bool again,
                          const char *url, const char *name)
{
    const gr_value *err = again ? what : gr_get(what, "error");
    gr_value *in;
    gr_code rc;

    if (gr_value_type(err) != GR_ERROR)
        return GR_EPROTO;
    in = gri_wire_error_in(gr_value_ref(err), url, name);
    rc = again ? gri_far_tell(far, number, GR_RUN_RETRY, NULL, in)
               : gri_far_close(far, number, in, gr_get(what, "output"), gr_get(what, "input"));
    gr_value_unref(in);
    return rc;
}

static gr_code tell_custom(struct gri_far *far, uint64_t number, const gr_value *what)
{
    const gr_value *name = gr_get(what, "name"), *data = gr_get(what, "data");

    if (!is_name(name, NAME_MAX) || data == NULL)
        return GR_EPROTO;
    return gri_far_tell(far, number, GR_RUN_CUSTOM, gr_cstr(name, ""), data);
}

gr_code gri_event_tell(struct gri_far *far, const gr_value *event, size_t size, const char *url,
                       const char *name)
{
    const gr_value *kind = gr_at(event, 0), *run = gr_at(event, 1), *what = gr_at(event, 2);
    uint64_t number = (uint64_t)gr_as_int(run, 0);

    if (gr_value_type(event) != GR_LIST || gr_value_type(kind) != GR_INT ||
        gr_value_type(run) != GR_INT || gr_as_int(run, 0) <= 0 || what == NULL)
        return GR_EPROTO;
    switch (gr_as_int(kind, 0)) {
    case GR_RUN_START: return tell_start(far, number, what, size);
    case GR_RUN_STREAM:
        return gr_error_code(what) == GR_OK ? gri_far_chunk(far, number, what, size) : GR_EPROTO;
    case GR_RUN_END: return tell_end(far, number, what);
    case GR_RUN_ERROR: return tell_error(far, number, what, false, url, name);
    case GR_RUN_RETRY: return tell_error(far, number, what, true, url, name);
    case GR_RUN_CUSTOM: return tell_custom(far, number, what);
    default: return GR_EPROTO;
    }
}
