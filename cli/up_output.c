/* SPDX-License-Identifier: Apache-2.0 */
/*
 * up_output.c - what nodes say, line by line, with the node's name before it.
 *
 * A line is written only when standard error has room, so whoever reads that may be slow, or stop: the nodes'
 * pipes fill then, and the loop goes on. poll(2) promises room for PIPE_BUF bytes, and no line with
 * its name is longer.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cli/up.h"
#include "runtime/base/assert.h"

bool gri_up_read(struct gri_up_process *p)
{
    ssize_t n;

    if (p->len == GRI_UP_LINE_MAX)
        return true;
    n = read(p->out, p->line + p->len, GRI_UP_LINE_MAX - p->len);
    if (n > 0)
        p->len += (size_t)n;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool has_room(struct gri_up *u)
{
    struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

    if (poll(&fd, 1, 0) < 1)
        return false;
    u->quiet = u->quiet || (fd.revents & (POLLERR | POLLNVAL | POLLHUP)) != 0;
    return true;
}

/* write_line adds the name, and replaces what could steer a terminal. */
static void write_line(struct gri_up *u, const struct gri_up_process *p, const char *text,
                       size_t len)
{
    static const char *const colours[] = { "36", "33", "32", "35", "34", "31" };
    bool coloured = gri_has_colours(STDERR_FILENO);
    struct gri_strbuf line = { .max = PIPE_BUF };
    size_t width = 0, done = 0;

    for (size_t i = 0; i < u->count; i++)
        width = strlen(u->nodes[i].name) > width ? strlen(u->nodes[i].name) : width;
    if (coloured)
        gri_strbuf_addf(&line, "\033[%sm", colours[(size_t)(p - u->nodes) % 6]);
    gri_strbuf_addf(&line, "%-*s |%s ", (int)width, p->name, coloured ? "\033[0m" : "");
    for (size_t i = 0; i < len; i++)
        gri_strbuf_addc(&line, ((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f
                                   ? '?'
                                   : text[i]);
    gri_strbuf_addc(&line, '\n');
    while (!line.failed && done < line.len) {
        ssize_t n = write(STDERR_FILENO, line.data + done, line.len - done);

        if (n < 0 && errno != EINTR)
            break; /* whoever has read it is gone, or it is a disk that is full */
        done += n > 0 ? (size_t)n : 0;
    }
    gri_strbuf_fini(&line);
}

void gri_up_pass(struct gri_up *u, struct gri_up_process *p, bool end)
{
    while (p->len > 0) {
        char *newline = memchr(p->line, '\n', p->len);
        size_t len = newline != NULL ? (size_t)(newline - p->line) : p->len;
        size_t used = newline != NULL ? len + 1 : len;

        if (newline == NULL && !end && p->len < GRI_UP_LINE_MAX)
            return;
        u->mute = !u->quiet && !has_room(u);
        if (u->mute)
            return;
        if (!u->quiet)
            write_line(u, p, p->line, len);
        gri_assert(used <= p->len);
        p->len -= used;
        memmove(p->line, p->line + used, p->len);
    }
}
