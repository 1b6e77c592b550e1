/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_stdio.c - a server that is a child process: one message a line, both ways.
 *
 * Its standard error goes to the log, a line a second at most. A line that is too long ends it, since
 * nobody can tell where the next one would begin.
 */
#include <string.h>

#include <greenroom/codec.h>

#include "actors/mcp/mcp_session.h"
#include "runtime/base/alloc.h"
#include "runtime/sched/world.h"

#define ERR_LINE_MAX ((size_t)64 * 1024)

/* ---- what it says ---------------------------------------------------------------------------- */

static bool on_line(void *arg, const char *line, size_t len)
{
    gri_mcp_take(arg, line, len, 0);
    return true;
}

static void on_out(void *arg, const char *data, size_t len)
{
    struct gri_mcp *s = arg;
    gr_value *err = NULL;

    if (s->lines.failed != GR_OK) /* it is about to end */
        return;
    if (gri_ndjson_feed(&s->lines, data, len, NULL, &err) == GR_OK)
        return;
    gri_mcp_end(s, err, true);
    gri_lock(&s->lock);
    gri_program_stop(s->program);
    gri_unlock(&s->lock);
}

static bool on_err_line(void *arg, const char *line, size_t len)
{
    struct gri_mcp *s = arg;
    char *copy = gri_strndup(line, len);

    if (copy == NULL) /* no line is better than a secret */
        return true;
    (void)gri_hidden_mask(&s->set.hidden, copy, len);
    gri_log_gated(&s->err_gate, gri_now(s->rt), GRI_LOG_INFO, "mcp %s: stderr: %.*s", s->set.name,
                  (int)(len < 400 ? len : 400), copy);
    gri_free(copy);
    return true;
}

static void on_err(void *arg, const char *data, size_t len)
{
    struct gri_mcp *s = arg;

    if (gri_ndjson_feed(&s->err_lines, data, len, NULL, NULL) == GR_OK)
        return;
    gri_ndjson_fini(&s->err_lines); /* what can't be a line is left out */
    gri_ndjson_init(&s->err_lines, ERR_LINE_MAX, on_err_line, s);
}

static void on_end(void *arg, gr_value *why, bool asked)
{
    struct gri_mcp *s = arg;
    gr_promise *closing;

    gri_mcp_end(s,
                asked ? gr_error(GR_ECANCELED, "the client has been stopped") : gr_value_ref(why),
                !asked);
    gri_lock(&s->lock);
    closing = s->closing;
    s->closing = NULL;
    gri_unlock(&s->lock);
    gr_resolve(closing, gr_nil());
    gr_value_unref(why);
    gri_mcp_unref(s);
}

static const struct gri_program_events program_events = { .out = on_out,
                                                          .err = on_err,
                                                          .end = on_end };

gr_value *gri_mcp_stdio_start(struct gri_mcp *s)
{
    struct gri_program_spec spec = { .argv = (const char *const *)s->set.argv,
                                     .env = (const char *const *)s->set.env,
                                     .folder = s->set.folder,
                                     .end_ms = s->set.end_ms,
                                     .term_ms = s->set.term_ms };
    struct gri_program *program = NULL;
    gr_code rc;

    gri_ndjson_init(&s->lines, s->set.message_bytes_max, on_line, s);
    gri_ndjson_init(&s->err_lines, ERR_LINE_MAX, on_err_line, s);
    gri_lock(&s->lock); /* events look for it under the lock */
    rc = gri_program_start(s->rt, &spec, &program_events, gri_mcp_ref(s), &program);
    if (rc == GR_OK)
        s->program = program;
    gri_unlock(&s->lock);
    if (rc == GR_OK)
        return NULL;
    gri_mcp_unref(s);
    return gr_error(rc, "%s can't be run: %s", s->set.argv[0],
                    rc == GR_EFULL    ? "too many programs are running"
                    : rc == GR_EINVAL ? "not in a simulation"
                                      : gr_code_name(rc));
}

/* ---- what it is told ------------------------------------------------------------------------- */

/* line_of prints a message and ends the line; NULL: out of memory. Free it with gr_free. */
static char *line_of(const gr_value *message, size_t *ret_len)
{
    size_t len = 0;
    char *line = gr_error_code(message) == GR_OK ? gr_json_print(message, 0, &len) : NULL;

    if (line != NULL)
        line[len++] = '\n'; /* in the place of the NUL */
    *ret_len = len;
    return line;
}

gr_code gri_mcp_stdio_write(struct gri_mcp *s, const gr_value *message)
{
    size_t len = 0;
    char *line = line_of(message, &len);
    gr_code rc = GR_EBROKEN;

    if (line == NULL)
        return GR_ENOMEM;
    gri_lock(&s->lock);
    if (s->program != NULL)
        rc = gri_program_write(s->program, line, len);
    gri_unlock(&s->lock);
    gr_free(line);
    return rc;
}

/* write_request writes a request unless it is over by now, and so that its cancellation comes behind it. */
static gr_code write_request(struct gri_mcp *s, int64_t id, const gr_value *message)
{
    size_t len = 0;
    char *line = line_of(message, &len);
    gr_code rc = GR_OK;

    if (line == NULL)
        return GR_ENOMEM;
    gri_lock(&s->lock);
    if (gri_map_get(&s->pending, (uint64_t)id) != NULL)
        rc = s->program != NULL ? gri_program_write(s->program, line, len) : GR_EBROKEN;
    gri_unlock(&s->lock);
    gr_free(line);
    return rc;
}

gr_value *gri_mcp_stdio_send(gr_ctx *c, struct gri_mcp *s, const gr_value *args)
{
    const char *method = gr_cstr(gr_get(args, "method"), "");
    gr_value *err = NULL, *message;
    int64_t id = gri_mcp_request_begin(c, s, gr_as_bool(gr_get(args, "quiet"), false), &err);
    gr_code rc;

    if (id == 0)
        return err;
    gri_mcp_note_subscription(s, id, method);
    message = gri_mcp_request_of(id, method,
                                 gri_mcp_with_token(gr_value_ref(gr_get(args, "params")), id));
    rc = write_request(s, id, message);
    if (rc != GR_OK)
        gri_mcp_complete(s, id,
                         gr_error(rc, "%s was not told: %s", s->set.name,
                                  rc == GR_EFULL     ? "it does not read what it is sent"
                                  : rc == GR_EBROKEN ? "it reads no more"
                                                     : gr_code_name(rc)));
    gr_value_unref(message);
    return NULL;
}
