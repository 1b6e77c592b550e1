/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_frames.h - what goes over a link about the runs of an observed call: its watch, which says what the caller
 * wants to hear of, and events. docs/wire.md has the format.
 */
#ifndef GR_RUNTIME_NET_RUN_FRAMES_H
#define GR_RUNTIME_NET_RUN_FRAMES_H

#include "runtime/actor/far.h"

struct gri_watch {
    unsigned kinds, chunk_types;
    bool tokens, first_only; /* first_only: not of runs that are in one that is told of */
    struct gri_origin origin;
};

/* gri_watch_pack writes what far wants into *ret_data, for gr_free. GR_ENOMEM. */
gr_code gri_watch_pack(const struct gri_far *far, void **ret_data, size_t *ret_size);
/* gri_watch_unpack: false, v is no watch. The origin's values are counted, for gri_origin_fini. */
bool gri_watch_unpack(const gr_value *v, struct gri_watch *ret);
void gri_origin_fini(struct gri_origin *origin);

/* gri_config_unheard takes callbacks out of a config that crosses: who hears of the runs is for the watch to say. */
gr_value *gri_config_unheard(gr_value *config GR_TAKES);

/* gri_event_pack makes what is sent of an event whose run has that number and is in another one, 0: in none that is
 * told of. with_input: the end says what its input was. */
gr_value *gri_event_pack(const gr_event *e, uint64_t number, uint64_t parent, bool with_input);
/* gri_event_fit replaces what can't be sent, as it is opaque or too long, by a note. */
gr_value *gri_event_fit(gr_value *event GR_TAKES);
/* gri_event_tell tells far what has come, in so many bytes; url and name are whose: GR_OK; GR_EPROTO; GR_ENOMEM; GR_EFULL. */
gr_code gri_event_tell(struct gri_far *far, const gr_value *event, size_t size, const char *url,
                       const char *name);

#endif
