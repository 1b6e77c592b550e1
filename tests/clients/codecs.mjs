// SPDX-License-Identifier: Apache-2.0
// codecs.mjs - the other people's half of the comparison of codecs: node's own JSON,
// @msgpack/msgpack, eventsource-parser. See codec_tool.c.
//
//   node codecs.mjs FOLDER KIND <documents >answers     packages are in FOLDER/node_modules
import { readFileSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isDeepStrictEqual } from 'node:util'

const [folder, kind] = process.argv.slice(2)
const require = createRequire(`${folder}/package.json`)
const DEPTH_MAX = 64
const SURROGATE = 1, RANGE = 2, DEEP = 4, TEXT = 8, KEY = 16, TWICE = 32, EXT = 64, PROTO = 128

// ---- what we refuse on purpose -------------------------------------------------------------------

// What a JSON text that was read holds that we refuse. The text is looked at, and not the value, since
// what stood under a key that came again is gone from that.
function flagsOf(text) {
  let flags = 0, depth = 0
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[[\]{}]/gs)) {
    if (token[0] === '"') flags |= JSON.parse(token).isWellFormed() ? 0 : SURROGATE
    else if (token === '[' || token === '{') flags |= ++depth > DEPTH_MAX ? DEEP : 0
    else if (token === ']' || token === '}') depth--
    else flags |= Number.isFinite(Number(token)) ? 0 : RANGE
  }
  return flags
}

const whole = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder('utf-8')

// -0 is an integer for us, and integers have no sign of zero.
const plusZero = (key, value) => (value === 0 ? 0 : value)

// ---- kinds ---------------------------------------------------------------------------------------

function json(document, taken, ours) {
  const value = JSON.parse(whole.decode(document))
  const flags = flagsOf(whole.decode(document))
  if (taken && !flags) {
    const again = JSON.parse(whole.decode(ours), plusZero)
    if (!isDeepStrictEqual(again, JSON.parse(whole.decode(document), plusZero)))
      return { flags, text: `"what we print is read as another value: ${whole.decode(ours)}"` }
  }
  return { flags, text: JSON.stringify(value) }
}

function ndjson(document) {
  const lines = Buffer.from(document).toString('latin1').split('\n').map(line => line.replace(/\r$/, ''))
  const values = lines.filter(line => /[^ \t]/.test(line)).map(line => {
    try {
      const text = whole.decode(Buffer.from(line, 'latin1'))
      const value = JSON.parse(text)
      return flagsOf(text) ? ['refused'] : [value]
    } catch {
      return ['refused']
    }
  })
  return { flags: 0, text: JSON.stringify(values) }
}

// An event that lacks its blank line at the end of the stream is given out by us: so end it here.
function sse(document) {
  const { createParser } = require('eventsource-parser')
  const events = []
  createParser({ onEvent: ({ event, data, id }) => events.push({ event: event || 'message', data, id }) })
    .feed(lenient.decode(document) + '\n\n')
  return { flags: 0, text: JSON.stringify(events) }
}

// What a MessagePack document holds that we refuse on purpose: a walk over its bytes, since the decoder
// mends texts and forgets keys given twice.
function walk(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0, flags = 0
  const uint = size => {
    const n = size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at) : view.getUint32(at)
    at += size
    return n
  }
  const skip = length => {
    at += length
  }
  const text = length => {
    const part = bytes.subarray(at, at + length)
    at += length
    try {
      return whole.decode(part)
    } catch {
      flags |= TEXT
      return lenient.decode(part)
    }
  }
  const list = (count, depth) => {
    if (depth > DEPTH_MAX) flags |= DEEP
    for (let i = 0; i < count; i++) value(depth)
  }
  const map = (count, depth) => {
    const keys = new Set()
    if (depth > DEPTH_MAX) flags |= DEEP
    for (let i = 0; i < count; i++) {
      const key = value(depth)
      if (typeof key !== 'string') flags |= KEY
      else if (key === '__proto__') flags |= PROTO
      if (keys.has(key)) flags |= TWICE
      keys.add(key)
      value(depth)
    }
  }
  // An error is a map with a code and a text. At the deepest level it may still have its plain fields.
  const ext = length => {
    const type = view.getInt8(at++), start = at
    at += length
    if (type === 1 && length % 4 === 0) return
    if (type === 2 && length === 16) return
    if (type === 3) {
      try {
        const error = walkError(bytes.subarray(start, at))
        flags |= error.flags
        if (error.good) return
      } catch {
        // malformed
      }
    }
    flags |= EXT
  }
  const value = depth => {
    const tag = uint(1)
    if (tag < 0x80 || tag >= 0xe0) return tag
    if (tag < 0x90) return map(tag & 15, depth + 1)
    if (tag < 0xa0) return list(tag & 15, depth + 1)
    if (tag < 0xc0) return text(tag & 31)
    const sizes = [1, 2, 4]
    if (tag <= 0xc3) return null
    if (tag <= 0xc6) return skip(uint(sizes[tag - 0xc4]))
    if (tag <= 0xc9) return ext(uint(sizes[tag - 0xc7]))
    if (tag <= 0xd3) return skip([4, 8, 1, 2, 4, 8, 1, 2, 4, 8][tag - 0xca])
    if (tag <= 0xd8) return ext(1 << (tag - 0xd4))
    if (tag <= 0xdb) return text(uint(sizes[tag - 0xd9]))
    if (tag <= 0xdd) return list(uint([2, 4][tag - 0xdc]), depth + 1)
    return map(uint([2, 4][tag - 0xde]), depth + 1)
  }
  value(0)
  return flags
}

function walkError(bytes) {
  const { decode } = require('@msgpack/msgpack')
  const fields = decode(bytes, { useBigInt64: true })
  const isInt = n => typeof n === 'bigint' || (Number.isInteger(n) && !isFloat(bytes, 'code'))
  const good = fields !== null && typeof fields === 'object' && !Array.isArray(fields) &&
    isInt(fields.code) && Number(fields.code) !== 0 && BigInt(fields.code) < 1n << 63n &&
    typeof fields.text === 'string'
  return { good, flags: walk(bytes) }
}

// A float after the key is no code, though JavaScript reads 2.0 as 2.
function isFloat(bytes, key) {
  const after = Buffer.from(bytes).indexOf(key) + key.length
  return bytes[after] === 0xca || bytes[after] === 0xcb
}

function msgpack(document, taken, ours) {
  const { decode, encode } = require('@msgpack/msgpack')
  const options = { useBigInt64: true }
  let flags = 0
  try {
    flags = walk(document)
  } catch {
    // it ends too early, and decode says so
  }
  if (flags & PROTO) return { refused: true, flags: PROTO }
  const value = decode(document, options)
  if (taken && !flags) decode(ours, options)
  return { flags, text: encode(value, { ...options, maxDepth: 200 }) }
}

// ---- the exchange --------------------------------------------------------------------------------

const input = readFileSync(0)
let at = 0
function get() {
  const length = input.readUInt32LE(at)
  at += 4 + length
  return input.subarray(at - length, at)
}

let output = []
function put(bytes) {
  const data = Buffer.from(bytes)
  const head = Buffer.alloc(4)
  head.writeUInt32LE(data.length)
  output.push(head, data)
}

function flush() {
  let all = Buffer.concat(output)
  output = []
  while (all.length > 0) all = all.subarray(writeSync(1, all))
}

const reader = { json, msgpack, sse, ndjson }[kind]
while (at < input.length) {
  const document = get(), taken = get().toString() === '1', ours = get()
  let answer
  try {
    answer = reader(document, taken, ours)
  } catch (error) {
    answer = { refused: true, flags: 0, text: String(error.message) }
  }
  put(answer.refused ? '0' : '1')
  put(String(answer.flags))
  put(answer.text ?? '')
  if (output.length > 10000) flush()
}
flush()
