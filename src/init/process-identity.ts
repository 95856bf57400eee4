/**
 * Who a process is: its pid and when it started. A pid alone is used again by the kernel; the two
 * together are not.
 */
import { readlinkSync } from "node:fs";
import { statFieldsOf } from "../link/process-stat.ts";

/** Start time in clock ticks since boot (field 22 of /proc/<pid>/stat); null if there is no such process. */
export function startTicksOf(pid: number): number | null {
  const fields = statFieldsOf(pid);
  return fields === null || fields[0] === "Z" ? null : Number(fields[19]);
}

/** Where there is no /proc (a bare chroot) the pid alone must do. */
export function isAlive(pid: number, startTicks: number): boolean {
  if (statFieldsOf(process.pid) !== null) return startTicksOf(pid) === startTicks;
  if (pid <= 0) return false; // to the system a group, and always there
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // Node's own: another user's
  }
}

/** Where this process's pids are known: in another container each is another process, or nobody. Null: there is no /proc to say so. */
export function pidNamespace(): string | null {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return null;
  }
}
