/** `coppice run`: what was typed becomes the cluster's specification; then this process is init. */
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { defaultsWithin, parseSettings } from "../config/settings.ts";
import { checkRoom, clusterPaths } from "../init/home.ts";
import { Init } from "../init/init.ts";
import { probePath } from "../init/instance.ts";
import { Log, type LogFormat } from "../init/log.ts";
import { LogFile } from "../init/log-file.ts";
import { memoryLimitBytes } from "../init/memory-limit.ts";
import { type AppUser, checkReach, findUser } from "../init/rights.ts";
import { nodesMax } from "../model/admin.ts";
import type { ClusterSpec } from "../model/birth.ts";
import { CoppiceError } from "../model/errors.ts";
import { describeMemory, nodesThatFit, shareOut } from "../model/memory.ts";
import type { ListenAddress } from "../model/node.ts";
import { badName, clusterNamePattern, coppiceHome } from "./home.ts";
import { keyPairsOf } from "./key-pairs.ts";
import type { Register } from "./main.ts";
import { findExecutable, isExecutable, look, resolveRelease, typedDirectory } from "./release.ts";

const forwardersMax = 64;
/** `--forwarders auto`: one forwards what the nodes of so many cores answer, and leaves them the rest. */
const coresPerForwarder = 4;

export interface RunOptions {
  readonly nodes?: number;
  readonly forwarders?: number;
  readonly tlsCert: readonly string[];
  readonly tlsKey: readonly string[];
  readonly accessLog?: string;
  readonly port?: number;
  readonly name?: string;
  readonly node?: string;
  readonly user?: string;
  readonly health?: ListenAddress;
  readonly logFormat: LogFormat;
  readonly logFile?: string;
  readonly check?: true;
  readonly set: Readonly<Record<string, string>>;
}

export const registerRun: Register = (program, setExitCode) => {
  withRunOptions(program.command("run"))
    .summary("run a Node server as a cluster that regenerates itself")
    .description(
      "Runs an unmodified Node server as a cluster. The server listens on its own port, as ever; Coppice takes " +
        "the port, spreads the requests over the nodes and regenerates a node before its age shows. " +
        "Stays in the foreground; Ctrl-C or SIGTERM ends everything in order.",
    )
    .addOption(new Option("--log-file <path>", "print to this file, which rotates").hideHelp())
    .addOption(new Option("--check", "only look whether it could start").hideHelp())
    .addHelpText(
      "after",
      "\nExample:\n  coppice run server.js -n 3\n  coppice run --set drainTimeoutMs=60000 -- server.js --verbose\n  coppice run npm start\n  coppice run -n 3 -- next start -p 3000\n",
    )
    .action(async (script: string, args: string[], options: RunOptions) => {
      const specification = specificationOf(script, args, options);
      const user = userOf(options, specification);
      if (options.check === true) return checkRoom(coppiceHome());
      const file = options.logFile === undefined ? null : new LogFile(options.logFile, { format: options.logFormat });
      const log = new Log({ stdout: file ?? process.stdout, stderr: file ?? process.stderr, format: options.logFormat });
      const background = file === null ? null : { args: process.argv.slice(2), directory: typedDirectory() };
      const init = new Init(specification, { log, background, user, health: options.health ?? null });
      if (user === null && process.getuid?.() === 0)
        log.say("WARNING: the server runs as root. With --user NAME it runs as that user, and can harm only what that user can.");
      if (specification.memory !== null) log.say(describeMemory(specification.memory, specification.nodes));
      const code = await init.done;
      setExitCode(code);
      if (file !== null) await new Promise<void>((resolve) => file.end(resolve));
      process.exit(code); // what is left open is signal handlers and pipes of processes that are gone
    });
};

/** @throws CoppiceError COPPICE_ARGUMENT if there is no such user, or it cannot reach what the server needs. */
function userOf({ user: given }: RunOptions, { release, paths, tls }: ClusterSpec): AppUser | null {
  if (given === undefined) return null;
  const user = findUser(given);
  let above = dirname(paths.directory);
  while (!existsSync(above)) above = dirname(above); // what is made below it can be passed through
  checkReach(user, release.nodePath, [
    probePath,
    release.workingDirectory,
    release.script,
    above,
    ...tls.flatMap(({ cert, key }) => [cert, key]), // the forwarder reads them, again when they change
  ]);
  return user;
}

/** What `run` and `start` have in common. */
export function withRunOptions(command: Command): Command {
  return command
    .showHelpAfterError(
      "(an option of the server's own goes behind --, as in: coppice run -n 3 -- server.js --verbose; one of Node's into NODE_OPTIONS)",
    )
    .argument("<target>", "the server's script, a directory with a package.json, or a command (npm, next ...)")
    .argument("[args...]", "its arguments; where some begin with a dash, put -- before the target")
    .option(
      "-n, --nodes <number>",
      "how many nodes (default: as many as there are cores, two at least, where memory has room for them)",
      wholeNumber(1, nodesMax),
    )
    .option("-p, --port <port>", "listen here instead of where the server asks to; the server sees it as PORT too", wholeNumber(1, 65_535))
    .option("--forwarders <number>", "how many processes forward requests; auto: one for each four cores (default: 1)", forwarderCount)
    .addOption(
      new Option("--tls-cert <file>", "serve https (and HTTP/2) with this certificate chain, PEM (repeatable: by the name asked for)")
        .argParser(collect)
        .default([], "none"),
    )
    .addOption(new Option("--tls-key <file>", "its key").argParser(collect).default([], "none"))
    .option("--access-log <file>", "write a line of JSON for each request to this file; - for standard output")
    .option("--name <name>", "the cluster's name (default: the name of the working directory)")
    .option("--node <path>", "the Node executable that runs the server (default: the one that runs Coppice)")
    .option("--user <user>", "run the server as this user (NAME or UID, also with :GID); Coppice itself must be root for that")
    .option("--health <port>", "answer /live and /ready on this port, or address:port, for an orchestrator", healthAddress)
    .addOption(
      new Option("--log-format <format>", "the log's lines: as they were written, their source in front, or as JSON")
        .choices(["text", "json"])
        .default("text"),
    )
    .addOption(
      new Option("--set <key=value>", "a setting, see docs/configuration.md (repeatable)").argParser(collectSetting).default({}, "none"),
    );
}

function clusterNameOf({ name = nameFrom(basename(typedDirectory())) }: Pick<RunOptions, "name">): string {
  if (!clusterNamePattern.test(name)) throw badName(name);
  return name;
}

/** @throws CoppiceError COPPICE_ARGUMENT or COPPICE_SETTING that says what was expected. */
export function specificationOf(script: string, args: readonly string[], options: RunOptions): ClusterSpec {
  // Without /proc nobody would find the cluster that was started.
  if (process.platform !== "linux")
    throw new CoppiceError(
      "COPPICE_ARGUMENT",
      `Coppice runs servers on Linux, and this is ${process.platform}: use it in a container there`,
    );
  const name = clusterNameOf(options);
  const parsed = parseSettings(options.set);
  const limitBytes = parsed.memoryLimitBytes > 0 ? parsed.memoryLimitBytes : memoryLimitBytes();
  const settings = parseSettings(options.set, defaultsWithin(limitBytes));
  const forwarders = options.forwarders ?? 1;
  const nodes = options.nodes ?? nodesThatFit(limitBytes, forwarders, Math.max(2, availableParallelism()));
  const memory = shareOut(limitBytes, { nodes, forwarders, regenerate: settings.regenerate });
  return {
    name,
    nodes,
    forwarders,
    tls: keyPairsOf(options.tlsCert, options.tlsKey),
    accessLog: accessLogOf(options.accessLog),
    port: options.port ?? null,
    release: {
      id: "1",
      nodePath: findNode(options.node),
      ...resolveRelease({ script, arguments: args, workingDirectory: typedDirectory() }),
      environment: options.port === undefined ? {} : { PORT: String(options.port) },
    },
    settings,
    memory,
    regenerate: memory.surge === 0 ? "in-place" : "replace",
    paths: clusterPaths(coppiceHome(), name),
  };
}

/** Its directory is not made: in most cases it is a wrong name. */
function accessLogOf(given: string | undefined): string | null {
  if (given === undefined || given === "-") return given ?? null;
  if (given === "/dev/stdout") return "-"; // as for nginx; a forwarder's own is a socket, which cannot be opened
  const path = resolve(given);
  if (look(dirname(path))?.isDirectory() !== true)
    throw new CoppiceError("COPPICE_ARGUMENT", `--access-log ${given}: there is no directory ${dirname(path)}`);
  if (look(path)?.isDirectory() === true)
    throw new CoppiceError("COPPICE_ARGUMENT", `--access-log ${given}: that is a directory; name a file`);
  return path;
}

/** In a checkout whose caller's Node is too old for Coppice, the launcher names the caller's Node. */
function findNode(given: string | undefined): string {
  const callers = process.env["COPPICE_APP_NODE"];
  delete process.env["COPPICE_APP_NODE"]; // the server is to see the environment as it was
  if (given === undefined) return callers ?? process.execPath;
  const path = given.includes("/") ? resolve(given) : findExecutable(given);
  if (path !== null && isExecutable(path)) return newEnough(given, join(realpathSync(dirname(path)), basename(path)));
  throw new CoppiceError("COPPICE_ARGUMENT", `--node ${given}: there is no such executable`);
}

/** The probe is for Node 18.19 and later. */
function newEnough(given: string, path: string): string {
  const { stdout } = spawnSync(path, ["-p", "process.versions.node"], { encoding: "utf8", timeout: 10_000 });
  const [major = 0, minor = 0] = (stdout ?? "").split(".").map(Number);
  if (major > 18 || (major === 18 && minor >= 19)) return path;
  const what = /^\d+\.\d+/.test(stdout ?? "") ? `is Node ${stdout.trim()}; 18.19 is the oldest that a server can run on` : "is no Node";
  throw new CoppiceError("COPPICE_ARGUMENT", `--node ${given}: ${path} ${what}`);
}

function nameFrom(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 32);
  return name === "" ? "app" : name;
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

function forwarderCount(text: string): number {
  if (text !== "auto") return wholeNumber(1, forwardersMax)(text);
  return Math.min(Math.max(Math.floor(availableParallelism() / coresPerForwarder), 1), forwardersMax);
}

function healthAddress(text: string): ListenAddress {
  const match = /^(?:(.+):)?(\d+)$/.exec(text);
  const port = Number(match?.[2] ?? 0);
  const address = match?.[1]?.replace(/^\[(.*)\]$/, "$1") ?? null;
  if (port >= 1 && port <= 65_535 && (address === null || isIP(address) !== 0)) return { address, port };
  throw new InvalidArgumentError("Expected a port from 1 to 65535, or address:port with an IP address.");
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

function collectSetting(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("Expected key=value, as in drainTimeoutMs=60000.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
