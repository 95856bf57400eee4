/** What only one process can have (a port, a file, a lock), known by the last words of the node that did not get it. */
import type { Release } from "../model/node.ts";
import { takenPattern } from "../monitor/lost.ts";
import type { Notice } from "./notices.ts";

/** `port`: what Coppice was told to listen on. */
export function onlyOneCanHave(
  tail: readonly string[],
  { kind, port }: { readonly kind: Release["kind"]; readonly port: number | null },
): Notice | null {
  const line = tail.find((one) => /error/i.test(one) && takenPattern.test(one)) ?? tail.find((one) => takenPattern.test(one));
  if (line === undefined) return null;
  const isPort = /EADDRINUSE|address already in use/i.test(line);
  const advice = !isPort ? advices.file : kind === "script" ? advices.port : port === null ? advices.noPort : advices.otherPort;
  // The line may say when, and of which process: it is another one each time.
  return { level: "advice", code: "only-one", text: `a node cannot start (${line.trim().slice(0, 200)}): ${advice}`, subject: advice };
}

const advices = {
  port: "what listens on a port for something else than HTTP must have one of its own in each node (COPPICE_NODE_INDEX says which it is); one node (-n 1) is regenerated in place. A script that starts its HTTP server as a child goes behind node, as a command (coppice run -- node start.js)",
  noPort: "all nodes want the same port. With --port Coppice takes that port, and gives each node another one in PORT",
  otherPort: "each node must listen where PORT says, which is another port for each, for example by an argument of its command line",
  file: "all nodes want the same file or lock. Give each its own (COPPICE_NODE says which it is); one node (-n 1) is regenerated in place",
};
