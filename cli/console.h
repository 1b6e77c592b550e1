/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console.h - what the command says: results on standard output, all else on standard error.
 *
 * Colours and the progress bar appear on terminals only; NO_COLOR in the environment switches
 * colours off. What comes from elsewhere can't steer the terminal: control characters are replaced.
 */
#ifndef GR_CLI_CONSOLE_H
#define GR_CLI_CONSOLE_H

#include <greenroom/greenroom.h>

enum {
    GRI_EXIT_OK = 0,
    GRI_EXIT_FAILED = 1,       /* the chain failed, or its answer could not be written */
    GRI_EXIT_USAGE = 2,        /* the command line, or a file, is wrong */
    GRI_EXIT_INTERRUPTED = 130 /* Ctrl-C; SIGTERM is 143, as in a shell */
};

/* gri_say prints "greenroom: …" and a newline on standard error; gri_say_error an error value, with
 * where, code, status, whether a retry may help, and its causes. */
void gri_say(const char *fmt, ...) GR_PRINTF(1, 2);
void gri_say_error(const gr_value *error);

/* gri_has_colours tells whether what is written to a descriptor may be coloured. */
bool gri_has_colours(int fd);

enum gri_form {
    GRI_FORM_JSON = 0, /* one line */
    GRI_FORM_TEXT = 1  /* a string or a message's text as it is; other values as JSON */
};
/* gri_print writes a result; `part` of a streamed text gets no newline. GR_EREMOTE: it could not be
 * written (and that was said, but for a closed pipe); GR_ENOMEM. */
gr_code gri_print(const gr_value *v, enum gri_form form, bool part);
bool gri_is_text(const gr_value *v); /* GRI_FORM_TEXT prints it as it is */
/* gri_print_check makes sure of what was written so far: a full disk or a closed pipe is a failure, as above. */
gr_code gri_print_check(void);
/* gri_print_end ends the line of a streamed text. */
gr_code gri_print_end(void);

/* ---- the progress bar ------------------------------------------------------------------------ */

struct gri_progress {
    const char *label; /* borrowed */
    size_t done, total;
    bool shown;
};
void gri_progress_start(struct gri_progress *p, const char *label, size_t total, bool quiet);
void gri_progress_step(struct gri_progress *p, size_t done);
void gri_progress_stop(struct gri_progress *p); /* wipes it out */

#endif
