/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/observe/tap.h"

#include <stdio.h>
#include <string.h>

#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"
#include "runtime/observe/handler_of.h"

static void free_texts(struct gri_map *m)
{
    const struct gri_map_slot *slot;
    size_t at = 0;

    while ((slot = gri_map_next(m, &at)) != NULL)
        gri_free(slot->value);
}

static void tap_unref(struct gri_tap *tap)
{
    /* acq_rel: who frees it sees what the others did */
    if (atomic_fetch_sub_explicit(&tap->refs, 1, memory_order_acq_rel) != 1)
        return;
    gri_stream_unref(tap->queue);
    gri_stream_unref(tap->queue);
    free_texts(&tap->keys);
    gri_map_fini(&tap->keys);
    gri_map_fini(&tap->counts);
    gr_value_unref(tap->args);
    gr_value_unref(tap->sum);
    gri_free(tap);
}

static void tap_drop(void *tap)
{
    tap_unref(tap);
}

static size_t events_max(const gr_value *args)
{
    int64_t max = gr_as_int(gr_get(args, "events_max"), 0);

    if (max <= 0)
        return GRI_EVENTS_MAX;
    return max < (int64_t)GRI_EVENTS_MOST ? (size_t)max : GRI_EVENTS_MOST;
}

struct gri_tap *gri_tap_new(struct gri_machine *machine, const struct gri_call *call,
                            const struct gri_tap_kind *kind, gr_value **ret_err)
{
    const gr_value *args = call->args;
    struct gri_event_filter filter;
    struct gri_tap *tap;

    *ret_err = gri_filter_read(&filter, args);
    if (*ret_err != NULL)
        return NULL;
    tap = gri_new0(struct gri_tap);
    if (tap != NULL)
        tap->queue = gri_stream_new(gri_call_sched(call), events_max(args), SIZE_MAX);
    if (tap == NULL || tap->queue == NULL) {
        gri_free(tap);
        *ret_err = gri_no_memory();
        return NULL;
    }
    tap->kind = kind;
    tap->args = gr_value_ref(args);
    tap->filter = filter;
    tap->out = call->out;
    tap->machine = machine;
    atomic_init(&tap->refs, 1);
    gri_map_init(&tap->keys, (uintptr_t)tap);
    gri_map_init(&tap->counts, (uintptr_t)tap);
    return tap;
}

gr_value *gri_tap_handler(struct gri_tap *tap)
{
    gr_value *handler;

    /* relaxed: the caller has a reference */
    atomic_fetch_add_explicit(&tap->refs, 1, memory_order_relaxed);
    handler = gr_handler_value(GR_HANDLER(.name = "event stream", .on_event = gri_tap_event,
                                          .drop = tap_drop, .arg = tap,
                                          .kinds = GR_RUN_ALL & ~(unsigned)GR_RUN_RETRY));
    gri_handler_streams(handler);
    return handler;
}

void gri_tap_leave(struct gri_tap *tap)
{
    if (tap == NULL)
        return;
    gri_lock(&tap->lock);
    tap->machine = NULL;
    gri_unlock(&tap->lock);
    tap_unref(tap);
}

static void fail_locked(struct gri_tap *tap, gr_code rc)
{
    /* release: pairs with the frame's acquire */
    atomic_store_explicit(&tap->failed, (uint32_t)rc, memory_order_release);
    gri_machine_wake(tap->machine);
}

static void queue_locked(struct gri_tap *tap, gr_value *v)
{
    gr_code rc = gri_stream_put(tap->queue, v);

    if (rc == GR_EFULL)
        gr_value_unref(v);
    if (rc != GR_OK)
        fail_locked(tap, rc);
}

static void tell_locked(struct gri_tap *tap, gr_value *v)
{
    gr_code rc = tap->behind ? GR_EFULL : gri_stream_put(tap->out, v);

    if (rc != GR_EFULL) {
        if (rc != GR_OK && rc != GR_ECANCELED) /* else the reader has left */
            fail_locked(tap, rc);
        return;
    }
    queue_locked(tap, v);
    if (!tap->behind) {
        tap->behind = true;
        gri_machine_wake(tap->machine);
    }
}

static bool takes_locked(const struct gri_tap *tap)
{
    /* relaxed: it is set under the lock */
    return tap->machine != NULL &&
           atomic_load_explicit(&tap->failed, memory_order_relaxed) == GR_OK;
}

void gri_tap_tell(struct gri_tap *tap, gr_value *v)
{
    gr_value *kept = gr_value_ref(v); /* so that it is not dropped under the lock */

    gri_lock(&tap->lock);
    if (takes_locked(tap))
        tell_locked(tap, v);
    else
        gr_value_unref(v);
    gri_unlock(&tap->lock);
    gr_value_unref(kept);
}

gr_value *gri_tap_next(struct gri_tap *tap)
{
    gr_value *v = NULL;

    gri_lock(&tap->lock);
    if (tap->behind && gri_stream_get(tap->queue, &v) != GR_OK)
        tap->behind = false;
    gri_unlock(&tap->lock);
    return v;
}

void gri_tap_event(void *arg, const gr_event *event)
{
    struct gri_tap *tap = arg;
    gr_value *v;

    gri_lock(&tap->lock);
    v = takes_locked(tap) ? tap->kind->event(tap, event) : NULL;
    if (v != NULL)
        tell_locked(tap, v);
    gri_unlock(&tap->lock);
}

/* ---- astream_events -------------------------------------------------------------------------- */

bool gri_tap_streams(const gr_run *run)
{
    return (run->type & (GR_TYPE_PROMPT | GR_TYPE_RETRIEVER | GR_TYPE_TOOL)) == 0;
}

static bool told_of(const gr_event *event)
{
    switch (event->kind) {
    case GR_RUN_STREAM: return gri_tap_streams(event->run);
    case GR_RUN_START:
    case GR_RUN_END:
    case GR_RUN_CUSTOM: return true;
    case GR_RUN_ERROR: return event->run->type == GR_TYPE_TOOL;
    case GR_RUN_RETRY: return false;
    }
    return false;
}

/* give_input: the first event tells the root's input, whatever run it is of: the root's own start
 * may be filtered out, or have come before the input was known. */
static gr_value *give_input(struct gri_tap *tap, const gr_event *event, gr_value *v)
{
    const gr_value *input = gr_get(tap->args, "input");

    tap->begun = true;
    (void)snprintf(tap->first, sizeof(tap->first), "%s", event->run->id);
    return gr_set(v, "data",
                  gr_set(gr_value_ref(gr_get(v, "data")), "input",
                         input != NULL ? gr_value_ref(input) : gr_nil()));
}

static gr_value *event_of(struct gri_tap *tap, const gr_event *event)
{
    bool custom = event->kind == GR_RUN_CUSTOM;
    const char *name = custom ? event->name : event->run->name;
    gr_value *v;

    if (!told_of(event) ||
        !gri_filter_takes(&tap->filter, name, custom ? name : gr_run_type_name(event->run->type),
                          event->run->tags))
        return NULL;
    v = gr_event_value(event);
    if (custom) /* its data is the user's */
        return v;
    if (!tap->begun)
        return give_input(tap, event, v);
    /* LangChain takes the input of what streams for a stream, whose sum is known at the end */
    if ((event->kind == GR_RUN_START && event->run->streams) ||
        (event->kind == GR_RUN_END && strcmp(event->run->id, tap->first) == 0))
        v = gr_set(v, "data", gr_without(gr_value_ref(gr_get(v, "data")), "input"));
    return v;
}

static gr_value *no_chunk(struct gri_tap *tap, gr_value *chunk)
{
    (void)tap;
    gr_value_unref(chunk);
    return NULL;
}

const struct gri_tap_kind gri_tap_events = { .event = event_of, .chunk = no_chunk };
