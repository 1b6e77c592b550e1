/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - what each subcommand does. */
#include <string.h>

#include "cli/chain.h"
#include "cli/chain_load.h"
#include "cli/node_settings.h"
#include "cli/watchers.h"

struct gri_chain_actor *gri_chain_pick(const struct gri_chain_file *file, const char *path,
                                       const char *name)
{
    struct gri_chain_actor *actor = name != NULL ? gri_chain_actor_find(file, name) : file->main;
    const char *nearest;

    if (actor != NULL)
        return actor;
    if (name == NULL) {
        gri_say("%s names no main actor; say which one to call", path);
        return NULL;
    }
    nearest = gri_chain_nearest(name, file->actors, file->actor_count, sizeof(file->actors[0]));
    gri_say("%s has no actor \"%s\"%s%s%s", path, name, nearest != NULL ? "; did you mean \"" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    return NULL;
}

static int call_actor(struct gri_options *o, enum gri_way way)
{
    struct gri_chain c;
    int exit_code = gri_chain_open(&c, o->args[0], o->workers);
    struct gri_chain_actor *actor;
    gr_ref who = { 0, 0 };
    gr_value *error;

    if (exit_code < 0) {
        gri_deploy_visit(c.file);
        exit_code = gri_node_settings_use(&c.session, o, c.file);
    }
    if (exit_code < 0)
        exit_code = gri_deploy_join(&c.session, c.file, o->args[0]);
    if (exit_code >= 0)
        goto out;
    exit_code = GRI_EXIT_USAGE;
    actor = gri_chain_pick(c.file, o->args[0], o->args[1]);
    if (actor == NULL)
        goto out;
    if (!gri_deploy_reach(&c.builder, actor, &who) || !gri_chain_settle(&c.builder)) {
        exit_code = gri_chain_tell(&c);
        goto out;
    }
    gri_deploy_await(&c.session, c.file);
    error = gri_chain_load(&c.session, &c.builder, o->quiet);
    exit_code = error != NULL ? gri_session_fail(&c.session, error)
                              : gri_chain_answer(&c.session, who, NULL, way, o);
out:
    gri_chain_close(&c);
    return exit_code;
}

/* run_actor is run, stream and batch. */
static int run_actor(struct gri_options *o, enum gri_way way)
{
    struct gri_watchers watchers;
    int exit_code = gri_watchers_open(&watchers, o);

    if (exit_code < 0)
        exit_code = call_actor(o, way);
    gri_watchers_close(&watchers);
    return exit_code;
}

int gri_cmd_run(struct gri_options *o)
{
    return run_actor(o, o->events ? GRI_WAY_EVENTS : GRI_WAY_CALL);
}

int gri_cmd_stream(struct gri_options *o)
{
    return run_actor(o, GRI_WAY_STREAM);
}

int gri_cmd_batch(struct gri_options *o)
{
    if (gr_value_type(o->input) != GR_LIST) {
        gri_say("batch: --input: a JSON list was expected, not %s",
                gr_type_name(gr_value_type(o->input)));
        return GRI_EXIT_USAGE;
    }
    return run_actor(o, GRI_WAY_BATCH);
}

int gri_cmd_call(struct gri_options *o)
{
    struct gri_session s;
    int exit_code;

    if (!gri_chain_is_url(o->args[0])) {
        gri_say("%s: a URL was expected: ipc:///path, tcp://host:port or tls+tcp://host:port",
                o->args[0]);
        return GRI_EXIT_USAGE;
    }
    if (!gri_session_open(&s, o->workers))
        return GRI_EXIT_FAILED;
    exit_code = gri_node_settings_use(&s, o, NULL);
    if (exit_code < 0)
        exit_code = gri_chain_answer(&s, gr_remote(gr_root(s.rt), o->args[0], o->args[1]),
                                     o->args[2], o->stream ? GRI_WAY_STREAM : GRI_WAY_CALL, o);
    gri_session_close(&s);
    return exit_code;
}

/* tell_fine says what a file without mistakes has, after notes on what is seldom meant. */
static void tell_fine(const struct gri_chain *c, const char *path)
{
    size_t actors = c->file->actor_count, nodes = c->file->deploy.node_count;
    struct gri_chain_report notes;

    gri_chain_report_init(&notes, path);
    gri_deploy_notes(c->file, &notes);
    (void)fputs(gri_chain_report_text(&notes), stderr);
    gri_chain_report_fini(&notes);
    (void)printf("%s: fine, %zu actor%s", path, actors, actors == 1 ? "" : "s");
    if (nodes > 0)
        (void)printf(", %zu node%s", nodes, nodes == 1 ? "" : "s");
    (void)printf("\n");
}

int gri_cmd_check(struct gri_options *o)
{
    struct gri_chain c;
    int exit_code = gri_chain_open(&c, o->args[0], 1);

    if (exit_code < 0) {
        exit_code = GRI_EXIT_OK;
        c.builder.checks = true;
        for (size_t i = 0; i < c.file->actor_count; i++)
            (void)gri_chain_build(&c.builder, &c.file->actors[i]);
        (void)gri_chain_settle(&c.builder);
        gri_chain_load_check(&c.builder);
        gri_deploy_check_doors(c.file, &c.report);
        if (c.report.count > 0)
            exit_code = gri_chain_tell(&c);
        else
            tell_fine(&c, o->args[0]);
    }
    gri_chain_close(&c);
    return exit_code;
}

/* draw prints the actor's graph. */
static int draw(struct gri_session *s, gr_ref who)
{
    gr_value *error = NULL, *graph = gr_get_graph(s->rt, who, &error), *text;

    if (graph == NULL)
        return gri_session_fail(s, error);
    text = gr_draw_mermaid(graph);
    gr_value_unref(graph);
    if (gr_error_code(text) != GR_OK)
        return gri_session_fail(s, text);
    (void)fputs(gr_cstr(text, ""), stdout);
    gr_value_unref(text);
    return fflush(stdout) == 0 ? GRI_EXIT_OK : GRI_EXIT_FAILED;
}

/* draw_nodes prints the graph of a whole deployment. */
static int draw_nodes(const struct gri_chain_file *f)
{
    struct gri_strbuf text = GRI_STRBUF_INIT;
    int exit_code = GRI_EXIT_FAILED;

    if (!gri_deploy_draw(f, &text))
        gri_say("out of memory");
    else if (fputs(text.data, stdout) >= 0 && fflush(stdout) == 0)
        exit_code = GRI_EXIT_OK;
    gri_strbuf_fini(&text);
    return exit_code;
}

int gri_cmd_graph(struct gri_options *o)
{
    struct gri_chain c;
    int exit_code = gri_chain_open(&c, o->args[0], 1);
    struct gri_chain_actor *actor;

    if (exit_code >= 0)
        goto out;
    if (o->args[1] == NULL && c.file->deploy.node_count > 0) {
        exit_code = draw_nodes(c.file);
        goto out;
    }
    exit_code = GRI_EXIT_USAGE;
    actor = gri_chain_pick(c.file, o->args[0], o->args[1]);
    if (actor != NULL && gri_chain_build(&c.builder, actor) && gri_chain_settle(&c.builder))
        exit_code = draw(&c.session, actor->ref);
    else if (actor != NULL)
        exit_code = gri_chain_tell(&c);
out:
    gri_chain_close(&c);
    return exit_code;
}

int gri_cmd_kinds(struct gri_options *o)
{
    const char *nearest;

    if (gri_chain_kinds_print(stdout, o->args[0], o->markdown))
        return GRI_EXIT_OK;
    nearest = gri_chain_kind_nearest(o->args[0]);
    gri_say("there is no kind \"%s\"%s%s%s", o->args[0], nearest != NULL ? "; did you mean \"" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    return GRI_EXIT_USAGE;
}
