/** How much this process may keep in its heap. */
import { getHeapStatistics } from "node:v8";

/**
 * Where the heap's floor ends. V8's own figure counts the young generation too (up to 192 MiB, much in a small
 * heap), where no floor can lie; a limit that was given is the old generation's alone. Read as this loads: Coppice takes its own option out
 * of what the application sees.
 */
export const heapLimitBytes = readLimit();

function readLimit(): number {
  const options = [process.env["NODE_OPTIONS"] ?? "", ...process.execArgv].join(" ");
  const given = [...options.matchAll(/--max[-_]old[-_]space[-_]size[= ](\d+)/g)].at(-1)?.[1];
  const all = getHeapStatistics().heap_size_limit;
  return given === undefined ? all : Math.min(Number(given) * 1024 * 1024, all);
}
