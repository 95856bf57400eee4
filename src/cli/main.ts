/**
 * The command line: arguments in, admin API out. `run` alone is more: it *is* init, the parent of the
 * cluster, so that in a terminal, under systemd and as PID 1 it is one program.
 */
import { Command, CommanderError } from "commander";
import { CoppiceError } from "../model/errors.ts";
import { registerAnalyze } from "./analyze.ts";
import { registerEvents } from "./events.ts";
import { registerLogs } from "./logs.ts";
import { packageVersion } from "./package-version.ts";
import { registerRegenerate } from "./regenerate.ts";
import { registerReload } from "./reload.ts";
import { registerRun } from "./run.ts";
import { registerScale } from "./scale.ts";
import { registerRestart, registerStart } from "./start.ts";
import { registerStatus } from "./status.ts";
import { registerStop } from "./stop.ts";

/** In the order of the help. */
const commands: readonly Register[] = [
  registerRun,
  registerStart,
  registerStop,
  registerRestart,
  registerStatus,
  registerLogs,
  registerEvents,
  registerReload,
  registerScale,
  registerRegenerate,
  registerAnalyze,
];

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
  for (const register of commands) register(program, setExitCode);
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
