// SPDX-License-Identifier: Apache-2.0
// mcp_http.mjs FOLDER - the MCP project's own "everything" server over streamable HTTP, on a free port of 127.0.0.1
// alone (by itself it listens everywhere). Prints "ready URL".
import net from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
    const done = args.find((a) => typeof a === 'function');
    this.once('listening', () => console.log(`ready http://127.0.0.1:${this.address().port}/mcp`));
    return listen.call(this, 0, '127.0.0.1', done);
};
const server = '@modelcontextprotocol/server-everything/dist/transports/streamableHttp.js';
await import(pathToFileURL(path.resolve(process.argv[2], 'node_modules', server)));
