/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_check.c - looking over the actors of a chain file, against the table of kinds.
 *
 * One walk does it all: it checks a kind's keys, goes down into actors made in place and, at a
 * name, on to the actor of that name unless that was looked at before. An actor that is met again
 * while it is still open refers to itself: a cycle. The walk is bounded by the tree's depth times
 * GRI_CHAIN_REFS_MAX.
 */
#include <ctype.h>
#include <string.h>

#include "cli/chain_file.h"
#include "cli/chain_isolate.h"
#include "cli/node_settings.h"
#include "runtime/base/assert.h"

struct check {
    struct gri_chain_file *file;
    struct gri_chain_report *report;
    const struct gri_chain_actor *open[GRI_CHAIN_REFS_MAX]; /* the names that led here */
    size_t depth;
    bool isolated; /* what is looked at is made in a process of its own */
};

static void check_actor(struct check *c, const struct gri_chain_node *n);
static void check_keys(struct check *c, const struct gri_chain_kind *kind,
                       const struct gri_chain_node *args, struct gri_chain_place at);

void gri_chain_unknown_key(struct gri_chain_report *r, const struct gri_chain_node *key,
                           const char *in, const void *names, size_t count, size_t stride)
{
    const char *nearest = gri_chain_nearest(key->text, names, count, stride);
    struct gri_strbuf known = { .max = 400 };

    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;

        memcpy(&name, (const char *)names + i * stride, sizeof(name));
        gri_strbuf_addf(&known, "%s%s", i > 0 ? ", " : "", name);
    }
    if (nearest != NULL)
        gri_chain_mistake(r, key->at, "%s has no key \"%.60s\"; did you mean \"%s\"?", in,
                          key->text, nearest);
    else if (count == 0)
        gri_chain_mistake(r, key->at, "%s takes no keys, but \"%.60s\" is given", in, key->text);
    else
        gri_chain_mistake(r, key->at, "%s has no key \"%.60s\"; expected one of: %s", in, key->text,
                          known.data != NULL ? known.data : "");
    gri_strbuf_fini(&known);
}

struct gri_chain_actor *gri_chain_check_ref(const struct gri_chain_file *f,
                                            const struct gri_chain_node *n,
                                            struct gri_chain_report *r)
{
    const char *name = gri_chain_text(n);
    struct gri_chain_actor *actor = gri_chain_actor_find(f, name);
    const char *nearest;

    if (actor != NULL)
        return actor;
    nearest = gri_chain_nearest(name, f->actors, f->actor_count, sizeof(f->actors[0]));
    if (gri_chain_is_nothing(n))
        gri_chain_mistake(r, n->at, "nothing is given, the name of an actor was expected");
    else if (gri_chain_kind_find(name) != NULL)
        gri_chain_mistake(r, n->at, "no actor is named \"%s\"; to make one here, write {%s: {}}",
                          name, name);
    else if (nearest != NULL)
        gri_chain_mistake(r, n->at, "no actor is named \"%.60s\"; did you mean \"%s\"?", n->text,
                          nearest);
    else
        gri_chain_mistake(r, n->at, "no actor is named \"%.60s\"", n->text);
    return NULL;
}

/* tell_cycle names the way round: a -> b -> a. */
static void tell_cycle(struct check *c, const struct gri_chain_actor *a,
                       const struct gri_chain_node *n)
{
    struct gri_strbuf way = { .max = 1000 };
    size_t from = 0;

    while (from < c->depth && c->open[from] != a)
        from++;
    for (size_t i = from; i < c->depth; i++)
        gri_strbuf_addf(&way, "%s -> ", c->open[i]->name);
    gri_strbuf_adds(&way, a->name);
    gri_chain_mistake(c->report, n->at, "\"%s\" refers to itself: %s", a->name,
                      way.failed || way.data == NULL ? "a long way round" : way.data);
    gri_strbuf_fini(&way);
}

/* check_named looks at a named actor, once. n is where the name was met. */
static void check_named(struct check *c, struct gri_chain_actor *a, const struct gri_chain_node *n)
{
    if (a->state == GRI_CHAIN_DONE)
        return;
    if (a->state == GRI_CHAIN_OPEN) {
        tell_cycle(c, a, n);
        return;
    }
    if (c->depth == GRI_CHAIN_REFS_MAX) {
        gri_chain_mistake(c->report, n->at, "more than %d names in a row refer to each other",
                          GRI_CHAIN_REFS_MAX);
        return;
    }
    a->state = GRI_CHAIN_OPEN;
    c->open[c->depth++] = a;
    check_actor(c, a->node);
    c->depth--;
    a->state = GRI_CHAIN_DONE;
}

/* check_use notes that the actor that is looked at refers to another, and looks at that. */
static void check_use(struct check *c, struct gri_chain_actor *a, const struct gri_chain_node *n)
{
    if (c->depth > 0 && !gri_deploy_note_use(c->file, c->open[c->depth - 1], a))
        gri_chain_mistake(c->report, n->at, "out of memory");
    check_named(c, a, n);
}

/* ---- values of keys -------------------------------------------------------------------------- */

/* wrong tells that n is not what was expected. It names n's type, not its text, which may
 * be a secret. */
static void wrong(struct check *c, const struct gri_chain_node *n, const char *key,
                  const char *expected)
{
    gri_chain_mistake(c->report, n->at, "%s: %s is given, %s was expected", key, gri_chain_what(n),
                      expected);
}

static void check_number(struct check *c, const struct gri_chain_node *n,
                         const struct gri_chain_key *key)
{
    long long whole = 0;
    double real = 0;

    if (key->type == GRI_ARG_INT && !gri_chain_to_int(n, &whole)) {
        wrong(c, n, key->name, "a whole number");
        return;
    }
    if (key->type == GRI_ARG_REAL && !gri_chain_to_real(n, &real)) {
        wrong(c, n, key->name, "a number");
        return;
    }
    if (key->type == GRI_ARG_INT)
        real = (double)whole;
    if ((key->min != 0 || key->max != 0) && (real < key->min || real > key->max))
        gri_chain_mistake(c->report, n->at,
                          "%s: %g is given, a number from %.15g to %.15g was expected", key->name,
                          real, key->min, key->max);
}

static bool is_text(const struct gri_chain_node *n)
{
    return n->type == GRI_CHAIN_SCALAR && !gri_chain_is_nothing(n);
}

/* check_variable makes sure that key_env is a name, not by mistake the key itself; never
 * quotes it. */
static void check_variable(struct check *c, const struct gri_chain_node *n, const char *key)
{
    const char *name;

    if (!is_text(n)) {
        wrong(c, n, key, "the name of an environment variable");
        return;
    }
    name = gri_chain_text(n);
    if (isdigit((unsigned char)name[0]) || strlen(name) > 128 ||
        name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] !=
            '\0')
        gri_chain_mistake(c->report, n->at,
                          "%s: this is no name of an environment variable (letters, "
                          "digits and _ were expected, not the key itself)",
                          key);
}

static void check_texts(struct check *c, const struct gri_chain_node *n, const char *key)
{
    if (n->type != GRI_CHAIN_LIST) {
        wrong(c, n, key, "a list of texts");
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        if (n->items[i].value->type != GRI_CHAIN_SCALAR)
            wrong(c, n->items[i].value, key, "a text");
    }
}

static void check_headers(struct check *c, const struct gri_chain_node *n, const char *key)
{
    if (n->type != GRI_CHAIN_MAP) {
        wrong(c, n, key, "a map of texts");
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        const char *name = n->items[i].key->text;

        if (n->items[i].value->type != GRI_CHAIN_SCALAR)
            wrong(c, n->items[i].value, key, "a text");
        if (strcasecmp(name, "authorization") == 0 || strcasecmp(name, "api-key") == 0 ||
            strcasecmp(name, "x-api-key") == 0)
            gri_chain_mistake(
                c->report, n->items[i].key->at,
                "%s: a key does not belong into a header; name the environment variable "
                "that holds it with key_env",
                key);
    }
}

/* check_placed takes which messages are put in: {variable, n_messages}. */
static void check_placed(struct check *c, const struct gri_chain_node *n)
{
    static const struct gri_chain_key keys[] = {
        { "variable", GRI_ARG_TEXT, true, 0, 0, "" },
        { "n_messages", GRI_ARG_INT, false, 1, 1e6, "" },
    };
    static const struct gri_chain_kind placed = { .name = "messages",
                                                  .keys = keys,
                                                  .key_count = 2 };

    check_keys(c, &placed, n, n->at);
}

static void check_role(struct check *c, const struct gri_chain_item *message, const char *key)
{
    const char *role = message->key->text;
    bool placed = strcmp(role, "placeholder") == 0 || strcmp(role, "messages") == 0;

    if (placed && message->value->type == GRI_CHAIN_MAP)
        check_placed(c, message->value);
    else if (message->value->type != GRI_CHAIN_SCALAR)
        wrong(c, message->value, key,
              placed ? "a variable, or {variable, n_messages}" : "a template");
}

static void check_roles(struct check *c, const struct gri_chain_node *n, const char *key)
{
    static const char *const roles[] = { "system",    "human",     "ai",          "user",
                                         "assistant", "developer", "placeholder", "messages" };

    if (n->type != GRI_CHAIN_LIST || n->count == 0) {
        wrong(c, n, key, "a list of {role: template}");
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        const struct gri_chain_node *message = n->items[i].value;
        bool known = false;

        if (message->type != GRI_CHAIN_MAP || message->count != 1) {
            wrong(c, message, key, "{role: template}, with one role,");
            continue;
        }
        for (size_t r = 0; r < sizeof(roles) / sizeof(roles[0]); r++)
            known = known || strcmp(message->items[0].key->text, roles[r]) == 0;
        if (!known)
            gri_chain_unknown_key(c->report, message->items[0].key, "a message", roles,
                                  sizeof(roles) / sizeof(roles[0]), sizeof(roles[0]));
        check_role(c, &message->items[0], key);
    }
}

/* check_actors takes a list, or a map, of actors. */
static void check_actors(struct check *c, const struct gri_chain_node *n,
                         const struct gri_chain_key *key)
{
    enum gri_chain_type type = key->type == GRI_ARG_STEPS ? GRI_CHAIN_MAP : GRI_CHAIN_LIST;

    if (n->type != type) {
        wrong(c, n, key->name, gri_chain_arg_name(key->type));
        return;
    }
    if (n->count == 0)
        gri_chain_mistake(c->report, n->at, "%s: at least one actor was expected", key->name);
    for (size_t i = 0; i < n->count; i++)
        check_actor(c, n->items[i].value);
}

static void check_arms(struct check *c, const struct gri_chain_node *n, const char *key)
{
    if (n->type != GRI_CHAIN_LIST || n->count == 0) {
        wrong(c, n, key, gri_chain_arg_name(GRI_ARG_ARMS));
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        const struct gri_chain_node *arm = n->items[i].value;
        const struct gri_chain_node *condition = gri_chain_get(arm, "if");
        const struct gri_chain_node *runnable = gri_chain_get(arm, "then");

        if (arm->type != GRI_CHAIN_MAP || arm->count != 2 || condition == NULL ||
            runnable == NULL) {
            wrong(c, arm, key, "{if: actor, then: actor}");
            continue;
        }
        check_actor(c, condition);
        check_actor(c, runnable);
    }
}

/* check_made takes an actor in place, not a name: it is made again, and a store's files are not. */
static void check_made(struct check *c, const struct gri_chain_node *n, const char *key)
{
    if (n->type != GRI_CHAIN_MAP || n->count != 1) {
        wrong(c, n, key, gri_chain_arg_name(GRI_ARG_MADE));
        return;
    }
    if (strcmp(n->items[0].key->text, "memory_store") == 0)
        gri_chain_mistake(c->report, n->items[0].key->at,
                          "%s: a memory_store can't be made again: what is in it would be lost",
                          key);
    check_actor(c, n);
}

static void check_fields(struct check *c, const struct gri_chain_node *n, const char *key,
                         const struct gri_chain_node *made);

static void check_load(struct check *c, const struct gri_chain_node *n)
{
    if (c->isolated)
        gri_chain_mistake(c->report, n->at,
                          "load: a store in a process of its own can't load files");
    if (n->type == GRI_CHAIN_LIST) {
        for (size_t i = 0; i < n->count; i++)
            check_keys(c, &gri_chain_load_kind, n->items[i].value, n->items[i].value->at);
    } else {
        check_keys(c, &gri_chain_load_kind, n, n->at);
    }
}

/* check_urls takes one URL, or a list of them. */
static void check_urls(struct check *c, const struct gri_chain_node *n, const char *key)
{
    bool list = n->type == GRI_CHAIN_LIST;

    for (size_t i = 0; i < (list ? n->count : 1); i++) {
        const struct gri_chain_node *url = list ? n->items[i].value : n;

        if (!is_text(url) || !gri_chain_is_url(gri_chain_text(url)))
            wrong(c, url, key, gri_chain_arg_name(GRI_ARG_URL));
    }
}

static void check_value(struct check *c, const struct gri_chain_node *n,
                        const struct gri_chain_key *key)
{
    bool truth;

    switch (key->type) {
    case GRI_ARG_TEXT:
        if (!is_text(n))
            wrong(c, n, key->name, "a text");
        break;
    case GRI_ARG_URL:
        if (!is_text(n) || !gri_chain_is_url(gri_chain_text(n)))
            wrong(c, n, key->name, gri_chain_arg_name(key->type));
        break;
    case GRI_ARG_URLS: check_urls(c, n, key->name); break;
    case GRI_ARG_INT:
    case GRI_ARG_REAL: check_number(c, n, key); break;
    case GRI_ARG_BOOL:
        if (!gri_chain_to_bool(n, &truth))
            wrong(c, n, key->name, "true or false");
        break;
    case GRI_ARG_VARIABLE: check_variable(c, n, key->name); break;
    case GRI_ARG_SECRET:
        gri_chain_mistake(c->report, n->at, "%s: a %s does not belong into a chain file; %s",
                          key->name, strcmp(key->name, "secret") == 0 ? "secret" : "key",
                          key->help);
        break;
    case GRI_ARG_TEXTS: check_texts(c, n, key->name); break;
    case GRI_ARG_DATA:
        if (n->type != GRI_CHAIN_MAP)
            wrong(c, n, key->name, "a map");
        break;
    case GRI_ARG_LIST:
        if (n->type != GRI_CHAIN_LIST)
            wrong(c, n, key->name, "a list");
        break;
    case GRI_ARG_HEADERS: check_headers(c, n, key->name); break;
    case GRI_ARG_ACTOR: check_actor(c, n); break;
    case GRI_ARG_ACTORS:
    case GRI_ARG_STEPS: check_actors(c, n, key); break;
    case GRI_ARG_ROLES: check_roles(c, n, key->name); break;
    case GRI_ARG_ARMS: check_arms(c, n, key->name); break;
    case GRI_ARG_MADE: check_made(c, n, key->name); break;
    case GRI_ARG_FIELDS: break; /* by check_keys, which knows whose fields they are */
    case GRI_ARG_KEYS:
        if (n->type == GRI_CHAIN_LIST)
            check_texts(c, n, key->name);
        else if (!is_text(n))
            wrong(c, n, key->name, gri_chain_arg_name(key->type));
        break;
    case GRI_ARG_LOAD: check_load(c, n); break;
    }
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static const struct gri_chain_key *find_key(const struct gri_chain_kind *kind, const char *name)
{
    for (size_t i = 0; i < kind->key_count; i++) {
        if (strcmp(kind->keys[i].name, name) == 0)
            return &kind->keys[i];
    }
    return NULL;
}

/* check_field takes by which key of the config's configurable a field is set, or more of it. */
static void check_field(struct check *c, const struct gri_chain_node *n, const char *key)
{
    static const struct gri_chain_key keys[] = {
        { "id", GRI_ARG_TEXT, true, 0, 0, "" },
        { "options", GRI_ARG_DATA, false, 0, 0, "" },
        { "default", GRI_ARG_TEXT, false, 0, 0, "" },
        { "title", GRI_ARG_TEXT, false, 0, 0, "" },
        { "description", GRI_ARG_TEXT, false, 0, 0, "" },
        { "is_shared", GRI_ARG_BOOL, false, 0, 0, "" },
    };
    static const struct gri_chain_kind field = { .name = "a field",
                                                 .keys = keys,
                                                 .key_count = sizeof(keys) / sizeof(keys[0]) };
    const struct gri_chain_node *options = gri_chain_get(n, "options");
    const struct gri_chain_node *first = gri_chain_get(n, "default");

    if (n->type != GRI_CHAIN_MAP) {
        if (!is_text(n))
            wrong(c, n, key, "a text, or a map");
        return;
    }
    check_keys(c, &field, n, n->at);
    if ((options != NULL) != (first != NULL))
        gri_chain_mistake(c->report, n->at, "%s: options and default go together", key);
    else if (first != NULL && is_text(first) &&
             gri_chain_get(options, gri_chain_text(first)) == NULL)
        gri_chain_mistake(c->report, first->at, "default: there is no option \"%.60s\"",
                          gri_chain_text(first));
}

static void check_fields(struct check *c, const struct gri_chain_node *n, const char *key,
                         const struct gri_chain_node *made)
{
    const struct gri_chain_kind *kind =
        made != NULL && made->type == GRI_CHAIN_MAP && made->count == 1
            ? gri_chain_kind_find(made->items[0].key->text)
            : NULL;

    if (n->type != GRI_CHAIN_MAP || n->count == 0) {
        wrong(c, n, key, gri_chain_arg_name(GRI_ARG_FIELDS));
        return;
    }
    for (size_t i = 0; kind != NULL && i < n->count; i++) {
        const struct gri_chain_key *known = find_key(kind, n->items[i].key->text);

        if (known == NULL)
            gri_chain_unknown_key(c->report, n->items[i].key, kind->name, kind->keys,
                                  kind->key_count, sizeof(kind->keys[0]));
        else if (!gri_chain_key_is_plain(known))
            gri_chain_mistake(c->report, n->items[i].key->at,
                              "%s: \"%s\" is no text, number or boolean", key, known->name);
        check_field(c, n->items[i].value, key);
    }
}

/* check_keys looks at a kind's keys and their values; at is where the kind is named. */
static void check_keys(struct check *c, const struct gri_chain_kind *kind,
                       const struct gri_chain_node *args, struct gri_chain_place at)
{
    bool nothing = gri_chain_is_nothing(args);

    if (gri_chain_alone(kind, args)) {
        check_value(c, args, &kind->keys[0]);
        return;
    }
    if (args->type != GRI_CHAIN_MAP && !nothing) {
        wrong(c, args, kind->name, kind->key_count > 0 ? "a map of its keys" : "{}");
        return;
    }
    for (size_t i = 0; i < args->count; i++) {
        const struct gri_chain_node *key = args->items[i].key;
        const struct gri_chain_key *known = find_key(kind, key->text);

        if (known == NULL)
            gri_chain_unknown_key(c->report, key, kind->name, kind->keys, kind->key_count,
                                  sizeof(kind->keys[0]));
        else if (known->type == GRI_ARG_FIELDS)
            check_fields(c, args->items[i].value, known->name, gri_chain_get(args, "runnable"));
        else
            check_value(c, args->items[i].value, known);
    }
    for (size_t i = 0; i < kind->key_count; i++) {
        if (kind->keys[i].required && gri_chain_get(args, kind->keys[i].name) == NULL)
            gri_chain_mistake(c->report, at, "%s needs the key \"%s\": %s", kind->name,
                              kind->keys[i].name, gri_chain_arg_name(kind->keys[i].type));
    }
}

/* check_beside looks at what stands beside a kind. false: something that may not. */
static bool check_beside(struct check *c, const struct gri_chain_node *n)
{
    bool named = c->depth > 0 && c->open[c->depth - 1]->node == n;

    for (size_t i = 1; i < n->count; i++) {
        const struct gri_chain_node *key = n->items[i].key;
        const struct gri_chain_key *known = find_key(&gri_chain_beside_kind, key->text);

        if (known == NULL) {
            gri_chain_mistake(c->report, key->at,
                              "\"%.60s\" follows \"%.60s\": one kind was "
                              "expected, with its keys below it",
                              key->text, n->items[0].key->text);
            return false;
        }
        if (!named && strcmp(key->text, "isolate") != 0)
            gri_chain_mistake(c->report, key->at,
                              "%s: only an actor with a name, below actors, has a place",
                              key->text);
        check_value(c, n->items[i].value, known);
    }
    return true;
}

/* check_actor looks at what stands where an actor is due: a name, or {kind: keys}. */
static void check_actor(struct check *c, const struct gri_chain_node *n)
{
    const struct gri_chain_kind *kind;
    const struct gri_chain_node *key;
    bool outer = c->isolated;

    if (n->type == GRI_CHAIN_SCALAR) {
        struct gri_chain_actor *a = gri_chain_check_ref(c->file, n, c->report);

        if (a != NULL && c->isolated)
            gri_chain_mistake(c->report, n->at,
                              "isolate: \"%s\" is not in the process of its own that this is for; "
                              "make it here",
                              a->name);
        else if (a != NULL)
            check_use(c, a, n);
        return;
    }
    if (n->type != GRI_CHAIN_MAP || n->count == 0) {
        wrong(c, n, "actor", "the name of an actor or {kind: …}");
        return;
    }
    key = n->items[0].key;
    if (!check_beside(c, n))
        return;
    kind = gri_chain_kind_find(key->text);
    if (kind != NULL) {
        c->isolated = outer || gri_chain_is_isolated(n);
        check_keys(c, kind, n->items[0].value, key->at);
        c->isolated = outer;
    } else {
        const char *nearest = gri_chain_kind_nearest(key->text);

        gri_chain_mistake(c->report, key->at, "there is no kind \"%.60s\"; %s%s%s", key->text,
                          nearest != NULL ? "did you mean \"" : "greenroom kinds lists them",
                          nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    }
}

/* check_each looks at a key of the file's own that is a map of names to the keys of a kind. */
static void check_each(struct check *c, const struct gri_chain_kind *kind)
{
    const struct gri_chain_node *n = gri_chain_get(c->file->tree->root, kind->name);

    if (n != NULL && n->type != GRI_CHAIN_MAP)
        wrong(c, n, kind->name, "a map of names to keys");
    for (size_t i = 0; n != NULL && n->type == GRI_CHAIN_MAP && i < n->count; i++)
        check_keys(c, kind, n->items[i].value, n->items[i].key->at);
}

static void check_node(struct check *c, const struct gri_chain_node *n)
{
    const struct gri_chain_node *admin = gri_chain_get(n, "admin");
    enum gri_admin_mode mode;

    check_keys(c, &gri_chain_node_kind, n, n->at);
    if (admin != NULL && is_text(admin) && !gri_admin_mode_read(admin, &mode))
        gri_chain_mistake(c->report, admin->at, "admin: full, read or off was expected");
}

void gri_chain_check(struct gri_chain_file *f, struct gri_chain_report *r)
{
    struct check c = { .file = f, .report = r };

    for (size_t i = 0; i < f->actor_count; i++)
        check_named(&c, &f->actors[i], f->actors[i].key);
    if (f->node != NULL)
        check_node(&c, f->node);
    if (f->deploy.up != NULL)
        check_keys(&c, &gri_chain_up_kind, f->deploy.up, f->deploy.up->at);
    check_each(&c, &gri_chain_nodes_kind);
    check_each(&c, &gri_chain_pools_kind);
    gri_assert(c.depth == 0);
}
