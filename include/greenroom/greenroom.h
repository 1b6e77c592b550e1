/* SPDX-License-Identifier: Apache-2.0 */
/* greenroom.h - all of Greenroom's public headers, in the order in which to read them. */
#ifndef GREENROOM_GREENROOM_H
#define GREENROOM_GREENROOM_H

#include <greenroom/base.h>
#include <greenroom/value.h>
#include <greenroom/codec.h>
#include <greenroom/config.h>
#include <greenroom/schema.h>
#include <greenroom/runtime.h>
#include <greenroom/future.h>
#include <greenroom/stream.h>
#include <greenroom/scope.h>
#include <greenroom/sim.h>
#include <greenroom/cq.h>
#include <greenroom/call.h>
#include <greenroom/actor.h>
#include <greenroom/callbacks.h>
#include <greenroom/timer.h>
#include <greenroom/stats.h>
#include <greenroom/link.h>
#include <greenroom/mcp.h>
#include <greenroom/name.h>
#include <greenroom/inspect.h>
#include <greenroom/supervisor.h>
#include <greenroom/isolate.h>
#include <greenroom/runnable.h>
#include <greenroom/message.h>
#include <greenroom/messages.h>
#include <greenroom/prompt.h>
#include <greenroom/few_shot.h>
#include <greenroom/prompt_file.h>
#include <greenroom/structured_prompt.h>
#include <greenroom/model.h>
#include <greenroom/parser.h>
#include <greenroom/history.h>
#include <greenroom/graph.h>
#include <greenroom/tool.h>
#include <greenroom/agent.h>
#include <greenroom/guard.h>
#include <greenroom/fetch.h>
#include <greenroom/embeddings.h>
#include <greenroom/byte_store.h>
#include <greenroom/budget.h>
#include <greenroom/store.h>
#include <greenroom/retriever.h>
#include <greenroom/text.h>
#include <greenroom/node.h>
#include <greenroom/admin.h>
#include <greenroom/cluster.h>
#include <greenroom/pool.h>

#endif
