/**
 * The forwarder's benchmark: `node bench/forwarder/run.ts [--only small,64k] [--rounds 5] [--seconds 2] [--write]`.
 * While at work on it: `--proxies haproxy,coppice` leaves the others out, `--beside ../before/dist,'dist --max-semi-space-size=4'` measures
 * other builds too, or this one with other options for its Node.
 * Puts up backend, load and every rival, each pinned to its core, measures them in turn and prints the tables.
 * --nice=-10 (as root) puts all of it before whatever else runs; --write puts the tables into docs/forwarder-benchmark.md,
 * with --only those alone. Latencies take thrice the rounds: a tail is noisier than a mean. Needs `npm run build`, `npm ci --prefix bench`, and `scripts/debian-packages.sh bench`.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, setPriority, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { atEnd } from "../ending.ts";
import { type Contender, coppiceOf } from "./contenders.ts";
import { compile, freePort, pinned, putBack, putFirst } from "./machine.ts";
import { type Measured, measure } from "./measure.ts";
import { scenarios } from "./scenarios.ts";
import { tableOf } from "./table.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    proxies: { type: "string" },
    beside: { type: "string" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    "proxy-core": { type: "string", default: "0" },
    "load-core": { type: "string", default: "1" },
    nice: { type: "string", default: "0" },
    write: { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
  },
});
const proxyCore = Number(values["proxy-core"]);
const loadCore = Number(values["load-core"]);
if (values.nice !== "0") {
  setPriority(Number(values.nice)); // and that of all that is started from here
  // Where the kernel shares time out by session first, nice alone says nothing to other sessions.
  if (existsSync("/proc/self/autogroup")) writeFileSync("/proc/self/autogroup", values.nice);
}
const directory = mkdtempSync(join(tmpdir(), "coppice-bench-"));
atEnd(() => rmSync(directory, { recursive: true }));
const backend = compile("backend", directory);
const load = compile("load", directory);
const pem = join(directory, "tls.pem");

function makeCertificate(): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", join(directory, "key.pem")];
  const certificate = ["-x509", "-subj", "/CN=localhost", "-days", "2", "-out", join(directory, "certificate.pem")];
  execFileSync("openssl", ["req", ...certificate, ...key], { stdio: "ignore" });
  writeFileSync(pem, ["certificate.pem", "key.pem"].map((file) => readFileSync(join(directory, file), "utf8")).join(""));
}

function version(command: string, args: readonly string[], pattern: RegExp): string {
  const text = execFileSync("sh", ["-c", `${command} ${args.join(" ")} 2>&1`], { encoding: "utf8" });
  return pattern.exec(text)?.[1] ?? "?";
}

function heading(): string {
  const { dependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const rivals = Object.entries(dependencies)
    .filter(([name]) => name !== "pm2") // bench/product's
    .map(([name, number]) => `${name} ${number}`);
  const versions = [
    `Node ${process.versions.node}`,
    `HAProxy ${version("haproxy", ["-v"], /version (\d+\.\d+\.\d+)/)}`,
    `nginx ${version("nginx", ["-v"], /nginx\/(\S+)/)}`,
    ...rivals,
  ];
  const machine = `${cpus().length} cores (${cpus()[0]?.model}), Linux ${version("uname", ["-r"], /^(\d+\.\d+)/)}`;
  const before =
    values.nice === "0" ? "" : ` Other work ran on the machine meanwhile; the benchmark went before it (--nice=${values.nice}).`;
  return `${machine}; ${versions.join(", ")}. ${values.rounds} rounds of ${values.seconds} s for each.${before}`;
}

function contenders(declared: readonly Contender[]): Contender[] {
  const names = values.proxies?.split(",");
  const chosen = declared.filter(({ name }) => names === undefined || names.includes(name.toLowerCase()));
  const beside = values.beside?.split(",") ?? [];
  const others = beside.map((words) => {
    const [dist = "", ...nodeOptions] = words.split(" ");
    return coppiceOf(resolve(dist), nodeOptions);
  });
  return [...chosen, ...others];
}

async function all(): Promise<Measured[]> {
  makeCertificate();
  const unix = ["a", "b"].map((name) => join(directory, `${name}.sock`));
  const tcp = [await freePort(), await freePort()];
  const listening = [...unix.flatMap((path) => ["--unix", path]), ...tcp.flatMap((port) => ["--tcp", String(port)])];
  const server = await pinned(loadCore, backend, listening, true);
  const wanted = values.only?.split(",") ?? scenarios.map(({ name }) => name);
  const measured: Measured[] = [];
  for (const declared of scenarios.filter(({ name }) => wanted.includes(name))) {
    const scenario = { ...declared, proxies: contenders(declared.proxies) };
    const site = mkdtempSync(join(directory, "s-"));
    const upstreams = scenario.upstreams === "unix" ? unix : tcp.map((port) => `127.0.0.1:${port}`);
    const rounds = Number(values.rounds) * (scenario.shows === "latency" ? 3 : 1);
    const options = { rounds, seconds: Number(values.seconds), loadCore, load };
    const say = values.quiet ? () => {} : (text: string) => process.stderr.write(`${text}\n`);
    if (scenario.undisturbed) putFirst(server.pid);
    const found = await measure(
      scenario,
      { directory: site, proxyCore, upstreams, pem: scenario.by === "load" ? null : pem },
      { ...options, say },
    );
    if (scenario.undisturbed) putBack(server.pid);
    process.stdout.write(`\n${scenario.title}\n\n${tableOf(found)}\n`);
    measured.push(found);
  }
  await server.stop();
  return measured;
}

const measured = await all();
process.stdout.write(`\n${heading()}\n`);
if (values.write) {
  const { page } = await import("./document.ts");
  const file = new URL("../../docs/forwarder-benchmark.md", import.meta.url);
  writeFileSync(file, page(heading(), measured, existsSync(file) ? readFileSync(file, "utf8") : ""));
}
process.exit(0);
