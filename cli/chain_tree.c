/* SPDX-License-Identifier: Apache-2.0 */
/* chain_tree.c - the tree of a chain file: look-ups, types of scalars, ${NAME}. */
#include "cli/chain_tree.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"

void gri_chain_tree_free(struct gri_chain_tree *t)
{
    if (t == NULL)
        return;
    while (t->nodes != NULL) {
        struct gri_chain_node *n = t->nodes;

        t->nodes = n->next;
        gri_free(n->text);
        gri_free(n->expanded);
        gri_free(n->items);
        gri_free(n);
    }
    gri_free(t);
}

struct gri_chain_node *gri_chain_get(const struct gri_chain_node *n, const char *key)
{
    if (n == NULL || n->type != GRI_CHAIN_MAP)
        return NULL;
    for (size_t i = 0; i < n->count; i++) {
        if (strcmp(n->items[i].key->text, key) == 0)
            return n->items[i].value;
    }
    return NULL;
}

bool gri_chain_is_nothing(const struct gri_chain_node *n)
{
    if (n->type != GRI_CHAIN_SCALAR || !n->plain)
        return false;
    return n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0;
}

bool gri_chain_to_int(const struct gri_chain_node *n, long long *ret)
{
    const char *text, *digits;
    char *end = NULL;
    long long value;

    if (n->type != GRI_CHAIN_SCALAR || !n->plain)
        return false;
    text = gri_chain_text(n);
    digits = text[0] == '-' || text[0] == '+' ? text + 1 : text;
    if (!isdigit((unsigned char)digits[0]))
        return false;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *ret = value;
    return true;
}

bool gri_chain_to_real(const struct gri_chain_node *n, double *ret)
{
    const char *text;
    char *end = NULL;
    double value;

    if (n->type != GRI_CHAIN_SCALAR || !n->plain)
        return false;
    text = gri_chain_text(n);
    if (text[strspn(text, "+-.0123456789eE")] != '\0' || text[strcspn(text, "0123456789")] == '\0')
        return false; /* what strtod also takes: hex, inf, nan, leading space */
    value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value))
        return false;
    *ret = value;
    return true;
}

bool gri_chain_to_bool(const struct gri_chain_node *n, bool *ret)
{
    const char *text;

    if (n->type != GRI_CHAIN_SCALAR || !n->plain)
        return false;
    text = gri_chain_text(n);
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return false;
    *ret = text[0] == 't';
    return true;
}

const char *gri_chain_what(const struct gri_chain_node *n)
{
    double real;
    bool truth;

    if (n->type == GRI_CHAIN_LIST)
        return "a list";
    if (n->type == GRI_CHAIN_MAP)
        return "a map";
    if (gri_chain_is_nothing(n))
        return "nothing";
    if (gri_chain_to_real(n, &real))
        return "a number";
    if (gri_chain_to_bool(n, &truth))
        return "true or false";
    return "a text";
}

/* ---- ${NAME} --------------------------------------------------------------------------------- */

static bool is_variable_name(const char *name, size_t len)
{
    if (len == 0 || len > 128 || isdigit((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && name[i] != '_')
            return false;
    }
    return true;
}

/* expand_one adds what the ${…} at `from` stands for, and returns where the text goes on; NULL,
 * told, for a mistake. */
static const char *expand_one(const struct gri_chain_node *n, const char *from,
                              gri_chain_look_up_fn *look_up, struct gri_strbuf *out,
                              struct gri_chain_report *r)
{
    const char *name = from + 2;
    const char *end = strchr(name, '}');
    const char *otherwise;
    const char *found;
    char copy[129];
    size_t len;

    if (end == NULL) {
        gri_chain_mistake(r, n->at,
                          "\"${\" is never closed, \"}\" was expected; write $${ for a "
                          "plain ${");
        return NULL;
    }
    otherwise = strstr(name, ":-");
    if (otherwise != NULL && otherwise > end)
        otherwise = NULL;
    len = (size_t)((otherwise != NULL ? otherwise : end) - name);
    if (!is_variable_name(name, len)) {
        gri_chain_mistake(r, n->at,
                          "\"${%.*s}\" names no environment variable: letters, digits and "
                          "_ were expected; write $${ for a plain ${",
                          (int)(len < 40 ? len : 40), name);
        return NULL;
    }
    memcpy(copy, name, len);
    copy[len] = '\0';
    found = look_up(copy);
    if (found != NULL && (found[0] != '\0' || otherwise == NULL)) {
        gri_strbuf_adds(out, found);
    } else if (otherwise != NULL) {
        gri_strbuf_add(out, otherwise + 2, (size_t)(end - otherwise - 2));
    } else {
        gri_chain_mistake(r, n->at,
                          "the environment variable %s is not set; set it, or give a value "
                          "in its place: ${%s:-value}",
                          copy, copy);
        return NULL;
    }
    return end + 1;
}

static void expand_node(struct gri_chain_node *n, gri_chain_look_up_fn *look_up,
                        struct gri_chain_report *r)
{
    struct gri_strbuf out = { .max = GRI_CHAIN_BYTES_MAX };
    const char *at = n->text;

    while (at != NULL && *at != '\0') {
        const char *dollar = strstr(at, "${");

        if (dollar == NULL) {
            gri_strbuf_adds(&out, at);
            break;
        }
        if (dollar > at && dollar[-1] == '$') {
            gri_strbuf_add(&out, at, (size_t)(dollar - at - 1));
            gri_strbuf_adds(&out, "${");
            at = dollar + 2;
            continue;
        }
        gri_strbuf_add(&out, at, (size_t)(dollar - at));
        at = expand_one(n, dollar, look_up, &out, r);
    }
    if (at != NULL) {
        n->expanded = gri_strbuf_take(&out);
        n->plain = true; /* in {…} YAML wants "${N}" quoted, and N may be a number */
        if (n->expanded == NULL)
            gri_chain_mistake(r, n->at, "this text is too long once its variables are filled in");
    }
    gri_strbuf_fini(&out);
}

/* expand_under goes down in the order of the file; the depth was bounded when the tree was read. */
static void expand_under(struct gri_chain_node *n, gri_chain_look_up_fn *look_up,
                         struct gri_chain_report *r)
{
    if (n->type == GRI_CHAIN_SCALAR && strstr(n->text, "${") != NULL)
        expand_node(n, look_up, r);
    for (size_t i = 0; i < n->count; i++)
        expand_under(n->items[i].value, look_up, r);
}

void gri_chain_tree_expand(struct gri_chain_tree *t, gri_chain_look_up_fn *look_up,
                           struct gri_chain_report *r)
{
    if (t->root != NULL)
        expand_under(t->root, look_up, r);
}
