/**
 * The server that is recorded: an ordinary HTTP server with one way to age, chosen by its first argument.
 * It says each second, as one JSON line to its parent, what Coppice's own probe reads. Plain JavaScript,
 * so that it runs on the older Node of a user too. The second argument is how much a request leaks, in bytes,
 * the third, where the way has an end or a turn, how many records or requests that is.
 */
import { EventEmitter } from "node:events";
import { openSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { createSecureContext } from "node:tls";
import { Indicators } from "../../dist/inside/indicators.js";

const [kind = "none", bytesText = "5000", manyText = "20000"] = process.argv.slice(2);
const leakedBytes = Number(bytesText);
const many = Number(manyText);
const catalogue = Array.from({ length: 2_000 }, (_, id) => ({ id, name: `product ${id}`, price: (id * 37) % 101 }));
const kept = [];
const byId = new Map();
const bus = new EventEmitter();
bus.setMaxListeners(0);
const pool = [];
let served = 0;
let sink = null;

/** A record as an application keeps it: strings and small objects, about `leakedBytes` of heap. */
function record() {
  return { at: served, trail: Array.from({ length: Math.ceil(leakedBytes / 40) }, (_, step) => ({ step, weight: step * served + 0.5 })) };
}

const ways = {
  none() {},
  array() {
    kept.push(record());
  },
  closure() {
    const seen = record();
    const before = sink;
    sink = () => seen.at + (before === null ? 0 : 1);
  },
  listener() {
    const seen = record();
    bus.on("change", () => seen.at);
  },
  timer() {
    const seen = record();
    setInterval(() => seen.at, 3_600_000).unref();
  },
  descriptor() {
    if (served % 20 === 0) openSync("/dev/null", "r");
  },
  socket() {
    if (served % 20 === 0) kept.push(connect(echoPort, "127.0.0.1").on("error", () => {}));
  },
  // Grows and is scanned by each request: ages in time before it ages in space.
  scan() {
    byId.set(served, { at: served });
    let sum = 0;
    for (const { at } of byId.values()) sum += at % 7;
    sink = sum;
  },
  // Leaks only while many requests are open at once.
  overload(open) {
    if (open > 3) kept.push(record());
  },
  // Buffers lie outside the heap, and what a TLS context holds outside of what V8 knows: only resident memory shows it.
  external() {
    kept.push(Buffer.alloc(leakedBytes, 1));
  },
  native() {
    if (served % 4 === 0) kept.push(createSecureContext());
  },
  // A slow leak below what the requests of a while hold.
  noisy() {
    if (served % 4 === 0) kept.push(record());
    hold(Array.from({ length: Math.floor(Math.random() * 8) }, record), Math.random() * 40_000);
  },
  midway() {
    if (served > many) kept.push(record());
  },
  two() {
    ways.array();
    ways.descriptor();
  },
  // Look-alikes from here on: they grow and stop.
  cache() {
    const key = Math.floor(Math.random() * many);
    byId.delete(key);
    byId.set(key, record());
  },
  lru() {
    byId.set(served, record());
    if (byId.size > many) byId.delete(byId.keys().next().value);
  },
  pool(open) {
    while (pool.length < open) pool.push(Buffer.alloc(256 * 1024));
  },
  // A batch that is built and thrown away, again and again.
  burst() {
    kept.push(record());
    if (kept.length > many) kept.length = 0;
  },
  expiring() {
    byId.set(served, record());
    hold(served, 120_000);
  },
  // Sessions of visitors by chance, each alive until three minutes after its last request.
  sessions() {
    const visitor = Math.floor(Math.random() * many);
    clearTimeout(byId.get(visitor)?.timer);
    byId.set(visitor, { ...(byId.get(visitor) ?? record()), timer: setTimeout(() => byId.delete(visitor), 180_000) });
  },
  // Memory that follows the load.
  held() {
    hold(record(), 20_000);
  },
  weak() {
    byId.set(served % many, new WeakRef(record()));
  },
  compiled() {
    if (kept.length < many)
      kept.push(new Function("x", `return ${Array.from({ length: 40 }, (_, at) => `x * ${served + at}`).join(" + ")}`));
    for (const one of kept.slice(-200)) one(served);
  },
  // Data loaded in steps when the server starts.
  loaded() {
    if (served % 400 === 0 && kept.length < many) for (let left = many / 6; left > 0; left -= 1) kept.push(record());
  },
};

function hold(what, ms) {
  setTimeout(() => byId.delete(what), ms).unref();
}

let echoPort = 0;
const way = ways[kind];
if (way === undefined) throw new Error(`unknown way to age: ${kind}; known: ${Object.keys(ways).join(", ")}`);
if (kind === "socket") {
  const echo = createTcpServer(() => {}).listen(0, "127.0.0.1", () => {
    echoPort = echo.address().port;
  });
}

let open = 0;
const server = createServer((_request, response) => {
  open += 1;
  response.on("close", () => {
    open -= 1;
  });
  served += 1;
  way(open);
  const page = JSON.stringify(catalogue.slice(served % 1_900, (served % 1_900) + 40).map((one) => ({ ...one, link: `/p/${one.id}` })));
  setTimeout(() => response.end(page), 20);
});
const indicators = new Indicators();
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("disconnect", () => process.exit(0));
setInterval(() => {
  const sample = indicators.sample(Date.now(), served);
  process.send({ sample: { ...sample, indicators: { ...sample.indicators, openFds: readdirSync("/proc/self/fd").length } } });
}, 1_000);
