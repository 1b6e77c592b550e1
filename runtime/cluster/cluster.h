/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * cluster.h - a runtime as a member of a cluster; and, for pools, who provides a name.
 *
 * One for each runtime, made on first use, also without a cluster: then its directory is empty.
 */
#ifndef GR_RUNTIME_CLUSTER_CLUSTER_H
#define GR_RUNTIME_CLUSTER_CLUSTER_H

#include <greenroom/cluster.h>

/* gri_providers_of returns who else provides a name: a counted list, the same one as long as nothing
 * has changed; NULL: nobody. [any] */
gr_value *gri_providers_of(gr_runtime *rt, const char *name);
/* gri_provider_here returns the live actor that this runtime publishes under a name; {0, 0}: none.
 * [any] */
gr_ref gri_provider_here(gr_runtime *rt, const char *name);
/* gri_is_here tells whether a provider of the list is this runtime itself. [any] */
bool gri_is_here(gr_runtime *rt, const gr_value *provider);

/* gri_provider_wrong says what is wrong with a name and a URL of a provider; NULL: nothing. */
gr_value *gri_provider_wrong(const char *name, const char *url);

#endif
