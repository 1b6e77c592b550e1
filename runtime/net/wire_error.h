/* SPDX-License-Identifier: Apache-2.0 */
/* wire_error.h - errors on their way between processes. */
#ifndef GR_RUNTIME_NET_WIRE_ERROR_H
#define GR_RUNTIME_NET_WIRE_ERROR_H

#include <greenroom/value.h>

/* gri_wire_error_out returns err as it may leave: local-only codes become others, in causes too. */
gr_value *gri_wire_error_out(const gr_value *err);
/* gri_wire_error_in returns what came from a peer, with the way it came put before its `where`. */
gr_value *gri_wire_error_in(gr_value *err GR_TAKES, const char *url, const char *name);
/* gri_wire_unfit says why a value could not be sent; what: "a chunk". */
gr_value *gri_wire_unfit(gr_code rc, const char *what);

#endif
