/* SPDX-License-Identifier: Apache-2.0 */
/* consumer.hpp - what the files of the C++ program share. Both include greenroom.hpp, as in a program
 * of more than one file. */
#ifndef CONSUMER_HPP
#define CONSUMER_HPP

#include <greenroom/greenroom.hpp>

void expect(bool holds, const char *what);

/* Runnables, streams and who watches them: consumer_runs.cpp. */
void runs(gr::runtime &rt);

#endif
