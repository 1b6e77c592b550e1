/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer.c - a user's program in strict C11: a chain of two functions, called in both ways.
 * Prints "ok" when all of it is as the headers say.
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(gr_ref) == 16, "gr_ref is part of the ABI");
_Static_assert(sizeof(gr_outcome) == 3 * sizeof(void *), "gr_outcome is part of the ABI");

static gr_value *add_one(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    (void)arg;
    return gr_int(gr_as_int(input, 0) + 1);
}

static gr_value *describe(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    return gr_strf("%s%lld", (const char *)arg, (long long)gr_as_int(input, -1));
}

static int use_chain(gr_runtime *rt)
{
    gr_scope *root = gr_root(rt);
    gr_ref chain = gr_seq(root, gr_lambda(root, GR_CHEAP, add_one, NULL, NULL),
                          gr_lambda(root, GR_ASYNC, describe, NULL, "it is "));
    gr_value *err = NULL;
    gr_value *plain = gr_invoke(rt, chain, gr_int(41), GR_CALL(.timeout_ms = 20000), &err);
    gr_value *later = gr_take(gr_ainvoke(rt, chain, gr_int(1), NULL), &err);
    int rc =
        strcmp(gr_cstr(plain, ""), "it is 42") != 0 || strcmp(gr_cstr(later, ""), "it is 2") != 0;

    if (rc != 0)
        fprintf(stderr, "wrong: %s, %s; %s\n", gr_cstr(plain, "nothing"), gr_cstr(later, "nothing"),
                err != NULL ? gr_error_text(err) : "no error");
    gr_value_unref(plain);
    gr_value_unref(later);
    gr_value_unref(err);
    return rc;
}

int main(void)
{
    gr_runtime *rt = NULL;
    int rc;

    if (strcmp(gr_version(), GR_VERSION) != 0) {
        fprintf(stderr, "the header says %s, the library %s\n", GR_VERSION, gr_version());
        return 1;
    }
    if (gr_runtime_new(GR_RUNTIME(.workers = 2), &rt) != GR_OK)
        return 1;
    rc = use_chain(rt);
    gr_runtime_free(rt);
    if (rc == 0)
        puts("ok");
    return rc;
}
