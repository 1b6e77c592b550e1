/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_fuzz.c - any bytes as a frame: read, ignored, or told why not. What is read lies inside; if
 * its values are values, writing the frame again and reading that gives the same frame.
 */
#include <greenroom/codec.h>

#include "runtime/net/frame.h"
#include "tests/fuzz/fuzz.h"

static void check_inside(const uint8_t *data, size_t size, const uint8_t *value, size_t value_size)
{
    if (value == NULL)
        return;
    must(value >= data && value_size > 0 && value_size <= size);
    must((size_t)(value - data) <= size - value_size);
}

/* again_route: its steps are written anew as well. */
static bool again_route(const struct gri_frame *f, const gr_value *v, const gr_value *config,
                        struct gri_strbuf *out)
{
    struct gri_strbuf steps = GRI_STRBUF_INIT;
    struct gri_frame g = *f;
    struct gri_route_step step;
    const uint8_t *at = f->steps;
    size_t left = f->steps_size;
    unsigned count = 0;
    gr_code rc;

    while (gri_route_step_read(&at, &left, &step)) {
        gri_route_step_write(&steps, &step);
        count++;
    }
    must(count == f->step_count && left == 0);
    must(steps.len <= GRI_ROUTE_BYTES_MAX && count <= GRI_ROUTE_STEPS_MAX);
    g.steps = (const uint8_t *)steps.data;
    g.steps_size = steps.len;
    rc = gri_frame_route(out, &g, v, config);
    gri_strbuf_fini(&steps);
    return rc == GR_OK;
}

/* again writes what was read; false when that can't be: a value that is none, or no such frame. */
static bool again(const struct gri_frame *f, const gr_value *v, const gr_value *config,
                  struct gri_strbuf *out)
{
    switch (f->type) {
    case GRI_FRAME_HELLO: return gri_frame_hello(out, &f->hello) == GR_OK;
    case GRI_FRAME_INVOKE: return gri_frame_invoke(out, f, v, config) == GR_OK;
    case GRI_FRAME_ROUTE: return again_route(f, v, config, out);
    case GRI_FRAME_REPLY:
    case GRI_FRAME_CHUNK:
    case GRI_FRAME_EVENT:
    case GRI_FRAME_INPUT_CHUNK:
    case GRI_FRAME_INPUT_END:
    case GRI_FRAME_END: return gri_frame_value(out, f->type, f->id, v, NULL) == GR_OK;
    case GRI_FRAME_TELL: return gri_frame_tell_to(out, f, v) == GR_OK;
    case GRI_FRAME_LINK:
    case GRI_FRAME_MONITOR:
    case GRI_FRAME_DOWN:
    case GRI_FRAME_EXIT: return gri_frame_signal(out, f, v) == GR_OK;
    case GRI_FRAME_UNTIE:
    case GRI_FRAME_CREDIT:
    case GRI_FRAME_CANCEL:
    case GRI_FRAME_INPUT_CREDIT:
    case GRI_FRAME_HELD:
    case GRI_FRAME_PING: return gri_frame_number(out, f->type, f->id, f->number) == GR_OK;
    case GRI_FRAME_PROOF: return gri_frame_proof(out, &f->proof) == GR_OK;
    case GRI_FRAME_BEAT: return gri_frame_beat(out, f->number) == GR_OK;
    case GRI_FRAME_WELCOME: return gri_frame_welcome(out, f->number) == GR_OK;
    case GRI_FRAME_REFUSE:
        return gri_frame_refuse(out, (gr_code)f->number, f->id, f->name) == GR_OK;
    default: return false;
    }
}

static void check_same(const struct gri_frame *f, const struct gri_frame *g)
{
    must(g->type == f->type && g->id == f->id && g->flags == f->flags);
    must(g->window == f->window && g->least == f->least && g->deadline_ms == f->deadline_ms);
    must(g->number == f->number && strcmp(g->name, f->name) == 0);
    must(strcmp(g->verb, f->verb) == 0);
    must(g->origin == f->origin && g->incarnation == f->incarnation && g->call == f->call);
    must(g->step_count == f->step_count && g->steps_size <= f->steps_size);
    must(g->watch_size == f->watch_size &&
         (f->watch == NULL || memcmp(g->watch, f->watch, f->watch_size) == 0));
    must(g->to.node == f->to.node && g->to.id == f->to.id);
    must(g->from.node == f->from.node && g->from.id == f->from.id);
    must(memcmp(&g->hello, &f->hello, sizeof(f->hello)) == 0);
}

static gr_value *decode(const uint8_t *data, size_t size)
{
    return data != NULL ? gr_msgpack_decode(data, size, NULL) : gr_nil();
}

/* is_value tells a value that was decoded, which may be an error, from the failure to. */
static bool is_value(const uint8_t *data, const gr_value *v)
{
    bool is_ext = data != NULL && data[0] >= 0xc7 && data[0] <= 0xd8;

    return gr_value_type(v) != GR_ERROR || (is_ext && strncmp(gr_error_text(v), "byte ", 5) != 0);
}

static void check_round_trip(const struct gri_frame *f)
{
    gr_value *v = decode(f->value, f->value_size), *w;
    gr_value *config = decode(f->config, f->config_size);
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_frame g;
    gr_value *err = NULL;

    if (is_value(f->value, v) && is_value(f->config, config) && again(f, v, config, &out)) {
        must(gri_frame_parse(out.data + GRI_FRAME_HEAD, out.len - GRI_FRAME_HEAD, &g, &err) ==
             GR_OK);
        check_same(f, &g);
        w = decode(g.value, g.value_size);
        must(gr_equal(v, w));
        gr_value_unref(w);
    }
    gri_strbuf_fini(&out);
    gr_value_unref(v);
    gr_value_unref(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    struct gri_frame f;
    gr_value *err = NULL;
    gr_code rc = gri_frame_parse(data, size, &f, &err);

    if (rc == GR_OK) {
        must(err == NULL);
        check_inside(data, size, f.value, f.value_size);
        check_inside(data, size, f.config, f.config_size);
        check_inside(data, size, f.steps_size > 0 ? f.steps : NULL, f.steps_size);
        check_inside(data, size, f.watch, f.watch_size);
        check_round_trip(&f);
    } else {
        must(rc == GR_EPROTO && gr_error_code(err) == GR_EPROTO);
        gr_value_unref(err);
    }
    fuzz_end(&cost, size, 256);
    return 0;
}
