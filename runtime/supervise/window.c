/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/supervise/window.h"

#include "runtime/base/alloc.h"

gr_code gri_window_init(struct gri_window *w, uint32_t max, uint64_t period_ns)
{
    *w = (struct gri_window){ .max = max, .period_ns = period_ns };
    if (max == 0)
        return GR_OK;
    w->times = gri_alloc_array(max, sizeof(*w->times));
    return w->times != NULL ? GR_OK : GR_ENOMEM;
}

void gri_window_fini(struct gri_window *w)
{
    gri_free(w->times);
    w->times = NULL;
    w->max = w->count = 0;
}

bool gri_window_add(struct gri_window *w, uint64_t now_ns)
{
    if (w->max == 0)
        return false;
    if (w->count == w->max && now_ns - w->times[w->next] <= w->period_ns)
        return false;
    w->times[w->next] = now_ns; /* in a full ring, in place of the oldest */
    w->next = (w->next + 1) % w->max;
    if (w->count < w->max)
        w->count++;
    return true;
}
