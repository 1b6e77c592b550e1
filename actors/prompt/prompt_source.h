/* SPDX-License-Identifier: Apache-2.0 */
/* prompt_source.h - where the parts of a prompt's description come from: the description, or files below its folder. */
#ifndef GR_ACTORS_PROMPT_PROMPT_SOURCE_H
#define GR_ACTORS_PROMPT_PROMPT_SOURCE_H

#include <greenroom/prompt_file.h>

#define GRI_PROMPT_FILE_BYTES_MAX ((size_t)1 << 20)

struct gri_prompt_source {
    gr_scope *in;       /* borrowed */
    const char *folder; /* borrowed; ends in / or is empty; NULL: no files */
    gr_read_data_fn *read_yaml;
    void *arg;
};

/* gri_source_file reads a whole file at a path that the user named: a text, or an error value that names it. */
gr_value *gri_source_file(const struct gri_prompt_source *s, const char *path);
/* gri_source_data reads a file of data below the folder, .json or .yaml; gri_source_text one of text, .txt. */
gr_value *gri_source_data(const struct gri_prompt_source *s, const char *name);
gr_value *gri_source_text(const struct gri_prompt_source *s, const char *name);
/* gri_source_parse reads a text of data by what its path ends with. */
gr_value *gri_source_parse(const struct gri_prompt_source *s, const char *path,
                           const gr_value *text);
/* gri_source_part gives config's `key`, or the text of the file that `key`_path names; nil: neither is there. An error
 * value when both are, or it is no text. */
gr_value *gri_source_part(const struct gri_prompt_source *s, const gr_value *config,
                          const char *key);

#endif
