/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * world.h - the seams between Greenroom and the world outside: time, chance, HTTP, links, files.
 *
 * Nothing above reads a clock, sleeps, draws a random number, does HTTP, moves frames or opens
 * files except through its runtime's world, so a simulated one can stand in (DESIGN: simulation).
 * The layers that know the foreign libraries (http, net) fill their tables in when first used.
 * gri: for actors/
 */
#ifndef GR_RUNTIME_SCHED_WORLD_H
#define GR_RUNTIME_SCHED_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <greenroom/base.h>

struct gri_http_driver; /* runtime/http/http.h */
struct gri_net_driver;  /* runtime/net/link.h */

/* What gr_runtime_opts says about HTTP, the defaults filled in. */
struct gri_http_limits {
    size_t requests_max;
    unsigned connections_max, host_connections_max;
    bool http2;
};

struct gri_world {
    uint64_t (*now)(struct gri_world *w);    /* monotonic, ns */
    uint64_t (*wall)(struct gri_world *w);   /* [any] microseconds since 1970 */
    uint64_t (*random)(struct gri_world *w); /* [any] 64 bits */
    /*
     * file_read gives the whole file, to be freed with gri_free. file_list gives the names in a
     * folder, NUL-separated, sorted. Both say why not in err[128]:
     *   GR_EINVAL  it can't be read, or is longer than size_max
     *   GR_ETYPE   file_list: it is no folder; GR_EDEAD: it is not there
     *   GR_EFULL   too many files are open; GR_ENOMEM
     */
    gr_code (*file_read)(struct gri_world *w, const char *path, size_t size_max, char **ret_data,
                         size_t *ret_size, char err[128]);
    gr_code (*file_list)(struct gri_world *w, const char *path, char **ret_names, size_t *ret_size,
                         char err[128]);
    const struct gri_http_driver *http; /* NULL: libcurl's, or the simulation's */
    const struct gri_net_driver *net;   /* NULL: nng's, or the simulation's */
    struct gri_http_limits http_limits; /* written once, before anybody uses HTTP */
    _Atomic uint64_t random_state;
};

/* gri_world_real fills in the machine's own clock, randomness and files. */
void gri_world_real(struct gri_world *w);

/* The runtime's world, and its clock and dice. [any] */
struct gri_world *gri_world_of(gr_runtime *rt);
uint64_t gri_now(gr_runtime *rt);
uint64_t gri_random(gr_runtime *rt);
uint64_t gri_wall_us(gr_runtime *rt);

#endif
