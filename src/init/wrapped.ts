/**
 * A release that is a command and not a script: the probe travels in NODE_OPTIONS to the process of its tree
 * that listens (inside/wrapped.ts). A script that sets NODE_OPTIONS itself would drop it: a `node` first in
 * the PATH puts it back, and is the Node that --node named.
 */
import { accessSync, chmodSync, constants, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { claimPath } from "../model/birth.ts";
import { semiSpace } from "../model/memory.ts";

export interface Wrapping {
  readonly instance: string;
  readonly nodePath: string;
  readonly probePath: string;
  /** The cluster's private directory, and the one of the instances' sockets in it. */
  readonly directory: string;
  readonly listenDirectory: string;
  /** Null: Node's own. */
  readonly heapLimitBytes: number | null;
}

export function wrappedEnvironment(base: NodeJS.ProcessEnv, wrapping: Wrapping): NodeJS.ProcessEnv {
  const heap = heapOptions(wrapping.heapLimitBytes).map((option) => `${option} `);
  const options = `${heap.join("")}--require=${JSON.stringify(wrapping.probePath)}`;
  const shims = writeShims(wrapping);
  return {
    ...base,
    NODE_OPTIONS: base["NODE_OPTIONS"] === undefined ? options : `${base["NODE_OPTIONS"]} ${options}`,
    PATH: `${shims}${delimiter}${base["PATH"] ?? "/usr/bin:/bin"}`,
    COPPICE_SHIMS: shims,
    COPPICE_OPTIONS: options,
    COPPICE_CLAIM: claimPath(wrapping.listenDirectory, wrapping.instance),
  };
}

/** For Node's old space, which is nearly all of its heap, and for the young generation. Node 18.19 knows both. */
export function heapOptions(heapLimitBytes: number | null): string[] {
  if (heapLimitBytes === null) return [];
  const mebibytes = (bytes: number) => Math.floor(bytes / 1024 / 1024);
  const semiSpaceBytes = semiSpace(heapLimitBytes);
  const young = semiSpaceBytes === null ? [] : [`--max-semi-space-size=${mebibytes(semiSpaceBytes)}`];
  return [`--max-old-space-size=${Math.max(16, mebibytes(heapLimitBytes))}`, ...young];
}

function writeShims({ directory, nodePath }: Wrapping): string {
  const shims = join(directory, "bin");
  const path = join(shims, "node");
  if (existsSync(path)) return shims;
  mkdirSync(shims, { recursive: true, mode: 0o755 }); // whoever the command runs as; nothing secret is in it
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const lines = [
    "#!/bin/sh",
    // Where the tree has its instance, what it starts is its own affair.
    'if [ -n "$COPPICE_BIRTH_FD" ]; then',
    '  case "$NODE_OPTIONS" in',
    '    *"$COPPICE_OPTIONS"*) ;;',
    // The last word of two on the heap counts, and that is the script's own.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's, not ours
    '    *) NODE_OPTIONS="$COPPICE_OPTIONS${NODE_OPTIONS:+ $NODE_OPTIONS}"; export NODE_OPTIONS ;;',
    "  esac",
    "fi",
    `exec ${quoted(nodePath)} "$@"`,
  ];
  rmSync(path, { force: true }); // a link to a Node that is gone
  writeFileSync(path, `${lines.join("\n")}\n`);
  for (const made of [shims, path]) chmodSync(made, 0o755); // whatever the umask
  if (!runsPrograms(path)) {
    rmSync(path);
    symlinkSync(nodePath, path); // it puts nothing back, but is the Node that was named
  }
  return shims;
}

/** Not so on a file system that is mounted without (`noexec`), as a container's /dev/shm. */
function runsPrograms(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
