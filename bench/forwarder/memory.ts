/**
 * The forwarder's memory over time: `node bench/forwarder/memory.ts [--idle 10000] [--requests 2000000]`. Resident
 * memory at rest, with idle connections, after they have gone, and after each tenth of the requests.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { coppice } from "./contenders.ts";
import { compile, pinned, rssBytes } from "./machine.ts";

const { values } = parseArgs({
  options: { idle: { type: "string", default: "10000" }, requests: { type: "string", default: "2000000" } },
});
const directory = mkdtempSync(join(tmpdir(), "coppice-bench-"));
const load = compile("load", directory);
const upstreams = ["a", "b"].map((name) => join(directory, `${name}.sock`));
const backend = await pinned(
  1,
  compile("backend", directory),
  upstreams.flatMap((path) => ["--unix", path]),
  true,
);
const proxy = await coppice.start({ directory, proxyCore: 0, upstreams, pem: null });

interface Done {
  readonly requests: number;
  readonly errors: number;
}

/** Puts load on it; what was seen at the half of it comes back too. */
async function under(seconds: number, args: readonly string[]): Promise<Done & { readonly halfwayBytes: number }> {
  const child = spawn("taskset", ["-c", "1", load, "--port", String(proxy.port), "--seconds", String(seconds), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  let halfwayBytes = 0;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    if (text === "") setTimeout(() => (halfwayBytes = rssBytes(proxy.pid)), seconds * 500);
    text += chunk;
  });
  await once(child, "close");
  return { ...(JSON.parse(text.slice(text.indexOf("{"))) as Done), halfwayBytes };
}

const say = (what: string, bytes: number) => process.stdout.write(`${what.padEnd(44)} ${(bytes / 2 ** 20).toFixed(1)} MiB\n`);

await under(2, ["--path", "/200"]);
say("after two seconds of small requests", rssBytes(proxy.pid));
const idle = await under(6, ["--path", "/200", "--idle", values.idle]);
say(`with ${values.idle} idle connections (${idle.errors} errors)`, idle.halfwayBytes);
await under(2, ["--path", "/200"]);
say("after they have gone", rssBytes(proxy.pid));
let total = 0;
let errors = 0;
for (let tenth = 1; total < Number(values.requests); ) {
  const done = await under(2, ["--path", tenth % 2 === 0 ? "/4000" : "/200", ...(tenth % 3 === 0 ? ["--body", "1024"] : [])]);
  total += done.requests;
  errors += done.errors;
  if (total < (tenth * Number(values.requests)) / 10) continue;
  say(`after ${total.toLocaleString("en")} requests (${errors} errors)`, rssBytes(proxy.pid));
  tenth = Math.floor((10 * total) / Number(values.requests)) + 1;
}
await proxy.stop();
await backend.stop();
rmSync(directory, { recursive: true });
process.exit(0);
