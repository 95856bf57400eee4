/** The demo's screen: redrawn in place on a terminal, a line now and then elsewhere. */
import type { ClusterStatus, NodeStatus } from "../../src/model/admin.ts";
import type { ClusterEvent } from "../../src/model/events.ts";
import { type Notebook, quantile } from "./shopper.ts";

export interface Scene {
  readonly elapsedMs: number;
  readonly totalMs: number;
  readonly status: ClusterStatus;
  readonly events: readonly ClusterEvent[];
  readonly notebook: Notebook;
  readonly requestsPerSecond: number;
}

const barWidth = 24;
const shownEvents = 9;
const mebibyte = 1024 * 1024;

export class Screen {
  readonly #live = process.stdout.isTTY === true;
  #drawnLines = 0;

  draw(scene: Scene): void {
    const lines = this.#live ? picture(scene) : [oneLine(scene)];
    const home = this.#live && this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A\x1b[J` : "";
    process.stdout.write(`${home}${lines.join("\n")}\n`);
    this.#drawnLines = lines.length;
  }
}

function picture(scene: Scene): string[] {
  const { status, notebook, events } = scene;
  const width = Math.min(process.stdout.columns ?? 100, 140);
  const lines = [
    `${bold("Coppice: the shop under load")}   ${seconds(scene.elapsedMs)} ${until(scene)}`,
    "",
    dim("NODE    PROCESS           STATE                     HEAP AFTER COLLECTION            EXHAUSTED IN"),
    ...status.nodes.map(nodeLine),
    "",
    `${bold("Customers")}   ${scene.requestsPerSecond} requests/s   p50 ${ms(quantile(notebook.latenciesMs, 0.5))}   p99 ${ms(quantile(notebook.latenciesMs, 0.99))}   ` +
      `noticed: ${noticed(notebook)}`,
    "",
    bold("What happened"),
    ...events
      .filter(isNews)
      .slice(-shownEvents)
      .map((event) => eventLine(event)),
  ];
  return lines.map((line) => cut(line, width));
}

function until({ elapsedMs, totalMs }: Scene): string {
  return elapsedMs <= totalMs ? `of ${seconds(totalMs)}` : "until a node has come to its end";
}

function nodeLine({ name, pid, generation, state, phase, indicators, report }: NodeStatus): string {
  const trend = report?.trends.find(({ indicator }) => indicator === "heapAfterGcBytes");
  const floor = trend?.floor ?? indicators["heapAfterGcBytes"] ?? indicators["heapUsedBytes"] ?? 0;
  const limit = trend?.limit ?? 0;
  const filled = limit === 0 ? 0 : Math.round((floor / limit) * barWidth);
  const bar = `${"█".repeat(Math.min(filled, barWidth))}${"░".repeat(Math.max(barWidth - filled, 0))}`;
  const word = phase === null ? state : `${state}: ${phase}`;
  const process = `${pid ?? "-"} (gen ${generation})`;
  const exhausted = trend?.held === true && trend.exhaustionInMs !== null ? seconds(trend.exhaustionInMs.mid) : "";
  return `${name.padEnd(8)}${process.padEnd(18)}${colour(state, word.padEnd(26))}${bar} ${`${Math.round(floor / mebibyte)} MiB`.padEnd(8)}${exhausted}`;
}

function oneLine({ elapsedMs, status, notebook, requestsPerSecond }: Scene): string {
  const nodes = status.nodes.map(({ name, generation, state, phase, report }) => {
    const floor = report?.trends.find(({ indicator }) => indicator === "heapAfterGcBytes")?.floor;
    return `${name}.${generation} ${phase ?? state}${floor === undefined ? "" : ` ${Math.round(floor / mebibyte)} MiB`}`;
  });
  return `${seconds(elapsedMs).padStart(5)}  ${nodes.join(" | ")}  ${requestsPerSecond} requests/s, p99 ${ms(quantile(notebook.latenciesMs, 0.99))}, noticed: ${noticed(notebook)}`;
}

function noticed({ failures, lost, stale }: Notebook): string {
  return failures.length + lost + stale === 0 ? green("nothing") : red(`${failures.length} failed, ${lost} lost, ${stale} stale`);
}

const news: ReadonlySet<string> = new Set([
  "aging-found",
  "regeneration-admitted",
  "replacement-ready",
  "cordoned",
  "drained",
  "handed-off",
  "regenerated",
  "regeneration-failed",
  "instance-failed",
]);

function isNews({ kind }: ClusterEvent): boolean {
  return news.has(kind);
}

function eventLine({ atMs, text, kind }: ClusterEvent): string {
  const line = `  ${new Date(atMs).toISOString().slice(11, 19)}  ${text}`;
  return kind === "regenerated" ? green(line) : line;
}

const escapeSign = String.fromCharCode(27);
const colourOrSign = new RegExp(`${escapeSign}\\[\\d+m|.`, "gu");

/** Cuts to the width that is seen, colours not counted. */
function cut(line: string, width: number): string {
  let seen = 0;
  let out = "";
  for (const [part] of line.matchAll(colourOrSign)) {
    if (part.startsWith(escapeSign)) out += part;
    else if (seen < width) {
      out += part;
      seen += 1;
    }
  }
  return out;
}

export function seconds(value: number): string {
  return value < 120_000 ? `${Math.round(value / 1_000)} s` : `${Math.round(value / 60_000)} min`;
}

export function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

const colourful = process.stdout.isTTY === true;
const paint = (code: number) => (text: string) => (colourful ? `\x1b[${code}m${text}\x1b[0m` : text);
export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
const yellow = paint(33);

function colour(state: string, text: string): string {
  return state === "ready" ? green(text) : state === "regenerating" ? yellow(text) : red(text);
}
