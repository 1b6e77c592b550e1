/* SPDX-License-Identifier: Apache-2.0 */
/* console.c - printing results, errors and progress. */
#include "cli/console.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/log_lines.h"
#include "runtime/base/strbuf.h"

#define CAUSES_MAX 8
#define BAR_WIDTH 30

static bool is_terminal(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term != NULL && strcmp(term, "dumb") != 0;
}

bool gri_has_colours(int fd)
{
    const char *no = getenv("NO_COLOR");

    return (no == NULL || no[0] == '\0') && is_terminal(fd);
}

/* write_plain writes text without its control characters, but for newlines and tabs. */
static void write_plain(FILE *to, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        (void)putc((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : c, to);
    }
}

static void write_line(const struct gri_strbuf *text)
{
    bool red = gri_has_colours(STDERR_FILENO);

    if (gri_log_lines_json()) {
        gri_log_lines_say(0, text->data != NULL ? text->data : "");
        return;
    }
    (void)fputs(red ? "\033[31mgreenroom:\033[0m " : "greenroom: ", stderr);
    if (text->data != NULL)
        write_plain(stderr, text->data, text->len);
    (void)fputs("\n", stderr);
}

void gri_say(const char *fmt, ...)
{
    struct gri_strbuf text = { .max = 64 * 1024 };
    va_list ap;

    va_start(ap, fmt);
    gri_strbuf_vaddf(&text, fmt, ap);
    va_end(ap);
    write_line(&text);
    gri_strbuf_fini(&text);
}

/* add_hints adds in brackets what a caller may act on. */
static void add_hints(struct gri_strbuf *text, const gr_value *error)
{
    const char *code = gr_code_name(gr_error_code(error));
    const char *kind = gr_cstr(gr_get(error, "kind"), code);
    int64_t status = gr_as_int(gr_get(error, "status"), 0);
    int64_t wait_ms = gr_as_int(gr_get(error, "retry_after_ms"), 0);

    gri_strbuf_addf(text, " (%s", code);
    if (strcmp(kind, code) != 0)
        gri_strbuf_addf(text, ", %s", kind);
    if (status != 0)
        gri_strbuf_addf(text, ", status %lld", (long long)status);
    if (gr_error_retryable(error))
        gri_strbuf_adds(text, "; a retry may help");
    if (wait_ms > 0)
        gri_strbuf_addf(text, " after %.1f s", (double)wait_ms / 1000);
    gri_strbuf_adds(text, ")");
}

void gri_say_error(const gr_value *error)
{
    for (int i = 0; error != NULL && i < CAUSES_MAX; i++) {
        struct gri_strbuf text = { .max = 64 * 1024 };
        const char *where = gr_cstr(gr_get(error, "where"), "");

        if (i > 0)
            gri_strbuf_adds(&text, "because ");
        if (where[0] != '\0')
            gri_strbuf_addf(&text, "%s: ", where);
        gri_strbuf_adds(&text, gr_error_text(error));
        add_hints(&text, error);
        write_line(&text);
        gri_strbuf_fini(&text);
        error = gr_get(error, "cause");
        if (gr_error_code(error) == GR_OK || gr_value_type(error) != GR_ERROR)
            error = NULL;
    }
}

/* ---- results --------------------------------------------------------------------------------- */

/* text_of returns the text of a string, or of a message whose content is one; else NULL. */
static const gr_value *text_of(const gr_value *v)
{
    const gr_value *content = gr_get(v, "content");

    if (gr_value_type(v) == GR_STR)
        return v;
    if (gr_value_type(v) == GR_MAP && gr_get(v, "type") != NULL && gr_value_type(content) == GR_STR)
        return content;
    return NULL;
}

bool gri_is_text(const gr_value *v)
{
    return text_of(v) != NULL;
}

gr_code gri_print_check(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return GR_OK;
    if (errno != EPIPE) /* whoever closes the pipe, as head does, knows */
        gri_say("standard output: %s", strerror(errno));
    return GR_EREMOTE;
}

gr_code gri_print(const gr_value *v, enum gri_form form, bool part)
{
    const gr_value *text = form == GRI_FORM_TEXT ? text_of(v) : NULL;
    char *json;
    size_t len = 0;

    if (text != NULL) {
        const char *s = gr_cstr(text, "");

        if (is_terminal(STDOUT_FILENO))
            write_plain(stdout, s, gr_len(text));
        else
            (void)fwrite(s, 1, gr_len(text), stdout);
        if (!part)
            (void)putc('\n', stdout);
        return gri_print_check();
    }
    json = gr_json_print(v, 0, &len);
    if (json == NULL) {
        gri_say("out of memory while printing the answer");
        return GR_ENOMEM;
    }
    (void)fwrite(json, 1, len, stdout);
    (void)putc('\n', stdout);
    gr_free(json);
    return gri_print_check();
}

gr_code gri_print_end(void)
{
    (void)putc('\n', stdout);
    return gri_print_check();
}

/* ---- progress -------------------------------------------------------------------------------- */

void gri_progress_start(struct gri_progress *p, const char *label, size_t total, bool quiet)
{
    *p = (struct gri_progress){ .label = label, .total = total };
    p->shown = !quiet && total > 0 && is_terminal(STDERR_FILENO);
    gri_progress_step(p, 0);
}

void gri_progress_step(struct gri_progress *p, size_t done)
{
    char bar[BAR_WIDTH + 1];
    size_t filled;

    p->done = done;
    if (!p->shown)
        return;
    filled = done >= p->total ? BAR_WIDTH : done * BAR_WIDTH / p->total;
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', filled);
    bar[BAR_WIDTH] = '\0';
    (void)fprintf(stderr, "\r%s [%s] %zu/%zu", p->label, bar, done, p->total);
    (void)fflush(stderr);
}

void gri_progress_stop(struct gri_progress *p)
{
    if (!p->shown)
        return;
    p->shown = false;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
}
