/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - `greenroom serve`: from publishing what a chain file names to the last answer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/chain.h"
#include "cli/chain_load.h"
#include "cli/deploy.h"
#include "cli/health.h"
#include "cli/node_settings.h"
#include "cli/notify.h"
#include "runtime/base/thread.h"

#define LOOK_MS 10 /* between two looks at what is under way */

/* What there is besides the chain. */
struct served {
    struct gri_chain chain;
    struct gri_served_settings settings;
    struct gri_health health;
    int asked; /* an eventfd: another process has asked us to drain; -1: none */
    bool drains;
};

/* turn_in has the main thread drain, as after a signal. */
static void turn_in(void *arg)
{
    const struct served *s = arg;

    (void)eventfd_write(s->asked, 1);
}

/* let_operate lets others look and act, as far as the settings say. */
static int let_operate(struct served *s)
{
    gr_code code = GR_OK;

    s->asked = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->asked < 0) {
        gri_say("eventfd: %s", strerror(errno));
        return GRI_EXIT_FAILED;
    }
    if (s->settings.admin != GRI_ADMIN_OFF)
        code = gr_node_admin(
            s->chain.session.rt,
            GR_ADMIN(.read_only = s->settings.admin == GRI_ADMIN_READ, .drain = turn_in, .arg = s));
    if (code != GR_OK)
        return gri_session_fail(&s->chain.session, gr_error(code, "the node can't be operated"));
    if (s->settings.health != NULL &&
        !gri_health_open(&s->health, s->chain.session.rt, s->settings.health, s->settings.stuck_ms))
        return GRI_EXIT_FAILED;
    return -1;
}

/* rest waits for a wish to end or that long, and tells who asks how we do; -1: for ever. */
static void rest(struct served *s, int timeout_ms)
{
    struct pollfd fds[1 + GRI_HEALTH_FDS] = { { .fd = s->drains ? -1 : s->asked,
                                                .events = POLLIN } };
    nfds_t count = 1 + gri_health_fds(&s->health, fds + 1, &timeout_ms);

    gri_session_poll(&s->chain.session, fds, count, timeout_ms);
    gri_health_serve(&s->health, fds + 1);
    s->drains = s->drains || fds[0].revents != 0 || s->chain.session.caught != 0;
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
    gri_deploy_await(&c->session, c->file);
    (void)printf("pid %ld\n", (long)getpid());
    if (gri_print_check() != GR_OK)
        return GRI_EXIT_FAILED;
    gri_notify("READY=1");
    return -1;
}

/* drain refuses calls from now on, and waits for those under way; a second signal ends us meanwhile.
 * Returns the exit code. */
static int drain(struct served *s, int64_t limit_ms)
{
    gr_runtime *rt = s->chain.session.rt;
    uint64_t until_ns = gri_clock_ns() + (uint64_t)limit_ms * 1000000;
    size_t left = 0;
    gr_code code;

    gri_notify("STOPPING=1");
    while ((code = gr_node_drain(rt, &left)) == GR_OK && left > 0 && gri_clock_ns() < until_ns)
        rest(s, LOOK_MS);
    if (code == GR_OK && (left == 0 || limit_ms == 0))
        return GRI_EXIT_OK;
    if (code == GR_OK)
        gri_say("%zu call%s or link%s cut off after %g s", left, left == 1 ? "" : "s",
                left == 1 ? " is" : "s are", (double)limit_ms / 1000);
    else
        gri_say("draining: %s", gr_code_name(code));
    return GRI_EXIT_FAILED;
}

/* make makes and loads what is published. Returns -1, or the exit code. */
static int make(struct gri_chain *c, bool quiet)
{
    gr_value *error;

    if (c->file->listen_count == 0 || c->file->publish_count == 0) {
        gri_chain_mistake(
            &c->report, (struct gri_chain_place){ 0, 0 },
            "to serve, the keys \"listen\" and \"publish\" are needed, and not empty");
        return gri_chain_tell(c);
    }
    for (size_t i = 0; i < c->file->publish_count; i++) {
        if (!gri_chain_build(&c->builder, c->file->publish[i].actor))
            return gri_chain_tell(c);
    }
    if (!gri_chain_settle(&c->builder))
        return gri_chain_tell(c);
    error = gri_chain_load(&c->session, &c->builder, quiet);
    return error != NULL ? gri_session_fail(&c->session, error) : -1;
}

/* set_up says which node of the file this is, and whom it meets. Returns -1, or the exit code. */
static int set_up(struct gri_chain *c, const struct gri_options *o)
{
    int exit_code;

    if (o->place == NULL && c->file->deploy.node_count > 0) {
        gri_say("%s has nodes: say which with --node, or start all of them with greenroom up",
                o->args[0]);
        return GRI_EXIT_USAGE;
    }
    c->file->serves = true;
    exit_code = gri_node_settings_use(&c->session, o, c->file);
    return exit_code < 0 ? gri_deploy_join(&c->session, c->file, o->args[0]) : exit_code;
}

int gri_cmd_serve(struct gri_options *o)
{
    struct served s = { .asked = -1 };
    struct gri_chain *c = &s.chain;
    int exit_code = gri_chain_open_node(c, o->args[0], o->place, o->workers);

    gri_health_init(&s.health);
    if (exit_code < 0)
        exit_code = set_up(c, o);
    if (exit_code < 0)
        exit_code = gri_served_settings_read(&s.settings, o, c->file);
    if (exit_code < 0)
        exit_code = make(c, o->quiet);
    if (exit_code < 0)
        exit_code = let_operate(&s);
    if (exit_code < 0)
        exit_code = publish_and_listen(c);
    if (exit_code < 0) {
        while (!s.drains)
            rest(&s, -1);
        exit_code = drain(&s, o->drain_ms); /* which is how serving ends */
    }
    gri_health_close(&s.health);
    gri_served_settings_fini(&s.settings);
    gri_chain_close(c);
    if (s.asked >= 0) /* no actor is left that could use it */
        (void)close(s.asked);
    return exit_code;
}
