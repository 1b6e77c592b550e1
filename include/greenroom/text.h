/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - documents, and where they come from: loaders and splitters.
 *
 * A document is a map {"page_content": string, "metadata": map, "id"?, "type": "Document"}.
 *
 * Any actor with these verbs is a loader or a splitter:
 *
 *   "load"            {}                      -> [document …]
 *   "lazy_load"       {}                      -> a stream of documents
 *   "split_text"      {"text": string}        -> [string …]
 *   "split_documents" {"documents": […]}      -> [document …]
 */
#ifndef GREENROOM_TEXT_H
#define GREENROOM_TEXT_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

/* gr_document makes a document; metadata NULL or nil is an empty map, id may be NULL. [any] */
GR_API gr_value *gr_document(const char *text, gr_value *metadata GR_TAKES, const char *id);

/*
 * gr_format_docs makes the runnable that turns a list of documents into the text that prompts and
 * gr_extractive_model take, the source being metadata "source", else the document's id, else its
 * number:
 *
 *   [docs/refunds.md]
 *   Refunds take five days.
 *
 *   [docs/contact.md]
 *   Write to us.
 * [any]
 */
GR_API gr_ref gr_format_docs(gr_scope *in);

/* ---- splitters. The plain twins wait [waits]; the a-twins return at once [any] --------------- */

GR_API gr_value *gr_split_text(gr_runtime *rt, gr_ref splitter, const char *text,
                               const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_asplit_text(gr_runtime *rt, gr_ref splitter, const char *text,
                                 const gr_call_opts *opts);
GR_API gr_value *gr_split_documents(gr_runtime *rt, gr_ref splitter, gr_value *documents GR_TAKES,
                                    const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_asplit_documents(gr_runtime *rt, gr_ref splitter, gr_value *documents GR_TAKES,
                                      const gr_call_opts *opts);

typedef struct gr_splitter_opts {
    size_t size;
    size_t chunk_size;     /* characters (not bytes) in a chunk at most; default 4000 */
    /* characters repeated from the chunk before; default 200 or, if that is less, a twentieth of
     * chunk_size; negative: none */
    int64_t chunk_overlap;
    gr_value *separators;  /* taken: a list of strings, the best place to cut first; default
                              ["\n\n", "\n", " ", ""]; "" cuts between any two characters */
    bool drop_separator;   /* default: a separator stays, at the start of what follows it */
    bool keep_whitespace;  /* default: chunks are stripped at both ends */
    bool add_start_index;  /* split_documents: metadata "start_index", in characters */
} gr_splitter_opts;
#define GR_SPLITTER(...) GR_OPT(gr_splitter_opts, __VA_ARGS__)

/*
 * gr_recursive_splitter cuts texts as RecursiveCharacterTextSplitter does: at the first separator
 * that occurs, what is still too long at the next one, then joined up to chunk_size again. "invoke"
 * takes a string (split_text) or a list of documents (split_documents).
 *
 * Errors:  broken, GR_EINVAL: an overlap larger than chunk_size; separators that are not strings.
 *          A piece that no separator cuts may be longer than chunk_size, as in LangChain. [any]
 */
GR_API gr_ref gr_recursive_splitter(gr_scope *in, const gr_splitter_opts *opts);

/* ---- loaders --------------------------------------------------------------------------------- */

GR_API gr_value *gr_load(gr_runtime *rt, gr_ref loader, const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_aload(gr_runtime *rt, gr_ref loader, const gr_call_opts *opts);
/* gr_lazy_load calls fn with each document as it comes, as gr_do_stream does; gr_alazy_load streams
 * them. */
GR_API gr_code gr_lazy_load(gr_runtime *rt, gr_ref loader, const gr_call_opts *opts, gr_chunk_fn *fn,
                            void *arg, gr_value **reterr);
GR_API gr_stream *gr_alazy_load(gr_runtime *rt, gr_ref loader, const gr_call_opts *opts);

typedef struct gr_loader_opts {
    size_t size;
    gr_value *suffixes;    /* taken: a list of name endings, [".md", ".txt"]; default: every file */
    size_t file_bytes_max; /* longest file; default 16 MiB */
    size_t files_max;      /* files in all; default 100000 */
    unsigned depth_max;    /* folders below path; default 16 */
    /* leave out files that can't be read, are too long, or are not UTF-8, and folders that can't be
     * listed */
    bool skip_errors;
} gr_loader_opts;
#define GR_LOADER(...) GR_OPT(gr_loader_opts, __VA_ARGS__)

/*
 * gr_directory_loader loads the text files below a folder, in the order of their names, one
 * document a file; metadata "source" is the file's path, beginning with path as given. Names that
 * begin with a dot are left out. path may also name one file. "invoke" is load.
 *
 * Errors:  GR_EINVAL  what can't be read, with why; "not UTF-8 at byte 12"; a file above
 * file_bytes_max
 *          GR_EFULL   above files_max or depth_max, or too many files are open; GR_ENOMEM    [any]
 */
GR_API gr_ref gr_directory_loader(gr_scope *in, const char *path, const gr_loader_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
