/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.h - a JSON Schema as it is when read: nodes with checks.
 *
 * Each schema within the schema is one node, found by the address of its value, so a $ref is an edge like
 * any other and a schema that names itself is a cycle. Reading goes over a list of nodes that are
 * still to be read, not by recursion, since refs can be chained as long as one likes. A node's checks
 * are in the order of the table of words, whatever the order of its keys.
 *
 * Judging is recursive: its depth is counted, and its steps. Inside of anyOf, not and their like
 * nothing is told (`quiet`), and the first thing wrong decides.
 */
#ifndef GR_ACTORS_SCHEMA_SCHEMA_H
#define GR_ACTORS_SCHEMA_SCHEMA_H

#include <greenroom/schema.h>

#include "runtime/base/map.h"
#include "runtime/base/strbuf.h"

/* What a value is; a whole number is a number too. */
enum gri_schema_type {
    GRI_IS_NULL = 1,
    GRI_IS_BOOLEAN = 2,
    GRI_IS_INTEGER = 4,
    GRI_IS_NUMBER = 8,
    GRI_IS_STRING = 16,
    GRI_IS_ARRAY = 32,
    GRI_IS_OBJECT = 64,
    GRI_IS_ANY = 127
};

struct gri_schema_node;
struct gri_schema_reader;
struct gri_schema_run;
struct gri_regex;

struct gri_check {
    const struct gri_schema_word *word; /* static */
    const struct gri_schema_node *node; /* borrowed: whose check it is */
    const gr_value *arg;                /* borrowed from the schema: what stands under the word */
    struct gri_schema_node **subs;      /* owned array of borrowed nodes; some may be NULL */
    size_t sub_count;
    struct gri_regex **patterns; /* owned */
    size_t pattern_count;
    size_t least, most; /* of what is counted; or a mask of types */
};

/* A word of JSON Schema. */
struct gri_schema_word {
    const char *name;
    unsigned types; /* of values that it judges */
    /* read fills the check in; false: it has been refused. Without a read nothing is to be prepared */
    bool (*read)(struct gri_schema_reader *r, struct gri_check *k);
    bool (*holds)(struct gri_schema_run *r, const struct gri_check *k, const gr_value *v);
};

struct gri_schema_node {
    const gr_value *v;        /* borrowed from the schema: true, false or a map */
    const gr_value *root;     /* borrowed: what a $ref in it begins at */
    char *path;               /* owned, until it has been read: a JSON pointer */
    struct gri_check *checks; /* owned array */
    size_t check_count;
};

struct gr_schema {
    gr_value *v;                 /* counted */
    struct gri_map by_value;     /* of nodes, owned, by the address of their value */
    struct gri_schema_node *top; /* borrowed from by_value */
    size_t work_max, errors_max;
    unsigned depth_max;
};

/* ---- reading, schema_read.c ------------------------------------------------------------------- */

struct gri_schema_reader {
    gr_schema *s;
    struct gri_schema_node **pending; /* owned array of borrowed nodes */
    size_t pending_count, pending_cap, nodes_max, steps;
    const struct gri_schema_node *node; /* the one being read */
    gr_value *err;                      /* what was refused first */
};

bool gri_schema_read(struct gri_schema_reader *r);
void gri_schema_node_free(struct gri_schema_node *n);
/* gri_schema_refuse notes what is wrong with the word's argument, and returns false. */
bool gri_schema_refuse(struct gri_schema_reader *r, const struct gri_check *k, const char *fmt, ...)
    GR_PRINTF(3, 4);
/* gri_schema_sub adds the node of a schema to the check; key, and index unless it is SIZE_MAX, say where it stands.
 * gri_schema_sub_none keeps its place empty. */
bool gri_schema_sub(struct gri_schema_reader *r, struct gri_check *k, const gr_value *v,
                    const char *key, size_t index);
bool gri_schema_sub_none(struct gri_schema_reader *r, struct gri_check *k);
/* gri_schema_pattern adds a regular expression. */
bool gri_schema_pattern(struct gri_schema_reader *r, struct gri_check *k, const char *text,
                        size_t len);
/* gri_schema_ref adds the node that a $ref leads to. */
bool gri_schema_ref(struct gri_schema_reader *r, struct gri_check *k);
/* The words, in the order in which they judge; `count` of them. */
const struct gri_schema_word *gri_schema_words(size_t *ret_count);

/* ---- judging, schema.c ------------------------------------------------------------------------ */

struct gri_schema_run {
    const gr_schema *s;
    struct gri_strbuf path;
    gr_value *errors; /* a list */
    unsigned depth, quiet;
    size_t work;   /* steps left */
    gr_value *why; /* set: it can't go on */
};

/* gri_schema_judge: v holds against the node. Where it can't go on it says false, and r->why tells. */
bool gri_schema_judge(struct gri_schema_run *r, const struct gri_schema_node *n, const gr_value *v);
/* gri_schema_judge_at does so for what is in a map under key or, key being NULL, in a list at index. */
bool gri_schema_judge_at(struct gri_schema_run *r, const struct gri_schema_node *n,
                         const gr_value *v, const char *key, size_t index);
/* gri_schema_try does so and tells nothing. */
bool gri_schema_try(struct gri_schema_run *r, const struct gri_schema_node *n, const gr_value *v);
/* gri_schema_wrong tells that the word does not hold here, and returns false. */
bool gri_schema_wrong(struct gri_schema_run *r, const struct gri_check *k, const char *fmt, ...)
    GR_PRINTF(3, 4);
/* gri_schema_no_memory ends the judging, and returns false. */
bool gri_schema_no_memory(struct gri_schema_run *r);
/* gri_schema_shown: how many bytes of a text a message quotes. */
int gri_schema_shown(const char *text);
/* gri_schema_work takes steps off; false: there are none left. */
bool gri_schema_work(struct gri_schema_run *r, size_t steps);
/* gri_schema_matches asks the check's pattern. */
bool gri_schema_matches(struct gri_schema_run *r, const struct gri_check *k, size_t index,
                        const char *text, size_t len);
/* gri_schema_stopped: nothing that is said from here on counts. */
static inline bool gri_schema_stopped(const struct gri_schema_run *r)
{
    return r->why != NULL;
}

unsigned gri_schema_types_of(const gr_value *v); /* of gri_schema_type */
const char *gri_schema_type_name(unsigned type); /* of the lowest one */

/* ---- values, schema_equal.c -------------------------------------------------------------------- */

/* gri_schema_compare: below, at or above 0, of two numbers, exactly. */
int gri_schema_compare(const gr_value *a, const gr_value *b);
/* gri_schema_equal is gr_equal but for numbers, which are compared by value. Equal ones have the same
 * hash. */
bool gri_schema_equal(const gr_value *a, const gr_value *b);
uint64_t gri_schema_hash(const gr_value *v);
/* gri_schema_size: about how many steps it takes to go over v. */
size_t gri_schema_size(const gr_value *v);
/* gri_schema_item is a list's item, or a number of packed floats; the caller's. */
gr_value *gri_schema_item(const gr_value *list, size_t index);

/* ---- the words, by what they judge --------------------------------------------------------------- */

#define GRI_SCHEMA_READ(name) bool gri_read_##name(struct gri_schema_reader *r, struct gri_check *k)
#define GRI_SCHEMA_HOLDS(name)                                                                     \
    bool gri_holds_##name(struct gri_schema_run *r, const struct gri_check *k, const gr_value *v)

GRI_SCHEMA_READ(type);
GRI_SCHEMA_HOLDS(type);
GRI_SCHEMA_READ(enum);
GRI_SCHEMA_HOLDS(enum);
GRI_SCHEMA_HOLDS(const);
GRI_SCHEMA_HOLDS(ref);
GRI_SCHEMA_READ(list_of_schemas);
GRI_SCHEMA_HOLDS(all_of);
GRI_SCHEMA_HOLDS(any_of);
GRI_SCHEMA_HOLDS(one_of);
GRI_SCHEMA_READ(schema);
GRI_SCHEMA_HOLDS(not );
GRI_SCHEMA_READ(if);
GRI_SCHEMA_HOLDS(if);
GRI_SCHEMA_READ(unsupported);

GRI_SCHEMA_READ(number);
GRI_SCHEMA_READ(multiple_of);
GRI_SCHEMA_HOLDS(minimum);
GRI_SCHEMA_HOLDS(maximum);
GRI_SCHEMA_HOLDS(exclusive_minimum);
GRI_SCHEMA_HOLDS(exclusive_maximum);
GRI_SCHEMA_HOLDS(multiple_of);
GRI_SCHEMA_READ(count);
GRI_SCHEMA_HOLDS(min_length);
GRI_SCHEMA_HOLDS(max_length);
GRI_SCHEMA_READ(pattern);
GRI_SCHEMA_HOLDS(pattern);

GRI_SCHEMA_HOLDS(min_items);
GRI_SCHEMA_HOLDS(max_items);
GRI_SCHEMA_READ(flag);
GRI_SCHEMA_HOLDS(unique_items);
GRI_SCHEMA_HOLDS(prefix_items);
GRI_SCHEMA_READ(items);
GRI_SCHEMA_HOLDS(items);
GRI_SCHEMA_READ(contains);
GRI_SCHEMA_HOLDS(contains);

GRI_SCHEMA_HOLDS(min_properties);
GRI_SCHEMA_HOLDS(max_properties);
GRI_SCHEMA_READ(required);
GRI_SCHEMA_HOLDS(required);
GRI_SCHEMA_READ(dependent_required);
GRI_SCHEMA_HOLDS(dependent_required);
GRI_SCHEMA_READ(map_of_schemas);
GRI_SCHEMA_HOLDS(properties);
GRI_SCHEMA_HOLDS(dependent_schemas);
GRI_SCHEMA_READ(pattern_properties);
GRI_SCHEMA_HOLDS(pattern_properties);
GRI_SCHEMA_READ(additional_properties);
GRI_SCHEMA_HOLDS(additional_properties);
GRI_SCHEMA_HOLDS(property_names);

#endif
