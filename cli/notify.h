/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - telling a service manager how far we are, as systemd's sd_notify(3) has it. */
#ifndef GR_CLI_NOTIFY_H
#define GR_CLI_NOTIFY_H

/* gri_notify sends "READY=1" or the like to the socket that $NOTIFY_SOCKET names: a path, or @ and a name
 * that is no file. Without that variable it does nothing; what goes wrong is said, and no more. */
void gri_notify(const char *state);

#endif
