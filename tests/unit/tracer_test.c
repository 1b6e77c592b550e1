/* SPDX-License-Identifier: Apache-2.0 */
/* tracer_test.c - gr_console_tracer and gr_json_tracer, by events made by hand. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/fake_runs.h"
#include "tests/support/runnables.h"

static FILE *file;
static struct fake_run chain, prompt;

static void up(void)
{
    file = tmpfile();
    fake_run(&chain, NULL, "r1", "RunnableSequence", GR_TYPE_CHAIN, json("{\"q\":\"hi\"}"));
    fake_run(&prompt, &chain, "r2", "Prompt", GR_TYPE_PROMPT, gr_str("hi"));
}

static void down(void)
{
    (void)fclose(file);
    fake_free(&chain);
    fake_free(&prompt);
}

TestSuite(tracer, .init = up, .fini = down);

/* written gives what is in the file so far; it stays until the next call. */
static const char *written(void)
{
    static char text[1 << 16];
    size_t len;

    rewind(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    return text;
}

Test(tracer, the_console_shows_runs_as_they_are_nested)
{
    gr_value *t = gr_console_tracer(fileno(file), NULL);

    tell(t, &chain, GR_RUN_START, NULL);
    tell(t, &prompt, GR_RUN_START, NULL);
    tell(t, &prompt, GR_RUN_STREAM, gr_str("not shown"));
    tell(t, &prompt, GR_RUN_CUSTOM, gr_int(3));
    tell(t, &prompt, GR_RUN_END, gr_list(gr_int(1)));
    tell(t, &chain, GR_RUN_RETRY, gr_error(GR_ERATE, "not so fast"));
    tell(t, &chain, GR_RUN_ERROR,
         gr_error_with(gr_error(GR_ERATE, "two\nlines"), "kind", gr_str("Rate")));
    gr_value_unref(t);
    cr_assert_str_eq(written(), "> chain RunnableSequence {\"q\": \"hi\"}\n"
                                "  > prompt Prompt \"hi\"\n"
                                "    * progress 3\n"
                                "  < prompt Prompt 1.500 ms [1]\n"
                                "  ~ chain RunnableSequence GR_ERATE: not so fast\n"
                                "! chain RunnableSequence 1.500 ms Rate: two lines\n");
}

Test(tracer, the_console_cuts_values_and_disarms_names)
{
    gr_value *t = gr_console_tracer(fileno(file), GR_TRACER(.value_max = 5));
    struct fake_run odd;

    fake_run(&odd, NULL, "r3", "a\x1b[31mb\n", GR_TYPE_TOOL, gr_str("0123456789"));
    tell(t, &odd, GR_RUN_START, NULL);
    fake_free(&odd);
    gr_value_unref(t);
    cr_assert_str_eq(written(), "> tool a?[31mb? \"01234…\"\n");
}

Test(tracer, json_lines_have_the_event_and_its_time)
{
    gr_value *t = gr_json_tracer(fileno(file), NULL);

    tell(t, &chain, GR_RUN_START, NULL);
    gr_value_unref(t);
    is(json(written()),
       "{\"event\":\"on_chain_start\",\"name\":\"RunnableSequence\",\"run_id\":\"r1\",\"parent_ids\":[],"
       "\"tags\":[],\"metadata\":{},\"data\":{\"input\":{\"q\":\"hi\"}},"
       "\"time\":\"2026-08-01T00:00:00.001500+00:00\"}");
}

Test(tracer, each_json_line_is_a_value_however_long_what_it_tells_of)
{
    gr_value *t = gr_json_tracer(fileno(file), GR_TRACER(.value_max = 100));
    char text[20000], *line, *rest;
    int lines = 0;

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    tell(t, &chain, GR_RUN_END, gr_map(GR_KV("api_key", gr_str("sk-1")), GR_KV("t", gr_str(text))));
    tell(t, &prompt, GR_RUN_STREAM, gr_str(text));
    tell(t, &prompt, GR_RUN_CUSTOM, gr_str(text));
    tell(t, &prompt, GR_RUN_ERROR, gr_error(GR_EINVAL, "%s", text));
    gr_value_unref(t);
    for (line = strtok_r((char *)(uintptr_t)written(), "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        gr_value *v = json(line);

        cr_assert_lt(strlen(line), 500, "%s", line);
        cr_assert_null(strstr(line, "sk-1"));
        gr_value_unref(v);
        lines++;
    }
    cr_assert_eq(lines, 4);
}

Test(tracer, writing_that_fails_fails_nothing)
{
    int ends[2];
    gr_value *closed = gr_json_tracer(-1, NULL), *nobody;

    tell(closed, &chain, GR_RUN_START, NULL);
    gr_value_unref(closed);
    cr_assert_eq(pipe(ends), 0);
    nobody = gr_console_tracer(ends[1], NULL);
    close(ends[0]); /* SIGPIPE would end this process */
    tell(nobody, &chain, GR_RUN_START, NULL);
    tell(nobody, &chain, GR_RUN_END, gr_int(1));
    gr_value_unref(nobody);
    close(ends[1]);
}

Test(tracer, a_full_pipe_that_does_not_block_loses_lines_whole)
{
    static char text[1 << 20];
    int ends[2];
    ssize_t len = 0, n;
    gr_value *t;

    cr_assert_eq(pipe(ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], "........", 8) == 8)
        ;
    t = gr_console_tracer(ends[1], NULL);
    tell(t, &chain, GR_RUN_START, NULL); /* lost */
    while ((n = read(ends[0], text, sizeof(text))) > 0)
        ;
    tell(t, &chain, GR_RUN_END, gr_int(1));
    gr_value_unref(t);
    close(ends[1]);
    while ((n = read(ends[0], text + len, sizeof(text) - 1 - (size_t)len)) > 0)
        len += n;
    text[len] = '\0';
    close(ends[0]);
    cr_assert_str_eq(text, "< chain RunnableSequence 1.500 ms 1\n");
}
