/** A server that Coppice never saw listen: what its user may not know. */
import type { Release } from "../model/node.ts";
import type { InstanceRecord } from "../monitor/state.ts";
import type { Notice } from "./notices.ts";

type Record = Pick<InstanceRecord, "listeningAtMs" | "availableSinceMs" | "probed" | "stopping">;

/** `code`: with which it ended by itself; `port`: what Coppice was told to listen on. */
export function whyNeverListened(
  { listeningAtMs, availableSinceMs, probed, stopping }: Record,
  code: number | null,
  { kind, port }: { readonly kind: Release["kind"]; readonly port: number | null },
): Notice | null {
  if (listeningAtMs !== null || availableSinceMs !== 0) return null;
  const advice = stopping === null ? (kind === "command" && code === 0 ? advices.ended : null) : adviceForLate(kind, probed, port);
  return advice === null ? null : { level: "advice", code: "never-listened", text: `no node was seen to listen: ${advice}` };
}

/** The probe of a command says itself what it met, once it is asked to listen. */
function adviceForLate(kind: Release["kind"], probed: boolean, port: number | null): string | null {
  if (kind === "script") return advices.script;
  if (probed) return null;
  return port === null ? advices.noPort : advices.otherPort;
}

const advices = {
  ended:
    "what is started must stay there as long as its server does. One that goes into the background by itself must be told not to (nginx -g 'daemon off;', php-fpm -F)",
  noPort: "a server that is not Node needs --port. Coppice takes that port, and gives each node another one in PORT",
  otherPort:
    "each node must listen where PORT says, on all addresses, 127.0.0.1 or ::1. A server that does not read PORT takes it as an argument: sh -c 'exec php -S 127.0.0.1:$PORT'",
  script:
    "of a script Coppice sees what Node's own http module listens on in its first process. What starts its server as a child goes behind node, as a command (coppice run -- node start.js); a server in native code (uWebSockets.js) too, with --port",
};
