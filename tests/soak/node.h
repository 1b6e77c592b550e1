/* SPDX-License-Identifier: Apache-2.0 */
/* node.h - the other process of a scenario; see soak.h. */
#ifndef GR_TESTS_SOAK_NODE_H
#define GR_TESTS_SOAK_NODE_H

/* soak_node_main is its main. */
int soak_node_main(void);

#endif
