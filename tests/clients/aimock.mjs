// SPDX-License-Identifier: Apache-2.0
// aimock.mjs FOLDER KEY - aimock (npm: @copilotkit/aimock) on a free port of 127.0.0.1, with fixtures for
// our tests. FOLDER is where it is installed; KEY is the one key that it takes.
//
// Prints a line at once for whatever happens:
//   ready URL                         it listens
//   request N PATH KEY                a request; KEY is "key" or "no key", never the key itself
//   end N whole|cut PEAK              its answer was sent to the end, or the connection went away before;
//                                     PEAK is how many requests there were at once at most
import { writeSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, key] = process.argv.slice(2);
const module = `${folder}/node_modules/@copilotkit/aimock/dist/index.js`;
const { createServer } = await import(pathToFileURL(module).href);

const say = (line) => writeSync(1, `${line}\n`);
const last = (req) => req.messages.at(-1) ?? {}; // embeddings have none

// The tool's answer as OpenAI wants it: beside the call that asked for it, by id, arguments as text.
const toolTurn = (req) => {
  const asked = req.messages.at(-2);
  const call = asked?.tool_calls?.[0];
  return (
    last(req).role === "tool" &&
    asked?.role === "assistant" &&
    call?.type === "function" &&
    call.id === last(req).tool_call_id &&
    JSON.parse(call.function.arguments).city === "Oslo"
  );
};

// Ollama's calls have no ids: only their order tells which one is answered.
const ollamaTurn = (req) => last(req).role === "tool" && req.model === "llama" && last(req).content === "7";

const words = Array.from({ length: 400 }, (_, i) => `word${i}`).join(" ");
const fixtures = [
  { match: { predicate: toolTurn }, response: { content: "It is 7 degrees in Oslo." } },
  { match: { predicate: ollamaTurn }, response: { content: "It is 7 degrees there." } },
  {
    match: { userMessage: "think first", toolName: "get_weather" },
    response: {
      reasoning: "Where is that?",
      toolCalls: [{ id: "call_1", name: "get_weather", arguments: '{"city": "Oslo"}' }],
    },
    chunkSize: 4,
  },
  { match: { userMessage: "say hello" }, response: { content: "Hello from another server." }, chunkSize: 5 },
  { match: { userMessage: "slowly" }, response: { content: words }, latency: 200, chunkSize: 8 },
  {
    match: { userMessage: "weather", toolName: "get_weather" },
    response: { toolCalls: [{ id: "call_1", name: "get_weather", arguments: '{"city": "Oslo", "unit": "celsius"}' }] },
    chunkSize: 4,
  },
  {
    match: { userMessage: "what time", toolName: "get_time" },
    response: { toolCalls: [{ id: "call_2", name: "get_time", arguments: "" }] },
  },
  // What the examples of providers ask: examples/openai.c and its like.
  { match: { userMessage: "what is an actor" }, response: { content: "An actor is a mailbox with a mind." }, chunkSize: 6 },
  {
    match: { userMessage: "the first program", toolName: "person" },
    response: { toolCalls: [{ id: "call_3", name: "person", arguments: '{"name": "Ada Lovelace", "born": 1815}' }] },
  },
  { match: { userMessage: "break off" }, response: { content: words }, latency: 50, chunkSize: 8, truncateAfterChunks: 3 },
  {
    match: { userMessage: "busy once", sequenceIndex: 0 },
    response: { error: { message: "Slow down", type: "rate_limit_error", code: "rate_limit_exceeded" }, status: 429, retryAfter: 1 },
  },
  { match: { userMessage: "busy once" }, response: { content: "Now there is time." } },
  {
    match: { userMessage: "quota" },
    response: { error: { message: "You are out of money", type: "insufficient_quota", code: "insufficient_quota" }, status: 429 },
  },
  {
    match: {
      systemMessage: "You are brief.",
      predicate: (req) => req.temperature === 0.25 && req.top_p === 0.5 && req.max_tokens === 7 && req.model === "small",
    },
    response: { content: "All options came." },
  },
  {
    match: {
      systemMessage: "You are brief.",
      predicate: (req) => req.temperature === 0.25 && req.max_tokens === 7 && req.model === "claude",
    },
    response: { content: "All options came." },
  },
  {
    match: { userMessage: "item" },
    response: (req) => ({ content: `done: ${last(req).content}` }),
    chaos: { latencyMs: 100 },
  },
  { match: { userMessage: "What are actors?" }, response: { content: "Actors have mailboxes." } },
  {
    match: {
      systemMessage: "Answer the question from the context alone",
      predicate: (req) => /^Context:\n\[/.test(last(req).content) && last(req).content.includes("Question: "),
    },
    response: { content: "Its fiber parks [docs/architecture.md]." },
  },
];

const mock = await createServer(fixtures, { host: "127.0.0.1", port: 0, auth: { apiKeys: [key] } });
let count = 0;
let now = 0;
let peak = 0;
mock.server.on("request", (req, res) => {
  const n = ++count;
  peak = Math.max(peak, ++now);
  const told = req.headers.authorization ?? req.headers["x-api-key"];
  say(`request ${n} ${req.url} ${told === undefined ? "no key" : "key"}`);
  res.on("close", () => {
    now--;
    say(`end ${n} ${res.writableFinished ? "whole" : "cut"} ${peak}`);
  });
});
say(`ready ${mock.url}`);
process.on("SIGTERM", () => process.exit(0));
