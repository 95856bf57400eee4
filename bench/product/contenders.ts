/** How people run a server of theirs: each with the same app on the same two cores, and how each reloads it. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { bin } from "../../test/e2e/cluster.ts";
import { atEnd } from "../ending.ts";
import { freePort, here, listens } from "../forwarder/machine.ts";

const folder = join(here, "../product");
const pm2 = join(here, "../node_modules/pm2/bin/pm2");
const run = promisify(execFile);

export interface Running {
  readonly port: number;
  /** All of it runs below this one. */
  readonly pid: number;
  /** Resolves when every process of the app is a new one; null: it has no such command. */
  readonly reload: (() => Promise<unknown>) | null;
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  readonly start: (app: string, directory: string) => Promise<Running>;
}

async function started(child: ChildProcess, port: number, reload: Running["reload"]): Promise<Running> {
  const exited = once(child, "exit");
  atEnd(() => child.kill("SIGTERM"));
  await listens(port);
  return {
    port,
    pid: child.pid ?? 0,
    reload,
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

const options = { cwd: folder, stdio: "ignore" } as const;

const plain: Contender = {
  name: "node, one process",
  start: async (app) => {
    const port = await freePort();
    return started(spawn(process.execPath, [app], { ...options, env: { ...process.env, PORT: String(port) } }), port, null);
  },
};

const cluster: Contender = {
  name: "node:cluster, 2 workers",
  start: async (app) => {
    const port = await freePort();
    return started(spawn(process.execPath, ["cluster.cjs", app], { ...options, env: { ...process.env, PORT: String(port) } }), port, null);
  },
};

const pm2Cluster: Contender = {
  name: "PM2, cluster mode, 2 workers",
  start: async (app, directory) => {
    const port = await freePort();
    const home = mkdtempSync(join(directory, "pm2-"));
    const env = { ...process.env, PORT: String(port), PM2_HOME: home };
    const command = (...args: string[]) => run(process.execPath, [pm2, ...args], { cwd: folder, env });
    const end = () => spawnSync(process.execPath, [pm2, "kill"], { cwd: folder, env, stdio: "ignore" });
    const ended = atEnd(end);
    await command("start", app, "--instances", "2", "--name", "app");
    await listens(port);
    return {
      port,
      pid: Number(readFileSync(join(home, "pm2.pid"), "utf8")),
      reload: () => command("reload", "app"),
      stop: async () => {
        await command("kill");
        ended();
      },
    };
  },
};

const coppice: Contender = {
  name: "Coppice, 2 nodes",
  start: async (app, directory) => {
    const port = await freePort();
    const env = { ...process.env, PORT: String(port), COPPICE_HOME: mkdtempSync(join(directory, "coppice-")) };
    // It waits until the cluster has ended: before that its directory cannot go.
    const ended = atEnd(() => spawnSync(process.execPath, [bin, "stop"], { env, stdio: "ignore" }));
    const child = spawn(process.execPath, [bin, "run", app, "--nodes", "2", "--name", "app"], { ...options, env });
    const one = await started(child, port, () => run(process.execPath, [bin, "regenerate", "--all", "--wait"], { env }));
    return { ...one, stop: () => one.stop().then(ended) };
  },
};

export const contenders: readonly Contender[] = [plain, cluster, pm2Cluster, coppice];
