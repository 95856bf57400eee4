/**
 * The forwarder's memory over time: `node bench/forwarder/memory.ts [--idle 10000] [--requests 2000000] [--collect]`.
 * Resident memory at rest, with idle connections, after they have gone, and after each tenth of the requests. With
 * --collect garbage is collected before each line, and it says what that leaves: what grows there is a leak; what
 * grows only in resident memory is what V8 and the C library keep for later.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { atEnd } from "../ending.ts";
import { coppice, coppiceCollecting } from "./contenders.ts";
import { compile, pinned, rssBytes } from "./machine.ts";

const { values } = parseArgs({
  options: {
    idle: { type: "string", default: "10000" },
    requests: { type: "string", default: "2000000" },
    collect: { type: "boolean", default: false },
  },
});
const directory = mkdtempSync(join(tmpdir(), "coppice-bench-"));
atEnd(() => rmSync(directory, { recursive: true }));
const load = compile("load", directory);
const upstreams = ["a", "b"].map((name) => join(directory, `${name}.sock`));
const backend = await pinned(
  1,
  compile("backend", directory),
  upstreams.flatMap((path) => ["--unix", path]),
  true,
);
const proxy = await (values.collect ? coppiceCollecting : coppice).start({ directory, proxyCore: 0, upstreams, pem: null });

interface Done {
  readonly requests: number;
  readonly errors: number;
}

/** Puts load on it; what was seen at the half of it comes back too. */
async function under(seconds: number, args: readonly string[]): Promise<Done & { readonly halfwayBytes: number }> {
  const child = spawn("taskset", ["-c", "1", load, "--port", String(proxy.port), "--seconds", String(seconds), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = atEnd(() => child.kill("SIGKILL"));
  let text = "";
  let halfwayBytes = 0;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    if (text === "") setTimeout(() => (halfwayBytes = rssBytes(proxy.pid)), seconds * 500);
    text += chunk;
  });
  await once(child, "close");
  ended();
  return { ...(JSON.parse(text.slice(text.indexOf("{"))) as Done), halfwayBytes };
}

const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1).padStart(6);

/** What a collection leaves. */
async function collected(): Promise<string> {
  proxy.process.kill("SIGUSR2");
  const [left] = (await once(proxy.process, "message")) as [NodeJS.MemoryUsage]; // collecting-main.ts sends it; what the forwarder itself says came long before
  return `  after a collection: heap ${mebibytes(left.heapUsed)}, buffers ${mebibytes(left.arrayBuffers)}, others ${mebibytes(left.external - left.arrayBuffers)}`;
}

async function say(what: string, residentBytes = rssBytes(proxy.pid)): Promise<void> {
  process.stdout.write(`${what.padEnd(44)} ${mebibytes(residentBytes)} MiB${values.collect ? await collected() : ""}\n`);
}

await under(2, ["--path", "/200"]);
await say("after two seconds of small requests");
const idle = await under(6, ["--path", "/200", "--idle", values.idle]);
await say(`with ${values.idle} idle connections (${idle.errors} errors)`, idle.halfwayBytes);
await under(2, ["--path", "/200"]);
await say("after they have gone");
let total = 0;
let errors = 0;
for (let tenth = 1; total < Number(values.requests); ) {
  const done = await under(2, ["--path", tenth % 2 === 0 ? "/4000" : "/200", ...(tenth % 3 === 0 ? ["--body", "1024"] : [])]);
  total += done.requests;
  errors += done.errors;
  if (total < (tenth * Number(values.requests)) / 10) continue;
  await say(`after ${total.toLocaleString("en")} requests (${errors} errors)`);
  tenth = Math.floor((10 * total) / Number(values.requests)) + 1;
}
await proxy.stop();
await backend.stop();
process.exit(0);
