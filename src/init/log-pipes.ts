/**
 * The pipes through which an instance's output comes. Those that Node makes are pairs of sockets, which nobody can open by
 * their names: `/dev/stdout` and `/dev/stderr`, where what is made for containers writes its logs, would be no devices. Node
 * gives no others; so they are named pipes, which lose their names as soon as both ends are open.
 */
import { spawnSync } from "node:child_process";
import { chownSync, closeSync, constants, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import type { AppUser } from "./rights.ts";

export interface LogPipe {
  readonly reading: Socket;
  /** The descriptor that the instance inherits: to be closed here when it has. */
  readonly writing: number;
}

/** Standard output's and standard error's; null where they cannot be made (no `mkfifo`, no descriptor left). */
export function makeLogPipes(directory: string, instance: string, user: AppUser | null): readonly [LogPipe, LogPipe] | null {
  const [out, err] = [join(directory, `${instance}.out`), join(directory, `${instance}.err`)];
  const opened: number[] = [];
  const open = (path: string, flags: number): number => {
    const descriptor = openSync(path, flags);
    opened.push(descriptor);
    return descriptor;
  };
  /** A reader that does not wait for a writer, then the writer: reading, writing. */
  const openBoth = (path: string): [number, number] => {
    if (user !== null) chownSync(path, user.uid, user.gid); // to open it anew it must be its own
    return [open(path, constants.O_RDONLY | constants.O_NONBLOCK), open(path, constants.O_WRONLY)];
  };
  try {
    if (spawnSync("mkfifo", ["-m", "600", out, err], { stdio: "ignore" }).status !== 0) return null;
    const [ofOut, ofErr] = [openBoth(out), openBoth(err)];
    return [logPipe(...ofOut), logPipe(...ofErr)];
  } catch {
    for (const descriptor of opened) closeSync(descriptor);
    return null;
  } finally {
    for (const path of [out, err]) rmSync(path, { force: true });
  }
}

function logPipe(reading: number, writing: number): LogPipe {
  return { reading: new Socket({ fd: reading, readable: true, writable: false }), writing };
}
