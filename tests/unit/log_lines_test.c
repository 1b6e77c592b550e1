/* SPDX-License-Identifier: Apache-2.0 */
/* log_lines_test.c - cli/log_lines.h: a line stays one line, and JSON, whatever is in it; whom a line is about. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <greenroom/codec.h>

#include "cli/log_lines.h"
#include "runtime/base/log.h"

#include "tests/support/test.h"

/* captured runs fn with standard error in a file, and gives what it holds. */
static char *captured(void (*fn)(const char *text), const char *text)
{
    static char got[65536];
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    size_t len;

    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    fn(text);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    len = fread(got, 1, sizeof(got) - 1, file);
    got[len] = '\0';
    fclose(file);
    return got;
}

static void log_text(const char *text)
{
    gri_log(GRI_LOG_WARN, "%s", text);
}

static void log_actor(const char *text)
{
    gri_log_actor(GRI_LOG_WARN, text, "it is slow");
}

static void log_peer(const char *text)
{
    struct gri_log_gate gate = { .held_back = 0 };

    gri_log_peer(&gate, 1, GRI_LOG_WARN, text, "it is gone");
}

static const char *const nasty[] = {
    "plain",
    "two\nlines",
    "\033[2J\033]0;title\007 and \r back \b\177",
    "\"quoted\" and \\ back",
    "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
    "\xc2\x9b"
    "31m is a C1 control",
    "\xff\xfe bad \xc3",
    "\xe2\x80\xa8 ends a line in some programs",
};
#define NASTY (sizeof(nasty) / sizeof(nasty[0]))

/* one_line: a line end at the end alone, and nothing that steers. */
static void one_line(const char *line)
{
    size_t len = strlen(line);

    cr_assert_gt(len, (size_t)0);
    for (size_t i = 0; i + 1 < len; i++)
        cr_assert_geq((unsigned char)line[i], 0x20u, "in %s", line);
    cr_assert_eq(line[len - 1], '\n');
    cr_assert_null(strchr(line, '\177'));
    cr_assert_null(strstr(line, "\xc2\x9b"));
}

Test(log_lines, plain_lines_are_one_line)
{
    gri_log_lines_format("plain");
    gri_log_lines_start();
    for (size_t i = 0; i < NASTY; i++)
        one_line(captured(log_text, nasty[i]));
    cr_assert_str_eq(captured(log_text, nasty[1]), "greenroom: warning: two\\nlines\n");
    cr_assert_str_eq(captured(log_text, "\033[2J"), "greenroom: warning: \\x1b[2J\n");
    cr_assert_str_eq(captured(log_text, nasty[4]),
                     "greenroom: warning: caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n");
    gr_set_log(NULL, NULL, 0);
}

static gr_value *read_line(const char *line)
{
    gr_value *v = gr_json_parse(line, strlen(line), NULL);

    cr_assert_eq(gr_error_code(v), GR_OK, "%s: %s", line, gr_error_text(v));
    cr_assert_eq(strlen(gr_cstr(gr_get(v, "time"), "")), strlen("2026-11-29T15:12:27.123Z"));
    return v;
}

Test(log_lines, json_lines_are_json)
{
    gr_value *v;

    cr_assert(gri_log_lines_format("json"));
    gri_log_lines_node("shop-1");
    gri_log_lines_start();
    for (size_t i = 0; i < NASTY; i++) {
        const char *line = captured(log_text, nasty[i]);

        one_line(line);
        v = read_line(line);
        cr_assert_str_eq(gr_cstr(gr_get(v, "level"), ""), "warning");
        cr_assert_str_eq(gr_cstr(gr_get(v, "node"), ""), "shop-1");
        if (i != 6) /* which is no UTF-8 */
            cr_assert_str_eq(gr_cstr(gr_get(v, "text"), ""), nasty[i]);
        cr_assert_null(gr_get(v, "actor"));
        gr_value_unref(v);
        v = read_line(captured(log_actor, nasty[i]));
        cr_assert_str_eq(gr_cstr(gr_get(v, "text"), ""), "it is slow");
        cr_assert_not_null(gr_get(v, "actor"));
        gr_value_unref(v);
        v = read_line(captured(log_peer, nasty[i]));
        cr_assert_not_null(gr_get(v, "peer"));
        gr_value_unref(v);
    }
    gri_log_lines_node("");
    gri_log_lines_format("plain");
    gr_set_log(NULL, NULL, 0);
}

Test(log_lines, options)
{
    cr_assert_not(gri_log_lines_format("xml"));
    cr_assert_not(gri_log_lines_level("loud"));
    cr_assert_not(gri_log_lines_level(""));
    cr_assert(gri_log_lines_level("error"));
    cr_assert_str_eq(captured(log_text, "too low"), "");
    cr_assert(gri_log_lines_level("warning"));
    cr_assert_neq(captured(log_text, "high enough")[0], '\0');
    gr_set_log(NULL, NULL, 0);
}
