/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/operate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/chain_file.h"
#include "cli/node_settings.h"

#define PATIENCE_MS 10000 /* for an answer, unless --timeout says otherwise */
#define LOOK_MS 100       /* between two looks at what is left */

int gri_operate_open(struct gri_operated *n, const struct gri_options *o)
{
    int exit_code;

    *n = (struct gri_operated){ .session.signals = -1, .options = o };
    if (!gri_chain_is_url(o->args[0])) {
        gri_say("%s: a URL was expected: ipc:///path, tcp://host:port or tls+tcp://host:port",
                o->args[0]);
        return GRI_EXIT_USAGE;
    }
    if (!gri_session_open(&n->session, 1))
        return GRI_EXIT_FAILED;
    exit_code = gri_node_settings_use(&n->session, o, NULL);
    if (exit_code < 0)
        n->node = gr_remote(gr_root(n->session.rt), o->args[0], GR_ADMIN_NAME);
    return exit_code;
}

void gri_operate_close(struct gri_operated *n)
{
    if (n->session.rt != NULL)
        gri_session_close(&n->session);
}

static gr_future *begin(struct gri_operated *n, const char *verb, gr_value *args,
                        int64_t timeout_ms)
{
    return gr_acall(n->session.rt, n->node, verb, args,
                    GR_CALL(.scope = n->session.scope, .timeout_ms = timeout_ms));
}

gr_future *gri_operate_begin(struct gri_operated *n, const char *verb, gr_value *args)
{
    return begin(n, verb, args, 0);
}

gr_value *gri_operate_ask(struct gri_operated *n, const char *verb, gr_value *args,
                          gr_value **reterr)
{
    int64_t timeout_ms = n->options->timeout_ms > 0 ? n->options->timeout_ms : PATIENCE_MS;

    return gri_session_wait(&n->session, begin(n, verb, args, timeout_ms), reterr);
}

/* hint tells what may be the matter where the error alone does not. */
static void hint(const gr_value *err)
{
    if (gr_error_code(err) == GR_EDEAD && strstr(gr_error_text(err), "'" GR_ADMIN_NAME "'") != NULL)
        gri_say("the process at that URL does not let itself be operated: its chain file says "
                "admin: off, or its program does not call gr_node_admin");
}

int gri_operate_fail(struct gri_operated *n, gr_value *err)
{
    if (n->session.caught == 0)
        hint(err);
    return gri_session_fail(&n->session, err);
}

/* ---- ps -------------------------------------------------------------------------------------- */

static gr_value *page(struct gri_operated *n, const gr_value *after, gr_value **reterr)
{
    return gri_operate_ask(
        n, "ps", gr_map(GR_KV("after", after != NULL ? gr_value_ref(after) : gr_int(0))), reterr);
}

gr_value *gri_operate_rows(struct gri_operated *n, bool *ret_more, gr_value **reterr)
{
    gr_value *all = gr_list_n(NULL, 0), *after = NULL;

    *ret_more = false;
    do {
        gr_value *p = page(n, after, reterr);
        const gr_value *rows = gr_get(p, "actors");

        if (p == NULL) {
            gr_value_unref(after);
            gr_value_unref(all);
            return NULL;
        }
        for (size_t i = 0; i < gr_len(rows) && gr_len(all) < GRI_ROWS_MAX; i++)
            all = gr_append(all, gr_value_ref(gr_at(rows, i)));
        gr_value_unref(after);
        after = gr_value_ref(gr_get(p, "next"));
        gr_value_unref(p);
    } while (!gr_is_nil(after) && gr_len(all) < GRI_ROWS_MAX);
    *ret_more = !gr_is_nil(after);
    gr_value_unref(after);
    return all;
}

/* print_rows prints a page as lines of JSON. */
static bool print_rows(const gr_value *rows)
{
    for (size_t i = 0; i < gr_len(rows); i++) {
        if (gri_print(gr_at(rows, i), GRI_FORM_JSON, false) != GR_OK)
            return false;
    }
    return true;
}

/* ps_json prints page by page, however many there are. */
static int ps_json(struct gri_operated *n)
{
    gr_value *err = NULL, *after = NULL;
    bool written = true;

    do {
        gr_value *p = page(n, after, &err);

        gr_value_unref(after);
        after = NULL;
        if (p == NULL)
            return gri_operate_fail(n, err);
        written = print_rows(gr_get(p, "actors"));
        after = gr_value_ref(gr_get(p, "next"));
        gr_value_unref(p);
    } while (written && !gr_is_nil(after));
    gr_value_unref(after);
    return written ? GRI_EXIT_OK : GRI_EXIT_FAILED;
}

static int ps(struct gri_operated *n)
{
    struct gri_strbuf text = GRI_STRBUF_INIT;
    gr_value *err = NULL, *rows;
    bool more = false, written;

    if (n->options->json)
        return ps_json(n);
    rows = gri_operate_rows(n, &more, &err);
    if (rows == NULL)
        return gri_operate_fail(n, err);
    if (n->options->tree)
        gri_rows_tree(&text, rows);
    else
        gri_rows_table(&text, rows);
    written = gri_text_print(&text);
    if (more)
        gri_say("there are more than %d actors; --json prints all", GRI_ROWS_MAX);
    gri_strbuf_fini(&text);
    gr_value_unref(rows);
    return written ? GRI_EXIT_OK : GRI_EXIT_FAILED;
}

/* ---- info and kill --------------------------------------------------------------------------- */

static int info(struct gri_operated *n)
{
    const char *actor = n->options->args[1];
    struct gri_strbuf text = GRI_STRBUF_INIT;
    gr_value *err = NULL, *about;
    bool written;

    about = gri_operate_ask(n, "info",
                            actor != NULL ? gr_map(GR_KV("actor", gr_str(actor))) : gr_nil(), &err);
    if (about == NULL)
        return gri_operate_fail(n, err);
    if (n->options->json) {
        written = gri_print(about, GRI_FORM_JSON, false) == GR_OK;
    } else {
        if (actor != NULL)
            gri_about_actor(&text, about);
        else
            gri_about_node(&text, about);
        written = gri_text_print(&text);
    }
    gri_strbuf_fini(&text);
    gr_value_unref(about);
    return written ? GRI_EXIT_OK : GRI_EXIT_FAILED;
}

static int end_actor(struct gri_operated *n)
{
    const char *reason = n->options->reason != NULL ? n->options->reason : "shutdown";
    struct gri_strbuf text = GRI_STRBUF_INIT;
    gr_value *err = NULL, *told;
    bool written;

    told = gri_operate_ask(
        n, "kill",
        gr_map(GR_KV("actor", gr_str(n->options->args[1])), GR_KV("reason", gr_str(reason))), &err);
    if (told == NULL)
        return gri_operate_fail(n, err);
    gri_strbuf_addf(&text, "%s %s: told \"%s\"\n", gr_cstr(gr_get(told, "id"), "?"),
                    gr_cstr(gr_get(told, "name"), "?"), reason);
    written = gri_text_print(&text);
    gri_strbuf_fini(&text);
    gr_value_unref(told);
    return written ? GRI_EXIT_OK : GRI_EXIT_FAILED;
}

/* ---- drain ----------------------------------------------------------------------------------- */

/* show says how many calls are left, when that has changed. */
static void show(struct gri_operated *n, int64_t *shown)
{
    gr_value *err = NULL, *health = gri_operate_ask(n, "health", gr_nil(), &err);
    int64_t left = gr_as_int(gr_get(health, "calls_in"), *shown);

    if (left != *shown)
        gri_say("draining: %lld call%s left", (long long)left, left == 1 ? "" : "s");
    *shown = left;
    gr_value_unref(health);
    gr_value_unref(err); /* the drain's own call tells what is wrong */
}

/* wait_for shows progress until the call is over. */
static gr_value *wait_for(struct gri_operated *n, gr_future *drained, gr_value **reterr)
{
    int64_t shown = 0;

    while (drained != NULL && !gr_done(drained) && n->session.caught == 0) {
        gri_session_poll(&n->session, NULL, 0, LOOK_MS);
        if (!gr_done(drained) && n->session.caught == 0 && !n->options->quiet)
            show(n, &shown);
    }
    return gri_session_wait(&n->session, drained, reterr);
}

static int drain(struct gri_operated *n)
{
    int64_t wait_ms = n->options->wait_ms;
    gr_value *err = NULL, *answer;
    int64_t left;

    answer =
        wait_for(n, gri_operate_begin(n, "drain", gr_map(GR_KV("wait_ms", gr_int(wait_ms)))), &err);
    if (answer == NULL && n->session.caught == 0 && gr_error_code(err) == GR_EUNREACH &&
        strcmp(gr_cstr(gr_get(err, "kind"), ""), "NotSent") != 0) {
        gr_value_unref(err);
        gri_say("the node has ended before all calls had their answers");
        return GRI_EXIT_FAILED;
    }
    if (answer == NULL)
        return gri_operate_fail(n, err);
    left = gr_as_int(gr_get(answer, "left"), 0);
    gr_value_unref(answer);
    if (left == 0) {
        (void)printf("drained; the node ends\n");
        return GRI_EXIT_OK;
    }
    if (wait_ms == 0) {
        (void)printf("draining: %lld call%s left\n", (long long)left, left == 1 ? "" : "s");
        return GRI_EXIT_OK;
    }
    gri_say("%lld call%s left after %g s; the node goes on draining", (long long)left,
            left == 1 ? " is" : "s are", (double)wait_ms / 1000);
    return GRI_EXIT_FAILED;
}

/* ---- the commands ---------------------------------------------------------------------------- */

static int with_node(const struct gri_options *o, int (*run)(struct gri_operated *n))
{
    struct gri_operated n;
    int exit_code = gri_operate_open(&n, o);

    if (exit_code < 0)
        exit_code = run(&n);
    gri_operate_close(&n);
    return exit_code;
}

int gri_cmd_ps(struct gri_options *o)
{
    return with_node(o, ps);
}

int gri_cmd_info(struct gri_options *o)
{
    return with_node(o, info);
}

int gri_cmd_kill(struct gri_options *o)
{
    return with_node(o, end_actor);
}

int gri_cmd_drain(struct gri_options *o)
{
    return with_node(o, drain);
}
