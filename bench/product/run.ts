/**
 * The whole product beside what people have: `node bench/product/run.ts [--only json,session] [--rounds 5] [--seconds 2] [--write]`.
 * An ordinary app on all cores, the load beside it: requests a second and CPU a request (of all processes together), the tail at a
 * fixed rate, and what fails while every process of the app is exchanged under that rate. Contenders in turn (A B A B), medians.
 * Needs `npm run build`, `npm ci --prefix bench`, `scripts/debian-packages.sh bench`. --write: into docs/product-benchmark.md.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { atEnd } from "../ending.ts";
import { compile, cpuNs, here } from "../forwarder/machine.ts";
import { contenders, type Running, withSessions } from "./contenders.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "json,session" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    write: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
/** Well below what any of them can. */
const apps = [
  { name: "json", file: "json-app.cjs", title: "node:http, an answer of JSON", rate: 1_000, contenders },
  {
    name: "session",
    file: "session-app.cjs",
    title: "Express with express-session, each request changes its session",
    rate: 300,
    contenders: withSessions,
  },
];
const reloadSeconds = 15;
const warmUpSeconds = 2;

interface Told {
  readonly requests: number;
  readonly seconds: number;
  readonly errors: number;
  readonly badStatus: number;
  readonly p99: number;
}

interface Figures {
  readonly perSecond: number[];
  readonly cpuUs: number[];
  readonly p99: number[];
  failed: string;
}

const directory = mkdtempSync(join(tmpdir(), "coppice-product-"));
atEnd(() => rmSync(directory, { recursive: true, force: true }));
const program = compile("load", directory);

async function load(port: number, args: readonly string[]): Promise<Told> {
  const child = spawn(program, ["--port", String(port), "--connections", "32", "--path", "/", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = atEnd(() => child.kill("SIGKILL"));
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const [code] = await once(child, "close");
  ended();
  if (code !== 0) throw new Error(`the load generator ended with ${code}`);
  return JSON.parse(text.slice(text.indexOf("{"))) as Told; // its own line
}

async function window({ port, pids }: Running, rate: number, figures: Figures): Promise<void> {
  const usedNs = () => pids.reduce((sum, pid) => sum + cpuNs(pid), 0);
  const beganNs = usedNs();
  const closed = await load(port, ["--seconds", String(seconds)]);
  figures.perSecond.push(closed.requests / closed.seconds);
  figures.cpuUs.push((usedNs() - beganNs) / 1_000 / closed.requests);
  const open = await load(port, ["--seconds", String(seconds), "--rate", String(rate)]);
  figures.p99.push(open.p99 / 1_000);
}

/** Of those that were sent while it reloads once. */
async function failedInReload({ port, reload }: Running, rate: number): Promise<string> {
  if (reload === null) return "–";
  const loading = load(port, ["--seconds", String(reloadSeconds), "--rate", String(rate)]);
  await reload();
  const { errors, badStatus, requests } = await loading;
  return `${errors + badStatus} of ${(requests + errors).toLocaleString("en")}`;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0;
}

async function measure({ file, rate, title, contenders }: (typeof apps)[number]): Promise<string> {
  const running: { name: string; one: Running; figures: Figures }[] = [];
  for (const { name, start } of contenders)
    running.push({ name, one: await start(file, directory), figures: { perSecond: [], cpuUs: [], p99: [], failed: "" } });
  for (const { one } of running) await load(one.port, ["--seconds", String(warmUpSeconds)]);
  for (let round = 0; round < rounds; round += 1)
    for (const { name, one, figures } of round % 2 === 0 ? running : running.toReversed()) {
      await window(one, rate, figures);
      process.stderr.write(
        `${round + 1}/${rounds} ${name}: ${Math.round(figures.perSecond.at(-1) ?? 0)}/s, p99 ${figures.p99.at(-1)?.toFixed(1)} ms\n`,
      );
    }
  for (const { one, figures } of running) figures.failed = await failedInReload(one, rate);
  for (const { one } of running) await one.stop();
  const rows = running.map(
    ({ name, figures: { perSecond, cpuUs, p99, failed } }) =>
      `| ${name} | ${Math.round(median(perSecond)).toLocaleString("en")} | ${Math.round(median(cpuUs))} | ${median(p99).toFixed(1)} | ${failed} |`,
  );
  return [
    `## ${title}`,
    "",
    `|  | requests/s | CPU µs a request | p99 at ${rate.toLocaleString("en")}/s, ms | in a reload under that rate: requests failed or connections closed, of requests |`,
    "| --- | ---: | ---: | ---: | ---: |",
    ...rows,
    "",
  ].join("\n");
}

const tables: string[] = [];
for (const app of apps) if (values.only.split(",").includes(app.name)) tables.push(await measure(app));
const machine = `${availableParallelism()} cores (${cpus()[0]?.model ?? "?"}), Node ${process.versions.node}; ${rounds} rounds of ${seconds} s for each, medians; 32 keep-alive connections.`;
const text = `${tables.join("\n")}\n${machine}\n`;
process.stdout.write(text);
if (values.write) writeFileSync(join(here, "../../docs/product-benchmark.md"), `${introduction()}\n${text}`);

function introduction(): string {
  return `# Coppice beside what people have

<!-- Written by bench/product/run.ts --write. -->

The same app, run in several ways on the same cores, the load generator beside it on them. A request behind Coppice passes a process more than one
to a worker of node:cluster or PM2: that is the price, and what it buys is in the last column, and that sessions live on:
with express-session's default store, the others keep each worker's sessions apart, and lose them with it, where Coppice has written each to a store that
all nodes share before the answer goes out; with sessions in Redis (its log flushed to the disk each second) they share them too. In the last column a kept connection that is closed counts even where no request was on it: a client's next request may cross with that end.
`;
}
