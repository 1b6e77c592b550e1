/* SPDX-License-Identifier: Apache-2.0 */
/*
 * concurrency.c - max_concurrency holds for the whole tree of a run: a batch of parallels of blocking
 * functions, of which never more than three run at once.
 *
 *     cc concurrency.c $(pkg-config --cflags --libs greenroom) && ./a.out
 *
 * It prints:
 *
 *     10 answers, made of 20 calls
 *     never more than 3 at once: yes
 */
#include <greenroom/greenroom.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>

static _Atomic int now, most, calls;

/* slow stands for a client that blocks: a database, a file, a library that knows nothing of us. */
static gr_value *slow(gr_ctx *c, void *arg, const gr_value *in)
{
    int here = atomic_fetch_add(&now, 1) + 1;
    int seen = atomic_load(&most);

    (void)c, (void)arg;
    while (here > seen && !atomic_compare_exchange_weak(&most, &seen, here))
        ;
    atomic_fetch_add(&calls, 1);
    poll(NULL, 0, 5);
    atomic_fetch_sub(&now, 1);
    return gr_value_ref(in);
}

int main(void)
{
    GR_AUTO(gr_runtime) rt = NULL;
    gr_value *inputs = gr_list_n(NULL, 0);
    gr_value *err = NULL;
    gr_scope *in;
    gr_ref client, both;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    in = gr_root(rt);
    client = gr_lambda(in, GR_BLOCKING, slow, NULL, NULL);
    both = gr_parallel(in, GR_STEP("a", client), GR_STEP("b", client));
    for (int i = 0; i < 10; i++)
        inputs = gr_append(inputs, gr_int(i));

    GR_AUTO(gr_value)
    answers = gr_batch(rt, both, inputs,
                       GR_CALL(.config = gr_map(GR_KV("max_concurrency", gr_int(3)))), &err);
    if (answers == NULL) {
        fprintf(stderr, "%s\n", gr_error_text(err));
        gr_value_unref(err);
        return 1;
    }
    printf("%zu answers, made of %d calls\n", gr_len(answers), atomic_load(&calls));
    printf("never more than 3 at once: %s\n", atomic_load(&most) <= 3 ? "yes" : "no");
    return 0;
}
