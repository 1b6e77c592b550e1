/* SPDX-License-Identifier: Apache-2.0 */
/* admin_test.c - the actor by which a node is operated: what it tells, whom it obeys, and draining through it. */
#include "tests/support/test.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <greenroom/admin.h>
#include <greenroom/link.h>
#include <greenroom/supervisor.h>

#include "tests/support/peer.h"

#define SECRET "an old man sat on a gate"

struct pair {
    gr_runtime *here, *there;
    gr_ref near, far, node; /* the actor as seen from there, and from here; the node's, from here */
    char url[128];
};

static _Atomic int drain_wishes;

static void wish(void *arg)
{
    cr_assert_eq(arg, &drain_wishes);
    atomic_fetch_add(&drain_wishes, 1);
}

static struct pair open_pair(const char *scheme, const char *secret, const gr_admin_opts *admin)
{
    struct pair p;
    gr_value *err = NULL;

    atomic_store(&drain_wishes, 0);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &p.here), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &p.there), GR_OK);
    cr_assert_eq(gr_node_configure(
                     p.there, GR_NODE(.name = "there", .cluster = "c", .secret = secret), NULL),
                 GR_OK);
    cr_assert_eq(
        gr_node_configure(p.here, GR_NODE(.name = "here", .cluster = "c", .secret = secret), NULL),
        GR_OK);
    test_peer_url(p.url, scheme);
    p.near = test_peer_publish(p.there);
    if (admin != NULL)
        cr_assert_eq(gr_node_admin(p.there, admin), GR_OK);
    cr_assert_eq(gr_serve(p.there, p.url, &err), GR_OK, "%s", gr_error_text(err));
    p.far = gr_remote(gr_root(p.here), p.url, "all");
    p.node = gr_remote(gr_root(p.here), p.url, GR_ADMIN_NAME);
    return p;
}

static void close_pair(struct pair *p)
{
    gr_runtime_free(p->there);
    gr_runtime_free(p->here);
}

#define FULL GR_ADMIN(.drain = wish, .arg = &drain_wishes)

static gr_value *ask(struct pair *p, const char *verb, gr_value *args)
{
    gr_value *err = NULL, *v = gr_do(p->here, p->node, verb, args, NULL, &err);

    cr_assert_not_null(v, "%s: %s", verb, gr_error_text(err));
    return v;
}

static void expect_error(struct pair *p, const char *verb, gr_value *args, gr_code code,
                         const char *part)
{
    gr_value *err = NULL;

    cr_assert_null(gr_do(p->here, p->node, verb, args, NULL, &err), "%s", verb);
    cr_assert_eq(gr_error_code(err), code, "%s: %s", verb, gr_error_text(err));
    cr_assert_not_null(strstr(gr_error_text(err), part), "%s: %s", verb, gr_error_text(err));
    gr_value_unref(err);
}

/* row_of finds the actor of a name among all; NULL: there is none. The caller's. */
static gr_value *row_of(struct pair *p, const char *name)
{
    gr_value *after = gr_int(0), *found = NULL;

    do {
        gr_value *page = ask(p, "ps", gr_map(GR_KV("after", after), GR_KV("max", gr_int(2))));
        const gr_value *rows = gr_get(page, "actors");

        for (size_t i = 0; i < gr_len(rows); i++) {
            const gr_value *row = gr_at(rows, i);

            if (strcmp(gr_cstr(gr_get(row, "published"), ""), name) == 0 ||
                strcmp(gr_cstr(gr_get(row, "name"), ""), name) == 0) {
                gr_value_unref(found);
                found = gr_value_ref(row);
            }
        }
        after = gr_value_ref(gr_get(page, "next"));
        gr_value_unref(page);
    } while (!gr_is_nil(after));
    gr_value_unref(after);
    return found;
}

static gr_value *actor(const char *name)
{
    return gr_map(GR_KV("actor", gr_str(name)));
}

/* ---- telling --------------------------------------------------------------------------------- */

Test(admin, ps_lists_actors_page_by_page)
{
    struct pair p = open_pair("ipc", NULL, FULL);
    gr_value *row = row_of(&p, "all"), *again;

    cr_assert_not_null(row);
    cr_assert_not_null(strchr(gr_cstr(gr_get(row, "id"), ""), '.'));
    cr_assert_not_null(gr_get(row, "state"));
    again = ask(&p, "info", actor(gr_cstr(gr_get(row, "id"), "")));
    cr_assert_str_eq(gr_cstr(gr_get(again, "published"), ""), "all", "it is found by its id");
    cr_assert_not_null(gr_get(again, "mailbox_max"));
    gr_value_unref(again);
    gr_value_unref(row);
    row = row_of(&p, GR_ADMIN_NAME);
    cr_assert_str_eq(gr_cstr(gr_get(row, "class"), ""), "node");
    gr_value_unref(row);
    expect_error(&p, "ps", gr_map(GR_KV("after", gr_int(-1))), GR_EINVAL, "after");
    expect_error(&p, "info", actor("nobody"), GR_EDEAD, "nobody");
    expect_error(&p, "info", actor("1.99"), GR_EDEAD, "ended");
    expect_error(&p, "info", actor("99999999999.1"), GR_EDEAD, "there is no actor");
    expect_error(&p, "dance", gr_nil(), GR_ETYPE, "no method");
    close_pair(&p);
}

Test(admin, info_tells_of_the_node_and_its_links)
{
    struct pair p = open_pair("tcp", SECRET, FULL);
    gr_value *v = ask(&p, "info", gr_nil());
    const gr_value *l = gr_at(gr_get(v, "links"), 0);

    cr_assert_str_eq(gr_cstr(gr_get(v, "node"), ""), "there");
    cr_assert_str_eq(gr_cstr(gr_get(v, "cluster"), ""), "c");
    cr_assert_str_eq(gr_cstr(gr_get(v, "status"), ""), "ok");
    cr_assert_str_eq(gr_cstr(gr_get(v, "admin"), ""), "full");
    cr_assert_str_eq(gr_cstr(gr_get(v, "version"), ""), gr_version());
    cr_assert_eq(gr_as_int(gr_get(v, "pid"), 0), (int64_t)getpid());
    cr_assert_eq(gr_len(gr_get(v, "published")), (size_t)1, "names of our own are not told");
    cr_assert_str_eq(gr_cstr(gr_at(gr_get(v, "published"), 0), ""), "all");
    cr_assert_str_eq(gr_cstr(gr_at(gr_get(v, "listens"), 0), ""), p.url);
    cr_assert_gt(gr_as_int(gr_get(gr_get(v, "limits"), "mailbox_max"), 0), 0);
    cr_assert_geq(gr_as_int(gr_get(gr_get(v, "stats"), "calls_started"), -1), 0);
    cr_assert_eq(gr_len(gr_get(v, "links")), (size_t)1);
    cr_assert_str_eq(gr_cstr(gr_get(l, "name"), ""), "here");
    cr_assert(gr_as_bool(gr_get(l, "proved"), false));
    cr_assert_gt(gr_as_int(gr_get(l, "bytes_in"), 0), 0);
    cr_assert_gt(gr_as_int(gr_get(l, "bytes_out"), 0), 0);
    cr_assert_gt(gr_as_int(gr_get(l, "frames_in"), 0), 0);
    gr_value_unref(v);
    v = gr_node_info(p.here);
    l = gr_at(gr_get(v, "links"), 0);
    cr_assert_str_eq(gr_cstr(gr_get(l, "url"), ""), p.url);
    cr_assert_gt(gr_as_int(gr_get(l, "frames_out"), 0), 0);
    cr_assert_gt(gr_as_int(gr_get(l, "frames_in"), 0), 0);
    cr_assert_str_eq(gr_cstr(gr_get(v, "admin"), ""), "off");
    gr_value_unref(v);
    v = ask(&p, "stats", gr_nil());
    cr_assert_geq(gr_as_int(gr_get(v, "workers_now"), 0), 2);
    gr_value_unref(v);
    close_pair(&p);
}

static const gr_class plain_class = GR_CLASS(.name = "plain", .state_size = 1);

/* restarting tells whether a child is shown as one that is about to be started again by that supervisor. */
static bool restarting(struct pair *p, const char *name, const gr_value *supervisor)
{
    gr_value *row = row_of(p, name);
    bool is = strcmp(gr_cstr(gr_get(row, "state"), ""), "restarting") == 0;

    if (is) {
        cr_assert(gr_equal(gr_get(row, "supervisor"), supervisor));
        cr_assert(gr_is_nil(gr_get(row, "id")));
    }
    gr_value_unref(row);
    return is;
}

/* A child that is about to be started again is no actor, and is shown all the same. */
Test(admin, ps_shows_children_that_are_to_be_started_again)
{
    struct pair p = open_pair("ipc", NULL, FULL);
    const gr_child_spec child = GR_CHILD(.id = "again", .cls = &plain_class, .name = "again",
                                         .backoff = { .min_ms = 3600000, .max_ms = 3600000 });
    gr_ref sup = gr_supervisor(gr_root(p.there),
                               GR_SUPERVISOR(.name = "sup", .children = &child, .child_count = 1));
    gr_value *row, *id;

    cr_assert_null(gr_check(p.there, sup));
    for (int ms = 0; gr_whereis(p.there, "again").id == 0; ms++) {
        cr_assert_lt(ms, TEST_WAIT_MS);
        gr_sleep(p.there, 1);
    }
    row = row_of(&p, "again");
    cr_assert_not_null(row);
    id = gr_value_ref(gr_get(row, "supervisor"));
    cr_assert_not(gr_is_nil(id));
    cr_assert_str_eq(gr_cstr(gr_get(row, "state"), ""), "idle");
    gr_value_unref(row);
    gr_value_unref(
        ask(&p, "kill", gr_map(GR_KV("actor", gr_str("again")), GR_KV("reason", gr_str("kill")))));
    for (int ms = 0; !restarting(&p, "again", id); ms += 5) {
        cr_assert_lt(ms, TEST_WAIT_MS, "it never came to that");
        gr_sleep(p.there, 5);
    }
    gr_value_unref(id);
    close_pair(&p);
}

/* ---- whom it obeys --------------------------------------------------------------------------- */

static void check_kill(const char *scheme, const char *secret)
{
    struct pair p = open_pair(scheme, secret, FULL);
    gr_value *v, *err = NULL;
    gr_future *ended = gr_ended(p.there, p.near);

    expect_error(&p, "kill", gr_map(GR_KV("actor", gr_str("all")), GR_KV("reason", gr_str("whim"))),
                 GR_EINVAL, "normal, shutdown or kill");
    expect_error(&p, "kill", gr_nil(), GR_EINVAL, "missing");
    expect_error(&p, "kill", actor("nobody"), GR_EDEAD, "nobody");
    expect_error(&p, "kill", actor(GR_ADMIN_NAME), GR_EINVAL, "drain it");
    v = ask(&p, "kill", actor("all"));
    cr_assert_str_eq(gr_cstr(gr_get(v, "reason"), ""), "shutdown");
    gr_value_unref(v);
    v = gr_take(ended, &err);
    cr_assert_str_eq(gr_cstr(v, ""), "shutdown", "%s", gr_error_text(err));
    gr_value_unref(v);
    close_pair(&p);
}

Test(admin, kill_is_for_links_that_are_proved)
{
    check_kill("ipc", NULL);
    check_kill("tcp", SECRET);
}

Test(admin, a_link_that_is_not_proved_may_look_and_no_more)
{
    struct pair p = open_pair("tcp", NULL, FULL);
    gr_value *row = row_of(&p, "all"), *v;

    cr_assert_not_null(row);
    gr_value_unref(row);
    v = ask(&p, "health", gr_nil());
    cr_assert_str_eq(gr_cstr(gr_get(v, "status"), ""), "ok");
    gr_value_unref(v);
    gr_value_unref(ask(&p, "info", gr_nil()));
    expect_error(&p, "kill", actor("all"), GR_EINVAL, "show who they are");
    expect_error(&p, "drain", gr_nil(), GR_EINVAL, "show who they are");
    expect_error(&p, "whatever_may_come", gr_nil(), GR_EINVAL, "show who they are");
    cr_assert_null(gr_check(p.there, p.near), "it lives");
    cr_assert_eq(atomic_load(&drain_wishes), 0);
    v = ask(&p, "health", gr_nil());
    cr_assert_str_eq(gr_cstr(gr_get(v, "status"), ""), "ok", "nor does it drain");
    gr_value_unref(v);
    close_pair(&p);
}

/* As a stream, too: the way in is the same. */
Test(admin, a_stream_is_no_way_around)
{
    struct pair p = open_pair("tcp", NULL, FULL);
    gr_stream *s = gr_astream_call(p.here, p.node, "kill", actor("all"), NULL, NULL);
    gr_outcome o = gr_next(s, TEST_WAIT_MS);

    cr_assert_eq(o.code, GR_EINVAL, "%s", gr_code_name(o.code));
    gr_stream_free(s);
    cr_assert_null(gr_check(p.there, p.near));
    close_pair(&p);
}

Test(admin, read_only_is_for_all)
{
    struct pair p =
        open_pair("ipc", NULL, GR_ADMIN(.read_only = true, .drain = wish, .arg = &drain_wishes));
    gr_value *v = ask(&p, "info", gr_nil());

    cr_assert_str_eq(gr_cstr(gr_get(v, "admin"), ""), "read");
    gr_value_unref(v);
    expect_error(&p, "kill", actor("all"), GR_EINVAL, "does not let itself be changed");
    expect_error(&p, "drain", gr_nil(), GR_EINVAL, "does not let itself be changed");
    cr_assert_eq(atomic_load(&drain_wishes), 0);
    close_pair(&p);
}

Test(admin, who_does_not_want_it_has_none)
{
    struct pair p = open_pair("ipc", NULL, NULL);

    expect_error(&p, "ps", gr_nil(), GR_EDEAD, GR_ADMIN_NAME);
    cr_assert_eq(gr_publish(p.there, GR_ADMIN_NAME, p.near), GR_EINVAL, "nor can it be feigned");
    cr_assert_eq(gr_publish(p.there, "$other", p.near), GR_EINVAL);
    cr_assert_eq(gr_publish(p.there, GR_ADMIN_NAME, (gr_ref){ 0, 0 }), GR_EINVAL);
    cr_assert_eq(gr_node_admin(NULL, NULL), GR_EINVAL);
    cr_assert_eq(gr_node_admin(p.there, NULL), GR_OK);
    cr_assert_eq(gr_node_admin(p.there, NULL), GR_EINVAL, "once");
    expect_error(&p, "drain", gr_nil(), GR_EINVAL, "does not let itself be changed");
    close_pair(&p);
}

/* ---- draining -------------------------------------------------------------------------------- */

Test(admin, a_drain_waits_for_calls_and_its_answer_arrives)
{
    struct pair p = open_pair("ipc", NULL, FULL);
    gr_future *held = gr_acall(p.here, p.far, "hold", gr_int(7), NULL), *drained[2];
    gr_value *v, *err = NULL;
    size_t left = 1;

    cr_assert(test_peer_reaches(p.there, p.near, "held", 1));
    v = ask(&p, "drain", gr_nil());
    cr_assert_eq(gr_as_int(gr_get(v, "left"), -1), 1, "it does not wait unless it is told to");
    gr_value_unref(v);
    cr_assert_eq(atomic_load(&drain_wishes), 1);
    v = ask(&p, "drain", gr_map(GR_KV("wait_ms", gr_int(1))));
    cr_assert_eq(gr_as_int(gr_get(v, "left"), -1), 1);
    gr_value_unref(v);
    for (int i = 0; i < 2; i++)
        drained[i] = gr_acall(p.here, p.node, "drain", gr_map(GR_KV("wait_ms", gr_int(-1))), NULL);
    cr_assert_null(gr_invoke(p.here, p.far, gr_int(1), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH, "others are refused");
    gr_value_unref(err);
    v = ask(&p, "health", gr_nil());
    cr_assert_str_eq(gr_cstr(gr_get(v, "status"), ""), "draining");
    cr_assert_eq(gr_as_int(gr_get(v, "calls_in"), -1), 1, "drains are no calls");
    gr_value_unref(v);
    gr_value_unref(gr_do(p.there, p.near, "let_go", gr_nil(), NULL, NULL));
    while (left > 0) {
        cr_assert_eq(gr_node_drain(p.there, &left), GR_OK);
        gr_sleep(p.there, 1);
    }
    gr_runtime_free(p.there); /* at once: all answers have arrived, those to the drains, too */
    p.there = NULL;
    v = gr_take(held, &err);
    cr_assert_eq(gr_as_int(v, 0), 7, "%s", gr_error_text(err));
    gr_value_unref(v);
    for (int i = 0; i < 2; i++) {
        v = gr_take(drained[i], &err);
        cr_assert_eq(gr_as_int(gr_get(v, "left"), -1), 0, "%s", gr_error_text(err));
        gr_value_unref(v);
    }
    cr_assert_eq(atomic_load(&drain_wishes), 1, "who drains is told once");
    close_pair(&p);
}
