// SPDX-License-Identifier: Apache-2.0
//
// langchain.mjs - LangChain.js at the rows that it has: a no-op lambda, ten of them in a sequence,
// and calls whose answer does not come.
//
//   node --expose-gc langchain.mjs FOLDER NAME [N]     FOLDER has node_modules/@langchain/core
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, name, count] = process.argv.slice(2);
const require = createRequire(path.resolve(folder, "package.json"));
const { RunnableLambda, RunnableSequence } = await import(
    pathToFileURL(require.resolve("@langchain/core/runnables"))
);

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
    pending_bytes: [50000, pendingBytes],
};

if (!(name in rows)) {
    console.error("usage: langchain.mjs FOLDER " + Object.keys(rows).join("|") + " [N]");
    process.exit(2);
}
const n = Number(count ?? rows[name][0]);
const row = { side: "js", bench: name, workers: 1, n, unit: "ns/op", ...(await rows[name][1](n)) };
console.log(JSON.stringify(row));
process.exit(0); // the pending calls would keep it
