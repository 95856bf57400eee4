/**
 * Whether a client takes what is written to it. What the system's buffers have taken counts; beyond them, a client
 * that reads a little moves them a little, and that is enough.
 */
import type { Socket } from "node:net";

/** Bytes of the write under way that the system has not taken. Node keeps the count for its own time-outs (net.Socket); its documents do not show it. */
export function queuedBytes(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle: { readonly writeQueueSize: number } | null }; // see above
  return handle?.writeQueueSize ?? 0;
}

export class Taking {
  /** Zero: nothing waits. */
  #sinceMs = 0;
  #leftBytes = 0;
  #queuedBytes = 0;

  /** For how long nothing has moved though something waits. `leftBytes`: of all writes that are done. */
  stalledMs(nowMs: number, waitingBytes: number, leftBytes: number, queuedBytes: number): number {
    const moved = leftBytes !== this.#leftBytes || queuedBytes !== this.#queuedBytes;
    this.#leftBytes = leftBytes;
    this.#queuedBytes = queuedBytes;
    if (waitingBytes === 0) this.#sinceMs = 0;
    else if (moved || this.#sinceMs === 0) this.#sinceMs = nowMs;
    return this.#sinceMs === 0 ? 0 : nowMs - this.#sinceMs;
  }
}
