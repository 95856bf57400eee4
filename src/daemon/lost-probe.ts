/** Why a server that answers has no probe: what runs in its tree, and with which environment. */
import { readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { descendantsOf } from "../link/process-stat.ts";
import type { Notice } from "./notices.ts";

const consequence = "the nodes are watched from outside, and keep their own sessions";

/** `pid`: of the instance's first process; `isClaimed`: one of the tree listened as a node would, and is not heard of. */
export function whyNoProbe(pid: number, isClaimed: boolean): Notice {
  const bare = [pid, ...descendantsOf(pid)].find((one) => isNode(one) && read(one, "environ")?.includes("--require=") !== true);
  if (bare === undefined && isClaimed)
    return {
      level: "advice",
      code: "probe-lost",
      text: `the probe was loaded where the nodes listen, but what started that process did not pass on the descriptor that Coppice had given it: ${consequence}. Give its own command to Coppice itself`,
    };
  if (bare === undefined)
    return { level: "info", code: "no-probe", text: `the nodes have no probe (no Node process of theirs listens): ${consequence}` };
  const command = (read(bare, "cmdline") ?? "")
    .split("\u0000")
    .filter((word) => word !== "")
    .join(" ");
  return {
    level: "advice",
    code: "probe-lost",
    text:
      `the probe did not reach "${command.slice(0, 120)}", which was started without the NODE_OPTIONS of its parent: ${consequence}. ` +
      "Let what starts it pass its environment on, or give that command to Coppice itself",
  };
}

function isNode(pid: number): boolean {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).startsWith("node");
  } catch {
    return false; // gone, or another user's
  }
}

function read(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return null;
  }
}
