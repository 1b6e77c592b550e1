/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * run_config.h - what becomes of a RunnableConfig on its way from a call to those that it makes.
 */
#ifndef GR_RUNTIME_ACTOR_RUN_CONFIG_H
#define GR_RUNTIME_ACTOR_RUN_CONFIG_H

#include <greenroom/config.h>

/* gri_config_child gives the config of a call that is made in one with config `parent` (NULL: there
 * is none), when `own` (NULL: nothing) is given for it: langchain-core's patch_config, then its
 * ensure_config without what is empty. NULL: there is still none. *ret_has, where it is asked for: what own
 * has of gri_config_has. */
gr_value *gri_config_child(const gr_value *parent, gr_value *own GR_TAKES, unsigned *ret_has);
enum gri_config_has {
    GRI_HAS_CALLBACKS = 1, /* so what the call starts is a tree of runs of its own */
    GRI_HAS_KWARGS = 2,
    GRI_HAS_NAME = 4,  /* run_name or run_id */
    GRI_HAS_PARENT = 8 /* not own's: there is a parent's config */
};

/* gri_config_unnamed leaves out what names one run alone: run_name and run_id. NULL stays NULL. */
gr_value *gri_config_unnamed(gr_value *config GR_TAKES);

/* What a run takes of its config, all borrowed; NULL: it has none. */
struct gri_run_config {
    const gr_value *callbacks, *tags, *metadata, *configurable, *run_name, *run_id;
};
/* gri_run_config_of looks at each key of the config once. */
struct gri_run_config gri_run_config_of(const gr_value *config);
/* gri_run_metadata gives the metadata of a run, as gr_ensure_config does; NULL: none. */
gr_value *gri_run_metadata(const struct gri_run_config *c);

/* gri_truthy tells whether Python takes v for true. */
bool gri_truthy(const gr_value *v);

#endif
