/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_lines.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/base/strbuf.h"
#include "runtime/base/thread.h"
#include "runtime/base/utf8.h"

#define NAME_CAP 128
#define LINE_MAX_BYTES (256 * 1024)
#define US_PER_S 1000000

static const char *const level_names[] = { "error", "warning", "info", "debug" };
#define LEVELS 4

/* Set while there is one thread; read by all. */
static struct {
    bool json;
    int level;
    char node[NAME_CAP];
} lines = { .level = 1 };

/* ---- texts ----------------------------------------------------------------------------------- */

/* next takes a character off a text; what is no UTF-8 is read as U+FFFD, a byte each. */
static uint32_t next(const char **at, size_t *left)
{
    size_t most = *left < 4 ? *left : 4, len = 1;
    uint32_t c = 0xfffd;

    while (len < most && !gri_utf8_valid(*at, len))
        len++;
    if (gri_utf8_valid(*at, len))
        len = gri_utf8_next(*at, len, &c);
    else
        len = 1;
    *at += len;
    *left -= len;
    return c;
}

static void add_char(struct gri_strbuf *line, uint32_t c)
{
    char bytes[4];

    gri_strbuf_add(line, bytes, gri_utf8_put(c, bytes));
}

/* controls tells whether a character could end the line, or steer a terminal. */
static bool controls(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

static void add_plain(struct gri_strbuf *line, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        uint32_t c = next(&text, &left);

        if (c == '\n')
            gri_strbuf_adds(line, "\\n");
        else if (c == '\t')
            gri_strbuf_adds(line, "\\t");
        else if (controls(c))
            gri_strbuf_addf(line, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c);
        else
            add_char(line, c);
    }
}

static void add_json(struct gri_strbuf *line, const char *key, const char *text)
{
    size_t left = strlen(text);

    gri_strbuf_addf(line, "%s\"%s\":\"", line->len > 0 ? "," : "{", key);
    while (left > 0) {
        uint32_t c = next(&text, &left);

        if (c == '"' || c == '\\')
            gri_strbuf_addf(line, "\\%c", (char)c);
        else if (controls(c))
            gri_strbuf_addf(line, "\\u%04x", (unsigned)c);
        else
            add_char(line, c);
    }
    gri_strbuf_addc(line, '"');
}

static void add_time(struct gri_strbuf *line)
{
    uint64_t us = gri_clock_wall_us();
    time_t seconds = (time_t)(us / US_PER_S);
    struct tm tm = { .tm_year = 70, .tm_mday = 1 };
    char day[32], moment[48];

    (void)gmtime_r(&seconds, &tm);
    day[strftime(day, sizeof(day) - 1, "%Y-%m-%dT%H:%M:%S", &tm)] = '\0';
    (void)snprintf(moment, sizeof(moment), "%s.%03uZ", day, (unsigned)(us % US_PER_S / 1000));
    add_json(line, "time", moment);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static const char *level_name(int level)
{
    return level_names[level < 0 ? 0 : level < LEVELS ? level : LEVELS - 1];
}

/* write_whole writes a line in one piece, so that lines of several threads don't mix. */
static void write_whole(struct gri_strbuf *line)
{
    gri_strbuf_addc(line, '\n');
    if (!line->failed)
        (void)fwrite(line->data, 1, line->len, stderr);
    gri_strbuf_fini(line);
}

static void say_json(int level, const gr_log_line *l)
{
    struct gri_strbuf line = { .max = LINE_MAX_BYTES };

    add_time(&line);
    add_json(&line, "level", level_name(level));
    add_json(&line, "text", l->text);
    if (lines.node[0] != '\0')
        add_json(&line, "node", lines.node);
    if (l->actor != NULL)
        add_json(&line, "actor", l->actor);
    if (l->peer != NULL)
        add_json(&line, "peer", l->peer);
    gri_strbuf_addc(&line, '}');
    write_whole(&line);
}

static void on_log(void *arg, const gr_log_line *l)
{
    struct gri_strbuf line = { .max = LINE_MAX_BYTES };

    (void)arg;
    if (lines.json) {
        say_json(l->level, l);
        return;
    }
    gri_strbuf_adds(&line, "greenroom: ");
    if (l->level > 0)
        gri_strbuf_addf(&line, "%s: ", level_name(l->level));
    add_plain(&line, l->text);
    write_whole(&line);
}

void gri_log_lines_say(int level, const char *text)
{
    const gr_log_line l = { .size = sizeof(l), .level = level, .text = text };

    say_json(level, &l);
}

/* ---- settings -------------------------------------------------------------------------------- */

void gri_log_lines_start(void)
{
    gr_set_log_lines(on_log, NULL, lines.level);
}

bool gri_log_lines_json(void)
{
    return lines.json;
}

bool gri_log_lines_format(const char *format)
{
    lines.json = strcmp(format, "json") == 0;
    return lines.json || strcmp(format, "plain") == 0;
}

bool gri_log_lines_level(const char *level)
{
    for (int i = 0; i < LEVELS; i++) {
        if (strcmp(level_names[i], level) == 0) {
            lines.level = i;
            gri_log_lines_start();
            return true;
        }
    }
    return false;
}

void gri_log_lines_node(const char *name)
{
    size_t len = strlen(name);

    if (len >= NAME_CAP)
        len = gri_utf8_valid_len(name, NAME_CAP - 1);
    memcpy(lines.node, name, len);
    lines.node[len] = '\0';
}
