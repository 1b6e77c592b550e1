/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_sim.h - private to *_sim.c of this folder: the simulated server, and one exchange with it.
 *
 * Simulated threads lose the processor at points only (point.h): locks, futexes, the scheduler.
 * What is touched between two points needs no lock, and nothing here has one.
 */
#ifndef GR_RUNTIME_HTTP_HTTP_SIM_H
#define GR_RUNTIME_HTTP_HTTP_SIM_H

#include <greenroom/sim.h>

#include "runtime/base/list.h"
#include "runtime/base/strbuf.h"
#include "runtime/base/thread.h"
#include "runtime/http/http.h"
#include "runtime/sched/sim.h"

#define GRI_SIM_REPLY_MAX ((size_t)64 * 1024 * 1024)

/* A place in the body where the server is silent, or gone. */
struct gri_sim_stop {
    size_t at;
    uint64_t wait_ns;
    bool hang_up;
};

struct gr_sim_reply {
    int status;
    bool not_http;              /* what comes has no status line */
    bool failed;                /* no memory for all of it */
    struct gri_strbuf head;     /* "name\0value\0" each */
    struct gri_strbuf body;     /* all pieces */
    struct gri_sim_stop *stops; /* owned array, by place */
    size_t stop_count, stop_cap;
};

void gri_sim_reply_fini(struct gr_sim_reply *r);
const char *gri_sim_reply_header_of(const struct gr_sim_reply *r, const char *name);
/* gri_sim_reply_spoil makes the reply one that no server should give: what HTTP_GARBLED is. */
void gri_sim_reply_spoil(struct gr_sim_reply *r, struct gri_sim_chance *c);
/* gri_sim_reply_refuse makes it a 429, 500 or 503: what HTTP_STATUS is. */
void gri_sim_reply_refuse(struct gr_sim_reply *r, struct gri_sim_chance *c);

/* gri_sim_openai is the server that sim.h describes: a gr_sim_http_fn without arg. */
void gri_sim_openai(void *arg, const gr_sim_request *request, gr_sim_reply *reply);

/* gri_sim_http_live returns how many exchanges of rt are under way. */
size_t gri_sim_http_live(gr_runtime *rt);

extern const struct gri_http_driver gri_http_sim;

#endif
