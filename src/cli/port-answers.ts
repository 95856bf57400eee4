/**
 * Whether somebody answers at a public port: the kernel takes connections for a process that has yet to come, so only an
 * answer tells. A client that says nothing and ends its side is let go by the forwarder itself, be it for TLS or
 * for the PROXY protocol too; no node hears of it, and no log.
 */
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { ListenAddress } from "../model/node.ts";

const pollMs = 100;

/** The first port that stays silent for so long; null once all answer. */
export async function silentPort(listeners: readonly ListenAddress[], waitMs: number): Promise<number | null> {
  const endMs = Date.now() + waitMs;
  for (const listener of listeners) {
    while (!(await portAnswers(listener, Math.max(endMs - Date.now(), pollMs)))) {
      if (Date.now() >= endMs) return listener.port;
      await pause(pollMs);
    }
  }
  return null;
}

function portAnswers({ address, port }: ListenAddress, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: hostOf(address), port });
    const done = (answers: boolean) => {
      clearTimeout(timeout);
      socket.destroy();
      resolve(answers);
    };
    const timeout = setTimeout(() => done(false), timeoutMs);
    socket.on("error", () => done(false));
    socket.on("end", () => done(true));
    socket.on("connect", () => socket.end());
    socket.resume();
  });
}

/** Where one that listens on all addresses is to be found. */
function hostOf(address: string | null): string {
  if (address === null || address === "0.0.0.0") return "127.0.0.1";
  return address === "::" ? "::1" : address;
}
