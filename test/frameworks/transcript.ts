/**
 * The README's first minute, to the letter: its commands are read from the README and run by a shell in an empty
 * folder where the packed Coppice and one framework are installed, under a small load while the cluster serves.
 */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { freePort, root } from "../e2e/cluster.ts";
import { emptyFolder, install, npm } from "./packed.ts";
import { type Application, beginLoad } from "./trial.ts";

export interface Beginner {
  readonly name: string;
  /** Of `folder/`: what lies in the empty folder beside the installed packages; the first is `server.js`, unless `start` names another. */
  readonly files: readonly string[];
  /** Of folder/package.json. */
  readonly packages: readonly string[];
  readonly load: Application["load"];
  /** Run first, in the folder. */
  readonly build?: readonly string[];
  /** In place of the README's line that starts `server.js`: one of its table. `PORT` stands for the port. */
  readonly start?: string;
}

export interface Transcript {
  readonly name: string;
  readonly lines: readonly { readonly command: string; readonly code: number; readonly ms: number; readonly output: string }[];
  readonly requests: number;
  readonly failed: readonly string[];
  readonly left: readonly string[];
}

/** The first shell block of the README that starts a server, without the installation and the comments. */
export function readmeCommands(): string[] {
  const blocks = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = ""]) => block);
  const block = blocks.find((one) => one.includes("coppice start server.js")) ?? "";
  const lines = block.split("\n").map((line) => line.replace(/\s+#.*$/, "").trim());
  return lines.filter((line) => line !== "" && !line.startsWith("npm install"));
}

export async function runTranscript({ name, files, packages, load: kind, build, start }: Beginner, tarball: string): Promise<Transcript> {
  const folder = emptyFolder();
  const home = mkdtempSync(join(tmpdir(), "coppice-home-"));
  const versions = JSON.parse(readFileSync(new URL("folder/package.json", import.meta.url), "utf8")) as {
    dependencies: Record<string, string>;
  };
  install(folder, tarball, ...packages.map((one) => `${one}@${versions.dependencies[one]}`));
  for (const file of files)
    cpSync(new URL(`folder/apps/${file}`, import.meta.url), join(folder, file.split("/").at(-1) ?? file), { recursive: true });
  const [server = ""] = files;
  if (start === undefined && !existsSync(join(folder, "server.js"))) renameSync(join(folder, server), join(folder, "server.js"));
  // As its author would have it: a server written as an ES module says so in package.json.
  if (/\.m?js$|^nest\//.test(server)) npm(folder, "pkg", "set", "type=module");
  if (build !== undefined) npm(folder, "exec", "--", ...build);

  const port = await freePort();
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
    PORT: String(port),
    COPPICE_HOME: home,
    NEXT_TELEMETRY_DISABLED: "1",
  };
  const lines: Transcript["lines"][number][] = [];
  let load: ReturnType<typeof beginLoad> | null = null;
  for (const typed of readmeCommands()) {
    const isStart = typed.includes("coppice start");
    const command = isStart && start !== undefined ? start.replace("PORT", String(port)) : typed;
    if (typed.endsWith("stop")) await load?.end();
    const line = await shell(command, folder, env);
    lines.push(line);
    if (isStart && line.code !== 0) break;
    if (isStart) load = beginLoad({ load: kind }, { port, clients: 4, thinkMs: 10 }, { folder });
  }
  const left = readdirSync(home).filter((entry) => !/\.log(\.\d)?$/.test(entry));
  const result = load?.result ?? { requests: 0, failed: [] };
  if (result.failed.length === 0 && left.length === 0) for (const directory of [folder, home]) rmSync(directory, { recursive: true });
  return { name, lines, requests: result.requests, failed: result.failed, left };
}

function shell(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<Transcript["lines"][number]> {
  const beganMs = performance.now();
  return new Promise((resolve) => {
    execFile("sh", ["-c", command], { cwd, env, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ command, code, ms: performance.now() - beganMs, output: stdout + stderr });
    });
  });
}
