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
  /** All of it runs below these. */
  readonly pids: readonly number[];
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
    pids: [child.pid ?? 0],
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

async function startPm2(app: string, directory: string, more: NodeJS.ProcessEnv = {}): Promise<Running> {
  const port = await freePort();
  const home = mkdtempSync(join(directory, "pm2-"));
  const env = { ...process.env, ...more, PORT: String(port), PM2_HOME: home };
  const command = (...args: string[]) => run(process.execPath, [pm2, ...args], { cwd: folder, env });
  const end = () => spawnSync(process.execPath, [pm2, "kill"], { cwd: folder, env, stdio: "ignore" });
  const ended = atEnd(end);
  await command("start", app, "--instances", "2", "--name", "app");
  await listens(port);
  return {
    port,
    pids: [Number(readFileSync(join(home, "pm2.pid"), "utf8"))],
    reload: () => command("reload", "app"),
    stop: async () => {
      await command("kill");
      ended();
    },
  };
}

const pm2Cluster: Contender = { name: "PM2, cluster mode, 2 workers", start: startPm2 };

/** What is shared and outlives a worker with PM2: sessions in Redis, which writes its log to the disk each second, as it says by itself. */
const pm2WithRedis: Contender = {
  name: "PM2, 2 workers, sessions in Redis (connect-redis)",
  start: async (app, directory) => {
    const port = await freePort();
    const home = mkdtempSync(join(directory, "redis-"));
    const settings = ["--bind", "127.0.0.1", "--port", String(port), "--dir", home, "--save", "", "--appendonly", "yes"];
    const redis = spawn("redis-server", settings, { stdio: "ignore" });
    const exited = once(redis, "exit");
    const ended = atEnd(() => redis.kill("SIGTERM"));
    await listens(port);
    const one = await startPm2(app, directory, { REDIS: `redis://127.0.0.1:${port}` });
    const stop = async () => {
      await one.stop();
      redis.kill("SIGTERM");
      await exited;
      ended();
    };
    return { ...one, pids: [...one.pids, redis.pid ?? 0], stop };
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
export const withSessions: readonly Contender[] = [plain, cluster, pm2Cluster, pm2WithRedis, coppice];
