/* SPDX-License-Identifier: Apache-2.0 */
/*
 * player.c - plays the scenarios of a file on Greenroom, and prints what happens; player.escript
 * does the same on Erlang/OTP. scenarios.txt explains the format. Only public headers are used.
 *
 *     otp_player FILE [--all]    --all: those too that only Greenroom is to play
 */
#include <greenroom/greenroom.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORDS_MAX 16
#define KIDS_MAX 64
#define DEFS_MAX 8
#define PROCS_MAX 16
#define MONITORS_MAX 16
#define EVENTS_MAX 4096
#define WAIT_MS 20000

/* A child as the scenario describes it; its incarnations share it. */
struct kid {
    char id[32];
    int fail_from, fail_to, ignore_from, ignore_to;
    bool hang, notrap, quiet;
    struct def *supervisor; /* NULL: a worker */
    _Atomic int starts;
    gr_ref ref; /* of the last incarnation; guarded by lock */
};

/* A supervisor as the scenario describes it. */
struct def {
    char name[32];
    gr_supervisor_opts o;
    gr_child_spec specs[WORDS_MAX];
};

struct proc {
    char name[32];
    gr_ref ref;
    gr_future *ended; /* NULL: told */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *events[EVENTS_MAX]; /* of the present line; guarded by lock */
static size_t event_count;

static struct kid kids[KIDS_MAX];
static size_t kid_count; /* guarded by lock */
static struct def defs[DEFS_MAX];
static size_t def_count;
static struct proc procs[PROCS_MAX];
static size_t proc_count;

static gr_runtime *rt;
static gr_ref top;
static gr_future *top_ended; /* NULL: there is no top */

static void die(const char *what, const char *word)
{
    fprintf(stderr, "otp_player: %s: %s\n", what, word);
    exit(1);
}

static void trace(const char *fmt, ...) GR_PRINTF(1, 2);
static void trace(const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&lock);
    if (event_count == EVENTS_MAX)
        die("too many events", text);
    events[event_count++] = strdup(text);
    pthread_mutex_unlock(&lock);
}

static void nap(long ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    nanosleep(&t, NULL);
}

/* ---- reasons --------------------------------------------------------------------------------- */

static gr_value *reason_of(const char *word)
{
    return strncmp(word, "shutdown:", 9) == 0 ? gr_map(GR_KV("shutdown", gr_str(word + 9)))
                                              : gr_str(word);
}

static const char *text_of(const gr_value *reason, char text[64])
{
    if (gr_value_type(reason) == GR_STR)
        snprintf(text, 64, "%s", gr_cstr(reason, "?"));
    else if (gr_value_type(reason) == GR_MAP)
        snprintf(text, 64, "shutdown:%s", gr_cstr(gr_get(reason, "shutdown"), "?"));
    else
        snprintf(text, 64, "%s", gr_code_name(gr_error_code(reason)));
    return text;
}

/* ---- children -------------------------------------------------------------------------------- */

struct worker {
    struct kid *kid;
    bool crashed;
};

static bool within(int n, int from, int to)
{
    return n >= from && n <= to;
}

static void live_at(struct kid *k, gr_ref ref)
{
    pthread_mutex_lock(&lock);
    k->ref = ref;
    pthread_mutex_unlock(&lock);
}

static gr_code worker_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct worker *w = self;
    struct kid *k = gr_as_opaque(args);

    w->kid = k;
    if (within(++k->starts, k->fail_from, k->fail_to)) {
        if (!k->quiet)
            trace("fail %s", k->id);
        return gr_fail(c, gr_error(GR_EREMOTE, "failed"));
    }
    live_at(k, gr_self(c));
    trace("start %s", k->id);
    return GR_OK;
}

static void worker_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct worker *w = self;
    char text[64];

    w->crashed = true;
    trace("crash %s %s", w->kid->id, text_of(msg, text));
    gr_value_unref(gr_exit(c, gr_value_ref(msg)));
}

static void worker_terminate(gr_ctx *c, void *self, const gr_value *reason)
{
    struct worker *w = self;
    char text[64];

    if (w->crashed)
        return;
    if (w->kid->hang) {
        trace("hang %s", w->kid->id);
        gr_sleep(gr_runtime_of(c), 600000);
    } else {
        trace("stop %s %s", w->kid->id, text_of(reason, text));
    }
}

static const gr_class worker_class =
    GR_CLASS(.name = "worker", .state_size = sizeof(struct worker), .init = worker_init,
             .receive = worker_receive, .terminate = worker_terminate);
static const gr_class silent_class = GR_CLASS(.name = "silent", .state_size = sizeof(struct worker),
                                              .init = worker_init, .receive = worker_receive);

static struct kid *kid_find(const char *id)
{
    for (size_t i = 0; i < kid_count; i++)
        if (strcmp(kids[i].id, id) == 0)
            return &kids[i];
    return NULL;
}

/* The N-th child of a pool is a kid of its own, like the one that stands for all. */
static struct kid *kid_of_pool(const struct kid *all, const char *n)
{
    char id[40];
    struct kid *k;

    snprintf(id, sizeof(id), "%.20s%s", all->id, n);
    pthread_mutex_lock(&lock);
    k = kid_find(id);
    if (k == NULL) {
        k = &kids[kid_count++];
        *k = *all;
        snprintf(k->id, sizeof(k->id), "%.31s", id);
    }
    pthread_mutex_unlock(&lock);
    return k;
}

/* A supervisor takes the arguments in its specs each time that it is made. */
static gr_ref def_start(gr_scope *in, const struct def *d)
{
    for (size_t i = 0; i < d->o.child_count; i++)
        gr_value_ref(d->specs[i].args);
    return gr_supervisor(in, &d->o);
}

static gr_ref kid_start(gr_scope *in, void *arg, const gr_value *args)
{
    struct kid *k = arg;
    gr_ref ref;

    if (args != NULL)
        k = kid_of_pool(k, gr_cstr(args, ""));
    if (within(k->starts + 1, k->ignore_from, k->ignore_to)) {
        k->starts++;
        trace("ignore %s", k->id);
        return (gr_ref){ 0, 0 };
    }
    if (k->supervisor != NULL) {
        trace("start %s", k->id);
        ref = def_start(in, k->supervisor);
        live_at(k, ref);
        return ref;
    }
    return gr_spawn(in, k->notrap ? &silent_class : &worker_class,
                    GR_SPAWN(.args = gr_opaque(k, NULL), .terminate_ms = 600000));
}

/* ---- describing ------------------------------------------------------------------------------ */

static struct def *def_find(const char *name)
{
    for (size_t i = 0; i < def_count; i++)
        if (strcmp(defs[i].name, name) == 0)
            return &defs[i];
    die("no such supervisor", name);
    return NULL;
}

static void option(struct kid *k, gr_child_spec *spec, const char *word)
{
    if (strcmp(word, "significant") == 0)
        spec->significant = true;
    else if (strcmp(word, "brutal") == 0)
        spec->shutdown_ms = GR_BRUTAL_KILL_MS;
    else if (strncmp(word, "shutdown=", 9) == 0)
        spec->shutdown_ms = strtol(word + 9, NULL, 10);
    else if (strcmp(word, "supervisor") == 0)
        spec->supervisor = true;
    else if (strcmp(word, "hang") == 0)
        k->hang = true;
    else if (strcmp(word, "notrap") == 0)
        k->notrap = true;
    else if (strcmp(word, "quiet") == 0)
        k->quiet = true;
    else if (sscanf(word, "fail=%d-%d", &k->fail_from, &k->fail_to) != 2 &&
             sscanf(word, "ignore=%d-%d", &k->ignore_from, &k->ignore_to) != 2 &&
             sscanf(word, "backoff=%ld-%ld", &spec->backoff.min_ms, &spec->backoff.max_ms) != 2)
        die("no such option", word);
}

/* describe makes the spec of a child from "ID RESTART OPTION…". Those that can are made from a
 * class, the others by a start function. */
static gr_child_spec describe(char **words, size_t count, bool simple)
{
    static const gr_spawn_opts spawn = { .size = sizeof(spawn), .terminate_ms = 600000 };
    struct kid *k = kid_find(words[0]);
    gr_child_spec spec = { .size = sizeof(spec) };

    if (k == NULL)
        k = &kids[kid_count++];
    *k = (struct kid){ .starts = k->starts };
    snprintf(k->id, sizeof(k->id), "%s", words[0]);
    spec.restart = strcmp(words[1], "permanent") == 0   ? GR_PERMANENT
                   : strcmp(words[1], "transient") == 0 ? GR_TRANSIENT
                                                        : GR_TEMPORARY;
    for (size_t i = 2; i < count; i++)
        option(k, &spec, words[i]);
    spec.id = simple ? NULL : k->id;
    if (spec.supervisor)
        k->supervisor = def_find(k->id);
    if (k->supervisor == NULL && k->ignore_from == 0 && !simple) {
        spec.cls = k->notrap ? &silent_class : &worker_class;
        spec.spawn = &spawn;
        spec.args = gr_opaque(k, NULL);
    } else {
        spec.start = kid_start;
        spec.arg = k;
    }
    return spec;
}

static void define(char **words, size_t count)
{
    static const char *const strategies[] = { "one_for_one", "one_for_all", "rest_for_one",
                                              "simple_one_for_one" };
    struct def *d = &defs[def_count++];

    *d = (struct def){ .o = { .size = sizeof(d->o), .children = d->specs, .kill_ms = 100 } };
    snprintf(d->name, sizeof(d->name), "%s", words[1]);
    for (int i = 0; i < 4; i++)
        if (strcmp(words[2], strategies[i]) == 0)
            d->o.strategy = (gr_strategy)i;
    d->o.intensity = (int)strtol(words[3], NULL, 10);
    if (d->o.intensity == 0)
        d->o.intensity = -1;
    d->o.period_ms = strtol(words[4], NULL, 10) * 1000;
    if (count > 5)
        d->o.auto_shutdown = strcmp(words[5], "any_significant") == 0 ? GR_AUTO_ANY_SIGNIFICANT
                                                                      : GR_AUTO_ALL_SIGNIFICANT;
}

/* ---- actors with links and monitors ---------------------------------------------------------- */

struct linked {
    char name[32];
    struct {
        gr_ref who;
        uint64_t id;
    } monitors[MONITORS_MAX];
    size_t monitor_count;
};

static const char *name_of(gr_ref ref)
{
    for (size_t i = 0; i < proc_count; i++)
        if (procs[i].ref.id == ref.id)
            return procs[i].name;
    return "nobody";
}

static gr_code linked_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct linked *l = self;

    snprintf(l->name, sizeof(l->name), "%s", gr_cstr(gr_get(args, "name"), "?"));
    gr_trap_exit(c, gr_as_bool(gr_get(args, "trap"), false));
    return GR_OK;
}

static void linked_demonitor(gr_ctx *c, struct linked *l, gr_ref to)
{
    for (size_t i = 0; i < l->monitor_count; i++)
        if (l->monitors[i].who.id == to.id)
            gr_demonitor(c, l->monitors[i].id);
}

static void linked_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct linked *l = self;
    const char *what = gr_cstr(gr_get(msg, "what"), "");
    gr_ref to = gr_as_ref(gr_get(msg, "to"));

    if (strcmp(what, "quit") == 0)
        gr_value_unref(gr_exit(c, gr_value_ref(gr_get(msg, "reason"))));
    else if (strcmp(what, "signal_self") == 0)
        gr_exit_to(gr_runtime_of(c), gr_self(c), gr_value_ref(gr_get(msg, "reason")));
    else if (strcmp(what, "link") == 0)
        gr_link(c, to);
    else if (strcmp(what, "unlink") == 0)
        gr_unlink(c, to);
    else if (strcmp(what, "demonitor") == 0)
        linked_demonitor(c, l, to);
    else if (gr_monitor(c, to, &l->monitors[l->monitor_count].id) == GR_OK)
        l->monitors[l->monitor_count++].who = to;
}

static void linked_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    struct linked *l = self;
    char text[64];

    (void)c;
    trace("%s EXIT %s %s", l->name, name_of(from), text_of(reason, text));
}

static void linked_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who, const gr_value *reason)
{
    struct linked *l = self;
    char text[64];

    (void)c, (void)monitor;
    trace("%s DOWN %s %s", l->name, name_of(who), text_of(reason, text));
}

static gr_value *linked_sync(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return gr_nil();
}

static const gr_method linked_methods[] = { { "sync", GR_CHEAP, linked_sync, NULL } };
static const gr_class linked_class =
    GR_CLASS(.name = "linked", .state_size = sizeof(struct linked), .init = linked_init,
             .receive = linked_receive, .exited = linked_exited, .down = linked_down,
             GR_METHODS(linked_methods));

static gr_ref proc_ref(const char *name)
{
    for (size_t i = 0; i < proc_count; i++)
        if (strcmp(procs[i].name, name) == 0)
            return procs[i].ref;
    die("no such process", name);
    return (gr_ref){ 0, 0 };
}

static void proc_new(char **words, size_t count)
{
    struct proc *p = &procs[proc_count];

    snprintf(p->name, sizeof(p->name), "%s", words[1]);
    p->ref = gr_spawn(gr_root(rt), &linked_class,
                      GR_SPAWN(.args = gr_map(GR_KV("name", gr_str(words[1])),
                                              GR_KV("trap", gr_bool(count > 2)))));
    p->ended = gr_ended(rt, p->ref);
    proc_count++;
}

static void proc_do(char **words)
{
    bool own = strcmp(words[0], "quit") == 0 || strcmp(words[0], "signal_self") == 0;

    if (strcmp(words[0], "signal") == 0)
        gr_exit_to(rt, proc_ref(words[1]), reason_of(words[2]));
    else
        gr_tell(rt, proc_ref(words[1]),
                gr_map(GR_KV("what", gr_str(words[0])),
                       GR_KV("to", own ? gr_nil() : gr_ref_value(proc_ref(words[2]))),
                       GR_KV("reason", own ? reason_of(words[2]) : gr_nil())));
}

/* ---- waiting until all is quiet -------------------------------------------------------------- */

/* quiet: nobody is being restarted, and whoever is listed lives, also in the supervisors below. */
static bool quiet(gr_ref sup)
{
    gr_value *list = gr_which_children(rt, sup, NULL);
    bool still = list != NULL;

    for (size_t i = 0; i < gr_len(list) && still; i++) {
        const gr_value *each = gr_at(list, i);
        gr_ref ref = gr_as_ref(gr_get(each, "child"));
        gr_value *gone;

        if (strcmp(gr_cstr(gr_get(each, "state"), ""), "restarting") == 0)
            still = false;
        if (ref.node == 0 || strcmp(gr_cstr(gr_get(each, "state"), ""), "running") != 0)
            continue;
        gone = gr_check(rt, ref);
        still = still && gone == NULL;
        gr_value_unref(gone);
        if (still && strcmp(gr_cstr(gr_get(each, "type"), ""), "supervisor") == 0)
            still = quiet(ref);
    }
    gr_value_unref(list);
    return still;
}

/* settle_top returns when the supervisors are quiet; true: they were not at first, or the top one has ended. */
static bool settle_top(void)
{
    for (int i = 0; top_ended != NULL; i++) {
        gr_outcome o = gr_await(top_ended, 0);
        char text[64];

        if (o.code != GR_EPENDING) {
            trace("down %s", text_of(o.code == GR_OK ? o.value : o.error, text));
            gr_future_free(top_ended);
            top_ended = NULL;
            return true;
        }
        if (quiet(top))
            return i > 0;
        nap(1);
        if (i > WAIT_MS)
            die("no end of restarts", "settle");
    }
    return false;
}

/* settle_procs goes over the actors once; true: one of them has ended. */
static bool settle_procs(void)
{
    bool changed = false;

    for (size_t i = 0; i < proc_count; i++) {
        struct proc *p = &procs[i];
        gr_value *v = p->ended != NULL ? gr_do(rt, p->ref, "sync", gr_nil(), NULL, NULL) : NULL;
        char text[64];

        if (v == NULL && p->ended != NULL) {
            gr_outcome o = gr_await(p->ended, WAIT_MS);

            trace("%s ended %s", p->name, text_of(o.code == GR_OK ? o.value : o.error, text));
            gr_future_free(p->ended);
            p->ended = NULL;
            changed = true;
        }
        gr_value_unref(v);
    }
    return changed;
}

/* steps counts what the workers have done; idle: they are all asleep, and nothing waits for them. */
static uint64_t steps(bool *ret_idle)
{
    gr_stats s = GR_STATS_INIT;

    gr_stats_read(rt, &s);
    *ret_idle =
        s.workers_idle_now >= s.workers_now && s.queue_now == 0 && s.blocking_queue_now == 0;
    return s.messages + s.turns + s.waits + s.calls_started + s.parks + s.wakes;
}

/*
 * settle_workers waits until the workers have nothing to do. An actor that ends tells one after the other of those
 * who are tied to it, so that its end is known to us does not say that it is to them: its worker may stand still
 * between the two for as long as the machine is busy. The numbers are read one by one, so a worker that
 * was woken in between may look idle; then it has counted a step by the next reading.
 */
static void settle_workers(void)
{
    uint64_t last = 0;

    for (int i = 0, alike = 0; alike < 3; i++) {
        bool idle;
        uint64_t now = steps(&idle);

        alike = idle && now == last ? alike + 1 : 0;
        last = now;
        if (!idle)
            nap(1);
        if (i > WAIT_MS)
            die("the workers find no rest", "settle");
    }
}

/* settle returns when what was done has had all its consequences: the workers were idle, and asking finds nothing new. */
static void settle(void)
{
    do {
        settle_workers();
    } while (settle_top() | settle_procs());
    settle_workers();
}

/* ---- doing ----------------------------------------------------------------------------------- */

static gr_ref ref_of(const char *id)
{
    struct kid *k;
    gr_ref ref;

    if (strcmp(id, defs[def_count - 1].name) == 0)
        return top;
    pthread_mutex_lock(&lock);
    k = kid_find(id);
    ref = k != NULL ? k->ref : top;
    pthread_mutex_unlock(&lock);
    return ref;
}

/* answer says what a call of a supervisor gave, as Erlang's answers are said. */
static void answer(gr_future *f, char out[256])
{
    gr_outcome o = gr_await(f, WAIT_MS);
    const char *kind = gr_cstr(gr_get(o.error, "kind"), "");

    if (o.code == GR_OK)
        snprintf(out, 256, "%s", "ok");
    else
        snprintf(out, 256, "error %s", strncmp(kind, "GR_", 3) != 0 ? kind : "failed");
    gr_future_free(f);
}

static void add(char **words, size_t count, char out[256])
{
    gr_child_spec spec = describe(words + 2, count - 2, false);
    gr_future *f = gr_astart_child(rt, ref_of(words[1]), &spec);
    bool ignored;

    gr_await(f, WAIT_MS);
    ignored = gr_await(f, 0).code == GR_OK && gr_is_nil(gr_await(f, 0).value);
    answer(f, out);
    if (ignored)
        snprintf(out, 256, "ok ignored");
}

static void which(gr_ref sup, char out[256])
{
    gr_value *list = gr_which_children(rt, sup, NULL);
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < gr_len(list); i++)
        len += (size_t)snprintf(out + len, 256 - len, "%s%s:%s", i > 0 ? " " : "",
                                gr_cstr(gr_get(gr_at(list, i), "id"), "?"),
                                gr_cstr(gr_get(gr_at(list, i), "state"), "?"));
    gr_value_unref(list);
}

static void tally(gr_ref sup, char out[256])
{
    gr_value *v = gr_count_children(rt, sup, NULL);

    snprintf(out, 256, "specs=%d active=%d supervisors=%d workers=%d",
             (int)gr_as_int(gr_get(v, "specs"), -1), (int)gr_as_int(gr_get(v, "active"), -1),
             (int)gr_as_int(gr_get(v, "supervisors"), -1),
             (int)gr_as_int(gr_get(v, "workers"), -1));
    gr_value_unref(v);
}

static void start(char out[256])
{
    gr_future *f;
    gr_outcome o;

    top = def_start(gr_root(rt), &defs[def_count - 1]);
    f = gr_started(rt, top);
    o = gr_await(f, WAIT_MS);
    if (o.code == GR_OK) {
        top_ended = gr_ended(rt, top);
        snprintf(out, 256, "ok");
    } else {
        char id[32] = "?";

        sscanf(gr_error_text(o.error), "child '%31[^']'", id);
        snprintf(out, 256, "error failed_to_start_child %s", id);
    }
    gr_future_free(f);
}

/* finish has a child end, by msg or by a kill, and waits for that. */
static void finish(gr_ref ref, gr_value *msg)
{
    gr_future *f = gr_ended(rt, ref);

    if (msg != NULL)
        gr_tell(rt, ref, msg);
    else
        gr_exit_to(rt, ref, gr_str("kill"));
    gr_await(f, WAIT_MS);
    gr_future_free(f);
}

/* do_supervisor does what is about supervisors; false: it is not. */
static bool do_supervisor(char **w, size_t count, char out[256])
{
    gr_child_spec one = { .size = sizeof(one) };

    if (strcmp(w[0], "start") == 0)
        start(out);
    else if (strcmp(w[0], "crash") == 0)
        finish(ref_of(w[1]), reason_of(w[2]));
    else if (strcmp(w[0], "kill") == 0)
        finish(ref_of(w[1]), NULL);
    else if (strcmp(w[0], "stop") == 0)
        gr_exit_to(rt, top, reason_of(w[1]));
    else if (strcmp(w[0], "sleep") == 0)
        nap(strtol(w[1], NULL, 10));
    else if (strcmp(w[0], "add") == 0)
        add(w, count, out);
    else if (strcmp(w[0], "spawn") == 0)
        one.args = gr_str(w[2]), answer(gr_astart_child(rt, ref_of(w[1]), &one), out);
    else if (strcmp(w[0], "terminate") == 0)
        answer(gr_aterminate_child(rt, ref_of(w[1]), w[2]), out);
    else if (strcmp(w[0], "terminate_pid") == 0)
        answer(gr_aterminate_ref(rt, ref_of(w[1]), ref_of(w[2])), out);
    else if (strcmp(w[0], "restart") == 0)
        answer(gr_arestart_child(rt, ref_of(w[1]), w[2]), out);
    else if (strcmp(w[0], "delete") == 0)
        answer(gr_adelete_child(rt, ref_of(w[1]), w[2]), out);
    else if (strcmp(w[0], "which") == 0)
        which(ref_of(w[1]), out);
    else if (strcmp(w[0], "count") == 0)
        tally(ref_of(w[1]), out);
    else
        return false;
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* report prints what has happened; between several actors nothing says in which order. */
static void report(void)
{
    pthread_mutex_lock(&lock);
    if (proc_count != 0)
        qsort(events, event_count, sizeof(events[0]), by_text);
    for (size_t i = 0; i < event_count; i++) {
        printf("  %s\n", events[i]);
        free(events[i]);
    }
    event_count = 0;
    pthread_mutex_unlock(&lock);
}

static void act(char *line)
{
    char *words[WORDS_MAX];
    char out[256] = "\1";
    size_t count = 0;
    bool wait = line[0] != '!';

    if (strncmp(line, "sup ", 4) != 0 && strncmp(line, "child ", 6) != 0)
        printf("> %s\n", line);
    for (char *w = strtok_r(line, " !", &line); w != NULL && count < WORDS_MAX;
         w = strtok_r(NULL, " ", &line))
        words[count++] = w;
    if (strcmp(words[0], "sup") == 0) {
        define(words, count);
        return;
    }
    if (strcmp(words[0], "child") == 0) {
        struct def *d = &defs[def_count - 1];

        d->specs[d->o.child_count++] =
            describe(words + 1, count - 1, d->o.strategy == GR_SIMPLE_ONE_FOR_ONE);
        return;
    }
    if (strcmp(words[0], "proc") == 0)
        proc_new(words, count);
    else if (!do_supervisor(words, count, out))
        proc_do(words);
    if (wait) {
        settle();
        report();
    }
    if (out[0] != '\1')
        printf("  = %s\n", out);
}

/* ---- scenarios ------------------------------------------------------------------------------- */

static void begin(const char *name)
{
    printf("== %s\n", name);
    if (gr_runtime_new(GR_RUNTIME(.workers = 2), &rt) != GR_OK)
        die("no runtime", name);
    for (size_t i = 0; i < KIDS_MAX; i++)
        kids[i] = (struct kid){ .starts = 0 };
    kid_count = def_count = proc_count = 0;
}

static void end(void)
{
    if (rt == NULL)
        return;
    for (size_t i = 0; i < proc_count; i++)
        gr_future_free(procs[i].ended);
    gr_future_free(top_ended);
    top_ended = NULL;
    for (size_t i = 0; i < def_count; i++)
        for (size_t j = 0; j < defs[i].o.child_count; j++)
            gr_value_unref(defs[i].specs[j].args);
    gr_runtime_free(rt);
    rt = NULL;
    for (; event_count > 0; event_count--)
        free(events[event_count - 1]);
}

int main(int argc, char **argv)
{
    bool all = argc > 2 && strcmp(argv[2], "--all") == 0;
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    char line[256];

    if (f == NULL)
        die("usage", "otp_player FILE [--all]");
    while (fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (strncmp(line, "== ", 3) == 0) {
            end();
            if (strncmp(line, "== here ", 8) != 0 || all)
                begin(line + 3);
        } else if (rt != NULL) {
            act(line);
        }
    }
    end();
    fclose(f);
    return 0;
}
