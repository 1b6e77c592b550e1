/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.h - a runtime's child processes: one thread starts them, listens to them, and waits for their
 * end.
 *
 * That thread is their parent as the kernel sees it (PR_SET_PDEATHSIG), so it lives as long as they do.
 * The sockets' files are in a folder that is there only while some process starts: each file goes as
 * soon as the link is made, or the process has ended.
 */
#ifndef GR_RUNTIME_ISOLATE_KEEPER_H
#define GR_RUNTIME_ISOLATE_KEEPER_H

#include "runtime/isolate/process.h"

struct gri_keeper;

/* gri_keeper_get returns rt's keeper; NULL: out of memory or descriptors, or the runtime is ending. [any] */
struct gri_keeper *gri_keeper_get(gr_runtime *rt);
/* gri_keeper_add has a new process started. GR_EFULL: isolated_max are there. [any] */
gr_code gri_keeper_add(struct gri_keeper *k, struct gri_process *p);
/* gri_keeper_linked: the process's socket needs its file no more. [any] */
void gri_keeper_linked(struct gri_keeper *k, struct gri_process *p);
/* gri_keeper_leave gives the place among isolated_max up: the process is, or will soon be, gone. [any] */
void gri_keeper_leave(struct gri_keeper *k, struct gri_process *p);

#endif
