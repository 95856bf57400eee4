/**
 * One application under a real `coppice run`: it starts, sees its client's address, every node is regenerated
 * under a small load, and after the stop nothing is left. What went wrong is listed, nothing throws.
 */
import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { freePort, TestCluster } from "../e2e/cluster.ts";
import { SessionLoad } from "../e2e/session-load.ts";
import { ask, ChatLoad, type Load, type LoadOptions, RequestLoad, SocketIoLoad } from "./loads.ts";

export interface Application {
  readonly name: string;
  /** What is typed after `coppice run --`. */
  readonly command: readonly string[];
  /** In the folder of all applications; else the folder itself. */
  readonly directory?: string;
  readonly load: "sessions" | "requests" | "chat" | "socket.io";
  /** Given to Coppice as --port; else the server finds it in PORT, as everybody's does. */
  readonly portOption?: true;
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Codes of the notices that must come, in any order; others must not. */
  readonly notices?: readonly string[];
}

export interface Trial {
  readonly name: string;
  readonly typed: string;
  readonly startMs: number;
  readonly requests: number;
  readonly regenerateMs: number;
  /** Sessions lost, answers stale, writes doubled; null where the application has no sessions. */
  readonly sessions: { readonly lost: number; readonly stale: number; readonly doubled: number } | null;
  readonly notices: readonly string[];
  readonly wrong: readonly string[];
}

export interface Place {
  /** Where the applications are installed. */
  readonly folder: string;
  readonly launcher?: string;
}

/** A client that is not where everybody else on this machine is. */
const clientAddress = "127.0.0.7";
const requestsFirst = 60;
const goneMsMax = 3_000;

export async function tryApplication(application: Application, place: Place): Promise<Trial> {
  const wrong: string[] = [];
  const port = await freePort();
  const { command, flags = [], portOption } = application;
  const [script = "", ...rest] = command;
  const typed = ["coppice run", ...flags, ...(portOption === true ? ["--port", "3000"] : []), "--", ...command].join(" ");
  const facts = { name: application.name, typed, startMs: 0, requests: 0, regenerateMs: 0, sessions: null, notices: [] };
  const startedMs = performance.now();
  let cluster: TestCluster;
  try {
    cluster = await TestCluster.start({
      script,
      rest,
      port,
      cwd: application.directory === undefined ? place.folder : `${place.folder}/${application.directory}`,
      args: portOption === true ? [...flags, "--port", String(port)] : flags,
      env: { ...(portOption === true ? {} : { PORT: String(port) }), ...application.environment },
      ...(place.launcher === undefined ? {} : { launcher: place.launcher }),
    });
  } catch (error) {
    return { ...facts, wrong: [`does not start: ${String(error)}`] };
  }
  const startMs = performance.now() - startedMs;
  const load = beginLoad(application, { port, clients: 6, thinkMs: 5 }, place);
  let regenerateMs = 0;
  const processes = new Set<number>();
  try {
    await lookAtClient(port, wrong);
    await cluster.until("the load runs", () => load.result.requests > requestsFirst);
    const before = await cluster.status();
    for (const pid of cluster.processes()) processes.add(pid);
    const beganMs = performance.now();
    const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
    regenerateMs = performance.now() - beganMs;
    if (outcome.code !== 0) wrong.push(`regenerate: ${outcome.stdout}${outcome.stderr}`);
    const after = await cluster.status();
    for (const [index, { name, pid }] of before.nodes.entries())
      if (after.nodes[index]?.pid === pid) wrong.push(`${name} is the same process after its regeneration`);
    for (const { name, restarts } of after.nodes) if (restarts > 0) wrong.push(`${name} died and was started again`);
    await lookAtClient(port, wrong);
    for (const pid of cluster.processes()) processes.add(pid);
  } catch (error) {
    wrong.push(String(error));
  }
  await load.end();
  wrong.push(...load.result.failed.slice(0, 5));
  const notices = await noticesOf(cluster);
  const expected = [...(application.load === "sessions" ? ["session-store-replaced"] : []), ...(application.notices ?? [])];
  if (notices.toSorted().join() !== expected.toSorted().join()) wrong.push(`notices: ${notices.join(", ") || "none"}`);
  const { code, left } = await cluster.stop();
  if (code !== 0 || left.length > 0) wrong.push(`stopped with ${code}, left ${left.join(", ")}`);
  const living = await stillThere(processes);
  if (living.length > 0) wrong.push(`still running: ${living.join(", ")}`);
  const { requests } = load.result;
  const sessions = load instanceof SessionLoad ? load.result : null;
  return { ...facts, startMs, requests, regenerateMs, sessions, notices, wrong: wrong.length === 0 ? [] : [...wrong, cluster.output] };
}

export function beginLoad({ load }: Pick<Application, "load">, options: LoadOptions, { folder }: Place): Load {
  switch (load) {
    case "sessions":
      return new SessionLoad(options);
    case "requests":
      return new RequestLoad(options).begin();
    case "chat":
      return new ChatLoad(options).begin();
    case "socket.io":
      return new SocketIoLoad(options, folder).begin();
  }
}

async function lookAtClient(port: number, wrong: string[]): Promise<void> {
  const { status, body } = await ask({ port, path: "/seen", from: clientAddress });
  const { ip = "" } = status === 200 ? (JSON.parse(body) as { ip?: string }) : {}; // what each of the applications answers
  if (ip.replace("::ffff:", "") !== clientAddress) wrong.push(`/seen from ${clientAddress}: ${status} ${body.slice(0, 300)}`);
}

/** A process that was ended is there a little longer, until its last parent has read how it went. */
async function stillThere(processes: ReadonlySet<number>): Promise<number[]> {
  const endMs = performance.now() + goneMsMax;
  for (;;) {
    const living = [...processes].filter((pid) => existsSync(`/proc/${pid}`));
    if (living.length === 0 || performance.now() > endMs) return living;
    await pause(20);
  }
}

async function noticesOf(cluster: TestCluster): Promise<string[]> {
  const events = await cluster.events();
  return [...new Set(events.filter(({ kind }) => kind === "notice").map(({ facts }) => String(facts["code"])))];
}
