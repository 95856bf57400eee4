/** What runs below a cluster's init, read from /proc: its own processes by their title, and all others, the instances. */
import { readdirSync, readFileSync } from "node:fs";

export type Kind = "monitor" | "forwarder" | "replicator" | "node";

export interface Child {
  readonly pid: number;
  readonly kind: Kind;
}

export function childrenOf(parent: number): Child[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const pid = Number(name);
      const status = read(`/proc/${pid}/status`);
      if (status === null || Number(/^PPid:\t(\d+)/m.exec(status)?.[1]) !== parent || /^State:\tZ/m.test(status)) return [];
      return [{ pid, kind: kindOf(read(`/proc/${pid}/cmdline`) ?? "") }];
    });
}

function kindOf(commandLine: string): Kind {
  const title = /^coppice (monitor|forwarder|replicator)/.exec(commandLine)?.[1];
  return (title as Kind | undefined) ?? "node"; // one of the three, by the pattern
}

/** Resident bytes and open descriptors; null if it has gone. */
export function measure(pid: number): { readonly rssBytes: number; readonly openFds: number } | null {
  const status = read(`/proc/${pid}/status`);
  if (status === null) return null;
  try {
    return { rssBytes: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024, openFds: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return null;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
