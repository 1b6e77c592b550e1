/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - what each subcommand does. */
#include <string.h>
#include <unistd.h>

#include "cli/chain.h"
#include "cli/chain_load.h"

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

/* run_actor is run, stream and batch. */
static int run_actor(struct gri_options *o, enum gri_way way)
{
    struct gri_chain c;
    int exit_code = gri_chain_open(&c, o->args[0], o->workers);
    struct gri_chain_actor *actor;
    gr_value *error;

    if (exit_code >= 0)
        goto out;
    exit_code = GRI_EXIT_USAGE;
    actor = gri_chain_pick(c.file, o->args[0], o->args[1]);
    if (actor == NULL)
        goto out;
    if (!gri_chain_build(&c.builder, actor) || !gri_chain_settle(&c.builder)) {
        exit_code = gri_chain_tell(&c);
        goto out;
    }
    error = gri_chain_load(&c.session, &c.builder, o->quiet);
    exit_code = error != NULL ? gri_session_fail(&c.session, error)
                              : gri_chain_answer(&c.session, actor->ref, NULL, way, o);
out:
    gri_chain_close(&c);
    return exit_code;
}

int gri_cmd_run(struct gri_options *o)
{
    return run_actor(o, GRI_WAY_CALL);
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
        gri_say("%s: a URL was expected: ipc:///path or tcp://host:port", o->args[0]);
        return GRI_EXIT_USAGE;
    }
    if (!gri_session_open(&s, o->workers))
        return GRI_EXIT_FAILED;
    exit_code = gri_chain_answer(&s, gr_remote(gr_root(s.rt), o->args[0], o->args[1]), o->args[2],
                                 o->stream ? GRI_WAY_STREAM : GRI_WAY_CALL, o);
    gri_session_close(&s);
    return exit_code;
}

/* publish gives the file's actors their public names, and only then opens the doors. */
static int publish_and_listen(struct gri_chain *c)
{
    for (size_t i = 0; i < c->file->publish_count; i++) {
        const struct gri_chain_publish *p = &c->file->publish[i];
        gr_code code = gr_publish(c->session.rt, p->name, p->actor->ref);

        if (code != GR_OK)
            return gri_session_fail(&c->session,
                                    gr_error(code, "\"%s\" can't be published", p->name));
    }
    for (size_t i = 0; i < c->file->listen_count; i++) {
        gr_value *error = NULL;

        if (gr_serve(c->session.rt, c->file->listen[i], &error) != GR_OK)
            return gri_session_fail(&c->session, error);
    }
    for (size_t i = 0; i < c->file->listen_count; i++)
        (void)printf("listening on %s\n", c->file->listen[i]);
    (void)printf("pid %ld\n", (long)getpid());
    return fflush(stdout) == 0 ? -1 : GRI_EXIT_FAILED;
}

int gri_cmd_serve(struct gri_options *o)
{
    struct gri_chain c;
    int exit_code = gri_chain_open(&c, o->args[0], o->workers);
    gr_value *error;

    if (exit_code >= 0)
        goto out;
    if (c.file->listen_count == 0 || c.file->publish_count == 0) {
        gri_chain_mistake(
            &c.report, (struct gri_chain_place){ 0, 0 },
            "to serve, the keys \"listen\" and \"publish\" are needed, and not empty");
        exit_code = gri_chain_tell(&c);
        goto out;
    }
    for (size_t i = 0; i < c.file->publish_count; i++) {
        if (!gri_chain_build(&c.builder, c.file->publish[i].actor)) {
            exit_code = gri_chain_tell(&c);
            goto out;
        }
    }
    if (!gri_chain_settle(&c.builder)) {
        exit_code = gri_chain_tell(&c);
        goto out;
    }
    error = gri_chain_load(&c.session, &c.builder, o->quiet);
    if (error != NULL) {
        exit_code = gri_session_fail(&c.session, error);
        goto out;
    }
    exit_code = publish_and_listen(&c);
    if (exit_code < 0) {
        gri_session_sleep(&c.session);
        exit_code = GRI_EXIT_OK; /* a signal is how serving ends */
    }
out:
    gri_chain_close(&c);
    return exit_code;
}

int gri_cmd_check(struct gri_options *o)
{
    struct gri_chain c;
    int exit_code = gri_chain_open(&c, o->args[0], 1);

    if (exit_code < 0) {
        exit_code = GRI_EXIT_OK;
        for (size_t i = 0; i < c.file->actor_count; i++)
            (void)gri_chain_build(&c.builder, &c.file->actors[i]);
        (void)gri_chain_settle(&c.builder);
        gri_chain_load_check(&c.builder);
        if (c.report.count > 0)
            exit_code = gri_chain_tell(&c);
        else
            (void)printf("%s: fine, %zu actor%s\n", o->args[0], c.file->actor_count,
                         c.file->actor_count == 1 ? "" : "s");
    }
    gri_chain_close(&c);
    return exit_code;
}

int gri_cmd_kinds(struct gri_options *o)
{
    const char *nearest;

    if (gri_chain_kinds_print(stdout, o->args[0], o->markdown))
        return GRI_EXIT_OK;
    nearest = gri_chain_nearest(o->args[0], gri_chain_kinds, gri_chain_kind_count,
                                sizeof(gri_chain_kinds[0]));
    gri_say("there is no kind \"%s\"%s%s%s", o->args[0], nearest != NULL ? "; did you mean \"" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    return GRI_EXIT_USAGE;
}
