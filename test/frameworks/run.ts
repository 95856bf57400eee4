/**
 * `node test/frameworks/run.ts [name ...]`: installs the packed Coppice and every framework of folder/package.json into an
 * empty folder, runs each application there, and prints the table of docs/frameworks.md. Needs npm's registry once.
 * `--folder` uses a folder that an earlier run left.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { runtimes } from "../inside/runtimes.ts";
import { applications } from "./applications.ts";
import { emptyFolder, launcherIn, npm, pack } from "./packed.ts";
import { type Trial, tryApplication } from "./trial.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { folder: { type: "string" } } });
const say = (text: string) => process.stderr.write(`${text}\n`);

const folder = values.folder ?? emptyFolder();
prepare();
const isOnPath = (name: string) => (process.env["PATH"] ?? "").split(delimiter).some((directory) => existsSync(join(directory, name)));
const trials: Trial[] = [];
for (const application of applications(otherNodes())) {
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
process.stdout.write(`${table(trials)}\n`);
process.exitCode = trials.every(({ wrong }) => wrong.length === 0) ? 0 : 1;

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
