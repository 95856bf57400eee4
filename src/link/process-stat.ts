/** What the kernel says of a process, and of each of its threads, in `/proc/<pid>/stat`. */
import { readdirSync, readFileSync } from "node:fs";

/** The same on every Linux, as user space sees it. */
const msPerTick = 10;

/** The fields from the state (the third) on; null if there is no such process, or no /proc. */
export function statFieldsOf(pid: number, thread?: string): readonly string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}${thread === undefined ? "" : `/task/${thread}`}/stat`, "latin1");
    // The command in parentheses may hold spaces and parentheses itself: count from the last one.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}

/** Of the processor, all threads together. */
export function processorMsOf(pid: number): number | null {
  const fields = statFieldsOf(pid);
  return fields === null ? null : (Number(fields[11]) + Number(fields[12])) * msPerTick;
}

/** Whether one of its threads runs, or waits for nothing but the processor. */
export function wantsProcessor(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((thread) => statFieldsOf(pid, thread)?.[0] === "R");
  } catch {
    return false;
  }
}
