/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervised.c - a chain that outlives its model.
 *
 * The model below crashes on every second call, as a client with a broken connection might. Its
 * supervisor starts a new one each time; the chain does not know it by its ref but by gr_child, and
 * tries again. Whoever uses the chain sees answers only.
 *
 *     cc supervised.c $(pkg-config --cflags --libs greenroom) && ./a.out
 */
#include <greenroom/greenroom.h>

#include <stdio.h>

/* Each incarnation begins with calls == 0. */
struct moody {
    int calls;
};

static gr_value *moody_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    struct moody *m = self;

    if (++m->calls == 2)
        return gr_exit(c, gr_error(GR_EUNREACH, "the connection is in pieces"));
    return gr_strf("You said: %s", gr_cstr(args, "nothing"));
}

static const gr_method moody_methods[] = { { "invoke", GR_ASYNC, moody_invoke, NULL } };
static const gr_class moody =
    GR_CLASS(.name = "moody", .state_size = sizeof(struct moody), GR_METHODS(moody_methods));

int main(void)
{
    gr_child_spec children[] = { GR_CHILD(.id = "model", .cls = &moody) };
    gr_runtime *rt = NULL;
    gr_ref sup, chain;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    sup = gr_supervisor(gr_root(rt),
                        GR_SUPERVISOR(.intensity = 10, .children = children, .child_count = 1));
    /* During a restart calls wait for up to a second; what was lost in a crash is tried again. */
    chain = gr_seq(gr_root(rt), gr_prompt(gr_root(rt), "hello, {name}"),
                   gr_with_retry(gr_root(rt),
                                 gr_child(gr_root(rt), sup, "model", GR_NAMED(.wait_ms = 1000)),
                                 GR_RETRY(.backoff_ms = 1)));
    for (int i = 1; i <= 4; i++) {
        GR_AUTO(gr_value) err = NULL;
        GR_AUTO(gr_value)
        answer = gr_invoke(rt, chain, gr_map(GR_KV("name", gr_strf("number %d", i))), NULL, &err);

        printf("%s\n", answer != NULL ? gr_cstr(answer, "") : gr_error_text(err));
    }
    GR_AUTO(gr_value) count = gr_count_children(rt, sup, NULL);
    printf("restarts: %d\n", (int)gr_as_int(gr_get(count, "restarts"), -1));
    gr_runtime_free(rt);
    return 0;
}
