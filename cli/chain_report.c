/* SPDX-License-Identifier: Apache-2.0 */
/* chain_report.c - collecting mistakes, and guessing which name was meant. */
#include "cli/chain_report.h"

#include <string.h>

#include <greenroom/value.h>

#include "runtime/base/assert.h"

#define NAME_MAX_COMPARED 48 /* longer names get no suggestion */

const char *gri_chain_said(const char *kind, const gr_value *error)
{
    const char *text = gr_error_text(error);
    size_t n = strlen(kind);

    return strncmp(text, kind, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

void gri_chain_report_init(struct gri_chain_report *r, const char *file)
{
    *r = (struct gri_chain_report){ .file = file, .text = { .max = 64 * 1024 } };
}

void gri_chain_report_fini(struct gri_chain_report *r)
{
    gri_strbuf_fini(&r->text);
}

/* blot_out replaces control characters, which a quoted key could send to somebody's terminal. */
static void blot_out(struct gri_strbuf *text, size_t from)
{
    for (size_t i = from; i < text->len; i++) {
        if ((unsigned char)text->data[i] < 0x20 || text->data[i] == 0x7f)
            text->data[i] = '?';
    }
}

void gri_chain_mistake(struct gri_chain_report *r, struct gri_chain_place at, const char *fmt, ...)
{
    size_t from = r->text.len;
    va_list ap;

    gri_assert(fmt != NULL);
    r->count++;
    if (r->count == GRI_CHAIN_MISTAKES_MAX + 1)
        gri_strbuf_addf(&r->text, "%s: more mistakes follow\n", r->file);
    if (r->count > GRI_CHAIN_MISTAKES_MAX)
        return;
    if (at.line == 0)
        gri_strbuf_addf(&r->text, "%s: ", r->file);
    else
        gri_strbuf_addf(&r->text, "%s:%zu:%zu: ", r->file, at.line, at.column);
    va_start(ap, fmt);
    gri_strbuf_vaddf(&r->text, fmt, ap);
    va_end(ap);
    blot_out(&r->text, from);
    gri_strbuf_addc(&r->text, '\n');
}

const char *gri_chain_report_text(const struct gri_chain_report *r)
{
    if (r->text.failed)
        return "out of memory while telling what is wrong with the chain file\n";
    return r->text.data != NULL ? r->text.data : "";
}

/* min3 of three candidates of the edit distance. */
static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* distance counts the insertions, deletions, replacements and swaps of neighbours between
 * a and b. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NAME_MAX_COMPARED + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *oldest = before;

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = a[i - 1] == b[j - 1] ? 0 : 1;

            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_len];
}

const char *gri_chain_nearest(const char *name, const void *names, size_t count, size_t stride)
{
    size_t len = strlen(name);
    size_t least = len / 3 + 1 < 3 ? len / 3 + 1 : 3; /* more changes than that is another word */
    const char *nearest = NULL;

    if (len == 0 || len > NAME_MAX_COMPARED)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *other = NULL;
        size_t other_len, far;

        memcpy(&other, (const char *)names + i * stride, sizeof(other));
        other_len = strlen(other);
        if (other_len > NAME_MAX_COMPARED)
            continue;
        far = distance(name, len, other, other_len);
        if (far <= least && (nearest == NULL || far < least)) {
            least = far;
            nearest = other;
        }
    }
    return nearest;
}
