/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extract.c - scores the sentences of a context against a question.
 *
 * A sentence's score is the share of the question's words, by stem, that it has, where a word
 * counts the more the fewer sentences have it (idf), plus a small part for word beginnings in
 * common, so that "refunding" finds "refund". Function words don't count unless the question has
 * no others. The best sentences are quoted, best first; of equal ones the earlier.
 */
#include "actors/model/extract.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "actors/text/words.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

#define TERMS_MAX 64     /* words of the question that count */
#define SENTENCE_MAX 600 /* bytes quoted of one sentence at most */
#define SENTENCES_MAX 200000

struct sentence {
    struct gri_span span, source; /* source.len 0: none known */
    uint64_t has, begins;         /* bit i: has term i; has a word that begins like term i */
    double score;
    bool used;
};

struct sentences {
    struct sentence *items; /* owned */
    size_t count, cap;
};

struct terms {
    uint64_t hash[TERMS_MAX];
    uint64_t start_hash[TERMS_MAX]; /* of its first four letters; 0 when shorter */
    double weight[TERMS_MAX];
    size_t count;
};

/* ---- finding question and context ------------------------------------------------------------ */

static bool begins_with(const char *line, size_t len, const char *word)
{
    size_t word_len = strlen(word);

    return len >= word_len && strncasecmp(line, word, word_len) == 0;
}

static size_t line_len(const char *s, size_t len)
{
    const char *end = memchr(s, '\n', len);

    return end == NULL ? len : (size_t)(end - s);
}

static const char *const question_marks[] = { "Question:", "Input:", "Query:" };

/* question_mark returns the length of what marks a line as the question's, or 0. */
static size_t question_mark(const char *line, size_t len)
{
    for (size_t i = 0; i < sizeof(question_marks) / sizeof(question_marks[0]); i++)
        if (begins_with(line, len, question_marks[i]))
            return strlen(question_marks[i]);
    return 0;
}

static struct gri_span until_answer(const char *s, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t line = line_len(s + at, len - at);

        if (begins_with(s + at, line, "Answer:"))
            return (struct gri_span){ s, at };
        at += line + 1;
    }
    return (struct gri_span){ s, len };
}

void gri_extract_find(const char *prompt, size_t len, struct gri_span *question,
                      struct gri_span *context)
{
    size_t question_at = len, question_text = len, context_at = len;
    bool context_found = false;

    for (size_t at = 0; at < len;) {
        size_t line = line_len(prompt + at, len - at), mark = question_mark(prompt + at, line);

        if (mark > 0) {
            question_at = at;
            question_text = at + mark;
        }
        if (!context_found && begins_with(prompt + at, line, "Context:")) {
            context_found = true;
            context_at = at + strlen("Context:");
        }
        at += line + 1;
    }
    *question = until_answer(prompt + question_text, len - question_text);
    if (!context_found)
        context_at = 0;
    /* A question in front of its context ends where that begins. */
    if (context_found && question_at < context_at) {
        size_t most = context_at - strlen("Context:") - question_text;

        question->len = question->len < most ? question->len : most;
        question_at = len;
    }
    *context = (struct gri_span){ prompt + context_at, question_at - context_at };
}

/* ---- sentences ------------------------------------------------------------------------------- */

static struct gri_span trim(const char *s, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", s[0]) != NULL && s[0] != '\0') {
        s++;
        len--;
    }
    while (len > 0 && strchr(" \t\r\n", s[len - 1]) != NULL && s[len - 1] != '\0')
        len--;
    return (struct gri_span){ s, len };
}

static bool add_sentence(struct sentences *list, struct gri_span span, struct gri_span source)
{
    if (span.len == 0 || list->count == SENTENCES_MAX)
        return true;
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? 64 : list->cap * 2;
        struct sentence *items = gri_resize(list->items, cap * sizeof(*items));

        if (items == NULL)
            return false;
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = (struct sentence){ .span = span, .source = source };
    return true;
}

/* ends_here: a full stop counts when white space follows it and no initial precedes ("e.g.
 * this"). */
static bool ends_here(const char *s, size_t at, size_t len)
{
    if (strchr(".!?", s[at]) == NULL || s[at] == '\0')
        return false;
    if (at + 1 < len && strchr(" \t\r\n\"')", s[at + 1]) == NULL)
        return false;
    return !(s[at] == '.' && at >= 2 && s[at - 2] == '.') && at > 1;
}

/* cut_paragraph adds the sentences of a stretch without empty lines. */
static bool cut_paragraph(struct sentences *list, const char *s, size_t len, struct gri_span source)
{
    size_t start = 0;

    for (size_t at = 0; at < len; at++) {
        if (!ends_here(s, at, len))
            continue;
        while (at + 1 < len && strchr("\"')", s[at + 1]) != NULL && s[at + 1] != '\0')
            at++;
        if (!add_sentence(list, trim(s + start, at + 1 - start), source))
            return false;
        start = at + 1;
    }
    return add_sentence(list, trim(s + start, len - start), source);
}

/* is_source tells whether a line is only "[name]". */
static bool is_source(struct gri_span line)
{
    return line.len > 2 && line.text[0] == '[' && line.text[line.len - 1] == ']' &&
           memchr(line.text + 1, '[', line.len - 2) == NULL;
}

/* is_fence tells whether a line begins or ends a block of code. */
static bool is_fence(struct gri_span line)
{
    return begins_with(line.text, line.len, "```");
}

/* is_no_prose: headings, table rows and indented code are no sentences to quote. */
static bool is_no_prose(struct gri_span line, const char *raw)
{
    return line.len > 0 &&
           (line.text[0] == '#' || line.text[0] == '|' || raw[0] == '\t' || line.text - raw >= 4);
}

/* stands_alone: list items and quotes don't run on into the next line. */
static bool stands_alone(struct gri_span line)
{
    return line.len > 0 && strchr("-*>", line.text[0]) != NULL;
}

static bool cut_context(struct sentences *list, struct gri_span context)
{
    struct gri_span source = { NULL, 0 };
    size_t start = 0;
    bool code = false; /* between fences */

    for (size_t at = 0; at <= context.len;) {
        size_t len = line_len(context.text + at, context.len - at);
        struct gri_span line = trim(context.text + at, len);
        bool named = is_source(line), fence = is_fence(line);
        bool skipped =
            named || fence || code || line.len == 0 || is_no_prose(line, context.text + at);
        bool alone = !skipped && stands_alone(line);

        if (skipped || alone) {
            if (!cut_paragraph(list, context.text + start, at - start, source))
                return false;
            if (alone && !cut_paragraph(list, line.text, line.len, source))
                return false;
            start = at + len < context.len ? at + len + 1 : context.len;
        }
        code = !named && code != fence;
        if (named)
            source = (struct gri_span){ line.text + 1, line.len - 2 };
        at += len + 1;
    }
    return cut_paragraph(list, context.text + start, context.len - start, source);
}

/* ---- scores ---------------------------------------------------------------------------------- */

static uint64_t start_hash(const struct gri_word *w)
{
    return w->len >= 4 ? gri_hash_text(w->text, 4, 7) | 1 : 0;
}

static void add_term(struct terms *t, const struct gri_word *w)
{
    uint64_t hash = gri_hash_text(w->text, w->len, 1);

    for (size_t i = 0; i < t->count; i++)
        if (t->hash[i] == hash)
            return;
    if (t->count == TERMS_MAX)
        return;
    t->hash[t->count] = hash;
    t->start_hash[t->count++] = start_hash(w);
}

static void read_terms(struct terms *t, struct gri_span question)
{
    for (int with_common = 0; with_common < 2 && t->count == 0; with_common++) {
        struct gri_words words = gri_words_of(question.text, question.len);
        struct gri_word word;

        while (gri_words_next(&words, &word)) {
            if (word.common && !with_common)
                continue;
            gri_word_stem(&word);
            add_term(t, &word);
        }
    }
}

static void match(struct sentence *s, const struct terms *t)
{
    struct gri_words words = gri_words_of(s->span.text, s->span.len);
    struct gri_word word;

    while (gri_words_next(&words, &word)) {
        uint64_t hash, start;

        gri_word_stem(&word);
        hash = gri_hash_text(word.text, word.len, 1);
        start = start_hash(&word);
        for (size_t i = 0; i < t->count; i++) {
            if (t->hash[i] == hash)
                s->has |= UINT64_C(1) << i;
            else if (start != 0 && t->start_hash[i] == start)
                s->begins |= UINT64_C(1) << i;
        }
    }
}

static void weigh(struct terms *t, const struct sentences *list)
{
    for (size_t i = 0; i < t->count; i++) {
        size_t with = 0;

        for (size_t n = 0; n < list->count; n++)
            with += (list->items[n].has >> i) & 1;
        t->weight[i] = log(1.0 + ((double)list->count - (double)with + 0.5) / ((double)with + 0.5));
    }
}

static void score(struct sentences *list, const struct terms *t)
{
    double all = 0;

    for (size_t i = 0; i < t->count; i++)
        all += t->weight[i];
    for (size_t n = 0; n < list->count; n++) {
        struct sentence *s = &list->items[n];
        double sum = 0;

        for (size_t i = 0; i < t->count; i++) {
            if ((s->has >> i) & 1)
                sum += t->weight[i];
            else if ((s->begins >> i) & 1)
                sum += t->weight[i] * 0.5;
        }
        s->score = all > 0 ? sum / all : 0;
        if (s->span.text[0] == '#') /* a heading names its topic, but answers nothing */
            s->score *= 0.5;
    }
}

/* ---- the answer ------------------------------------------------------------------------------ */

static bool same_text(struct gri_span a, struct gri_span b)
{
    return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

static struct sentence *best_left(struct sentences *list, double least)
{
    struct sentence *best = NULL;

    for (size_t i = 0; i < list->count; i++) {
        struct sentence *s = &list->items[i];

        if (!s->used && s->score >= least && s->score > 0 &&
            (best == NULL || s->score > best->score))
            best = s;
    }
    if (best == NULL)
        return NULL;
    for (size_t i = 0; i < list->count; i++) /* chunks overlap: the same sentence may come twice */
        if (same_text(list->items[i].span, best->span))
            list->items[i].used = true;
    return best;
}

/* quote writes the sentence on one line, white space folded, cut at SENTENCE_MAX. */
static void quote(struct gri_strbuf *b, const struct sentence *s)
{
    size_t len = s->span.len, written = 0;
    bool gap = false;

    gri_strbuf_adds(b, "\n- \"");
    if (len > SENTENCE_MAX) {
        len = SENTENCE_MAX;
        while (len > 0 && ((unsigned char)s->span.text[len] & 0xc0) == 0x80)
            len--;
    }
    for (size_t i = 0; i < len; i++) {
        bool space = strchr(" \t\r\n", s->span.text[i]) != NULL && s->span.text[i] != '\0';

        if (space) {
            gap = true;
            continue;
        }
        if (gap && written > 0)
            gri_strbuf_addc(b, ' ');
        gap = false;
        gri_strbuf_addc(b, s->span.text[i]);
        written++;
    }
    gri_strbuf_adds(b, len < s->span.len ? " …\"" : "\"");
    if (s->source.len > 0) {
        gri_strbuf_adds(b, " [");
        gri_strbuf_add(b, s->source.text, s->source.len);
        gri_strbuf_adds(b, "]");
    }
}

gr_value *gri_extract_answer(struct gri_span question, struct gri_span context,
                             const struct gri_extract_opts *opts)
{
    struct sentences list = { .items = NULL };
    struct terms terms = { .count = 0 };
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *answer = NULL;
    size_t quoted = 0;

    if (!cut_context(&list, context))
        goto out;
    read_terms(&terms, question);
    for (size_t i = 0; i < list.count; i++)
        match(&list.items[i], &terms);
    weigh(&terms, &list);
    score(&list, &terms);
    gri_strbuf_adds(&b, "Extractive answer (no language model):");
    while (quoted < opts->sentences_max) {
        struct sentence *s = best_left(&list, opts->score_min);

        if (s == NULL)
            break;
        quote(&b, s);
        quoted++;
    }
    if (quoted == 0)
        gri_strbuf_adds(&b, " nothing in the context answers this.");
    if (!b.failed)
        answer = gr_strn(b.data, b.len);
out:
    gri_strbuf_fini(&b);
    gri_free(list.items);
    return answer != NULL ? answer : gr_error(GR_ENOMEM, "out of memory");
}
