/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix_signal.h - handlers of the process's signals, which it shares with its host.
 *
 * Several runtimes may take the same signal: the first installs the handler, and when the last gives
 * it back, whoever handled the signal before does so again. A handler that the host has installed
 * over ours meanwhile stays, and may pass on to ours what it likes.
 */
#ifndef GR_RUNTIME_BASE_POSIX_SIGNAL_H
#define GR_RUNTIME_BASE_POSIX_SIGNAL_H

#include <signal.h>
#include <stdbool.h>

#include <greenroom/base.h>

typedef void gri_posix_signal_fn(int number, siginfo_t *info, void *context);

/* gri_posix_signal_take has fn handle a signal, on the alternate stack of a thread that has one.
 * GR_EINVAL: there is no such signal, or, if we want it alone, somebody handles it. */
gr_code gri_posix_signal_take(int number, gri_posix_signal_fn *fn, bool alone);
void gri_posix_signal_give(int number);

/* These two are for handlers. gri_posix_signal_pass does with the signal what would have been done
 * without us; gri_posix_signal_restore has it so from now on, for the fault that comes again when the
 * handler returns. */
void gri_posix_signal_pass(int number, siginfo_t *info, void *context);
void gri_posix_signal_restore(int number);

#endif
