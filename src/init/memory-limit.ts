/**
 * How much memory all processes here may take together: the least limit of the control groups that this
 * process is in (version 2 or 1), else what the machine has.
 */
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { dirname, join } from "node:path";

/** Bytes. `root`: where /proc and /sys are, for tests. */
export function memoryLimitBytes(root = "/"): number {
  // The path may hold colons itself, as the names of units and of container engines' groups do.
  const groups = (read(join(root, "proc/self/cgroup")) ?? "").matchAll(/^\d+:([^:\n]*):(.*)$/gm);
  const limits = [...groups].flatMap(([, controllers, path = "/"]) => {
    // Above memory.high the kernel slows everybody down: it is no place to be either.
    if (controllers === "") return ["memory.max", "memory.high"].flatMap((file) => limitsUpwards(join(root, "sys/fs/cgroup"), path, file));
    if (controllers?.split(",").includes("memory")) return limitsUpwards(join(root, "sys/fs/cgroup/memory"), path, "memory.limit_in_bytes");
    return [];
  });
  return Math.min(totalmem(), ...limits);
}

/** Of the group and of those that it lies in. Inside a container the own path may not be visible: its root is. */
function limitsUpwards(mount: string, path: string, file: string): number[] {
  const limits: number[] = [];
  for (let group = path; ; group = dirname(group)) {
    const bytes = Number(read(join(mount, group, file))?.trim() ?? Number.NaN); // "max" is no number
    if (Number.isFinite(bytes) && bytes > 0) limits.push(bytes);
    if (group === "/" || group === ".") return limits;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}
