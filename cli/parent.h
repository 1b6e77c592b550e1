/* SPDX-License-Identifier: Apache-2.0 */
/* parent.h - a process that `greenroom up` has started ends with it. */
#ifndef GR_CLI_PARENT_H
#define GR_CLI_PARENT_H

#define GRI_PARENT_VARIABLE                                                                        \
    "GREENROOM_UP" /* in the environment of such a process: its parent's pid */

/* gri_parent_follow has this process get SIGTERM when that parent is gone, however it went: nodes then drain as
 * if they had been told to end. It takes the variable out of the environment. Without it nothing happens. */
void gri_parent_follow(void);

#endif
