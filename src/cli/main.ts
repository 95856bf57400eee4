/**
 * The command line: arguments in, admin API out. `run` alone is more: it *is* init, the parent of the
 * cluster, so that in a terminal, under systemd and as PID 1 it is one program.
 */
import { Command, CommanderError } from "commander";
import { CoppiceError } from "../model/errors.ts";
import { packageVersion } from "./package-version.ts";
import { endUnread } from "./unread.ts";

/**
 * In the order of the help. Only the command that is meant is loaded: `run` stays for the life of the cluster, and
 * what the others need would stay with it.
 */
const commands: Readonly<Record<string, () => Promise<Register>>> = {
  run: async () => (await import("./run.ts")).registerRun,
  start: async () => (await import("./start.ts")).registerStart,
  stop: async () => (await import("./stop.ts")).registerStop,
  restart: async () => (await import("./start.ts")).registerRestart,
  status: async () => (await import("./status.ts")).registerStatus,
  logs: async () => (await import("./logs.ts")).registerLogs,
  events: async () => (await import("./events.ts")).registerEvents,
  reload: async () => (await import("./reload.ts")).registerReload,
  scale: async () => (await import("./scale.ts")).registerScale,
  regenerate: async () => (await import("./regenerate.ts")).registerRegenerate,
  config: async () => (await import("./config.ts")).registerConfig,
  resume: async () => (await import("./resume.ts")).registerResume,
  analyze: async () => (await import("./analyze.ts")).registerAnalyze,
};

/** They go on without a reader, or stop by themselves; not so their help. */
const readByNobody: ReadonlySet<string> = new Set(["run", "analyze"]);

function asksForHelp(args: readonly string[]): boolean {
  const own = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  return own.includes("--help") || own.includes("-h");
}

/** Runs one command line (without node and script); resolves to the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const program = new Command("coppice")
    .description("Keeps clusters of application servers young: no request lost, no session lost.")
    .version(packageVersion())
    .exitOverride()
    .showHelpAfterError("(coppice --help lists the commands, coppice <command> --help their options)");
  let exitCode = 0;
  const setExitCode = (code: number) => {
    exitCode = code;
  };
  const [named = ""] = args;
  if (!readByNobody.has(named) || asksForHelp(args)) process.stdout.on("error", endUnread);
  const meant = Object.hasOwn(commands, named) ? [named] : Object.keys(commands); // all of them: for the help
  for (const name of meant) (await commands[name]?.())?.(program, setExitCode);
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode; // commander has printed it
    if (!(error instanceof CoppiceError)) throw error;
    process.stderr.write(`coppice: ${error.message}\n`);
    return 1;
  }
}

export type Register = (program: Command, setExitCode: (code: number) => void) => void;
