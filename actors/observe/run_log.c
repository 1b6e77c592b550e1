/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_log.c - the patches of astream_log: what LangChain's LogStreamCallbackHandler writes.
 *
 * The first run is the root: its start makes the log. Each run within has an entry under /logs, by
 * its name, the second one of a name as "name:2" and so on. The chunks of the answer are the frame's
 * to tell: they grow /streamed_output and /final_output.
 */
#include <stdio.h>
#include <string.h>

#include "actors/observe/moment.h"
#include "actors/observe/run_record.h"
#include "actors/observe/tap.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

#define RUNS_MAX 65536 /* entries that may be under way at once */

/* op makes an operation; an error value where the path is one. */
static gr_value *op(const char *what, gr_value *path GR_TAKES, gr_value *value GR_TAKES)
{
    if (gr_error_code(path) != GR_OK) {
        gr_value_unref(value);
        return path;
    }
    return gr_map(GR_KV("op", gr_str(what)), GR_KV("path", path), GR_KV("value", value));
}

/* with_op adds an operation; what went wrong with either is the patch then. */
static gr_value *with_op(gr_value *ops GR_TAKES, gr_value *op GR_TAKES)
{
    bool lost = gr_error_code(ops) != GR_OK;

    if (!lost && gr_error_code(op) == GR_OK)
        return gr_append(ops, op);
    gr_value_unref(lost ? op : ops);
    return lost ? ops : op;
}

static gr_value *patch_of(gr_value *op GR_TAKES)
{
    return with_op(gr_list_n(NULL, 0), op);
}

/* log_type: chat models are "llm" in a log. */
static const char *log_type(const gr_run *run)
{
    return run->type == GR_TYPE_CHAT_MODEL ? "llm" : gr_run_type_name(run->type);
}

/* below gives the path of key, escaped as RFC 6901 wants it, below `path`. */
static gr_value *below(const char *path, const char *key, const char *rest)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *v;
    char *text;

    gri_strbuf_adds(&b, path);
    gri_strbuf_addc(&b, '/');
    for (; *key != '\0'; key++) {
        if (*key == '~' || *key == '/')
            gri_strbuf_adds(&b, *key == '~' ? "~0" : "~1");
        else
            gri_strbuf_addc(&b, *key);
    }
    gri_strbuf_adds(&b, rest);
    text = gri_strbuf_take(&b);
    v = text != NULL ? gr_str(text) : gr_error(GR_ENOMEM, "out of memory");
    gri_free(text);
    return v;
}

static gr_value *kept(const gr_value *v)
{
    return v != NULL ? gr_value_ref(v) : gr_nil();
}

/* ---- runs ------------------------------------------------------------------------------------ */

static gr_value *root_op(struct gri_tap *tap, const gr_run *run)
{
    (void)snprintf(tap->root, sizeof(tap->root), "%s", run->id);
    return op("replace", gr_str(""),
              gr_map(GR_KV("id", gr_str(run->id)), GR_KV("streamed_output", gr_list_n(NULL, 0)),
                     GR_KV("final_output", gr_nil()), GR_KV("logs", gr_map_n(NULL, 0)),
                     GR_KV("name", gr_str(run->name)), GR_KV("type", gr_str(log_type(run)))));
}

static bool log_is_full(const struct gri_tap *tap)
{
    return tap->keys.count >= RUNS_MAX || tap->counts.count >= RUNS_MAX;
}

/* key_of_new makes a run's key, owned; NULL when out of memory. */
static char *key_of_new(struct gri_tap *tap, const gr_run *run)
{
    uintptr_t count = (uintptr_t)gri_map_gets(&tap->counts, run->name) + 1;
    size_t cap = strlen(run->name) + 24;
    char *key;

    if (!gri_map_puts(&tap->counts, run->name, (void *)count))
        return NULL;
    key = gri_alloc(cap);
    if (key != NULL && count == 1)
        (void)snprintf(key, cap, "%s", run->name);
    else if (key != NULL)
        (void)snprintf(key, cap, "%s:%zu", run->name, (size_t)count);
    return key;
}

static gr_value *entry_of(const gr_run *run)
{
    char at[GRI_MOMENT_CAP];

    return gr_map(GR_KV("id", gr_str(run->id)), GR_KV("name", gr_str(run->name)),
                  GR_KV("type", gr_str(log_type(run))), GR_KV("tags", kept(run->tags)),
                  GR_KV("metadata", kept(run->metadata)),
                  GR_KV("start_time", gr_str(gri_moment(at, run->start_us, GRI_MOMENT_MS))),
                  GR_KV("streamed_output", gr_list_n(NULL, 0)),
                  GR_KV("streamed_output_str", gr_list_n(NULL, 0)), GR_KV("final_output", gr_nil()),
                  GR_KV("end_time", gr_nil()));
}

static gr_value *run_starts(struct gri_tap *tap, const gr_run *run)
{
    char *key;

    if (tap->root[0] == '\0')
        return patch_of(root_op(tap, run));
    if (!gri_filter_takes(&tap->filter, run->name, log_type(run), run->tags))
        return NULL;
    if (log_is_full(tap))
        return gr_error(GR_EFULL, "the log has too many runs");
    key = key_of_new(tap, run);
    if (key == NULL || !gri_map_puts(&tap->keys, run->id, key)) {
        gri_free(key);
        return gr_error(GR_ENOMEM, "out of memory");
    }
    return patch_of(op("add", below("/logs", key, ""), entry_of(run)));
}

static gr_value *run_streams(struct gri_tap *tap, const gr_event *event)
{
    const char *key = gri_map_gets(&tap->keys, event->run->id);
    bool model = event->run->type == GR_TYPE_CHAT_MODEL || event->run->type == GR_TYPE_LLM;
    const gr_value *text = event->data;
    gr_value *ops;

    if (key == NULL || !gri_tap_streams(event->run))
        return NULL;
    ops = gr_list_n(NULL, 0);
    if (gr_value_type(text) == GR_MAP)
        text = gr_get(text, "content");
    if (model && gr_value_type(text) == GR_STR)
        ops = with_op(ops, op("add", below("/logs", key, "/streamed_output_str/-"), kept(text)));
    return with_op(ops, op("add", below("/logs", key, "/streamed_output/-"), kept(event->data)));
}

/* outputs_of: as in LangChain's records of runs, but for a prompt's, which is the prompt itself. */
static gr_value *outputs_of(const gr_event *event)
{
    if (event->kind == GR_RUN_ERROR)
        return gr_nil();
    if (event->run->type == GR_TYPE_PROMPT)
        return kept(event->data);
    return gri_record_outputs(event->run->type, event->data);
}

static gr_value *run_ends(struct gri_tap *tap, const gr_event *event)
{
    char *key = gri_map_dels(&tap->keys, event->run->id);
    char at[GRI_MOMENT_CAP];
    gr_value *ops;

    if (key == NULL)
        return NULL;
    ops = patch_of(op("add", below("/logs", key, "/final_output"), outputs_of(event)));
    ops = with_op(ops, op("add", below("/logs", key, "/end_time"),
                          gr_str(gri_moment(at, event->at_us, GRI_MOMENT_MS))));
    gri_free(key);
    return ops;
}

static gr_value *log_event(struct gri_tap *tap, const gr_event *event)
{
    switch (event->kind) {
    case GR_RUN_START: return run_starts(tap, event->run);
    case GR_RUN_STREAM: return run_streams(tap, event);
    case GR_RUN_END:
    case GR_RUN_ERROR: return run_ends(tap, event);
    case GR_RUN_CUSTOM:
    case GR_RUN_RETRY: return NULL;
    }
    return NULL;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static gr_value *grow(gr_value *ops, const char *path, const gr_value *old, gr_value *sum);

/* grow_map: the chunk's keys are those that may have changed. */
static gr_value *grow_map(gr_value *ops, const char *path, const gr_value *old, const gr_value *sum)
{
    const char *key = NULL;

    for (size_t i = 0; i < gr_len(sum); i++) {
        const gr_value *v = gr_pair_at(sum, i, &key), *before = gr_get(old, key);
        gr_value *at;

        if (before == v || gr_equal(before, v))
            continue;
        at = below(path, key, "");
        if (before == NULL)
            ops = with_op(ops, op("add", gr_value_ref(at), kept(v)));
        else
            ops = grow(ops, gr_cstr(at, ""), before, gr_value_ref(v));
        gr_value_unref(at);
    }
    return ops;
}

/* begins tells whether a list begins with the elements of another. */
static bool begins(const gr_value *list, const gr_value *with)
{
    if (gr_len(list) < gr_len(with))
        return false;
    for (size_t i = 0; i < gr_len(with); i++)
        if (!gr_equal(gr_at(list, i), gr_at(with, i)))
            return false;
    return true;
}

/* grow_list: lists only grow, at their end. */
static gr_value *grow_list(gr_value *ops, const char *path, size_t from, const gr_value *sum)
{
    for (size_t i = from; i < gr_len(sum); i++)
        ops = with_op(ops, op("add", gr_strf("%s/%zu", path, i), kept(gr_at(sum, i))));
    return ops;
}

/* grow appends the operations that turn old into sum. */
static gr_value *grow(gr_value *ops, const char *path, const gr_value *old, gr_value *sum)
{
    if (gr_value_type(old) == GR_MAP && gr_value_type(sum) == GR_MAP)
        ops = grow_map(ops, path, old, sum);
    else if (gr_value_type(old) == GR_LIST && gr_value_type(sum) == GR_LIST && begins(sum, old))
        ops = grow_list(ops, path, gr_len(old), sum);
    else if (!gr_equal(old, sum))
        ops = with_op(ops, op("replace", gr_str(path), gr_value_ref(sum)));
    gr_value_unref(sum);
    return ops;
}

static bool has_root(struct gri_tap *tap)
{
    bool has;

    gri_lock(&tap->lock);
    has = tap->root[0] != '\0';
    gri_unlock(&tap->lock);
    return has;
}

static gr_value *log_chunk(struct gri_tap *tap, gr_value *chunk)
{
    gr_value *ops = patch_of(op("add", gr_str("/streamed_output/-"), gr_value_ref(chunk)));
    gr_value *old;
    size_t len;

    if (!has_root(
            tap)) { /* there was no memory for the run: without its patch this one says nothing */
        gr_value_unref(ops);
        gr_value_unref(chunk);
        return gr_error(GR_ENOMEM, "out of memory");
    }
    if (gr_value_type(tap->sum) == GR_LIST && gr_value_type(chunk) == GR_LIST) {
        len = gr_len(tap->sum);
        tap->sum = gr_add(tap->sum, chunk); /* in place: nobody else holds it */
        return grow_list(ops, "/final_output", len, tap->sum);
    }
    old = gr_value_ref(tap->sum);
    tap->sum = gr_add(tap->sum, chunk);
    ops = grow(ops, "/final_output", old, gr_value_ref(tap->sum));
    gr_value_unref(old);
    return ops;
}

const struct gri_tap_kind gri_tap_log = { .event = log_event, .chunk = log_chunk };
