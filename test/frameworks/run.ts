/**
 * `node test/frameworks/run.ts [name ...]`: installs the packed Coppice and every framework of folder/package.json into an
 * empty folder, runs each application there, and prints the table of docs/frameworks.md. Needs npm's registry once.
 * `--folder` uses a folder that an earlier run left; `--part trials` and `--part first-minute` do one half.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { runtimes } from "../inside/runtimes.ts";
import { applications } from "./applications.ts";
import { beginners } from "./beginners.ts";
import { emptyFolder, launcherIn, npm, pack } from "./packed.ts";
import { readmeCommands, runTranscript, type Transcript } from "./transcript.ts";
import { type Trial, tryApplication } from "./trial.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { folder: { type: "string" }, part: { type: "string" } } });
const say = (text: string) => process.stderr.write(`${text}\n`);

const folder = values.folder ?? emptyFolder();
if (values.part !== "first-minute") prepare();
const isOnPath = (name: string) => (process.env["PATH"] ?? "").split(delimiter).some((directory) => existsSync(join(directory, name)));
const trials: Trial[] = [];
for (const application of values.part === "first-minute" ? [] : applications(otherNodes())) {
  if (positionals.length > 0 && !positionals.includes(application.name)) continue;
  const [command = ""] = application.command;
  if (command === "gunicorn" && !isOnPath(command)) {
    say("gunicorn is not installed (apt-get install gunicorn): left out");
    continue;
  }
  const trial = await tryApplication(application, { folder, launcher: launcherIn(folder) });
  trials.push(trial);
  say(`${trial.name}: ${trial.wrong.length === 0 ? "right" : `WRONG\n${trial.wrong.join("\n")}`}`);
}
if (trials.length > 0) process.stdout.write(`${table(trials)}\n\n`);

const firsts: Transcript[] = [];
const tarball = pack(emptyFolder());
for (const beginner of values.part === "trials" ? [] : beginners) {
  if (positionals.length > 0 && !positionals.includes(beginner.name)) continue;
  const transcript = await runTranscript(beginner, tarball);
  firsts.push(transcript);
  say(`first minute, ${beginner.name}: ${isRight(transcript) ? "right" : `WRONG\n${JSON.stringify(transcript, null, 2)}`}`);
}
if (firsts.length > 0) process.stdout.write(`${firstMinutes(firsts)}\n`);
process.exitCode = trials.every(({ wrong }) => wrong.length === 0) && firsts.every(isRight) ? 0 : 1;

function isRight({ lines, requests, failed, left }: Transcript): boolean {
  return (
    lines.every(({ code }) => code === 0) && lines.length === readmeCommands().length && requests > 0 && failed.length + left.length === 0
  );
}

function firstMinutes(rows: readonly Transcript[]): string {
  const commands = readmeCommands().map((command) => `\`${command.replace("npx coppice ", "")}\``);
  const lines = rows.map((row) => {
    const cells = row.lines.map(({ code, ms }) => (code === 0 ? seconds(ms) : `exit code ${code}`));
    return [row.name, ...cells, String(row.requests), String(row.failed.length)].join(" | ");
  });
  const head = ["in an empty folder", ...commands, "requests", "failed"];
  return [`| ${head.join(" | ")} |`, `| ${head.map(() => "---").join(" | ")} |`, ...lines.map((line) => `| ${line} |`)].join("\n");
}

function prepare(): void {
  cpSync(new URL("folder", import.meta.url), folder, { recursive: true });
  say(`installing into ${folder}`);
  const tarball = pack(emptyFolder());
  npm(folder, "install", "--no-audit", "--no-fund", "--prefer-offline", tarball);
  const build = (tool: string, directory: string, ...args: string[]) => {
    const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };
    execFileSync(process.execPath, [join(folder, "node_modules/.bin", tool), ...args], {
      cwd: join(folder, directory),
      env,
      stdio: "pipe",
    });
  };
  build("tsc", "apps/nest", "-p", ".");
  if (!existsSync(join(folder, "apps/next/.next/BUILD_ID"))) build("next", "apps/next", "build");
}

/** Those of package.json, and this machine's own. */
function otherNodes(): Record<string, string> {
  const packaged = ["node-18", "node-22"].map((name) => join(folder, "node_modules", name, "bin/node"));
  const paths = [...packaged, ...runtimes().map(({ path }) => path)].filter((path) => path !== process.execPath);
  return Object.fromEntries(paths.map((path) => [execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" }).trim(), path]));
}

function table(rows: readonly Trial[]): string {
  const lines = rows.map(({ name, typed, startMs, requests, regenerateMs, sessions, notices, wrong }) => {
    const kept = sessions === null ? "–" : sessions.lost + sessions.stale + sessions.doubled === 0 ? "all" : "NOT ALL";
    const said = notices.length === 0 ? "–" : notices.map((code) => `\`${code}\``).join(", ");
    const cells = [name, `\`${typed.replaceAll(folder, "…")}\``, seconds(startMs), String(requests), seconds(regenerateMs)];
    return [...cells, wrong.length === 0 ? "0" : "WRONG", kept, said].join(" | ");
  });
  const head = "| what | typed | ready | requests | both nodes regenerated | failed | sessions kept | notices |";
  return [head, "| --- | --- | --- | --- | --- | --- | --- | --- |", ...lines.map((line) => `| ${line} |`)].join("\n");
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
