/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/service.h"

#include "runtime/sched/sched.h"

void *gri_service_get(gr_runtime *rt, enum gri_service_kind kind,
                      gr_code (*make)(gr_runtime *rt, struct gri_service *ret_service))
{
    struct gri_sched *s = gri_sched_of(rt);
    struct gri_service *service = &s->services[kind];
    void *object = NULL;

    gri_lock(&s->service_lock);
    if (!s->services_closed && (service->object != NULL || make(rt, service) == GR_OK))
        object = service->object;
    gri_unlock(&s->service_lock);
    return object;
}

void gri_services_stop(struct gri_sched *s)
{
    gri_lock(&s->service_lock);
    s->services_closed = true;
    gri_unlock(&s->service_lock);
    for (int i = GRI_SERVICE_COUNT - 1; i >= 0; i--)
        if (s->services[i].object != NULL)
            s->services[i].stop(s->services[i].object);
}
