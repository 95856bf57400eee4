/**
 * A release that is a command and not a script: the probe travels in NODE_OPTIONS to the process of its tree
 * that listens (inside/wrapped.ts). A script that sets NODE_OPTIONS itself would drop it: a `node` first in
 * the PATH puts it back, and is the Node that --node named.
 */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

export interface Wrapping {
  readonly instance: string;
  readonly nodePath: string;
  readonly probePath: string;
  /** The cluster's private directory, and the one of the instances' sockets in it. */
  readonly directory: string;
  readonly listenDirectory: string;
}

export function wrappedEnvironment(base: NodeJS.ProcessEnv, wrapping: Wrapping): NodeJS.ProcessEnv {
  const option = `--require=${JSON.stringify(wrapping.probePath)}`;
  const shims = writeShims(wrapping, option);
  return {
    ...base,
    NODE_OPTIONS: base["NODE_OPTIONS"] === undefined ? option : `${base["NODE_OPTIONS"]} ${option}`,
    PATH: `${shims}${delimiter}${base["PATH"] ?? "/usr/bin:/bin"}`,
    COPPICE_SHIMS: shims,
    COPPICE_CLAIM: claimPath(wrapping),
  };
}

/** The file that the first listening process of the tree makes: there is one instance. */
export function claimPath({ listenDirectory, instance }: Pick<Wrapping, "listenDirectory" | "instance">): string {
  return join(listenDirectory, `${instance}.claim`);
}

function writeShims({ directory, nodePath }: Wrapping, option: string): string {
  const shims = join(directory, "bin");
  const path = join(shims, "node");
  if (existsSync(path)) return shims;
  mkdirSync(shims, { recursive: true, mode: 0o700 });
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const lines = [
    "#!/bin/sh",
    `option=${quoted(option)}`,
    // Where the tree has its instance, what it starts is its own affair.
    'if [ -n "$COPPICE_BIRTH_FD" ]; then',
    '  case "$NODE_OPTIONS" in',
    '    *"$option"*) ;;',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's, not ours
    '    *) NODE_OPTIONS="${NODE_OPTIONS:+$NODE_OPTIONS }$option"; export NODE_OPTIONS ;;',
    "  esac",
    "fi",
    `exec ${quoted(nodePath)} "$@"`,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  chmodSync(path, 0o700);
  return shims;
}
