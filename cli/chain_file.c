/* SPDX-License-Identifier: Apache-2.0 */
/* chain_file.c - reading a chain file: its keys, and the names in them. */
#include "cli/chain_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

static const char *const top_keys[] = { "actors", "main",  "listen", "publish",
                                        "node",   "nodes", "pools",  "up" };
#define TOP_KEYS (sizeof(top_keys) / sizeof(top_keys[0]))

void gri_chain_file_free(struct gri_chain_file *f)
{
    if (f == NULL)
        return;
    gri_map_fini(&f->by_name);
    gri_free(f->actors);
    gri_free(f->listen);
    gri_free(f->publish);
    gri_deploy_fini(&f->deploy);
    gri_free(f->folder);
    gri_free(f->text);
    gri_chain_tree_free(f->tree);
    gri_free(f);
}

struct gri_chain_actor *gri_chain_actor_find(const struct gri_chain_file *f, const char *name)
{
    return gri_map_gets(&f->by_name, name);
}

/* folder_of returns the folder in path with its slash, "./" when there is none. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? gri_strndup(path, (size_t)(slash - path) + 1) : gri_strdup("./");
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > 64 || !(isalpha((unsigned char)name[0]) || name[0] == '_'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && strchr("_-.", name[i]) == NULL)
            return false;
    }
    return true;
}

void gri_chain_check_name(const struct gri_chain_node *n, struct gri_chain_report *r)
{
    if (!is_name(n->text))
        gri_chain_mistake(r, n->at,
                          "\"%.60s\" can't be a name: a letter or _, then up to 63 letters, "
                          "digits, _, - and . were expected",
                          n->text);
}

static void out_of_memory(struct gri_chain_report *r)
{
    gri_chain_mistake(r, (struct gri_chain_place){ 0, 0 }, "out of memory");
}

/* read_actors enters the names; what they are is looked at once all are known. */
static void read_actors(struct gri_chain_file *f, const struct gri_chain_node *n,
                        struct gri_chain_report *r)
{
    if (n->type != GRI_CHAIN_MAP || n->count == 0) {
        gri_chain_mistake(r, n->at, "actors: %s is given, a map of names to actors was expected",
                          n->count == 0 && n->type == GRI_CHAIN_MAP ? "an empty map"
                                                                    : gri_chain_what(n));
        return;
    }
    f->actors = gri_alloc_array(n->count, sizeof(f->actors[0]));
    if (f->actors == NULL) {
        out_of_memory(r);
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        struct gri_chain_actor *a = &f->actors[f->actor_count++];

        *a = (struct gri_chain_actor){ .name = n->items[i].key->text,
                                       .key = n->items[i].key,
                                       .node = n->items[i].value };
        gri_chain_check_name(a->key, r);
        if (!gri_map_puts(&f->by_name, a->name, a)) {
            out_of_memory(r);
            return;
        }
    }
}

/* read_main picks the actor that run takes when none is named. */
static void read_main(struct gri_chain_file *f, const struct gri_chain_node *n,
                      struct gri_chain_report *r)
{
    if (n == NULL)
        f->main = f->actor_count == 1 ? &f->actors[0] : NULL;
    else if (n->type != GRI_CHAIN_SCALAR)
        gri_chain_mistake(r, n->at, "main: %s is given, the name of an actor was expected",
                          gri_chain_what(n));
    else
        f->main = gri_chain_check_ref(f, n, r);
}

bool gri_chain_is_url(const char *text)
{
    static const char *const schemes[] = { "ipc://", "tcp://", "tls+tcp://" };

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i]);

        if (strncmp(text, schemes[i], len) == 0 && text[len] != '\0')
            return true;
    }
    return false;
}

static void read_listen_one(struct gri_chain_file *f, const struct gri_chain_node *n,
                            struct gri_chain_report *r)
{
    const char *url = n->type == GRI_CHAIN_SCALAR ? gri_chain_text(n) : "";

    if (!gri_chain_is_url(url))
        gri_chain_mistake(r, n->at,
                          "listen: a URL was expected: ipc:///path, tcp://host:port "
                          "or tls+tcp://host:port");
    else
        f->listen[f->listen_count++] = url;
}

/* read_listen takes one URL or a list of them. */
static void read_listen(struct gri_chain_file *f, const struct gri_chain_node *n,
                        struct gri_chain_report *r)
{
    f->listen = gri_alloc_array(n->count + 1, sizeof(f->listen[0]));
    if (f->listen == NULL) {
        out_of_memory(r);
        return;
    }
    if (n->type != GRI_CHAIN_LIST)
        read_listen_one(f, n, r);
    for (size_t i = 0; n->type == GRI_CHAIN_LIST && i < n->count; i++)
        read_listen_one(f, n->items[i].value, r);
}

/* read_publish_one takes a public name, and the scalar that names the actor behind it. */
static void read_publish_one(struct gri_chain_file *f, const struct gri_chain_node *name,
                             const struct gri_chain_node *actor, struct gri_chain_report *r)
{
    struct gri_chain_actor *a = NULL;

    if (actor->type != GRI_CHAIN_SCALAR)
        gri_chain_mistake(r, actor->at, "publish: %s is given, the name of an actor was expected",
                          gri_chain_what(actor));
    else
        a = gri_chain_check_ref(f, actor, r);
    if (a == NULL)
        return;
    if (name != actor)
        gri_chain_check_name(name, r);
    if ((name == actor ? a->name : name->text)[0] == '$')
        gri_chain_mistake(r, name->at, "publish: names that begin with $ are for Greenroom itself");
    for (size_t i = 0; i < f->publish_count; i++) {
        if (strcmp(f->publish[i].name, name == actor ? a->name : name->text) == 0)
            gri_chain_mistake(r, name->at, "\"%s\" is published twice", f->publish[i].name);
    }
    f->publish[f->publish_count++] = (struct gri_chain_publish){
        .name = name == actor ? a->name : name->text, .at = name->at, .actor = a
    };
}

/* read_publish takes a list of names and {public name: name}, or one map of those. */
static void read_publish(struct gri_chain_file *f, const struct gri_chain_node *n,
                         struct gri_chain_report *r)
{
    if (n->type == GRI_CHAIN_SCALAR) {
        gri_chain_mistake(r, n->at, "publish: %s is given, a list of names was expected",
                          gri_chain_what(n));
        return;
    }
    f->publish = gri_alloc_array(n->count + 1, sizeof(f->publish[0]));
    if (f->publish == NULL) {
        out_of_memory(r);
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        const struct gri_chain_node *value = n->items[i].value;

        if (n->type == GRI_CHAIN_MAP)
            read_publish_one(f, n->items[i].key, value, r);
        else if (value->type == GRI_CHAIN_MAP && value->count == 1)
            read_publish_one(f, value->items[0].key, value->items[0].value, r);
        else
            read_publish_one(f, value, value, r);
    }
}

/* read_top looks at the file's own keys. The actors come first: the others refer to them. */
static void read_top(struct gri_chain_file *f, struct gri_chain_report *r)
{
    const struct gri_chain_node *root = f->tree->root;
    const struct gri_chain_node *listen, *publish, *actors;

    if (root == NULL || root->type != GRI_CHAIN_MAP) {
        gri_chain_mistake(r, root != NULL ? root->at : (struct gri_chain_place){ 1, 1 },
                          "%s is given, a map with the key \"actors\" was expected",
                          root != NULL ? gri_chain_what(root) : "nothing");
        return;
    }
    for (size_t i = 0; i < root->count; i++) {
        bool known = false;

        for (size_t k = 0; k < TOP_KEYS; k++)
            known = known || strcmp(root->items[i].key->text, top_keys[k]) == 0;
        if (!known)
            gri_chain_unknown_key(r, root->items[i].key, "a chain file", top_keys, TOP_KEYS,
                                  sizeof(top_keys[0]));
    }
    actors = gri_chain_get(root, "actors");
    listen = gri_chain_get(root, "listen");
    publish = gri_chain_get(root, "publish");
    if (actors == NULL) {
        gri_chain_mistake(r, root->at, "the key \"actors\" was expected: a map of names to actors");
        return;
    }
    read_actors(f, actors, r);
    read_main(f, gri_chain_get(root, "main"), r);
    if (listen != NULL)
        read_listen(f, listen, r);
    if (publish != NULL)
        read_publish(f, publish, r);
    f->node = gri_chain_get(root, "node");
    gri_deploy_read(f, root, r);
    gri_chain_check(f, r);
}

struct gri_chain_file *gri_chain_file_parse(const char *path, const char *text, size_t len,
                                            gri_chain_look_up_fn *look_up,
                                            struct gri_chain_report *r)
{
    struct gri_chain_file *f = gri_new0(struct gri_chain_file);
    size_t mistakes = r->count;

    if (f == NULL) {
        out_of_memory(r);
        return NULL;
    }
    gri_map_init(&f->by_name, len);
    f->folder = folder_of(path);
    f->text = gri_alloc(len + 1);
    f->text_len = len;
    if (f->text != NULL)
        memcpy(f->text, text, len);
    if (f->folder == NULL || f->text == NULL)
        out_of_memory(r);
    else
        f->tree = gri_chain_tree_parse(text, len, r);
    if (f->tree != NULL) {
        gri_chain_tree_expand(f->tree, look_up, r);
        read_top(f, r);
    }
    if (r->count > mistakes) {
        gri_chain_file_free(f);
        return NULL;
    }
    gri_assert(f->tree != NULL);
    return f;
}

struct gri_chain_file *gri_chain_file_open(const char *path, struct gri_chain_report *r)
{
    struct gri_chain_place whole = { 0, 0 };
    struct gri_chain_file *f = NULL;
    char *text = gri_alloc(GRI_CHAIN_BYTES_MAX + 1);
    FILE *in = NULL;
    size_t len;

    if (text == NULL) {
        out_of_memory(r);
        goto out;
    }
    in = fopen(path, "rbe");
    if (in == NULL) {
        gri_chain_mistake(r, whole, "can't be opened: %s", strerror(errno));
        goto out;
    }
    len = fread(text, 1, GRI_CHAIN_BYTES_MAX + 1, in); /* one more: the parser refuses that */
    if (ferror(in))
        gri_chain_mistake(r, whole, "can't be read: %s", strerror(errno));
    else
        f = gri_chain_file_parse(path, text, len, getenv, r);
out:
    if (in != NULL)
        fclose(in);
    gri_free(text);
    return f;
}
