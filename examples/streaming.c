/* SPDX-License-Identifier: Apache-2.0 */
/*
 * streaming.c - a parallel that streams: the chunks of both its steps come as they are made, each in a
 * map of one key.
 *
 *     cc streaming.c $(pkg-config --cflags --libs greenroom) && ./a.out
 *
 * It prints these lines; which step is ahead differs from run to run:
 *
 *     joke: "A"
 *     joke: " sequence"
 *     joke: " walks"
 *     joke: " into"
 *     joke: " a"
 *     joke: " bar."
 *     poem: "Chunks"
 *     poem: " fall"
 *     poem: " like"
 *     poem: " rain."
 */
#include <greenroom/greenroom.h>

#include <stdio.h>

/* say is prompt | model | parser; the model answers from a script, so no key is needed. */
static gr_ref say(gr_scope *in, const char *tmpl, const char *answer)
{
    return gr_seq(in, gr_prompt(in, tmpl),
                  gr_script_model(in, GR_SCRIPT(.answers = gr_list(gr_str(answer)))),
                  gr_str_parser(in));
}

int main(void)
{
    GR_AUTO(gr_runtime) rt = NULL;
    gr_scope *in;
    gr_ref both;
    gr_outcome o;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    in = gr_root(rt);
    both = gr_parallel(
        in, GR_STEP("joke", say(in, "A joke about {topic}", "A sequence walks into a bar.")),
        GR_STEP("poem", say(in, "A poem about {topic}", "Chunks fall like rain.")));

    GR_AUTO(gr_stream) s = gr_astream(rt, both, gr_map(GR_KV("topic", gr_str("pipes"))), NULL);
    while ((o = gr_next(s, -1)).code == GR_OK) {
        const char *step = NULL;
        const gr_value *chunk = gr_pair_at(o.value, 0, &step);

        printf("%s: \"%s\"\n", step, gr_cstr(chunk, ""));
    }
    if (o.code != GR_EOS)
        fprintf(stderr, "%s\n", gr_error_text(o.error));
    return o.code == GR_EOS ? 0 : 1;
}
