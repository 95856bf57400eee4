/** A server that Coppice never saw listen: what its user may not know. */
import type { Release } from "../model/node.ts";
import type { InstanceRecord } from "../monitor/state.ts";
import type { Notice } from "./notices.ts";

type Record = Pick<InstanceRecord, "askedAtMs" | "listeningAtMs" | "availableSinceMs" | "probed" | "stopping">;

/** What goes into the background is gone by then; it may have been seen to listen. */
const atOnceMs = 10_000;

/** `code`: with which it ended by itself; `port`: what Coppice was told to listen on. */
export function whyNeverListened(
  { askedAtMs, listeningAtMs, availableSinceMs, probed, stopping }: Record,
  { code, nowMs }: { readonly code: number | null; readonly nowMs: number },
  { kind, port }: { readonly kind: Release["kind"]; readonly port: number | null },
): Notice | null {
  const text = (): string | null => {
    if (stopping === null) return kind === "command" && !probed && code === 0 && nowMs - askedAtMs < atOnceMs ? advices.ended : null;
    return listeningAtMs !== null || availableSinceMs !== 0 ? null : adviceForLate(kind, probed, port);
  };
  const said = text();
  return said === null ? null : { level: "advice", code: "never-listened", text: said };
}

/** The probe of a command says itself what it met, once it is asked to listen. */
function adviceForLate(kind: Release["kind"], probed: boolean, port: number | null): string | null {
  if (kind === "script") return advices.script;
  if (probed) return null;
  return port === null ? advices.noPort : advices.otherPort;
}

const unseen = "no node was seen to listen:";

const advices = {
  ended:
    "a command has ended, with code 0, soon after it was started: it must stay there as long as its server does. A server that goes into the background by itself must be told not to (nginx -g 'daemon off;', php-fpm -F)",
  noPort: `${unseen} a server that is not Node needs --port. Coppice takes that port, and gives each node another one in PORT`,
  otherPort: `${unseen} each must listen where PORT says, on all addresses, 127.0.0.1 or ::1. A server that does not read PORT takes it as an argument: sh -c 'exec php -S 127.0.0.1:$PORT'`,
  script: `${unseen} of a script Coppice sees what Node's own http module listens on in its first process. What starts its server as a child goes behind node, as a command (coppice run -- node start.js); a server in native code (uWebSockets.js) too, with --port`,
};
