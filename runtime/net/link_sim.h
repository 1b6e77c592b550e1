/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_sim.h - private to *_sim.c of this folder: the network between the runtimes of a simulation.
 *
 * A connection is two links, the ends, which point at each other while both are there. What one
 * sends lies with the other as packets, each with the time when it arrives. A link's events come
 * from its task, on a worker of its runtime. A host is a runtime as the network sees it; its thread
 * readies the tasks of those of its links and listeners for which it is time. Nothing ever readies
 * a task of another runtime: that could be gone.
 *
 * Simulated threads lose the processor at points only (point.h): locks, futexes, the scheduler.
 * What is touched between two points needs no lock, and nothing here has one. But an event, a
 * ready and a wake are such points: what was looked at before must be looked at anew.
 */
#ifndef GR_RUNTIME_NET_LINK_SIM_H
#define GR_RUNTIME_NET_LINK_SIM_H

#include "runtime/base/list.h"
#include "runtime/net/link.h"
#include "runtime/sched/sched.h"
#include "runtime/sched/sim.h"

#define GRI_SIM_MS UINT64_C(1000000)

/* What the network is, kept in gri_sim.net until the simulation ends. */
struct gri_sim_net {
    struct gri_sim *sim; /* borrowed */
    struct gri_list hosts;
    struct gri_list rifts;
};

struct gri_sim_host {
    struct gri_list node;
    struct gri_sim_net *net; /* borrowed */
    uint64_t id;             /* the runtime's node: a later one at the same address is another */
    struct gri_sched *sched; /* borrowed; NULL once the runtime is gone */
    struct gri_list links;   /* not down yet */
    struct gri_list listeners;
    bool crashed;        /* for good */
    uint64_t dark_until; /* nothing reaches it before */
    struct gri_thread thread;
    bool running, stopping;
    _Atomic uint32_t wake; /* a futex, counts up: something here may be due */
};

/* Two hosts that don't reach each other; or, one_way, nothing gets from a to b. */
struct gri_sim_rift {
    struct gri_list node;
    uint64_t a, b; /* the hosts' ids */
    bool one_way;
    uint64_t until_ns; /* GRI_NEVER: until gr_sim_partition says so */
};

/* A frame on its way. */
struct gri_sim_packet {
    struct gri_list node;
    uint64_t at_ns; /* when it arrives */
    size_t size;
    unsigned char body[]; /* without the length */
};

enum { GRI_SIM_LOOK = 1, GRI_SIM_UP = 2, GRI_SIM_CLOSE = 4 };

struct gri_sim_link {
    struct gri_link base;        /* first */
    unsigned refs;               /* the driver's until down, and the user's */
    struct gri_list node;        /* in host->links, or in a listener's pending */
    struct gri_sim_host *host;   /* borrowed */
    struct gri_sim_host *beyond; /* the other end's; borrowed; NULL: not connected yet */
    struct gri_sim_link *peer;   /* the other end, borrowed; NULL: not connected, or it is down */
    struct gri_sim_listener *listener; /* who accepted it; NULL: it was dialled, or that is gone */
    char *url;                         /* owned; what was dialled; NULL: it was accepted */
    const struct gri_link_events *events;
    void *arg; /* borrowed; valid until down has returned */
    struct gri_task task;
    unsigned asks;
    bool queued; /* the task is queued or running; stays set after down */

    bool up, closing;
    bool refused;            /* a send was: tell when there is room */
    bool deaf;               /* nothing more that is sent to it arrives */
    gr_value *why;           /* counted; why it closes */
    struct gri_list packets; /* to this end, in order */
    size_t waiting;          /* their bytes */
    uint64_t last_ns;        /* when the last of them arrives; later ones not before */
    size_t frame_max;
    uint64_t heard_ns; /* when a frame came last */

    uint64_t due_ns;     /* when the host's thread must ready the task */
    uint64_t up_ns;      /* when connecting is decided */
    uint64_t room_ns;    /* when to tell of room */
    uint64_t down_ns;    /* when this end finds the connection gone */
    bool down_by_peer;   /* the other end says so, which needs a way to get here */
    uint64_t cut_off_ns; /* since when nothing gets through; 0: it does */
    uint64_t patience_ns;
};

struct gri_sim_listener {
    struct gri_listener base;  /* first */
    struct gri_list node;      /* in host->listeners */
    struct gri_sim_host *host; /* borrowed */
    char *url;                 /* owned */
    gri_accept_fn *accept;
    void *arg; /* borrowed; valid until unlisten has returned */
    struct gri_task task;
    struct gri_list pending; /* links to be accepted */
    unsigned link_count;     /* accepted and not down */
    bool busy;               /* the task is queued or running */
    bool closing;
    _Atomic uint32_t idle; /* a futex: 1 once closing and not busy */
};

/* net_sim.c: hosts, and what happens to them. */
/* gri_sim_host_of returns rt's host, made if need be; NULL: out of memory. */
struct gri_sim_host *gri_sim_host_of(gr_runtime *rt);
/* gri_sim_host_run starts its thread, once. */
gr_code gri_sim_host_run(struct gri_sim_host *h);
void gri_sim_host_stop(gr_runtime *rt);
void gri_sim_host_wake(struct gri_sim_host *h);
/* gri_sim_reach tells whether a packet gets from a to b now. */
bool gri_sim_reach(const struct gri_sim_host *a, const struct gri_sim_host *b);
/* gri_sim_one_way has nothing get from one runtime to another from now on, or ends that; as gr_sim_partition. */
gr_code gri_sim_one_way(gr_runtime *from, gr_runtime *to, bool on);
/* gri_sim_trouble asks the seed what happens to the connection that l sends on. */
void gri_sim_trouble(struct gri_sim_link *l);

/* link_sim.c */
/* gri_sim_link_new makes a link with two references; NULL: out of memory. */
struct gri_sim_link *gri_sim_link_new(struct gri_sim_host *host);
void gri_sim_link_ask(struct gri_sim_link *l, unsigned what);
void gri_sim_link_unref(struct gri_sim_link *l);
/* gri_sim_link_lose has the end find out at at_ns that the connection is gone. */
void gri_sim_link_lose(struct gri_sim_link *l, uint64_t at_ns);
/* gri_sim_link_part takes l from its other end, which is told. */
void gri_sim_link_part(struct gri_sim_link *l);

/* listen_sim.c */
gr_code gri_sim_listen(gr_runtime *rt, const char *url, const struct gri_tls *tls,
                       gri_accept_fn *accept, void *arg, struct gri_listener **ret_listener,
                       gr_value **reterr);
void gri_sim_unlisten(struct gri_listener *listener);
/* gri_sim_listener_at returns who listens at url; NULL: nobody. */
struct gri_sim_listener *gri_sim_listener_at(struct gri_sim_net *net, const char *url);
/* gri_sim_listener_ready has its task run, which accepts what is pending. */
void gri_sim_listener_ready(struct gri_sim_listener *n);

extern const struct gri_net_driver gri_net_sim;

#endif
