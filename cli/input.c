/* SPDX-License-Identifier: Apache-2.0 */
/* input.c - reading the input of a call from the command line, a file or standard input. */
#include "cli/input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/console.h"
#include "runtime/base/strbuf.h"

#define INPUT_MAX ((size_t)64 * 1024 * 1024)

/* read_all adds all of a file to text; false after saying why. */
static bool read_all(FILE *in, const char *option, const char *name, struct gri_strbuf *text)
{
    char part[4 * 1024];
    size_t len;

    text->max = INPUT_MAX;
    while (!text->failed && (len = fread(part, 1, sizeof(part), in)) > 0)
        gri_strbuf_add(text, part, len);
    if (ferror(in)) {
        gri_say("%s: %s can't be read: %s", option, name, strerror(errno));
        return false;
    }
    if (text->failed) {
        gri_say("%s: %s is longer than %zu bytes, or memory ran out", option, name, INPUT_MAX);
        return false;
    }
    return true;
}

/* fetch gets the text that arg stands for. */
static bool fetch(const char *option, const char *arg, struct gri_strbuf *text)
{
    FILE *in;
    bool ok;

    if (strcmp(arg, "-") == 0)
        return read_all(stdin, option, "standard input", text);
    if (arg[0] != '@') {
        gri_strbuf_adds(text, arg);
        if (text->failed)
            gri_say("%s: out of memory", option);
        return !text->failed;
    }
    in = fopen(arg + 1, "rbe");
    if (in == NULL) {
        gri_say("%s: %s can't be opened: %s", option, arg + 1, strerror(errno));
        return false;
    }
    ok = read_all(in, option, arg + 1, text);
    (void)fclose(in);
    return ok;
}

/* usable returns v, or says what is wrong with it. */
static gr_value *usable(const char *option, const char *arg, gr_value *v, const char *hint)
{
    const char *name = strcmp(arg, "-") == 0 ? ": standard input" : "";

    if (gr_error_code(v) == GR_OK)
        return v;
    gri_say("%s%s%s%s: %s%s", option, name, arg[0] == '@' ? ": " : "", arg[0] == '@' ? arg + 1 : "",
            gr_error_text(v), hint);
    gr_value_unref(v);
    return NULL;
}

gr_value *gri_input_json(const char *option, const char *arg)
{
    struct gri_strbuf text = GRI_STRBUF_INIT;
    gr_value *v = NULL;

    if (fetch(option, arg, &text))
        v = usable(option, arg,
                   gr_json_parse(text.data != NULL ? text.data : "", text.len,
                                 GR_DECODE(.bytes_max = INPUT_MAX)),
                   arg[0] == '@' || arg[0] == '-' ? "" : "; for a plain text use --text");
    gri_strbuf_fini(&text);
    return v;
}

gr_value *gri_input_text(const char *option, const char *arg)
{
    struct gri_strbuf text = GRI_STRBUF_INIT;
    gr_value *v = NULL;

    if (fetch(option, arg, &text)) {
        bool whole_file = arg[0] == '@' || strcmp(arg, "-") == 0;

        if (whole_file && text.len > 0 && text.data[text.len - 1] == '\n')
            text.len--; /* the line's end is not part of the text */
        v = usable(option, arg, gr_strn(text.data != NULL ? text.data : "", text.len), "");
    }
    gri_strbuf_fini(&text);
    return v;
}
