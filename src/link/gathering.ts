/**
 * Many small frames, each with its own write, would cost more than what they say: a write wakes the other side's process. What is
 * sent within one turn of the loop leaves together at the turn's end, in the order in which it was sent.
 */
import type { Socket } from "node:net";

/** To be called before each write. */
export function gather(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  setImmediate(() => socket.uncork());
}
