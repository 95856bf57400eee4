/**
 * Records a trace of a real server under a real load: `record.js FILE --way array --bytes 5000 --heap 128
 * --load 0:200,60:0,80:200,120:400 --seconds 180 [--many 20000] [--every 2] [--node PATH]`. The load is a list of
 * `second:requests a second`; the trace is the CSV that `coppice analyze` reads, with every so many of the samples that
 * come each second. Ends early when the server dies; under `ulimit -n 600` it may die of descriptors.
 */
import { fork } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    way: { type: "string", default: "none" },
    bytes: { type: "string", default: "5000" },
    many: { type: "string", default: "20000" },
    heap: { type: "string", default: "128" },
    load: { type: "string", default: "0:200" },
    every: { type: "string", default: "1" },
    seconds: { type: "string", default: "120" },
    node: { type: "string", default: process.execPath },
  },
});
const [file] = positionals;
if (file === undefined) throw new Error("name the file to write");
const load = values.load.split(",").map((step) => step.split(":").map(Number));
const columns = [
  "heapAfterGcBytes",
  "heapUsedBytes",
  "rssBytes",
  "externalBytes",
  "arrayBuffersBytes",
  "openFds",
  "gcTimeRatio",
  "eventLoopDelayP99Ms",
  "activeHandles",
];
/** A limit of descriptors beyond this is none that a server meets. */
const openFdsMax = 65_536;
const rows = [];
let samples = 0;
const startedAtMs = Date.now();
const subject = fork(new URL("./subject.js", import.meta.url), [values.way, values.bytes, values.many], {
  execPath: values.node,
  execArgv: [`--max-old-space-size=${values.heap}`],
  stdio: ["ignore", "inherit", "ignore", "ipc"],
});
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
let port = null;
let heapLimitBytes = 0;
let due = 0;
let latencies = [];
let latencyP99Ms = "";

subject.on("message", ({ port: opened, sample }) => {
  if (opened !== undefined) port = opened;
  if (sample === undefined) return;
  samples += 1;
  if (samples % Number(values.every) !== 0) return;
  heapLimitBytes = sample.limits.heapAfterGcBytes;
  latencies.sort((a, b) => a - b);
  latencyP99Ms = latencies.length === 0 ? "" : latencies[Math.floor(latencies.length * 0.99)].toFixed(1);
  latencies = [];
  const cells = columns.map((name) => {
    const value = sample.indicators[name];
    return value === undefined ? "" : Number(value.toFixed(4));
  });
  const collectedAtMs = sample.heapAfterGcAtMs === undefined ? "" : sample.heapAfterGcAtMs - startedAtMs;
  rows.push([sample.atMs - startedAtMs, sample.requestsTotal, collectedAtMs, ...cells, latencyP99Ms].join(","));
});

function ask() {
  const askedAtMs = performance.now();
  const request = get({ host: "127.0.0.1", port, agent, path: "/" }, (response) => {
    response.resume();
    response.on("end", () => latencies.push(performance.now() - askedAtMs));
  });
  request.on("error", () => {});
}

const tick = setInterval(() => {
  const seconds = (Date.now() - startedAtMs) / 1_000;
  if (seconds > Number(values.seconds)) return end("time is up");
  if (port === null) return;
  const rate = load.findLast(([from]) => seconds >= from)?.[1] ?? 0;
  due += rate / 50;
  for (; due >= 1; due -= 1) ask();
}, 20);
subject.on("exit", (code, signal) => end(`the server ended (${signal ?? code})`));

const openFds = Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1]);

let ended = false;
function end(why) {
  if (ended) return;
  ended = true;
  clearInterval(tick);
  const head = [
    `# way ${values.way}, ${values.bytes} bytes a request, many ${values.many}, heap ${values.heap}, load ${values.load}, ${why}`,
    `# limit heapAfterGcBytes=${heapLimitBytes}`,
    ...(openFds < openFdsMax ? [`# limit openFds=${openFds}`] : []),
    `timeMs,requestsTotal,heapAfterGcAtMs,${columns.join(",")},latencyP99Ms`,
  ];
  writeFileSync(file, `${[...head, ...rows].join("\n")}\n`);
  subject.kill("SIGKILL");
  process.exit(0);
}
