/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/twin.h"

#if defined(GR_TWIN_LOCKED)
struct gri_lock gri_twin_locks[64];
#else
typedef int gri_no_twin_locks; /* a file may not be empty */
#endif
