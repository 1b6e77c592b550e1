// SPDX-License-Identifier: Apache-2.0
//
// langchain.mjs - LangChain.js at the rows that it has: a no-op lambda, ten of them in a sequence and in
// parallel, a batch, streams, calls whose answer does not come, and a prompt, a fake model and a parser that are
// watched.
//
//   node --expose-gc langchain.mjs FOLDER NAME [N]     FOLDER has node_modules/@langchain/core
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, name, count] = process.argv.slice(2);
const require = createRequire(path.resolve(folder, "package.json"));
const core = (part) => import(pathToFileURL(require.resolve("@langchain/core/" + part)));
const { Runnable, RunnableLambda, RunnableMap, RunnablePassthrough, RunnableSequence } = await core("runnables");

const same = () => RunnableLambda.from(async (x) => x);

// nsEach calls fn n times, each after the one before, and gives the time of one.
async function nsEach(fn, n) {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < n; i++) await fn(i);
    return Number(process.hrtime.bigint() - begin) / n;
}

// V8 compiles what runs often, so the first calls say nothing.
async function warmNsEach(fn, n) {
    await nsEach(fn, Math.ceil(n / 3));
    globalThis.gc?.();
    return nsEach(fn, n);
}

const rss = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))[1]) * 1024;

async function settled() {
    for (let i = 0; i < 5; i++) {
        globalThis.gc?.();
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return rss();
}

async function pendingBytes(n) {
    const held = [];
    const calls = new Array(n).fill(null);
    const never = RunnableLambda.from(async () => {
        await new Promise((resolve) => held.push(resolve));
    });
    calls.push(never.invoke(0)); // what is loaded once
    const before = await settled();
    for (let i = 0; i < n; i++) calls[i] = never.invoke(i);
    while (held.length < n + 1) await new Promise((resolve) => setTimeout(resolve, 5));
    return { value: ((await settled()) - before) / n, unit: "bytes" };
}

const CHUNKS = 1000;

// What streams so many numbers, and what passes each on, as classes of one's own do.
class Source extends Runnable {
    lc_namespace = ["bench"];
    async invoke() { return CHUNKS; }
    async *_streamIterator() { for (let i = 0; i < CHUNKS; i++) yield i; }
    async *transform() { yield* this._streamIterator(); }
}

class Repeat extends Runnable {
    lc_namespace = ["bench"];
    async invoke(x) { return x; }
    async *transform(input) { for await (const chunk of input) yield chunk; }
}

// streamChunks reads a source through two of `middle`: ns a chunk.
async function streamChunks(n, middle) {
    const chain = new Source().pipe(middle()).pipe(middle());
    const once = async () => {
        let count = 0;
        for await (const _ of await chain.stream(0)) count++;
        if (count !== CHUNKS) throw new Error(count + " chunks");
    };
    return { value: (await warmNsEach(once, Math.ceil(n / CHUNKS))) / CHUNKS };
}

// A prompt, a model that answers so many words, one at a time if it streams, and a parser.
async function chainOf(words) {
    const { ChatPromptTemplate } = await core("prompts");
    const { FakeStreamingChatModel } = await core("utils/testing");
    const { StringOutputParser } = await core("output_parsers");
    const { AIMessage, AIMessageChunk } = await core("messages");
    const chunks = Array.from({ length: words },
        (_, i) => new AIMessageChunk(i === 0 ? "word" : " word"));
    const responses = [new AIMessage("word" + " word".repeat(words - 1))];
    return ChatPromptTemplate.fromMessages([["system", "Be brief."], ["human", "{question}"]])
        .pipe(new FakeStreamingChatModel({ chunks, responses }))
        .pipe(new StringOutputParser());
}

const question = { question: "How long does it take?" };

async function chainObserved(n) {
    const chain = await chainOf(1);
    let events = 0;
    const count = () => { events++; };
    const handler = { name: "counter" };
    for (const what of ["Chain", "ChatModel", "LLM"])
        for (const when of ["Start", "End"]) handler["handle" + what + when] = count;
    const config = { tags: ["bench"], metadata: { user: "u1" } };
    const unobserved_ns = await warmNsEach(() => chain.invoke(question, config), n);
    const value = await warmNsEach(() => chain.invoke(question, { ...config, callbacks: [handler] }), n);
    await core("callbacks/promises").then((m) => m.awaitAllCallbacks());
    if (events < 8 * n) throw new Error("a chain of three has four starts and four ends");
    return { value, unobserved_ns };
}

async function streamEvents(n) {
    const chain = await chainOf(100);
    const read = async (least) => {
        let count = 0;
        while (count < least)
            for await (const _ of chain.streamEvents(question, { version: "v2" })) count++;
        return count;
    };
    await read(n / 3);
    globalThis.gc?.();
    const begin = process.hrtime.bigint();
    const count = await read(n);
    return { value: Number(process.hrtime.bigint() - begin) / count };
}

const rows = {
    ainvoke_cheap: [20000, async (n) => {
        const lambda = same();
        return { value: await warmNsEach((x) => lambda.invoke(x), n) };
    }],
    sequence_10: [2000, async (n) => {
        const steps = Array.from({ length: 10 }, same);
        const ten = RunnableSequence.from(steps);
        const two = RunnableSequence.from(steps.slice(0, 2)); // it makes none of one step
        const value = await warmNsEach((x) => ten.invoke(x), n);
        return { value, step_ns: (value - (await warmNsEach((x) => two.invoke(x), n))) / 8 };
    }],
    parallel_10: [2000, async (n) => {
        const ten = RunnableMap.from(Object.fromEntries([..."abcdefghij"].map((key) => [key, same()])));
        return { value: await warmNsEach((x) => ten.invoke(x), n) };
    }],
    batch_1000: [20000, async (n) => {
        const lambda = same();
        const inputs = Array.from({ length: 1000 }, (_, i) => i);
        return { value: (await warmNsEach(() => lambda.batch(inputs), Math.ceil(n / 1000))) / 1000 };
    }],
    stream_3x1000: [50000, (n) => streamChunks(n, () => new Repeat())],
    stream_native_3x1000: [50000, (n) => streamChunks(n, () => new RunnablePassthrough())],
    pending_bytes: [50000, pendingBytes],
    chain_observed: [2000, chainObserved],
    events: [10000, streamEvents],
};

if (!(name in rows)) {
    console.error("usage: langchain.mjs FOLDER " + Object.keys(rows).join("|") + " [N]");
    process.exit(2);
}
const n = Number(count ?? rows[name][0]);
const row = { side: "js", bench: name, workers: 1, n, unit: "ns/op", ...(await rows[name][1](n)) };
console.log(JSON.stringify(row));
process.exit(0); // the pending calls would keep it
