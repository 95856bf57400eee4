/** `coppice logs`: what the nodes of a cluster in the background printed, and with `--follow` what they print. */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { InvalidArgumentError } from "commander";
import { clusterPaths, livingInit, runningClusters } from "../init/home.ts";
import { logFilesKept, rotatedName } from "../init/log-file.ts";
import { CoppiceError, messageOf } from "../model/errors.ts";
import { coppiceHome, findCluster, logFileOf } from "./home.ts";
import type { Register } from "./main.ts";

const pollMs = 200;
const chunkBytes = 64 * 1024;
const linesDefault = 100;

interface LogsOptions {
  readonly name?: string;
  readonly node?: string;
  readonly lines: number;
  readonly follow?: true;
}

export const registerLogs: Register = (program) => {
  program
    .command("logs")
    .summary("the end of a background cluster's log")
    .description("Prints the end of a background cluster's log: what its nodes printed, each line with its node in front.")
    .option("--node <name>", "of this node alone, as in web-1 (coppice: what Coppice itself said)", sourceNamed)
    .option("--lines <number>", "how many lines", (text) => wholeNumber(text), linesDefault)
    .option("--follow", "go on with what is printed, until Ctrl-C or the cluster's end")
    .option("--name <name>", "the cluster's name; not needed if only one runs")
    .action(async ({ name, node, lines, follow }: LogsOptions) => {
      const cluster = name !== undefined && existsSync(logFileOf(name)) ? name : (onlyLog(name) ?? findCluster(name).name);
      const path = logFileOf(cluster);
      const earlier = existsSync(path);
      if (!earlier || livingInit(clusterPaths(coppiceHome(), cluster))?.background === null)
        throw new CoppiceError(
          "COPPICE_ARGUMENT",
          `"${cluster}" was not begun with coppice start: its output is where it runs${earlier ? ` (${path} is of an earlier one)` : ""}`,
        );
      const wanted = (line: string) => node === undefined || line.startsWith(`${node} | `) || line.includes(`,"source":"${node}",`);
      const { last, bytes } = endOf(path, lines, wanted);
      for (const line of last) process.stdout.write(`${line}\n`);
      if (follow === true) await followFile(path, bytes, wanted, () => runningClusters(coppiceHome()).includes(cluster));
    });
};

/** Where nothing runs and one log was left, that one is meant: why it ended stands there. */
function onlyLog(name: string | undefined): string | null {
  const home = coppiceHome();
  if (name !== undefined || runningClusters(home).length > 0 || !existsSync(home)) return null;
  const [only = null, ...others] = readdirSync(home).flatMap((file) => /^(.+)\.log$/.exec(file)?.[1] ?? []);
  return others.length === 0 ? only : null;
}

/** The last lines, over rotated files too, and how far the newest file was read. */
function endOf(path: string, count: number, wanted: (line: string) => boolean): { last: string[]; bytes: number } {
  let last: string[] = [];
  let bytes = 0;
  for (let age = 0; age < logFilesKept && last.length < count; age += 1) {
    const file = rotatedName(path, age);
    if (!existsSync(file)) break;
    const content = contentOf(file);
    if (age === 0) bytes = content.lastIndexOf(10) + 1;
    const whole = content
      .toString("utf8", 0, content.lastIndexOf(10) + 1)
      .split("\n")
      .slice(0, -1);
    last = [...whole.filter(wanted), ...last].slice(-count);
  }
  return { last, bytes };
}

/** @throws CoppiceError COPPICE_ARGUMENT where it cannot be read, as that of another user's cluster. */
function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CoppiceError("COPPICE_ARGUMENT", `${file}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Reads what is appended; when the file was rotated, the rest of the old one first, then the new one from its start. One that
 * has become shorter was emptied where it is (logrotate's `copytruncate`), and begins anew.
 */
async function followFile(path: string, from: number, wanted: (line: string) => boolean, lives: () => boolean): Promise<void> {
  let file = openSync(path, "r");
  let position = from;
  let rest = Buffer.alloc(0);
  const chunk = Buffer.alloc(chunkBytes);
  for (;;) {
    const goOn = lives();
    if (fstatSync(file).size < position) {
      position = 0;
      rest = Buffer.alloc(0);
    }
    for (let read = readSync(file, chunk, 0, chunkBytes, position); read > 0; read = readSync(file, chunk, 0, chunkBytes, position)) {
      position += read;
      rest = Buffer.concat([rest, chunk.subarray(0, read)]);
      const end = rest.lastIndexOf(10) + 1;
      for (const line of rest.toString("utf8", 0, end).split("\n").slice(0, -1)) if (wanted(line)) process.stdout.write(`${line}\n`);
      rest = rest.subarray(end);
    }
    if (statSync(path, { throwIfNoEntry: false })?.ino !== fstatSync(file).ino && existsSync(path)) {
      closeSync(file);
      file = openSync(path, "r");
      position = 0;
      continue;
    }
    if (!goOn) return closeSync(file);
    await pause(pollMs);
  }
}

function sourceNamed(text: string): string {
  if (/^(?:web-[1-9]\d*|coppice)$/.test(text)) return text;
  throw new InvalidArgumentError("Expected the name of a node, as in web-1, or coppice.");
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError("Expected a whole number above 0.");
}
