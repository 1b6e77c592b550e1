/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console_tracer.c - a line for each start and end of a run, for people: ConsoleCallbackHandler.
 *
 *   > chain RunnableSequence {"question": "Who?"}
 *     > prompt ChatPromptTemplate {"question": "Who?"}
 *     < prompt ChatPromptTemplate 0.041 ms [{"role": "user", "content": "Who?"}]
 *     ! chat_model FakeModel 0.310 ms RateLimit: not so fast
 *   ! chain RunnableSequence 0.402 ms RateLimit: not so fast
 *
 * and "*" for a custom event, "~" for an attempt that failed and is made again.
 */
#include "actors/observe/trace_out.h"
#include "actors/observe/trim.h"

#include <greenroom/codec.h>

#define INDENT_MAX 32 /* levels */
#define TEXT_MAX 256  /* bytes of a name */

/* add_text adds a name, which may come from anybody, without what a terminal would obey. */
static void add_text(struct gri_strbuf *line, const char *text)
{
    for (size_t i = 0; text[i] != '\0' && i < TEXT_MAX; i++)
        gri_strbuf_addc(line, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i]);
}

static void add_value(struct gri_strbuf *line, const gr_value *v, size_t max)
{
    gr_value *cut;
    char *text;

    if (v == NULL)
        return;
    cut = gri_trim(v, max);
    text = gr_json_print(cut, 0, NULL);
    gri_strbuf_addc(line, ' ');
    gri_strbuf_adds(line, text != NULL ? text : "");
    gr_free(text);
    gr_value_unref(cut);
}

static void add_error(struct gri_strbuf *line, const gr_value *error, size_t max)
{
    gr_value *text = gri_trim(gr_get(error, "text"), max);

    gri_strbuf_addc(line, ' ');
    add_text(line, gr_cstr(gr_get(error, "kind"), gr_code_name(gr_error_code(error))));
    gri_strbuf_adds(line, ": ");
    for (const char *at = gr_cstr(text, ""); *at != '\0'; at++)
        gri_strbuf_addc(line, (unsigned char)*at < ' ' || *at == 0x7f ? ' ' : *at);
    gr_value_unref(text);
}

static void add_head(struct gri_strbuf *line, char mark, const gr_event *event)
{
    const gr_run *run = event->run;
    size_t depth = gr_len(run->parent_ids) + (mark == '*' || mark == '~' ? 1 : 0);

    for (size_t i = 0; i < depth && i < INDENT_MAX; i++)
        gri_strbuf_adds(line, "  ");
    gri_strbuf_addc(line, mark);
    gri_strbuf_addc(line, ' ');
    if (mark == '*')
        return;
    gri_strbuf_adds(line, gr_run_type_name(run->type));
    gri_strbuf_addc(line, ' ');
    add_text(line, run->name);
    if (mark == '<' || mark == '!')
        gri_strbuf_addf(line, " %.3f ms", (double)(event->at_us - run->start_us) / 1000);
}

static void console_event(void *arg, const gr_event *event)
{
    struct gri_trace_out *out = arg;
    struct gri_strbuf line = GRI_STRBUF_INIT;

    switch (event->kind) {
    case GR_RUN_START:
        add_head(&line, '>', event);
        add_value(&line, event->run->input, out->value_max);
        break;
    case GR_RUN_END:
        add_head(&line, '<', event);
        add_value(&line, event->data, out->value_max);
        break;
    case GR_RUN_ERROR:
    case GR_RUN_RETRY:
        add_head(&line, event->kind == GR_RUN_ERROR ? '!' : '~', event);
        add_error(&line, event->error, out->value_max);
        break;
    case GR_RUN_CUSTOM:
        add_head(&line, '*', event);
        add_text(&line, event->name);
        add_value(&line, event->data, out->value_max);
        break;
    case GR_RUN_STREAM: return;
    }
    gri_trace_line(out, &line);
}

gr_value *gr_console_tracer(int fd, const gr_tracer_opts *opts)
{
    return gri_tracer_new("console tracer", console_event, GR_RUN_ALL & ~(unsigned)GR_RUN_STREAM,
                          fd, opts);
}
