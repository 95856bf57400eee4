/** What the kernel says of a process, of each of its threads and of those that it started, in `/proc/<pid>`. */
import { readdirSync, readFileSync } from "node:fs";

/** The same on every Linux, as user space sees it. */
export const msPerTick = 10;

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
  return threadsOf(pid).some((thread) => statFieldsOf(pid, thread)?.[0] === "R");
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // it is gone, or there is no /proc
  }
}

/** How many descriptors it may have open; null where nobody says. */
export function openFilesMaxOf(pid: number | "self"): number | null {
  try {
    const max = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "latin1"))?.[1];
    return max === undefined ? null : Number(max);
  } catch {
    return null;
  }
}

/** Its process group; null if there is no such process. */
export function groupOf(pid: number): number | null {
  const fields = statFieldsOf(pid);
  return fields === null ? null : Number(fields[2]);
}

/** Each thread has the children that it started. */
export function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) => {
    try {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1").split(" ");
      return children.filter((text) => text !== "").map(Number);
    } catch {
      return []; // it is gone
    }
  });
}

export function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}
