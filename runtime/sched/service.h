/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h - what a layer above hangs on a runtime: one object a kind, made when first needed.
 *
 * The HTTP reactor, the node table and the like live here, so that the runtime needs to know none
 * of them. Services are stopped in the reverse order of their kinds at shutdown, after every actor
 * has stopped and before the workers are joined.
 */
#ifndef GR_RUNTIME_SCHED_SERVICE_H
#define GR_RUNTIME_SCHED_SERVICE_H

#include <greenroom/base.h>

enum gri_service_kind {
    GRI_SERVICE_HTTP = 0,
    GRI_SERVICE_NET = 1,
    GRI_SERVICE_ISOLATE = 2,
    GRI_SERVICE_CLUSTER = 3,
    GRI_SERVICE_PROGRAM = 4,
    GRI_SERVICE_COUNT = 5
};

struct gri_service {
    void *object;               /* owned through stop */
    void (*stop)(void *object); /* ends threads, frees the object; may wait */
};

/*
 * gri_service_get returns the runtime's object of that kind, making it with make(rt, &service) on
 * first use, under a lock. NULL when make fails or the runtime is shutting down. [any]
 */
void *gri_service_get(gr_runtime *rt, enum gri_service_kind kind,
                      gr_code (*make)(gr_runtime *rt, struct gri_service *ret_service));

#endif
